"""A small web server beside a role that has none: its metrics and probes, in a thread of their own."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from smartgrid.errors import RoleError


@contextmanager
def serve_beside(host: str, port: int, routes: Sequence[BaseRoute]) -> Iterator[str]:
    """Answer until the context ends; the thread ends with the process too.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        routes: what to answer.

    Yields:
        The address, such as ``http://127.0.0.1:9464``. It takes connections already.

    Raises:
        RoleError: if nothing can listen there.
    """
    listening = _listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        Starlette(routes=list(routes)),
        log_config=None,  # its complaints go where the role's logs go
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listening],), name="metrics", daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise RoleError(
            f"metrics_host={host}, metrics_port={port}: cannot listen there ({error.strerror}); "
            "choose another port, or end the process that has it"
        ) from error
