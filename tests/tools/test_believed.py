"""Where a meter is distrusted, the tools go on with what is believed in its place."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.forecast import Forecast
from pipeline.judged_reader import JudgedReader, JudgingReader, judging
from pipeline.outlook import Outlook, fit_outlook
from pipeline.verdict import Verdict
from policies.horizon import P90_SIGMAS
from smartgrid.area import Workplace
from tests.pipeline.conftest import SITE_TZ, made_up_series
from tests.tools.small_grid import INTERVAL, SmallGrid
from tools.as_of import AsOfReader
from tools.believed import believed_pulses
from tools.current_forecast import OUTLOOK_MODEL
from tools.errors import ToolUnavailableError
from tools.views import view_of

OFF_KW = 40.0
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(scope="module")
def detector() -> FittedDetector:
    return learn_detector(made_up_series(8), SITE_TZ)


@pytest.fixture(scope="module")
def outlook() -> Outlook:
    found = fit_outlook([made_up_series(15)], site_tz=SITE_TZ)
    assert found.correction is not None
    return found


def seen_by_tools(grid: SmallGrid, detector: FittedDetector) -> JudgingReader:
    return view_of(JudgingReader, JudgedReader(grid.store, {NATIVE_SITE: detector}))


def distrust(grid: SmallGrid, pulses: int) -> None:
    """The stream found the newest native pulses too low by as much."""
    found = grid.store.latest(NATIVE_SITE, pulses)
    verdicts = [
        Verdict(
            NATIVE_SITE,
            pulse.ts_utc,
            score=3.0,
            trust=0.1,
            channel="net_load_kw",
            kind="drift",
            since=found[0].ts_utc,
            substitute_kw=(pulse.net_load_kw or 0.0) + OFF_KW,
        )
        for pulse in found
    ]
    grid.store.write([], verdicts=verdicts)


def forecast_now(grid: SmallGrid) -> Forecast:
    found = grid.store.latest_forecast(NATIVE_SITE)
    assert found is not None
    assert found.issued_at == grid.newest(NATIVE_SITE).ts_utc
    return found


def test_tools_reach_the_detector_through_their_view_of_the_store(
    plant: SmallGrid, detector: FittedDetector
) -> None:
    parts = {"ledger": plant.ledger, "clock": plant.clock, "tools": ()}
    judged: Mapping[str, Any] = {**parts, "reader": JudgedReader(plant.store, {NATIVE_SITE: detector})}
    distrust(plant, 3)
    for arguments, seen in ((judged, True), ({**parts, "reader": plant.store}, False)):
        reader = Workplace(plant.area, **arguments).reader_view
        assert (judging(reader) is not None) is seen
        answer = plant.ask("check_telemetry", {"reader": reader})
        assert (answer.kind == "drift") is seen
        assert answer.trusted is not seen


def test_means_are_those_of_what_is_believed_and_the_difference_of_the_two_meters_stays(
    plant: SmallGrid, detector: FittedDetector
) -> None:
    reader = seen_by_tools(plant, detector)
    measured = plant.ask("get_grid_status", {"reader": reader})
    distrust(plant, 3)
    believed = plant.ask("get_grid_status", {"reader": reader})
    off_kw = [0.0] * 4 + [OFF_KW] * 3
    for name in ("native_means_kw", "metered_means_kw"):
        pairs = zip(getattr(believed, name), getattr(measured, name), strict=True)
        assert [after - before for after, before in pairs] == pytest.approx(off_kw)
    assert [site.net_load_kw for site in believed.sites] == [site.net_load_kw for site in measured.sites]


def test_a_forecast_from_distrusted_pulses_gives_way_to_the_outlook_from_believed_ones(
    plant: SmallGrid, detector: FittedDetector, outlook: Outlook
) -> None:
    made = forecast_now(plant)
    changed = {"reader": seen_by_tools(plant, detector), "outlook": outlook}
    assert plant.ask("forecast_net_load", changed).model == made.model
    distrust(plant, 3)
    answer = plant.ask("forecast_net_load", changed, outlook_hours=1.0)
    assert (answer.model, answer.issued_at) == (OUTLOOK_MODEL, made.issued_at)
    assert answer.net_load_kw == pytest.approx((plant.newest(NATIVE_SITE).net_load_kw or 0.0) + OFF_KW)
    steps = HALF_HOUR // INTERVAL
    assert answer.p50_change_kw == answer.outlook_kw[steps] - answer.outlook_kw[0]
    wide_kw = P90_SIGMAS * answer.outlook_sigma_kw[steps - 1]
    assert answer.p90_change_kw - answer.p50_change_kw == pytest.approx(wide_kw)
    with pytest.raises(ToolUnavailableError, match=r"explain: .*outlook's.*ask without it"):
        plant.ask("forecast_net_load", changed, explain=True)


def test_the_outlook_holds_until_the_streams_forecast_no_longer_rests_on_distrusted_pulses(
    plant: SmallGrid, detector: FittedDetector, outlook: Outlook
) -> None:
    changed = {"reader": seen_by_tools(plant, detector), "outlook": outlook}
    distrust(plant, 1)
    models = []
    for _ in range(14):
        plant.advance()
        models.append(plant.ask("forecast_net_load", changed).model)
    assert models == [OUTLOOK_MODEL] * 12 + [forecast_now(plant).model] * 2


def test_without_anything_to_believe_there_is_no_forecast(plant: SmallGrid, detector: FittedDetector) -> None:
    distrust(plant, 1)
    with pytest.raises(ToolUnavailableError, match="rests on telemetry that is not believed; see check_tele"):
        plant.ask("forecast_net_load", {"reader": seen_by_tools(plant, detector), "outlook": None})


def test_what_is_read_as_of_an_earlier_moment_is_believed_as_far_as_it_was_then(
    plant: SmallGrid, detector: FittedDetector
) -> None:
    distrust(plant, 3)
    newest = plant.newest(NATIVE_SITE).ts_utc
    then = AsOfReader(seen_by_tools(plant, detector), newest, plant.workplace.area.sites)
    found = believed_pulses(then, NATIVE_SITE, newest - 3 * INTERVAL, newest + INTERVAL)
    measured = plant.store.telemetry(NATIVE_SITE, newest - 3 * INTERVAL, newest)
    assert [pulse.ts_utc for pulse in found] == [pulse.ts_utc for pulse in measured]
    off_kw = [
        (after.net_load_kw or 0.0) - (before.net_load_kw or 0.0)
        for after, before in zip(found, measured, strict=True)
    ]
    assert off_kw == pytest.approx([0.0, OFF_KW, OFF_KW])
    area = believed_pulses(then, AREA_SITE, newest - 3 * INTERVAL, newest + INTERVAL)
    assert len(area) == 3
