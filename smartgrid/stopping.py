"""Ends a role in order when it is told to: leases are given back, files are closed."""

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Event

import anyio
from anyio.abc import TaskStatus


async def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run ``work`` until it ends by itself or the process gets SIGINT or SIGTERM, and is cancelled then."""
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        await work()
        tasks.cancel_scope.cancel()


async def until_drained(work: Callable[[anyio.Event], Awaitable[None]]) -> None:
    """Run ``work`` until it ends: the first SIGINT or SIGTERM sets its event, a second one cancels it."""
    stopped = anyio.Event()

    async def watch(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if stopped.is_set():
                    tasks.cancel_scope.cancel()
                stopped.set()

    async with anyio.create_task_group() as tasks:
        await tasks.start(watch)
        await work(stopped)
        tasks.cancel_scope.cancel()


@contextmanager
def stop_signal() -> Iterator[Event]:
    """For a loop that ends between two batches: an event that is set once this process is told to stop.

    The handlers that were there before come back after.
    """
    stopped = Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in numbers]
    try:
        yield stopped
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
