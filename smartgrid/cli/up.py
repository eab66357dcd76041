"""``smartgrid up``: everything in one process, on this machine."""

from typing import Annotated

import typer

from smartgrid.cli.kafka_options import PrefixOption
from smartgrid.cli.options import LimitsOption, StateOption
from smartgrid.cli.role import announce, start_role


def up(
    state: StateOption = None,
    limits: LimitsOption = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of /mcp and /console (8765).")] = None,
    loops: Annotated[
        str, typer.Option("--loops", help="Loops to run here: response,trading, one of them, or none.")
    ] = "response,trading",
    group: Annotated[
        str, typer.Option("--group", help="On Kafka: the consumer group that it joins.")
    ] = "smartgrid-stream",
    prefix: PrefixOption = "",
) -> None:
    """Run the simulated plant, its stream, the supervisor, MCP over HTTP and the console, until Ctrl-C.

    Where SMARTGRID_KAFKA is set, pulses go there and this is one member of the stream's group; where
    SMARTGRID_INFLUX_URL is set, the series are there.
    """
    import anyio

    from smartgrid.embedded_plant import EmbeddedPlant
    from smartgrid.ledger_access import this_user
    from smartgrid.series_store import store_name
    from smartgrid.serving import run_with_plant, web_server
    from smartgrid.stopping import until_stopped
    from smartgrid.supervising import parse_loops
    from smartgrid.tokens import TokenStore, ensure_operator_token

    settings = start_role(state=state, limits=limits, http_port=port)
    chosen = parse_loops(loops)

    def say_ready() -> None:
        address = f"http://{settings.http_host}:{settings.http_port}"
        stream = "in memory" if settings.kafka is None else f"Kafka {settings.kafka}, group {group}"
        said = (
            f"state: {settings.state}",
            f"stream: {stream}",
            f"series: {store_name(settings)}",
            f"MCP: {address}/mcp",
            f"console: {address}/console",
            f"operator token: in {settings.operator_token_file}, for whoever decides approvals",
            "stop with Ctrl-C",
        )
        for line in said:
            announce(settings, line)

    async def run() -> None:
        async with EmbeddedPlant(settings, chosen, group=group, prefix=prefix) as plant:
            server = web_server(plant, settings)
            ensure_operator_token(TokenStore(settings.tokens_db), settings.operator_token_file, this_user())
            await run_with_plant(plant, server, say_ready)

    anyio.run(until_stopped, run)
