"""The series store in InfluxDB 2: any number of writing and reading processes."""

import gzip
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, TypeVar

from influxdb_client import Dialect, WritePrecision, WriteService
from influxdb_client.client.write.retry import WritesRetry

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline import influx_points as points
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.influx_points import EARLIEST, LATEST, Row
from pipeline.influx_target import InfluxTarget, open_client, told
from pipeline.instability import InstabilityEvent, by_site
from pipeline.store import FEATURE_STORE_ROWS, SlotSum
from pipeline.verdict import Verdict

BATCH_LINES: Final = 5_000
FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 10.0
_ANY_NUMBER: Final = 1_000_000
"""Attempts: time ends them, not their number."""
_FAST_GZIP: Final = 1
_LATEST_SPAN: Final = timedelta(seconds=5)
"""The default pulse: where the search for the newest rows begins."""

# What a query needs is bound as an option of its own syntax tree, never written into its text.
_SITES = """
import "influxdata/influxdb/schema"
schema.tagValues(
    bucket: bucket, tag: "site", predicate: (r) => r._measurement == measurement, start: start, stop: stop,
)
"""
_OF_SITE = """
series = () => from(bucket: bucket)
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == measurement and r.site == site)
"""
_AS_ROWS = """
    |> drop(columns: ["_start", "_stop", "_measurement", "site"])
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
"""
_IN_RANGE = f"{_OF_SITE} series() {_AS_ROWS}"
_OF_ALL_SITES = """
from(bucket: bucket)
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == measurement)
    |> drop(columns: ["_start", "_stop", "_measurement"])
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> group()
"""
_ENDS = f"""{_OF_SITE}
stamps = () => series() |> filter(fn: (r) => r._field == field)
union(tables: [stamps() |> first(), stamps() |> last()]) |> keep(columns: ["_time"])
"""
_DIALECT = Dialect(header=True, annotations=[], date_time_format="RFC3339Nano")

Item = TypeVar("Item")


