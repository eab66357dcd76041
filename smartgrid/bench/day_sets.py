"""The sets of days that ``smartgrid bench day`` runs; none of them was used in tuning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from grid.series import BaseSeries
from smartgrid.day.scenario import (
    SAMPLE_TZ,
    Scenario,
    available_days,
    read_replay,
    replay_scenario,
    synthetic_scenario,
)
from smartgrid.errors import ScenarioError

SEEDS = range(1000, 1020)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file of recorded days: every ``every``-th of those from ``since`` on is run.

    Attributes:
        one_model: whether all days run with what was learnt before the first; each learns anew otherwise.
    """

    name: str
    file: str
    tz: str
    since: date
    every: int = 1
    one_model: bool = False


RECORDED = (
    Recorded("CAISO", "caiso_sample_days_5min_2019.csv.gz", "America/Los_Angeles", date(2019, 6, 1)),
    Recorded(
        "ERCOT",
        "ercot_generation_15min_2019_2021H1.csv.gz",
        "America/Chicago",
        date(2020, 7, 1),
        every=10,
        one_model=True,
    ),
    Recorded(
        "UCSD", "ucsd_pv_battery_site_15min_2016_2018.csv.gz", "America/Los_Angeles", date(2017, 7, 1), 45
    ),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One day to run, small enough to be handed to another process.

    Attributes:
        path: a CSV, ``sample``, or None for the simulated area.
        seed: of a simulated day.
        day: of a replayed one.
        train_until: local date before which it learns; the day itself when None.
    """

    path: str | None
    tz: str
    seed: int | None = None
    day: date | None = None
    train_until: date | None = None

    def first_of_its_model(self) -> "Job":
        """The first day that learns from the same rows."""
        return replace(self, day=self.train_until or self.day, train_until=None)

    def scenario(self) -> Scenario:
        """The day itself."""
        if self.path is None or self.day is None:
            return synthetic_scenario(self.seed or 0)
        series, notes, source = _read(self.path)
        return replay_scenario(
            series, self.day, ZoneInfo(self.tz), source=source, notes=notes, train_until=self.train_until
        )


@dataclass(frozen=True, slots=True)
class DaySet:
    """A set of days with its name."""

    name: str
    jobs: tuple[Job, ...]


def synthetic_set(seeds: Sequence[int] = SEEDS) -> DaySet:
    """Days of the simulated area at 5 s pulses."""
    return DaySet("synthetic", tuple(Job(None, "America/Los_Angeles", seed=seed) for seed in seeds))


def sample_set() -> DaySet:
    """The last two weeks of the sample."""
    days = available_days(_read("sample")[0], ZoneInfo(SAMPLE_TZ))[-14:]
    return DaySet("sample", tuple(Job("sample", SAMPLE_TZ, day=day) for day in days))


def recorded_sets(data: Path) -> list[DaySet]:
    """Days of the files in ``data`` that this bench knows: CAISO, ERCOT, UCSD.

    Raises:
        ScenarioError: if none of them is there.
    """
    sets = [days for source in RECORDED if (days := _recorded(data, source)) is not None]
    if not sets:
        raise ScenarioError(
            f"--data {data}: none of the bench's files is there; see docs/results.md for names"
        )
    return sets


def _recorded(data: Path, source: Recorded) -> DaySet | None:
    """The days of a file; None where it is not there."""
    path = data / source.file
    if not path.is_file():
        return None
    known = available_days(_read(str(path))[0], ZoneInfo(source.tz))
    days = [day for day in known if day >= source.since][:: source.every]
    until = days[0] if source.one_model and days else None
    jobs = (Job(str(path), source.tz, day=day, train_until=until) for day in days)
    return DaySet(source.name, tuple(jobs))


@lru_cache(maxsize=2)
def _read(path: str) -> tuple[BaseSeries, tuple[str, ...], str]:
    return read_replay(path, mapping=None, tz=None)
