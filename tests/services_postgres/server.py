"""The PostgreSQL server that the environment names, if any; whoever tests on it has schemas of his own.

Whoever kills a server has one of his own.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, make_url

NewUrl = Callable[[], str | None]
"""Names a database for a ledger that nobody used before; None is SQLite in the ledger's own state."""


def server_url() -> URL:
    """The server to test on; without one the test is skipped."""
    named = os.environ.get("SMARTGRID_POSTGRES_URL")
    if not named:
        pytest.skip("SMARTGRID_POSTGRES_URL is not set: no PostgreSQL to test on")
    return make_url(named)


@contextmanager
def own_schemas(server: URL | None = None) -> Iterator[Callable[[], str]]:
    """Makes empty schemas, as URLs, and removes them in the end."""
    url = server or server_url()
    admin = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)  # it may be killed
    made: list[str] = []

    def fresh() -> str:
        made.append(f"test_{uuid4().hex}")
        _run(admin, f"CREATE SCHEMA {made[-1]}")
        return url_of(url, made[-1])

    try:
        yield fresh
    finally:
        for schema in made:
            _run(admin, f"DROP SCHEMA {schema} CASCADE")


def url_of(server: URL, schema: str) -> str:
    """The URL of a schema."""
    named = server.update_query_dict({"options": f"-csearch_path={schema}"})
    return named.render_as_string(hide_password=False)


def _run(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


@contextmanager
def new_urls(kind: str) -> Iterator[NewUrl]:
    """Databases of a kind, ``sqlite`` or ``postgres``, for the time of a test."""
    if kind == "sqlite":
        yield lambda: None
        return
    with own_schemas() as fresh:
        yield fresh


class PrivatePostgres:
    """A PostgreSQL of one test's own, on a port of its own: it may be killed.

    Args:
        program: starts and kills services; ``SMARTGRID_SERVICES_BIN``.
        home: an empty folder for its data, which the server's own user can reach.
    """

    def __init__(self, program: str, home: Path) -> None:
        self._program = program
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self._env = {**os.environ, "SMARTGRID_SERVICES_HOME": str(home), "POSTGRES_PORT": str(port)}
        self.url = server_url().set(port=port)

    def __call__(self, verb: str) -> None:
        """``up``, ``kill`` or ``down``."""
        done = subprocess.run(
            [self._program, verb, "postgres"], env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """A server of the test's own, up."""
    program = os.environ.get("SMARTGRID_SERVICES_BIN")
    if not program:
        pytest.skip("SMARTGRID_SERVICES_BIN is not set: nothing can kill and restart PostgreSQL")
    with tempfile.TemporaryDirectory(prefix="smartgrid-postgres-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # the server refuses to run as root; its own user has to come in
        server = PrivatePostgres(program, home)
        server("up")
        try:
            assert (home / "postgres" / "data" / "PG_VERSION").exists(), "its data are not its own"
            yield server
        finally:
            server("down")
