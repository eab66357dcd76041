"""The fitted detector of a site, and its stream: one verdict per pulse, in order, from the past alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.fdia.balance import BalanceFit, balance_sides
from pipeline.fdia.bank import Bank
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.layout import Booleans, Floats, Layout
from pipeline.fdia.sites import KINDS, Sites, kind_codes

if TYPE_CHECKING:  # a stream rests on arrays alone; whoever has such stamps has imported pandas
    import pandas as pd

SCORE_SPAN: Final = 4.0
"""Surprise between score 0 and the daily threshold (score 1)."""
DOUBT_FROM: Final = 1.0
"""Surprise below the daily threshold at which trust begins to fall."""
DISTRUST_SPAN: Final = 2.0
"""Surprise over the weekly threshold at which none is left."""


@dataclass(frozen=True)
class DetectorModel:
    """What training taught: parameters of each channel, and thresholds of surprise.

    Attributes:
        channels: their names, in the order of the pulses' columns.
        bank: one model a channel.
        balance: of the second measurement; None without one.
        alarm_day, alarm_week: surprise at one false alarm a day, a week.
    """

    channels: tuple[str, ...]
    bank: Bank
    balance: BalanceFit | None
    alarm_day: float
    alarm_week: float

    @property
    def layout(self) -> Layout:
        """Cadence, time zone, lags."""
        return self.bank.layout


@dataclass(frozen=True)
class Verdicts:
    """Row by row (the last axis), for one site or several.

    Attributes:
        score: 0 is usual, 1 the daily threshold; held during an episode.
        alarm, alarm_week: new evidence over the threshold of one false alarm a day, a week.
        trust: 1 no objection, 0.75 at the daily threshold, 0.5 at the weekly one, and less beyond it.
        channel: place of the suspected channel.
        leading: statistic that leads (see :func:`pipeline.fdia.sites.kind_codes`).
        age: rows since the last trusted pulse; 0 where the pulse is trusted.
        distrusted: site × channel × row.
        substitute_kw: site × channel × row: what to use for a distrusted or missing pulse.
    """

    score: Floats
    alarm: Booleans
    alarm_week: Booleans
    trust: Floats
    channel: Floats
    leading: Floats
    age: Floats
    distrusted: Booleans
    substitute_kw: Floats


class Detector:
    """Streams pulses of one site, or of several that share a model and a clock.

    Invariants:
        A verdict rests on its pulse and earlier ones. Verdicts are the same, bit for bit, however the
        pulses are cut into calls. State is bounded: about a week of two series per channel.

    Args:
        model: fitted on earlier rows.
        history_kw: site × channel × row before the first pulse, oldest first.
    """

    def __init__(self, model: DetectorModel, history_kw: Floats) -> None:
        self.model = model
        count, channels = history_kw.shape[:2]
        if channels != len(model.channels):
            raise DetectorError(f"history has {channels} channels, the model {', '.join(model.channels)}")
        each = np.ones(count)
        self._sites = Sites(
            model.bank,
            model.balance,
            model=np.zeros(count, dtype=np.int64),
            history_kw=history_kw,
            alarm_day=model.alarm_day * each,
            alarm_week=model.alarm_week * each,
        )

    def judge(self, stamps: "pd.DatetimeIndex", pulses_kw: Floats) -> Verdicts:
        """Judge the next rows.

        Args:
            stamps: starts of the rows, at the model's cadence, following those judged before.
            pulses_kw: site × channel × row; NaN where missing (an absent row is all NaN).
        """
        model, (count, channels, rows) = self.model, pulses_kw.shape
        calendar = model.layout.calendar(stamps)
        balance_z = balance_of(model, pulses_kw)
        evidence, channel, leading, age = (np.empty((count, rows)) for _ in range(4))
        alarm, alarm_week = (np.empty((count, rows), dtype=np.bool_) for _ in range(2))
        distrusted = np.empty((count, channels, rows), dtype=np.bool_)
        substitute = np.empty((count, channels, rows))
        for row in range(rows):
            block = np.full(count, calendar.block[row])
            terms = np.tile(calendar.terms[row], (count, 1))
            found = self._sites.step(pulses_kw[:, :, row], balance_z[:, row], block, terms)
            evidence[:, row], channel[:, row] = found.evidence, found.channel
            leading[:, row], age[:, row] = found.leading, found.age
            alarm[:, row], alarm_week[:, row] = found.alarm_day, found.alarm_week
            distrusted[:, :, row], substitute[:, :, row] = found.distrusted, found.substitute_kw
        over = evidence - model.alarm_day
        return Verdicts(
            score=np.maximum(0.0, 1.0 + over / SCORE_SPAN),
            alarm=alarm,
            alarm_week=alarm_week,
            trust=trust_of(over, model.alarm_week - model.alarm_day),
            channel=channel,
            leading=leading,
            age=age,
            distrusted=distrusted,
            substitute_kw=substitute,
        )

    def believed_kw(self, rows: int) -> Floats:
        """Lane × row: the history that judges the next pulse."""
        return self._sites.lanes.believed_kw(rows)

    @staticmethod
    def kinds_of(model: DetectorModel, leading: Floats) -> list[str]:
        """Names of what leading statistics speak for."""
        return [KINDS[code] for code in kind_codes(leading.astype(np.int64), model.layout)]


def trust_of(over: Floats, week: float) -> Floats:
    """Trust, by how far surprise lies over the daily threshold.

    Args:
        over: of the pulses.
        week: from the daily to the weekly threshold.
    """
    rarer = max(week, 1e-6)
    return np.interp(over, [-DOUBT_FROM, 0.0, rarer, rarer + DISTRUST_SPAN], [1.0, 0.75, 0.5, 0.0])


def balance_of(model: DetectorModel, pulses_kw: Floats) -> Floats:
    """Site × row: the difference of the two measurements, NaN where there is one only."""
    if model.balance is None:
        return np.full((pulses_kw.shape[0], pulses_kw.shape[2]), np.nan)
    return balance_deviations(model.balance, model.channels, pulses_kw)


def balance_deviations(balance: BalanceFit, channels: tuple[str, ...], pulses_kw: Floats) -> Floats:
    """Site × row, in deviations of clean rows."""
    rows = [balance_sides(channels, site) for site in pulses_kw]
    return np.stack([balance.deviations(*sides) for sides in rows if sides is not None])
