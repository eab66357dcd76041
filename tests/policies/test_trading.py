import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import trading
from policies.view import Decision, ForecastView, GridView

WEAR_USD_PER_MWH = 10.0
ROUND_TRIP = 0.9


def decide(view: GridView) -> Decision:
    decision = trading.decide(view)
    assert decision is not None
    return decision


def day_ahead(view: GridView, price_usd_per_mwh: float) -> GridView:
    """A flat day-ahead price, which is also that of the settlement."""
    ahead = tuple((at, price_usd_per_mwh) for at, _ in view.prices_ahead)
    return replace(view, prices_ahead=ahead, settlement_price_usd_per_mwh=price_usd_per_mwh)


def last_interval(view: GridView) -> GridView:
    """All that is left of the day is the coming interval."""
    return replace(view, day_end=view.now + timedelta(seconds=view.interval_s))


def test_it_buys_low_and_sells_high(calm: GridView) -> None:
    low, high = decide(replace(calm, price_usd_per_mwh=5.0)), decide(replace(calm, price_usd_per_mwh=300.0))
    assert low.power_kw < -900
    assert low.reason.startswith("buy ")
    assert high.power_kw > 900
    assert high.reason.startswith("sell ")


def test_it_is_paid_to_take_energy_at_a_negative_price(calm: GridView) -> None:
    assert decide(replace(day_ahead(calm, -5.0), price_usd_per_mwh=-30.0)).power_kw < -900


def test_a_dear_evening_is_bought_for_at_a_cheap_noon(calm: GridView) -> None:
    dear_from = calm.now + timedelta(hours=3)
    ahead = tuple((at, 20.0 if at < dear_from else 90.0) for at, _ in calm.prices_ahead)
    noon = replace(calm, prices_ahead=ahead, price_usd_per_mwh=18.0)
    assert decide(noon).power_kw < 0
    evening = replace(noon, now=dear_from, prices_ahead=ahead[36:], price_usd_per_mwh=95.0, soc_kwh=1_900.0)
    assert decide(evening).power_kw > 0


@given(st.floats(1, 300), st.floats(0.02, 20))
def test_it_holds_when_the_spread_does_not_pay_for_losses_and_wear(
    calm: GridView, low: float, short: float
) -> None:
    break_even = low / ROUND_TRIP + WEAR_USD_PER_MWH
    decision = decide(replace(day_ahead(calm, max(low, break_even - short)), price_usd_per_mwh=low))
    assert decision.power_kw == 0
    assert decision.reason.startswith("hold 0 kW")


@given(st.floats(1, 300), st.floats(0.5, 200))
def test_it_trades_when_the_spread_pays_for_losses_and_wear(calm: GridView, low: float, more: float) -> None:
    break_even = low / ROUND_TRIP + WEAR_USD_PER_MWH
    assert decide(replace(day_ahead(calm, break_even + more), price_usd_per_mwh=low)).power_kw < -100


def test_a_dearer_battery_life_trades_less(calm: GridView) -> None:
    view = replace(day_ahead(calm, 70.0), price_usd_per_mwh=40.0)
    assert decide(view).power_kw < 0
    assert decide(replace(view, battery=replace(view.battery, wear_usd_per_mwh=40.0))).power_kw == 0
    assert decide(replace(view, battery=replace(view.battery, round_trip_efficiency=0.6))).power_kw == 0


def test_it_stands_still_without_a_price_of_the_coming_interval(calm: GridView) -> None:
    tempting = replace(calm, soc_kwh=2_000.0, settlement_price_usd_per_mwh=0.0)
    assert decide(tempting).power_kw > 0
    assert trading.decide(replace(tempting, price_usd_per_mwh=None)) is None


def test_a_decision_holds_for_one_interval_and_leaves_no_range(calm: GridView) -> None:
    for interval_s, price in ((300.0, 5.0), (900.0, 300.0)):
        decision = decide(replace(calm, interval_s=interval_s, price_usd_per_mwh=price))
        assert decision.asset == "battery"
        assert decision.duration_s == interval_s
        assert decision.lower_kw == decision.power_kw == decision.upper_kw


def test_a_power_too_small_to_matter_is_no_trade(calm: GridView) -> None:
    dear = replace(calm, price_usd_per_mwh=500.0)
    assert decide(replace(dear, soc_kwh=0.05)).power_kw == 0
    assert decide(replace(dear, soc_kwh=5.0)).power_kw > 0


def test_it_sells_no_more_than_is_stored_and_buys_no_more_than_there_is_room_for(calm: GridView) -> None:
    eta, hours = math.sqrt(ROUND_TRIP), 1 / 12
    sold = decide(replace(calm, price_usd_per_mwh=500.0, soc_kwh=30.0))
    assert sold.power_kw == pytest.approx(30 * eta / hours)
    bought = decide(replace(calm, price_usd_per_mwh=-80.0, soc_kwh=1_980.0))
    assert -20 / eta / hours - 1e-6 <= bought.power_kw < 0


def test_it_sells_no_more_than_the_days_cycles_leave(calm: GridView) -> None:
    dear = replace(calm, price_usd_per_mwh=500.0, soc_kwh=2_000.0)
    nearly = decide(replace(dear, cycles_today=1.99))
    assert nearly.power_kw == pytest.approx(0.01 * 2_000 * math.sqrt(ROUND_TRIP) * 12)
    assert decide(replace(dear, cycles_today=2.0)).power_kw == 0


def test_stored_energy_is_settled_when_the_day_ends(calm: GridView) -> None:
    """A surplus is worth what it fetches now less wear; what is missing, what it costs at the settlement."""
    last = last_interval(calm)
    surplus, short = replace(last, soc_kwh=1_060.0), replace(last, soc_kwh=940.0)
    assert decide(replace(surplus, price_usd_per_mwh=12.0)).power_kw > 600
    assert decide(replace(surplus, price_usd_per_mwh=8.0)).power_kw == 0
    assert decide(replace(short, price_usd_per_mwh=38.0)).power_kw < -600
    assert decide(replace(short, price_usd_per_mwh=42.0)).power_kw == 0


def test_energy_is_not_sold_that_the_settlement_buys_back_dearer(calm: GridView) -> None:
    """Sold at p it brings p − wear; bought back it costs the settlement price over the round trip."""
    last = last_interval(calm)
    break_even = 40.0 / ROUND_TRIP + WEAR_USD_PER_MWH
    assert decide(replace(last, price_usd_per_mwh=break_even - 1)).power_kw == 0
    assert decide(replace(last, price_usd_per_mwh=break_even + 1)).power_kw > 0


def test_a_trade_does_not_make_a_ramp_that_costs_more_than_it_earns(calm: GridView) -> None:
    """The meter rose by almost the limit: a charge of more than the rest would be penalised."""
    rising = tuple(10_000.0 - 900 * (6 - k) / 6 for k in range(7))
    view = replace(calm, native_kw=rising, metered_kw=rising, forecast=None, price_usd_per_mwh=15.0)
    free = decide(replace(calm, forecast=None, price_usd_per_mwh=15.0))
    assert free.power_kw == pytest.approx(-1_000)
    assert -260 <= decide(view).power_kw < 0


def test_the_reason_says_what_ramps_may_ask_for_and_which_cycles_are_left(calm: GridView) -> None:
    band = ForecastView(calm.now, -1_100.0, 300.0, 1_400.0)
    reason = decide(replace(calm, forecast=band, cycles_today=0.5)).reason
    assert "1.5 cycles left" in reason
    assert "ramps may ask for 400 kW out, 100 kW in within 30 minutes" in reason
