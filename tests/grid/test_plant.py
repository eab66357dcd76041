"""The plant: what the meters read is the base series less what the assets inject."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import BatterySpec, PeakerSpec
from grid.drivers import Driver
from grid.drivers.simulated import SimulatedDriver
from grid.errors import PlantError
from grid.plant import PlantSimulator, system_around
from grid.series import BaseSeries
from grid.synthetic import generate_day
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid.units import UnitsError

START = datetime(2024, 6, 3, tzinfo=UTC)
BATTERY = BatterySpec(power_kw=1000.0, energy_kwh=2000.0)
PEAKER = PeakerSpec(power_kw=1000.0, min_power_kw=300.0, min_up_s=600.0, min_down_s=300.0)


def series(net_load_kw: list[float], cadence_s: float = 300.0, **columns: list[float]) -> BaseSeries:
    index = pd.date_range(
        START, periods=len(net_load_kw), freq=pd.Timedelta(seconds=cadence_s), name="ts_utc"
    )
    return BaseSeries(pd.DataFrame({"net_load_kw": net_load_kw, **columns}, index=index), cadence_s)


def plant(base: BaseSeries) -> PlantSimulator:
    return PlantSimulator(base, BATTERY, PEAKER)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def of_site(pulses: list[Telemetry], site: str) -> list[Telemetry]:
    return [pulse for pulse in pulses if pulse.site == site]


LEVELS = st.lists(st.one_of(st.floats(-5e4, 1e5), st.just(math.nan)), min_size=1, max_size=40)
SETPOINTS = st.tuples(st.floats(-2000.0, 2000.0), st.sampled_from([0.0, 400.0, 900.0]))


@settings(max_examples=60)
@given(levels=LEVELS, setpoints=st.lists(SETPOINTS, min_size=40, max_size=40))
def test_metered_is_native_less_battery_less_peaker_on_every_pulse(
    levels: list[float], setpoints: list[tuple[float, float]]
) -> None:
    simulator = plant(series(levels))
    for level, setpoint in zip(levels, setpoints, strict=False):
        simulator.set_points(*setpoint)
        area, native = simulator.play_row()
        assert (area.site, native.site) == (AREA_SITE, NATIVE_SITE)
        if math.isnan(level):
            assert area.net_load_kw is None
            assert native.net_load_kw is None
        else:
            assert native.net_load_kw == level
            assert area.net_load_kw == level - simulator.battery.power_kw - simulator.peaker.power_kw


@settings(max_examples=40)
@given(
    setpoints=st.lists(SETPOINTS, min_size=12, max_size=12), steps=st.lists(st.integers(1, 12), max_size=12)
)
def test_playing_in_small_steps_equals_playing_at_once(
    setpoints: list[tuple[float, float]], steps: list[int]
) -> None:
    base = series([1000.0 * k for k in range(60)], 60.0)
    whole, stepped = plant(base), plant(base)
    for border, setpoint in enumerate(setpoints, start=1):
        moment = at(5 * border)
        whole.set_points(*setpoint)
        stepped.set_points(*setpoint)
        expected = whole.play_until(moment)
        got: list[Telemetry] = []
        for minutes in sorted(steps):
            got += stepped.play_until(min(moment, at(5 * (border - 1) + minutes)))
        assert got + stepped.play_until(moment) == expected


def test_discharge_and_generation_lower_the_meter_and_charging_raises_it() -> None:
    simulator = plant(series([50_000.0] * 3))
    simulator.set_points(500.0, 0.0)
    assert simulator.play_row()[0].net_load_kw == 49_500.0
    simulator.set_points(-500.0, 0.0)
    assert simulator.play_row()[0].net_load_kw == 50_500.0
    simulator.set_points(0.0, 800.0)
    assert simulator.play_row()[0].net_load_kw == 49_200.0


def test_a_pulse_comes_when_its_interval_ends_and_a_setpoint_acts_from_the_next() -> None:
    simulator = plant(series([50_000.0] * 4))
    assert simulator.play_until(at(4.9)) == []
    first = simulator.play_until(at(5))
    assert [pulse.ts_utc for pulse in first] == [START, START]
    simulator.set_points(700.0, 0.0)
    assert first[0].net_load_kw == 50_000.0
    assert of_site(simulator.play_until(at(10)), AREA_SITE)[0].net_load_kw == 49_300.0
    assert simulator.now == at(10)


def test_the_area_meter_sees_the_net_alone_and_the_native_site_all_parts() -> None:
    base = series([60.0], load_kw=[100.0], solar_kw=[30.0], wind_kw=[10.0], price_usd_per_mwh=[25.0])
    area, native = plant(base).play_row()
    assert (area.load_kw, area.solar_kw, area.wind_kw) == (None, None, None)
    assert (native.load_kw, native.solar_kw, native.wind_kw) == (100.0, 30.0, 10.0)
    assert area.price_usd_per_mwh == native.price_usd_per_mwh == 25.0
    assert area.frequency_hz == 60.0
    assert native.frequency_hz is None


def test_channels_without_a_column_stay_missing() -> None:
    _, native = plant(series([60.0])).play_row()
    assert (native.load_kw, native.solar_kw, native.wind_kw) == (None, None, None)
    assert (native.price_usd_per_mwh, native.da_price_usd_per_mwh) == (None, None)


def test_each_pulse_carries_the_prices_of_its_own_interval() -> None:
    rt, da = [10.0, math.nan, 30.0], [11.0, 21.0, 31.0]
    simulator = plant(series([1.0] * 3, price_usd_per_mwh=rt, da_price_usd_per_mwh=da))
    pulses = of_site(simulator.play_until(at(15)), AREA_SITE)
    assert [pulse.price_usd_per_mwh for pulse in pulses] == [10.0, None, 30.0]
    assert [pulse.da_price_usd_per_mwh for pulse in pulses] == da


def test_a_missing_net_load_yields_a_pulse_without_one_and_never_zero() -> None:
    simulator = plant(series([50_000.0, math.nan, 50_000.0]))
    simulator.set_points(500.0, 0.0)
    pulses = of_site(simulator.play_until(at(15)), AREA_SITE)
    assert [pulse.net_load_kw for pulse in pulses] == [49_500.0, None, 49_500.0]
    assert all(pulse.frequency_hz is not None for pulse in pulses)


def test_a_gap_yields_no_pulse_but_the_assets_go_on() -> None:
    base = series([50_000.0] * 7)
    gap = BaseSeries(base.frame.drop(base.frame.index[2:5]), 300.0)
    whole, broken = plant(base), plant(gap)
    for simulator in (whole, broken):
        simulator.set_points(600.0, 500.0)
    times = [pulse.ts_utc for pulse in of_site(broken.play_until(at(35)), AREA_SITE)]
    whole.play_until(at(35))
    assert times == [at(0), at(5), at(25), at(30)]
    assert broken.battery.soc_kwh == pytest.approx(whole.battery.soc_kwh)
    assert broken.peaker == whole.peaker
    assert broken.now == whole.now == at(35)


def test_a_setpoint_given_within_a_gap_acts_within_it() -> None:
    base = series([50_000.0] * 13)
    simulator = plant(BaseSeries(base.frame.iloc[[0, 12]], 300.0))
    simulator.play_until(at(30))
    simulator.set_points(600.0, 0.0)
    simulator.play_until(at(60))
    assert simulator.battery.discharged_kwh == pytest.approx(300.0)
    assert not simulator.ended


def test_after_the_last_row_the_assets_go_on_alone() -> None:
    simulator = plant(series([50_000.0]))
    simulator.set_points(-600.0, 0.0)
    assert len(simulator.play_until(at(60))) == 2
    assert simulator.ended
    assert simulator.battery.charged_kwh == pytest.approx(600.0)
    with pytest.raises(IndexError):
        simulator.play_row()


def test_rows_closer_than_the_cadence_end_where_the_next_begins() -> None:
    base = series([50_000.0] * 3)
    early = base.frame.index.to_list()
    early[1] -= timedelta(minutes=2)
    frame = base.frame.set_axis(pd.DatetimeIndex(early, name="ts_utc"), axis=0)
    simulator = plant(BaseSeries(frame, 300.0))
    simulator.set_points(600.0, 0.0)
    simulator.play_until(at(15))
    assert simulator.battery.discharged_kwh == pytest.approx(600.0 / 4)


def test_the_plant_feels_minimum_times_and_empty_batteries() -> None:
    simulator = plant(series([50_000.0] * 36))
    simulator.set_points(1000.0, 1000.0)
    simulator.play_until(at(5))
    simulator.set_points(1000.0, 0.0)
    assert of_site(simulator.play_until(at(10)), AREA_SITE)[0].net_load_kw == 50_000.0 - 1000.0 - 300.0
    assert of_site(simulator.play_until(at(180)), AREA_SITE)[-1].net_load_kw == 50_000.0
    assert simulator.battery.soc_kwh == pytest.approx(0.0, abs=1e-9)


def test_a_dispatch_moves_the_frequency_and_a_full_swing_stays_in_the_deadband() -> None:
    base = series([100_000.0] * 200, 5.0)
    simulator = PlantSimulator(base, BatterySpec(5000.0, 10_000.0), PEAKER)
    simulator.set_points(-5000.0, 0.0)
    simulator.play_until(START + timedelta(seconds=900))
    simulator.set_points(5000.0, 0.0)
    pulses = of_site(simulator.play_until(START + timedelta(seconds=1000)), AREA_SITE)
    highest = max(pulse.frequency_hz or 0.0 for pulse in pulses)
    assert 60.01 < highest < 60.036


def test_a_file_with_its_own_frequency_keeps_it_and_adds_what_the_assets_do() -> None:
    base = series([50_000.0] * 4, 5.0, frequency_hz=[50.02, 49.99, math.nan, 50.0])
    simulator = PlantSimulator(base, BATTERY, PEAKER, system_around(base, nominal_hz=50.0))
    idle = [simulator.play_row()[0].frequency_hz for _ in range(3)]
    assert idle == [50.02, 49.99, None]
    simulator.set_points(1000.0, 0.0)
    helped = simulator.play_row()[0].frequency_hz
    assert helped is not None
    assert helped > 50.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_setpoint_that_is_no_number_is_refused_and_changes_nothing(bad: float) -> None:
    simulator = plant(series([1.0]))
    simulator.set_points(10.0, 0.0)
    with pytest.raises(PlantError, match="battery_kw"):
        simulator.set_points(bad, 5.0)
    with pytest.raises(PlantError, match="peaker_kw"):
        simulator.set_points(5.0, bad)
    assert simulator.set_points_kw == (10.0, 0.0)


def test_an_empty_series_and_a_naive_time_are_refused() -> None:
    with pytest.raises(PlantError, match="no row"):
        plant(series([]))
    with pytest.raises(UnitsError, match="moment"):
        plant(series([1.0])).play_until(datetime(2024, 6, 3))  # noqa: DTZ001 (the defect under test)


def test_a_series_without_any_net_load_still_plays() -> None:
    pulses = plant(series([math.nan, math.nan])).play_until(at(10))
    assert [pulse.net_load_kw for pulse in pulses] == [None] * 4


def test_the_driver_reads_what_the_assets_do_and_were_asked_to_do() -> None:
    simulator = plant(series([50_000.0] * 12))
    driver: Driver = SimulatedDriver(simulator)
    driver.apply(5000.0, 900.0)
    simulator.play_until(at(15))
    readings = driver.read()
    assert readings.ts_utc == at(15)
    assert (readings.battery_setpoint_kw, readings.peaker_setpoint_kw) == (5000.0, 900.0)
    assert readings.battery.power_kw == 1000.0
    assert readings.battery.discharged_kwh == pytest.approx(250.0)
    assert readings.peaker.power_kw == 900.0
    assert readings.peaker.starts == 1


def test_a_whole_day_of_five_second_pulses_plays_every_one() -> None:
    base = generate_day(1000)
    simulator = PlantSimulator(base, BATTERY, PEAKER)
    simulator.set_points(400.0, 500.0)
    pulses = simulator.play_until(base.frame.index[-1] + timedelta(seconds=5))
    assert len(of_site(pulses, AREA_SITE)) == len(of_site(pulses, NATIVE_SITE)) == 17_280
    native = [pulse.net_load_kw for pulse in of_site(pulses, NATIVE_SITE)]
    np.testing.assert_array_equal(native, base.frame["net_load_kw"])
