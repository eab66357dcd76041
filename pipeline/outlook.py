"""The outlook: net load and prices to expect over the coming hours, beyond the 30-minute forecast.

Its shape is what is typical of the time of day over the last two weeks of the training rows. Day-ahead
prices sharpen it where there are any: the market clears on its own expectation of net load, so a price
says where on its learnt (isotonic) price curve the coming hour's net load lies. Both count by how well
they explained the training hours. Where there were days enough to learn from, what was measured until now
corrects it (:mod:`pipeline.net_load_course`), and says which prices to expect (:mod:`pipeline.price_course`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grid.intervals import interval_length_s, interval_means
from grid.series import BaseSeries
from grid.units import SECONDS_PER_HOUR
from pipeline.arrays import Floats, Indices
from pipeline.errors import ModelError, TrainingError
from pipeline.net_load_course import LOOK_BACK_S, Correction, Paths
from pipeline.price_course import PriceCourse
from pipeline.whole_file import write_whole

OUTLOOK_FILE: Final = "outlook.json"
TYPICAL_DAYS: Final = 14
FEWEST_DAYS: Final = 5
"""Of recent days, to take the place of the training rows' typical day."""
_DAY_S: Final = 86_400.0
_STEADY_S: Final = 3 * _DAY_S

Prices = Mapping[datetime, float]
"""Day-ahead prices by interval start."""


