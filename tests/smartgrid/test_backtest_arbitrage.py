"""The trading backtest: its schedule keeps every limit, and no decision knows what comes after it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from grid.assets import BatterySpec
from grid.storage_value import StorageSteps
from pipeline.errors import TrainingError
from pipeline.trading import learning
from pipeline.trading.market_table import MarketTable
from pipeline.trading.value_model import Inputs
from smartgrid.backtests.arbitrage import (
    GROWTH,
    OURS,
    THRESHOLDS,
    YESTERDAY,
    backtest_arbitrage,
    our_levels,
)
from smartgrid.backtests.arbitrage_files import PriceFiles, read_market
from smartgrid.backtests.settlement import Settlement
from smartgrid.cli.backtest_arbitrage import arbitrage

UNTIL = datetime(2024, 2, 14, tzinfo=UTC)
BATTERY = BatterySpec(1000.0, 4000.0)
ETA = BATTERY.one_way_efficiency


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to trade by, quick to grow."""
    for name in ("_FIRST", "_FINAL", "_PRICE"):
        monkeypatch.setattr(learning, name, learning._Fit(8, 0.4, 3))


def frame() -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=60 * 48, freq="30min", tz="UTC", name="ts_utc")
    random = np.random.default_rng(5)
    day = 45.0 - 25.0 * np.cos(2 * np.pi * (np.arange(len(index)) % 48) / 48)
    weather = np.repeat(random.normal(0.0, 8.0, 60), 48)
    price = day + weather + random.normal(0.0, 6.0, len(index))
    price[random.integers(0, len(index), 60)] += 150.0
    price[random.integers(0, len(index), 30)] = np.nan
    price[-200] = np.nan
    demand = 4000.0 + 40.0 * (day + weather)
    columns = {"zone_usd_per_mwh": price, "ahead_usd_per_mwh": day + weather, "demand_mw": demand}
    return pd.DataFrame(columns, index)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    frame().to_csv(path, date_format="%Y-%m-%dT%H:%M:%SZ")
    return path


def table_of(rows: pd.DataFrame) -> MarketTable:
    price, net_load = rows["zone_usd_per_mwh"], rows["demand_mw"]
    return MarketTable.of(price, frame()["ahead_usd_per_mwh"], 1800.0, ZoneInfo("UTC"), net_load)


@pytest.fixture
def command() -> Iterator[typer.Typer]:
    app = typer.Typer()
    app.command()(arbitrage)
    yield app


def run(app: typer.Typer, file: Path, out: Path, *more: str) -> dict[str, Any]:
    columns = ["--price", "zone_usd_per_mwh", "--da-price", "ahead_usd_per_mwh"]
    words = [str(file), *columns, "--train-until", UNTIL.isoformat(), "--out", str(out), "--json", *more]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("settlement", list(Settlement))
def test_the_schedule_keeps_power_energy_and_balance_and_never_trades_without_a_price(
    command: typer.Typer, file: Path, tmp_path: Path, settlement: Settlement
) -> None:
    document = run(command, file, tmp_path / "out", "--settlement", settlement.value)
    rows = pd.read_csv(tmp_path / "out" / "schedule.csv")
    assert list(rows) == ["ts_utc", "power_kw", "soc_kwh", "price_usd_per_mwh"]
    expected = frame()[frame().index >= UNTIL]
    assert list(pd.to_datetime(rows["ts_utc"])) == list(expected.index)
    assert rows["power_kw"].abs().max() <= BATTERY.power_kw + 1e-6
    assert rows["soc_kwh"].between(-1e-6, BATTERY.energy_kwh + 1e-6).all()
    assert rows["price_usd_per_mwh"].isna().any()
    assert (rows.loc[rows["price_usd_per_mwh"].isna(), "power_kw"] == 0).all()
    kwh = rows["power_kw"] * 0.5
    steps = -np.where(kwh > 0, kwh / ETA, kwh * ETA)
    before = np.concatenate(([0.5 * BATTERY.energy_kwh], rows["soc_kwh"].to_numpy()[:-1]))
    np.testing.assert_allclose(rows["soc_kwh"], before + steps, atol=1e-6)
    profit = np.nansum(rows["price_usd_per_mwh"] * kwh / 1000) - 10.0 * kwh[kwh > 0].sum() / 1000
    assert document["profit"] == pytest.approx(profit)
    assert document["profit"] > 0
    assert document["perfect_foresight"] > document["profit"]


