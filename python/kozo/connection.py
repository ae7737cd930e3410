"""The daemon at the other end of two pipes: lines of JSON, read and written by a thread each."""

import collections
import itertools
import os
import select
import threading
import time
from typing import Any, Callable, Deque, Dict, List, Optional

from kozo.errors import Error, NotRunning, Refused
from kozo.host import Host
from kozo.interest import Interest
from kozo.message import Message, from_line, from_object, to_line
from kozo.version import PROTOCOL

CHUNK = 64 * 1024
"""Bytes that are read at once."""

MAX_LINE = 128 << 20
"""The longest line of the daemon, in bytes. The data of a message has 16 MiB, which may be six times that in JSON."""

MAX_WAITING = 256
"""How many messages may wait in here before no more are read: the others wait in the daemon, which counts them."""

LOOK = 0.2
"""Seconds after which it is looked, while many wait, whether the daemon has closed its end: it is ending the role then,
and the order to stop lies behind them."""

MAX_WAITING_FOR_ANSWER = 20_000
"""How many may wait while an answer has to be read that comes behind them. The oldest are dropped beyond that."""

MAX_UNWRITTEN = 1 << 20
"""Bytes that may wait to be written. Who sends more waits until the daemon has read them."""

LAST_WRITES = 5.0
"""Seconds that the daemon has to read what was sent before the end."""

SHOWN = 100
"""Characters that are shown of a line that makes no sense."""


