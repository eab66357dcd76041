"""``smartgrid mcp``: the MCP server on standard input and output, for desktop clients."""

from smartgrid.cli.offer_options import ReadOnlyOption, ToolsetsOption, ToolsOption
from smartgrid.cli.options import LimitsOption, StateOption
from smartgrid.cli.output import errors
from smartgrid.cli.role import announce, start_role


def mcp(
    state: StateOption = None,
    limits: LimitsOption = None,
    toolsets: ToolsetsOption = None,
    tools: ToolsOption = None,
    read_only: ReadOnlyOption = None,
) -> None:
    """Serve MCP over stdio; joins the plant that runs on the same state, else brings one up itself."""
    import anyio

    from mcp_server.transports import serve_stdio
    from policies.principal import local_principal
    from smartgrid.embedded_plant import EmbeddedPlant
    from smartgrid.errors import RoleError
    from smartgrid.joined import join
    from smartgrid.ledger_access import this_user
    from smartgrid.offering import offer_of, require_installed
    from smartgrid.stopping import until_stopped
    from smartgrid.supervising import LOOPS

    settings = start_role(state=state, limits=limits, toolsets=toolsets, tools=tools, read_only=read_only)
    require_installed(settings)
    principal, offer = local_principal(this_user()), offer_of(settings)

    async def own() -> None:
        async with EmbeddedPlant(settings, tuple(LOOPS)) as plant, anyio.create_task_group() as tasks:
            announce(settings, f"owns the plant of {settings.state}", to=errors)
            tasks.start_soon(plant.run)
            await serve_stdio(plant.workplace.server_for(principal, offer))
            tasks.cancel_scope.cancel()

    async def beside() -> None:
        with join(settings) as workplace:
            announce(settings, f"joins the plant of {settings.state}", to=errors)
            await serve_stdio(workplace.server_for(principal, offer))

    try:
        anyio.run(until_stopped, own)
    except* RoleError:
        anyio.run(until_stopped, beside)
