"""Roles: functions for messages, or a loop of one's own."""

from typing import Any, Callable, Dict, List, Optional, TypeVar, Union

from kozo import traces
from kozo.errors import NotRunning
from kozo.functions import Rule, Timer, takes_message
from kozo.host import LEVELS, Host
from kozo.message import EVENT, LOG, ORDER, Message, to_object
from kozo.patterns import compiled

Handler = TypeVar("Handler", bound=Callable[..., Any])
Pattern = Union[str, List[str], None]

ANSWER_GRACE = 30.0
"""Seconds that an answer of the daemon may take beyond what was asked for: a busy machine is no failure."""


class Role:
    """A role of a node.

    Either give it functions for what happens, and call :meth:`run`::

        role = kozo.Role()

        @role.on_event("tick", role="timer*")
        def ticked(message): ...

        role.run()

    or make a class of it whose `run` loops until :attr:`stopping`, and call `kozo.run(TheClass)`::

        class Doorbell(kozo.Role):
            def run(self):
                while not self.stopping:
                    message = self.receive(timeout=10)
                    ...

    What sends, logs, loads and stores may be used from any thread; `receive`, `sleep` and `run` from that of the
    role alone.
    """

    # Not in `__init__`, so that a class that has its own need not call this one.
    def __new__(cls, *arguments: Any, **named: Any) -> "Role":
        role = super().__new__(cls)
        role._host = None
        role._rules = []
        role._timers = []
        role._at_start = []
        role._at_stop = []
        role._at_reopen = []
        role.errors = 0
        return role

    _host: Optional[Host]
    _rules: List[Rule]
    _timers: List[Timer]
    _at_start: List[Callable[..., Any]]
    _at_stop: List[Callable[..., Any]]
    _at_reopen: List[Callable[..., Any]]

    errors: int
    """How many handlers have failed so far. Each is logged with its traceback, and the role goes on."""

    # What it is.

    @property
    def options(self) -> Dict[str, Any]:
        """The options that the role's block gives in `options`."""
        return self._running().options

    @property
    def node(self) -> str:
        """The node's name."""
        return self._running().node

    @property
    def name(self) -> str:
        """The role's name on its node."""
        return self._running().name

    @property
    def stopping(self) -> bool:
        """Whether the role is to end. All its waits end by themselves then."""
        return self._running().stopping

    # What it is told.

    def on_event(
        self, type: Pattern = None, *, channel: Pattern = None, role: Pattern = None, node: Pattern = None
    ) -> Callable[[Handler], Handler]:
        """Calls the function for events that fit.

        A pattern is a text in which `*` stands for any characters, or a list of those; without one, anything
        fits. They choose among what the node hands over, which is what the block's `interests` ask for. The
        first function that fits gets the message, and no other one. It may be an `async` one.
        """
        return self._rule(EVENT, type, channel, role, node)

    def on_order(
        self, type: Pattern = None, *, channel: Pattern = None, role: Pattern = None, node: Pattern = None
    ) -> Callable[[Handler], Handler]:
        """Calls the function for orders that fit, as :meth:`on_event` for events."""
        return self._rule(ORDER, type, channel, role, node)

    def on_log(
        self, function: Optional[Handler] = None, *, role: Pattern = None, node: Pattern = None
    ) -> Any:
        """Calls the function for lines that roles send to the network's log: their text is the `data`."""
        register: Callable[[Handler], Handler] = self._rule(LOG, None, None, role, node)
        return register if function is None else register(function)

    def every(self, seconds: float) -> Callable[[Handler], Handler]:
        """Calls the function, without a message, each time that this long has passed."""
        if not seconds > 0:
            raise ValueError(f"`every` takes a time above zero, not {seconds!r}")

        def register(function: Handler) -> Handler:
            self._timers.append(Timer(float(seconds), function))
            return function

        return register

    def on_start(self, function: Handler) -> Handler:
        """Calls the function, without a message, before anything else."""
        self._at_start.append(function)
        return function

    def on_stop(self, function: Handler) -> Handler:
        """Calls the function, without a message, when the role ends orderly."""
        self._at_stop.append(function)
        return function

    def on_reopen(self, function: Handler) -> Handler:
        """Calls the function, without a message, when the daemon was told to reopen its files (SIGHUP)."""
        self._at_reopen.append(function)
        return function

    def _rule(
        self, kind: str, type: Pattern, channel: Pattern, role: Pattern, node: Pattern
    ) -> Callable[[Handler], Handler]:
        if callable(type):
            raise TypeError("write `@role.on_event()` with brackets, or name the type in them")

        def register(function: Handler) -> Handler:
            fields = [("type", type), ("channel", channel), ("role", role), ("node", node)]
            patterns = {name: compiled(pattern) for name, pattern in fields if pattern is not None}
            only = type if isinstance(type, str) and "*" not in type else None
            self._rules.append(Rule(kind, only, patterns, takes_message(function)))
            return function

        return register

    def receive(self, timeout: Optional[float] = None) -> Optional[Message]:
        """Waits for the next message, for so many seconds at most, or until the role is to end.

        None when there is none by then. The functions for messages are not called for it; those of `on_reopen`
        are called in here.
        """
        host = self._running()
        deadline = None if timeout is None else host.now() + timeout
        while True:
            message = host.receive(None if deadline is None else max(0.0, deadline - host.now()))
            if not host.take_reopen():
                return message
            for function in self._at_reopen:
                function()
            if message is not None:
                return message

    def sleep(self, seconds: float) -> bool:
        """Waits. False, and at once, when the role is to end."""
        return self._running().sleep(seconds)

    # What it says.

    def send_event(
        self, type: str, data: Any = None, channel: Optional[str] = None, *, wait: Optional[float] = None
    ) -> bool:
        """Sends an event to whoever is interested.

        Without `wait` this never waits, and a full queue drops its oldest message. With it, it waits for room
        on the way to other nodes for so many seconds at most; false when there was none, and then the message is
        not sent.

        Raises TypeError or ValueError for data that has no form in a message, and with `wait` :class:`Refused`
        for what the node does not send.
        """
        return self._send(to_object(EVENT, type, data, channel), wait)

    def send_order(
        self, type: str, data: Any = None, channel: Optional[str] = None, *, wait: Optional[float] = None
    ) -> bool:
        """Sends an order, as :meth:`send_event` an event."""
        return self._send(to_object(ORDER, type, data, channel), wait)

    def send_log(self, text: str) -> None:
        """Sends a line to the network's log, where a role `logger` may write it down. This never waits."""
        self._running().send(to_object(LOG, text, None, None))

    def _send(self, line: Dict[str, Any], wait: Optional[float]) -> bool:
        host = self._running()
        if wait is None:
            host.send(line)
            return True
        if wait < 0:
            raise ValueError(f"`wait` is a time of zero seconds or more, not {wait!r}")
        line["wait"] = wait
        return host.hand_over(line, wait + ANSWER_GRACE, True) is True

    def load(self) -> Any:
        """What was stored last, in this run or an earlier one; None if nothing was, as where the node has no
        `roleStorage`.

        Raises :class:`Refused` where it cannot be read.
        """
        return self._running().request({"load": True}, ANSWER_GRACE)

    def store(self, value: Any) -> None:
        """Stores a value in place of the last one, wholly or not at all.

        Raises :class:`Refused` where the node has no `roleStorage`, or cannot write there. A role that is to end has no
        answer any more: what goes wrong then is told in the daemon's log.
        """
        self._running().hand_over({"store": value}, ANSWER_GRACE, None)

    def ask(self, request: Union[str, Dict[str, Any]], *, wait: float = 10.0, **fields: Any) -> Any:
        """Asks the node about itself and the network: `role.ask("status")`.

        The block has to grant it (`grant`). Raises :class:`Refused` otherwise.
        """
        question = dict(request) if isinstance(request, dict) else {"request": request}
        question.update(fields)
        return self._running().request({"ask": question, "wait": wait}, wait + ANSWER_GRACE)

    def set_status(self, text: str) -> None:
        """Says what the role is about, in a few words, for `kozo status`: one line of at most 200 characters.

        It stays until the next one, or until the role ends; an empty text takes it back.
        """
        self._running().send({"status": str(text).encode("utf-8", "backslashreplace").decode()})

    def log(self, level: str, text: str) -> None:
        """Writes to the daemon's own log, each line of the text by itself.

        The level is `error`, `warn`, `info`, `debug` or `trace`.
        """
        if level not in LEVELS:
            raise ValueError(f"{level!r} is no level: there are {', '.join(LEVELS)}")
        host = self._running()
        # Names of files that are no UTF-8 are shown as well.
        shown = str(text).encode("utf-8", "backslashreplace").decode()
        for line in shown.splitlines() or [""]:
            host.send({"print": line, "level": level})

    def error(self, text: str) -> None:
        """Writes an error to the daemon's own log."""
        self.log("error", text)

    def warn(self, text: str) -> None:
        """Writes a warning to the daemon's own log."""
        self.log("warn", text)

    def info(self, text: str) -> None:
        """Writes a line to the daemon's own log."""
        self.log("info", text)

    def debug(self, text: str) -> None:
        """Writes a line to the daemon's own log that is only shown on demand."""
        self.log("debug", text)

    # How it works.

    def run(self) -> None:
        """Calls the functions for what happens, until the role is to end.

        A class may have its own, which returns soon after :attr:`stopping` turns true. Called for a role that no
        daemon has begun yet, it begins it: the last line of a program.
        """
        from kozo.serving import serve
        from kozo.start import run

        if self._host is None:
            run(self)
        else:
            serve(self)

    def _running(self) -> Host:
        if self._host is None:
            raise NotRunning(
                "the role does not run yet: its node, options and messages are there from `run` on; use "
                "`@role.on_start` for what comes first"
            )
        return self._host

    def _failed(self, what: str, error: BaseException) -> None:
        """A handler has failed. Raises it where the role is not to go on."""
        if not self._running().handler_failed(error):
            raise error
        self.errors += 1
        self.error(f"{what} has failed, and the role goes on:\n{traces.shown(error)}")
