"""The seasonal memory: small, exact, and the same however it was fed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.arrays import Floats
from pipeline.errors import FeatureError
from pipeline.fixed_point import to_quanta
from pipeline.forecasting.memory import DAY_US, SlotGrid, SlotSeries, value_at
from pipeline.forecasting.slot_table import ClosedSlots, SlotTable

CADENCES_S = (5.0, 60.0, 240.0, 300.0, 420.0, 900.0, 1200.0, 1800.0)
SECOND_US = 1_000_000


@pytest.mark.parametrize("cadence_s", CADENCES_S)
def test_fourteen_days_of_a_channel_fit_in_eight_kibibytes(cadence_s: float) -> None:
    assert table_of(SlotGrid.of_cadence(cadence_s), sites=1).nbytes <= 8192


@pytest.mark.parametrize("cadence_s", [0.0, -5.0, 1801.0])
def test_a_cadence_that_no_slot_holds_is_an_error(cadence_s: float) -> None:
    with pytest.raises(FeatureError, match="cadence_s"):
        SlotGrid.of_cadence(cadence_s)


def table_of(grid: SlotGrid, *, late_slots: int = 0, sites: int = 1) -> SlotTable:
    table = SlotTable(grid, late_slots * grid.slot_us)
    table.resize(sites)
    for row in range(sites):
        table.clear(row)
    return table


def add(table: SlotTable, ts_us: int, kw: float, row: int = 0) -> ClosedSlots:
    return table.add(np.array([row]), np.array([ts_us]), to_quanta(np.array([kw])))


def means_of(table: SlotTable, slots: NDArray[np.int64], row: int = 0) -> Floats:
    return table.of(np.full(len(slots), row)).means_kw(slots)


@settings(max_examples=40)
@given(
    cadence_s=st.sampled_from(CADENCES_S),
    steps=st.lists(
        st.lists(st.tuples(st.integers(1, 40), st.floats(-1e7, 1e7)), min_size=1, max_size=60),
        min_size=1,
        max_size=3,
    ),
    begin_s=st.integers(0, 10**9),
    cut=st.integers(1, 50),
)
def test_a_table_fed_in_batches_holds_the_same_bits_as_the_whole_series(
    cadence_s: float, steps: list[list[tuple[int, float]]], begin_s: int, cut: int
) -> None:
    grid = SlotGrid.of_cadence(cadence_s)
    table, closed = table_of(grid, sites=len(steps)), []
    for row, of_site in enumerate(steps):
        ts_us = stamps_of(of_site, begin_s, cadence_s)
        quanta = to_quanta(np.array([value for _, value in of_site]))
        for begin in range(0, len(ts_us), cut):
            part = slice(begin, begin + cut)
            closed.append(table.add(np.full(len(ts_us[part]), row), ts_us[part], quanta[part]))
    for row, of_site in enumerate(steps):
        ts_us = stamps_of(of_site, begin_s, cadence_s)
        whole = SlotSeries(ts_us, np.array([value for _, value in of_site]), grid)
        slots = np.arange(ts_us[0] // grid.slot_us - 2, ts_us[-1] // grid.slot_us + 1)
        slots = slots[slots > slots[-1] - 14 * DAY_US // grid.slot_us]
        np.testing.assert_array_equal(means_of(table, slots, row), whole.means_kw(slots))
        done = [part for part in closed if len(part) and part.rows[0] == row]
        handed = np.concatenate([part.slots for part in done]) if done else np.empty(0, dtype=np.int64)
        assert np.all(np.diff(handed) > 0), "a slot was handed out twice"
        wanted = np.unique(ts_us // grid.slot_us)
        np.testing.assert_array_equal(handed, wanted[wanted <= wanted[-1] - table.open_slots])


def stamps_of(steps: list[tuple[int, float]], begin_s: int, cadence_s: float) -> NDArray[np.int64]:
    return begin_s * SECOND_US + np.cumsum([step for step, _ in steps]) * round(cadence_s * SECOND_US)


def test_a_late_value_counts_while_its_slot_is_open_and_not_after() -> None:
    table = table_of(SlotGrid.of_cadence(300.0), late_slots=2)
    for minute, kw in ((0, 10.0), (20, 50.0), (5, 20.0)):
        add(table, minute * 60 * SECOND_US, kw)
    assert means_of(table, np.array([0]))[0] == 15.0
    closed = add(table, 60 * 60 * SECOND_US, 0.0)
    assert (closed.slots.tolist(), closed.counts.tolist()) == ([0], [2])
    add(table, 10 * 60 * SECOND_US, 1000.0)
    assert means_of(table, np.array([0]))[0] == 15.0


def test_after_a_gap_longer_than_the_memory_nothing_old_is_taken_for_new() -> None:
    grid = SlotGrid.of_cadence(900.0)
    table = table_of(grid)
    for slot in range(2000):
        add(table, slot * grid.slot_us, float(slot))
    later = 2000 + 3 * 1347 + 5
    add(table, later * grid.slot_us, 7.0)
    found = means_of(table, np.arange(later - 1346, later + 1))
    assert found[-1] == 7.0
    assert np.isnan(found[:-1]).all()


def test_what_a_store_holds_of_a_slot_counts_when_the_log_has_but_a_part_of_it() -> None:
    grid = SlotGrid.of_cadence(900.0)
    table = table_of(grid)
    stored = {slot: (1024 * slot, 1) for slot in (1, 2, 5, 6)}
    table.load(0, stored, 3 * grid.slot_us + 1)
    np.testing.assert_array_equal(means_of(table, np.arange(1, 4)), [1.0, 2.0, np.nan])
    for slot in range(3, 9):
        add(table, slot * grid.slot_us + 1, 100.0)
    np.testing.assert_array_equal(means_of(table, np.arange(3, 9)), [np.nan, 100.0, 5.0, 6.0, 100.0, 100.0])


def test_between_slots_a_value_is_linear_and_beside_a_missing_one_it_is_missing() -> None:
    grid = SlotGrid.of_cadence(300.0)  # slots' centres lie five minutes after their starts
    memory = SlotSeries(np.array([300, 1200, 3000]) * SECOND_US, np.array([10.0, 40.0, 0.0]), grid)
    minutes = np.array([5, 10, 20, 25]) * 60 * SECOND_US
    np.testing.assert_array_equal(value_at(memory, minutes), [10.0, 20.0, 40.0, np.nan])
