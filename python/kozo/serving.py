"""Calling a role's functions for what happens, in the order in which it happens."""

import inspect
from typing import Any, Callable, Optional

from kozo.functions import name_of
from kozo.message import Message
from kozo.role import Role


def serve(role: Role) -> None:
    """Serves until the role is to end: in an event loop if any of its functions is `async`."""
    _tell_what_is_never_called(role)
    timers = [timer.function for timer in role._timers]
    rules = [rule.function for rule in role._rules]
    others = role._at_start + role._at_stop + role._at_reopen
    # A decorator may hide that a function is `async`.
    if any(inspect.iscoroutinefunction(inspect.unwrap(function)) for function in rules + timers + others):
        # Half of the memory of a small role, so only where it is needed.
        from kozo.looping import serve_in_loop

        serve_in_loop(role)
    else:
        _serve_plainly(role)


def _tell_what_is_never_called(role: Role) -> None:
    """Names the functions whose messages no interest of the block lets in: else nobody would know why they are silent."""
    interests = role._running().interests
    if interests is None:
        return
    for rule in role._rules:
        if not any(interest.may_fit(rule.kind, rule.type) for interest in interests):
            wanted = f"{{kind: {rule.kind}}}" if rule.type is None else f"{{kind: {rule.kind}, type: {rule.type}}}"
            role.warn(
                f"`{name_of(rule.function)}` is never called, for the role's block asks for no such messages: add "
                f"`{wanted}` to its `interests`"
            )


def handler_for(role: Role, message: Message) -> Optional[Callable[..., Any]]:
    """The function that gets the message."""
    for rule in role._rules:
        if rule.fits(message):
            return rule.function
    return None


def refuse_coroutine(function: Callable[..., Any], result: Any) -> None:
    """Where there is no event loop, what an `async` function was to do would never be done."""
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(
            f"`{name_of(function)}` calls an `async` function, and is none itself: write `async def`, or give it "
            "`functools.wraps`"
        )


def next_due(role: Role) -> Optional[float]:
    """When the next of the timers is due."""
    return min((timer.due for timer in role._timers), default=None)


def _serve_plainly(role: Role) -> None:
    host = role._running()

    def call(function: Callable[..., Any], *arguments: Any) -> None:
        try:
            refuse_coroutine(function, function(*arguments))
        except Exception as error:
            role._failed(f"`{name_of(function)}`", error)

    for function in role._at_start:
        # What cannot begin does not run.
        refuse_coroutine(function, function())
    for timer in role._timers:
        timer.begin(host.now())
    while not host.stopping:
        due = next_due(role)
        message = host.receive(None if due is None else max(0.0, due - host.now()))
        if host.take_reopen():
            for function in role._at_reopen:
                call(function)
        if message is not None:
            found = handler_for(role, message)
            if found is not None:
                call(found, message)
        if due is not None and not host.stopping:
            for timer in role._timers:
                if timer.take(host.now()):
                    call(timer.function)
    for function in role._at_stop:
        call(function)
