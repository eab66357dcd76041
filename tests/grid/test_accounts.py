from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from grid.accounts import (
    Array,
    DayAccounts,
    DayInput,
    RunAccounts,
    day_input,
    settle_no_action,
    settle_run,
)
from grid.assets import BatterySpec, PeakerSpec
from grid.day_set import set_figures
from grid.errors import AccountsError

BATTERY = BatterySpec(power_kw=1000.0, energy_kwh=2000.0)
PEAKER = PeakerSpec(power_kw=1000.0, min_power_kw=300.0, start_usd=60.0)
N = 96


def flat_day(price: float = 50.0, level_kw: float = 10_000.0, limit_kw: float = 500.0) -> DayInput:
    native, before, after = (np.full(n, level_kw) for n in (N, 2, 2))
    return DayInput(900.0, native, before, after, np.full(N, price), limit_kw)


def schedule(**powers_kw: float) -> Array:
    """Zeros, with ``at10=500.0`` for 500 kW in interval 10."""
    line = np.zeros(N)
    for name, power_kw in powers_kw.items():
        line[int(name.removeprefix("at"))] = power_kw
    return line


IDLE = schedule()


def test_a_still_day_costs_nothing() -> None:
    assert settle_no_action(flat_day()).cost_usd == 0.0
    assert settle_run(flat_day(), IDLE, IDLE, BATTERY, PEAKER).cost_usd == 0.0


def test_the_penalty_counts_what_lies_beyond_the_limit_in_both_directions() -> None:
    day = flat_day()
    day.native_kw[40] += 800.0  # up against interval 38, and down again from it to interval 42
    assert settle_no_action(day).ramp_penalty_usd == pytest.approx(2 * 300.0 * 0.25 * 0.25)


def test_discharging_lowers_the_meter_and_so_relieves_an_upward_ramp() -> None:
    day = flat_day()
    day.native_kw[40] += 800.0
    assert settle_run(day, schedule(at40=300.0), IDLE, BATTERY, PEAKER).ramp_penalty_usd == 0.0
    worse = settle_run(day, schedule(at40=-300.0), IDLE, BATTERY, PEAKER)
    assert worse.ramp_penalty_usd == pytest.approx(2 * 600.0 * 0.25 * 0.25)


def test_dropping_the_assets_at_the_end_of_the_day_is_penalised_in_the_half_hour_after() -> None:
    run = settle_run(flat_day(), schedule(at95=800.0), IDLE, BATTERY, PEAKER)
    assert run.ramp_penalty_usd == pytest.approx(2 * 300.0 * 0.25 * 0.25)


def test_a_change_with_a_missing_end_carries_no_penalty() -> None:
    day = flat_day()
    day.native_kw[40:] += 800.0
    day.after_kw[:] += 800.0
    day.native_kw[[38, 39]] = np.nan
    assert settle_no_action(day).ramp_penalty_usd == 0.0


def test_energy_earns_the_real_time_price_less_wear_and_settlement() -> None:
    eta = BATTERY.one_way_efficiency
    run = settle_run(flat_day(), schedule(at40=400.0), IDLE, BATTERY, PEAKER)
    sold_mwh = 0.1
    assert run.energy_profit_usd == pytest.approx(
        sold_mwh * 50.0 - sold_mwh * 10.0 - sold_mwh / eta / eta * 50.0
    )
    assert run.battery_cycles == pytest.approx(100.0 / eta / 2000.0)


def test_a_surplus_at_the_end_is_worth_nothing() -> None:
    run = settle_run(flat_day(), schedule(at40=-400.0), IDLE, BATTERY, PEAKER)
    assert run.energy_profit_usd == pytest.approx(-0.1 * 50.0)


def test_missing_energy_costs_nothing_when_the_mean_price_is_negative() -> None:
    run = settle_run(flat_day(price=-20.0), schedule(at40=400.0), IDLE, BATTERY, PEAKER)
    assert run.energy_profit_usd == pytest.approx(-0.1 * 20.0 - 0.1 * 10.0)


