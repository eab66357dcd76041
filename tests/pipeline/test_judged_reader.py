"""A store that is read together with a site's detector."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.telemetry import Telemetry
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.judged_reader import JudgedReader
from pipeline.night_sun import coordinates_deg, deep_night, sun_elevation_deg
from pipeline.sqlite_store import SqliteStore
from pipeline.trust import TrustReport, assess
from tests.pipeline.conftest import SITE_TZ, made_up_series

STEP = timedelta(minutes=5)
LEARNT_DAYS = 8


@pytest.fixture(scope="module")
def whole() -> BaseSeries:
    return made_up_series(LEARNT_DAYS + 1)


@pytest.fixture(scope="module")
def detector(whole: BaseSeries) -> FittedDetector:
    """Learnt from separate days: no week hangs together."""
    days = [part for _, part in whole.frame.iloc[: LEARNT_DAYS * 288].groupby(lambda stamp: stamp.date())]
    apart = [day.shift(freq=pd.Timedelta(days=7 * at)) for at, day in enumerate(days)]
    return learn_detector([BaseSeries(day, 300.0) for day in apart], SITE_TZ)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "telemetry.db")


def pulses_of(whole: BaseSeries, *, parts: bool) -> list[Telemetry]:
    """The day that was not learnt, as the only one that the store will know."""
    rows = whole.frame.iloc[LEARNT_DAYS * 288 :]
    made = [
        Telemetry("area", at.to_pydatetime(), load_kw=load, solar_kw=solar, wind_kw=wind, net_load_kw=net)
        for at, load, solar, wind, net in rows.itertuples()
    ]
    return (
        made if parts else [Telemetry("area", pulse.ts_utc, net_load_kw=pulse.net_load_kw) for pulse in made]
    )


def follow(store: SqliteStore, reader: JudgedReader, pulses: list[Telemetry]) -> list[TrustReport]:
    reports = []
    for pulse in pulses:
        store.write([pulse])
        reports.append(assess(reader, "area", pulse.ts_utc + STEP))
    return reports


def scaled(pulse: Telemetry, by: float) -> Telemetry:
    return replace(pulse, net_load_kw=(pulse.net_load_kw or 0.0) * by)


def part_moved(pulse: Telemetry, kw: float) -> Telemetry:
    """The load is another one, and the net load with it."""
    return replace(pulse, load_kw=(pulse.load_kw or 0.0) + kw, net_load_kw=(pulse.net_load_kw or 0.0) + kw)


def net_load_detector(detector: FittedDetector, whole: BaseSeries) -> FittedDetector:
    frame = whole.frame.iloc[: LEARNT_DAYS * 288][["net_load_kw"]]
    assert detector.full is None
    return learn_detector(BaseSeries(frame, 300.0), SITE_TZ)


def test_a_scaled_net_load_costs_the_trust_at_once_through_the_event_and_not_long_after(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        truth = pulses_of(whole, parts=False)[:170]
        pulses = [scaled(pulse, 1.25) if 100 <= i < 124 else pulse for i, pulse in enumerate(truth)]
        reader = JudgedReader(store, {"area": net_load_detector(detector, whole)})
        reports = follow(store, reader, pulses)
        assert min(report.trust for report in reports[20:100]) >= 0.5
        attacked = reports[100:124]
        assert max(report.trust for report in attacked) < 0.5
        assert {report.since for report in attacked} == {pulses[100].ts_utc}
        assert {report.channel for report in attacked} == {"net_load_kw"}
        assert {report.substitute_from for report in attacked} == {"forecast"}
        for report, pulse in zip(attacked, truth[100:124], strict=True):
            assert report.substitute_kw == pytest.approx(pulse.net_load_kw, rel=0.15)
        assert min(report.trust for report in reports[130:]) >= 0.5
        believed = reader.believed("area", pulses[100].ts_utc, pulses[124].ts_utc)
        assert [pulse.net_load_kw for pulse in believed] == [report.substitute_kw for report in attacked]
        before = reader.believed("area", pulses[50].ts_utc, pulses[90].ts_utc)
        assert before == pulses[50:90]


def test_a_small_ramp_shows_against_the_other_meters_which_give_the_substitute(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        truth = pulses_of(whole, parts=True)[:60]
        pulses = [
            scaled(pulse, 1.0 + 0.002 * (i - 29)) if 30 <= i < 54 else pulse for i, pulse in enumerate(truth)
        ]
        reader = JudgedReader(store, {"area": detector})
        reports = follow(store, reader, pulses)
        for report, pulse in zip(reports[30:54], truth[30:54], strict=True):
            assert (report.trust, report.kind, report.channel) == (0.0, "balance", "net_load_kw")
            assert report.substitute_from == "other meters"
            assert report.substitute_kw == pytest.approx(pulse.net_load_kw)
        assert {report.reliance for report in reports} == {1.0}  # through and after it, too
        assert reports[59].trust >= 0.5
        believed = reader.believed("area", truth[0].ts_utc, truth[-1].ts_utc + STEP)
        for told, pulse in zip(believed, truth, strict=True):
            assert told.net_load_kw == pytest.approx(pulse.net_load_kw)


def test_a_part_that_moves_by_itself_while_net_load_is_false_is_not_blamed_for_it(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        truth = [
            part_moved(pulse, 80.0) if 40 <= i < 54 else pulse
            for i, pulse in enumerate(pulses_of(whole, parts=True)[:60])
        ]
        pulses = [scaled(pulse, 1.03) if 30 <= i < 54 else pulse for i, pulse in enumerate(truth)]
        reader = JudgedReader(store, {"area": detector})
        reports = follow(store, reader, pulses)
        assert {report.channel for report in reports[30:54]} == {"net_load_kw"}
        believed = reader.believed("area", truth[30].ts_utc, truth[54].ts_utc)
        for told, pulse in zip(believed, truth[30:54], strict=True):
            assert told.net_load_kw == pytest.approx(pulse.net_load_kw)


def test_a_false_part_that_stands_out_is_blamed_and_net_load_stays_what_its_own_meter_says(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        truth = pulses_of(whole, parts=True)[:60]
        pulses = [
            replace(pulse, load_kw=(pulse.load_kw or 0.0) * 1.25) if 30 <= i < 54 else pulse
            for i, pulse in enumerate(truth)
        ]
        reader = JudgedReader(store, {"area": detector})
        reports = follow(store, reader, pulses)
        assert {report.channel for report in reports[30:54]} == {"load_kw"}
        assert {report.substitute_kw for report in reports[30:54]} == {None}
        assert max(report.reliance for report in reports[30:54]) == 0.0
        assert reader.believed("area", truth[30].ts_utc, truth[54].ts_utc) == pulses[30:54]


def test_autonomy_relies_on_other_meters_and_not_on_a_forecast_nor_without_a_detector(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        alone = [
            scaled(pulse, 1.25) if i >= 30 else pulse
            for i, pulse in enumerate(pulses_of(whole, parts=False)[:40])
        ]
        report = follow(store, JudgedReader(store, {"area": net_load_detector(detector, whole)}), alone)[-1]
        assert (report.substitute_from, report.reliance) == ("forecast", report.trust)
        parts = [scaled(pulse, 1.25) for pulse in pulses_of(whole, parts=True)[40:44]]
        store.write(parts)
        report = assess(store, "area", parts[-1].ts_utc + STEP)
        assert (report.substitute_from, report.reliance) == ("other meters", 0.0)


def test_a_pulse_attack_costs_the_trust_between_its_pulses_too(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        pulses = pulses_of(whole, parts=True)[:60]
        pulses = [
            scaled(pulse, 1.1) if 30 <= i < 46 and i % 4 == 2 else pulse for i, pulse in enumerate(pulses)
        ]
        reports = follow(store, JudgedReader(store, {"area": detector}), pulses)
        assert max(report.trust for report in reports[30:46]) == 0.0
        assert {report.since for report in reports[30:46]} == {pulses[30].ts_utc}


def test_a_question_gets_the_same_answer_whoever_asked_before_and_after_a_restart(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        pulses = pulses_of(whole, parts=False)[:120]
        pulses = [scaled(pulse, 1.25) if i >= 100 else pulse for i, pulse in enumerate(pulses)]
        fitted = net_load_detector(detector, whole)
        asked_often = follow(store, JudgedReader(store, {"area": fitted}), pulses)[-1]
        asked_once = assess(JudgedReader(store, {"area": fitted}), "area", pulses[-1].ts_utc + STEP)
        assert asked_once == asked_often
        assert asked_once.trust < 0.5


def test_a_site_without_a_detector_is_judged_by_the_plain_checks_alone(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        pulses = pulses_of(whole, parts=False)[:60]
        store.write(pulses)
        reader = JudgedReader(store, {"elsewhere": detector})
        now = pulses[-1].ts_utc + STEP
        assert assess(reader, "area", now) == assess(store, "area", now)
        assert reader.believed("area", pulses[0].ts_utc, now) == pulses


def test_solar_power_in_deep_night_is_no_measurement(
    store: SqliteStore, detector: FittedDetector, whole: BaseSeries
) -> None:
    with store:
        pulses = pulses_of(whole, parts=True)[:12]  # from midnight UTC on
        sunny = replace(pulses[-1], solar_kw=150.0, net_load_kw=(pulses[-1].net_load_kw or 0.0) - 150.0)
        reports = follow(store, JudgedReader(store, {"area": detector}), [*pulses[:-1], sunny])
        assert reports[-2].kind is None
        assert (reports[-1].trust, reports[-1].kind, reports[-1].channel) == (0.0, "night", "solar_kw")


def test_the_sun_stands_where_almanacs_say() -> None:
    place = coordinates_deg("America/Los_Angeles")
    assert place == pytest.approx((34.05, -118.24), abs=0.02)
    assert coordinates_deg("UTC") is None
    noon = datetime(2024, 6, 21, 12, 0, tzinfo=UTC)
    assert sun_elevation_deg(noon, 23.44, 0.0) == pytest.approx(90.0, abs=1.5)
    assert sun_elevation_deg(noon, -66.56, 180.0) == pytest.approx(-46.9, abs=2.0)
    midnight = datetime(2024, 3, 20, 8, 0, tzinfo=UTC)
    assert deep_night(midnight, "America/Los_Angeles")
    assert not deep_night(midnight + timedelta(hours=12), "America/Los_Angeles")
    assert not deep_night(midnight, "UTC")
    assert not deep_night(datetime(2024, 6, 21, 0, 0, tzinfo=UTC), "Europe/Helsinki")


def test_too_few_days_are_an_error(whole: BaseSeries) -> None:
    with pytest.raises(DetectorError, match="days are too few"):
        learn_detector(BaseSeries(whole.frame.iloc[: 3 * 288], 300.0), SITE_TZ)
