"""``smartgrid supervise``: the loops in a process of their own, beside the plant's owner."""

import asyncio
from typing import Annotated

import typer

from smartgrid.cli.options import LimitsOption, StateOption
from smartgrid.cli.role import announce, start_role

POLL_S = 1.0


def supervise(
    loops: Annotated[
        str, typer.Option("--loops", help="Loops to run: response,trading or one of them.")
    ] = "response,trading",
    state: StateOption = None,
    limits: LimitsOption = None,
) -> None:
    """Run the supervisor's loops on a plant that another process owns (smartgrid up --loops none)."""
    import anyio

    from smartgrid.joined import join, plant_interval_start
    from smartgrid.stopping import until_stopped
    from smartgrid.supervising import open_daemon, parse_loops

    settings = start_role(state=state, limits=limits)
    chosen = parse_loops(loops)

    async def run() -> None:
        from contextlib import AsyncExitStack

        async with AsyncExitStack() as stack:
            workplace = stack.enter_context(join(settings))
            daemon = await open_daemon(stack, workplace, chosen, lambda: plant_interval_start(workplace))
            announce(settings, f"supervises {settings.state}: {', '.join(chosen)}; stop with Ctrl-C")
            while True:
                result = await daemon.step()
                for loop in result.loops if result is not None else ():
                    announce(settings, f"{loop.interval_start} {loop.loop}: {loop.outcome} {loop.reason}")
                await asyncio.sleep(POLL_S)

    anyio.run(until_stopped, run)
