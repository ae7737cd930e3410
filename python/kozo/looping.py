"""Serving a role in an event loop, for functions that are `async`."""

import asyncio
import inspect
from typing import Any, Callable, List, Optional, Set

from kozo.functions import name_of
from kozo.host import Host
from kozo.role import Role
from kozo.serving import handler_for, next_due

MAX_TASKS = 1000
"""How many `async` functions may be at work at once. The role takes no further messages until one is done."""

LAST_WORDS = 1.0
"""Seconds that `async` functions at work have when the role is to end."""


def serve_in_loop(role: Role) -> None:
    """Serves until the role is to end. What is `async` runs beside the rest, from one `await` to the next."""
    asyncio.run(_Loop(role).serve())


class _Loop:
    def __init__(self, role: Role) -> None:
        self._role = role
        self._host: Host = role._running()
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._fault: Optional[BaseException] = None

    async def serve(self) -> None:
        role, host = self._role, self._host
        loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                # The loop has ended already.
                pass

        host.subscribe(wake)
        for function in role._at_start:
            result = function()
            if inspect.isawaitable(result):
                await result
        for timer in role._timers:
            timer.begin(host.now())
        while not host.stopping and self._fault is None:
            self._wake.clear()
            if len(self._tasks) < MAX_TASKS and self._begin():
                # Those that were begun get their turn.
                await asyncio.sleep(0)
                continue
            await self._rest()
        await self._end()

    def _begin(self) -> bool:
        """Begins what there is to do now; false if there is nothing."""
        role, host = self._role, self._host
        begun = False
        if host.take_reopen():
            begun = True
            for function in role._at_reopen:
                self._call(function)
        message = host.receive(0)
        if message is not None:
            begun = True
            found = handler_for(role, message)
            if found is not None:
                self._call(found, message)
        for timer in role._timers:
            if timer.take(host.now()):
                begun = True
                self._call(timer.function)
        return begun

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            result = function(*arguments)
        except Exception as error:
            self._failed(function, error)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._finish(function, result))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def _finish(self, function: Callable[..., Any], result: Any) -> None:
        try:
            await result
        except Exception as error:
            self._failed(function, error)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._wake.set()

    def _failed(self, function: Callable[..., Any], error: Exception) -> None:
        try:
            self._role._failed(f"`{name_of(function)}`", error)
        except Exception as fault:
            # Raised where the role waits, which is not inside of a task.
            self._fault = fault
            self._wake.set()

    async def _rest(self) -> None:
        """Waits until something happens, or a timer is due."""
        until = next_due(self._role)
        seconds: Optional[float]
        if self._tasks:
            seconds = None if until is None else max(0.0, until - self._host.now())
        else:
            seconds = self._host.idle(until)
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        self._host.busy()

    async def _end(self) -> None:
        if self._fault is not None:
            raise self._fault
        results: List[Any] = []
        for function in self._role._at_stop:
            try:
                result = function()
                if inspect.isawaitable(result):
                    results.append(await result)
            except Exception as error:
                self._failed(function, error)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_WORDS)
        if self._fault is not None:
            raise self._fault