class Connection(Host):
    """The daemon. Made of two descriptors, which are its own from then on."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._poll = select.poll()
        self._poll.register(incoming, 0)
        self._rest = bytearray()
        self._lines: Deque[bytes] = collections.deque()
        self._ended = False
        self.node, self.name, self.options = "", "", {}
        self.interests = None

        # All of this is guarded by the condition, which is told of every change.
        self._changed = threading.Condition()
        self._messages: Deque[Message] = collections.deque()
        self._answers: Dict[int, "Answer"] = {}
        self._dropped = 0
        self._stopping = False
        self._reopen = False
        self._subscriber: Optional[Callable[[], None]] = None
        self._ids = itertools.count(1)

        self._writer = Writer(outgoing, self.stop)

    def greet(self) -> None:
        """Reads the daemon's first line, and begins to read the others.

        Raises Error for one that is none, and NotRunning when there is no line at all.
        """
        line = self._line()
        if line is None:
            raise NotRunning("the standard input ended before the daemon said anything")
        try:
            hello = from_line(line)
        except ValueError:
            hello = None
        if not isinstance(hello, dict) or "hello" not in hello:
            raise Error(
                f"the first line is no greeting of a daemon: {shown(line)}; it is like "
                '{"hello":1,"node":"hall","role":"doorbell","options":{}}'
            )
        if hello["hello"] != PROTOCOL:
            raise Error(
                f"the daemon speaks version {hello['hello']} of the protocol of programs, and this package version "
                f"{PROTOCOL}: install the package `kozo` that comes with the daemon"
            )
        self.node, self.name = str(hello.get("node", "")), str(hello.get("role", ""))
        options = hello.get("options")
        self.options = options if isinstance(options, dict) else {}
        try:
            self.interests = [Interest(one) for one in hello["interests"]]
        except (KeyError, TypeError, ValueError):
            # An older daemon does not tell them, and a newer one may have more to say with them.
            self.interests = None
        self._writer.start()
        threading.Thread(target=self._read, name="kozo-reader", daemon=True).start()

    def stop(self) -> None:
        """Makes the role end."""
        with self._changed:
            self._stopping = True
            self._tell()

    def close(self) -> None:
        """Waits until what was sent is written, as long as that makes sense."""
        self._writer.close()

    # What the role has of it.

    @property
    def told_to_stop(self) -> bool:
        """Whether the daemon has said that the role is to end, or a signal has."""
        return self._stopping

    @property
    def stopping(self) -> bool:
        # Where the lines end without an order to stop, what came before is still done.
        return self._stopping or (self._ended and not self._messages)

    def now(self) -> float:
        return time.monotonic()

    def receive(self, timeout: Optional[float]) -> Optional[Message]:
        # Without the lock, which is taken below for what has to be sure.
        if timeout == 0 and not self._messages:
            return None
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._messages and not self.stopping and not self._reopen:
                seconds = None if deadline is None else deadline - time.monotonic()
                if seconds is not None and seconds <= 0:
                    return None
                self._changed.wait(seconds)
            if self._stopping or not self._messages:
                return None
            message = self._messages.popleft()
            # The reader waits for room.
            if len(self._messages) == MAX_WAITING - 1:
                self._changed.notify_all()
            return message

    def sleep(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self.stopping:
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return True
                self._changed.wait(rest)
        return False

    def take_reopen(self) -> bool:
        if not self._reopen:
            return False
        with self._changed:
            self._reopen = False
        return True

    def send(self, line: Dict[str, Any]) -> None:
        self._writer.write(to_line(line) + b"\n")

    def request(self, line: Dict[str, Any], timeout: float) -> Any:
        answer = Answer()
        deadline = time.monotonic() + timeout
        with self._changed:
            number = next(self._ids)
            self._answers[number] = answer
            # The reader may have stopped at many messages.
            self._changed.notify_all()
        try:
            # First, for the daemon to find it in a line that is longer than it reads.
            self.send({"id": number, **line})
            with self._changed:
                while answer.line is None:
                    if self._ended:
                        raise NotRunning("the daemon is gone, or is ending the role")
                    seconds = deadline - time.monotonic()
                    if seconds <= 0:
                        raise Error("the daemon has not answered in time")
                    self._changed.wait(seconds)
                said = answer.line
        finally:
            with self._changed:
                self._answers.pop(number, None)
        if "error" in said:
            raise Refused(str(said["error"]))
        return said.get("value")

    def hand_over(self, line: Dict[str, Any], timeout: float, unanswered: Any) -> Any:
        # The daemon has nothing more to say then, and still reads.
        if self._ended:
            self.send(line)
            return unanswered
        try:
            return self.request(line, timeout)
        except NotRunning:
            return unanswered

    def subscribe(self, wake: Callable[[], None]) -> None:
        self._subscriber = wake

    def idle(self, until: Optional[float]) -> Optional[float]:
        return None if until is None else max(0.0, until - time.monotonic())

    def busy(self) -> None:
        pass

    # Reading.

    def _line(self) -> Optional[bytes]:
        """One line, read in the thread that calls it; none at the end."""
        while not self._lines:
            if not self._more():
                return None
        return self._lines.popleft()

    def _more(self) -> bool:
        """Reads what there is into lines; false at the end."""
        try:
            chunk = os.read(self._incoming, CHUNK)
        except OSError:
            chunk = b""
        if not chunk:
            return False
        if b"\n" not in chunk:
            self._rest += chunk
            if len(self._rest) > MAX_LINE:
                self._warn(f"a line of more than {MAX_LINE} bytes came from the daemon")
                return False
            return True
        lines = (bytes(self._rest) + chunk).split(b"\n")
        self._rest = bytearray(lines.pop())
        self._lines.extend(line for line in lines if line)
        return True

    def _read(self) -> None:
        going_on = True
        while going_on:
            messages: List[Message] = []
            others: List[Dict[str, Any]] = []
            while self._lines:
                self._sort(self._lines.popleft(), messages, others)
            with self._changed:
                self._take_in(messages, others)
                while (
                    len(self._messages) >= MAX_WAITING
                    and not self._answers
                    and not self._stopping
                    and not self._is_closed()
                ):
                    self._changed.wait(LOOK)
            going_on = self._more()
        with self._changed:
            self._ended = True
            self._tell()

    def _is_closed(self) -> bool:
        """Whether nothing more comes than what is in the pipe."""
        return any(events & select.POLLHUP for _, events in self._poll.poll(0))

    def _sort(self, line: bytes, messages: List[Message], others: List[Dict[str, Any]]) -> None:
        try:
            said = from_line(line)
        except (ValueError, RecursionError) as error:
            self._warn(f"the daemon's line is no JSON ({error}): {shown(line)}")
            return
        if not isinstance(said, dict):
            return
        message = from_object(said)
        if message is not None:
            messages.append(message)
        else:
            # What later daemons may say is left out where it is of no known kind.
            others.append(said)

    def _take_in(self, messages: List[Message], others: List[Dict[str, Any]]) -> None:
        self._messages.extend(messages)
        excess = len(self._messages) - MAX_WAITING_FOR_ANSWER
        if excess > 0:
            for _ in range(excess):
                self._messages.popleft()
            self._dropped += excess
            if self._warn(f"{self._dropped} messages were dropped while the role waited for an answer"):
                self._dropped = 0
        for said in others:
            if "answer" in said:
                number = said["answer"]
                answer = self._answers.get(number) if isinstance(number, int) else None
                if answer is not None:
                    answer.line = said
            elif said.get("stop"):
                self._stopping = True
            elif said.get("reopen"):
                self._reopen = True
        if messages or others:
            self._tell()

    def _warn(self, text: str) -> bool:
        """Writes to the daemon's log, if there is room: the reader waits for nothing that the daemon has to read,
        since that may wait for the reader."""
        return self._writer.offer(to_line({"print": text, "level": "warn"}) + b"\n")

    def _tell(self) -> None:
        self._changed.notify_all()
        if self._subscriber is not None:
            self._subscriber()


class Answer:
    """A place for an answer."""

    __slots__ = ("line",)

    def __init__(self) -> None:
        self.line: Optional[Dict[str, Any]] = None


class Writer:
    """Writes lines in a thread of its own: all that have gathered at once, and the first one at once."""

    def __init__(self, descriptor: int, broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._tell_broken = broken
        # Reentrant, for what a signal's handler sends in the middle of something else that sends.
        self._changed = threading.Condition(threading.RLock())
        self._lines: List[bytes] = []
        self._size = 0
        self._writing = False
        self._closing = False
        self._broken = False
        self._thread = threading.Thread(target=self._write, name="kozo-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, line: bytes) -> None:
        with self._changed:
            while self._size > MAX_UNWRITTEN and not self._broken:
                self._changed.wait()
            # When it is broken nobody reads it any more, which the reader finds as well.
            if not self._broken:
                self._add(line)

    def offer(self, line: bytes) -> bool:
        """Writes it if that takes no waiting; false when it would."""
        with self._changed:
            if self._size > MAX_UNWRITTEN or self._broken:
                return False
            self._add(line)
            return True

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        # It looks again by itself after what it writes.
        if not self._writing:
            self._changed.notify_all()

    def close(self) -> None:
        deadline = time.monotonic() + LAST_WRITES
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while (self._lines or self._writing) and not self._broken:
                seconds = deadline - time.monotonic()
                if seconds <= 0 or not self._thread.is_alive():
                    return
                self._changed.wait(seconds)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._lines:
                    if self._closing:
                        return
                    self._changed.wait()
                bytes_ = memoryview(b"".join(self._lines))
                self._lines = []
                self._size = 0
                self._writing = True
                self._changed.notify_all()
            try:
                while bytes_:
                    bytes_ = bytes_[os.write(self._descriptor, bytes_) :]
            except OSError:
                with self._changed:
                    self._broken = True
                    self._writing = False
                    self._changed.notify_all()
                # Nobody is there any more.
                self._tell_broken()
                return


def shown(line: bytes) -> str:
    """The beginning of a line, for people."""
    text = line[:SHOWN].decode("utf-8", "backslashreplace")
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text + ("…" if len(line) > SHOWN else "")
