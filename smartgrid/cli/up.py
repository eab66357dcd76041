"""``smartgrid up``: everything in one process, on this machine."""

from typing import Annotated

import typer

from smartgrid.cli.options import LimitsOption, StateOption
from smartgrid.cli.output import console


def up(
    state: StateOption = None,
    limits: LimitsOption = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of /mcp and /console (8765).")] = None,
    loops: Annotated[
        str, typer.Option("--loops", help="Loops to run here: response,trading, one of them, or none.")
    ] = "response,trading",
) -> None:
    """Run the simulated plant, its stream, the supervisor, MCP over HTTP and the console, until Ctrl-C."""
    import anyio

    from smartgrid.embedded_plant import EmbeddedPlant
    from smartgrid.serving import run_with_plant, web_server
    from smartgrid.settings import load_settings
    from smartgrid.stopping import until_stopped
    from smartgrid.supervising import parse_loops

    settings = load_settings(state=state, limits=limits, http_port=port)
    chosen = parse_loops(loops)

    def say_ready() -> None:
        address = f"http://{settings.http_host}:{settings.http_port}"
        console.print(f"state: {settings.state}", highlight=False, soft_wrap=True)
        console.print(f"MCP: {address}/mcp\nconsole: {address}/console\nstop with Ctrl-C", highlight=False)

    async def run() -> None:
        async with EmbeddedPlant(settings, chosen) as plant:
            await run_with_plant(plant, web_server(plant, settings), say_ready)

    anyio.run(until_stopped, run)
