"""``smartgrid up``: everything in one process, on this machine."""

from typing import Annotated

import typer

from smartgrid.cli.kafka_options import PrefixOption
from smartgrid.cli.modbus_option import ModbusOption, modbus_address
from smartgrid.cli.offer_options import ReadOnlyOption, ToolsetsOption, ToolsOption
from smartgrid.cli.options import LimitsOption, ShadowOption, StateOption
from smartgrid.cli.role import announce, start_role


def up(
    state: StateOption = None,
    limits: LimitsOption = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of /mcp and /console (8765).")] = None,
    loops: Annotated[
        str, typer.Option("--loops", help="Loops to run here: response,trading, one of them, or none.")
    ] = "response,trading",
    shadow: ShadowOption = None,
    modbus: ModbusOption = None,
    toolsets: ToolsetsOption = None,
    tools: ToolsOption = None,
    read_only: ReadOnlyOption = None,
    group: Annotated[
        str, typer.Option("--group", help="On Kafka: the consumer group that it joins.")
    ] = "smartgrid-stream",
    prefix: PrefixOption = "",
) -> None:
    """Run the simulated plant, its stream, the supervisor, MCP over HTTP and the console, until Ctrl-C.

    Where SMARTGRID_KAFKA is set, pulses go there and this is one member of the stream's group; where
    SMARTGRID_INFLUX_URL is set, the series are there. With --modbus devices are the plant.
    """
    from contextlib import ExitStack
    from functools import partial

    import anyio

    from smartgrid.cli.probes import probes
    from smartgrid.console_link import new_link
    from smartgrid.embedded_plant import EmbeddedPlant
    from smartgrid.ledger_access import this_user
    from smartgrid.observability import observability_routes
    from smartgrid.offering import require_installed
    from smartgrid.series_store import store_name
    from smartgrid.serving import run_with_plant, web_server
    from smartgrid.stopping import until_drained
    from smartgrid.supervising import parse_loops
    from smartgrid.tokens import TokenStore, ensure_operator_token

    devices = modbus_address(modbus)
    settings = start_role(
        state=state,
        limits=limits,
        http_port=port,
        shadow=shadow,
        modbus=devices,
        toolsets=toolsets,
        tools=tools,
        read_only=read_only,
    )
    require_installed(settings)
    chosen = parse_loops(loops)
    first = not settings.operator_token_file.is_file()

    def say_ready() -> None:
        address = f"http://{settings.http_host}:{settings.http_port}"
        stream = "in memory" if settings.kafka is None else f"Kafka {settings.kafka}, group {group}"
        said = (
            f"state: {settings.state}",
            f"plant: {'simulated' if settings.modbus is None else settings.modbus.name}",
            f"stream: {stream}",
            f"series: {store_name(settings)}",
            f"MCP: {address}/mcp",
            f"console: {address}/console",
            f"operator token: in {settings.operator_token_file}, for whoever decides approvals",
            "stop with Ctrl-C",
        )
        if first and settings.log_format == "text":  # a link is a secret: no log keeps it
            typer.echo(f"console, opens once within 15 minutes: {new_link(settings)}")
        for line in said:
            announce(settings, line)

    async def run(stopped: anyio.Event) -> None:
        async with EmbeddedPlant(settings, chosen, group=group, prefix=prefix, stopped=stopped) as plant:
            server = web_server(plant, settings)
            ensure_operator_token(TokenStore(settings.tokens_db), settings.operator_token_file, this_user())
            with ExitStack() as beside:
                routes = partial(observability_routes, plant.workplace, plant.metrics)

                def ready() -> None:
                    # Not before: while the console starts, it looks at every web server of the process.
                    beside.enter_context(probes(settings, routes))
                    say_ready()

                await run_with_plant(plant, server, ready)

    anyio.run(until_drained, run)
