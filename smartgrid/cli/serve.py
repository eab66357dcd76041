"""``smartgrid serve``: the plant's owner and its server, without the supervisor."""

from typing import Annotated

import typer

from smartgrid.cli.kafka_options import PrefixOption
from smartgrid.cli.modbus_option import ModbusOption
from smartgrid.cli.offer_options import ReadOnlyOption, ToolsetsOption, ToolsOption
from smartgrid.cli.options import LimitsOption, StateOption
from smartgrid.cli.up import up


def serve(
    state: StateOption = None,
    limits: LimitsOption = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of /mcp and /console (8765).")] = None,
    modbus: ModbusOption = None,
    toolsets: ToolsetsOption = None,
    tools: ToolsOption = None,
    read_only: ReadOnlyOption = None,
    group: Annotated[
        str, typer.Option("--group", help="On Kafka: the consumer group that it joins.")
    ] = "smartgrid-stream",
    prefix: PrefixOption = "",
) -> None:
    """Own the plant, serve MCP over HTTP and the console; the loops run apart (smartgrid supervise)."""
    up(
        state=state,
        limits=limits,
        port=port,
        loops="none",
        modbus=modbus,
        toolsets=toolsets,
        tools=tools,
        read_only=read_only,
        group=group,
        prefix=prefix,
    )
