import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.forecast import Forecast
from pipeline.forecasting.drivers import Driver, Explainer
from pipeline.forecasting.explain import ModelExplainer
from pipeline.outlook import Outlook
from pipeline.store import SeriesReader
from tests.tools.small_grid import CADENCE_S, INTERVAL, SmallGrid, learnt
from tools.contract import SiteInfo
from tools.errors import ToolInputError, ToolUnavailableError
from tools.forecast_net_load import ForecastAnswer, ForecastRequest, run, tool


def counting_outlook(site_tz: str) -> Outlook:
    """An outlook whose level tells the interval of the local day."""
    return Outlook(site_tz, CADENCE_S, tuple(float(slot) for slot in range(288)))


def issue(grid: SmallGrid, age: timedelta = timedelta(0), site: str = NATIVE_SITE) -> Forecast:
    issued_at = grid.clock.now() - age
    made = Forecast(site, issued_at, issued_at + timedelta(minutes=30), 900.0, -50.0, 10.0, 40.0, "made-up")
    grid.store.write([], [made])
    return made


def test_a_level_is_the_change_plus_the_net_load_at_issue(plant: SmallGrid) -> None:
    answer, made = plant.ask("forecast_net_load"), plant.store.latest_forecast(NATIVE_SITE)
    assert made is not None
    assert (answer.issued_at, answer.target_at) == (
        plant.newest().ts_utc,
        made.issued_at + timedelta(minutes=30),
    )
    assert (answer.p10_change_kw, answer.p50_change_kw, answer.p90_change_kw) == (
        made.p10_kw,
        made.p50_kw,
        made.p90_kw,
    )
    base = plant.newest(NATIVE_SITE).net_load_kw
    assert base is not None
    assert answer.net_load_kw == base
    assert answer.p10_level_kw == base + made.p10_kw
    assert answer.p50_level_kw == base + made.p50_kw
    assert answer.p90_level_kw == base + made.p90_kw
    assert answer.p10_level_kw < answer.p50_level_kw < answer.p90_level_kw
    assert (answer.age_s, answer.model) == (CADENCE_S, made.model)


def test_the_chance_of_a_ramp_comes_from_the_band_and_the_limit_of_the_plant(grid: SmallGrid) -> None:
    made = issue(grid)
    answer = grid.ask("forecast_net_load")
    assert answer.ramp_limit_kw == grid.limits.ramp_limit_kw
    assert answer.ramp_probability == made.probability_beyond(grid.limits.ramp_limit_kw)
    assert 0.1 < answer.ramp_probability < 0.9


def test_without_a_forecast_the_tool_says_what_to_do(grid: SmallGrid) -> None:
    with pytest.raises(
        ToolUnavailableError, match=r"site='area' has no forecast yet; wait .*smartgrid train"
    ):
        grid.ask("forecast_net_load", site=AREA_SITE)


def test_a_stale_forecast_is_refused_with_its_age_and_the_limit(grid: SmallGrid) -> None:
    made = issue(grid, age=timedelta(seconds=901))
    stale = rf"site='area-native' is stale: issued at {made.issued_at.isoformat()[:19]}.*"
    with pytest.raises(ToolUnavailableError, match=stale + "901 s old, allowed 900 s; see get_grid_status"):
        grid.ask("forecast_net_load")


def test_a_forecast_counts_as_live_up_to_three_pulses_of_a_slow_site(grid: SmallGrid) -> None:
    issue(grid, age=timedelta(seconds=5400))
    slow = SiteInfo(NATIVE_SITE, cadence_s=1800.0)
    assert grid.ask("forecast_net_load", {"sites": {NATIVE_SITE: slow}}).age_s == 5400
    with pytest.raises(ToolUnavailableError):
        grid.ask("forecast_net_load", {"sites": {NATIVE_SITE: replace(slow, cadence_s=1799.0)}})


def test_an_unknown_site_is_refused_and_the_known_ones_are_named(plant: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match="site='feeder 7' is not known; use one of: area, area-native"):
        plant.ask("forecast_net_load", site="feeder 7")


@pytest.mark.parametrize("site_tz", ["UTC", "Europe/Luxembourg"])
@pytest.mark.parametrize("late_s", [0.0, 1.0, 299.0])
def test_the_outlook_begins_with_the_interval_that_has_just_ended(
    grid: SmallGrid, site_tz: str, late_s: float
) -> None:
    issue(grid)
    grid.clock.advance(5 * CADENCE_S + late_s)
    issue(grid)
    answer = grid.ask("forecast_net_load", {"outlook": counting_outlook(site_tz)}, outlook_hours=0.5)
    first = 4 + (24 if site_tz != "UTC" else 0)
    assert answer.outlook_kw == [float(slot) for slot in range(first, first + 7)]
    assert answer.outlook_step_s == CADENCE_S


