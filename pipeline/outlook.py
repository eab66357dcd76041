"""The outlook: expected net load over the coming hours, beyond the reach of the 30-minute forecast.

Its shape is what is typical of the time of day over the last two weeks of the training rows. Day-ahead
prices sharpen it where there are any: the market clears on its own expectation of net load, so a price
says where on its learnt (isotonic) price curve the coming hour's net load lies. Both count by how well
they explained the training hours.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.intervals import interval_length_s, interval_means
from grid.series import BaseSeries
from grid.units import SECONDS_PER_HOUR
from pipeline.arrays import Floats, Indices
from pipeline.errors import ModelError, TrainingError
from pipeline.whole_file import write_whole

OUTLOOK_FILE: Final = "outlook.json"
TYPICAL_DAYS: Final = 14
FEWEST_PRICED_HOURS: Final = 48
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is typical, and what a day-ahead price says.

    Attributes:
        site_tz: time zone of the local day.
        interval_s: length of an interval.
        profile_kw: typical net load of each interval of the local day.
        price_usd_per_mwh, price_level_kw: the price curve's knots, rising; empty without day-ahead prices.
        price_weight: what the price curve counts against the profile, 0 to 1.
    """

    site_tz: str
    interval_s: float
    profile_kw: tuple[float, ...]
    price_usd_per_mwh: tuple[float, ...] = ()
    price_level_kw: tuple[float, ...] = ()
    price_weight: float = 0.0

    def levels_kw(
        self, start: datetime, steps: int, da_price_usd_per_mwh: Mapping[datetime, float]
    ) -> list[float]:
        """Expected native net load in kW of ``steps`` intervals from ``start`` on.

        Args:
            start: an interval's start, aware.
            steps: how many intervals.
            da_price_usd_per_mwh: known day-ahead prices by interval start; those of all intervals of
                the hours around make the hours' levels.
        """
        step = timedelta(seconds=self.interval_s)
        at_s = np.array([(start + k * step).timestamp() for k in range(steps)])
        typical = self._profile(at_s)
        if self.price_weight <= 0.0 or not da_price_usd_per_mwh:
            return [float(value) for value in typical]
        hours_s, off_kw = self._hourly_deviation(da_price_usd_per_mwh)
        moved = np.interp(at_s + self.interval_s / 2, hours_s, off_kw)
        return [float(value) for value in typical + moved]

    def _profile(self, at_s: Floats) -> Floats:
        local = pd.DatetimeIndex(pd.to_datetime(at_s, unit="s", utc=True)).tz_convert(ZoneInfo(self.site_tz))
        return np.asarray(np.asarray(self.profile_kw)[_slots(local, self.interval_s)])

    def _hourly_deviation(self, prices: Mapping[datetime, float]) -> tuple[Floats, Floats]:
        """Middle of each priced hour (seconds since 1970), and what its price adds to the profile."""
        at_s = np.array([moment.timestamp() for moment in prices])
        hours, of_hour = np.unique(at_s // SECONDS_PER_HOUR, return_inverse=True)
        count = np.bincount(of_hour)
        price = np.bincount(of_hour, weights=np.array(list(prices.values()))) / count
        typical = np.bincount(of_hour, weights=self._profile(at_s)) / count
        implied = np.interp(price, self.price_usd_per_mwh, self.price_level_kw)
        return (hours + 0.5) * SECONDS_PER_HOUR, self.price_weight * (implied - typical)

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
            document = json.loads(file.read_text("utf-8"))
            lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
            return cls(**{**document, **lists})
        except (OSError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(
                f"{file}: cannot be read ({error}); train again with 'smartgrid train'"
            ) from error


def fit_outlook(series: Sequence[BaseSeries], *, site_tz: str) -> Outlook:
    """Learn the outlook of an area from past series, day-ahead prices included where they have them.

    Raises:
        TrainingError: if no interval has a net load.
    """
    interval_s = interval_length_s(series[0].cadence_s)
    means = pd.concat([interval_means(part) for part in series]).sort_index()
    means = means[~means.index.duplicated() & means["net_load_kw"].notna().to_numpy()]
    if not len(means):
        raise TrainingError("net_load_kw: no value at all; give a series with net load")
    local = pd.DatetimeIndex(means.index).tz_convert(ZoneInfo(site_tz))
    recent = np.isin(local.date, np.unique(local.date)[-TYPICAL_DAYS:])
    level = means["net_load_kw"].to_numpy(dtype=np.float64)
    profile = _typical(level[recent], _slots(local[recent], interval_s), interval_s)
    plain = Outlook(site_tz, interval_s, tuple(profile.tolist()))
    if "da_price_usd_per_mwh" not in means:
        return plain
    hourly = pd.DataFrame(
        {
            "level": level,
            "typical": profile[_slots(local, interval_s)],
            "price": means["da_price_usd_per_mwh"].to_numpy(dtype=np.float64),
        },
        index=means.index,
    )
    hourly = hourly.groupby(pd.DatetimeIndex(means.index).floor("h")).mean().dropna()
    return plain if len(hourly) < FEWEST_PRICED_HOURS else _with_prices(plain, hourly)


def _with_prices(plain: Outlook, hourly: pd.DataFrame) -> Outlook:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - slow to import; only training needs it

    curve = IsotonicRegression(out_of_bounds="clip").fit(hourly["price"], hourly["level"])
    by_price = float(np.mean((hourly["level"] - curve.predict(hourly["price"])) ** 2))
    by_profile = float(np.mean((hourly["level"] - hourly["typical"]) ** 2))
    total = by_price + by_profile
    return Outlook(
        plain.site_tz,
        plain.interval_s,
        plain.profile_kw,
        tuple(curve.X_thresholds_.tolist()),
        tuple(curve.y_thresholds_.tolist()),
        by_profile / total if total > 0 else 0.0,
    )


def _slots(local: pd.DatetimeIndex, interval_s: float) -> Indices:
    """The interval of the local day by the clock on the wall; a day of 25 hours repeats some."""
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    return np.asarray(np.floor(seconds / interval_s), dtype=np.intp)


def _typical(level_kw: Floats, slots: Indices, interval_s: float) -> Floats:
    """Mean by slot; a slot without a value takes that of the nearest ones around the clock."""
    count = int(np.ceil(_DAY_S / interval_s))
    means = pd.Series(level_kw).groupby(slots).mean().reindex(range(count))
    around = pd.concat([means, means, means], ignore_index=True).interpolate(limit_direction="both")
    return np.asarray(around.to_numpy(dtype=np.float64)[count : 2 * count], dtype=np.float64)
