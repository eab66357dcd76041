"""The simple trust check: finds what is gross, leaves ramps alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from grid.telemetry import Telemetry
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from pipeline.trust import TrustReport, assess

START = datetime(2024, 5, 1, tzinfo=UTC)
FIVE_S = timedelta(seconds=5)


def normal_pulses(count: int = 60, cadence: timedelta = FIVE_S, slope_kw: float = 0.0) -> list[Telemetry]:
    noise = np.random.default_rng(5).normal(0.0, 3.0, count)
    levels = [1000.0 + slope_kw * i + noise[i] for i in range(count)]
    return [Telemetry("area", START + i * cadence, net_load_kw=levels[i]) for i in range(count)]


Judge = Callable[..., TrustReport]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def assess_pulses(
        pulses: list[Telemetry], *, age: timedelta = FIVE_S, made: Forecast | None = None
    ) -> TrustReport:
        with SqliteStore(tmp_path / "telemetry.db") as store:
            store.write(pulses, [made] if made else [])
            return assess(store, "area", pulses[-1].ts_utc + age if pulses else START)

    return assess_pulses


def test_normal_telemetry_is_trusted(judge: Judge) -> None:
    report = judge(normal_pulses())
    assert (report.trust, report.alarm, report.kind) == (1.0, False, None)
    assert report.score is not None


def test_a_steep_ramp_is_no_fault(judge: Judge) -> None:
    assert not judge(normal_pulses(slope_kw=50.0)).alarm


def test_no_telemetry_is_not_trusted(judge: Judge) -> None:
    report = judge([])
    assert (report.trust, report.alarm, report.kind) == (0.0, True, "missing")


def test_stale_telemetry_is_not_trusted(judge: Judge) -> None:
    pulses = normal_pulses()
    assert judge(pulses, age=3 * FIVE_S).trust == 1.0
    report = judge(pulses, age=4 * FIVE_S)
    assert (report.trust, report.kind, report.since) == (0.0, "stale", pulses[-1].ts_utc)


def test_a_net_load_that_stays_missing_is_not_trusted(judge: Judge) -> None:
    pulses = normal_pulses()
    pulses[-4:] = [replace(pulse, net_load_kw=None) for pulse in pulses[-4:]]
    assert judge(pulses).kind == "missing"


def test_a_frozen_signal_is_found_with_its_beginning(judge: Judge) -> None:
    pulses = normal_pulses()
    pulses[-15:] = [replace(pulse, net_load_kw=pulses[-15].net_load_kw) for pulse in pulses[-15:]]
    report = judge(pulses)
    assert (report.trust, report.kind, report.since) == (0.0, "frozen", pulses[-15].ts_utc)


def test_a_signal_that_often_repeats_is_not_called_frozen(judge: Judge) -> None:
    pulses = [replace(pulse, net_load_kw=1000.0 + (i // 14)) for i, pulse in enumerate(normal_pulses())]
    assert judge(pulses).kind != "frozen"


def test_a_step_out_of_all_proportion_is_found_and_held_for_a_minute(judge: Judge) -> None:
    pulses = normal_pulses()
    pulses[-5:] = [replace(pulse, net_load_kw=2.0 * (pulse.net_load_kw or 0.0)) for pulse in pulses[-5:]]
    report = judge(pulses)
    assert (report.trust, report.kind, report.since) == (0.0, "step", pulses[-5].ts_utc)


def test_a_step_is_held_as_long_as_it_stands(judge: Judge) -> None:
    lifted = [
        replace(pulse, net_load_kw=2.0 * (pulse.net_load_kw or 0.0)) if i >= 25 else pulse
        for i, pulse in enumerate(normal_pulses())
    ]
    report = judge(lifted)
    assert (report.trust, report.kind, report.since) == (0.0, "step", lifted[25].ts_utc)


def test_a_step_that_was_taken_back_a_minute_ago_is_forgotten(judge: Judge) -> None:
    peak = [
        replace(pulse, net_load_kw=2.0 * (pulse.net_load_kw or 0.0)) if 25 <= i < 40 else pulse
        for i, pulse in enumerate(normal_pulses())
    ]
    assert judge(peak).trust == 1.0


def test_the_other_meters_give_the_value_to_use_while_parts_do_not_add_up_and_a_little_after(
    judge: Judge,
) -> None:
    pulses = [
        replace(pulse, load_kw=1200.0 + i, solar_kw=100.0, wind_kw=0.0, net_load_kw=1100.0 + i)
        for i, pulse in enumerate(normal_pulses(20))
    ]
    pulses[12:17] = [replace(pulse, net_load_kw=1210.0) for pulse in pulses[12:17]]
    report = judge(pulses)
    assert (report.trust, report.kind, report.since) == (0.0, "balance", pulses[12].ts_utc)
    assert (report.substitute_kw, report.substitute_from) == (1119.0, "other meters")


def test_parts_that_add_up_again_for_four_rows_are_in_balance(judge: Judge) -> None:
    pulses = [
        replace(pulse, load_kw=1200.0 + i, solar_kw=100.0, wind_kw=0.0, net_load_kw=1100.0 + i)
        for i, pulse in enumerate(normal_pulses(20))
    ]
    pulses[12:16] = [replace(pulse, net_load_kw=1210.0) for pulse in pulses[12:16]]
    assert judge(pulses).kind != "balance"


def test_parts_that_do_not_add_up_are_found(judge: Judge) -> None:
    pulses = normal_pulses()
    pulses[-1] = replace(pulses[-1], load_kw=1200.0, solar_kw=100.0, wind_kw=0.0, net_load_kw=1110.0)
    assert judge(pulses).kind == "balance"


def test_a_level_far_outside_its_forecast_is_found(judge: Judge) -> None:
    pulses = normal_pulses(40, timedelta(minutes=15))
    newest = pulses[-1]
    made = Forecast("area", pulses[-3].ts_utc, newest.ts_utc, 1000.0, -20.0, 0.0, 20.0, "m")
    quarter = timedelta(minutes=15)
    assert not judge(pulses, age=quarter, made=made).alarm
    assert judge([], age=quarter).kind != "level"


def test_a_level_far_outside_its_forecast_costs_the_trust(judge: Judge) -> None:
    pulses = normal_pulses(40, timedelta(minutes=15))
    made = Forecast("area", pulses[-3].ts_utc, pulses[-1].ts_utc, 1000.0, 380.0, 400.0, 420.0, "m")
    report = judge(pulses, age=timedelta(minutes=15), made=made)
    assert (report.trust, report.kind) == (0.0, "level")


def test_too_few_pulses_to_compare_with_say_so_by_a_missing_score(judge: Judge) -> None:
    report = judge(normal_pulses(5))
    assert (report.trust, report.score, report.alarm) == (1.0, None, False)
