"""A plant behind Modbus TCP in a thread of its own, whose time a test moves."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from grid.clock import SimulatedClock
from smartgrid.device.plant_device import PlantDevice
from smartgrid.device.serving import serve


@contextmanager
def listening(device: PlantDevice, clock: SimulatedClock, port: int = 0) -> Iterator[int]:
    """Serve ``device`` until the context ends; the port."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    def say_ready(taken: int) -> None:
        ports.append(taken)
        ready.set()

    async def main() -> None:
        with suppress(asyncio.CancelledError):
            await serve(device, clock, "127.0.0.1", port, say_ready)

    task = loop.create_task(main())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        assert ready.wait(timeout=30)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=30)
        loop.close()
