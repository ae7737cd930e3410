"""A bench for roles: a node that is none, for tests without a daemon.

It hands a role messages, collects what the role sends, and has a clock of its own: nothing waits in reality. The role
runs until it waits for something (in `receive`, `sleep`, or between its functions), and only then the test goes on::

    from kozo.testing import Bench

    with Bench(Doorbell, options={"chime": "ding"}) as bench:
        bench.order("ring")
        assert [message.type for message in bench.sent()] == ["rang"]
        bench.advance(3600)
"""

import collections
import threading
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple, Type, Union

from kozo.errors import Error, NotRunning, Refused
from kozo.host import Host
from kozo.interest import Interest
from kozo.message import EVENT, KINDS, LOG, ORDER, Message, from_line, to_line
from kozo.role import Role

PATIENCE = 60.0
"""Seconds of real time that a role may take until it waits again. One that takes longer hangs."""




class BenchError(Error):
    """The role does not do its part on the bench."""


class Bench:
    """A role at work on the bench. Leaving its `with` block stops the role.

    `role` is a class or a role with functions; `options`, `node` and `name` are what the network's file would give;
    `stored` is what it has stored in an earlier run; `answers` holds what `ask` gets, by the name of the request, a
    list for several calls. With `interests`, as the block has them, only what they let in reaches the role; without them
    everything does. An error of the role, and by default one of its functions, is raised in the test;
    `keep_going=True` logs those of functions, as a daemon does.
    """

    def __init__(
        self,
        role: Union[Role, Type[Role]],
        *,
        options: Optional[Mapping[str, Any]] = None,
        node: str = "node",
        name: str = "role",
        stored: Any = None,
        storage: bool = True,
        answers: Optional[Mapping[str, Any]] = None,
        interests: Optional[List[Mapping[str, Any]]] = None,
        keep_going: bool = False,
    ) -> None:
        self._interests = None if interests is None else [Interest(one) for one in interests]
        self._host = _BenchHost(node, name, _copied(dict(options or {})), keep_going)
        self._host.interests = self._interests
        self._host.stored = _copied(stored)
        self._host.storage = storage
        self._host.answers = {
            request: list(answer) if isinstance(answer, list) else [answer]
            for request, answer in (answers or {}).items()
        }
        self._role: Optional[Role] = role if isinstance(role, Role) else None
        self._class: Optional[Type[Role]] = role if isinstance(role, type) else None
        self._thread = threading.Thread(target=self._run, name="kozo-bench", daemon=True)
        self._thread.start()
        self._host.settle()

    def _run(self) -> None:
        host = self._host
        try:
            if self._role is None:
                assert self._class is not None
                self._role = self._class.__new__(self._class)
                self._role._host = host
                init: Any = self._role.__init__  # type: ignore[misc]
                init()
            else:
                self._role._host = host
            self._role.run()
        except BaseException as error:
            host.end(error)
        else:
            host.end(None)

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: Any) -> None:
        try:
            self.stop()
        except Exception:
            # What the test found comes first.
            if kind is None:
                raise

    @property
    def role(self) -> Role:
        """The role itself."""
        if self._role is None:
            raise BenchError("the role has not been made")
        return self._role

    # What happens to the role.

    def event(
        self,
        type: str,
        data: Any = None,
        *,
        channel: Optional[str] = None,
        role: str = "somebody",
        node: str = "elsewhere",
        age: float = 0.0,
        time: float = 0.0,
    ) -> bool:
        """Hands it an event, and lets it do what it does then. False when its interests do not let it in."""
        return self._deliver(Message(EVENT, type, channel, _copied(data), node, role, age, time))

    def order(
        self,
        type: str,
        data: Any = None,
        *,
        channel: Optional[str] = None,
        role: str = "somebody",
        node: str = "elsewhere",
        age: float = 0.0,
        time: float = 0.0,
    ) -> bool:
        """Hands it an order, and lets it do what it does then. False when its interests do not let it in."""
        return self._deliver(Message(ORDER, type, channel, _copied(data), node, role, age, time))

    def log(self, text: str, *, role: str = "somebody", node: str = "elsewhere", age: float = 0.0) -> bool:
        """Hands it a line for the network's log, as :meth:`event` an event."""
        return self._deliver(Message(LOG, "", None, text, node, role, age, 0.0))

    def _deliver(self, message: Message) -> bool:
        if self._interests is not None and not any(one.fits(message) for one in self._interests):
            return False
        self._host.deliver(message)
        self._host.settle()
        return True

    def advance(self, seconds: float) -> None:
        """Lets time pass: every wait of the role that ends in it ends, one after the other."""
        self._host.advance(seconds)

    def reopen(self) -> None:
        """Tells it that the daemon got SIGHUP."""
        self._host.tell_reopen()
        self._host.settle()

    def stop(self) -> None:
        """Ends it, as a daemon does."""
        self._host.tell_stop()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise BenchError(f"the role has not ended {PATIENCE:g} s after it was told to")
        self._host.raise_fault()

    # What the role did.

    def sent(self) -> List[Message]:
        """The messages that it has sent since this was called last."""
        return self._host.taken("sent")

    def logged(self) -> List[Tuple[str, str]]:
        """The level and text of what it has logged since this was called last."""
        return self._host.taken("logged")

    @property
    def status(self) -> str:
        """What it said last that it is about; empty when it said nothing."""
        return self._host.status

    @property
    def stored(self) -> Any:
        """What it has stored last."""
        return self._host.stored

    @property
    def elapsed(self) -> float:
        """How much time has passed on the bench, in seconds."""
        return self._host.now()

    @property
    def ended(self) -> bool:
        """Whether the role has ended."""
        return not self._thread.is_alive()

    def refuse_room(self, refuse: bool = True) -> None:
        """From now on there is no room for what is sent with `wait`, or there is again."""
        self._host.room = not refuse