class InfluxStore:
    """A :class:`pipeline.store.SeriesStore` in a bucket of InfluxDB.

    Invariants:
        A write that returned is stored; one that raised may be stored in part, and repeating it
        completes it, because points are known by measurement, tags and time. Forecasts, events,
        slots and verdicts go before the telemetry that they rest on. The server takes a write point by
        point and field by field: who reads meanwhile finds the points that are whole, and no other.
        *The first telemetry counts*, and the first forecast: within one write the store sees to
        it. InfluxDB keeps the last version of a point, so across writes it rests on the engine,
        which settles duplicates and conflicts before it writes: a batch that is read again, or by
        a second worker after a rebalance, yields the same values, and the same values written
        twice, in any order, by any number of writers, are the same points. Values that differ
        are never mixed: the newest version of a point replaces the whole of the older one.
        A series only grows at its end, so the newest rows lie where they were found last, or after
        it: who asks for them again reads no more than that. Where it did not (rows have expired),
        the whole series is searched again.

    Args:
        target: the server, the bucket and the patience. Nothing is sent before the first call.
    """

    def __init__(self, target: InfluxTarget) -> None:
        self._target = target
        self._client = open_client(target)
        self._writes = WriteService(self._client.api_client)
        self._queries = self._client.query_api()
        self._begins: dict[tuple[str, str, int], datetime] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> "InfluxStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- reading ------------------------------------------------------------------------------

    def sites(self) -> list[str]:
        """Sites with telemetry, sorted."""
        rows = self._rows(_SITES, points.TELEMETRY, EARLIEST, LATEST)
        return sorted(points.original_name(row["_value"]) for row in rows)

    def latest(self, site: str, n: int = FEATURE_STORE_ROWS) -> list[Telemetry]:
        """The newest ``n`` observations of a site, oldest first."""
        since = self._begins.get((points.TELEMETRY, site, n))
        found = [] if since is None else self.telemetry(site, since, LATEST)
        if since is None or len(found) < n:
            found = self._searched(site, n)
        newest = found[max(0, len(found) - n) :]
        if newest:
            self._begins[points.TELEMETRY, site, n] = newest[0].ts_utc
        return newest

    def _searched(self, site: str, n: int) -> list[Telemetry]:
        """At least the newest ``n`` observations, as far as there are so many, wherever they lie."""
        found: list[Telemetry] = []
        for start in self._ever_earlier(points.TELEMETRY, points.PRESENT, site, n * _LATEST_SPAN):
            found = self.telemetry(site, start, LATEST)
            if len(found) >= n:
                break
        return found

    def _ever_earlier(self, measurement: str, field: str, site: str, span: timedelta) -> Iterator[datetime]:
        """Where to look from for a site's newest points: a span before the newest, then further back."""
        rows = self._rows(_ENDS, measurement, EARLIEST, LATEST, site=site, field=field)
        stamps = [points.time_of(row) for row in rows]
        if not stamps:
            return
        oldest, newest = min(stamps), max(stamps)
        while newest - span > oldest:
            yield newest - span
            span *= 8
        yield oldest

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations with ``start <= ts_utc < end``."""
        rows = self._points(_IN_RANGE, points.TELEMETRY, start, end, site=site)
        return sorted((points.telemetry_of(site, row) for row in rows), key=lambda pulse: pulse.ts_utc)

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast, however old it is: check its ``issued_at`` before acting on it."""
        since = self._begins.get((points.FORECASTS, site, 1))
        found = [] if since is None else self.forecasts(site, since, LATEST)
        if not found:
            for start in self._ever_earlier(points.FORECASTS, "p50_kw", site, _LATEST_SPAN):
                if found := self.forecasts(site, start, LATEST):
                    break
            else:
                return None
        newest = max(made.issued_at for made in found)
        self._begins[points.FORECASTS, site, 1] = newest
        return min((made for made in found if made.issued_at == newest), key=lambda made: made.target_at)

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts with ``start <= issued_at < end``."""
        rows = self._points(_IN_RANGE, points.FORECASTS, start, end, site=site)
        found = (points.forecast_of(site, row) for row in rows)
        return sorted(found, key=lambda forecast: (forecast.issued_at, forecast.target_at))

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the intervals that begin in ``start <= ts_utc < end``."""
        rows = self._points(_IN_RANGE, points.QUOTES, start, end, site=site)
        return sorted((points.quote_of(site, row) for row in rows), key=lambda price: price.ts_utc)

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Instability events that are open, or ended at or after ``since``."""
        rows = self._points(_IN_RANGE, points.EVENTS, EARLIEST, LATEST, site=site)
        return _current((points.event_of(site, row) for row in rows), since)

    def open_events(self, at: datetime) -> dict[str, list[InstabilityEvent]]:
        """``events(site, at)`` of every site that has any, in one read."""
        rows = self._points(_OF_ALL_SITES, points.EVENTS, EARLIEST, LATEST)
        return by_site(_current((points.event_of(points.site_of(row), row) for row in rows), at))

    def dispatches(self, site: str, start: datetime, end: datetime) -> list[AssetDispatch]:
        """What the assets did in the spans that begin in ``start <= t < end``, by start and asset."""
        rows = self._points(_IN_RANGE, points.DISPATCHES, start, end, site=site)
        found = (points.dispatch_of(site, row) for row in rows)
        return sorted(found, key=lambda done: (done.start, done.asset))

    def trades(self, site: str, start: datetime, end: datetime) -> list[EnergyTrade]:
        """What was sold and bought in the spans that begin in ``start <= t < end``, by start and asset."""
        rows = self._points(_IN_RANGE, points.TRADES, start, end, site=site)
        found = (points.trade_of(site, row) for row in rows)
        return sorted(found, key=lambda trade: (trade.start, trade.asset))

    def slots(self, site: str, start: datetime, end: datetime) -> list[SlotSum]:
        """Closed slots of the seasonal memory that begin in ``start <= t < end``."""
        rows = self._points(_IN_RANGE, points.SLOTS, start, end, site=site)
        return sorted((points.slot_of(site, row) for row in rows), key=lambda slot: slot.start)

    def verdicts(self, site: str, start: datetime, end: datetime) -> list[Verdict]:
        """Verdicts on the pulses with ``start <= ts_utc < end``."""
        rows = self._points(_IN_RANGE, points.VERDICTS, start, end, site=site)
        return sorted((points.verdict_of(site, row) for row in rows), key=lambda verdict: verdict.ts_utc)

    def _rows(self, flux: str, measurement: str, start: datetime, end: datetime, **bound: str) -> list[Row]:
        """The rows of a query; names are bound as the database has them, times within what it can hold."""
        start, stop = max(start, EARLIEST), min(end, LATEST)
        if start >= stop:
            return []
        params = {
            "bucket": self._target.bucket,
            "measurement": measurement,
            "start": start,
            "stop": stop,
            **{name: points.stored_name(text) for name, text in bound.items()},
        }
        with told(self._target, f"reading {measurement}"):
            answer = list(self._queries.query_csv(flux, dialect=_DIALECT, params=params))
        return self._by_column(answer)

    def _points(self, flux: str, measurement: str, start: datetime, end: datetime, **bound: str) -> list[Row]:
        """The rows of a query for points, without those that are being written just now."""
        rows = self._rows(flux, measurement, start, end, **bound)
        return [row for row in rows if points.is_whole(measurement, row)]

    def _by_column(self, answer: list[list[str]]) -> list[Row]:
        """Rows of a CSV answer: a line of column names begins each table, also that of a late error."""
        rows: list[Row] = []
        names: list[str] = []
        for line in answer:
            if "error" in names[:2]:
                reason = " ".join(line).strip()
                raise StoreError(f"influx_url={self._target.url}: a query failed ({reason}); see its log")
            if "table" in line[:3] or "error" in line[:2]:  # elsewhere: '', '_result', a number
                names = line
            else:
                rows.append(dict(zip(names, line, strict=True)))
        return rows

    # -- writing ------------------------------------------------------------------------------

    def write(
        self,
        telemetry: Sequence[Telemetry],
        forecasts: Sequence[Forecast] = (),
        events: Sequence[InstabilityEvent] = (),
        slots: Sequence[SlotSum] = (),
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        """Write all of it, however long the server is away, up to the configured time.

        Raises:
            StoreError: if a value cannot be stored (then nothing is written), or the server does
                not take it, or is away for longer: commit nothing and write the same again later.
        """
        first_forecasts = _first(forecasts, lambda made: (made.site, made.issued_at, made.target_at))
        first_verdicts = _first(verdicts, lambda verdict: (verdict.site, verdict.ts_utc))
        first_pulses = _first(telemetry, lambda pulse: (pulse.site, pulse.ts_utc))
        self._send(
            [
                *map(points.forecast_line, first_forecasts),
                *map(points.event_line, events),
                *map(points.slot_line, slots),
                *map(points.verdict_line, first_verdicts),
                *map(points.telemetry_line, first_pulses),
            ]
        )

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes; a newer quote of an interval replaces the older one.

        Raises:
            StoreError: as :meth:`write`.
        """
        self._send([points.quote_line(price) for price in quotes])

    def write_settled(self, dispatches: Sequence[AssetDispatch], trades: Sequence[EnergyTrade]) -> None:
        """Write what the assets did and what it was worth; a newer version of a span replaces the older.

        Raises:
            StoreError: as :meth:`write`.
        """
        self._send([*map(points.dispatch_line, dispatches), *map(points.trade_line, trades)])

    def _send(self, lines: list[str]) -> None:
        patience = self._patience()
        for start in range(0, len(lines), BATCH_LINES):
            batch = lines[start : start + BATCH_LINES]
            body = gzip.compress("\n".join(batch).encode(), compresslevel=_FAST_GZIP)
            with told(self._target, f"writing {len(batch)} points"):
                self._writes.post_write(
                    org=self._target.org,
                    bucket=self._target.bucket,
                    body=body,
                    precision=WritePrecision.US,
                    content_encoding="gzip",
                    urlopen_kw={"retries": patience},
                )

    def _patience(self) -> WritesRetry:
        """Exponential back-off with jitter; its clock starts now, so every write needs its own."""
        return WritesRetry(
            total=_ANY_NUMBER,
            retry_interval=FIRST_DELAY_S,
            max_retry_delay=LONGEST_DELAY_S,
            max_retry_time=self._target.write_timeout_s,
            jitter_interval=FIRST_DELAY_S,
            retry_after_max=LONGEST_DELAY_S,
            allowed_methods=["POST"],
        )


def _current(events: Iterable[InstabilityEvent], since: datetime) -> list[InstabilityEvent]:
    """Those that are open, or ended at or after ``since``, by start."""
    current = (event for event in events if event.ended_at is None or event.ended_at >= since)
    return sorted(current, key=lambda event: event.started_at)


def _first(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[Item]:
    """The first item of each key."""
    found: dict[Hashable, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())
