"""Fits the detector on clean rows before T: paths, scales, and thresholds at their nominal rate.

Training rows are cut into segments; each is judged by a model that was fitted without it, in the
very loop that judges new pulses, episodes and substitutes included. So thresholds give their
nominal rate of false alarms, counted as users count them (re-armed hourly). What was learnt from a
part of a year meets seasons that it has not seen: its thresholds lie higher.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipeline.fdia.balance import BalanceFit, measure_balance
from pipeline.fdia.bank import ARRAYS, DELAY, Bank, interest_kw, log_shares, statistics_count
from pipeline.fdia.copies import repeat_rarity
from pipeline.fdia.detector import DetectorModel, balance_deviations
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.lanes import LARGEST_Z
from pipeline.fdia.layout import DAY_S, DAYS, Booleans, Calendar, Floats, Integers, Layout
from pipeline.fdia.path_model import PathFit, fit_paths
from pipeline.fdia.regular import RegularSeries
from pipeline.fdia.scoring import rearmed
from pipeline.fdia.sites import Sites
from pipeline.fdia.tails import LEAST_SLOPE, PARAMETERS, UNFITTED, USUAL_PER_DAY, fit_tail, surprise

FOLDS: Final = 8
SEGMENTS: Final = 4 * FOLDS
LONG_GAP_HOURS: Final = 6
FEWEST_SPANS: Final = 4
MOST_SPANS: Final = 64
PER_DAY: Final = 1.0
PER_WEEK: Final = 1.0 / 7.0
ECHO_RESERVE: Final = 0.3
"""Of the weekly budget, kept for alarms at the end of attacks that were found too late or not at all."""
COARSE: Final = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
FINE: Final = (-0.3, -0.1, 0.1, 0.3)
MOST_USUAL_SHARE: Final = 0.2
FEWEST_USUAL: Final = 300
"""Rows over the usual level without which nothing is learnt of how often they come."""
NO_ALARM: Final = 1e9
YEAR_DAYS: Final = 365.0
CAUTION: Final = 0.5
"""Surprise added to both thresholds per e-fold that the past is shorter than a year: seasons are to come."""
LEAST_WEEK_GAP: Final = float(np.log(7.0))
"""Between the two thresholds where no past days are compared with: an episode there is a jump, and rare."""


@dataclass(frozen=True)
class _Clean:
    """Training rows and how they are cut.

    Attributes:
        starts: of the segments; ``fold`` of each.
        first, end: of each segment, what it may see of the rows before it, and where it ends.
        length: rows of the longest segment.
        burn_in: rows judged before each without being counted.
        days: how long the segments were measured: where nothing was, nothing could alarm.
    """

    series: RegularSeries
    calendar: Calendar
    balance_z: Floats
    starts: Integers
    fold: Integers
    first: Integers
    end: Integers
    length: int
    burn_in: int
    days: float

    def fold_of_rows(self) -> Integers:
        """The fold of each row of the series."""
        place = np.searchsorted(self.starts, np.arange(len(self.series)), side="right") - 1
        return np.asarray(self.fold[np.maximum(place, 0)])


def fit_detector(series: RegularSeries, site_tz: str, days: int = DAYS) -> DetectorModel:
    """Fit on rows that are taken to be clean.

    Args:
        series: the training rows, at least five weeks.
        site_tz: IANA time zone of the site's day.
        days: how many past days the detector compares with; 0 learns from separate days, too, and
            judges a day that nothing is known before.

    Raises:
        DetectorError: for too few rows, or a cadence that is not served.
    """
    layout, series = Layout(series.cadence_s, site_tz, days), series.without_long_gaps()
    sides = series.balance_sides()
    balance = None if sides is None else measure_balance(*sides)
    clean = _cut(series, layout, balance) if days else _cut_runs(series, layout, balance)
    fits = [fit_paths(values, clean.calendar, clean.fold_of_rows(), layout) for values in series.values_kw]
    bank = _bank(fits, series.values_kw, layout)
    bank, balance = _with_tails(bank, balance, clean)
    alarm_day, alarm_week = _thresholds(bank, balance, clean)
    bank = _with_usual(bank, balance, clean, alarm_day, alarm_week)
    return DetectorModel(series.channels, _last_fold(bank, len(fits)), balance, alarm_day, alarm_week)


def _cut(series: RegularSeries, layout: Layout, balance: BalanceFit | None) -> _Clean:
    burn_in = layout.longest + 1
    first = layout.window + burn_in
    length = (len(series) - first) // SEGMENTS
    if length < layout.day_rows // 2:
        raise DetectorError(f"{len(series)} rows before T are too few: give five weeks or more")
    starts = first + length * np.arange(SEGMENTS)
    return _clean(
        series, layout, balance, starts=starts, first=starts * 0, end=starts + length, burn_in=burn_in
    )


def _cut_runs(series: RegularSeries, layout: Layout, balance: BalanceFit | None) -> _Clean:
    """Segments of a day, from where rows without a long gap begin: nothing is known before them."""
    known = np.flatnonzero(series.known)
    breaks = np.flatnonzero(np.diff(known) > LONG_GAP_HOURS * layout.hour_rows)
    firsts = known[np.concatenate([[0], breaks + 1])].tolist() if len(known) else []
    lasts = known[np.concatenate([breaks, [len(known) - 1]])].tolist() if len(known) else []
    spans = [
        (start, min(start + layout.day_rows, last + 1))
        for first, last in zip(firsts, lasts, strict=True)
        for start in range(first, last + 1, layout.day_rows)
    ]
    spans = [(start, end) for start, end in spans if end - start >= layout.day_rows // 2]
    if len(spans) < FEWEST_SPANS:
        raise DetectorError(f"{len(spans)} days are too few to learn from: give {FEWEST_SPANS} or more")
    chosen = np.array(spans)[np.unique(np.linspace(0, len(spans) - 1, MOST_SPANS).astype(np.int64))]
    starts, end = chosen.T
    return _clean(series, layout, balance, starts=starts, first=starts, end=end, burn_in=0)


def _clean(
    series: RegularSeries,
    layout: Layout,
    balance: BalanceFit | None,
    *,
    starts: Integers,
    first: Integers,
    end: Integers,
    burn_in: int,
) -> _Clean:
    deviations = np.full(len(series), np.nan)
    if balance is not None:
        deviations = balance_deviations(balance, series.channels, series.values_kw[None])[0]
    fold = np.arange(len(starts)) * FOLDS // len(starts)
    length = int((end - starts).max())
    calendar = layout.calendar(series.stamps)
    known = np.concatenate(([0], np.cumsum(series.known)))
    days = int((known[end] - known[starts]).sum()) * series.cadence_s / DAY_S
    return _Clean(series, calendar, deviations, starts, fold, first, end, length, burn_in, days)


def _bank(fits: list[PathFit], values_kw: Floats, layout: Layout) -> Bank:
    """Model ``fold * channels + channel``; the last fold holds the fits on all rows."""
    folds = len(fits[0].weights)
    level = np.nanmean(np.abs(values_kw), axis=1)
    interest = np.stack([interest_kw(fit.spread_kw, kw, layout) for fit, kw in zip(fits, level, strict=True)])
    ordinary = np.array([_ordinary(fit) for fit in fits])
    resolution = np.array([_resolution_kw(values) for values in values_kw])

    def each(of_channel: Floats) -> Floats:
        return np.concatenate([of_channel] * folds)

    return Bank(
        layout=layout,
        weights=np.stack([fit.weights[k] for k in range(folds) for fit in fits]),
        spread_kw=each(np.stack([fit.spread_kw for fit in fits])),
        interest_kw=each(interest),
        level_kw=each(np.maximum(level, 1e-9)),
        resolution_kw=each(resolution),
        repeat=each(np.stack([repeat_rarity(values, layout.delays) for values in values_kw])),
        ordinary=each(ordinary),
        tails=np.tile(UNFITTED, (folds * len(fits), statistics_count(layout), 1)),
        usual=np.zeros((folds * len(fits), 2)),
    )


def _ordinary(fit: PathFit) -> float:
    size = np.abs(fit.residual_kw[:, 0]) / np.median(fit.spread_kw[:, 0])
    return float(np.nanmean(np.minimum(size, LARGEST_Z)))


def _resolution_kw(values_kw: Floats) -> float:
    steps = np.abs(np.diff(values_kw))
    moved = steps[steps > 0.0]
    smallest = float(np.quantile(moved, 0.001)) if len(moved) else 1.0
    return max(smallest / 2.0, 1e-6 * float(np.nanmean(np.abs(values_kw))), 1e-12)


def _last_fold(bank: Bank, channels: int) -> Bank:
    return replace(bank, **{name: getattr(bank, name)[-channels:] for name in ARRAYS})


@dataclass(frozen=True)
class _Run:
    """Alarms by step × (candidate × segment); statistics where they were asked for."""

    alarm_day: Booleans
    alarm_week: Booleans
    calm: Booleans
    statistics: Floats | None
    balance: Floats | None

    def kept(self) -> Floats:
        """The statistics, which were asked for."""
        if self.statistics is None:
            raise DetectorError("statistics were not kept; run with keep=True")
        return self.statistics


def _run(
    bank: Bank,
    balance: BalanceFit | None,
    clean: _Clean,
    *,
    day: Floats,
    week: Floats,
    keep: bool = False,
) -> _Run:
    """Judge all segments once per pair of thresholds."""
    repeats, segments = len(day), len(clean.starts)
    starts, first, end = (np.tile(rows, repeats) for rows in (clean.starts, clean.first, clean.end))
    values, window, last = clean.series.values_kw, bank.layout.window, len(clean.series) - 1
    before = starts[:, None] - clean.burn_in - window + np.arange(window)
    history = np.where(before >= first[:, None], values[:, np.maximum(before, 0)], np.nan)
    sites = Sites(
        bank,
        balance,
        model=np.tile(clean.fold, repeats),
        history_kw=history.transpose(1, 0, 2),
        alarm_day=np.repeat(day, segments),
        alarm_week=np.repeat(week, segments),
    )
    alarms = np.zeros((2, clean.length, len(starts)), dtype=np.bool_)
    calm = np.zeros((clean.length, len(starts), len(values)), dtype=np.bool_)
    statistics, balances = [], []
    for step in range(-clean.burn_in, clean.length):
        at, over = np.minimum(starts + step, last), starts + step >= end
        pulses = np.where(over, np.nan, values[:, at]).T.copy()
        deviation = np.where(over, np.nan, clean.balance_z[at])
        found = sites.step(pulses, deviation, clean.calendar.block[at], clean.calendar.terms[at])
        if step >= 0:
            alarms[0, step], alarms[1, step] = found.alarm_day, found.alarm_week
            calm[step] = sites.last_calm
            if keep:
                statistics.append(sites.last_statistics)
                balances.append(sites.last_balance)
    if not keep:
        return _Run(alarms[0], alarms[1], calm, None, None)
    kept = np.stack([part for part in statistics if part is not None])
    differences = [part for part in balances if part is not None]
    return _Run(alarms[0], alarms[1], calm, kept, np.stack(differences) if differences else None)


def _with_tails(bank: Bank, balance: BalanceFit | None, clean: _Clean) -> tuple[Bank, BalanceFit | None]:
    """Scale every statistic by how rare its values are on the segments."""
    never = np.array([NO_ALARM])
    run = _run(bank, balance, clean, day=never, week=never, keep=True)
    channels = len(clean.series.channels)
    tails = np.empty((channels, statistics_count(bank.layout), PARAMETERS))
    statistics = run.kept()
    for channel in range(channels):
        for place in range(tails.shape[1]):
            least = 1.0 if place == len(bank.layout.horizons) + DELAY else LEAST_SLOPE
            tails[channel, place] = fit_tail(statistics[:, :, channel, place].ravel(), clean.days, least)
    bank = replace(bank, tails=np.concatenate([tails] * (len(bank.weights) // channels)))
    if balance is None or run.balance is None:
        return bank, balance
    spans = [fit_tail(run.balance[:, :, place].ravel(), clean.days) for place in range(run.balance.shape[2])]
    return bank, replace(balance, tails=np.stack(spans))


def _with_usual(
    bank: Bank, balance: BalanceFit | None, clean: _Clean, alarm_day: float, alarm_week: float
) -> Bank:
    """How surprising many clean rows are, without sure episodes and their last hour."""
    run = _run(bank, balance, clean, day=np.array([alarm_day]), week=np.array([alarm_week]), keep=True)
    channels, statistics = len(clean.series.channels), run.kept()
    usual = np.zeros((channels, 2))
    for channel in range(channels):
        reached = (surprise(statistics[:, :, channel], bank.tails[channel]) + log_shares(bank.layout)).max(
            axis=2
        )
        calm = run.calm[:, :, channel]
        share = min(USUAL_PER_DAY / bank.layout.day_rows, MOST_USUAL_SHARE)
        if calm.sum() * share >= FEWEST_USUAL:
            usual[channel] = np.quantile(reached[calm], 1.0 - share), share
    return replace(bank, usual=np.concatenate([usual] * (len(bank.weights) // channels)))


def _thresholds(bank: Bank, balance: BalanceFit | None, clean: _Clean) -> tuple[float, float]:
    """Thresholds of surprise at one false alarm a day and a week, in the closed loop."""
    day = -2.0
    for offsets in (COARSE, COARSE, FINE):
        tried = day + np.array(offsets)
        run = _run(bank, balance, clean, day=tried, week=np.full(len(tried), NO_ALARM))
        day = _at_rate(tried, run.alarm_day, PER_DAY, clean, bank.layout)
    week = day + 2.5
    for offsets in (COARSE, FINE):
        tried = np.maximum(week + np.array(offsets), day)
        run = _run(bank, balance, clean, day=np.full(len(tried), day), week=tried)
        week = _at_rate(tried, run.alarm_week, (1.0 - ECHO_RESERVE) * PER_WEEK, clean, bank.layout)
    if not bank.layout.days:
        return week - LEAST_WEEK_GAP, week
    margin = _caution(clean.series)
    return day + margin, max(day, week) + margin


def _caution(series: RegularSeries) -> float:
    """By how much thresholds are raised that rest on less than a year of measured days."""
    days = float(series.known.sum()) * series.cadence_s / DAY_S
    return CAUTION * max(0.0, float(np.log(YEAR_DAYS / days)))


def _at_rate(tried: Floats, alarm: Booleans, per_day: float, clean: _Clean, layout: Layout) -> float:
    """The threshold between those tried that gives the rate, on a logarithmic scale."""
    by_candidate = alarm.reshape(clean.length, len(tried), len(clean.starts))
    rates = [
        sum(len(rearmed(np.flatnonzero(alarms), layout.hour_rows)) for alarms in of.T) / clean.days
        for of in by_candidate.transpose(1, 0, 2)
    ]
    falling = np.minimum.accumulate(np.log(np.maximum(rates, 0.1 / clean.days)))
    return float(np.interp(-np.log(per_day), -falling, tried))
