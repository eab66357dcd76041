from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from policies import response, trading
from policies.arbiter import Claim, merge
from policies.asset_ranges import started_range_kw
from policies.horizon import outlook_of
from policies.plan import make_plan
from policies.principal import PRIORITY_RESPONSE, PRIORITY_TRADING
from policies.view import Decision, ForecastView, GridView, PeakerStart


def of_asset(decisions: tuple[Decision, ...], asset: str) -> Decision | None:
    """The decision on an asset, of which there is at most one."""
    found = [decision for decision in decisions if decision.asset == asset]
    assert len(found) <= 1
    return found[0] if found else None


def battery(view: GridView) -> Decision | None:
    return of_asset(response.decide(view), "battery")


def peaker(view: GridView) -> Decision | None:
    return of_asset(response.decide(view), "peaker")


def changing(
    view: GridView, before_kw: float, ahead_kw: float, below_kw: float = 100.0, above_kw: float = 100.0
) -> GridView:
    """Net load changed by ``before_kw`` over the last 30 minutes and will by ``ahead_kw`` over the next."""
    measured = tuple(10_000.0 - before_kw * (6 - k) / 6 for k in range(7))
    band = ForecastView(view.now - timedelta(minutes=5), ahead_kw - below_kw, ahead_kw, ahead_kw + above_kw)
    return replace(view, native_kw=measured, metered_kw=measured, forecast=band)


def priced(view: GridView, price_usd_per_mwh: float) -> GridView:
    """The same price now, day-ahead and at the settlement."""
    ahead = tuple((at, price_usd_per_mwh) for at, _ in view.prices_ahead)
    return replace(
        view,
        price_usd_per_mwh=price_usd_per_mwh,
        prices_ahead=ahead,
        settlement_price_usd_per_mwh=price_usd_per_mwh,
    )


@pytest.fixture
def start_pays(calm: GridView) -> GridView:
    """A steep rise, an empty battery, and a price near the peaker's fuel."""
    return replace(changing(priced(calm, 85.0), 2_400, 2_400), soc_kwh=0.0)


def running(view: GridView, power_kw: float, in_state_s: float) -> GridView:
    """A peaker at this power for the last half hour."""
    metered = tuple(None if native is None else native - power_kw for native in view.native_kw)
    return replace(view, metered_kw=metered, peaker_on=True, peaker_kw=power_kw, peaker_in_state_s=in_state_s)


# -- when it acts ---------------------------------------------------------------------------------


def test_a_quiet_grid_needs_no_response(calm: GridView) -> None:
    assert response.decide(calm) == ()


def test_an_open_event_alone_makes_it_hold_the_battery(calm: GridView) -> None:
    decisions = response.decide(replace(calm, event_id="event-1"))
    assert [decision.asset for decision in decisions] == ["battery"]


