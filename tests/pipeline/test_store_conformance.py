"""What every series store does, whatever holds it: runs on SQLite always, on InfluxDB where there is one."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.influx_store import InfluxStore
from pipeline.instability import InstabilityEvent
from pipeline.sqlite_store import SqliteStore
from pipeline.store import SeriesStore, SlotSum
from pipeline.timestamps import MICROSECOND
from pipeline.verdict import Verdict
from tests.services_influx.server import own_bucket

START = datetime(2024, 5, 1, tzinfo=UTC)
FIVE_S = timedelta(seconds=5)
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
HOSTILE_NAMES = [
    'area" or true) //',
    "${bucket}",
    "a,b=c d",
    "ends with a backslash\\",
    'back\\"slash',
    "a new\nline",
    "telemetry,site=area load_kw=1\ntelemetry,site=b load_kw=2 1",
    'x") |> drop(columns: ["_value"]) //',
    "'; DROP TABLE telemetry; --",
    "%41 100%",
    "a nul\x00 and a line separator\u2028",
    "Überlandwerk 東京 ⚡",
    " spaces ",
    "# table",
    "table",
    "error",
]


def pulse(i: int, site: str = "area", net_load_kw: float | None = 100.0) -> Telemetry:
    return Telemetry(site, START + i * FIVE_S, load_kw=120.5, solar_kw=20.5, net_load_kw=net_load_kw)


def forecast(i: int, site: str = "area", minutes: int = 30) -> Forecast:
    issued = START + i * FIVE_S
    return Forecast(site, issued, issued + timedelta(minutes=minutes), 100.0, -5.0, 1.0, 7.0, "model")


def event(i: int = 0, ended_at: datetime | None = None, site: str = "area") -> InstabilityEvent:
    return InstabilityEvent(f"evt-{i}", site, "measured_ramp", START + i * FIVE_S, ended_at, "warning", 12.5)


def dispatch(i: int, asset: str = "battery", site: str = "area", power_kw: float = -480.0) -> AssetDispatch:
    behalf = ("41", "17", "supervisor:response", "evt-1")
    return AssetDispatch(site, asset, START + i * FIVE_S, 5.0, power_kw, -500.0, *behalf)


def trade(i: int, asset: str = "battery", site: str = "area", price: float | None = 42.5) -> EnergyTrade:
    value = None if price is None else -0.02
    return EnergyTrade(site, asset, START + i * FIVE_S, 5.0, -2 / 3, price, value)


@pytest.fixture(params=["sqlite", "influx"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SeriesStore]:
    if request.param == "sqlite":
        with SqliteStore(tmp_path / "telemetry.db") as embedded:
            yield embedded
        return
    with own_bucket() as target, InfluxStore(target) as remote:
        yield remote


def test_what_was_written_reads_back_equal(store: SeriesStore) -> None:
    pulses, made = [pulse(i) for i in range(3)], [forecast(i) for i in range(3)]
    quote = PriceQuote("area", START, 300.0, None, 31.5)
    store.write(pulses, made, [event()])
    store.write_quotes([quote])
    assert store.telemetry("area", START, START + FIVE_S * 3) == pulses
    assert store.forecasts("area", START, START + FIVE_S * 3) == made
    assert store.events("area", START) == [event()]
    assert store.quotes("area", START, START + FIVE_S) == [quote]


def test_slots_read_back_equal_and_a_newer_version_replaces_the_older(store: SeriesStore) -> None:
    quarter = timedelta(minutes=15)
    slots = [SlotSum("area", START + i * quarter, (-1) ** i * (2**60 + i), 180 - i) for i in range(3)]
    store.write([], slots=[replace(slots[1], quanta=5), SlotSum("b", START, 7, 1)])
    store.write([], slots=slots)
    assert store.slots("area", *EVER) == slots
    assert store.slots("area", START + quarter, START + 2 * quarter) == slots[1:2]
    assert store.slots("nobody", *EVER) == []


def test_verdicts_read_back_equal_and_the_first_of_a_stamp_counts(store: SeriesStore) -> None:
    late = Verdict("area", START)
    plain = Verdict("area", START + FIVE_S, score=0.1, trust=1.0)
    full = Verdict(
        "area", START + 2 * FIVE_S, True, 3.5, 0.0, "net_load_kw", "step", START - MICROSECOND, -1 / 3
    )  # fmt: skip
    store.write([], verdicts=[full, Verdict("b", START, score=2.0, trust=0.5), plain, late])
    store.write([], verdicts=[full, plain])
    assert store.verdicts("area", *EVER) == [late, plain, full]
    assert store.verdicts("area", START + FIVE_S, START + 2 * FIVE_S) == [plain]
    assert store.verdicts("nobody", *EVER) == []
    other = replace(plain, ts_utc=START + 3 * FIVE_S, score=9.0)
    store.write([], verdicts=[replace(other, score=0.5), other])
    assert [found.score for found in store.verdicts("area", *EVER)][-1] == 0.5


def test_an_empty_store_answers_with_nothing(store: SeriesStore) -> None:
    assert store.sites() == []
    assert store.latest("area") == store.telemetry("area", *EVER) == []
    assert store.latest_forecast("area") is None
    assert store.forecasts("area", *EVER) == []
    assert store.quotes("area", *EVER) == []
    assert store.events("area", START) == []
    assert store.open_events(START) == {}
    assert store.dispatches("area", *EVER) == []
    assert store.trades("area", *EVER) == []


def test_ranges_include_their_start_and_not_their_end(store: SeriesStore) -> None:
    store.write([pulse(i) for i in range(4)], [forecast(i) for i in range(4)])
    store.write_quotes([PriceQuote("area", START + i * FIVE_S, 5.0, 1.0, None) for i in range(4)])
    middle = (START + FIVE_S, START + 3 * FIVE_S)
    assert store.telemetry("area", *middle) == [pulse(1), pulse(2)]
    assert store.forecasts("area", *middle) == [forecast(1), forecast(2)]
    assert [quote.ts_utc for quote in store.quotes("area", *middle)] == [pulse(1).ts_utc, pulse(2).ts_utc]
    assert store.telemetry("area", START, START) == []


def test_stamps_are_kept_to_the_microsecond(store: SeriesStore) -> None:
    first, second = pulse(0), replace(pulse(0), ts_utc=START + MICROSECOND)
    store.write([second, first], [replace(forecast(0), target_at=START + timedelta(hours=1, microseconds=7))])
    assert store.telemetry("area", START, START + MICROSECOND) == [first]
    assert store.telemetry("area", START + MICROSECOND, START + FIVE_S) == [second]
    assert store.forecasts("area", *EVER)[0].target_at == START + timedelta(hours=1, microseconds=7)


def test_lists_are_in_the_order_of_time_whatever_the_order_of_writing(store: SeriesStore) -> None:
    for i in (2, 0, 3, 1):
        store.write([pulse(i)], [forecast(i)], [event(i)])
    assert store.telemetry("area", *EVER) == [pulse(i) for i in range(4)]
    assert store.forecasts("area", *EVER) == [forecast(i) for i in range(4)]
    assert store.events("area", START) == [event(i) for i in range(4)]


def test_writing_twice_changes_nothing(store: SeriesStore) -> None:
    batch = ([pulse(0), pulse(1)], [forecast(0)], [event()])
    store.write(*batch)
    store.write(*batch)
    assert store.latest("area") == batch[0]
    assert store.forecasts("area", *EVER) == batch[1]
    assert store.events("area", START) == batch[2]


def test_the_first_of_a_batch_counts_for_each_stamp(store: SeriesStore) -> None:
    other = replace(forecast(0), model="another")
    store.write([pulse(0, net_load_kw=1.0), pulse(0, net_load_kw=2.0)], [forecast(0), other])
    assert [seen.net_load_kw for seen in store.latest("area")] == [1.0]
    assert store.forecasts("area", *EVER) == [forecast(0)]


def test_the_feature_store_shows_the_last_50_observations_oldest_first(store: SeriesStore) -> None:
    store.write([pulse(i) for i in range(80)] + [pulse(200, site="other")])
    shown = store.latest("area", 50)
    assert [seen.ts_utc for seen in shown] == [START + i * FIVE_S for i in range(30, 80)]
    assert store.latest("area", 0) == []


def test_the_last_observations_are_found_across_a_long_gap(store: SeriesStore) -> None:
    hourly = [pulse(720 * i) for i in range(30)]
    store.write([pulse(-30 * 17_280), *hourly])
    assert store.latest("area", 30) == hourly
    assert len(store.latest("area", 50)) == 31


def test_a_missing_value_stays_missing(store: SeriesStore) -> None:
    silent = Telemetry("area", START + FIVE_S)
    store.write([pulse(0, net_load_kw=None), silent, Telemetry("area", START + 2 * FIVE_S, float("nan"))])
    assert store.latest("area")[0].net_load_kw is None
    assert store.latest("area")[0].wind_kw is None
    assert store.latest("area")[1] == silent
    assert store.latest("area")[2].load_kw is None


def test_an_old_forecast_keeps_its_stamp_so_that_its_age_shows(store: SeriesStore) -> None:
    assert store.latest_forecast("area") is None
    store.write([pulse(i) for i in range(100)], [forecast(3), forecast(1)])
    found = store.latest_forecast("area")
    assert found is not None
    assert found.issued_at == START + 3 * FIVE_S


def test_forecasts_of_one_issue_differ_by_their_target(store: SeriesStore) -> None:
    made = [forecast(1, minutes=minutes) for minutes in (15, 30, 60)]
    store.write([], [*reversed(made), forecast(0, minutes=5)])
    assert [found.target_at for found in store.forecasts("area", START + FIVE_S, EVER[1])] == [
        one.target_at for one in made
    ]
    assert store.latest_forecast("area") == made[0]


def test_an_event_is_replaced_by_its_newer_version_and_leaves_the_list_after_its_end(
    store: SeriesStore,
) -> None:
    ended = event(ended_at=START + timedelta(minutes=20))
    store.write([], [], [event()])
    store.write([], [], [ended])
    assert store.events("area", START + timedelta(minutes=20)) == [ended]
    assert store.events("area", START + timedelta(minutes=21)) == []


def test_a_newer_version_replaces_the_whole_of_the_older_one(store: SeriesStore) -> None:
    reopened = replace(event(), cause_kw=None)
    store.write([], [], [event(ended_at=START + timedelta(minutes=20))])
    store.write([], [], [reopened])
    assert store.events("area", START + timedelta(days=1)) == [reopened]
    withdrawn = PriceQuote("area", START, 300.0, None, None)
    store.write_quotes([PriceQuote("area", START, 300.0, 4.0, 31.5)])
    store.write_quotes([withdrawn])
    assert store.quotes("area", *EVER) == [withdrawn]


def test_a_quote_gains_its_real_time_price_later(store: SeriesStore) -> None:
    early = PriceQuote("area", START, 300.0, None, 31.5)
    store.write_quotes([early])
    store.write_quotes([replace(early, price_usd_per_mwh=-4.0)])
    assert store.quotes("area", START, START + FIVE_S)[0].price_usd_per_mwh == -4.0


def test_dispatches_and_trades_read_back_equal_by_start_and_asset(store: SeriesStore) -> None:
    unasked = AssetDispatch("area", "peaker", START, 5.0, 0.0, 0.0)
    done = [dispatch(0), unasked, dispatch(1), dispatch(1, "peaker")]
    sold = [trade(0), trade(0, "peaker", price=None), trade(1)]
    store.write_settled(done[::-1], sold[::-1])
    assert store.dispatches("area", *EVER) == done
    assert store.trades("area", *EVER) == sold


def test_spans_are_found_by_their_start_and_their_site(store: SeriesStore) -> None:
    store.write_settled([dispatch(i) for i in range(4)], [trade(i) for i in range(4)])
    store.write_settled([dispatch(1, site="other")], [trade(1, site="other")])
    middle = (START + FIVE_S, START + 3 * FIVE_S)
    assert store.dispatches("area", *middle) == [dispatch(1), dispatch(2)]
    assert store.trades("area", *middle) == [trade(1), trade(2)]
    assert store.dispatches("other", *EVER) == [dispatch(1, site="other")]


def test_a_newer_version_of_a_span_replaces_the_whole_of_the_older_one(store: SeriesStore) -> None:
    grown = replace(dispatch(0), duration_s=9.0, proposal_id=None, requester=None, event_id=None)
    store.write_settled([dispatch(0)], [trade(0)])
    store.write_settled([grown, dispatch(0, "peaker")], [trade(0, price=None), trade(0, "peaker")])
    for _ in range(2):
        assert store.dispatches("area", *EVER) == [grown, dispatch(0, "peaker")]
        assert store.trades("area", *EVER) == [trade(0, price=None), trade(0, "peaker")]
        store.write_settled([grown], [trade(0, price=None)])


def test_settled_spans_with_a_value_that_cannot_be_stored_are_not_written_at_all(store: SeriesStore) -> None:
    with pytest.raises(StoreError):
        store.write_settled([dispatch(0)], [replace(trade(0), energy_kwh=float("nan"))])
    assert store.dispatches("area", *EVER) == []


def test_open_events_are_those_of_every_site_in_one_read(store: SeriesStore) -> None:
    late = START + timedelta(minutes=20)
    there = [event(3), event(1, late), event(2, site="b"), event(0, START + FIVE_S, site="c")]
    store.write([], [], there)
    assert store.open_events(late) == {"area": [event(1, late), event(3)], "b": [event(2, site="b")]}
    for at in (START, late, late + FIVE_S):
        sites = {site: store.events(site, at) for site in ("area", "b", "c")}
        assert store.open_events(at) == {site: found for site, found in sites.items() if found}


def test_what_came_since_the_last_question_is_seen(store: SeriesStore) -> None:
    store.write([pulse(i) for i in range(3)], [forecast(i) for i in range(3)])
    for n in (1, 2, 3):
        assert store.latest("area", n) == [pulse(i) for i in range(3 - n, 3)]
    assert store.latest_forecast("area") == forecast(2)
    store.write([pulse(5000), pulse(5001)], [forecast(5001, minutes=60), forecast(5001)])
    assert store.latest("area", 1) == [pulse(5001)]
    assert store.latest("area", 3) == [pulse(2), pulse(5000), pulse(5001)]
    assert store.latest_forecast("area") == forecast(5001)


def test_a_batch_with_a_value_that_cannot_be_stored_is_not_written_at_all(store: SeriesStore) -> None:
    broken = replace(forecast(0), p50_kw=None)  # type: ignore[arg-type]
    with pytest.raises((StoreError, sqlite3.IntegrityError)):
        store.write([pulse(0)], [forecast(1), broken])
    assert store.latest("area") == []
    assert store.latest_forecast("area") is None


def test_sites_are_those_with_telemetry(store: SeriesStore) -> None:
    store.write([pulse(0, site=name) for name in ("b", "a")] + [pulse(1, site="a")], [forecast(0, site="c")])
    assert store.sites() == ["a", "b"]


def test_any_name_of_a_site_is_only_a_name(store: SeriesStore) -> None:
    pulses = [pulse(i, name) for i, name in enumerate(HOSTILE_NAMES)]
    store.write(pulses, [forecast(0, name) for name in HOSTILE_NAMES])
    assert store.sites() == sorted(HOSTILE_NAMES)
    for name, seen in zip(HOSTILE_NAMES, pulses, strict=True):
        assert store.latest(name) == [seen]
        assert store.latest_forecast(name) == forecast(0, name)


def test_an_empty_text_is_neither_missing_nor_another_rows(store: SeriesStore) -> None:
    texts = ["", "abc", None, "", "q", None, "supervisor:response", ""]
    done = [
        replace(dispatch(i), proposal_id=texts[i % 8], requester=texts[i % 5], event_id=texts[i % 3])
        for i in range(64)
    ]
    store.write_settled(done, [])
    assert store.dispatches("area", *EVER) == done


def test_any_name_in_a_dispatch_is_only_a_name(store: SeriesStore) -> None:
    for i, name in enumerate(HOSTILE_NAMES):
        done = replace(dispatch(i, name, name), requester=name, event_id=name)
        store.write_settled([done], [trade(i, name, name)])
        assert store.dispatches(name, *EVER) == [done]
        assert store.trades(name, *EVER) == [trade(i, name, name)]