def test_energy_without_a_price_carries_no_money_but_its_wear_does() -> None:
    day = flat_day()
    day.price_usd_per_mwh[40] = np.nan
    run = settle_run(day, schedule(at40=400.0, at60=-500.0), IDLE, BATTERY, PEAKER)
    assert run.energy_profit_usd == pytest.approx(-0.1 * 10.0 - 0.125 * 50.0)


def test_the_peaker_pays_fuel_and_each_of_its_starts() -> None:
    run = settle_run(flat_day(), IDLE, schedule(at10=400.0, at11=400.0, at50=400.0), BATTERY, PEAKER)
    assert run.energy_profit_usd == pytest.approx(0.3 * (50.0 - 90.0) - 2 * 60.0)


def test_a_schedule_with_a_missing_power_is_refused() -> None:
    with pytest.raises(AccountsError, match="battery_kw"):
        settle_run(flat_day(), schedule(at4=float("nan")), IDLE, BATTERY, PEAKER)


START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def means(first: datetime, values: list[float]) -> pd.DataFrame:
    index = pd.date_range(first, periods=len(values), freq="15min", name="ts_utc")
    return pd.DataFrame({"net_load_kw": values, "price_usd_per_mwh": 30.0}, index=index)


def test_neighbouring_half_hours_come_from_the_file() -> None:
    frame = means(START - timedelta(minutes=30), [1.0, 2.0, *range(10, 14), 20.0, 21.0, 99.0])
    day = day_input(frame, START, START + timedelta(hours=1), interval_s=900.0, ramp_limit_kw=5.0)
    assert (list(day.before_kw), list(day.native_kw), list(day.after_kw)) == (
        [1, 2],
        [10, 11, 12, 13],
        [20, 21],
    )


def test_without_neighbours_the_first_and_the_last_value_are_held() -> None:
    frame = means(START, [10.0, 11.0, 12.0, 13.0])
    later = means(START + timedelta(hours=3), [50.0])
    day = day_input(
        pd.concat((frame, later)), START, START + timedelta(hours=1), interval_s=900.0, ramp_limit_kw=5.0
    )
    assert (list(day.before_kw), list(day.after_kw)) == ([10, 10], [13, 13])


def test_an_interval_that_the_file_lacks_stays_missing() -> None:
    frame = means(START, [10.0, 11.0, 12.0, 13.0]).drop(pd.Timestamp(START + timedelta(minutes=15)))
    day = day_input(frame, START, START + timedelta(hours=1), interval_s=900.0, ramp_limit_kw=5.0)
    assert np.isnan(day.native_kw[1])
    assert np.isnan(day.price_usd_per_mwh[1])


def test_a_day_without_net_load_is_an_error() -> None:
    with pytest.raises(AccountsError, match="choose another day"):
        day_input(means(START, [1.0]), START + timedelta(days=1), START + timedelta(days=2),
                  interval_s=900.0, ramp_limit_kw=5.0)  # fmt: skip


def accounts(no_action: float, ours: float, perfect: float) -> DayAccounts:
    """A day out of penalties alone."""
    runs = [RunAccounts(penalty, 0.0) for penalty in (no_action, ours, perfect)]
    return DayAccounts(runs[0], runs[1], runs[2], perfect)


def test_perfect_foresight_is_never_worse_than_a_run() -> None:
    with pytest.raises(AccountsError, match="below perfect foresight"):
        accounts(100.0, 10.0, 20.0)


def test_capture_of_a_set_comes_from_sums_and_tiny_days_get_no_ratio() -> None:
    figures = set_figures([accounts(100.0, 50.0, 0.0), accounts(300.0, 60.0, 0.0), accounts(1.0, 9.0, 0.0)])
    assert figures.value_capture == pytest.approx((50.0 + 240.0 - 8.0) / 401.0)
    assert figures.day_captures == (0.5, 0.8, None)
    assert figures.mean == pytest.approx(0.65)
    assert figures.worst == 0.5
    assert figures.ramp_relief == pytest.approx(1 - 119.0 / 401.0)
    assert figures.trade_share is None
    assert figures.bootstrap_error is not None


def test_a_set_without_days_has_no_figures() -> None:
    assert set_figures([]).value_capture is None
