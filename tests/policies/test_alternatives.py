"""What else could have been done, against costs that are reckoned by hand."""

from dataclasses import replace

import pytest

from policies.alternatives import Alternative, weighed
from policies.asset_ranges import peaker_range_kw
from policies.horizon import outlook_of
from policies.plan import make_plan
from policies.view import GridView

INTERVAL_S = 300.0


def by_name(options: list[Alternative]) -> dict[str, float | None]:
    return {option.what: option.cost_usd for option in options}


def priced(view: GridView, price_usd_per_mwh: float) -> GridView:
    return replace(
        view,
        price_usd_per_mwh=price_usd_per_mwh,
        prices_ahead=tuple((at, price_usd_per_mwh) for at, _ in view.prices_ahead),
        settlement_price_usd_per_mwh=price_usd_per_mwh,
    )


@pytest.mark.parametrize("held_kw", [(500.0,), (-500.0, 0.0, 250.0)])
def test_a_plan_keeps_the_power_that_is_given_beforehand(calm: GridView, held_kw: tuple[float, ...]) -> None:
    outlook = outlook_of(calm)
    plan = make_plan(calm, outlook, *peaker_range_kw(calm, outlook.grid), held_kw)
    assert plan.battery_kw[: len(held_kw)].tolist() == pytest.approx(list(held_kw))
    free = make_plan(calm, outlook, *peaker_range_kw(calm, outlook.grid))
    assert plan.cost_usd > free.cost_usd


def test_at_a_level_price_a_discharge_costs_its_wear_and_its_losses(calm: GridView) -> None:
    """500 kW for five minutes at 40 USD/MWh, bought back at the end over a round trip of 90 %."""
    costs = by_name(weighed(calm, "battery", 500.0, INTERVAL_S))
    decided, none, half = costs["as decided"], costs["no action"], costs["half the power"]
    assert (decided is None, none is None, half is None) == (False, False, False)
    by_hand = 0.5 / 12.0 * (40.0 / 0.9 - 40.0 + 10.0)
    assert (decided or 0.0) - (none or 0.0) == pytest.approx(by_hand)
    assert (half or 0.0) - (none or 0.0) == pytest.approx(by_hand / 2.0)


def test_at_a_price_that_just_pays_its_fuel_the_peaker_costs_its_start(calm: GridView) -> None:
    view = priced(calm, calm.peaker.running_usd_per_mwh)
    costs = by_name(weighed(view, "battery", 400.0, INTERVAL_S))
    none = by_name(weighed(view, "peaker", 400.0, INTERVAL_S))["no action"]
    assert costs["the peaker instead"] == pytest.approx((none or 0.0) + calm.peaker.start_usd)
    assert calm.peaker.start_usd == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("changes", "power_kw", "impossible"),
    [
        ({"peaker_on": True, "peaker_kw": 400.0, "peaker_in_state_s": 60.0}, 400.0, "no action"),
        ({"peaker_on": True, "peaker_kw": 400.0}, 400.0, "half the power"),
        ({"peaker_starts_today": 6}, 400.0, "as decided"),
        ({"peaker_in_state_s": 10.0}, 800.0, "as decided"),
    ],
)
def test_what_the_peaker_could_not_do_has_no_cost(
    calm: GridView, changes: dict[str, object], power_kw: float, impossible: str
) -> None:
    spec = replace(calm.peaker, min_down_s=600.0)
    view = replace(calm, peaker=spec, **changes)  # type: ignore[arg-type]
    costs = by_name(weighed(view, "peaker", power_kw, INTERVAL_S))
    assert costs[impossible] is None
    assert any(cost is not None for cost in costs.values())


def test_a_power_is_held_only_as_far_as_the_energy_goes(calm: GridView) -> None:
    """Half an hour at full power out of what lasts for five minutes: the rest of it is no power."""
    view = replace(calm, soc_kwh=1_000.0 / 12.0 / calm.battery.one_way_efficiency)
    long, short = (
        by_name(weighed(view, "battery", 1_000.0, duration_s))["as decided"] for duration_s in (1800.0, 300.0)
    )
    assert long is not None
    assert short is not None
    assert long >= short - 1e-9


def test_the_decision_comes_first_and_is_not_repeated_as_an_alternative(calm: GridView) -> None:
    rated_kw = calm.battery.power_kw
    assert [option.what for option in weighed(calm, "battery", rated_kw, INTERVAL_S)] == [
        "as decided",
        "no action",
        "half the power",
        "full charge",
        "the peaker instead",
    ]
    assert [option.what for option in weighed(calm, "battery", 0.0, INTERVAL_S)] == [
        "as decided",
        "full discharge",
        "full charge",
    ]
