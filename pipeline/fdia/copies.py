"""Signals that copy the past: frozen values, rows replayed from earlier days, and late ones."""

from collections.abc import Sequence

import numpy as np

from pipeline.fdia.layout import REPLAY_ROWS, Floats, Integers


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


def repeats_of(runs: Integers, recent_kw: Floats) -> Integers:
    """How many rows in a row have equalled the one so many rows before, by delay.

    A late signal repeats, to the bit, what was measured before it came late. Rows that did not move,
    and missing ones, leave the count.

    Args:
        runs: lane × delay: counts before this pulse.
        recent_kw: lane × (the pulse, the one before, and those from two rows before on).
    """
    now, before, then = recent_kw[:, :1], recent_kw[:, 1:2], recent_kw[:, 2:]
    unclear = np.isnan(now) | np.isnan(then) | (now == before)
    return np.where(unclear, runs, np.where(now == then, runs + 1, 0))


def rarest(runs: Integers, rarity: Floats) -> tuple[Integers, Floats]:
    """Of each lane's repetitions the one that chance makes the least often: its rows, and −ln of that chance.

    Args:
        runs: lane × delay, as :func:`repeats_of` counts them.
        rarity: of a single row, as :func:`repeat_rarity` gives it; lane × delay.
    """
    of_delay = runs * rarity
    place = of_delay.argmax(axis=1)[:, None]
    rows = np.take_along_axis(runs, place, axis=1)[:, 0]
    return rows, np.take_along_axis(of_delay, place, axis=1)[:, 0]


def repeat_rarity(values_kw: Floats, delays: Integers) -> Floats:
    """−ln of how often a row that moved equals the one so many rows before, by delay.

    A coarse meter repeats itself often, and is the less surprising.
    """
    moved = np.concatenate([[False], values_kw[1:] != values_kw[:-1]])
    rarity = []
    for delay in delays.tolist():
        now, then = values_kw[delay:], values_kw[:-delay]
        known = moved[delay:] & ~np.isnan(now) & ~np.isnan(then)
        rarity.append(np.log(known.sum() + 2) - np.log((known & (now == then)).sum() + 1))
    return np.array(rarity)
