import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispatch.flags import halt
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from tests.tools.small_grid import ANA, INTERVAL, OPERATOR, SmallGrid, small_area


def test_the_wire_carries_the_names_of_the_mission(plant: SmallGrid) -> None:
    sites = plant.ask("get_grid_status").model_dump(mode="json", by_alias=True)["sites"]
    by_name = {site["site"]: site for site in sites}
    newest, forecast = plant.newest(NATIVE_SITE), plant.store.latest_forecast(NATIVE_SITE)
    assert forecast is not None
    assert by_name[NATIVE_SITE]["Net_Load_kW"] == newest.net_load_kw
    assert by_name[NATIVE_SITE]["Predicted_30min_Change"] == forecast.p50_kw
    assert by_name.keys() == {AREA_SITE, NATIVE_SITE}


def test_before_anything_was_measured_everything_is_missing_and_nothing_is_zero(grid: SmallGrid) -> None:
    status = grid.ask("get_grid_status")
    for site in status.sites:
        assert site.stale
        assert {site.ts_utc, site.age_s, site.net_load_kw, site.predicted_30min_change} == {None}
        assert {site.price_per_mwh, site.frequency_hz} == {None}
    assert set(status.native_means_kw + status.metered_means_kw) == {None}
    battery, peaker = status.battery, status.peaker
    assert {battery.power_kw, battery.setpoint_kw, battery.soc_kwh, battery.soc_pct} == {None}
    assert {peaker.power_kw, peaker.setpoint_kw, peaker.on, peaker.in_state_s} == {None}


def test_a_pulse_without_net_load_shows_no_net_load(grid: SmallGrid) -> None:
    grid.measure(AREA_SITE, net_load_kw=900.0, age=2 * INTERVAL)
    grid.measure(AREA_SITE, net_load_kw=None, frequency_hz=50.01, age=INTERVAL)
    area = grid.ask("get_grid_status").sites[0]
    assert (area.net_load_kw, area.frequency_hz, area.stale) == (None, 50.01, False)


@pytest.mark.parametrize(("age_s", "stale"), [(900.0, False), (900.001, True)])
def test_telemetry_and_forecast_go_stale_after_three_pulses(
    grid: SmallGrid, age_s: float, stale: bool
) -> None:
    age = timedelta(seconds=age_s)
    issued_at = grid.clock.now() - age
    grid.measure(AREA_SITE, net_load_kw=900.0, age=age)
    target_at = issued_at + timedelta(minutes=30)
    grid.store.write([], [Forecast(AREA_SITE, issued_at, target_at, 900.0, -5.0, 7.0, 9.0, "m")])
    area = grid.ask("get_grid_status").sites[0]
    assert (area.age_s, area.stale) == (age_s, stale)
    assert area.predicted_30min_change == (None if stale else 7.0)
    assert area.net_load_kw == 900.0


def test_interval_means_run_from_the_oldest_to_the_one_that_has_just_ended(grid: SmallGrid) -> None:
    for ago, level in ((7, 100.0), (6, 200.0), (4, 400.0), (1, 700.0)):
        grid.measure(NATIVE_SITE, net_load_kw=level, age=ago * INTERVAL)
    grid.measure(NATIVE_SITE, net_load_kw=750.0, age=INTERVAL / 2)
    grid.measure(NATIVE_SITE, net_load_kw=None, age=INTERVAL / 4)
    grid.measure(NATIVE_SITE, net_load_kw=1e6, age=8 * INTERVAL)
    grid.measure(NATIVE_SITE, net_load_kw=1e6, age=timedelta(0))
    grid.measure(AREA_SITE, net_load_kw=-3.0, age=INTERVAL)
    status = grid.ask("get_grid_status")
    assert status.native_means_kw == [100.0, 200.0, None, 400.0, None, None, 725.0]
    assert status.metered_means_kw == [None] * 6 + [-3.0]


def test_a_discharge_reads_positive_and_a_charge_negative_and_the_meter_feels_both(plant: SmallGrid) -> None:
    plant.ask("discharge_battery", power_kw=30.0, duration_min=5.0, reason="to see it")
    plant.advance()
    status = plant.ask("get_grid_status")
    assert (status.battery.power_kw, status.battery.setpoint_kw) == (30.0, 30.0)
    assert status.metered_means_kw[-1] == pytest.approx(status.native_means_kw[-1] - 30.0)
    spent_kwh = 30.0 / 12 / math.sqrt(0.9)
    assert status.battery.cycles_today == pytest.approx(spent_kwh / status.battery.energy_kwh)
    assert status.battery.soc_kwh == pytest.approx(status.battery.energy_kwh / 2 - spent_kwh)
    assert status.battery.soc_pct == pytest.approx(100 * status.battery.soc_kwh / status.battery.energy_kwh)

    plant.ask("charge_battery", power_kw=20.0, duration_min=5.0, reason="to see it")
    plant.advance()
    status = plant.ask("get_grid_status")
    assert status.battery.power_kw == -20.0
    assert status.metered_means_kw[-1] == pytest.approx(status.native_means_kw[-1] + 20.0)


