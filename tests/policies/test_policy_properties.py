"""Whatever a view holds, both policies answer, the same each time, within what the devices can do."""

import math
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import BatterySpec, PeakerSpec
from policies import response, trading
from policies.asset_ranges import battery_range_kw
from policies.view import Decision, ForecastView, GridView

POWERS = st.floats(-1e5, 1e5)
MISSING_OR_POWER = st.one_of(st.none(), POWERS)
MISSING_OR_PRICE = st.one_of(st.none(), st.floats(-500, 9_000))
BATTERIES = st.builds(
    BatterySpec,
    power_kw=st.floats(1, 1e4),
    energy_kwh=st.floats(1, 1e5),
    round_trip_efficiency=st.floats(0.3, 1),
    wear_usd_per_mwh=st.floats(0, 200),
    soc_min=st.floats(0, 0.4),
    soc_max=st.floats(0.6, 1),
    initial_soc=st.floats(0, 1),
    max_cycles_per_day=st.floats(0, 4),
)
PEAKERS = st.builds(
    PeakerSpec,
    power_kw=st.just(1_000.0),
    min_power_kw=st.floats(1, 1_000),
    min_up_s=st.floats(0, 14_400),
    min_down_s=st.floats(0, 14_400),
    start_usd=st.floats(0, 200),
    max_starts_per_day=st.integers(0, 6),
)


@st.composite
def views(draw: st.DrawFn, calm: GridView) -> GridView:
    """Any finite numbers; anything that may be missing is missing at times."""
    interval_s = draw(st.sampled_from([300.0, 600.0, 900.0, 1800.0, 3600.0]))
    step = timedelta(seconds=interval_s)
    count = max(1, round(1800 / interval_s)) + 1
    means = st.lists(MISSING_OR_POWER, min_size=count, max_size=count).map(tuple)
    band = st.lists(POWERS, min_size=3, max_size=3).map(sorted)
    battery, on = draw(BATTERIES), draw(st.booleans())
    prices = draw(st.lists(MISSING_OR_PRICE, max_size=30))
    return replace(
        calm,
        interval_s=interval_s,
        native_kw=draw(means),
        metered_kw=draw(means),
        forecast=draw(st.one_of(st.none(), band.map(lambda kw: ForecastView(calm.now, *kw)))),
        event_id=draw(st.sampled_from([None, "event-1"])),
        battery=battery,
        soc_kwh=draw(st.floats(-0.05, 1.05)) * battery.energy_kwh,
        battery_kw=draw(st.floats(-1, 1)) * battery.power_kw,
        cycles_today=draw(st.floats(0, 5)),
        peaker=draw(PEAKERS),
        peaker_kw=draw(st.floats(0, 1_000)) if on else 0.0,
        peaker_on=on,
        peaker_in_state_s=draw(st.sampled_from([0.0, 900.0, 7_200.0, math.inf])),
        peaker_starts_today=draw(st.integers(0, 6)),
        price_usd_per_mwh=draw(MISSING_OR_PRICE),
        prices_ahead=tuple(
            (calm.now + k * step, price) for k, price in enumerate(prices) if price is not None
        ),
        ramp_limit_kw=draw(st.floats(1, 1e4)),
        day_end=draw(
            st.one_of(st.none(), st.integers(1, 90_000).map(lambda s: calm.now + timedelta(seconds=s)))
        ),
        outlook_kw=tuple(draw(st.lists(MISSING_OR_POWER, max_size=20))),
        settlement_price_usd_per_mwh=draw(MISSING_OR_PRICE),
        peaker_start=draw(st.sampled_from(["none", "pending", "approved"])),
    )


def decisions_on(view: GridView) -> list[Decision]:
    """What both loops want."""
    traded = trading.decide(view)
    return [*response.decide(view), *([] if traded is None else [traded])]


@settings(max_examples=200)
@given(st.data())
def test_decisions_lie_within_what_the_devices_can_do_and_leave_a_range_around_them(
    calm: GridView, data: st.DataObject
) -> None:
    view = data.draw(views(calm))
    low_kw, high_kw = battery_range_kw(view)
    assert -view.battery.power_kw <= low_kw <= 0 <= high_kw <= view.battery.power_kw
    for decision in decisions_on(view):
        assert decision.lower_kw <= decision.power_kw <= decision.upper_kw
        assert decision.duration_s >= view.interval_s
        if decision.asset == "battery":
            assert low_kw <= decision.lower_kw
            assert decision.upper_kw <= high_kw
        else:
            spec = view.peaker
            assert decision.power_kw == 0 or spec.min_power_kw <= decision.power_kw <= spec.power_kw


@settings(max_examples=100)
@given(st.data())
def test_the_same_view_gives_the_same_decisions(calm: GridView, data: st.DataObject) -> None:
    view = data.draw(views(calm))
    assert decisions_on(view) == decisions_on(replace(view))


@settings(max_examples=100)
@given(st.data())
def test_trading_stands_still_without_a_price_and_response_without_a_reason(
    calm: GridView, data: st.DataObject
) -> None:
    view = data.draw(views(calm))
    assert (trading.decide(view) is None) is (view.price_usd_per_mwh is None)
    for decision in response.decide(replace(view, event_id=None, peaker_on=False, ramp_limit_kw=1e9)):
        raise AssertionError(decision)
