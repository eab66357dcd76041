"""One day through the whole chain."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dispatch.ledger import Ledger
from grid.accounts import settle_run
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import metered_net_load_kw
from pipeline.sqlite_store import SqliteStore
from smartgrid.day.preparation import Knowledge, PreparedDay, prepare
from smartgrid.day.result import DayResult
from smartgrid.day.runner import run_day
from smartgrid.day.scenario import Scenario

RunDay = tuple[DayResult, Path]


def test_a_day_is_worth_more_than_no_action_and_less_than_perfect_foresight(day_folder: RunDay) -> None:
    accounts = day_folder[0].accounts
    assert accounts.perfect_bound_usd < accounts.ours.cost_usd < accounts.no_action.cost_usd


def test_no_guardrail_is_violated_by_the_ledger_and_the_metered_series(day_folder: RunDay) -> None:
    assert day_folder[0].violations == ()
    assert len(day_folder[0].dispatches) > 20


def test_the_audit_chain_of_a_day_holds(day_folder: RunDay) -> None:
    ledger = Ledger(day_folder[1])
    report = ledger.verify_audit()
    ledger.close()
    assert report.ok
    assert report.count > len(day_folder[0].dispatches)


def test_telemetry_feels_every_dispatch(day_folder: RunDay) -> None:
    series = day_folder[0].series
    expected = [
        metered_net_load_kw(*powers)
        for powers in zip(series.native_kw, series.battery_kw, series.peaker_kw, strict=True)
    ]
    np.testing.assert_allclose(series.metered_kw, expected, rtol=1e-9)


def test_the_accounts_can_be_made_again_from_the_stored_series(
    day_folder: RunDay, prepared: PreparedDay
) -> None:
    result, folder = day_folder
    scenario, limits = prepared.scenario, prepared.knowledge.area.limits
    with SqliteStore(folder / "telemetry.db", read_only=True) as store:
        native = store.telemetry(NATIVE_SITE, scenario.start, scenario.end)
        metered = store.telemetry(AREA_SITE, scenario.start, scenario.end)
    injected = np.array([a.net_load_kw for a in native], float) - np.array(
        [a.net_load_kw for a in metered], float
    )
    battery_kw = injected - result.series.peaker_kw
    again = settle_run(
        prepared.accounts_input(), battery_kw, result.series.peaker_kw, limits.battery, limits.peaker
    )
    assert again.cost_usd == pytest.approx(result.accounts.ours.cost_usd)


def test_each_answered_event_is_named_by_the_dispatch_that_answers_it(day_folder: RunDay) -> None:
    result = day_folder[0]
    known = {event.event_id for event in result.events}
    named = {dispatch.event_id for dispatch in result.dispatches if dispatch.event_id}
    assert named
    assert named <= known
    assert {d.requester for d in result.dispatches if d.event_id} == {"supervisor:response"}


def test_forecasts_are_drawn_at_the_time_they_were_made_for(
    day_folder: RunDay, prepared: PreparedDay
) -> None:
    result, folder = day_folder
    with SqliteStore(folder / "telemetry.db", read_only=True) as store:
        made = store.forecasts(NATIVE_SITE, prepared.scenario.start, prepared.scenario.end)[10]
    place = result.series.times.index(made.target_at)
    assert made.target_at - made.issued_at == timedelta(minutes=30)
    assert result.series.p50_kw[place] == pytest.approx(made.net_load_kw + made.p50_kw)


def test_the_same_day_runs_the_same_way_twice(
    day_folder: RunDay, prepared: PreparedDay, tmp_path: Path
) -> None:
    again = asyncio.run(run_day(prepared, tmp_path))
    assert again.accounts == day_folder[0].accounts
    assert again.dispatches == day_folder[0].dispatches


def _as_file(day: PreparedDay) -> PreparedDay:
    """The same day with its prices taken as given."""
    return PreparedDay(day.scenario, replace(day.knowledge, price_model=None), day.price_seed)


def _changed_after(day: PreparedDay, moment: datetime) -> PreparedDay:
    """Everything that becomes known from ``moment`` on is another; day-ahead prices were known before."""
    series = day.scenario.series
    frame = series.frame.copy()
    late = frame.index >= moment
    for name in ("load_kw", "net_load_kw"):
        frame.loc[late, name] *= 1.4
    # The real-time price of the interval that begins at the moment is known just before it.
    later = frame.index >= moment + timedelta(seconds=series.cadence_s)
    frame.loc[later, "price_usd_per_mwh"] = 999.0
    changed = BaseSeries(frame, series.cadence_s, series.currency, series.price_source)
    return PreparedDay(day.scenario.with_series(changed), day.knowledge, day.price_seed)


def test_decisions_before_t_do_not_change_when_everything_after_t_does(
    prepared: PreparedDay, day_folder: RunDay, tmp_path: Path
) -> None:
    moment = prepared.scenario.start + timedelta(hours=11)
    cut = asyncio.run(run_day(_changed_after(_as_file(prepared), moment), tmp_path))

    def until(result: DayResult) -> list[tuple[datetime, str, str, float]]:
        return [(d.at, d.requester, d.asset, d.power_kw) for d in result.dispatches if d.at <= moment]

    assert until(cut) == until(day_folder[0])
    assert len(until(cut)) > 10
    later = [d.power_kw for d in cut.dispatches if d.at > moment]
    assert later != [d.power_kw for d in day_folder[0].dispatches if d.at > moment]


def test_a_gap_in_the_data_denies_autonomous_dispatch_until_pulses_come_again(
    scenario: Scenario, knowledge: Knowledge, tmp_path: Path
) -> None:
    gap_from, gap_to = scenario.start + timedelta(hours=9), scenario.start + timedelta(hours=12)
    index = scenario.series.frame.index
    holed = BaseSeries(
        scenario.series.frame[(index < gap_from) | (index >= gap_to)], scenario.series.cadence_s
    )
    result = asyncio.run(run_day(prepare(scenario.with_series(holed), knowledge), tmp_path))
    tolerated = timedelta(seconds=knowledge.area.limits.max_age_s)
    inside = [d for d in result.dispatches if gap_from + tolerated < d.at <= gap_to]
    assert inside == []
    assert [d for d in result.dispatches if d.at > gap_to + timedelta(hours=1)]
    assert result.violations == ()


def test_a_missing_net_load_stays_missing_and_never_becomes_zero(
    scenario: Scenario, knowledge: Knowledge, tmp_path: Path
) -> None:
    frame = scenario.series.frame.copy()
    blank = frame.index[40:43]
    frame.loc[blank, ["load_kw", "net_load_kw"]] = np.nan
    series = BaseSeries(frame, scenario.series.cadence_s)
    result = asyncio.run(run_day(prepare(scenario.with_series(series), knowledge), tmp_path))
    with SqliteStore(tmp_path / "telemetry.db", read_only=True) as store:
        stored = store.telemetry(AREA_SITE, blank[0].to_pydatetime(), blank[-1].to_pydatetime())
    assert [pulse.net_load_kw for pulse in stored] == [None, None]
    places = pd.DatetimeIndex(result.series.times).get_indexer(blank)
    assert np.isnan(result.series.metered_kw[places]).all()


def test_without_an_operator_the_peaker_never_starts(prepared: PreparedDay, tmp_path: Path) -> None:
    limits = prepared.knowledge.area.limits
    cheap = replace(limits.peaker, start_usd=0.0, fuel_usd_per_mmbtu=0.0, upkeep_usd_per_mwh=0.0)
    area = replace(prepared.knowledge.area, limits=replace(limits, peaker=cheap))
    day = PreparedDay(prepared.scenario, replace(prepared.knowledge, area=area), 0)
    alone = asyncio.run(run_day(day, tmp_path / "alone", with_operator=False))
    attended = asyncio.run(run_day(day, tmp_path / "attended", with_operator=True))
    assert {asked.state for asked in alone.approvals} <= {"PENDING", "EXPIRED"}
    assert alone.approvals
    assert alone.series.peaker_kw.max() == 0.0
    assert attended.series.peaker_kw.max() > 0.0
    assert "CONSUMED" in {asked.state for asked in attended.approvals}
    assert attended.violations == ()


def test_the_simulated_operator_decides_after_two_minutes_and_is_marked(
    prepared: PreparedDay, tmp_path: Path
) -> None:
    limits = prepared.knowledge.area.limits
    cheap = replace(limits.peaker, start_usd=0.0, fuel_usd_per_mmbtu=0.0, upkeep_usd_per_mwh=0.0)
    area = replace(prepared.knowledge.area, limits=replace(limits, peaker=cheap))
    result = asyncio.run(
        run_day(PreparedDay(prepared.scenario, replace(prepared.knowledge, area=area), 0), tmp_path)
    )
    decided = [asked for asked in result.approvals if asked.decided_at is not None]
    assert decided
    for asked in decided:
        assert asked.decided_at is not None
        assert asked.decided_at - asked.requested_at == timedelta(seconds=120)
        assert asked.approver == "operator:simulated-duty-operator"
    assert result.operator == "simulated"
