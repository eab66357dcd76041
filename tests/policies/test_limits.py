import math
from pathlib import Path

import pytest

from policies.errors import LimitsError
from policies.limits import BatteryLimits, Limits, Scale, load_limits

SCALE = Scale(p99_net_load_kw=1_000_000.0, ramp_limit_kw=80_000.0, cadence_s=5.0)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_states_exactly_the_defaults_of_the_models() -> None:
    assert load_limits(None) == Limits()


def test_sizes_left_to_auto_follow_the_definitions() -> None:
    plant = Limits().resolve(SCALE)
    assert plant.battery.power_kw == plant.peaker.power_kw == 50_000.0
    assert plant.battery.energy_kwh == 100_000.0
    assert plant.battery.round_trip_efficiency == 0.9
    assert plant.battery.wear_usd_per_mwh == 10.0
    assert plant.battery.max_cycles_per_day == 2.0
    assert plant.peaker.min_power_kw == 15_000.0
    assert plant.peaker.min_up_s == 3600.0
    assert plant.peaker.running_usd_per_mwh == 90.0
    assert plant.peaker.start_usd == 60.0 * 50.0
    assert plant.ramp_limit_kw == 80_000.0


def test_a_small_ramp_limit_caps_the_assets() -> None:
    plant = Limits().resolve(Scale(1_000_000.0, 20_000.0, 300.0))
    assert plant.battery.power_kw == plant.peaker.power_kw == 20_000.0


def test_a_ramp_limit_of_ones_own_caps_the_assets_too() -> None:
    limits = Limits.model_validate({"ramp": {"limit_kw": 10_000.0}})
    assert limits.battery_spec(SCALE).power_kw == 10_000.0
    assert limits.resolve(SCALE).ramp_limit_kw == 10_000.0


def test_default_assets_reach_any_setpoint_within_one_pulse() -> None:
    plant = Limits().resolve(SCALE)
    full = plant.battery.initial_state().step(plant.battery, plant.battery.power_kw, 5.0)
    assert full.step(plant.battery, -plant.battery.power_kw, 5.0).power_kw == -plant.battery.power_kw


@pytest.mark.parametrize(
    ("cadence_s", "max_age_s", "interval_s"), [(5, 60, 300), (300, 900, 300), (900, 2700, 900)]
)
def test_staleness_and_interval_follow_the_cadence(
    cadence_s: float, max_age_s: float, interval_s: float
) -> None:
    plant = Limits().resolve(Scale(1_000_000.0, 80_000.0, cadence_s))
    assert (plant.max_age_s, plant.interval_s) == (max_age_s, interval_s)


def test_a_file_overrides_only_what_it_names(tmp_path: Path) -> None:
    limits = load_limits(write(tmp_path, "battery: {power_kw: 1000, energy_hours: 4}\n"))
    battery = limits.battery_spec(SCALE)
    assert (battery.power_kw, battery.energy_kwh) == (1000.0, 4000.0)
    assert limits.peaker == Limits().peaker


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("battery: {power_kw: lots}", ["battery.power_kw", "'lots'", "'auto'"]),
        ("battery: {power_kw: -5}", ["battery.power_kw", "-5", "greater than 0"]),
        ("battery: {powr_kw: 5}", ["battery.powr_kw", "no such field"]),
        ("batery: {power_kw: 5}", ["batery", "no such field"]),
        ("peaker: {min_power_pct: .nan}", ["peaker.min_power_pct", "nan", "finite"]),
        ("peaker: {power_kw: .inf}", ["peaker.power_kw", "inf", "finite"]),
        ("battery: {soc_min: 0.9, soc_max: 0.1}", ["battery", "soc_min 0.9 must be below soc_max 0.1"]),
        ("battery: {soc_min: 0.6}", ["initial_soc 0.5 must lie between"]),
        ("- a list", ["no sections"]),
        ("", ["no sections"]),
        ("battery: [", ["is not YAML"]),
    ],
)
def test_a_bad_file_names_field_value_and_fix(tmp_path: Path, text: str, named: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LimitsError) as caught:
        load_limits(path)
    for part in (path.name, *named):
        assert part in str(caught.value)


def test_a_file_that_cannot_be_read_is_a_limits_error(tmp_path: Path) -> None:
    with pytest.raises(LimitsError, match=r"missing\.yaml: cannot be read"):
        load_limits(tmp_path / "missing.yaml")


def test_a_binary_file_is_a_limits_error(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_bytes(b"\x80\x81\xff")
    with pytest.raises(LimitsError, match="cannot be read"):
        load_limits(path)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_without_size_is_refused(bad: float) -> None:
    with pytest.raises(LimitsError, match="ramp_limit_kw"):
        Scale(1000.0, bad, 5.0)


def test_limits_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BatteryLimits().power_kw = 5.0  # type: ignore[misc]
