"""The plan against accounts that are written out again here, and what the assets of a view can do."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.market import RAMP_PENALTY_USD_PER_KWH
from policies.asset_ranges import battery_range_kw, peaker_range_kw, started_range_kw
from policies.errors import PlanError
from policies.horizon import Array, grid_of, outlook_of
from policies.plan import CASE_SPREAD, Plan, injected_before_kw, make_plan
from policies.view import ForecastView, GridView

CHANGES = st.floats(-4_000, 4_000)
WIDTHS = st.floats(0, 700)
"""So that the plan's cases stay under the ramp limit."""


def plan_of(view: GridView) -> Plan:
    outlook = outlook_of(view)
    return make_plan(view, outlook, *peaker_range_kw(view, outlook.grid))


def priced(view: GridView, price_usd_per_mwh: float) -> GridView:
    """The same price now, day-ahead and at the settlement."""
    ahead = tuple((at, price_usd_per_mwh) for at, _ in view.prices_ahead)
    return replace(
        view,
        price_usd_per_mwh=price_usd_per_mwh,
        prices_ahead=ahead,
        settlement_price_usd_per_mwh=price_usd_per_mwh,
    )


def two_hours_left(view: GridView) -> GridView:
    """All of them planned by intervals."""
    return replace(view, day_end=view.now + timedelta(hours=2))


def penalty_usd(view: GridView, plan: Plan, injected_kw: Array) -> float:
    """1/6, 2/3 and 1/6 of what a low, the expected and a high case of every metered change would cost."""
    outlook, fine, window = plan.outlook, plan.outlook.grid.fine, plan.outlook.grid.window
    line = np.concatenate((injected_before_kw(view, window), injected_kw[:fine]))
    halves = np.concatenate(([injected_kw[fine - window : fine].mean()], injected_kw[fine:]))
    before = np.concatenate((line[:fine], halves[:-1]))
    change = outlook.change_kw - (injected_kw - before)
    below_kw, above_kw = CASE_SPREAD * outlook.below_kw, CASE_SPREAD * outlook.above_kw
    cases = ((1 / 6, change - below_kw), (2 / 3, change), (1 / 6, change + above_kw))
    excess = sum(odds * np.maximum(0, np.abs(case) - view.ramp_limit_kw) for odds, case in cases)
    return float(np.nansum(excess * outlook.grid.hours)) * RAMP_PENALTY_USD_PER_KWH


def flows_kw(view: GridView, plan: Plan) -> tuple[Array, Array]:
    """What the plan charges and discharges at each step; it may overlap the two to lose energy."""
    stored_kw = np.diff(plan.stored_kwh, prepend=view.soc_kwh) / plan.outlook.grid.hours
    eta = view.battery.one_way_efficiency
    out_kw = (stored_kw + eta * plan.battery_kw) / (eta - 1 / eta)
    return out_kw - plan.battery_kw, out_kw


def energy_cost_usd(view: GridView, plan: Plan, charge_kw: Array, discharge_kw: Array) -> float:
    """Wear less income, and what the settlement buys back."""
    hours, price = plan.outlook.grid.hours, plan.outlook.price_usd_per_mwh
    eta = view.battery.one_way_efficiency
    out_kwh, in_kwh = discharge_kw * hours, charge_kw * hours
    stored_kwh = view.soc_kwh - out_kwh.sum() / eta + in_kwh.sum() * eta
    missing_kwh = max(0.0, view.battery.initial_soc * view.battery.energy_kwh - stored_kwh)
    cost = (
        ((in_kwh - out_kwh) * price).sum()
        + out_kwh.sum() * view.battery.wear_usd_per_mwh
        + missing_kwh / eta * plan.outlook.settlement_usd_per_mwh
    )
    return float(cost) / 1000


@st.composite
def ramps(draw: st.DrawFn, calm: GridView) -> GridView:
    """An afternoon that begins in the middle of a ramp, and its expected course."""
    slope, p50_kw = draw(CHANGES), draw(CHANGES)
    native = tuple(10_000 - slope * (6 - k) / 6 for k in range(7))
    band = ForecastView(calm.now, p50_kw - draw(WIDTHS), p50_kw, p50_kw + draw(WIDTHS))
    view = replace(calm, native_kw=native, metered_kw=native, forecast=band)
    view = replace(view, soc_kwh=draw(st.floats(0, 2_000)), price_usd_per_mwh=draw(st.floats(0, 200)))
    period = draw(st.integers(5, 30))
    outlook = tuple(10_000 + 5_000 * math.sin(k / period) for k in range(80))
    return draw(st.sampled_from([two_hours_left(view), replace(view, outlook_kw=outlook)]))


