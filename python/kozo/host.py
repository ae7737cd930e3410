"""What a role has of its node. There are two: the daemon (`kozo.connection`) and the bench (`kozo.testing`)."""

from typing import Any, Callable, Dict, List, Optional

from kozo.interest import Interest
from kozo.message import Message

LEVELS = ("error", "warn", "info", "debug", "trace")


class Host:
    """The node, as its role sees it. Whatever sends may be called from any thread."""

    node: str
    name: str
    options: Dict[str, Any]
    interests: Optional[List[Interest]]
    """What lets messages in; None when that is not known."""

    @property
    def stopping(self) -> bool:
        """Whether the role is to end."""
        raise NotImplementedError

    def now(self) -> float:
        """A clock that only goes forward, in seconds."""
        raise NotImplementedError

    def receive(self, timeout: Optional[float]) -> Optional[Message]:
        """The next message; none when there is none in time, or the role is to end."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> bool:
        """Waits; false when the role is to end, without waiting any longer."""
        raise NotImplementedError

    def take_reopen(self) -> bool:
        """Whether the daemon was told to reopen its files since this was called last."""
        raise NotImplementedError

    def send(self, line: Dict[str, Any]) -> None:
        """Hands a line over that has no answer."""
        raise NotImplementedError

    def request(self, line: Dict[str, Any], timeout: float) -> Any:
        """Hands a line over, and waits for its answer, which takes this many seconds at most."""
        raise NotImplementedError

    def hand_over(self, line: Dict[str, Any], timeout: float, unanswered: Any) -> Any:
        """The same for what is done also when no answer can come any more, since the node is ending the role; the
        answer is `unanswered` then, and what goes wrong is told in the node's log."""
        raise NotImplementedError

    def handler_failed(self, error: BaseException) -> bool:
        """What becomes of an error of a handler: true when the role is to go on."""
        return True

    # For a role with `async` handlers, whose waits are those of an event loop.

    def subscribe(self, wake: Callable[[], None]) -> None:
        """From now on calls this, from any thread, whenever there may be something to do."""
        raise NotImplementedError

    def idle(self, until: Optional[float]) -> Optional[float]:
        """Says that the role waits until this time of `now`. How long that is in reality; none if there is no
        end to it but a call of what was subscribed."""
        raise NotImplementedError

    def busy(self) -> None:
        """Says that the role waits no longer."""
        raise NotImplementedError
