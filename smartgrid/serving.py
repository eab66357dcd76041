"""Serving a plant over HTTP: MCP at ``/mcp``, the operator's page at ``/console``."""

from collections.abc import Callable

import anyio
import uvicorn

from mcp_server.transports import http_app, http_server
from operator_console.snapshot import ConsoleSource
from operator_console.status_page import console_routes
from policies.principal import local_principal
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.ledger_access import this_user
from smartgrid.observability import observability_routes
from smartgrid.settings import Settings

START_POLL_S = 0.05


def web_server(plant: EmbeddedPlant, settings: Settings) -> uvicorn.Server:
    """The web server of an open plant, on loopback; whoever reaches it acts as the local user.

    Raises:
        ServeError: when the settings name another host than this machine.
    """
    workplace = plant.workplace
    area = workplace.area
    source = ConsoleSource(
        reader=workplace.reader,
        ledger=workplace.ledger,
        clock=workplace.clock,
        max_age_s=area.limits.max_age_s,
        currency=area.currency,
        battery_energy_kwh=area.limits.battery.energy_kwh,
        tz=area.tz,
    )
    server = workplace.server_for(local_principal(this_user()))
    routes = [*console_routes(source), *observability_routes(workplace, plant.metrics)]
    app = http_app(server, settings.http_host, routes)
    return http_server(app, settings.http_host, settings.http_port)


async def run_with_plant(plant: EmbeddedPlant, server: uvicorn.Server, on_ready: Callable[[], None]) -> None:
    """Serve while the plant runs; either's end ends both.

    Args:
        plant: open.
        server: not yet started.
        on_ready: told when the server answers.
    """
    async with anyio.create_task_group() as tasks:

        async def run_plant() -> None:
            try:
                await plant.run()
            finally:
                server.should_exit = True

        async def watch_start() -> None:
            while not server.started:
                await anyio.sleep(START_POLL_S)
            on_ready()

        tasks.start_soon(run_plant)
        tasks.start_soon(watch_start)
        with anyio.CancelScope(shield=True):  # told to exit by the plant's end, it closes its connections
            await server.serve()
        tasks.cancel_scope.cancel()
