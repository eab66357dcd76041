"""How an outlook learns from interval means of the past: price curve, correction, prices to expect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.accounts import ramp_steps
from grid.intervals import change_30min
from pipeline.arrays import Floats
from pipeline.net_load_course import PastDay, fit_correction, past_moments
from pipeline.outlook import TYPICAL_DAYS, Outlook, typical_kw
from pipeline.price_course import PricedMoment, fit_price_course

FEWEST_PRICED_HOURS: Final = 48
MOST_DAYS: Final = 120
"""Days that the courses are learnt from, evenly out of all."""
_FULL_DAY: Final = 0.9
_RAMP_PERCENT: Final = 97.0


def with_prices(plain: Outlook, means: pd.DataFrame) -> Outlook:
    """The outlook with the curve from day-ahead price to net load, where the means have prices."""
    if "da_price_usd_per_mwh" not in means:
        return plain
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - slow to import; only training needs it

    index = pd.DatetimeIndex(means.index)
    slots = plain.slots(_seconds(index))
    columns = {
        "level": means["net_load_kw"],
        "typical": pd.Series(np.asarray(plain.profile_kw)[slots], index=index),
        "price": means["da_price_usd_per_mwh"],
    }
    hourly = pd.DataFrame(columns).groupby(index.floor("h")).mean().dropna()
    if len(hourly) < FEWEST_PRICED_HOURS:
        return plain
    curve = IsotonicRegression(out_of_bounds="clip").fit(hourly["price"], hourly["level"])
    by_price = float(np.mean((hourly["level"] - curve.predict(hourly["price"])) ** 2))
    by_profile = float(np.mean((hourly["level"] - hourly["typical"]) ** 2))
    total = by_price + by_profile
    return replace(
        plain,
        price_usd_per_mwh=tuple(curve.X_thresholds_.tolist()),
        price_level_kw=tuple(curve.y_thresholds_.tolist()),
        price_weight=by_profile / total if total > 0 else 0.0,
    )


def with_courses(outlook: Outlook, means: pd.DataFrame) -> Outlook:
    """The outlook with what measurements say of it, as far as there are days to learn that from."""
    window = ramp_steps(outlook.interval_s)
    if window is None:
        return outlook
    days = list(_days(outlook, means))
    correction = fit_correction([day.past for day in days], outlook.interval_s, window)
    if correction is None:
        return outlook
    corrected = replace(outlook, correction=correction)
    if "price_usd_per_mwh" not in means:
        return corrected
    moments = [moment for day in days for moment in _moments(corrected, day, window)]
    level_kw, price = (
        means[name].to_numpy(dtype=np.float64) for name in ("net_load_kw", "price_usd_per_mwh")
    )
    ramp_kw = _ramp_kw(means["net_load_kw"])
    return replace(corrected, prices=fit_price_course(moments, level_kw, price, ramp_kw, outlook.interval_s))


@dataclass(frozen=True)
class _Day:
    past: PastDay
    price: Floats
    day_ahead: Floats


def _days(outlook: Outlook, means: pd.DataFrame) -> Iterator[_Day]:
    """Whole local days, each with what was typical of the days around it but not of itself."""
    index = pd.DatetimeIndex(means.index)
    local = index.tz_convert(ZoneInfo(outlook.site_tz))
    slots = outlook.slots(_seconds(index))
    level = means["net_load_kw"].to_numpy(dtype=np.float64)
    of_day, _ = pd.factorize(local.tz_localize(None).floor("D"))
    places = np.split(np.arange(len(of_day)), np.flatnonzero(np.diff(of_day)) + 1)
    for k in _chosen(places, round(86_400 / outlook.interval_s)):
        others = np.concatenate([places[other] for other in _around(k, len(places))])
        profile = typical_kw(level[others], slots[others], outlook.interval_s)
        own = replace(outlook, profile_kw=tuple(profile.tolist()))
        yield _day(own, means.iloc[places[k]])


def _chosen(places: Sequence[np.ndarray], full: int) -> list[int]:
    whole = [k for k, rows in enumerate(places) if len(rows) >= _FULL_DAY * full and len(places) > 1]
    return whole[:: -(-len(whole) // MOST_DAYS)] if whole else []


def _around(k: int, count: int) -> list[int]:
    """The days before, and after it where those are too few."""
    before = list(range(max(0, k - TYPICAL_DAYS), k))
    return before + list(range(k + 1, min(count, k + 1 + TYPICAL_DAYS - len(before))))


def _day(own: Outlook, rows: pd.DataFrame) -> _Day:
    """A day on its regular grid; what is missing is NaN."""
    index = pd.DatetimeIndex(rows.index)
    grid = pd.date_range(index[0], index[-1], freq=pd.Timedelta(seconds=own.interval_s))
    rows = rows.reindex(grid)
    at_s = _seconds(grid)
    day_ahead, price = (_column(rows, name) for name in ("da_price_usd_per_mwh", "price_usd_per_mwh"))
    paths = own.paths(at_s, _known(grid, day_ahead))
    level = rows["net_load_kw"].to_numpy(dtype=np.float64)
    return _Day(PastDay(paths, level, own.slots(at_s)), price, day_ahead)


def _moments(outlook: Outlook, day: _Day, window: int) -> Iterator[PricedMoment]:
    """What was expected at some moments of a day."""
    level = day.past.net_load_kw
    assert outlook.correction is not None  # noqa: S101 - with_courses has just set it
    for now, seen_kw, paths in past_moments(day.past, window):
        steps = len(level) - 1 - now
        if steps < 2:
            continue
        ahead = outlook.correction.levels_kw(seen_kw, paths, steps)
        levels = np.concatenate((level[now + 1 - window : now + 1], ahead))
        yield PricedMoment(day.price[now + 1 :], day.day_ahead[now + 1 :], levels)


def _ramp_kw(level_kw: pd.Series) -> float:
    changes = change_30min(level_kw).abs().dropna()
    return float(np.percentile(changes, _RAMP_PERCENT)) if len(changes) else 0.0


def _known(grid: pd.DatetimeIndex, day_ahead: Floats) -> Mapping[datetime, float]:
    pairs = zip(grid.to_pydatetime().tolist(), day_ahead.tolist(), strict=True)
    return {at: price for at, price in pairs if not np.isnan(price)}


def _column(rows: pd.DataFrame, name: str) -> Floats:
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=np.float64)


def _seconds(index: pd.DatetimeIndex) -> Floats:
    return np.asarray(index.as_unit("us").asi8 / 1e6)
