"""A server on standard input and output over a small area, for a principal with the given scopes.

Arguments: the state directory, then scopes. Nothing has been measured, so tools that need telemetry
say so, and dispatches are denied: enough to see what a scope lets through.
"""

import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mcp_server.transports import serve_stdio
from policies.principal import Principal
from tests.tools.small_grid import SmallGrid


def main(state: str, *scopes: str) -> None:
    """Serve until the client leaves."""
    plant = SmallGrid(Path(state))
    try:
        anyio.run(serve_stdio, plant.server(Principal("local:eve", frozenset(scopes), 30)))
    finally:
        plant.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
