"""Scenarios: the local days that can be run, each with what was known before it began."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from grid.csv_series import read_csv_series
from grid.series import BaseSeries
from grid.synthetic import SITE_TZ, day_of, generate_day, training_seeds, training_series
from grid.units import RAMP_WINDOW_S
from smartgrid.errors import ScenarioError

SAMPLE = "luxembourg_2024-03-04_8_weeks.csv.gz"
SAMPLE_TZ = "Europe/Luxembourg"
SAMPLE_DAY = date(2024, 4, 15)
SAMPLE_SOURCE = "Luxembourg, 15-minute load, solar and wind: SMARD.de, Bundesnetzagentur, CC BY 4.0"

WARM_UP = timedelta(hours=2)
"""Telemetry before the day that the stream sees first, so that the windows are full at midnight."""
SEASONAL_WARM_UP = timedelta(days=14)
"""The same where pulses are a minute apart or more: what is typical of the time of day is known then, too."""


_SEASONAL_CADENCE_S = 60.0


@dataclass(frozen=True)
class Scenario:
    """One local day to run.

    Attributes:
        name: for the report.
        start, end: the local day's bounds in UTC.
        tz: the site's time zone.
        series: the base series from the warm-up before ``start`` until 30 minutes after ``end``,
            as far as the data reach.
        training: what lies before the day, for model, limits and prices.
        seed: of a synthetic day; None for data.
        source: where the series come from, for the report.
        notes: remarks of the reader, for the report.
    """

    name: str
    start: datetime
    end: datetime
    tz: ZoneInfo
    series: BaseSeries
    training: tuple[BaseSeries, ...]
    seed: int | None
    source: str
    notes: tuple[str, ...] = ()

    def with_series(self, series: BaseSeries) -> "Scenario":
        """The same day with another series, such as one that has prices."""
        return replace(self, series=series)

    @property
    def day(self) -> date:
        """The local date."""
        return self.start.astimezone(self.tz).date()


def local_day(day: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end of a local day in UTC; 23, 24 or 25 hours apart."""
    start = datetime.combine(day, time(), tzinfo=tz)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=tz)
    return start.astimezone(UTC), end.astimezone(UTC)


def synthetic_scenario(seed: int, cadence_s: float = 5.0) -> Scenario:
    """A simulated day; its training days are others than any day that is judged.

    Raises:
        ScenarioError: if ``seed`` is one of the training days' seeds.
    """
    if seed in training_seeds():
        used = training_seeds()
        raise ScenarioError(
            f"seed {seed} is a training day ({used.start} to {used.stop - 1}); choose another"
        )
    tz = ZoneInfo(SITE_TZ)
    start, end = local_day(day_of(seed), tz)
    return Scenario(
        name=f"seed {seed}",
        start=start,
        end=end,
        tz=tz,
        series=generate_day(seed, cadence_s),
        training=training_series(cadence_s),
        seed=seed,
        source=f"Simulated area, seed {seed}",
    )


def read_replay(
    path: str, *, mapping: dict[str, str] | None, tz: str | None
) -> tuple[BaseSeries, tuple[str, ...], str]:
    """Read a CSV, or the sample by its name ``sample``.

    Returns:
        The series, the reader's remarks and the source's name.

    Raises:
        CsvError: as :func:`grid.csv_series.read_csv_series`.
    """
    if path == "sample":
        with as_file(files("smartgrid") / "samples" / SAMPLE) as file:
            found = read_csv_series(file, mapping=mapping, tz=tz)
        report = replace(found.report, path="sample")
        return found.series, tuple(report.lines()), SAMPLE_SOURCE
    found = read_csv_series(Path(path), mapping=mapping, tz=tz)
    return found.series, tuple(found.report.lines()), Path(path).name


def replay_scenario(
    series: BaseSeries,
    day: date,
    tz: ZoneInfo,
    *,
    source: str,
    notes: tuple[str, ...] = (),
    train_until: date | None = None,
) -> Scenario:
    """A day of a recorded series; everything before its midnight is there to learn from.

    Args:
        series: what was recorded.
        day: the local date.
        tz: the site's time zone.
        source: its name, for the report.
        notes: the reader's remarks.
        train_until: local date before which the rows to learn from end; the day itself when None.

    Raises:
        ScenarioError: if the series has no such day, or nothing before it.
    """
    start, end = local_day(day, tz)
    frame = series.frame
    inside = frame.loc[(frame.index >= start) & (frame.index < end), "net_load_kw"]
    if inside.notna().sum() < 2:
        known = available_days(series, tz)
        have = f"its days run from {known[0]} to {known[-1]}" if known else "no day of it has any"
        raise ScenarioError(f"day {day} ({tz.key}) has no net load in {source}; {have}")
    learnt_until = start if train_until is None else min(start, local_day(train_until, tz)[0])
    before = frame.loc[frame.index < learnt_until]
    if before["net_load_kw"].notna().sum() < 100:
        raise ScenarioError(f"day {day} has too little before it in {source} to train on; choose a later day")
    warm_up = SEASONAL_WARM_UP if series.cadence_s >= _SEASONAL_CADENCE_S else WARM_UP
    window = frame.loc[
        (frame.index >= start - warm_up) & (frame.index < end + timedelta(seconds=RAMP_WINDOW_S))
    ]
    return Scenario(
        name=str(day),
        start=start,
        end=end,
        tz=tz,
        series=_part(series, window),
        training=(_part(series, before),),
        seed=None,
        source=source,
        notes=notes,
    )


def available_days(series: BaseSeries, tz: ZoneInfo) -> Sequence[date]:
    """Local dates with at least half a day of net load, in order."""
    present = pd.DatetimeIndex(series.frame["net_load_kw"].dropna().index)
    counts = Counter(present.tz_convert(tz).date.tolist())
    enough = 0.5 * 86400 / series.cadence_s
    return sorted(day for day, count in counts.items() if count >= enough)


def _part(series: BaseSeries, frame: pd.DataFrame) -> BaseSeries:
    return BaseSeries(frame, series.cadence_s, series.currency, series.price_source)