@dataclass(frozen=True, slots=True)
class Course:
    """What to expect from a moment on.

    Attributes:
        levels_kw: of the interval that has just ended, as measured, and of the coming ones.
        sigma_kw: standard deviation of the 30-minute change that ends in each coming interval.
    """

    levels_kw: Floats
    sigma_kw: Floats


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is typical, and what a day-ahead price says.

    Attributes:
        site_tz: time zone of the local day.
        interval_s: length of an interval.
        profile_kw: typical net load of each interval of the local day.
        price_usd_per_mwh, price_level_kw: the price curve's knots, rising; empty without day-ahead prices.
        price_weight: what the price curve counts against the profile, 0 to 1.
        correction: how measurements correct the outlook; None where there was too little to learn it from.
        prices: what real-time prices to expect; None likewise, and without day-ahead prices.
    """

    site_tz: str
    interval_s: float
    profile_kw: tuple[float, ...]
    price_usd_per_mwh: tuple[float, ...] = ()
    price_level_kw: tuple[float, ...] = ()
    price_weight: float = 0.0
    correction: Correction | None = None
    prices: PriceCourse | None = None

    def levels_kw(self, start: datetime, steps: int, da_price_usd_per_mwh: Prices) -> list[float]:
        """Expected native net load in kW of ``steps`` intervals from ``start`` on, nothing measured.

        Args:
            start: an interval's start, aware.
            steps: how many intervals.
            da_price_usd_per_mwh: known day-ahead prices by interval start; those of all intervals of
                the hours around make the hours' levels.
        """
        at_s = self._starts_s(start, steps)
        typical = self._profile(at_s)
        if self.price_weight <= 0.0 or not da_price_usd_per_mwh:
            return [float(value) for value in typical]
        hours = self._hours(da_price_usd_per_mwh)
        moved = self.price_weight * np.interp(at_s + self.interval_s / 2, hours.middle_s, hours.off_kw)
        return [float(value) for value in typical + moved]

    @property
    def looks_back(self) -> int:
        """How many past intervals a course rests on."""
        return max(1, round(LOOK_BACK_S / self.interval_s)) + 1

    def course(
        self, recent_kw: Sequence[float | None], now: datetime, steps: int, da_price_usd_per_mwh: Prices
    ) -> Course | None:
        """What to expect from ``now`` on; None where nothing was learnt, or the newest value is missing.

        Args:
            recent_kw: means of native net load of the past intervals, oldest first; the last one ends
                at ``now``.
            now: an interval's start, aware.
            steps: how many intervals ahead.
            da_price_usd_per_mwh: known day-ahead prices by interval start, those of the hours around too.
        """
        seen = np.array([np.nan if value is None else value for value in recent_kw], dtype=np.float64)
        if self.correction is None or not len(seen) or np.isnan(seen[-1]):
            return None
        first = now - len(seen) * timedelta(seconds=self.interval_s)
        at_s = self._starts_s(first, len(seen) + steps)
        slots = self.slots(at_s)
        levels = self.correction.levels_kw(seen, self._paths(at_s, slots, da_price_usd_per_mwh), steps)
        sigma_kw = self.correction.sigma_of_change_kw(slots[len(seen) :])
        return Course(np.concatenate((seen[-1:], levels)), sigma_kw)

    def paths(self, at_s: Floats, da_price_usd_per_mwh: Prices) -> Paths:
        """What is known beforehand of some intervals (starts in s since 1970)."""
        return self._paths(at_s, self.slots(at_s), da_price_usd_per_mwh)

    def _paths(self, at_s: Floats, slots: Indices, da_price_usd_per_mwh: Prices) -> Paths:
        typical = np.asarray(np.asarray(self.profile_kw)[slots])
        if not da_price_usd_per_mwh or not self.price_usd_per_mwh:
            return Paths(typical, typical, typical)
        hours = self._hours(da_price_usd_per_mwh)
        middle_s = at_s + self.interval_s / 2
        outside = (middle_s < hours.middle_s[0] - 1800.0) | (middle_s > hours.middle_s[-1] + 1800.0)
        beyond = typical + np.interp(middle_s, hours.middle_s, hours.off_kw)
        implied, bent = (
            np.where(outside, beyond, np.interp(middle_s, hours.middle_s, values))
            for values in (hours.implied_kw, hours.bent_kw())
        )
        return Paths(implied, bent, typical)

    def slots(self, at_s: Floats) -> Indices:
        """The interval of the local day of some starts (s since 1970)."""
        offset_s = _steady_offset_s(at_s, ZoneInfo(self.site_tz))
        if offset_s is None:
            return _slots(self._local(at_s), self.interval_s)
        return _slots_of_seconds(np.floor(at_s) + offset_s, self.interval_s)

    def refreshed(self, days: Sequence[tuple[Floats, Floats]]) -> "Outlook":
        """The same with what was typical of some days, where they are enough; what is learnt stays.

        Args:
            days: starts (s since 1970) of each day's intervals, and their net load in kW; NaN is missing.
        """
        known = [(at_s, level_kw) for at_s, level_kw in days if not np.isnan(level_kw).all()]
        if len(known) < FEWEST_DAYS:
            return self
        starts_s, level_kw = (np.concatenate(part) for part in zip(*known, strict=True))
        profile = typical_kw(level_kw, self.slots(starts_s), self.interval_s)
        return replace(self, profile_kw=tuple(profile.tolist()))

    def _starts_s(self, start: datetime, steps: int) -> Floats:
        return np.asarray(start.timestamp() + self.interval_s * np.arange(steps))

    def _local(self, at_s: Floats) -> pd.DatetimeIndex:
        stamps = pd.DatetimeIndex(np.floor(at_s).astype("datetime64[s]"), tz="UTC")
        return stamps.tz_convert(ZoneInfo(self.site_tz))

    def _profile(self, at_s: Floats) -> Floats:
        return np.asarray(np.asarray(self.profile_kw)[self.slots(at_s)])

    def _hours(self, prices: Prices) -> "_Hours":
        at_s = np.array([moment.timestamp() for moment in prices])
        hours, of_hour = np.unique(at_s // SECONDS_PER_HOUR, return_inverse=True)
        count = np.bincount(of_hour)
        price = np.bincount(of_hour, weights=np.array(list(prices.values()))) / count
        typical = np.bincount(of_hour, weights=self._profile(at_s)) / count
        implied = np.interp(price, self.price_usd_per_mwh, self.price_level_kw)
        return _Hours((hours + 0.5) * SECONDS_PER_HOUR, implied, implied - typical)

    def save(self, directory: Path) -> None:
        """Write it beside the model."""
        write_whole(directory / OUTLOOK_FILE, json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, directory: Path) -> "Outlook":
        """Read it from beside the model.

        Raises:
            ModelError: if it is not there or damaged.
        """
        file = directory / OUTLOOK_FILE
        try:
            document = _tuples(json.loads(file.read_text("utf-8")))
            for name, kind in (("correction", Correction), ("prices", PriceCourse)):
                if document.get(name) is not None:
                    document[name] = kind(**document[name])
            return cls(**document)
        except (OSError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(
                f"{file}: cannot be read ({error}); train again with 'smartgrid train'"
            ) from error


@dataclass(frozen=True, slots=True)
class _Hours:
    """Priced hours: middles (s since 1970), the levels that the prices imply, and those less typical."""

    middle_s: Floats
    implied_kw: Floats
    off_kw: Floats

    def bent_kw(self) -> Floats:
        """Knots at the middles between which a line has the hours' means nearly."""
        earlier, later = (
            np.interp(self.middle_s + side, self.middle_s, self.implied_kw) for side in (-1800.0, 1800.0)
        )
        mean = (earlier + 2.0 * self.implied_kw + later) / 4.0
        return np.asarray(2.0 * self.implied_kw - mean)


