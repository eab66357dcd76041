"""Days of real data at their own cadence, through the whole chain."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from policies.limits import load_limits
from smartgrid.day.scenario import available_days, read_replay, replay_scenario
from smartgrid.day.several import run_days

CAISO = "caiso_sample_days_5min_2019.csv.gz"


@pytest.mark.parametrize(
    ("file", "tz", "day", "cadence_s"),
    [
        (CAISO, "America/Los_Angeles", date(2019, 6, 17), 300.0),
        ("ercot_generation_15min_2019_2021H1.csv.gz", "America/Chicago", date(2019, 3, 10), 900.0),
        ("ucsd_pv_battery_site_15min_2016_2018.csv.gz", "America/Los_Angeles", date(2016, 12, 14), 900.0),
    ],
    ids=["CAISO", "ERCOT, a day of 23 hours", "UCSD"],
)
def test_a_recorded_day_runs_at_its_own_cadence_and_breaks_no_guardrail(
    file: str, tz: str, day: date, cadence_s: float, data_dir: Path
) -> None:
    series, notes, source = read_replay(str(data_dir / file), mapping=None, tz=None)
    scenario = replay_scenario(series, day, ZoneInfo(tz), source=source, notes=notes)
    (result,) = run_days([scenario], load_limits(None))
    assert result.cadence_s == cadence_s
    assert result.violations == ()
    accounts = result.accounts
    assert accounts.perfect_bound_usd < accounts.ours.cost_usd < accounts.no_action.cost_usd
    assert len(result.dispatches) > 50


def test_every_caiso_day_from_june_on_can_be_replayed(data_dir: Path) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    series, _, source = read_replay(str(data_dir / CAISO), mapping=None, tz=None)
    days = [day for day in available_days(series, zone) if day >= date(2019, 6, 1)]
    assert len(days) == 14
    for day in days:
        scenario = replay_scenario(series, day, zone, source=source)
        assert scenario.training[0].frame.index[-1] < scenario.start
