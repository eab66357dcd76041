"""Serves a plant over Modbus TCP and lets its time pass."""

import asyncio
from collections.abc import Callable

from pymodbus.server import ModbusTcpServer

from grid.clock import Clock
from smartgrid.device.plant_device import PlantDevice
from smartgrid.device.register_image import sim_device
from smartgrid.errors import RoleError

STEP_S = 0.25
"""Wall seconds between steps when nobody asks: only the log and the load hang on it, not what happens."""


async def serve(
    plant: PlantDevice, clock: Clock, host: str, port: int, say_ready: Callable[[int], None]
) -> None:
    """Answer clients until cancelled.

    Args:
        plant: the plant.
        clock: its time.
        host: address to listen on; Modbus knows no password.
        port: TCP port; 0 takes a free one.
        say_ready: told the port once it listens.

    Raises:
        RoleError: if it cannot listen there.
    """
    server = ModbusTcpServer(sim_device(plant, clock), address=(host, port))
    try:
        await server.serve_forever(background=True)
    except RuntimeError:
        raise RoleError(
            f"{host}:{port} cannot be listened on: another process has it, or the address is not this "
            "machine's; choose another --port or --host"
        ) from None
    try:
        say_ready(_port(server, port))
        while True:
            plant.advance_to(clock.now())
            await asyncio.sleep(STEP_S)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def _port(server: ModbusTcpServer, asked: int) -> int:
    listening = server.transport
    if isinstance(listening, asyncio.Server):
        return int(listening.sockets[0].getsockname()[1])
    return asked
