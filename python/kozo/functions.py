"""The functions of a role, and when each is called."""

import dataclasses
import functools
import inspect
from typing import Any, Callable, Dict, Optional

from kozo.message import Message
from kozo.patterns import fits


@dataclasses.dataclass
class Rule:
    """A function for messages that fit."""

    kind: str
    type: Optional[str]
    """The only one that fits; None when there may be several."""

    patterns: Dict[str, Callable[[str], Any]]
    function: Callable[..., Any]

    def fits(self, message: Message) -> bool:
        return message.kind == self.kind and fits(self.patterns, message)


class Timer:
    """A function that is called at an interval."""

    def __init__(self, seconds: float, function: Callable[..., Any]) -> None:
        self.seconds = seconds
        self.function = function
        self.due = 0.0

    def begin(self, now: float) -> None:
        self.due = now + self.seconds

    def take(self, now: float) -> bool:
        """Whether it is due. What was missed is not made up for."""
        if now < self.due:
            return False
        missed = (now - self.due) // self.seconds
        self.due += (missed + 1) * self.seconds
        return True


def takes_message(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or what calls it without the message that it does not take."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function
    try:
        signature.bind(None)
        return function
    except TypeError:
        pass
    try:
        signature.bind()
    except TypeError:
        raise TypeError(
            f"`{name_of(function)}` has to take one parameter, the message, or none"
        ) from None
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def alone(_: Message) -> Any:
            return await function()

        return alone

    @functools.wraps(function)
    def plain(_: Message) -> Any:
        return function()

    return plain


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called, for people."""
    return str(getattr(function, "__qualname__", repr(function)))
