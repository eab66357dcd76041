"""What the assets did and what it was worth: each kWh in one span, on somebody's behalf, at its own price."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.executor import Applied
from dispatch.ledger import Ledger
from dispatch.receipts import Setpoints
from grid.assets import BatteryState, PeakerState
from grid.drivers import AssetReadings
from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import AREA_SITE
from grid.units import SECONDS_PER_HOUR
from pipeline.errors import StoreError
from pipeline.sqlite_store import SqliteStore
from smartgrid.asset_diary import AssetDiary
from smartgrid.day.result import DayResult
from smartgrid.interval_prices import IntervalPrices
from smartgrid.outbox import Outbox
from tests.tools.small_grid import SmallGrid, utc

START = utc("2024-05-01T00:00:00Z")
INTERVAL = timedelta(minutes=5)
FOREVER = (START - timedelta(days=4000), START + timedelta(days=4000))


class Away:
    """A store that is away as long as one wants, and keeps the newest version of what it took."""

    def __init__(self) -> None:
        self.away = False
        self.quotes: dict[datetime, PriceQuote] = {}
        self.done: dict[tuple[str, datetime], AssetDispatch] = {}
        self.sold: dict[tuple[str, datetime], EnergyTrade] = {}

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        self._answer()
        self.quotes |= {quote.ts_utc: quote for quote in quotes}

    def write_settled(self, dispatches: Sequence[AssetDispatch], trades: Sequence[EnergyTrade]) -> None:
        self._answer()
        self.done |= {(done.asset, done.start): done for done in dispatches}
        self.sold |= {(trade.asset, trade.start): trade for trade in trades}

    def _answer(self) -> None:
        if self.away:
            raise StoreError("away")


def readings(
    at_s: float, net_kwh: float = 0.0, setpoint_kw: float = 0.0, peaker_kwh: float = 0.0
) -> AssetReadings:
    battery = BatteryState(100.0, charged_kwh=max(0.0, -net_kwh), discharged_kwh=max(0.0, net_kwh))
    peaker = PeakerState(generated_kwh=peaker_kwh)
    return AssetReadings(START + timedelta(seconds=at_s), battery, peaker, setpoint_kw, 0.0)


def applied(number: int, at_s: float) -> Applied:
    return Applied(START + timedelta(seconds=at_s), str(number), Setpoints(0.0, 0.0), changed=True)


@pytest.fixture
def grid(tmp_path: Path) -> SmallGrid:
    return SmallGrid(tmp_path / "grid").start()


# -- the diary --------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.integers(0, 120), st.floats(0, 50), st.floats(0, 50), st.booleans(), st.booleans()),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30)
@given(steps=STEPS)
def test_energies_add_up_to_what_the_devices_counted_and_spans_cover_the_time_once(
    steps: list[tuple[int, float, float, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    store, last = Away(), readings(0)
    diary = AssetDiary(Outbox(store), ledger, lambda _at: 40.0, 300.0, last)
    for number, (seconds, discharged_kwh, generated_kwh, acts, store.away) in enumerate(steps):
        last = AssetReadings(
            last.ts_utc + timedelta(seconds=seconds),
            replace(
                last.battery, discharged_kwh=last.battery.discharged_kwh + discharged_kwh * (seconds > 0)
            ),
            PeakerState(generated_kwh=last.peaker.generated_kwh + generated_kwh * (seconds > 0)),
            0.0,
            0.0,
        )
        if acts:
            diary.follow(applied(number // 3, 0), last)
        else:
            diary.enter(last)
    ledger.close()
    store.away = False
    last = replace(last, ts_utc=last.ts_utc + timedelta(seconds=1))
    diary.enter(last)
    for asset, counted_kwh in (
        ("battery", last.battery.discharged_kwh),
        ("peaker", last.peaker.generated_kwh),
    ):
        done = sorted(
            (one for (name, _), one in store.done.items() if name == asset), key=lambda one: one.start
        )
        ends = [one.start + timedelta(seconds=one.duration_s) for one in done]
        assert [START, *ends] == [*(one.start for one in done), last.ts_utc]
        energy_kwh = sum(store.sold[asset, one.start].energy_kwh for one in done)
        assert energy_kwh == pytest.approx(counted_kwh)
        assert sum(one.power_kw * one.duration_s / SECONDS_PER_HOUR for one in done) == pytest.approx(
            counted_kwh
        )


def test_a_span_grows_until_a_border_or_another_dispatch_ends_it(tmp_path: Path) -> None:
    ledger, store = Ledger(tmp_path), Away()
    diary = AssetDiary(store, ledger, lambda at: 30.0 if at < START + INTERVAL else None, 300.0, readings(0))
    diary.follow(applied(1, 0), readings(0, 0.0, -60.0))
    diary.follow(applied(1, 100), readings(100, -1.0, -60.0))
    diary.follow(applied(2, 200), readings(200, -2.0, -90.0))
    diary.enter(readings(300, -3.0, -90.0))
    diary.follow(applied(2, 310), readings(310, -4.0, -90.0))
    ledger.close()
    spans = [one for (asset, _), one in sorted(store.done.items()) if asset == "battery"]
    assert [(one.start - START).total_seconds() for one in spans] == [0.0, 200.0, 300.0]
    assert [(one.duration_s, one.dispatch_id) for one in spans] == [(200.0, "1"), (100.0, "2"), (10.0, "2")]
    assert [one.setpoint_kw for one in spans] == [-60.0, -90.0, -90.0]
    assert [one.power_kw for one in spans] == pytest.approx([-36.0, -36.0, -360.0])
    sold = [one for (asset, _), one in sorted(store.sold.items()) if asset == "battery"]
    assert [(one.energy_kwh, one.price_usd_per_mwh) for one in sold] == [
        (-2.0, 30.0),
        (-1.0, 30.0),
        (-1.0, None),
    ]
    assert [one.value_usd for one in sold] == [pytest.approx(-0.06), pytest.approx(-0.03), None]


def test_a_dispatch_names_the_proposal_that_set_it_and_who_made_it(grid: SmallGrid) -> None:
    start = grid.clock.now()
    answer = grid.ask("discharge_battery", power_kw=20.0, duration_min=30, reason="a test")
    grid.advance(2)
    grid.owner.act()
    battery, peaker = grid.store.dispatches(AREA_SITE, start, start + INTERVAL)
    assert (battery.proposal_id, battery.requester) == (answer.proposal_id, "local:ana")
    assert battery.power_kw == battery.setpoint_kw == pytest.approx(20.0)
    assert (peaker.proposal_id, peaker.requester, peaker.power_kw) == (None, None, 0.0)
    assert peaker.dispatch_id == battery.dispatch_id is not None
    (sold, _) = grid.store.trades(AREA_SITE, start, start + INTERVAL)
    assert sold.energy_kwh == pytest.approx(20.0 / 12)
    grid.close()


def test_the_trades_of_a_day_are_the_energy_that_its_accounts_settle(
    day_folder: tuple[DayResult, Path],
) -> None:
    result, folder = day_folder
    with SqliteStore(folder / "telemetry.db", read_only=True) as store:
        trades = store.trades(AREA_SITE, *FOREVER)
    hours = result.interval_s / SECONDS_PER_HOUR
    for asset, power_kw in (("battery", result.series.battery_kw), ("peaker", result.series.peaker_kw)):
        of_asset = {
            start: list(group)
            for start, group in groupby(
                (one for one in trades if one.asset == asset), key=lambda one: one.start
            )
        }
        expected = dict(zip(result.series.times, (power_kw * hours).tolist(), strict=True))
        sold = {start: sum(one.energy_kwh for one in of_asset[start]) for start in expected}
        assert sold == pytest.approx(expected, abs=1e-6)
        worth = sum(one.value_usd or 0.0 for one in trades if one.asset == asset)
        prices = result.series.price_usd_per_mwh
        assert worth == pytest.approx(float((power_kw * hours * prices).sum()) / 1000.0)


# -- a store that is away ---------------------------------------------------------------------


def test_what_a_store_that_is_away_did_not_take_goes_with_the_next_write_in_its_newest_version() -> None:
    store = Away()
    outbox = Outbox(store)
    quote = PriceQuote(AREA_SITE, START, 300.0, 1.0, None)
    done = AssetDispatch(AREA_SITE, "battery", START, 5.0, 1.0, 1.0)
    store.away = True
    outbox.write_quotes([quote])
    outbox.write_settled([done], [])
    outbox.write_settled([replace(done, duration_s=10.0)], [])
    assert outbox.waiting == 2
    store.away = False
    outbox.write_settled([replace(done, asset="peaker")], [])
    assert outbox.waiting == 0
    assert store.quotes == {START: quote}
    assert [(key[0], one.duration_s) for key, one in store.done.items()] == [
        ("battery", 10.0),
        ("peaker", 5.0),
    ]


def test_a_price_is_asked_for_until_it_is_known_and_then_remembered(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "telemetry.db") as store:
        prices = IntervalPrices(store, 300.0)
        assert prices.at(START) is None
        for k in range(8):
            store.write_quotes([PriceQuote(AREA_SITE, START + k * INTERVAL, 300.0, 40.0 + k, None)])
        inside = timedelta(seconds=299)
        assert [prices.at(START + k * INTERVAL + inside) for k in range(8)] == [40.0 + k for k in range(8)]
    assert prices.at(START + 7 * INTERVAL) == 47.0  # the store is closed
    assert prices.at(START + 8 * INTERVAL) is None
