"""The series store of every role: InfluxDB where the settings name one, else SQLite in the state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import StoreError
from pipeline.sqlite_store import SqliteStore
from pipeline.store import SeriesReader, SeriesStore
from smartgrid.influx_access import influx_target
from smartgrid.settings import Settings
from smartgrid.single_writer import only_stream
from smartgrid.store_probe import store_problem

OWNER_PATIENCE_S = 1.0
"""How long the plant's owner tries a write again; then it goes on, and the write goes with the next."""


@contextmanager
def stream_store(settings: Settings) -> Iterator[SeriesStore]:
    """The store, open for writing; any number of streams may write to InfluxDB, one to a state directory.

    Raises:
        RoleError: if another stream writes to the state directory.
        SettingsError, StoreError: if InfluxDB is named without what it needs.
    """
    if settings.influx_url is not None:
        with _influx(settings) as store:
            yield store
        return
    with only_stream(settings.state), SqliteStore(settings.telemetry_db) as embedded:
        yield embedded


@contextmanager
def owner_store(settings: Settings, streamed: SeriesStore) -> Iterator[SeriesStore]:
    """The stream's store once more, for its plant's owner, who cannot wait long while it is away.

    Args:
        settings: of the role.
        streamed: what the same process's stream writes to; SQLite is shared with it.

    Raises:
        SettingsError, StoreError: if InfluxDB cannot be used now; the text says what to do.
    """
    if settings.influx_url is None:
        yield streamed
        return
    if (problem := store_problem(settings)) is not None:
        raise StoreError(problem)
    with _influx(settings, OWNER_PATIENCE_S) as store:
        yield store


@contextmanager
def series_reader(settings: Settings) -> Iterator[SeriesReader]:
    """The store for reading, beside the processes that write it.

    Raises:
        SettingsError, StoreError: if there is none, or InfluxDB is named without what it needs.
    """
    if settings.influx_url is not None:
        with _influx(settings) as store:
            yield store
        return
    with SqliteStore(settings.telemetry_db, read_only=True) as embedded:
        yield embedded


@contextmanager
def _influx(settings: Settings, write_timeout_s: float | None = None) -> Iterator[SeriesStore]:
    from pipeline.influx_store import InfluxStore  # noqa: PLC0415  its client is slow to import

    target = influx_target(settings)
    if write_timeout_s is not None:
        target = replace(target, write_timeout_s=write_timeout_s)
    with InfluxStore(target) as store:
        yield store


def store_name(settings: Settings) -> str:
    """What people call it."""
    if settings.influx_url is not None:
        return f"{settings.influx_url}, bucket {settings.influx_bucket}"
    return str(settings.telemetry_db)
