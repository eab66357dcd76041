"""Our server over a small area: over HTTP with the conformance suite's fixtures, or joining it on stdio.

What :func:`mcp_server.server.build_server` made is decorated, so that the suite meets our server: its
middleware, its refusals, its transports. None of this is in the product.

Arguments: ``http`` or ``stdio``, then the state directory. ``http`` runs the plant and prints its address
once it listens; ``stdio`` joins the plant that somebody else runs on the same state.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mcp.server import MCPServer

from dispatch.ledger import Ledger
from dispatch.readings import latest_report
from mcp_server.transports import serve_stdio
from smartgrid.area import Workplace
from tests.conformance.asking_fixtures import add_asking
from tests.conformance.content_fixtures import add_content
from tests.conformance.session_fixtures import add_session
from tests.mcp_server.served import served
from tests.tools.small_grid import ANA, SmallGrid


def with_fixtures(server: MCPServer[Any]) -> MCPServer[Any]:
    """The same server, with what the suite asks for under fixed names."""
    add_content(server)
    add_asking(server)
    add_session(server)
    return server


class OwnersClock:
    """The moment of the owner's newest report."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def now(self) -> datetime:
        with self._ledger.reading() as connection:
            report = latest_report(connection)
        assert report is not None, "nobody runs a plant on this state"
        return report.readings.ts_utc


def joined(plant: SmallGrid) -> MCPServer[Any]:
    """A server beside the plant's owner."""
    workplace = Workplace(
        plant.area,
        ledger=plant.ledger,
        reader=plant.store,
        clock=OwnersClock(plant.ledger),
        tools=tuple(plant.tools.values()),
    )
    return workplace.server_for(ANA)


async def serve_http(server: MCPServer[Any]) -> None:
    """Serve until standard input closes: the parent's end is ours."""
    async with served(server) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await anyio.wrap_file(sys.stdin).read()


def main(transport: str, state: str) -> None:
    """Serve until the client, or the parent, leaves."""
    plant = SmallGrid(Path(state))
    try:
        if transport == "stdio":
            anyio.run(serve_stdio, joined(plant))
        else:
            anyio.run(serve_http, with_fixtures(plant.start().server()))
    finally:
        plant.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
