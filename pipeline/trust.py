"""How far a site's newest telemetry can be trusted: a simple residual check.

It looks at the last observations of the store only: is the newest one there and fresh, does the
signal move at all, do the parts add up, does the newest step stand out of the recent ones, and
does the level lie far outside the band that was forecast for it half an hour ago?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from grid.telemetry import Telemetry, net_load_of
from pipeline.store import SeriesReader

STALE_AFTER_CADENCES = 3.0
"""A pulse is stamped at its interval's start, so one cadence of age is the least there can be."""
FROZEN_FOR = timedelta(seconds=60)
FROZEN_STEPS = 6
BALANCE_TOLERANCE = 0.001
STEP_ALARM_Z = 25.0
"""Set on simulated days: a load step or a generator trip is real, and must not cost the trust."""
BAND_ALARM_Z = 8.0
HOLD_FOR = timedelta(seconds=60)
FEWEST_STEPS = 12
_BAND_SIGMAS = 2.563
"""P90 − P10 of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class TrustReport:
    """What the check found.

    Attributes:
        trust: 1 is no objection, 0 is not to be acted on.
        score: largest residual relative to its alarm threshold's scale, in deviations; None
            where there is too little to compare with.
        alarm: whether anything passes its threshold.
        channel: the suspected channel.
        kind: ``missing``, ``stale``, ``frozen``, ``balance``, ``step`` or ``level``.
        since: stamp of the first observation in doubt.
    """

    trust: float
    score: float | None
    alarm: bool
    channel: str | None = None
    kind: str | None = None
    since: datetime | None = None


def assess(reader: SeriesReader, site: str, now: datetime) -> TrustReport:
    """Judge the newest telemetry of a site.

    Args:
        reader: the store.
        site: the meter.
        now: the plant's time, for the age of the data.
    """
    recent = reader.latest(site)
    known = [pulse for pulse in recent if pulse.net_load_kw is not None]
    if not known:
        return _alarm("missing", "net_load_kw", None, recent[0].ts_utc if recent else None)
    cadence = _cadence(recent)
    for kind, pulse, channel in (("stale", recent[-1], None), ("missing", known[-1], "net_load_kw")):
        if cadence is not None and now - pulse.ts_utc > STALE_AFTER_CADENCES * cadence:
            return _alarm(kind, channel, None, pulse.ts_utc)
    frozen_since = _frozen_since(known)
    if frozen_since is not None:
        return _alarm("frozen", "net_load_kw", None, frozen_since)
    if not _adds_up(recent[-1]):
        return _alarm("balance", "net_load_kw", None, recent[-1].ts_utc)
    return _judge_residuals(reader, site, known, cadence)


def _judge_residuals(
    reader: SeriesReader, site: str, known: Sequence[Telemetry], cadence: timedelta | None
) -> TrustReport:
    step_z, step_at = _step_score(known)
    level_z = _level_score(reader, site, known[-1], cadence)
    shares = [z / limit for z, limit in ((step_z, STEP_ALARM_Z), (level_z, BAND_ALARM_Z)) if z is not None]
    if not shares:
        return TrustReport(trust=1.0, score=None, alarm=False)
    worst = max(shares)
    score = max(z for z in (step_z, level_z) if z is not None)
    if worst < 1.0:
        return TrustReport(trust=min(1.0, 2.0 * (1.0 - worst)), score=score, alarm=False)
    if step_z is not None and step_z >= STEP_ALARM_Z:
        return _alarm("step", "net_load_kw", score, step_at)
    return _alarm("level", "net_load_kw", score, known[-1].ts_utc)


def _alarm(kind: str, channel: str | None, score: float | None, since: datetime | None) -> TrustReport:
    return TrustReport(trust=0.0, score=score, alarm=True, channel=channel, kind=kind, since=since)


def _cadence(pulses: Sequence[Telemetry]) -> timedelta | None:
    """The median spacing; None for a single pulse."""
    if len(pulses) < 2:
        return None
    gaps = sorted(after.ts_utc - before.ts_utc for before, after in pairwise(pulses))
    return gaps[len(gaps) // 2]


def _frozen_since(known: Sequence[Telemetry]) -> datetime | None:
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


def _adds_up(pulse: Telemetry) -> bool:
    """False where net load and its parts are all there and disagree."""
    expected = net_load_of(pulse.load_kw, pulse.solar_kw, pulse.wind_kw)
    if expected is None or pulse.net_load_kw is None:
        return True
    scale = max(abs(part) for part in (pulse.load_kw, pulse.solar_kw, pulse.wind_kw) if part is not None)
    return abs(expected - pulse.net_load_kw) <= BALANCE_TOLERANCE * max(scale, abs(expected))


def _step_score(known: Sequence[Telemetry]) -> tuple[float | None, datetime | None]:
    """How far the largest step of the last minute stands out of the recent steps, and its stamp."""
    values = np.array([pulse.net_load_kw for pulse in known], dtype=np.float64)
    steps = np.diff(values)
    if len(steps) < FEWEST_STEPS:
        return None, None
    centre = np.median(steps)
    spread = 1.4826 * float(np.median(np.abs(steps - centre))) + 1e-4 * float(np.median(np.abs(values)))
    newest = known[-1].ts_utc
    judged = [i for i in range(len(steps)) if newest - known[i + 1].ts_utc < HOLD_FOR]
    if spread <= 0.0:
        return None, None
    z = np.abs(steps[judged] - centre) / spread
    return float(z.max()), known[judged[int(z.argmax())] + 1].ts_utc


def _level_score(
    reader: SeriesReader, site: str, newest: Telemetry, cadence: timedelta | None
) -> float | None:
    """How far the newest level lies from the forecast that was made for its time, in deviations."""
    if cadence is None or newest.net_load_kw is None:
        return None
    around = timedelta(minutes=30) + cadence
    issued = reader.forecasts(site, newest.ts_utc - around, newest.ts_utc - timedelta(minutes=30) + cadence)
    fitting = [made for made in issued if abs(made.target_at - newest.ts_utc) <= cadence / 2]
    if not fitting:
        return None
    made = fitting[-1]
    sigma_kw = (made.p90_kw - made.p10_kw) / _BAND_SIGMAS
    if sigma_kw <= 0.0:
        return None
    return abs(newest.net_load_kw - made.net_load_kw - made.p50_kw) / sigma_kw
