"""Signals that copy the past: frozen values, and rows replayed from earlier days."""

from collections.abc import Sequence

import numpy as np

from pipeline.fdia.layout import REPLAY_ROWS, Floats


def run_length(repeats: Floats, pulse_kw: Floats, past_kw: Floats) -> Floats:
    """How often the newest value has repeated, where the same rows of the day before moved.

    Args:
        repeats: count before this pulse.
        pulse_kw: the pulse; a missing one leaves the count.
        past_kw: lane × (the pulse before, the same row a day earlier, the one before that).
    """
    before, then, then_before = past_kw.T
    again = (pulse_kw == before) & (then != then_before)
    return np.where(again, repeats + 1.0, np.where(np.isnan(pulse_kw), repeats, 0.0))


def match(
    now_kw: Floats, before_kw: Floats, then_kw: Sequence[Floats], *, level_kw: Floats, resolution_kw: Floats
) -> Floats:
    """−ln of the largest relative difference to an earlier day, over the last 1, 2, 4 … rows.

    A replay with a little noise stands out as well as an exact one. Rows that did not move (a night
    of zeros) match nothing.

    Args:
        now_kw: lane × the newest rows, newest first; ``before_kw`` one row earlier.
        then_kw: the same rows on each of the earlier days.
        level_kw: of each lane.
        resolution_kw: differences below it count as it.

    Returns:
        Lane × length, of the day that fits best; NaN where none is complete.
    """
    least = (resolution_kw / level_kw)[:, None]
    closest = np.full((len(now_kw), len(REPLAY_ROWS)), -np.inf)
    for then in then_kw:
        off = np.where(now_kw != before_kw, np.abs(now_kw - then), np.nan) / level_kw[:, None]
        largest = np.maximum.accumulate(off, axis=1)[:, np.array(REPLAY_ROWS) - 1]
        closest = np.fmax(closest, -np.log(np.maximum(largest, least)))
    return np.where(np.isinf(closest), np.nan, closest)
