"""One process at a time writes the embedded series store; its hold ends with it, also when it is killed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from smartgrid.errors import RoleError

LOCK_NAME = "stream.lock"


@contextmanager
def only_stream(state: Path) -> Iterator[None]:
    """Hold a state directory's series store for this process's stream.

    Raises:
        RoleError: if another stream has it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(state / LOCK_NAME, timeout=0.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise RoleError(
                f"--state {state}: another stream writes there; give this one a --state of its own, "
                "or let all of them write to InfluxDB"
            ) from None
        yield
