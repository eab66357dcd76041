"""``smartgrid supervise``: the loops in a process of their own, beside the plant's owner."""

from typing import Annotated

import typer

from smartgrid.cli.options import LimitsOption, ShadowOption, StateOption
from smartgrid.cli.role import announce, start_role


def supervise(
    loops: Annotated[
        str, typer.Option("--loops", help="Loops to run: response,trading or one of them.")
    ] = "response,trading",
    shadow: ShadowOption = None,
    advisor: Annotated[
        str | None,
        typer.Option(
            "--advisor", help="Language model that writes the shift log beside the loops: provider:model."
        ),
    ] = None,
    state: StateOption = None,
    limits: LimitsOption = None,
) -> None:
    """Run the supervisor's loops on a plant that another process owns (smartgrid up --loops none).

    A second one stands by, and takes over when the first ends or dies.
    """
    from functools import partial

    import anyio

    from smartgrid.advisor import open_advisor
    from smartgrid.cli.probes import alive_and_ready, probes
    from smartgrid.joined import join
    from smartgrid.loop_watch import LoopWatch
    from smartgrid.standing_by import StandBy, ledger_problem
    from smartgrid.stopping import until_drained
    from smartgrid.supervising import parse_loops

    settings = start_role(state=state, limits=limits, shadow=shadow)
    chosen = parse_loops(loops)

    async def run(stopped: anyio.Event) -> None:
        with open_advisor(advisor, settings) as told, join(settings) as workplace:
            watch = LoopWatch(partial(ledger_problem, workplace.ledger))
            supervisor = StandBy(
                workplace,
                settings,
                chosen,
                say=lambda text: announce(settings, text),
                told=told,
                came_round=watch.came_round,
            )
            with probes(settings, partial(alive_and_ready, watch.unready)):
                await supervisor.run(stopped)

    anyio.run(until_drained, run)
