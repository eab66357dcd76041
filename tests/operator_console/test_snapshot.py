"""What the page is told: fresh, stale and missing values, approvals, dispatches, a halt."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from dispatch.flags import halt, resume
from dispatch.ledger import Ledger
from grid.assets import PeakerState
from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE
from operator_console.ledger_view import DISPATCHES_SHOWN
from operator_console.snapshot import snapshot
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from tests.dispatch.conftest import ANA, OPERATOR
from tests.operator_console.conftest import BATTERY_KWH, MAX_AGE_S, Console


def test_fresh_values_of_both_sites_are_live_with_their_age(console: Console) -> None:
    console.pulse(age_s=10.0, net_load_kw=4_900.0)
    console.pulse(age_s=5.0, net_load_kw=-120.0, site=NATIVE_SITE)
    metered, native = console.get()["sites"]
    assert (metered["site"], metered["Net_Load_kW"], metered["age_s"]) == (AREA_SITE, 4_900.0, 10.0)
    assert (native["site"], native["Net_Load_kW"], native["age_s"]) == (NATIVE_SITE, -120.0, 5.0)
    assert metered["stale"] is native["stale"] is False


@pytest.mark.parametrize(("age_s", "stale"), [(MAX_AGE_S, False), (MAX_AGE_S + 0.001, True)])
def test_a_value_older_than_the_limit_is_stale(console: Console, age_s: float, stale: bool) -> None:
    console.pulse(age_s)
    console.forecast(age_s)
    seen = console.get()
    assert seen["sites"][0]["stale"] is stale
    assert seen["forecast"]["stale"] is stale


def test_silence_makes_values_and_asset_reports_stale_while_the_plants_time_goes_on(console: Console) -> None:
    console.pulse()
    console.forecast()
    assert console.get()["assets"]["stale"] is False
    console.plant.clock.advance(MAX_AGE_S + 1)
    seen = console.get()
    assert seen["sites"][0]["stale"] is seen["forecast"]["stale"] is seen["assets"]["stale"] is True
    assert seen["sites"][0]["age_s"] == seen["assets"]["age_s"] == MAX_AGE_S + 1


def test_of_several_pulses_and_forecasts_the_newest_is_shown(console: Console) -> None:
    for age_s in (30.0, 10.0, 20.0):
        console.pulse(age_s, net_load_kw=age_s)
        console.forecast(age_s, net_load_kw=age_s)
    seen = console.get()
    assert seen["sites"][0]["Net_Load_kW"] == 10.0
    assert seen["forecast"]["level_p50_kw"] == 60.0


def test_a_plant_that_never_reported_shows_nothing_and_no_zero(console: Console, tmp_path: Path) -> None:
    fresh = Ledger(tmp_path / "fresh")
    console.reads(ledger=fresh)
    seen = console.get()
    fresh.close()
    for site in seen["sites"]:
        assert site == {**site, "measured_at": None, "Net_Load_kW": None, "age_s": None, "stale": True}
    assert {seen["forecast"][name] for name in seen["forecast"] if name.startswith("level")} == {None}
    assert seen["forecast"]["Predicted_30min_Change"] is None
    assert seen["forecast"]["stale"] is True
    assert seen["price"]["price_per_mwh"] is seen["price"]["da_price_per_mwh"] is None
    assert seen["assets"] == {
        "reported_at": None, "battery": None, "peaker": None, "age_s": None, "stale": True,
    }  # fmt: skip
    assert seen["halt"] is None
    assert seen["events"] == seen["approvals"] == seen["dispatches"] == []
    assert seen["chart"]["net_load"] == {AREA_SITE: [], NATIVE_SITE: []}


def test_a_pulse_without_net_load_is_fresh_and_shows_no_value(console: Console) -> None:
    console.pulse(net_load_kw=None)
    seen = console.get()
    assert seen["sites"][0]["Net_Load_kW"] is None
    assert seen["sites"][0]["stale"] is False
    assert [kw for _, kw in seen["chart"]["net_load"][AREA_SITE]] == [None]


def test_a_forecast_is_shown_as_levels_change_plus_net_load_at_issue(console: Console) -> None:
    console.forecast(net_load_kw=5_000.0)
    seen = console.get()["forecast"]
    assert (seen["level_p10_kw"], seen["level_p50_kw"], seen["level_p90_kw"]) == (4_900.0, 5_050.0, 5_300.0)
    assert seen["Predicted_30min_Change"] == 50.0
    assert seen["target_at"] == "2026-03-01T01:30:00+01:00"


def test_the_forecast_shown_is_of_the_net_load_without_our_assets(console: Console) -> None:
    console.forecast(site=AREA_SITE)
    assert console.get()["forecast"]["level_p50_kw"] is None


def test_times_are_those_of_the_plants_zone(console: Console) -> None:
    seen = console.get()
    assert seen["plant_time"] == "2026-03-01T01:00:00+01:00"
    assert seen["tz"] == "Europe/Luxembourg"


def test_the_chart_holds_the_last_hour_and_the_forecasts_that_speak_of_it(console: Console) -> None:
    for age_s in (3_601.0, 3_600.0, 0.0):
        console.pulse(age_s, net_load_kw=age_s)
    for age_s in (5_401.0, 5_400.0, 0.0):
        console.forecast(age_s)
    seen = console.get()["chart"]
    now_ms = round(console.now().timestamp() * 1000)
    assert seen["net_load"][AREA_SITE] == [[now_ms - 3_600_000, 3_600.0], [now_ms, 0.0]]
    assert [point[0] - now_ms for point in seen["forecast"]] == [-3_600_000, 1_800_000]
    assert seen["forecast"][0][1:] == [4_900.0, 5_050.0, 5_300.0]
    assert (seen["start_ms"], seen["now_ms"], seen["end_ms"]) == (
        now_ms - 3_600_000,
        now_ms,
        now_ms + 1_800_000,
    )


@pytest.mark.parametrize(("issued_ago_min", "horizon_min"), [(70, 5), (0, 120)])
def test_the_chart_leaves_out_what_a_forecast_of_another_horizon_says_of_other_times(
    console: Console, issued_ago_min: int, horizon_min: int
) -> None:
    issued = console.now() - timedelta(minutes=issued_ago_min)
    target = issued + timedelta(minutes=horizon_min)
    console.store.write([], [Forecast(NATIVE_SITE, issued, target, 0.0, -1.0, 0.0, 1.0, "model")])
    assert console.get()["chart"]["forecast"] == []


def test_the_price_is_that_of_the_interval_that_runs(console: Console) -> None:
    now, step = console.now(), timedelta(seconds=300)
    console.store.write_quotes(
        [PriceQuote(AREA_SITE, now + k * step, 300.0, 30.0 + k, 20.0 + k) for k in (-1, 0, 1)]
    )
    assert console.get()["price"] == {
        "currency": "USD", "interval_start": "2026-03-01T01:00:00+01:00",
        "price_per_mwh": 30.0, "da_price_per_mwh": 20.0,
    }  # fmt: skip
    console.plant.clock.advance(299.0)
    assert console.get()["price"]["price_per_mwh"] == 30.0


def test_the_price_of_an_interval_that_is_over_is_not_shown(console: Console) -> None:
    console.store.write_quotes([PriceQuote(AREA_SITE, console.now(), 300.0, 30.0, 20.0)])
    console.plant.clock.advance(300.0)
    seen = console.get()["price"]
    assert seen["price_per_mwh"] is seen["da_price_per_mwh"] is seen["interval_start"] is None


def test_a_missing_real_time_price_stays_missing_beside_the_day_ahead_price(console: Console) -> None:
    console.store.write_quotes([PriceQuote(AREA_SITE, console.now(), 300.0, None, -20.0)])
    seen = console.get()["price"]
    assert (seen["price_per_mwh"], seen["da_price_per_mwh"]) == (None, -20.0)


def test_battery_and_peaker_are_as_the_owner_last_reported_them(console: Console) -> None:
    plant = console.plant
    plant.propose(800.0)
    plant.run()
    plant.driver.peaker = PeakerState(power_kw=1_500.0, on=True, in_state_s=60.0, starts=1)
    plant.executor.report()
    seen = console.get()["assets"]
    soc_kwh = plant.driver.battery.soc_kwh
    assert seen["battery"] == {
        "power_kw": 800.0, "setpoint_kw": 800.0,
        "soc_kwh": soc_kwh, "soc_pct": pytest.approx(100.0 * soc_kwh / BATTERY_KWH),
    }  # fmt: skip
    assert seen["peaker"] == {"on": True, "power_kw": 1_500.0, "setpoint_kw": 0.0, "starts_today": 1}


def test_starts_of_the_day_before_are_not_todays(console: Console) -> None:
    plant = console.plant
    plant.driver.peaker = PeakerState(starts=1)
    plant.executor.report()
    plant.clock.advance(86_400.0)
    assert console.get()["assets"]["peaker"]["starts_today"] == 0


def test_open_events_of_every_site_are_shown_and_ended_ones_are_not(console: Console) -> None:
    now = console.now()
    began = now - timedelta(minutes=20)

    def event(event_id: str, site: str, ended_minutes_ago: int | None) -> InstabilityEvent:
        ended = None if ended_minutes_ago is None else now - timedelta(minutes=ended_minutes_ago)
        return InstabilityEvent(event_id, site, "forecast_ramp", began, ended, "critical", -2_100.0)

    console.pulse(site="feeder-3")
    console.pulse(site=AREA_SITE)
    made = [event("a", AREA_SITE, None), event("b", AREA_SITE, 0), event("c", "feeder-3", None)]
    console.store.write([], [], made)
    seen = console.get()["events"]
    assert [item["event_id"] for item in seen] == ["a", "c"]
    assert seen[0] == {
        "event_id": "a", "site": AREA_SITE, "kind": "forecast_ramp", "severity": "critical",
        "cause_kw": -2_100.0, "started_at": "2026-03-01T00:40:00+01:00",
    }  # fmt: skip


def test_a_pending_approval_is_shown_with_the_commands_that_decide_it(console: Console) -> None:
    asked = console.plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert asked.status == "pending_approval"
    (seen,) = console.get()["approvals"]
    assert seen["commands"] == [
        f"smartgrid approvals approve {asked.approval_id} --reason …",
        f"smartgrid approvals deny {asked.approval_id} --reason …",
    ]
    assert (seen["asset"], seen["power_kw"], seen["duration_min"]) == ("peaker", 5_000.0, 60.0)
    assert (seen["requester"], seen["reason"]) == ("local:ana", "because the test says so")
    assert seen["expected_cost"] is None
    assert [rule["rule"] for rule in seen["rules"]] == [finding.rule for finding in asked.findings]


@pytest.mark.parametrize("how", ["approved", "denied", "expired"])
def test_an_approval_that_no_longer_waits_is_not_shown(console: Console, how: str) -> None:
    asked = console.plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert asked.approval_id is not None
    assert asked.expires_at is not None
    if how == "approved":
        console.plant.approvals.approve(asked.approval_id, OPERATOR, "fine")
    elif how == "denied":
        console.plant.approvals.deny(asked.approval_id, OPERATOR, "no")
    else:
        console.plant.clock.advance_to(asked.expires_at)
    assert console.get()["approvals"] == []


def test_the_last_20_dispatches_are_shown_newest_first_however_old(console: Console) -> None:
    plant = console.plant
    for k in range(DISPATCHES_SHOWN + 3):
        plant.propose(100.0 + k, event_id=f"event-{k}")
        plant.executor.tick()
        plant.clock.advance(60.0)
    plant.clock.advance(30 * 86_400.0)
    seen = console.get()["dispatches"]
    assert [item["battery_kw"] for item in seen] == [122.0 - k for k in range(DISPATCHES_SHOWN)]
    newest = seen[0]
    assert (newest["event_ids"], newest["peaker_kw"], newest["state"]) == (["event-22"], 0.0, "APPLIED")
    assert len(newest["battery_proposals"]) == 1
    assert newest["at"] == newest["receipt_at"] == "2026-03-01T01:22:00+01:00"


def test_a_halt_is_shown_with_its_author_until_it_is_lifted(console: Console) -> None:
    ledger, now = console.plant.ledger, console.now()
    halt(ledger, ANA, "smoke", now)
    assert console.get()["halt"] == {
        "by": "local:ana", "at": "2026-03-01T01:00:00+01:00", "reason": "smoke",
    }  # fmt: skip
    resume(ledger, OPERATOR, "fine again", now)
    assert console.get()["halt"] is None


def test_the_audit_is_counted_but_not_verified(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_dear() -> None:
        raise AssertionError("a poll must not verify the audit")

    console.plant.propose(100.0)
    console.plant.run()
    count = console.plant.ledger.verify_audit().count
    monkeypatch.setattr(console.plant.ledger, "verify_audit", too_dear)
    assert count > 0
    assert console.get()["audit_entries"] == count


def test_looking_changes_neither_ledger_nor_audit(console: Console) -> None:
    asked = console.plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert asked.expires_at is not None
    console.plant.clock.advance_to(asked.expires_at)
    before = console.plant.ledger.verify_audit()
    for _ in range(3):
        console.get()
    assert console.plant.ledger.verify_audit() == before


def test_values_that_json_cannot_carry_are_missing(console: Console) -> None:
    console.pulse(net_load_kw=float("inf"))
    console.forecast(net_load_kw=float("-inf"))
    seen = console.get()
    assert seen["sites"][0]["Net_Load_kW"] is None
    assert seen["forecast"]["level_p50_kw"] is None
    assert json.dumps(snapshot(console.source), allow_nan=False)