@pytest.mark.parametrize(("hours", "intervals"), [(1 / 12, 1), (1.0, 12), (24.0, 288), (36.0, 432)])
def test_the_outlook_reaches_as_many_hours_as_asked(plant: SmallGrid, hours: float, intervals: int) -> None:
    assert len(plant.ask("forecast_net_load", outlook_hours=hours).outlook_kw) == 1 + intervals


def test_no_outlook_is_given_unless_asked_for_or_where_none_was_learnt(plant: SmallGrid) -> None:
    assert plant.ask("forecast_net_load").outlook_kw == []
    assert plant.ask("forecast_net_load", {"outlook": None}, outlook_hours=24.0).outlook_kw == []


def test_a_level_of_the_outlook_never_depends_on_how_far_it_reaches(plant: SmallGrid) -> None:
    for _ in range(12):
        longest = plant.ask("forecast_net_load", outlook_hours=12.0).outlook_kw
        for hours in (0.25, 1.0, 1.75):
            shorter = plant.ask("forecast_net_load", outlook_hours=hours).outlook_kw
            assert shorter == longest[: len(shorter)]
        plant.clock.advance(CADENCE_S)
        issue(plant)


def test_known_day_ahead_prices_of_the_area_make_the_level(grid: SmallGrid) -> None:
    issue(grid)
    by_price = Outlook("UTC", CADENCE_S, (500.0,) * 288, (0.0, 100.0), (0.0, 2000.0), price_weight=1.0)
    now = grid.clock.now()
    quotes = [PriceQuote(AREA_SITE, now + k * INTERVAL, CADENCE_S, None, 75.0) for k in range(-36, 72)]
    grid.store.write_quotes(quotes)
    answer = grid.ask("forecast_net_load", {"outlook": by_price}, outlook_hours=3.0)
    assert answer.outlook_kw == pytest.approx([1500.0] * 37)


def ask_why(grid: SmallGrid, explainer: Explainer | None) -> ForecastAnswer:
    context = replace(grid.context(tool, {"explain": True}), explainer=explainer)
    return asyncio.run(run(ForecastRequest(explain=True), context))


def test_the_drivers_of_the_newest_forecast_sum_to_its_median(plant: SmallGrid, tmp_path: Path) -> None:
    learnt()[0].save(tmp_path / "model")
    answer = ask_why(plant, ModelExplainer(tmp_path / "model"))
    assert sum(driver.change_kw for driver in answer.drivers) == pytest.approx(answer.p50_change_kw, abs=0.05)
    families = [driver.family for driver in answer.drivers]
    assert {"lags", "rolling", "hour", "average"} <= set(families)
    assert "unexplained" not in families


def test_nothing_is_explained_unless_asked_for(plant: SmallGrid) -> None:
    assert plant.ask("forecast_net_load").drivers == []


def test_what_cannot_be_explained_is_said_with_its_reason(plant: SmallGrid, tmp_path: Path) -> None:
    with pytest.raises(ToolUnavailableError, match="explain: there is no model here to ask"):
        ask_why(plant, None)
    with pytest.raises(ToolUnavailableError, match=r"explain=true: .*there is no model; train one"):
        ask_why(plant, ModelExplainer(tmp_path))


def test_another_horizon_is_the_models_where_it_was_trained_for_it_and_refused_with_the_reason_else(
    plant: SmallGrid, tmp_path: Path
) -> None:
    learnt()[0].save(tmp_path / "model")
    with pytest.raises(ToolUnavailableError, match="horizon_min: there is no model here to ask"):
        plant.ask("forecast_net_load", horizon_min=60)
    explainer = ModelExplainer(tmp_path / "model")
    with pytest.raises(ToolUnavailableError, match=r"60 min; the model knows 30 min alone.*--horizons"):
        plant.ask("forecast_net_load", {"explainer": explainer}, horizon_min=60)
    assert plant.ask("forecast_net_load", {"explainer": explainer}, horizon_min=30).target_at is not None


class HourAhead:
    """A model that knows an hour too."""

    def drivers(self, reader: SeriesReader, forecast: Forecast) -> list[Driver]:  # noqa: ARG002
        return [Driver("average", forecast.p50_kw)]

    def at_horizon(self, reader: SeriesReader, forecast: Forecast, horizon: timedelta) -> Forecast:  # noqa: ARG002
        target_at = forecast.issued_at + horizon
        return replace(forecast, target_at=target_at, p10_kw=1.0, p50_kw=2.0, p90_kw=4.0)


def test_the_answer_at_another_horizon_is_a_level_at_its_own_target(plant: SmallGrid) -> None:
    answer = plant.ask("forecast_net_load", {"explainer": HourAhead()}, horizon_min=60, explain=True)
    assert answer.target_at - answer.issued_at == timedelta(hours=1)
    assert (answer.p10_change_kw, answer.p50_change_kw, answer.p90_change_kw) == (1.0, 2.0, 4.0)
    assert answer.p90_level_kw == (answer.net_load_kw or 0.0) + 4.0
    assert [driver.change_kw for driver in answer.drivers] == [2.0]
