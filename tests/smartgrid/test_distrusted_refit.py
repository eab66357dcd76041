"""A refit learns nothing from what the stream distrusted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grid.telemetry import Telemetry
from pipeline.errors import TrainingError
from pipeline.sqlite_store import SqliteStore
from pipeline.verdict import Verdict
from smartgrid.refit import stored_series

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
PULSES = [Telemetry("area", START + at * STEP, net_load_kw=100.0 + at) for at in range(200)]
END = START + len(PULSES) * STEP


def verdict(at: int, trust: float | None) -> Verdict:
    return Verdict("area", PULSES[at].ts_utc, score=None if trust is None else 1.0, trust=trust)


def test_distrusted_pulses_are_left_out_and_doubtful_late_and_unjudged_ones_are_not(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "telemetry.db") as store:
        found = [*(verdict(at, 0.0) for at in range(90, 98)), verdict(98, 0.5), verdict(99, None)]
        store.write(PULSES, verdicts=found)
        series = stored_series(store, "area", END, cadence_s=STEP.total_seconds())
    expected = [pulse.net_load_kw for at, pulse in enumerate(PULSES) if not 90 <= at < 98]
    assert series.frame["net_load_kw"].tolist() == expected


def test_a_store_of_distrusted_pulses_alone_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "telemetry.db") as store:
        store.write(PULSES, verdicts=[verdict(at, 0.2) for at in range(len(PULSES))])
        with pytest.raises(TrainingError, match="nothing is stored"):
            stored_series(store, "area", END, cadence_s=STEP.total_seconds())
