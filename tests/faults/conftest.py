"""What the fault test needs: a state directory with a model, and how many faults to make."""

from pathlib import Path

import pytest

from grid.synthetic import training_series
from policies.limits import load_limits
from smartgrid.day.preparation import learn
from smartgrid.simulated_area import TZ

APPROVAL_KW = 1000.0
TRAINING_DAYS = 3
"""A few are enough: what the loops decide here is not judged."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory that holds a model already, and limits that ask a person for most of its power."""
    learn(training_series()[:TRAINING_DAYS], tz=TZ, limits=load_limits(None)).save(
        tmp_path / "state" / "model"
    )
    (tmp_path / "state" / "limits.yaml").write_text(
        f"approval:\n  power_kw: {APPROVAL_KW}\n", encoding="utf-8"
    )
    return tmp_path / "state"
