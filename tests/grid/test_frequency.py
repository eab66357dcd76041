"""The frequency follows the imbalance, and settles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.frequency import FREQUENCY_DEADBAND_HZ, FrequencyModel, SystemSpec

RATING_KW = 1_000_000.0


def after_step(step_kw: float, spec: SystemSpec | None = None, seconds: int = 60) -> list[float]:
    """The frequency each second after a step of a settled net load."""
    model = FrequencyModel(spec or SystemSpec(RATING_KW))
    model.step(50_000.0, 1.0)
    return [model.step(50_000.0 + step_kw, 1.0) for _ in range(seconds)]


def test_a_balanced_system_stays_at_its_nominal_frequency() -> None:
    model = FrequencyModel(SystemSpec(RATING_KW))
    assert [model.step(40_000.0, 5.0) for _ in range(10)] == [60.0] * 10
    assert FrequencyModel(SystemSpec(RATING_KW, nominal_hz=50.0)).step(1.0, 5.0) == 50.0


def test_more_net_load_lowers_the_frequency_and_less_raises_it() -> None:
    assert min(after_step(12_000.0)) < 60.0 - FREQUENCY_DEADBAND_HZ
    assert max(after_step(-12_000.0)) > 60.0 + FREQUENCY_DEADBAND_HZ


def test_droop_and_damping_set_the_frequency_that_the_governors_reach() -> None:
    spec = SystemSpec(RATING_KW, schedule_s=1e9)
    settled = after_step(10_000.0, spec, seconds=300)[-1]
    assert settled == pytest.approx(60.0 - 60.0 * 0.01 / (1.0 / 0.05 + 1.0), abs=1e-4)


def test_inertia_slows_the_first_fall() -> None:
    first_light = after_step(10_000.0, SystemSpec(RATING_KW, inertia_s=2.0))[0]
    first_heavy = after_step(10_000.0, SystemSpec(RATING_KW, inertia_s=8.0))[0]
    assert first_light < first_heavy < 60.0


def test_the_schedule_follows_so_that_the_frequency_recovers() -> None:
    assert after_step(10_000.0, seconds=3600)[-1] == pytest.approx(60.0, abs=1e-4)


@settings(max_examples=60)
@given(
    levels=st.lists(st.floats(-100_000.0, 100_000.0), min_size=1, max_size=50),
    cadence_s=st.sampled_from([1.0, 5.0, 60.0, 900.0, 1800.0]),
)
def test_the_frequency_is_stable_at_any_cadence(levels: list[float], cadence_s: float) -> None:
    model = FrequencyModel(SystemSpec(RATING_KW))
    for level in levels:
        assert abs(model.step(level, cadence_s) - 60.0) < 60.0 * 0.05
    settled = [model.step(levels[-1], cadence_s) for _ in range(int(4000 / cadence_s) + 10)]
    assert settled[-1] == pytest.approx(60.0, abs=1e-4)


def test_one_long_pulse_reads_the_mean_of_the_short_ones_within_it() -> None:
    short, long = FrequencyModel(SystemSpec(RATING_KW)), FrequencyModel(SystemSpec(RATING_KW))
    for model in (short, long):
        model.step(50_000.0, 5.0)
    mean = np.mean([short.step(60_000.0, 5.0) for _ in range(12)])
    assert long.step(60_000.0, 60.0) == pytest.approx(mean, abs=1e-9)
