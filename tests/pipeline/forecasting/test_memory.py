"""The seasonal memory: small, exact, and the same however it was fed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FeatureError
from pipeline.forecasting.memory import DAY_US, SlotGrid, SlotRing, SlotSeries, value_at

CADENCES_S = (5.0, 60.0, 240.0, 300.0, 420.0, 900.0, 1200.0, 1800.0)
SECOND_US = 1_000_000


@pytest.mark.parametrize("cadence_s", CADENCES_S)
def test_fourteen_days_of_a_channel_fit_in_eight_kibibytes(cadence_s: float) -> None:
    assert SlotRing(SlotGrid.of_cadence(cadence_s)).nbytes <= 8192


@pytest.mark.parametrize("cadence_s", [0.0, -5.0, 1801.0])
def test_a_cadence_that_no_slot_holds_is_an_error(cadence_s: float) -> None:
    with pytest.raises(FeatureError, match="cadence_s"):
        SlotGrid.of_cadence(cadence_s)


@given(
    st.sampled_from(CADENCES_S),
    st.lists(st.tuples(st.integers(1, 40), st.floats(-1e7, 1e7)), min_size=2, max_size=60),
    st.integers(0, 10**9),
)
def test_a_ring_fed_pulse_by_pulse_holds_the_same_bits_as_the_whole_series(
    cadence_s: float, steps: list[tuple[int, float]], begin_s: int
) -> None:
    grid = SlotGrid.of_cadence(cadence_s)
    ts_us = begin_s * SECOND_US + np.cumsum([step for step, _ in steps]) * round(cadence_s * SECOND_US)
    kw = np.array([value for _, value in steps])
    ring = SlotRing(grid)
    for at_us, value in zip(ts_us.tolist(), kw.tolist(), strict=True):
        ring.add(at_us, value)
    slots = np.arange(ts_us[0] // grid.slot_us - 2, ts_us[-1] // grid.slot_us + 1)
    slots = slots[slots > slots[-1] - 14 * DAY_US // grid.slot_us]
    np.testing.assert_array_equal(ring.means_kw(slots), SlotSeries(ts_us, kw, grid).means_kw(slots))


def test_a_late_value_counts_while_its_slot_is_open_and_not_after() -> None:
    grid = SlotGrid.of_cadence(300.0)
    ring = SlotRing(grid, open_slots=4)
    for minute, kw in ((0, 10.0), (20, 50.0), (5, 20.0)):
        ring.add(minute * 60 * SECOND_US, kw)
    assert ring.means_kw(np.array([0]))[0] == 15.0
    ring.add(60 * 60 * SECOND_US, 0.0)
    ring.add(10 * 60 * SECOND_US, 1000.0)
    assert ring.means_kw(np.array([0]))[0] == 15.0


def test_after_a_gap_longer_than_the_memory_nothing_old_is_taken_for_new() -> None:
    grid = SlotGrid.of_cadence(900.0)
    ring = SlotRing(grid)
    for slot in range(2000):
        ring.add(slot * grid.slot_us, float(slot))
    later = 2000 + 3 * 1347 + 5
    ring.add(later * grid.slot_us, 7.0)
    found = ring.means_kw(np.arange(later - 1346, later + 1))
    assert found[-1] == 7.0
    assert np.isnan(found[:-1]).all()


def test_between_slots_a_value_is_linear_and_beside_a_missing_one_it_is_missing() -> None:
    grid = SlotGrid.of_cadence(300.0)  # slots' centres lie five minutes after their starts
    memory = SlotSeries(np.array([300, 1200, 3000]) * SECOND_US, np.array([10.0, 40.0, 0.0]), grid)
    minutes = np.array([5, 10, 20, 25]) * 60 * SECOND_US
    np.testing.assert_array_equal(value_at(memory, minutes), [10.0, 20.0, 40.0, np.nan])