def test_only_open_events_are_listed(grid: SmallGrid) -> None:
    now = grid.clock.now()
    begun, ended = now - timedelta(hours=2), now - timedelta(hours=1)
    grid.store.write(
        [],
        [],
        [
            InstabilityEvent("over", AREA_SITE, "measured_ramp", begun, ended, "warning", 50.0),
            InstabilityEvent(
                "open", NATIVE_SITE, "frequency", now - timedelta(days=3), None, "critical", None
            ),
        ],
    )
    events = grid.ask("get_grid_status").events
    assert [(event.event_id, event.severity, event.cause_kw) for event in events] == [
        ("open", "critical", None)
    ]


def test_a_request_is_listed_while_it_waits_and_once_decided_but_not_when_expired(plant: SmallGrid) -> None:
    plant.ask("dispatch_peaker", power_kw=20.0, duration_min=90.0, reason="a hot evening")
    (waiting,) = plant.ask("get_grid_status").approvals
    assert (waiting.state, waiting.tool, waiting.asset) == ("pending", "dispatch_peaker", "peaker")
    assert (waiting.power_kw, waiting.duration_min) == (20.0, 90.0)
    assert (waiting.requester, waiting.reason, waiting.rules) == (
        "local:ana",
        "a hot evening",
        ["peaker_start"],
    )
    plant.approvals.approve(waiting.approval_id, OPERATOR, "agreed")
    assert [asked.state for asked in plant.ask("get_grid_status").approvals] == ["approved"]
    plant.clock.advance(plant.limits.approval_expires_s)
    assert plant.ask("get_grid_status").approvals == []


def test_a_halt_shows(plant: SmallGrid) -> None:
    assert not plant.ask("get_grid_status").halted
    halt(plant.ledger, ANA, "something smells", plant.clock.now())
    assert plant.ask("get_grid_status").halted


def test_what_has_no_limit_is_none_because_json_knows_no_infinity(tmp_path: Path) -> None:
    area = small_area()
    battery = replace(area.limits.battery, ramp_kw_per_s=math.inf)
    free = SmallGrid(tmp_path, area=replace(area, limits=replace(area.limits, battery=battery))).start()
    status = free.ask("get_grid_status")
    free.close()
    assert status.battery.ramp_kw_per_s is None
    assert status.peaker.ramp_kw_per_s == area.limits.peaker.ramp_kw_per_s
    assert status.peaker.in_state_s is None  # off since ever


def forecast_days(grid: SmallGrid, error_kw: float, days: float = 3.0) -> None:
    """Forecasts up to now whose median is off by so much; half of their band is 10 kW wide."""
    now, step = grid.clock.now(), timedelta(minutes=15)
    count = round(days * 96)
    level = [900.0 + 100.0 * math.sin(place / 5.0) for place in range(count + 3)]
    made = []
    for place in range(count):
        issued_at = now - (count - place) * step
        p50_kw = level[place + 2] - level[place] - error_kw
        target_at = issued_at + timedelta(minutes=30)
        band = (p50_kw - 10.0, p50_kw, p50_kw + 10.0)
        made.append(Forecast(AREA_SITE, issued_at, target_at, level[place], *band, "m"))
    grid.store.write([], made)


def test_forecasts_that_decayed_are_told_with_since_when_and_why(grid: SmallGrid) -> None:
    forecast_days(grid, error_kw=14.0)
    quality = grid.ask("get_grid_status").sites[0].forecast_quality
    assert quality.degraded
    assert quality.coverage == 0.0
    assert quality.band_factor == 1.5
    assert "band holds 0%" in quality.reasons[0]
    assert grid.clock.now() - timedelta(days=2) < quality.degraded_since < grid.clock.now()
    assert 0.0 < quality.skill_persistence < 1.0


def test_a_band_that_held_too_little_is_widened_where_the_forecast_is_read(grid: SmallGrid) -> None:
    forecast_days(grid, error_kw=14.0)
    now = grid.clock.now()
    grid.store.write(
        [], [Forecast(AREA_SITE, now, now + timedelta(minutes=30), 900.0, -10.0, 0.0, 20.0, "m")]
    )
    answer = grid.ask("forecast_net_load", site=AREA_SITE)
    assert answer.band_factor == 1.5
    assert (answer.p10_change_kw, answer.p50_change_kw, answer.p90_change_kw) == (-15.0, 0.0, 30.0)


def test_sound_forecasts_are_told_as_such_and_new_ones_count_with_the_next_status(grid: SmallGrid) -> None:
    forecast_days(grid, error_kw=4.0, days=2.0)
    area, native = grid.ask("get_grid_status").sites
    assert native.forecast_quality is None
    assert (area.forecast_quality.degraded, area.forecast_quality.coverage) == (False, 1.0)
    assert area.forecast_quality.degraded_since is None
    before = area.forecast_quality.forecasts
    grid.clock.advance(timedelta(days=1).total_seconds())
    forecast_days(grid, error_kw=4.0, days=0.9)
    assert grid.ask("get_grid_status").sites[0].forecast_quality.forecasts > before