def fit_outlook(series: Sequence[BaseSeries], *, site_tz: str) -> Outlook:
    """Learn the outlook of an area from past series, day-ahead prices included where they have them.

    Raises:
        TrainingError: if no interval has a net load.
    """
    from pipeline.outlook_fitting import with_courses, with_prices  # noqa: PLC0415 - needed in training only

    interval_s = interval_length_s(series[0].cadence_s)
    means = pd.concat([interval_means(part) for part in series]).sort_index()
    means = means[~means.index.duplicated() & means["net_load_kw"].notna().to_numpy()]
    if not len(means):
        raise TrainingError("net_load_kw: no value at all; give a series with net load")
    local = pd.DatetimeIndex(means.index).tz_convert(ZoneInfo(site_tz))
    recent = np.isin(local.date, np.unique(local.date)[-TYPICAL_DAYS:])
    level = means["net_load_kw"].to_numpy(dtype=np.float64)
    profile = typical_kw(level[recent], _slots(local[recent], interval_s), interval_s)
    plain = Outlook(site_tz, interval_s, tuple(profile.tolist()))
    return with_courses(with_prices(plain, means), means)


def _slots(local: pd.DatetimeIndex, interval_s: float) -> Indices:
    """The interval of the local day by the clock on the wall; a day of 25 hours repeats some."""
    return _slots_of_seconds(local.tz_localize(None).as_unit("s").asi8, interval_s)


def _slots_of_seconds(local_s: NDArray[Any], interval_s: float) -> Indices:
    return np.asarray(np.floor(local_s % _DAY_S / interval_s), dtype=np.intp)


def _steady_offset_s(at_s: Floats, zone: ZoneInfo) -> float | None:
    """The zone's distance from UTC where it stays the same over some close moments; None otherwise.

    Each tick asks for the slots of a day or two, and pandas would take most of the outlook's time for them.
    """
    if not len(at_s) or np.ptp(at_s) > _STEADY_S:
        return None
    hours = np.arange(at_s.min(), at_s.max() + SECONDS_PER_HOUR, SECONDS_PER_HOUR)
    offsets = {datetime.fromtimestamp(hour, zone).utcoffset() for hour in hours.tolist()}
    offset = offsets.pop()
    return None if offsets or offset is None else offset.total_seconds()


def typical_kw(level_kw: Floats, slots: Indices, interval_s: float) -> Floats:
    """Mean by slot; a slot without a value takes that of the nearest ones around the clock."""
    count = int(np.ceil(_DAY_S / interval_s))
    means = pd.Series(level_kw).groupby(slots).mean().reindex(range(count))
    around = pd.concat([means, means, means], ignore_index=True).interpolate(limit_direction="both")
    return np.asarray(around.to_numpy(dtype=np.float64)[count : 2 * count], dtype=np.float64)


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples, at any depth."""
    if isinstance(value, list):
        return tuple(_tuples(entry) for entry in value)
    if isinstance(value, dict):
        return {name: _tuples(entry) for name, entry in value.items()}
    return value
