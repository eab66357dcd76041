"""What alarms are worth: false alarms re-armed hourly, events found, no point adjustment."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import poisson
from sklearn.metrics import roc_auc_score

from pipeline.fdia.layout import Booleans, Floats, Integers

REARM_S: Final = 3_600.0
CHANCE_SHIFTS: Final = 20
SECONDS_PER_MINUTE: Final = 60.0


def rearmed(alarm_at: Integers, hour_rows: int) -> Integers:
    """Rows of the alarms that count: after one, the next an hour later at the earliest."""
    counted: list[int] = []
    for row in alarm_at.tolist():
        if not counted or row - counted[-1] >= hour_rows:
            counted.append(row)
    return np.array(counted, dtype=np.int64)


@dataclass(frozen=True)
class FalseAlarms:
    """How often clean rows alarm.

    Attributes:
        count: alarms outside events, re-armed hourly.
        per_day: rate over the time outside events.
        expected: at the nominal rate.
        inside: whether the count lies in the 95 % Poisson interval of what is expected.
    """

    count: int
    per_day: float
    expected: float
    inside: bool


def false_alarms(
    alarm: Booleans, inside_event: Booleans, hour_rows: int, nominal_per_day: float
) -> FalseAlarms:
    """Count them.

    Args:
        alarm, inside_event: by row of a regular series.
        hour_rows: rows in an hour.
        nominal_per_day: the rate that the threshold promises.
    """
    days = float((~inside_event).sum()) / (24 * hour_rows)
    count = len(rearmed(np.flatnonzero(alarm & ~inside_event), hour_rows))
    expected = nominal_per_day * days
    low, high = poisson.interval(0.95, expected) if expected > 0 else (0.0, 0.0)
    return FalseAlarms(count, count / days if days else float("nan"), expected, bool(low <= count <= high))


@dataclass(frozen=True)
class KindScore:
    """How the events of one kind were found.

    Attributes:
        events: how many.
        recall_day, recall_week: share with an alarm inside.
        chance_day, chance_week: the same with the alarms shifted in time.
        auc: of the score, rows of these events against rows of none; NaN without either.
        delay_min: median minutes from start to the first alarm, of those found (daily threshold).
    """

    events: int
    recall_day: float
    recall_week: float
    chance_day: float
    chance_week: float
    auc: float
    delay_min: float


def score_kind(
    spans: list[tuple[int, int]],
    inside_event: Booleans,
    score: Floats,
    alarms: tuple[Booleans, Booleans],
    cadence_s: float,
) -> KindScore:
    """Judge the events of one kind, given as rows [start, end)."""
    found = [[bool(alarm[start:end].any()) for start, end in spans] for alarm in alarms]
    delays = [
        int(alarms[0][start:end].argmax()) * cadence_s / SECONDS_PER_MINUTE
        for (start, end), hit in zip(spans, found[0], strict=True)
        if hit
    ]
    chance = [_chance(alarm, spans) for alarm in alarms]
    return KindScore(
        events=len(spans),
        recall_day=float(np.mean(found[0])),
        recall_week=float(np.mean(found[1])),
        chance_day=chance[0],
        chance_week=chance[1],
        auc=_auc(spans, inside_event, score),
        delay_min=float(np.median(delays)) if delays else float("nan"),
    )


def _chance(alarm: Booleans, spans: list[tuple[int, int]]) -> float:
    """Recall of the same alarms shifted around the test span: what luck alone finds."""
    before = np.concatenate([[0], np.cumsum(alarm)])
    starts, ends = np.array(spans).T
    shifts = (np.arange(1, CHANCE_SHIFTS + 1) * len(alarm)) // (CHANCE_SHIFTS + 1)
    hits = []
    for shift in shifts.tolist():
        first, last = (starts + shift) % len(alarm), (ends + shift) % len(alarm)
        whole = last > first
        hits.append(np.mean((before[last[whole]] - before[first[whole]]) > 0))
    return float(np.mean(hits))


def _auc(spans: list[tuple[int, int]], inside_event: Booleans, score: Floats) -> float:
    mine = np.zeros(len(score), dtype=np.bool_)
    for start, end in spans:
        mine[start:end] = True
    used = (mine | ~inside_event) & ~np.isnan(score)
    if not mine[used].any() or mine[used].all():
        return float("nan")
    return float(roc_auc_score(mine[used], score[used]))
