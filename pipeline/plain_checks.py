"""What the newest telemetry shows without any model: stale, frozen, parts that do not add up, jumps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from grid.telemetry import Telemetry, net_load_of

STALE_AFTER_CADENCES = 3.0
"""A pulse is stamped at its interval's start, so one cadence of age is the least there can be."""
FROZEN_FOR = timedelta(seconds=60)
FROZEN_STEPS = 6
BALANCE_TOLERANCE = 0.001
BALANCE_HOLD_ROWS = 4
"""A pulse attack is true three times out of four."""
STEP_ALARM_Z = 25.0
"""Set on simulated days: a load step or a generator trip is real, and must not cost the trust."""
HOLD_FOR = timedelta(minutes=150)
"""How long a jump that was not undone is held against the level behind it, as far as one can look back."""
SHORTEST_HOLD = timedelta(seconds=60)
UNDONE_SHARE = 0.5
FEWEST_STEPS = 12


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Rows whose net load is not the sum of its parts.

    Attributes:
        since: stamp of the first of the run.
        parts_kw: net load by the other meters at the newest row; None where it is not there.
    """

    since: datetime
    parts_kw: float | None


def cadence_of(pulses: Sequence[Telemetry]) -> timedelta | None:
    """The median spacing; None for a single pulse."""
    if len(pulses) < 2:
        return None
    gaps = sorted(after.ts_utc - before.ts_utc for before, after in pairwise(pulses))
    return gaps[len(gaps) // 2]


def frozen_since(known: Sequence[Telemetry]) -> datetime | None:
    """The first of a long run of equal newest values, where values before the run did move."""
    values = [pulse.net_load_kw for pulse in known]
    run = 1
    while run < len(values) and values[-run - 1] == values[-1]:
        run += 1
    first = len(values) - run
    before = sum(values[i] != values[i - 1] for i in range(1, first))
    moved_before = before > 0.8 * max(0, first - 1) and first > 1
    long_enough = run > FROZEN_STEPS and known[-1].ts_utc - known[first].ts_utc >= FROZEN_FOR
    return known[first].ts_utc if long_enough and (moved_before or first == 0) else None


def imbalance(recent: Sequence[Telemetry]) -> Imbalance | None:
    """A run of rows that do not add up, if its last is among the newest few."""
    odd = [not adds_up(pulse) for pulse in recent]
    last = next((i for i in range(len(odd) - 1, -1, -1) if odd[i]), None)
    if last is None or len(odd) - 1 - last >= BALANCE_HOLD_ROWS:
        return None
    first = last
    while any(odd[max(0, first - BALANCE_HOLD_ROWS) : first]):
        first = max(i for i in range(max(0, first - BALANCE_HOLD_ROWS), first) if odd[i])
    newest = recent[-1]
    return Imbalance(recent[first].ts_utc, net_load_of(newest.load_kw, newest.solar_kw, newest.wind_kw))


def adds_up(pulse: Telemetry) -> bool:
    """False where net load and its parts are all there and disagree."""
    expected = net_load_of(pulse.load_kw, pulse.solar_kw, pulse.wind_kw)
    if expected is None or pulse.net_load_kw is None:
        return True
    scale = max(abs(part) for part in (pulse.load_kw, pulse.solar_kw, pulse.wind_kw) if part is not None)
    return abs(expected - pulse.net_load_kw) <= BALANCE_TOLERANCE * max(scale, abs(expected))


def step_score(known: Sequence[Telemetry]) -> tuple[float | None, datetime | None]:
    """How far the largest step that still stands out of the recent steps, and its stamp.

    A step that was taken back counts no more, but for a minute and four rows.
    """
    values = np.array([pulse.net_load_kw for pulse in known], dtype=np.float64)
    steps = np.diff(values)
    if len(steps) < FEWEST_STEPS:
        return None, None
    centre = np.median(steps)
    spread = 1.4826 * float(np.median(np.abs(steps - centre))) + 1e-4 * float(np.median(np.abs(values)))
    if spread <= 0.0:
        return None, None
    off, newest = steps - centre, known[-1].ts_utc
    ages = [newest - pulse.ts_utc for pulse in known[1:]]
    recent = [age < SHORTEST_HOLD or len(off) - i <= BALANCE_HOLD_ROWS for i, age in enumerate(ages)]
    standing = [i for i, age in enumerate(ages) if recent[i] or (age < HOLD_FOR and not _undone(off, i))]
    z = np.abs(off[standing]) / spread
    return float(z.max()), known[standing[int(z.argmax())] + 1].ts_utc


def _undone(off: "np.ndarray[tuple[int], np.dtype[np.float64]]", at: int) -> bool:
    """Whether a step was taken back, or itself takes one back."""
    others = np.concatenate([off[:at], off[at + 1 :]])
    return bool((np.abs(others + off[at]) <= UNDONE_SHARE * abs(off[at])).any()) if len(others) else False