@settings(max_examples=60)
@given(st.data())
def test_a_plans_cost_is_what_its_schedule_costs_by_the_accounts(calm: GridView, data: st.DataObject) -> None:
    view = data.draw(ramps(calm))
    plan = plan_of(view)
    expected = penalty_usd(view, plan, plan.battery_kw)
    assert plan.penalty_usd == pytest.approx(expected, abs=1e-3)
    energy = energy_cost_usd(view, plan, *flows_kw(view, plan))
    assert plan.cost_usd == pytest.approx(expected + energy, abs=1e-3)


@settings(max_examples=60)
@given(st.data())
def test_no_schedule_is_expected_to_cost_less_than_the_plan(calm: GridView, data: st.DataObject) -> None:
    view = data.draw(ramps(calm))
    plan = plan_of(view)
    other_kw = np.zeros(plan.outlook.grid.steps)
    power_kw = data.draw(st.floats(-30, 30))  # small enough to last for six hours
    other_kw[: -plan.outlook.grid.idle] = power_kw if 200 < view.soc_kwh < 1_800 else 0.0
    flows = np.maximum(-other_kw, 0), np.maximum(other_kw, 0)
    cost_usd = penalty_usd(view, plan, other_kw) + energy_cost_usd(view, plan, *flows)
    assert plan.cost_usd <= cost_usd + 1e-6


def test_the_battery_stores_what_it_takes_less_its_losses(calm: GridView) -> None:
    view = replace(calm, price_usd_per_mwh=5.0)
    plan = plan_of(view)
    hours, eta = plan.outlook.grid.hours, math.sqrt(0.9)
    flow_kwh = np.where(plan.battery_kw > 0, plan.battery_kw / eta, plan.battery_kw * eta) * hours
    assert plan.battery_kw[0] < 0
    assert plan.stored_kwh == pytest.approx(view.soc_kwh - np.cumsum(flow_kwh))


def test_the_assets_stand_still_after_the_day(calm: GridView) -> None:
    ramp = tuple(7_000.0 + 500 * k for k in range(7))
    view = two_hours_left(replace(calm, native_kw=ramp, metered_kw=ramp, peaker_on=True))
    plan = plan_of(view)
    idle = plan.outlook.grid.idle
    assert idle == 6
    assert not plan.battery_kw[-idle:].any()
    assert not plan.peaker_kw[-idle:].any()
    assert plan.battery_kw[:-idle].any()
    assert plan.peaker_kw[:-idle].any()


def test_stored_energy_beyond_the_start_is_sold_by_the_end_of_the_day(calm: GridView) -> None:
    plan = plan_of(two_hours_left(replace(calm, soc_kwh=1_800.0)))
    assert plan.stored_kwh[-1] == pytest.approx(1_000)


def test_stored_energy_that_is_missing_is_bought_before_a_dearer_settlement_only(calm: GridView) -> None:
    short = replace(two_hours_left(calm), soc_kwh=600.0)
    dear = plan_of(replace(short, settlement_price_usd_per_mwh=60.0))
    assert dear.stored_kwh[-1] == pytest.approx(1_000)
    cheap = plan_of(replace(short, settlement_price_usd_per_mwh=30.0))
    assert cheap.stored_kwh[-1] < 1_000


def test_no_more_is_discharged_than_the_days_cycles_leave(calm: GridView) -> None:
    dear = replace(calm, soc_kwh=2_000.0, price_usd_per_mwh=900.0, cycles_today=1.9)
    plan = plan_of(dear)
    cells_kwh = (np.maximum(plan.battery_kw, 0) * plan.outlook.grid.hours).sum() / math.sqrt(0.9)
    assert cells_kwh == pytest.approx(0.1 * 2_000)
    assert not (plan_of(replace(dear, cycles_today=2.5)).battery_kw > 1e-6).any()


@pytest.mark.parametrize(("soc_kwh", "side"), [(-50.0, 1.0), (2_050.0, -0.1)])
def test_a_battery_outside_its_bounds_moves_no_further_out(
    calm: GridView, soc_kwh: float, side: float
) -> None:
    tempting = replace(calm, soc_kwh=soc_kwh, price_usd_per_mwh=500.0 * side)
    assert side * plan_of(tempting).battery_kw[0] <= 1e-6


