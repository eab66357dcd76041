"""From the tools' answers to a view, and from a decision to a call."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, Telemetry
from grid_supervisor.proposing import request_for
from grid_supervisor.sense import blocked_by_check, blocked_by_status
from policies.limits import Limits, Scale
from policies.view import Decision, ForecastView, GridView

if TYPE_CHECKING:
    from tests.grid_supervisor.conftest import Plant, Script

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def view_of(plant: "Plant", script: "Script") -> GridView:
    """What a policy is shown now, over the real tools."""
    async with plant.loop(script) as loop:
        await loop.tick()
    return script.views[-1]


@pytest.mark.anyio
async def test_a_view_holds_what_the_store_and_the_devices_say(plant: "Plant", script: "Script") -> None:
    plant.simulator.set_points(-600.0, 0.0)
    plant.price = 35.0
    plant.advance()
    view = await view_of(plant, script)
    assert (view.now, view.interval_s) == (plant.start + plant.interval, 300)
    assert view.battery == plant.limits.battery
    assert view.peaker == plant.limits.peaker
    assert view.ramp_limit_kw == plant.limits.ramp_limit_kw
    assert view.battery_kw == -600
    assert view.soc_kwh == plant.simulator.battery.soc_kwh
    assert (view.peaker_on, view.peaker_kw, view.peaker_in_state_s) == (False, 0, math.inf)
    assert view.price_usd_per_mwh == 35
    assert view.event_id is None
    assert view.day_end is None
    assert (len(view.native_kw), len(view.metered_kw)) == (7, 7)
    native, metered = view.native_kw[-1], view.metered_kw[-1]
    assert native is not None
    assert metered == pytest.approx(native + 600)


@pytest.mark.anyio
async def test_limits_that_the_file_sets_reach_the_policies(
    make_plant: "Callable[..., Plant]", script: "Script"
) -> None:
    file = {"battery": {"ramp_kw_per_s": 2.0, "soc_min": 0.1}, "peaker": {"min_down_s": 900.0}}
    view = await view_of(make_plant(limits=Limits.model_validate(file)), script)
    assert (view.battery.ramp_kw_per_s, view.battery.soc_min) == (2.0, 0.1)
    assert view.peaker.min_down_s == 900


@pytest.mark.anyio
async def test_what_is_missing_stays_missing(plant: "Plant", script: "Script") -> None:
    def without_net_load(pulse: Telemetry) -> Telemetry:
        return replace(pulse, net_load_kw=None, load_kw=None)

    plant.tamper = without_net_load
    plant.price = None
    plant.advance()
    view = await view_of(plant, script)
    assert (view.native_kw[-1], view.metered_kw[-1]) == (None, None)
    assert None not in view.native_kw[:-1]
    assert view.price_usd_per_mwh is None


@pytest.mark.anyio
async def test_day_ahead_prices_are_unfolded_to_intervals_in_utc_and_a_gap_stays_one(
    plant: "Plant", script: "Script"
) -> None:
    first, step = plant.clock.now(), plant.interval
    prices = {0: 40.0, 1: 40.0, 2: 55.0, 3: None, 4: 60.0}
    quotes = [PriceQuote(AREA_SITE, first + k * step, 300.0, None, prices.get(k)) for k in range(12 * 12)]
    plant.store.write_quotes(quotes)
    view = await view_of(plant, script)
    assert view.prices_ahead == tuple((first + k * step, prices[k]) for k in (0, 1, 2, 4))
    assert {at.utcoffset() for at, _ in view.prices_ahead} == {timedelta(0)}


def test_the_assets_have_to_report_first() -> None:
    status = status_like()
    assert blocked_by_status(status) == ""
    assert blocked_by_status({**status, "battery": {"soc_kwh": None}}) == "the assets have not reported yet"
    assert blocked_by_status({**status, "peaker": {"on": None}}) == "the assets have not reported yet"


def test_only_the_areas_own_meters_can_block_the_loops() -> None:
    elsewhere = {"site": "feeder-7", "stale": True, "age_s": 9e9}
    assert blocked_by_status({**status_like(), "sites": [elsewhere]}) == ""
    silent = {"site": "area", "stale": True, "age_s": None}
    reason = blocked_by_status({**status_like(), "sites": [elsewhere, silent]})
    assert reason == "telemetry of area is stale: nothing was measured yet"


def test_a_check_that_objects_says_to_what() -> None:
    good = {
        "site": "area-native",
        "trusted": True,
        "stale": False,
        "trust": 1.0,
        "kind": None,
        "channel": None,
    }
    assert blocked_by_check(good) == ""
    assert blocked_by_check({**good, "stale": True}).endswith("(1.00): stale")
    frozen = {**good, "trusted": False, "trust": 0.0, "kind": "frozen", "channel": "net_load_kw"}
    assert blocked_by_check(frozen).endswith("is not trusted (0.00): frozen on net_load_kw")
    assert blocked_by_check({**good, "trusted": False, "trust": 0.4}).endswith("deviation on a channel")


def status_like() -> dict[str, Any]:
    """As much of a status as may block."""
    return {"halted": False, "sites": [], "battery": {"soc_kwh": 1.0}, "peaker": {"on": False}}


# -- from a decision to a call ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def view() -> GridView:
    """At noon on a quiet day."""
    limits = Limits().resolve(Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0))
    return GridView(
        now=NOON,
        interval_s=300.0,
        native_kw=(10_000.0,) * 7,
        metered_kw=(10_000.0,) * 7,
        forecast=ForecastView(NOON - timedelta(minutes=5), -100.0, 0.0, 100.0),
        event_id=None,
        battery=limits.battery,
        soc_kwh=1_000.0,
        battery_kw=0.0,
        cycles_today=0.0,
        peaker=limits.peaker,
        peaker_kw=0.0,
        peaker_on=False,
        peaker_in_state_s=math.inf,
        peaker_starts_today=0,
        price_usd_per_mwh=40.0,
        prices_ahead=(),
        ramp_limit_kw=1_000.0,
    )


def decision(asset: str, power_kw: float, gain_usd: float | None = None) -> Decision:
    return Decision(asset, power_kw, power_kw - 50, power_kw + 50, 300.0, "because of the ramp", gain_usd)


@pytest.mark.parametrize(
    ("asset", "power_kw", "tool", "asked_kw"),
    [
        ("battery", 400.0, "discharge_battery", 400.0),
        ("battery", -400.0, "charge_battery", 400.0),
        ("battery", 0.0, "discharge_battery", 0.0),
        ("peaker", 400.0, "dispatch_peaker", 400.0),
        ("peaker", 0.0, "dispatch_peaker", 0.0),
    ],
)
def test_injection_discharges_or_generates_and_withdrawal_charges(
    view: GridView, asset: str, power_kw: float, tool: str, asked_kw: float
) -> None:
    request = request_for("response", decision(asset, power_kw), view)
    assert (request.tool, request.arguments["power_kw"]) == (tool, asked_kw)
    assert request.arguments["duration_min"] == 5
    assert request.arguments["lower_kw"] == power_kw - 50  # bounds keep the asset's own sign
    assert request.arguments["upper_kw"] == power_kw + 50


def test_a_loops_decision_on_an_asset_in_an_interval_has_one_key(view: GridView) -> None:
    def key(loop: str, asset: str, power_kw: float, at: datetime) -> str:
        made: str = request_for(loop, decision(asset, power_kw), replace(view, now=at)).arguments[
            "idempotency_key"
        ]
        return made

    same = {key("response", "battery", power_kw, NOON) for power_kw in (-400.0, 0.0, 400.0)}
    assert same == {"response/battery/2026-03-01T12:00:00+00:00"}
    later = NOON + timedelta(minutes=5)
    others = {("response", "battery", later), ("response", "peaker", NOON), ("trading", "battery", NOON)}
    assert len(same | {key(loop, asset, 400.0, at) for loop, asset, at in others}) == 4


def test_only_response_names_an_event_and_only_a_known_gain_is_named(view: GridView) -> None:
    during = replace(view, event_id="event-1")
    wish = decision("battery", 400.0, gain_usd=12.5)
    assert request_for("response", wish, during).arguments["event_id"] == "event-1"
    assert "event_id" not in request_for("trading", wish, during).arguments
    assert request_for("response", wish, view).arguments["expected_cost_usd"] == -12.5
    assert "expected_cost_usd" not in request_for("response", decision("battery", 1.0), view).arguments
    unforeseen = request_for("response", wish, replace(view, forecast=None)).arguments
    assert request_for("response", wish, view).arguments["forecast_issued_at"] == "2026-03-01T11:55:00+00:00"
    assert "forecast_issued_at" not in unforeseen
