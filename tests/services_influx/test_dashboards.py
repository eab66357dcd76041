"""Every query of every dashboard, run on a real InfluxDB that the stream has filled, as Grafana runs it."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.forecast import Forecast
from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget, open_client
from pipeline.memory_stream import MemoryStream
from pipeline.producer import publish
from pipeline.training import train
from smartgrid.dashboards.files import DASHBOARDS
from smartgrid.dashboards.forecast_quality import FORECAST_QUALITY
from smartgrid.dashboards.model import SITES_QUERY
from smartgrid.dashboards.operations import OPERATIONS
from smartgrid.dashboards.stream_health import STREAM_HEALTH
from smartgrid.dashboards.trading import TRADING
from smartgrid.testing.days import SITE_TZ, made_up_series
from tests.services_influx.server import own_bucket

SITE = 'feeder 7, "east"'
CADENCE = timedelta(minutes=5)
BEGIN = datetime(2024, 5, 1, tzinfo=UTC)
HORIZON = timedelta(minutes=30)
DAY = timedelta(days=1)
DAYS = 2 * DAY
END = BEGIN + DAYS
FROM = END - timedelta(hours=12)
UNKNOWN = END - timedelta(hours=1, minutes=20)
EVERY = [
    (board.uid, panel.title, query)
    for board in DASHBOARDS
    for panel in board.panels
    for query in panel.queries
]

Rows = list[dict[str, Any]]


def net_load_kw(at: datetime) -> float:
    """A daily course with a step each afternoon, higher on the second day, and a step just before the end."""
    hour = at.hour + at.minute / 60
    step = (300.0 if hour >= 17.0 else 0.0) + (400.0 if at >= END - timedelta(minutes=10) else 0.0)
    return 900.0 + 200.0 * math.sin(math.tau * hour / 24) + step + (20.0 * hour if at.day == 2 else 0.0)


def pulses() -> list[Telemetry]:
    """One of the last half day's has no net load."""
    times = [BEGIN + i * CADENCE for i in range(DAYS // CADENCE)]
    return [
        Telemetry(SITE, at, load_kw=1500.0, net_load_kw=None if at == UNKNOWN else net_load_kw(at))
        for at in times
    ]


def settled(i: int) -> tuple[AssetDispatch, EnergyTrade]:
    start, kw = FROM + i * CADENCE, 60.0 if i % 2 else -30.0
    done = AssetDispatch(SITE, "battery", start, 300.0, kw, kw, str(i), str(i), "ana", None)
    return done, EnergyTrade(SITE, "battery", start, 300.0, kw / 12, 40.0, kw / 12 * 0.04)


@pytest.fixture(scope="module")
def filled() -> Iterator[InfluxTarget]:
    """Two days through the stream, with prices, dispatches and trades of the last half day."""
    model = train(made_up_series(), cadence_s=300.0, site_tz=SITE_TZ, trees=5)
    with own_bucket() as target, InfluxStore(target) as store:
        stream = MemoryStream()
        publish(stream, pulses())
        StreamEngine(stream, store, model, ramp_limit_kw=250.0).drain()
        store.write_quotes([PriceQuote(SITE, FROM + i * CADENCE, 300.0, 40.0, 35.0) for i in range(144)])
        spans = [settled(i) for i in range(20)]
        peaker = [replace(done, asset="peaker", power_kw=0.0, setpoint_kw=0.0) for done, _ in spans]
        store.write_settled([*(done for done, _ in spans), *peaker], [trade for _, trade in spans])
        yield target


def as_grafana_sends(query: str, target: InfluxTarget, begin: datetime, end: datetime) -> str:
    """The query with Grafana's variables filled in, as its InfluxDB plugin does."""
    values = {
        "v.defaultBucket": f'"{target.bucket}"',
        "v.timeRangeStart": begin.isoformat(),
        "v.timeRangeStop": end.isoformat(),
        "v.windowPeriod": "5m0s",
        "${site:doublequote}": '"' + stored(SITE) + '"',
    }
    for name, value in values.items():
        query = query.replace(name, value)
    return query


def stored(site: str) -> str:
    return site.replace('"', "%22")


def ask(target: InfluxTarget, query: str, begin: datetime = FROM, end: datetime = END) -> Rows:
    with open_client(target) as client:
        tables = client.query_api().query(as_grafana_sends(query, target, begin, end))
    return [record.values for table in tables for record in table.records]


def panel_rows(target: InfluxTarget, board: Any, title: str, **span: datetime) -> Rows:
    (panel,) = [panel for panel in board.panels if panel.title == title]
    return [row for query in panel.queries for row in ask(target, query, **span)]


@pytest.mark.parametrize(("uid", "title", "query"), EVERY, ids=[f"{uid}: {title}" for uid, title, _ in EVERY])
def test_every_query_of_every_panel_finds_rows(
    filled: InfluxTarget, uid: str, title: str, query: str
) -> None:
    rows = ask(filled, query)
    assert rows, f"{uid}, {title}"
    columns = {name for row in rows for name, value in row.items() if isinstance(value, int | float)}
    assert columns - {"table"}, f"{uid}, {title}: no number to draw"


@pytest.mark.parametrize(("uid", "title", "query"), EVERY, ids=[f"{uid}: {title}" for uid, title, _ in EVERY])
def test_a_store_that_is_still_empty_shows_nothing_rather_than_an_error(
    target: InfluxTarget, uid: str, title: str, query: str
) -> None:
    assert [row for row in ask(target, query) if row.get("error")] == []


def test_the_sites_to_choose_from_are_those_with_telemetry(filled: InfluxTarget) -> None:
    assert [row["_value"] for row in ask(filled, SITES_QUERY)] == [stored(SITE)]


def first_forecasts(target: InfluxTarget) -> dict[datetime, Forecast]:
    """By their target, one a quarter of an hour: what the panels judge, read by the store itself."""
    with InfluxStore(target) as store:
        made = store.forecasts(SITE, FROM - HORIZON, END - HORIZON)
    return {forecast.target_at: forecast for forecast in made if forecast.target_at.minute % 15 == 0}


def skill(errors: list[float], references: list[float]) -> float:
    return 1.0 - sum(errors) / sum(references)


def errors_kw(made: dict[datetime, Forecast]) -> list[float]:
    return [abs(net_load_kw(at) - one.net_load_kw - one.p50_kw) for at, one in made.items()]


def test_the_band_is_a_level_at_the_forecasts_target(filled: InfluxTarget) -> None:
    rows = panel_rows(filled, OPERATIONS, "Net load against the forecast made 30 minutes before")
    bands = {row["_time"]: row for row in rows if "p50_kw" in row}
    made = first_forecasts(filled)
    assert len(made) == 48
    for at, forecast in made.items():
        for name in ("p10_kw", "p50_kw", "p90_kw"):
            assert bands[at][name] == pytest.approx(forecast.net_load_kw + getattr(forecast, name))
    measured = {row["_time"]: row["_value"] for row in rows if row.get("_field") == "net_load_kw"}
    assert measured == {at: net_load_kw(at) for at in measured}


def test_skill_against_persistence_is_that_of_the_stored_forecasts(filled: InfluxTarget) -> None:
    made = first_forecasts(filled)
    still = [abs(net_load_kw(at) - one.net_load_kw) for at, one in made.items()]
    (row,) = panel_rows(filled, FORECAST_QUALITY, "Skill against persistence")
    assert row["skill"] == pytest.approx(skill(errors_kw(made), still))


def test_skill_against_the_usual_change_knows_only_days_before(filled: InfluxTarget) -> None:
    made = first_forecasts(filled)

    def usual_kw(at: datetime) -> float:
        return net_load_kw(at - DAY) - net_load_kw(at - DAY - HORIZON)

    off = [abs(net_load_kw(at) - one.net_load_kw - usual_kw(at)) for at, one in made.items()]
    (row,) = panel_rows(filled, FORECAST_QUALITY, "Skill against the usual change")
    assert row["skill"] == pytest.approx(skill(errors_kw(made), off))


def test_coverage_is_the_share_inside_the_band(filled: InfluxTarget) -> None:
    made = first_forecasts(filled)
    inside = [
        one.p10_kw <= net_load_kw(at) - one.net_load_kw <= one.p90_kw + 1e-9 for at, one in made.items()
    ]
    (row,) = panel_rows(filled, FORECAST_QUALITY, "Coverage of the band")
    assert row["coverage"] == pytest.approx(sum(inside) / len(inside))
    (judged,) = panel_rows(filled, FORECAST_QUALITY, "Forecasts judged")
    assert judged["error_kw"] == len(made)


def test_events_say_when_they_ended_or_that_they_last(filled: InfluxTarget) -> None:
    with InfluxStore(filled) as store:
        known = {event.started_at: event for event in store.events(SITE, BEGIN)}
    rows = panel_rows(filled, OPERATIONS, "Instability events")
    assert {row["started"] for row in rows} == set(known)
    for row in rows:
        ended_at = known[row["started"]].ended_at
        assert (row["ended"] == "lasts") == (ended_at is None)
        assert ended_at is None or datetime.fromisoformat(row["ended"]) == ended_at
    (lasting,) = panel_rows(filled, STREAM_HEALTH, "Events that last", begin=BEGIN)
    assert lasting["lasting"] == sum(event.ended_at is None for event in known.values()) == 1


def test_the_value_of_trades_adds_up(filled: InfluxTarget) -> None:
    values = [trade.value_usd or 0.0 for _, trade in map(settled, range(20))]
    (total,) = panel_rows(filled, TRADING, "Value in the range")
    assert total["value"] == pytest.approx(sum(values))
    energy = {
        row["direction"]: row["_value"] for row in panel_rows(filled, TRADING, "Energy sold and bought")
    }
    assert energy == pytest.approx({"sold": 50.0, "bought": -25.0})
    course = panel_rows(filled, TRADING, "Value since the left edge")
    assert course[-1]["_value"] == pytest.approx(sum(values))


def test_ages_and_rates_are_those_at_the_right_edge(filled: InfluxTarget) -> None:
    (age,) = panel_rows(filled, STREAM_HEALTH, "Age of each site's newest pulse")
    assert (age["site"], age["age_s"]) == (stored(SITE), CADENCE.total_seconds())
    rates = panel_rows(filled, STREAM_HEALTH, "Pulses stored")
    assert {row["pulses"] for row in rates} == {1 / 60}
    gaps = panel_rows(filled, STREAM_HEALTH, "Longest gap between pulses")
    assert {row["gap_s"] for row in gaps} == {CADENCE.total_seconds()}
    missing = panel_rows(filled, STREAM_HEALTH, "Share of pulses without net load")
    assert {row["missing"] for row in missing} == {0.0, 1.0}
