"""Units, the sign convention, telemetry and the clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import BatterySpec, BatteryState, PeakerSpec, PeakerState
from grid.clock import RealClock, SimulatedClock
from grid.telemetry import Telemetry, net_load_of
from grid.units import UnitsError, cost_usd, energy_kwh, metered_net_load_kw, require_utc

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
NAIVE = datetime(2024, 6, 3, 12)  # noqa: DTZ001 (the defect under test)
KW = st.floats(-1e6, 1e6)


@given(native=KW, power=st.floats(1e-3, 1e5))
def test_positive_power_lowers_what_the_meter_reads_for_both_assets(native: float, power: float) -> None:
    assert metered_net_load_kw(native, power, 0.0) < native
    assert metered_net_load_kw(native, 0.0, power) < native
    assert metered_net_load_kw(native, -power, 0.0) > native


@settings(deadline=None)
@given(power=st.floats(100.0, 900.0))
def test_battery_and_peaker_share_one_sign_convention(power: float) -> None:
    battery = BatteryState(soc_kwh=1000.0).step(BatterySpec(1000.0, 2000.0), power, 60.0)
    peaker = PeakerState().step(PeakerSpec(1000.0, 100.0), power, 60.0)
    assert battery.power_kw > 0
    assert battery.soc_kwh < 1000.0
    assert peaker.power_kw > 0
    assert metered_net_load_kw(0.0, battery.power_kw, peaker.power_kw) < 0


@pytest.mark.parametrize("missing", ["load_kw", "solar_kw", "wind_kw"])
def test_a_missing_part_leaves_net_load_missing_and_never_zero(missing: str) -> None:
    parts: dict[str, float | None] = {"load_kw": 90.0, "solar_kw": 20.0, "wind_kw": 10.0}
    assert net_load_of(**parts) == 60.0
    assert net_load_of(**(parts | {missing: None})) is None
    assert net_load_of(**(parts | {missing: 0.0})) is not None


def test_telemetry_without_values_holds_none_and_not_zero() -> None:
    pulse = Telemetry("area", NOON)
    assert (pulse.net_load_kw, pulse.load_kw, pulse.price_usd_per_mwh, pulse.frequency_hz) == (None,) * 4


def test_telemetry_refuses_a_naive_time_and_says_how_to_fix_it() -> None:
    with pytest.raises(UnitsError, match=r"ts_utc: 2024-06-03T12:00:00 has no time zone; give an offset"):
        Telemetry("area", NAIVE)


def test_telemetry_turns_any_offset_into_utc() -> None:
    pulse = Telemetry("area", NOON.astimezone(timezone(timedelta(hours=-7))))
    assert pulse.ts_utc == NOON
    assert pulse.ts_utc.tzinfo is UTC


def test_energy_and_cost_carry_their_units() -> None:
    assert energy_kwh(4000.0, 900.0) == 1000.0
    assert cost_usd(1000.0, 50.0) == 50.0


def test_require_utc_names_the_field_it_refuses() -> None:
    with pytest.raises(UnitsError, match="issued_at"):
        require_utc(NAIVE, "issued_at")


def test_the_simulated_clock_stands_still_until_it_is_moved() -> None:
    clock = SimulatedClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(5.0)
    assert clock.now() == NOON + timedelta(seconds=5)
    clock.advance_to(clock.now())


def test_the_simulated_clock_never_goes_back() -> None:
    clock = SimulatedClock(NOON)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance_to(NOON - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1.0)
    assert clock.now() == NOON


def test_the_simulated_clock_refuses_naive_times() -> None:
    with pytest.raises(UnitsError, match="start"):
        SimulatedClock(NAIVE)
    with pytest.raises(UnitsError, match="moment"):
        SimulatedClock(NOON).advance_to(NAIVE)


def test_the_real_clock_is_aware_and_in_utc() -> None:
    assert RealClock().now().tzinfo is UTC
