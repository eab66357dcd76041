"""Two hours of the chain as it is wired everywhere: real stream, real model, real loops, real executor."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from policies.limits import Limits
from smartgrid.day.preparation import learn, prepare
from smartgrid.day.runner import Progress, run_day
from smartgrid.day.scenario import replay_scenario

pytestmark = pytest.mark.anyio

HOURS = timedelta(hours=2)
INTERVALS = 24
LOOPS = ("response", "trading")


def wavy_days(days: int) -> BaseSeries:
    """A net load that swings with the day and, faster, with passing clouds."""
    rows = days * 288
    index = pd.date_range("2026-03-01", periods=rows, freq="5min", tz="UTC", name="ts_utc", unit="us")
    hours = np.arange(rows) / 12.0
    rng = np.random.default_rng(5)
    swing = 2_000 * np.sin(2 * np.pi * hours / 24) + 900 * np.sin(2 * np.pi * hours / 1.7)
    return BaseSeries(
        pd.DataFrame({"net_load_kw": 10_000 + swing + rng.normal(0, 30, rows)}, index=index), 300.0
    )


async def test_both_loops_run_through_two_real_hours(tmp_path: Path) -> None:
    whole_day = replay_scenario(wavy_days(4), date(2026, 3, 4), ZoneInfo("UTC"), source="made up")
    scenario = replace(whole_day, end=whole_day.start + HOURS)
    knowledge = learn(scenario.training, tz="UTC", limits=Limits())
    seen: list[Progress] = []
    result = await run_day(prepare(scenario, knowledge), tmp_path, watch=seen.append)
    ticks = [loop for progress in seen for loop in progress.tick.loops]
    assert [loop.loop for loop in ticks] == list(LOOPS) * INTERVALS
    assert [loop.reason for loop in ticks if loop.outcome == "blocked"] == []
    assert [action.status for loop in ticks for action in loop.actions if action.status == "refused"] == []
    acted = Counter(loop.loop for loop in ticks if loop.outcome == "acted")
    assert acted["trading"] == INTERVALS
    assert 0 < acted["response"] < INTERVALS
    assert result.accounts.ours.ramp_penalty_usd < result.accounts.no_action.ramp_penalty_usd
