"""Third parties' tools run on threads of their own: one that blocks holds up itself and nobody else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, cast

from tools.contract import DeskView, Tool
from tools.errors import ToolScopeError
from tools.views import behind

OWN_PACKAGE = "tools"

Run = Callable[..., Awaitable[Any]]


class PluginCrashError(RuntimeError):
    """A plugin tried to end its thread or to cancel its caller."""


class RevocableDesk:
    """A desk that takes no proposal once the call that it was given to is over."""

    def __init__(self, desk: DeskView) -> None:
        self._desk: Any = behind(desk)
        self._open = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def propose(self, **fields: Any) -> Any:
        """As the desk does, while the call lasts.

        Raises:
            ToolScopeError: afterwards.
        """
        if not self._open:
            raise ToolScopeError("this call is over: it was answered or its time ran out; propose in time")
        return self._desk.propose(**fields)

    def close(self) -> None:
        """End the call."""
        self._open = False


class PluginThread:
    """An event loop on a thread of its own, which dies with the process."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name=f"plugin {name}", daemon=True).start()

    async def call(self, run: Run, *arguments: Any) -> Any:
        """Await ``run(*arguments)`` there; cancelled from here, it is cancelled there if it ever waits."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(_contained(run, *arguments), self._loop)
        )


@cache
def plugin_thread(run: Run) -> PluginThread:
    """The thread of a plugin's function, the same for all servers of this process."""
    return PluginThread(str(getattr(run, "__module__", "")))


def is_own(tool: Tool) -> bool:
    """Whether a tool is one of ours, which never block and so need no thread."""
    return str(getattr(tool.run, "__module__", "")).partition(".")[0] == OWN_PACKAGE


def revocable(desk: DeskView) -> tuple[DeskView, Callable[[], None]]:
    """The desk for one call, and how to end it."""
    made = RevocableDesk(desk)
    return cast(DeskView, made), made.close


async def _contained(run: Run, *arguments: Any) -> Any:
    """What ends a thread or a task on purpose becomes an error of the call."""
    try:
        return await run(*arguments)
    except (SystemExit, KeyboardInterrupt) as error:
        raise PluginCrashError(f"it raised {type(error).__name__}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # our own doing
            raise
        raise PluginCrashError("it raised CancelledError") from error
