"""Whether the store that a stream writes to takes writes now; nothing is written to find out."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline.errors import StoreError
from smartgrid.errors import SettingsError
from smartgrid.influx_access import influx_target
from smartgrid.settings import Settings

PATIENCE_S = 2.0
"""Beyond it a probe would itself be late."""


def store_problem(settings: Settings) -> str | None:
    """Why the store takes no writes; None where it does. From any thread."""
    return (
        _sqlite_problem(settings.telemetry_db) if settings.influx_url is None else _influx_problem(settings)
    )


def _sqlite_problem(path: Path) -> str | None:
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE_S)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.rollback()
    except sqlite3.Error as error:
        return f"{path} takes no writes ({error})"
    return None


def _influx_problem(settings: Settings) -> str | None:
    """A write of a comment alone: the server checks the token and the bucket, and stores nothing."""
    from influxdb_client import WriteService  # noqa: PLC0415  slow to import
    from urllib3 import Retry  # noqa: PLC0415

    from pipeline.influx_target import open_client, told  # noqa: PLC0415

    try:
        target = replace(influx_target(settings), request_timeout_s=PATIENCE_S)
        with open_client(target) as client, told(target, "a write of nothing"):
            WriteService(client.api_client).post_write(
                org=target.org, bucket=target.bucket, body="#", urlopen_kw={"retries": Retry(0)}
            )
    except (StoreError, SettingsError) as error:
        return str(error)
    return None