def _copied(value: Any) -> Any:
    """The value as it comes out at the other end of the protocol. Raises what sending it would raise."""
    return from_line(to_line(value))


class _BenchHost(Host):
    """A node that is none. Either the role's thread or the test's is at work, never both."""

    def __init__(self, node: str, name: str, options: Dict[str, Any], keep_going: bool) -> None:
        self.node, self.name, self.options = node, name, options
        self.interests = None
        self.stored: Any = None
        self.storage = True
        self.room = True
        self.answers: Dict[str, List[Any]] = {}
        self._keep_going = keep_going
        self._changed = threading.Condition()
        self._messages: Deque[Message] = collections.deque()
        self._sent: List[Message] = []
        self._logged: List[Tuple[str, str]] = []
        self.status = ""
        self._now = 0.0
        self._stopping = False
        self._reopen = False
        self._ended = False
        self._fault: Optional[BaseException] = None
        self._waits = False
        self._until: Optional[float] = None
        self._subscriber: Optional[Callable[[], None]] = None

    # The test's side.

    def settle(self) -> None:
        """Waits until the role waits, or has ended; raises what it has failed with."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waits or self._ended, PATIENCE):
                raise BenchError(
                    f"the role has been at work for {PATIENCE:g} s: it hangs, or waits for something else than "
                    "`receive` and `sleep`, which the bench cannot end"
                )
        self.raise_fault()

    def raise_fault(self) -> None:
        with self._changed:
            fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def deliver(self, message: Message) -> None:
        with self._changed:
            if self._ended:
                raise BenchError("the role has ended, and takes no message")
            self._messages.append(message)
            self._wake()

    def advance(self, seconds: float) -> None:
        goal = self._now + seconds
        while True:
            self.settle()
            with self._changed:
                until = self._until if self._waits and not self._ended else None
                due = until is not None and until <= goal
                self._now = max(self._now, until) if due and until is not None else goal
                if due:
                    self._wake()
            if not due:
                return

    def tell_reopen(self) -> None:
        with self._changed:
            self._reopen = True
            self._wake()

    def tell_stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._wake()

    def end(self, fault: Optional[BaseException]) -> None:
        with self._changed:
            self._ended = True
            self._fault = fault
            self._changed.notify_all()

    def taken(self, which: str) -> List[Any]:
        with self._changed:
            if which == "sent":
                taken: List[Any] = self._sent
                self._sent = []
            else:
                taken = list(self._logged)
                self._logged = []
        return taken

    def _wake(self) -> None:
        self._waits = False
        self._changed.notify_all()
        if self._subscriber is not None:
            self._subscriber()

    # The role's side.

    @property
    def stopping(self) -> bool:
        return self._stopping

    def now(self) -> float:
        return self._now

    def _wait(self, until: Optional[float], done: Callable[[], bool]) -> None:
        while not done() and not self._stopping and (until is None or self._now < until):
            self._until = until
            self._waits = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waits)

    def receive(self, timeout: Optional[float]) -> Optional[Message]:
        with self._changed:
            if timeout != 0:
                until = None if timeout is None else self._now + timeout
                self._wait(until, lambda: bool(self._messages) or self._reopen)
            if self._stopping or not self._messages:
                return None
            return self._messages.popleft()

    def sleep(self, seconds: float) -> bool:
        with self._changed:
            self._wait(self._now + seconds, lambda: False)
            return not self._stopping

    def take_reopen(self) -> bool:
        with self._changed:
            reopen, self._reopen = self._reopen, False
        return reopen

    def send(self, line: Dict[str, Any]) -> None:
        line = _copied(line)
        with self._changed:
            if "print" in line:
                self._logged.append((line["level"], line["print"]))
            elif "status" in line:
                self.status = line["status"]
            else:
                self._send(line)

    def _send(self, line: Dict[str, Any]) -> None:
        kind = next(kind for kind in KINDS if kind in line)
        what = line[kind]
        log = kind == LOG
        data = what if log else line.get("data")
        self._sent.append(
            Message(kind, "" if log else what, line.get("channel"), data, self.node, self.name, 0.0, self._now)
        )

    def request(self, line: Dict[str, Any], timeout: float) -> Any:
        line = _copied(line)
        with self._changed:
            if self._ended:
                raise NotRunning("the role has ended")
            if "load" in line or "store" in line:
                if "load" in line:
                    return _copied(self.stored) if self.storage else None
                if not self.storage:
                    raise Refused("the node has no `roleStorage`")
                self.stored = line["store"]
                return None
            if "ask" in line:
                request = line["ask"].get("request")
                answers = self.answers.get(request)
                if not answers:
                    raise Refused(f"the bench has no answer to `{request}`: give it in `answers`")
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return _copied(answer)
            if not self.room:
                # The wait for room is over.
                self._now += float(line["wait"])
                return False
            self._send(line)
            return True

    def hand_over(self, line: Dict[str, Any], timeout: float, unanswered: Any) -> Any:
        return self.request(line, timeout)

    def handler_failed(self, error: BaseException) -> bool:
        return self._keep_going

    def subscribe(self, wake: Callable[[], None]) -> None:
        self._subscriber = wake

    def idle(self, until: Optional[float]) -> Optional[float]:
        with self._changed:
            if self._messages or self._reopen or self._stopping or (until is not None and until <= self._now):
                return 0.0
            self._until = until
            self._waits = True
            self._changed.notify_all()
        return None

    def busy(self) -> None:
        with self._changed:
            self._waits = False
