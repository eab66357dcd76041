"""An area and its sites check one another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from grid.telemetry import Telemetry
from pipeline.family_balance import family_imbalance
from pipeline.sqlite_store import SqliteStore

START = datetime(2024, 5, 1, tzinfo=UTC)
ROWS = 40

Judge = Callable[..., datetime | None]


def stamp(row: int) -> datetime:
    return START + row * timedelta(minutes=5)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def measure(
        factor: dict[int, float], *, site: str = "east", without: int | None = None
    ) -> datetime | None:
        rng = np.random.default_rng(4)
        with SqliteStore(tmp_path / "telemetry.db") as store:
            for row in range(ROWS):
                east, west = 600.0 + 200.0 * rng.random(), 300.0 + 100.0 * rng.random()
                kw = {"east": east, "west": west, "area": 1.02 * (east + west) + rng.normal(0.0, 1.0)}
                kw[site] *= factor.get(row, 1.0)
                store.write(
                    [Telemetry(name, stamp(row), net_load_kw=value) for name, value in kw.items()
                     if row != without or name != "west"]
                )  # fmt: skip
            return family_imbalance(store, "area", ["east", "west"])

    return measure


def test_an_area_that_measures_its_sites_and_steady_losses_is_in_balance(judge: Judge) -> None:
    assert judge({}) is None


@pytest.mark.parametrize("site", ["east", "area"])
def test_a_false_meter_of_either_side_shows_from_its_first_row_on(judge: Judge, site: str) -> None:
    assert judge(dict.fromkeys(range(33, ROWS), 1.1), site=site) == stamp(33)


def test_it_is_odd_between_false_pulses_too_and_no_more_when_they_have_ended(
    judge: Judge, tmp_path: Path
) -> None:
    assert judge({30: 1.1, 34: 1.1, 38: 1.1}) == stamp(30)
    (tmp_path / "telemetry.db").unlink()
    assert judge({30: 1.1, 34: 1.1}) is None


def test_rows_that_a_site_lacks_are_left_out(judge: Judge) -> None:
    assert judge({}, without=ROWS - 1) is None


def test_without_sites_or_with_few_rows_nothing_is_said(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "telemetry.db") as store:
        store.write([Telemetry(name, stamp(0), net_load_kw=5.0) for name in ("area", "east")])
        assert family_imbalance(store, "area", []) is None
        assert family_imbalance(store, "area", ["east"]) is None