def test_a_running_peaker_alone_is_steered_and_the_battery_left_alone(calm: GridView) -> None:
    decisions = response.decide(running(calm, 500.0, 600.0))
    assert [decision.asset for decision in decisions] == ["peaker"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_acts_on_the_band_and_not_on_its_mean(calm: GridView, sign: float) -> None:
    narrow = changing(calm, sign * 960, 0)
    wide = changing(calm, sign * 960, 0, below_kw=2_000, above_kw=2_000)
    assert narrow.forecast is not None
    assert wide.forecast is not None
    assert narrow.forecast.p50_kw == wide.forecast.p50_kw
    assert response.decide(narrow) == ()
    acting = battery(wide)
    assert acting is not None
    assert sign * acting.power_kw > 0


def test_only_the_side_of_the_band_that_can_pass_the_limit_counts(calm: GridView) -> None:
    assert battery(changing(calm, 960, 0, below_kw=1_500, above_kw=100)) is None
    assert battery(changing(calm, 960, 0, below_kw=100, above_kw=1_500)) is not None


def test_a_ramp_that_is_not_near_needs_no_response(calm: GridView) -> None:
    """Not even a start that would earn its cost: that is no matter of stability yet."""
    later = tuple(10_000.0 + 800 * max(0, k - 12) for k in range(80))
    assert response.decide(replace(priced(calm, 200.0), soc_kwh=0.0, outlook_kw=later)) == ()


def test_it_sees_what_its_own_dispatch_does_to_the_meter(calm: GridView) -> None:
    """Native net load is level, but half an hour ago the battery began to charge and then it stopped."""
    metered = tuple(native + 1_200 for native in calm.native_kw if native is not None)
    assert battery(replace(calm, metered_kw=metered, battery_kw=0.0)) is not None
    assert response.decide(replace(calm, metered_kw=metered, battery_kw=-1_000.0)) == ()


def test_the_newest_net_load_is_never_made_up(calm: GridView) -> None:
    blind = replace(changing(calm, 2_400, 2_400), event_id="event-1")
    assert battery(blind) is not None
    assert response.decide(replace(blind, native_kw=(*blind.native_kw[:-1], None))) == ()


def test_intervals_without_a_ramp_to_pay_for_need_no_response(calm: GridView) -> None:
    hourly = replace(calm, interval_s=3600.0, native_kw=(0.0, 9e4), metered_kw=(0.0, 9e4), event_id="event-1")
    assert response.decide(hourly) == ()


# -- signs, and what the battery leaves to trading --------------------------------------------------


@pytest.mark.parametrize("forecast", [True, False])
def test_rising_net_load_discharges_and_falling_net_load_charges(calm: GridView, forecast: bool) -> None:
    for change_kw in (1_500.0, -1_500.0):
        view = changing(calm, change_kw, change_kw / 5)
        decision = battery(view if forecast else replace(view, forecast=None))
        assert decision is not None
        assert decision.power_kw * change_kw > 0
        assert decision.duration_s == view.interval_s


def test_the_reason_names_the_change_the_limit_and_the_power(calm: GridView) -> None:
    decision = battery(changing(calm, 1_500, 300))
    assert decision is not None
    assert "change of +1300 kW" in decision.reason
    assert "limit 1000 kW" in decision.reason
    assert f"battery {decision.power_kw:+.0f} kW" in decision.reason


@pytest.mark.parametrize("before_kw", [600.0, -600.0])
def test_trading_is_left_what_keeps_the_whole_band_within_the_limit(calm: GridView, before_kw: float) -> None:
    view = replace(changing(calm, before_kw, 0, below_kw=250, above_kw=350), event_id="event-1")
    decision = battery(view)
    assert decision is not None
    outlook = outlook_of(view)
    change_kw = outlook.change_kw[0]
    lowest = change_kw + outlook.above_kw[0] - 1_000
    highest = change_kw - outlook.below_kw[0] + 1_000
    assert decision.lower_kw == pytest.approx(max(-1_000, lowest))
    assert decision.upper_kw == pytest.approx(min(1_000, highest))


def test_a_band_that_is_wider_than_the_limit_leaves_trading_nothing(calm: GridView) -> None:
    decision = battery(changing(calm, 900, 0, below_kw=9_000, above_kw=9_000))
    assert decision is not None
    assert decision.lower_kw == decision.power_kw == decision.upper_kw
    selling = replace(changing(calm, 0, 0, below_kw=6_000, above_kw=6_000), event_id="event-1")
    decision = battery(replace(selling, price_usd_per_mwh=900.0))
    assert decision is not None
    assert decision.lower_kw == decision.power_kw == decision.upper_kw == 1_000


def test_an_empty_battery_is_not_asked_to_discharge(calm: GridView) -> None:
    decision = battery(replace(changing(calm, 1_500, 300), soc_kwh=0.0))
    assert decision is not None
    assert decision.power_kw <= 0
    assert decision.upper_kw == 0


# -- both loops, one plan ---------------------------------------------------------------------------


def merged_kw(view: GridView) -> float:
    """What the arbiter makes of both loops' wishes for the battery."""
    wishes = [(PRIORITY_RESPONSE, battery(view)), (PRIORITY_TRADING, trading.decide(view))]
    claims = [claim_of(number, wish, rank, view.now) for number, (rank, wish) in enumerate(wishes, 1) if wish]
    target = merge(claims, (-view.battery.power_kw, view.battery.power_kw), view.now)
    assert target is not None
    return target.power_kw


def claim_of(number: int, wish: Decision, priority: int, now: datetime) -> Claim:
    end = now + timedelta(seconds=wish.duration_s)
    return Claim(number, f"loop-{priority}", priority, wish.power_kw, wish.lower_kw, wish.upper_kw, now, end)


def test_a_ramp_ahead_is_prepared_for_by_trading_alone(calm: GridView) -> None:
    ahead = changing(calm, 0, 1_600)
    assert response.decide(ahead) == ()
    prepared = trading.decide(ahead)
    assert prepared is not None
    assert prepared.power_kw < -100
    assert merged_kw(ahead) == prepared.power_kw


@pytest.mark.parametrize("before_kw", [1_500.0, 1_100.0, -1_100.0, -1_500.0])
@pytest.mark.parametrize("ahead_kw", [2_000.0, 0.0, -2_000.0])
def test_both_loops_want_the_one_plans_power_once(calm: GridView, before_kw: float, ahead_kw: float) -> None:
    view = replace(changing(calm, before_kw, ahead_kw), event_id="event-1")
    wished, traded = battery(view), trading.decide(view)
    assert wished is not None
    assert traded is not None
    assert wished.power_kw == pytest.approx(traded.power_kw, abs=1)
    assert merged_kw(view) == pytest.approx(wished.power_kw, abs=1)


def test_the_next_view_knows_what_was_prepared_and_does_not_prepare_again(calm: GridView) -> None:
    """The charge is felt by the meter: what is still missing is less than before by what was done."""
    ahead = changing(calm, 0, 1_600)
    first = trading.decide(ahead)
    assert first is not None
    metered = (*calm.native_kw[:-1], 10_000.0 - first.power_kw)
    charged = replace(ahead, metered_kw=metered, battery_kw=first.power_kw)
    second = trading.decide(charged)
    assert second is not None
    assert second.power_kw == pytest.approx(first.power_kw, abs=150)  # held, not doubled


# -- the peaker -------------------------------------------------------------------------------------


def test_the_battery_comes_before_the_peaker(calm: GridView, start_pays: GridView) -> None:
    assert peaker(start_pays) is not None
    moderate = changing(priced(calm, 85.0), 2_400, 1_500)
    assert peaker(replace(moderate, soc_kwh=0.0)) is not None
    held = response.decide(replace(moderate, soc_kwh=1_000.0))
    assert [decision.asset for decision in held] == ["battery"]


def test_a_start_runs_within_its_range_for_its_minimum_up_time(start_pays: GridView) -> None:
    asked = peaker(start_pays)
    assert asked is not None
    assert 300 <= asked.power_kw <= 1_000
    assert asked.lower_kw == asked.power_kw == asked.upper_kw
    assert asked.duration_s == start_pays.peaker.min_up_s
    assert asked.expected_gain_usd is not None
    assert asked.expected_gain_usd >= 0.2 * start_pays.peaker.start_usd
    assert "peaker start" in asked.reason


@pytest.mark.parametrize("soc_kwh", [0.0, 1_000.0, 2_000.0])
@pytest.mark.parametrize("before_kw", [0.0, -2_400.0])
def test_falling_net_load_starts_no_peaker(calm: GridView, soc_kwh: float, before_kw: float) -> None:
    for price in (40.0, 85.0):
        falling = replace(changing(priced(calm, price), before_kw, -3_500), soc_kwh=soc_kwh)
        assert peaker(falling) is None
    rising = replace(changing(priced(calm, 85.0), -before_kw, 3_500), soc_kwh=0.0)
    assert peaker(rising) is not None


def test_a_start_has_to_save_more_than_it_costs(start_pays: GridView) -> None:
    saved_usd = peaker(start_pays)
    assert saved_usd is not None
    assert saved_usd.expected_gain_usd is not None
    worth_usd = start_pays.peaker.start_usd + saved_usd.expected_gain_usd
    for start_usd, asked in ((0.99 * worth_usd / 1.2, True), (1.01 * worth_usd / 1.2, False)):
        view = replace(start_pays, peaker=replace(start_pays.peaker, start_usd=start_usd))
        assert (peaker(view) is not None) is asked


def test_a_start_never_rests_on_what_was_measured_alone(start_pays: GridView) -> None:
    dear = replace(changing(priced(start_pays, 400.0), 5_000, 2_400), soc_kwh=0.0)
    assert peaker(dear) is not None
    assert peaker(replace(dear, forecast=None)) is None


def test_a_start_that_an_interval_later_would_do_as_well_waits(start_pays: GridView) -> None:
    """The ramp is an hour and a half away: being up until then would only burn fuel."""
    rising = tuple(10_000.0 + (4_000.0 / 6 * max(0, k - 18) if k < 25 else 4_667.0) for k in range(200))
    calm = changing(start_pays, 0.0, 0.0)
    ahead = replace(calm, outlook_kw=rising, outlook_sigma_kw=(20.0,) * 199, soc_kwh=0.0)
    assert peaker(ahead) is None


def test_an_approved_start_is_not_put_off_again(start_pays: GridView) -> None:
    outlook = outlook_of(start_pays)
    for state in ("none", "approved"):
        view = replace(start_pays, peaker_start=state)
        now, later = (make_plan(view, outlook, *started_range_kw(view, outlook.grid, k)) for k in (0, 1))
        assert peaker(view) is not None or (state == "none" and later.cost_usd < now.cost_usd)


def test_a_start_that_waits_for_an_operator_is_not_asked_for_again(start_pays: GridView) -> None:
    assert peaker(replace(start_pays, peaker_start="pending")) is None


def test_an_approved_start_acts_on_the_coming_interval(start_pays: GridView) -> None:
    steeper = replace(changing(start_pays, 2_400, 5_000), soc_kwh=0.0)
    view = replace(steeper, peaker_start="approved")
    outlook = outlook_of(view)
    plan = make_plan(view, outlook, *started_range_kw(view, outlook.grid))
    decision = peaker(view)
    assert decision is not None
    assert decision.power_kw == pytest.approx(plan.peaker_kw[0])
    assert plan.peaker_kw[1] > plan.peaker_kw[0] + 100  # the power of the first interval, not of a later one
    later = make_plan(steeper, outlook, *started_range_kw(steeper, outlook.grid))
    assert later.peaker_kw[0] == 0


def test_the_peakers_own_limits_bar_a_start(start_pays: GridView) -> None:
    spec = start_pays.peaker
    assert peaker(replace(start_pays, peaker_starts_today=spec.max_starts_per_day)) is None
    cooling = replace(start_pays, peaker=replace(spec, min_down_s=3600.0), peaker_in_state_s=3500.0)
    assert peaker(cooling) is None
    assert peaker(replace(cooling, peaker_in_state_s=3600.0)) is not None


@pytest.mark.parametrize("asked", ["none", "approved"])
def test_nothing_is_started_in_the_days_last_interval(start_pays: GridView, asked: PeakerStart) -> None:
    dear = replace(priced(start_pays, 3_000.0), peaker_start=asked)
    assert peaker(replace(dear, day_end=dear.now + timedelta(minutes=10))) is not None
    assert peaker(replace(dear, day_end=dear.now + timedelta(minutes=5))) is None


def test_a_running_peaker_stays_until_its_minimum_up_time_ends_and_stops_when_it_no_longer_pays(
    calm: GridView,
) -> None:
    for in_state_s in (0.0, 3_000.0, 3_500.0):  # the last one lets it go within the interval
        kept = peaker(running(calm, 400.0, in_state_s))
        assert kept is not None
        assert kept.power_kw == 300
    stopped = peaker(running(calm, 400.0, 3_600.0))
    assert stopped is not None
    assert stopped.power_kw == 0
    assert "no longer pays" in stopped.reason


def test_a_running_peaker_that_still_holds_a_ramp_runs_on(calm: GridView) -> None:
    rising = replace(changing(priced(calm, 85.0), 1_800, 1_500), soc_kwh=0.0)
    kept = peaker(running(rising, 1_000.0, 7_200.0))
    assert kept is not None
    assert kept.power_kw == pytest.approx(1_000)


def test_a_running_peaker_is_never_asked_for_less_than_its_minimum_load(calm: GridView) -> None:
    for change_kw in range(-2_000, 2_001, 250):
        decision = peaker(running(changing(calm, change_kw, change_kw), 700.0, 7_200.0))
        assert decision is not None
        assert decision.power_kw == 0 or 300 <= decision.power_kw <= 1_000
