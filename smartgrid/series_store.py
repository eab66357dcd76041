"""The series store that a stream writes to: InfluxDB where the settings name one, else SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.influx_store import InfluxStore
from pipeline.sqlite_store import SqliteStore
from pipeline.store import SeriesStore
from smartgrid.influx_access import influx_target
from smartgrid.settings import Settings
from smartgrid.single_writer import only_stream


@contextmanager
def stream_store(settings: Settings) -> Iterator[SeriesStore]:
    """The store, open for writing; any number of streams may write to InfluxDB, one to a state directory.

    Raises:
        RoleError: if another stream writes to the state directory.
        SettingsError, StoreError: if InfluxDB is named without what it needs.
    """
    if settings.influx_url is not None:
        with InfluxStore(influx_target(settings)) as store:
            yield store
        return
    with only_stream(settings.state), SqliteStore(settings.telemetry_db) as embedded:
        yield embedded


def store_name(settings: Settings) -> str:
    """What people call it."""
    if settings.influx_url is not None:
        return f"{settings.influx_url}, bucket {settings.influx_bucket}"
    return str(settings.telemetry_db)
