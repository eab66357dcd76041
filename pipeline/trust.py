"""How far a site's newest telemetry can be trusted.

First what needs no model: is the newest pulse there and fresh, does the signal move at all, do the
parts add up, is there sun where there is solar power? Then the fitted detector, where the reader
has one for the site; else whether a step stands out of the recent ones, or the level lies far
outside the band that was forecast for it half an hour ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from grid.telemetry import Telemetry, net_load_of
from pipeline.fdia.meters import SIGNS
from pipeline.judged_reader import Judgement, judging
from pipeline.plain_checks import (
    BALANCE_HOLD_ROWS,
    STALE_AFTER_CADENCES,
    STEP_ALARM_Z,
    cadence_of,
    frozen_since,
    imbalance,
    step_score,
)
from pipeline.store import SeriesReader

BAND_ALARM_Z = 8.0
OTHER_METERS: Final = "other meters"
FORECAST: Final = "forecast"
_BAND_SIGMAS = 2.563
"""P90 − P10 of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class TrustReport:
    """What the check found.

    Attributes:
        trust: 1 is no objection, 0 is not to be acted on.
        score: of the detector, where 1 is the threshold of one false alarm a day; without one, the
            largest residual in deviations. None where there is too little to compare with.
        alarm: whether anything passes its threshold.
        channel: the suspected channel.
        kind: ``missing``, ``stale``, ``frozen``, ``balance``, ``night``, ``step``, ``level``, or what
            the detector suspects: ``drift``, ``pulse``, ``noise``, ``freeze``, ``replay``.
        since: stamp of the first observation in doubt.
        substitute_kw: net load to use instead of the newest pulse's; None where it needs none, or
            none can be given.
        substitute_from: ``other meters`` or ``forecast``.
        stands_in: whether decisions rest on the substitute: other meters measured it, and a fitted
            detector finds none of them false. A forecast is no measurement: it is shown, and autonomy
            does not act on it.
    """

    trust: float
    score: float | None
    alarm: bool
    channel: str | None = None
    kind: str | None = None
    since: datetime | None = None
    substitute_kw: float | None = None
    substitute_from: str | None = None
    stands_in: bool = False

    @property
    def reliance(self) -> float:
        """As ``trust``, of what decisions rest on: the meter, or what stands in for it."""
        return 1.0 if self.stands_in else self.trust


def assess(reader: SeriesReader, site: str, now: datetime) -> TrustReport:
    """Judge the newest telemetry of a site.

    Args:
        reader: the store; a :class:`pipeline.judged_reader.JudgedReader` brings a fitted detector.
        site: the meter.
        now: the plant's time, for the age of the data.
    """
    recent = reader.latest(site)
    known = [pulse for pulse in recent if pulse.net_load_kw is not None]
    if not known:
        return _alarm("missing", None, recent[0].ts_utc if recent else None)
    cadence = cadence_of(recent)
    oldest = now - STALE_AFTER_CADENCES * cadence if cadence is not None else known[0].ts_utc
    if recent[-1].ts_utc < oldest:
        return _alarm("stale", None, recent[-1].ts_utc, channel=None)
    judge = judging(reader)
    judged = None if judge is None else judge.judge(site, recent)
    if known[-1].ts_utc < oldest:
        return _alarm("missing", judged, known[-1].ts_utc)
    return _gross(recent, known, judged) or (
        _judge_residuals(reader, site, known, cadence)
        if judged is None
        else _by_detector(judged, known, cadence)
    )


def _gross(
    recent: Sequence[Telemetry], known: Sequence[Telemetry], judged: Judgement | None
) -> TrustReport | None:
    """What needs no threshold; None where nothing of it is there."""
    frozen = frozen_since(known)
    if frozen is not None:
        return _alarm("frozen", judged, frozen)
    odd = imbalance(recent)
    if odd is not None:
        return _unbalanced(odd.since, odd.parts_kw, judged)
    if judged is not None and judged.night_since is not None:
        return _alarm("night", judged, judged.night_since, channel="solar_kw")
    return None


def _unbalanced(since: datetime, parts_kw: float | None, judged: Judgement | None) -> TrustReport:
    """Net load is the one meter against several, unless one of those stands out by itself."""
    part = judged is not None and judged.channel in SIGNS
    channel = judged.channel if judged is not None and part else "net_load_kw"
    use = None if part else parts_kw
    source = None if use is None else OTHER_METERS
    score = None if judged is None else judged.score
    stands_in = use is not None and judged is not None
    return TrustReport(0.0, score, True, channel, "balance", since, use, source, stands_in)


def _by_detector(judged: Judgement, known: Sequence[Telemetry], cadence: timedelta | None) -> TrustReport:
    """The detector's word; pulses faster than its rows are watched for gross steps in between."""
    if cadence is not None and cadence * BALANCE_HOLD_ROWS < judged.cadence:
        step_z, step_at = step_score(known)
        if step_z is not None and step_z >= STEP_ALARM_Z:
            return _alarm("step", judged, step_at)
    use_kw, source = _stand_in(judged, known[-1])
    return TrustReport(
        judged.trust, judged.score, judged.suspected, judged.channel, judged.kind, judged.since,
        use_kw, source, stands_in=source == OTHER_METERS,
    )  # fmt: skip


def _stand_in(judged: Judgement, newest: Telemetry) -> tuple[float | None, str | None]:
    """What to use for the newest net load, and what that rests on; None for the measurement itself."""
    if judged.kind == "balance" and judged.channel not in SIGNS:  # and by now the two sides agree again
        parts_kw = net_load_of(newest.load_kw, newest.solar_kw, newest.wind_kw)
        if parts_kw is not None:
            return parts_kw, OTHER_METERS
    return judged.substitute_kw, None if judged.substitute_kw is None else FORECAST


def _judge_residuals(
    reader: SeriesReader, site: str, known: Sequence[Telemetry], cadence: timedelta | None
) -> TrustReport:
    step_z, step_at = step_score(known)
    level_z = _level_score(reader, site, known[-1], cadence)
    shares = [z / limit for z, limit in ((step_z, STEP_ALARM_Z), (level_z, BAND_ALARM_Z)) if z is not None]
    if not shares:
        return TrustReport(trust=1.0, score=None, alarm=False)
    worst = max(shares)
    score = max(z for z in (step_z, level_z) if z is not None)
    if worst < 1.0:
        return TrustReport(trust=min(1.0, 2.0 * (1.0 - worst)), score=score, alarm=False)
    if step_z is not None and step_z >= STEP_ALARM_Z:
        return _plain("step", score, step_at)
    return _plain("level", score, known[-1].ts_utc)


def _alarm(
    kind: str, judged: Judgement | None, since: datetime | None, channel: str | None = "net_load_kw"
) -> TrustReport:
    score, use = (None, None) if judged is None else (judged.score, judged.substitute_kw)
    source = None if use is None else FORECAST
    return TrustReport(0.0, score, True, channel, kind, since, use, source)


def _plain(kind: str, score: float, since: datetime | None) -> TrustReport:
    return TrustReport(0.0, score, True, "net_load_kw", kind, since)


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
