"""How much one InfluxDB and one ledger take from the product's own writers on this machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url

from dispatch.ledger import Ledger
from grid.telemetry import Telemetry
from pipeline.forecast import Forecast
from pipeline.influx_points import forecast_line, telemetry_line
from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget, open_client, told
from pipeline.messages import LATEST
from pipeline.store import SlotSum
from smartgrid.bench.scale_process import server_process
from smartgrid.bench.stream_load import CADENCE_S

_SITES: Final = 5_000
_HORIZON: Final = timedelta(minutes=30)
_SLOT: Final = timedelta(minutes=15)
_SLOTS: Final = 14 * 96
_SLOT_SITES: Final = 5


@dataclass(frozen=True, slots=True)
class InfluxRate:
    """One writer and one server, both on this machine.

    Attributes:
        points_per_s: a pulse and its forecast are two.
        writer_us: CPU µs of the writer a point.
        server_us: the same of the server; None where it runs elsewhere.
        series_per_site: fields of a pulse and of a forecast; each is a series of its own.
        fields_per_point: mean.
        recall_ms: to read a site's seasonal memory of 14 days.
    """

    points_per_s: float
    writer_us: float
    server_us: float | None
    series_per_site: int
    fields_per_point: float
    recall_ms: float


@dataclass(frozen=True, slots=True)
class LedgerRate:
    """Transactions with one audit entry each, one after the other.

    Attributes:
        kind: ``SQLite`` or ``PostgreSQL``.
    """

    kind: str
    transactions_per_s: float


def influx_rate(target: InfluxTarget, seconds: float) -> InfluxRate:
    """Write pulses and forecasts for so long into a bucket of its own, which is deleted afterwards.

    Raises:
        StoreError: if the server is away, or the token may not make buckets.
    """
    parts = urlsplit(target.url)
    server = server_process(parts.hostname or "", parts.port or 8086)
    with _own_bucket(target) as own, InfluxStore(own) as store:
        turn, points, cpu_s = 0, 0, time.process_time()
        before_s, begun = 0.0 if server is None else server.cpu_s, time.monotonic()
        while time.monotonic() - begun < seconds:
            pulses, forecasts = _turn(turn)
            store.write(pulses, forecasts)
            points += len(pulses) + len(forecasts)
            turn += 1
        wall_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu_s
        server_us = None if server is None else 1e6 * (server.cpu_s - before_s) / points
        recall_ms = _recall_ms(store)
    pulses, forecasts = _turn(0)
    fields = [_fields(telemetry_line(pulses[0])), _fields(forecast_line(forecasts[0]))]
    return InfluxRate(points / wall_s, 1e6 * cpu_s / points, server_us, sum(fields), fmean(fields), recall_ms)


def ledger_rates(state: Path, postgres_url: str | None, seconds: float) -> list[LedgerRate]:
    """SQLite in an empty directory, and PostgreSQL in a schema of its own where a URL is given.

    Raises:
        LedgerError: if one cannot be used.
    """
    rates = [LedgerRate("SQLite", _transactions_per_s(state / "sqlite", None, seconds))]
    if postgres_url is not None:
        with _own_schema(postgres_url) as url:
            rates.append(LedgerRate("PostgreSQL", _transactions_per_s(state / "postgres", url, seconds)))
    return rates


def _turn(turn: int) -> tuple[list[Telemetry], list[Forecast]]:
    """One pulse and one forecast of each site."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=CADENCE_S * turn)
    names = [f"sim-{number:06d}" for number in range(_SITES)]
    levels_kw = [50.0 + 0.125 * ((7 * number + turn) % 1_000) for number in range(_SITES)]
    pulses = [
        Telemetry(site, at, load_kw=kw + 9.5, solar_kw=8.0, wind_kw=1.5, net_load_kw=kw)
        for site, kw in zip(names, levels_kw, strict=True)
    ]
    forecasts = [
        Forecast(site, at, at + _HORIZON, kw, -0.01 * kw, 0.001 * kw, 0.02 * kw, "xgboost-0123456789ab")
        for site, kw in zip(names, levels_kw, strict=True)
    ]
    return pulses, forecasts


def _fields(line: str) -> int:
    return line.split(" ")[1].count("=")


def _recall_ms(store: InfluxStore) -> float:
    """Read the slots of some sites, each for the first time."""
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - _SLOTS * _SLOT
    names = [f"slots-{number}" for number in range(_SLOT_SITES)]
    for site in names:
        store.write([], slots=[SlotSum(site, first + i * _SLOT, 1_024 * i, 180) for i in range(_SLOTS)])
    begun = time.monotonic()
    for site in names:
        store.slots(site, first, LATEST)
    return 1e3 * (time.monotonic() - begun) / len(names)


@contextmanager
def _own_bucket(target: InfluxTarget) -> Iterator[InfluxTarget]:
    own = replace(target, bucket=f"bench-{uuid4().hex}")
    with open_client(target) as client:
        buckets = client.buckets_api()
        with told(target, "making a bucket for the benchmark"):
            made = buckets.create_bucket(bucket_name=own.bucket, org=own.org)
        try:
            yield own
        finally:
            with told(target, "deleting the benchmark's bucket"):
                buckets.delete_bucket(made)


def _transactions_per_s(state: Path, url: str | None, seconds: float) -> float:
    ledger = Ledger(state, url)
    try:
        done, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            with ledger.transaction() as transaction:
                transaction.audit(datetime.now(UTC), "benchmark", "benchmark", {"number": done})
            done += 1
        return done / (time.monotonic() - begun)
    finally:
        ledger.close()


@contextmanager
def _own_schema(url: str) -> Iterator[str]:
    server, schema = make_url(url), f"bench_{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    try:
        own = server.update_query_dict({"options": f"-csearch_path={schema}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
