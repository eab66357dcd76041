"""Metrics and probes on a port of their own, beside whatever a role does; off where none is set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smartgrid.cli.role import announce

if TYPE_CHECKING:
    from starlette.routing import Route

    from smartgrid.settings import Settings

Routes = Callable[[], "Sequence[Route]"]


@contextmanager
def probes(settings: "Settings", routes: Routes) -> Iterator[None]:
    """Serve what ``routes`` makes at ``metrics_port`` for as long as the context lasts.

    Args:
        settings: say where; nothing is served, or made, where they name no port.
        routes: makes the answers.

    Raises:
        RoleError: if nothing can listen there.
    """
    from smartgrid.metrics_server import serve_beside

    if settings.metrics_port is None:
        yield
        return
    answers = routes()
    with serve_beside(settings.metrics_host, settings.metrics_port, answers) as address:
        first = answers[0].path
        announce(settings, f"{first.removeprefix('/')}: {address}{first}")
        yield


def alive_and_ready(unready: Callable[[], list[str]]) -> "Sequence[Route]":
    """``/healthz`` and ``/readyz``, without the stream's metrics, which other roles have not.

    Args:
        unready: why the role cannot do its work now; called in a thread of its own.
    """
    from smartgrid.observability import StreamMetrics, probe_routes

    found = probe_routes(StreamMetrics(), unready)
    return [route for route in found if route.path != "/metrics"]