def test_a_change_that_is_not_known_carries_no_penalty(calm: GridView) -> None:
    ramp = tuple(5_000.0 + 800 * k for k in range(7))
    view = replace(calm, native_kw=ramp, metered_kw=ramp)
    assert plan_of(view).penalty_usd > 0
    unknown = replace(view, native_kw=(*ramp[:-1], None))
    assert plan_of(unknown).penalty_usd == 0
    cheap = replace(calm, price_usd_per_mwh=5.0)
    assert plan_of(cheap).battery_kw[0] > -990  # more might pass the limit, by the band
    blind = replace(cheap, native_kw=(*cheap.native_kw[:-1], None))
    assert plan_of(blind).battery_kw[0] == pytest.approx(-1_000)


def test_a_number_that_is_not_finite_is_an_error_that_says_which(calm: GridView) -> None:
    with pytest.raises(PlanError, match=r"price or cost is not finite; leave a missing one None"):
        plan_of(replace(calm, price_usd_per_mwh=math.nan))
    with pytest.raises(PlanError, match=r"price or cost is not finite"):
        plan_of(replace(calm, settlement_price_usd_per_mwh=math.inf))
    with pytest.raises(PlanError, match=r"net load or stored energy is not finite"):
        plan_of(replace(calm, soc_kwh=math.nan))


def test_numbers_that_contradict_each_other_are_an_error(calm: GridView) -> None:
    with pytest.raises(PlanError, match=r"2026-03-01T12:00"):
        plan_of(replace(calm, ramp_limit_kw=-10.0))


# -- what the assets can do -----------------------------------------------------------------------


def test_past_injection_is_native_less_metered_and_none_where_a_meter_has_a_gap(calm: GridView) -> None:
    native = (None, 100.0, 200.0, 300.0)
    metered = (50.0, 150.0, None, 100.0)
    view = replace(calm, native_kw=native, metered_kw=metered)
    assert injected_before_kw(view, 4).tolist() == [0, -50, 0, 200]
    assert injected_before_kw(view, 2).tolist() == [0, 200]
    assert injected_before_kw(view, 6).tolist() == [0, 0, 0, -50, 0, 200]


def test_the_battery_offers_what_energy_and_cycles_sustain_for_an_interval(calm: GridView) -> None:
    eta, hours = math.sqrt(0.9), 1 / 12
    assert battery_range_kw(calm) == (-1_000, 1_000)
    assert battery_range_kw(replace(calm, soc_kwh=30.0))[1] == pytest.approx(30 * eta / hours)
    assert battery_range_kw(replace(calm, soc_kwh=1_980.0))[0] == pytest.approx(-20 / eta / hours)
    tired = replace(calm, cycles_today=1.99)
    assert battery_range_kw(tired) == pytest.approx((-1_000, 0.01 * 2_000 * eta / hours))
    assert battery_range_kw(replace(calm, cycles_today=3.0)) == (-1_000, 0)


def test_a_peaker_that_is_off_offers_nothing(calm: GridView) -> None:
    low_kw, high_kw = peaker_range_kw(calm, grid_of(calm))
    assert not low_kw.any()
    assert not high_kw.any()


def test_a_running_peaker_keeps_its_minimum_until_its_minimum_up_time_ends(calm: GridView) -> None:
    view = replace(calm, peaker_on=True, peaker_kw=500.0, peaker_in_state_s=2_850.0)
    low_kw, high_kw = peaker_range_kw(view, grid_of(view))
    assert low_kw[:4].tolist() == pytest.approx([300, 300, 150, 0])  # 750 s are left
    assert not low_kw[4:].any()
    assert (high_kw[:18] == 1_000).all()  # for little more than a minimum up time
    assert not high_kw[18:].any()


def test_a_start_that_is_asked_for_now_acts_an_interval_later_and_an_approved_one_at_once(
    calm: GridView,
) -> None:
    grid = grid_of(calm)
    low_kw, high_kw = started_range_kw(calm, grid)
    assert (low_kw[0], high_kw[0]) == (0, 0)
    assert low_kw[1:13].tolist() == [300] * 12
    assert low_kw[13:] == pytest.approx(np.zeros(grid.steps - 13))
    low_kw, high_kw = started_range_kw(replace(calm, peaker_start="approved"), grid)
    assert (low_kw[0], high_kw[0]) == (300, 1_000)
    assert low_kw[11:13].tolist() == pytest.approx([300, 0])
