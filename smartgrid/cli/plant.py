"""``smartgrid plant``: the simulated plant as a device, behind Modbus TCP."""

from typing import Annotated

import typer

from smartgrid.cli.options import LimitsOption, StateOption, duration_s
from smartgrid.cli.role import announce, start_role


def plant(
    state: StateOption = None,
    limits: LimitsOption = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. Modbus has no password: loopback is safe.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="TCP port; 0 takes a free one.", min=0, max=65535)
    ] = 5020,
    pace: Annotated[
        float | None,
        typer.Option("--pace", help="Seconds of the plant per second (else by SMARTGRID_PULSE_S).", min=0.01),
    ] = None,
    setpoint_timeout: Annotated[
        str, typer.Option("--setpoint-timeout", help="Plant's time until an unrepeated setpoint ends.")
    ] = "60s",
) -> None:
    """Run battery and peaker as a Modbus device of its own, until Ctrl-C (registers: docs/modbus.md).

    A setpoint that is not written again in time gives way to the safe one: the battery goes to zero by
    its ramp, the peaker to its minimum until its minimum up time ends, then off.
    """
    from datetime import UTC, datetime

    import anyio

    from grid.synthetic import FINE_STEP_S
    from smartgrid.device.area_device import PacedClock, area_device
    from smartgrid.device.serving import serve
    from smartgrid.stopping import until_stopped

    timeout_s = duration_s(setpoint_timeout, "--setpoint-timeout")
    settings = start_role(state=state, limits=limits, pulse_s=None if pace is None else FINE_STEP_S / pace)
    device, begin = area_device(settings, datetime.now(UTC), timeout_s)
    clock = PacedClock(begin, FINE_STEP_S / settings.pulse_s)

    def say_ready(port: int) -> None:
        announce(settings, f"plant: Modbus TCP {host}:{port}, unit 1; setpoints hold {timeout_s:g} s")
        announce(settings, "stop with Ctrl-C")

    async def run() -> None:
        await serve(device, clock, host, port, say_ready)

    anyio.run(until_stopped, run)