@pytest.mark.parametrize("settlement", list(Settlement))
def test_no_decision_changes_when_the_future_is_cut_or_made_up(settlement: Settlement) -> None:
    rows = frame()
    cut = 56 * 48 + 11  # after values were learnt anew
    assert cut > (44 * 48) * (1 + GROWTH)
    whole = backtest_arbitrage(table_of(rows), BATTERY, train_until=UNTIL, settlement=settlement).schedule
    wrong = rows.copy()
    wrong.iloc[cut + 1 :, 0] = np.where(np.arange(len(rows) - cut - 1) % 2, -500.0, 3000.0)
    wrong.iloc[cut:, 2] = 99_000.0
    for other in (rows.iloc[: cut + 1], wrong):
        again = backtest_arbitrage(table_of(other), BATTERY, train_until=UNTIL, settlement=settlement)
        until = again.schedule["ts_utc"] <= rows.index[cut]
        pd.testing.assert_frame_equal(again.schedule[until], whole[whole["ts_utc"] <= rows.index[cut]])


def test_a_lagged_power_does_not_depend_on_its_own_price() -> None:
    rows = frame()
    at = 50 * 48 + 7
    table = table_of(rows)
    steps = StorageSteps.of(BATTERY, table.interval_s)
    until = int(table.index.searchsorted(pd.Timestamp(UNTIL)))
    model = learning.learn(Inputs.of(table, steps), until, clears=False)
    moved = []
    for price in (-300.0, 3000.0):
        rows.iloc[at, 0] = price
        again = Inputs.of(table_of(rows), steps)
        levels = our_levels(again, model, np.array([at]), Settlement.LAGGED)
        moved.append(levels.after(np.array([2000.0]), steps)[0] - 2000.0)
    assert moved[0] == moved[1]


def test_a_bid_clears_at_its_own_price() -> None:
    rows = frame()
    at = 50 * 48 + 7
    table = table_of(rows)
    steps = StorageSteps.of(BATTERY, table.interval_s)
    until = int(table.index.searchsorted(pd.Timestamp(UNTIL)))
    model = learning.learn(Inputs.of(table, steps), until, clears=True)
    moved = []
    for price in (-300.0, 3000.0):
        rows.iloc[at, 0] = price
        again = Inputs.of(table_of(rows), steps)
        levels = our_levels(again, model, np.array([at]), Settlement.BID)
        moved.append(levels.after(np.array([2000.0]), steps)[0] - 2000.0)
    assert moved[0] > 0 > moved[1]


def test_the_learnt_value_beats_both_references_on_a_plain_market(
    command: typer.Typer, file: Path, tmp_path: Path
) -> None:
    strategies = run(command, file, tmp_path / "out")["strategies"]
    assert strategies[OURS]["profit"] > strategies[THRESHOLDS]["profit"]
    assert strategies[OURS]["profit"] > strategies[YESTERDAY]["profit"]


def test_rows_that_the_file_lacks_are_not_invented(command: typer.Typer, tmp_path: Path) -> None:
    rows = frame()
    gone = rows.index[2500:2510]
    path = tmp_path / "gap.csv"
    rows.drop(gone).to_csv(path, date_format="%Y-%m-%dT%H:%M:%SZ")
    run(command, path, tmp_path / "out")
    times = pd.to_datetime(pd.read_csv(tmp_path / "out" / "schedule.csv")["ts_utc"])
    assert list(times) == [at for at in rows.index if at >= UNTIL and at not in gone]


def test_day_ahead_prices_may_come_from_another_file(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "ahead.csv"
    hourly = frame()["ahead_usd_per_mwh"].iloc[::2]
    hourly.to_csv(other, date_format="%Y-%m-%dT%H:%M:%SZ")
    files = PriceFiles(file, "zone_usd_per_mwh", "ahead_usd_per_mwh", other)
    table, reports = read_market(files, ZoneInfo("UTC"))
    assert [report.path for report in reports] == [str(file), str(other)]
    np.testing.assert_allclose(table.known.path[:24, 0], hourly.to_numpy()[:24])


def test_net_load_of_the_file_is_learnt_from(file: Path) -> None:
    files = PriceFiles(file, "zone_usd_per_mwh", "ahead_usd_per_mwh")
    table, _ = read_market(files, ZoneInfo("UTC"))
    demand = frame()["demand_mw"].to_numpy()
    for at in (1500, 2500):
        top = demand[at - 28 * 48 : at].max()
        assert table.signal("load_of_top", np.array([at]))[0] == pytest.approx(demand[at - 1] / top, rel=1e-5)


def test_too_short_a_past_is_named() -> None:
    with pytest.raises(TrainingError, match="at least 2000"):
        backtest_arbitrage(table_of(frame()), BATTERY, train_until=datetime(2024, 1, 20, tzinfo=UTC))


def test_recorded_prices_of_a_zone_are_read_with_their_day_ahead_prices(data_dir: Path) -> None:
    files = PriceFiles(data_dir / "aemo_vic_demand_price_5min_2024_2025H1.csv.gz", None, tz=None, mapping={})
    table, reports = read_market(files, ZoneInfo("Australia/Melbourne"))
    assert reports[0].currency == "AUD"
    assert table.per_hour == 12
    assert not np.isnan(table.known.path[24 * 30 :, 0]).any()
