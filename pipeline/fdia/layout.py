"""Which past values a forecast path rests on, by cadence: linear features over named lags."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.fdia.errors import DetectorError
from pipeline.local_time import DAY_US, day_of_year, local_us, weekday
from pipeline.timestamps import MICROS_PER_SECOND

if TYPE_CHECKING:  # whoever has such stamps has imported pandas
    import pandas as pd

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

DAY_S: Final = 86_400
FINEST_CADENCE_S: Final = 60.0
COARSEST_CADENCE_S: Final = 3_600.0
HORIZONS_MIN: Final = (15, 30, 45, 60, 90, 120, 150, 180, 210, 240, 300)
RECENT_MIN: Final = (15, 30, 45, 60, 90, 120, 180, 240, 360)
DAYS: Final = 7
RECENT_WITHOUT_DAYS_MIN: Final = (15, 30, 60)
LONGEST_WITHOUT_DAYS_MIN: Final = 150
REPLAY_ROWS: Final = (1, 2, 4, 8)
REPLAY_DAYS: Final = (1, 2, 7)
LONGEST_DELAY_MIN: Final = 180
BLOCK_MIN: Final = 15
SEASON_WAVES: Final = (1, 2)
CALENDAR_SIZE: Final = 1 + 6 + 2 * len(SEASON_WAVES)


@dataclass(frozen=True)
class Calendar:
    """Of some rows, in the site's time zone.

    Attributes:
        block: part of the day, from 0.
        terms: constant, day of week (six indicators), waves of the year; one line per row.
    """

    block: Integers
    terms: Floats


@dataclass(frozen=True)
class Layout:
    """Horizons, lags and features in rows of a regular series.

    Attributes:
        cadence_s: seconds between rows.
        site_tz: IANA time zone of the site's day.
        days: how many past days the forecast compares with; 0 reads the last hour alone.
    """

    cadence_s: float
    site_tz: str
    days: int = DAYS

    def __post_init__(self) -> None:
        if not FINEST_CADENCE_S <= self.cadence_s <= COARSEST_CADENCE_S or DAY_S % self.cadence_s:
            raise DetectorError(
                f"cadence {self.cadence_s:g} s: the detector takes rows of 1 to 60 minutes that divide a day;"
                " average the series to 5 minutes"
            )

    @cached_property
    def day_rows(self) -> int:
        """Rows in 24 hours."""
        return round(DAY_S / self.cadence_s)

    @cached_property
    def hour_rows(self) -> int:
        """Rows in an hour."""
        return max(1, round(3_600 / self.cadence_s))

    @cached_property
    def horizons(self) -> Integers:
        """How far the forecast path is evaluated, in rows, ascending."""
        last_min = HORIZONS_MIN[-1] if self.days else LONGEST_WITHOUT_DAYS_MIN
        return self._rows((self.cadence_s / 60, 2 * self.cadence_s / 60, *HORIZONS_MIN), last_min)

    @cached_property
    def longest(self) -> int:
        """The last horizon, in rows."""
        return int(self.horizons[-1])

    @cached_property
    def blocks(self) -> int:
        """Parts of the day with weights and spreads of their own."""
        return min(self.day_rows, DAY_S // (60 * BLOCK_MIN))

    @cached_property
    def lags(self) -> Integers:
        """Every lag that a feature reads, in rows, ascending."""
        return np.array(sorted({lag for feature in self._features for lag in feature}))

    @cached_property
    def window(self) -> int:
        """Rows of history that are kept."""
        return max(self.reach, self.day_rows + REPLAY_ROWS[-1] + 1)

    @cached_property
    def reach(self) -> int:
        """Rows of history that a forecast needs."""
        return int(self.lags[-1]) + 1

    @cached_property
    def replay_days(self) -> tuple[int, ...]:
        """How many days back a replay is looked for."""
        return tuple(days for days in REPLAY_DAYS if days * self.day_rows + REPLAY_ROWS[-1] < self.window)

    @cached_property
    def delays(self) -> Integers:
        """How many rows late a signal is looked for; one that repeats its last row is frozen."""
        return np.arange(2, max(2, round(60 * LONGEST_DELAY_MIN / self.cadence_s)) + 1)

    @cached_property
    def mixing(self) -> Floats:
        """Features as rows of coefficients over :attr:`lags`."""
        matrix = np.zeros((len(self._features), len(self.lags)))
        for row, feature in enumerate(self._features):
            for lag, coefficient in feature.items():
                matrix[row, np.searchsorted(self.lags, lag)] += coefficient
        return matrix

    @cached_property
    def _features(self) -> list[dict[int, float]]:
        """The coming change on past days; the recent change then and now; the level against past days."""
        day = self.day_rows
        features: list[dict[int, float]] = []
        if self.days == 0:
            recents = self._rows((self.cadence_s / 60, *RECENT_WITHOUT_DAYS_MIN), RECENT_WITHOUT_DAYS_MIN[-1])
            return [*(_difference(0, recent) for recent in recents.tolist()), {0: 1.0}]
        for horizon in self.horizons.tolist():
            coming = [_difference(days * day - horizon, days * day) for days in range(1, DAYS + 1)]
            features += [coming[0], coming[-1], _mean(coming)]
        for recent in self._rows((self.cadence_s / 60, *RECENT_MIN), RECENT_MIN[-1]).tolist():
            then = [_difference(days * day, days * day + recent) for days in range(DAYS + 1)]
            features += [then[0], then[1], then[-1], _mean(then[1:])]
        levels = [_difference(0, days * day) for days in range(1, DAYS + 1)]
        return [*features, levels[0], levels[1], levels[-1], _mean(levels), {0: 1.0}]

    def _rows(self, minutes: tuple[float, ...], most_min: float) -> Integers:
        rows = {max(1, round(60 * length / self.cadence_s)) for length in minutes if length <= most_min}
        return np.array(sorted(rows))

    def calendar(self, stamps: "pd.DatetimeIndex") -> Calendar:
        """The calendar of rows that begin at these times."""
        return self.calendar_at(stamps.as_unit("us").asi8)

    def calendar_at(self, ts_us: Integers) -> Calendar:
        """The same for microseconds since 1970 UTC."""
        local = local_us(ts_us, self.site_tz)
        minute = local % DAY_US // (60 * MICROS_PER_SECOND)
        of_week = weekday(local)
        angle = 2 * np.pi * day_of_year(local).astype(np.float64) / 365.25
        terms = np.zeros((len(ts_us), CALENDAR_SIZE))
        terms[:, 0] = 1.0
        for day in range(6):
            terms[:, 1 + day] = of_week == day
        for at, wave in enumerate(SEASON_WAVES):
            terms[:, 7 + 2 * at] = np.sin(wave * angle)
            terms[:, 8 + 2 * at] = np.cos(wave * angle)
        return Calendar(minute * self.blocks // (DAY_S // 60), terms)


def _difference(lag: int, other: int) -> dict[int, float]:
    return {lag: 1.0, other: -1.0}


def _mean(features: list[dict[int, float]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for feature in features:
        for lag, coefficient in feature.items():
            total[lag] = total.get(lag, 0.0) + coefficient / len(features)
    return total
