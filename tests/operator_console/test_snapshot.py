"""What the pages are told: fresh, stale and missing values, mode, alarms, approvals; nothing is written."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import dispatch.ledger
from dispatch.flags import halt, resume
from dispatch.ledger import Ledger
from dispatch.plant_clock import LedgerClock
from dispatch.supervision import Heartbeat, clear_alarm, raise_alarm, write_heartbeat
from grid.assets import PeakerState
from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE
from operator_console.errors import SourceError
from operator_console.ledger_view import SETTLED_SHOWN
from operator_console.series_view import CHART_POINTS
from operator_console.snapshot import SILENT_SUPERVISOR_S, Snapshot
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from tests.dispatch.conftest import ANA, OPERATOR
from tests.operator_console.conftest import BATTERY_KWH, MAX_AGE_S, Console


def titles(seen: Snapshot) -> list[str]:
    return [alarm.title for alarm in seen.alarms]


def live(console: Console) -> None:
    """Fresh values of everything."""
    for k in range(5):
        console.pulse(5.0 * k, 5_000.0 + k)
        console.pulse(5.0 * k, 5_000.0 + k, site=NATIVE_SITE)
    console.forecast()
    console.plant.executor.report()


def test_fresh_values_of_both_sites_are_live_with_their_age(console: Console) -> None:
    console.pulse(age_s=10.0, net_load_kw=4_900.0)
    console.pulse(age_s=5.0, net_load_kw=-120.0, site=NATIVE_SITE)
    seen = console.look()
    assert (seen.metered.site, seen.metered.net_load_kw, seen.metered.age.age_s) == (AREA_SITE, 4_900.0, 10.0)
    assert (seen.native.site, seen.native.net_load_kw, seen.native.age.age_s) == (NATIVE_SITE, -120.0, 5.0)
    assert not seen.metered.age.stale
    assert not seen.native.age.stale


@pytest.mark.parametrize(("age_s", "stale"), [(MAX_AGE_S, False), (MAX_AGE_S + 0.001, True)])
def test_a_value_older_than_the_limit_is_stale(console: Console, age_s: float, stale: bool) -> None:
    console.pulse(age_s)
    console.forecast(age_s)
    seen = console.look()
    assert seen.metered.age.stale is stale
    assert seen.band.age.stale is stale


def test_silence_makes_everything_stale_while_the_plants_time_goes_on(console: Console) -> None:
    live(console)
    before = console.look()
    assert titles(before) == []
    console.plant.clock.advance(MAX_AGE_S + 1)
    seen = console.look(before)
    assert seen.metered.age.stale
    assert seen.band.age.stale
    assert seen.ledger.assets.age.stale
    assert titles(seen) == [
        "No fresh telemetry of area", "No fresh telemetry of area-native", "The assets do not report",
        "No fresh forecast",
    ]  # fmt: skip


def test_what_was_seen_before_never_hides_a_newer_pulse(console: Console) -> None:
    live(console)
    before = console.look()
    console.plant.clock.advance(5.0)
    console.pulse(net_load_kw=7_000.0)
    seen = console.look(before)
    assert seen.metered.net_load_kw == 7_000.0
    assert 7_000.0 in [value for _, value in seen.chart.metered]


def test_a_plant_that_never_reported_shows_nothing_and_no_zero(console: Console, tmp_path: Path) -> None:
    fresh = Ledger(tmp_path / "fresh")
    console.source = replace(console.source, ledger=fresh)
    seen = console.look()
    fresh.close()
    assert seen.metered.net_load_kw is seen.native.net_load_kw is None
    assert seen.metered.age.stale
    assert {seen.band.p10_kw, seen.band.p50_kw, seen.band.p90_kw, seen.band.change_kw} == {None}
    assert seen.price.real_time is seen.price.day_ahead is None
    assert seen.ledger.assets.battery is None
    assert seen.ledger.assets.peaker is None
    assert seen.ledger.assets.age.stale
    assert seen.mode == "manual"
    assert seen.approvals == seen.settled == ()
    assert seen.chart.metered == seen.chart.native == ()


def test_a_pulse_without_net_load_is_fresh_and_shows_no_value(console: Console) -> None:
    console.pulse(net_load_kw=None)
    seen = console.look()
    assert seen.metered.net_load_kw is None
    assert not seen.metered.age.stale
    assert [value for _, value in seen.chart.metered] == [None]


def test_a_forecast_is_shown_as_levels_change_plus_net_load_at_issue(console: Console) -> None:
    console.forecast(net_load_kw=5_000.0)
    console.forecast(site=AREA_SITE, net_load_kw=1.0)  # of the metered site: not what is shown
    band = console.look().band
    assert (band.p10_kw, band.p50_kw, band.p90_kw) == (4_900.0, 5_050.0, 5_300.0)
    assert band.change_kw == 50.0
    assert band.target_at == console.now() + timedelta(minutes=30)


def test_the_chart_holds_the_last_hour_and_the_forecasts_that_speak_of_it(console: Console) -> None:
    for age_s in (3_601.0, 3_600.0, 0.0):
        console.pulse(age_s, net_load_kw=age_s)
    for age_s in (5_401.0, 5_400.0, 0.0):
        console.forecast(age_s)
    chart = console.look().chart
    now_ms = round(console.now().timestamp() * 1000)
    known = [(at - now_ms, value) for at, value in chart.metered if value is not None]
    assert known == [(-3_600_000, 3_600.0), (0, 0.0)]
    assert [at - now_ms for at, value in chart.p50 if value is not None] == [-3_600_000, 1_800_000]
    assert [value for _, value in chart.p10] == [4_900.0, None, 4_900.0]


def test_an_hour_of_pulses_is_thinned_and_a_hole_stays_a_hole(console: Console) -> None:
    for age_s in [*range(0, 600, 5), *range(1_800, 3_600, 5)]:
        console.pulse(age_s, net_load_kw=100.0)
    points = console.look().chart.metered
    assert len(points) <= CHART_POINTS
    holes = [k for k, (_, value) in enumerate(points) if value is None]
    assert len(holes) == 1
    assert points[holes[0] + 1][0] - points[holes[0] - 1][0] >= 1_150_000


def test_the_price_is_that_of_the_interval_that_runs(console: Console) -> None:
    now, step = console.now(), timedelta(seconds=300)
    console.store.write_quotes(
        [PriceQuote(AREA_SITE, now + k * step, 300.0, 30.0 + k, 20.0 + k) for k in (-1, 0, 1)]
    )
    console.plant.clock.advance(299.0)
    price = console.look().price
    assert (price.real_time, price.day_ahead, price.interval_start) == (30.0, 20.0, now)


def test_the_price_of_an_interval_that_is_over_is_not_shown(console: Console) -> None:
    console.store.write_quotes([PriceQuote(AREA_SITE, console.now(), 300.0, None, -20.0)])
    price = console.look().price
    assert (price.real_time, price.day_ahead) == (None, -20.0), "a missing price stays missing"
    console.plant.clock.advance(300.0)
    price = console.look().price
    assert price.real_time is price.day_ahead is None
    assert price.interval_start is None


def test_battery_and_peaker_are_as_the_owner_last_reported_them(console: Console) -> None:
    plant = console.plant
    plant.propose(800.0)
    plant.run()
    plant.driver.peaker = PeakerState(power_kw=1_500.0, on=True, in_state_s=60.0, starts=1)
    plant.executor.report()
    assets = console.look().ledger.assets
    battery, peaker = assets.battery, assets.peaker
    assert battery is not None
    assert peaker is not None
    soc_kwh = plant.driver.battery.soc_kwh
    assert (battery.power_kw, battery.setpoint_kw, battery.soc_kwh) == (800.0, 800.0, soc_kwh)
    assert battery.soc_pct == pytest.approx(100.0 * soc_kwh / BATTERY_KWH)
    assert (peaker.on, peaker.power_kw, peaker.setpoint_kw, peaker.starts_today) == (True, 1_500.0, 0.0, 1)
    plant.clock.advance(86_400.0)
    tomorrow = console.look().ledger.assets.peaker
    assert tomorrow is not None
    assert tomorrow.starts_today == 0


def test_open_events_of_every_site_are_alarms_the_gravest_first_and_ended_ones_are_not(
    console: Console,
) -> None:
    live(console)
    now = console.now()
    began = now - timedelta(minutes=20)
    made = [
        InstabilityEvent("a", AREA_SITE, "measured_ramp", began, None, "warning", 900.0),
        InstabilityEvent("b", AREA_SITE, "forecast_ramp", began, now, "critical", -2_100.0),
        InstabilityEvent("c", "feeder-3", "forecast_ramp", began, None, "critical", -2_100.0),
    ]
    console.store.write([], [], made)
    first, second = console.look().alarms
    assert (first.title, first.severity, first.since) == ("A ramp is forecast", "critical", began)
    assert first.text == "-2,100 kW within 30 min, feeder-3, c"
    assert (second.title, second.severity) == ("Net load ramps", "warning")


def test_telemetry_that_jumps_is_an_alarm_and_loses_its_trust(console: Console) -> None:
    live(console)
    for k in range(40):
        console.pulse(5.0 * (40 - k), 5_000.0 + 10.0 * (k % 3), site=NATIVE_SITE)
    console.plant.clock.advance(5.0)
    console.pulse(0.0, 90_000.0, site=NATIVE_SITE)
    seen = console.look()
    assert seen.trust.trust < 0.5
    assert "Telemetry may be false" in titles(seen)


def test_a_halt_is_the_mode_and_an_alarm_until_it_is_lifted(console: Console) -> None:
    live(console)
    ledger, now = console.plant.ledger, console.now()
    halt(ledger, ANA, "smoke", now)
    seen = console.look()
    assert seen.mode == "halted"
    (alarm,) = seen.alarms
    assert (alarm.title, alarm.text, alarm.since) == ("Autonomy is halted", "by local:ana: smoke", now)
    resume(ledger, OPERATOR, "fine again", now)
    assert console.look().mode == "manual"


@pytest.mark.parametrize(("mode", "shown"), [("live", "autonomous"), ("shadow", "shadow")])
def test_the_mode_is_the_supervisors_while_its_heart_beats(console: Console, mode: str, shown: str) -> None:
    with console.plant.ledger.transaction() as transaction:
        beat = Heartbeat("host:1", console.plant.wall_s, mode, ("response",))  # type: ignore[arg-type]
        write_heartbeat(transaction.connection, beat)
    assert console.look().mode == shown
    console.plant.wall_s += SILENT_SUPERVISOR_S + 1
    assert console.look().mode == "manual"


def test_the_watchdogs_alarm_is_shown_until_it_ends(console: Console) -> None:
    live(console)
    raise_alarm(console.plant.ledger, "no telemetry for 400 s", console.now())
    assert titles(console.look()) == ["The watchdog keeps the assets in their safe state"]
    clear_alarm(console.plant.ledger, console.now())
    assert titles(console.look()) == []


def test_an_intent_without_its_receipt_is_an_alarm_after_a_minute(console: Console) -> None:
    live(console)
    console.plant.driver.crash = RuntimeError("the device is gone")
    console.plant.propose(500.0)
    with pytest.raises(RuntimeError):
        console.plant.executor.tick()
    assert titles(console.look()) == []
    console.plant.clock.advance(61.0)
    live(console)
    assert titles(console.look()) == ["The assets do not confirm"]


def ask(console: Console, minutes: float = 60.0) -> str:
    asked = console.plant.propose(5_000.0, asset="peaker", duration_s=60.0 * minutes, principal=ANA)
    assert asked.approval_id is not None
    return asked.approval_id


def test_a_pending_approval_waits_until_it_is_decided(console: Console) -> None:
    number = ask(console)
    assert [asked.approval_id for asked in console.look().approvals] == [number]
    console.plant.approvals.deny(number, OPERATOR, "no")
    seen = console.look()
    assert seen.approvals == ()
    assert [(asked.approval_id, asked.state) for asked in seen.settled] == [(number, "DENIED")]


def test_an_approval_that_ran_out_is_settled_without_anybody_having_written_so(console: Console) -> None:
    ask(console)
    console.plant.clock.advance_to(console.look().approvals[0].expires_at)
    seen = console.look()
    assert seen.approvals == ()
    assert [asked.state for asked in seen.settled] == ["EXPIRED"]


def test_old_requests_that_still_wait_are_not_hidden_by_newer_ones(console: Console) -> None:
    first = ask(console)
    for k in range(SETTLED_SHOWN + 3):
        console.plant.approvals.deny(ask(console, 61.0 + k), OPERATOR, "no")
    seen = console.look()
    assert [asked.approval_id for asked in seen.approvals] == [first]
    assert len(seen.settled) == SETTLED_SHOWN


def test_looking_changes_neither_ledger_nor_audit_and_verifies_nothing(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(console)
    console.plant.clock.advance_to(console.look().approvals[0].expires_at)
    before = console.plant.ledger.verify_audit()
    verify = console.plant.ledger.verify_audit

    def too_dear() -> None:
        raise AssertionError("a look must not verify the audit")

    monkeypatch.setattr(console.plant.ledger, "verify_audit", too_dear)
    for _ in range(3):
        assert console.look().ledger.audit_entries == before.count
    assert verify() == before


def test_values_that_are_no_numbers_are_missing(console: Console) -> None:
    console.pulse(net_load_kw=float("inf"))
    console.store.write(
        [], [Forecast(NATIVE_SITE, console.now(), console.now(), float("-inf"), -1.0, 0.0, 1.0, "model")]
    )
    seen = console.look()
    assert seen.metered.net_load_kw is None
    assert seen.band.p50_kw is None


# -- what cannot be read ----------------------------------------------------------------------


def reason_of(console: Console) -> str:
    with pytest.raises(SourceError) as caught:
        console.look()
    return str(caught.value)


def test_a_locked_ledger_is_not_live(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.ledger, "BUSY_TIMEOUT_S", 0.01)
    path = console.plant.state_dir / "ledger.db"
    console.plant.ledger.close()
    ledger = Ledger(path.parent)
    console.source = replace(console.source, ledger=ledger)
    ledger.close()  # its connections; the next read opens one
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("PRAGMA locking_mode=EXCLUSIVE")
    blocker.execute("BEGIN EXCLUSIVE")
    assert "cannot be read" in reason_of(console)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert console.look().mode == "manual"
    ledger.close()


@pytest.mark.parametrize("table", ["forecasts", "telemetry"])
def test_a_broken_store_is_not_live(console: Console, tmp_path: Path, table: str) -> None:
    with sqlite3.connect(tmp_path / "telemetry.db") as db:
        db.execute(f"DROP TABLE {table}")
    db.close()
    assert f"telemetry.db: cannot be read (no such table: {table})" in reason_of(console)


def test_before_the_plants_first_tick_its_clock_is_missed_by_name(console: Console) -> None:
    console.source = replace(console.source, clock=LedgerClock(console.plant.ledger, lambda: 0.0))
    assert "no plant has run here yet" in reason_of(console)
