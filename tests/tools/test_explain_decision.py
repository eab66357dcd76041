import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from pipeline.errors import ModelError
from pipeline.forecast import Forecast
from pipeline.forecasting.drivers import Driver
from pipeline.instability import InstabilityEvent
from pipeline.store import SeriesReader
from policies.principal import RESPONSE, TRADING
from smartgrid.area import Area
from smartgrid.supervising import open_supervisor
from tests.tools.small_grid import ANA, CADENCE_S, INTERVAL, OPERATOR, SmallGrid, small_area
from tools.as_of import AsOfReader
from tools.errors import ToolInputError
from tools.explain_decision import ExplainAnswer, tool
from tools.registry import discover_tools

WISH: dict[str, Any] = {"power_kw": 20.0, "duration_min": 10.0, "reason": "the evening ramp"}
LOOPS_RAN = 8


def grid_in(directory: Path, area: Area | None = None) -> SmallGrid:
    tools = {found.name: found for found in (*discover_tools().tools, tool)}
    return SmallGrid(directory / "state", area=area, tools=tools.values())


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[SmallGrid]:
    made = grid_in(tmp_path).start()
    yield made
    made.close()


def run_loops(grid: SmallGrid, intervals: int, price: float | None = None) -> None:
    """Both loops at work, at a price of their own if one is given; an operator approves what they ask for."""

    async def ticks() -> None:
        async with AsyncExitStack() as stack:
            supervisor = await open_supervisor(stack, grid.workplace, ("response", "trading"))
            for _ in range(intervals):
                if price is not None:
                    grid.store.write_quotes([PriceQuote(AREA_SITE, grid.clock.now(), CADENCE_S, price, 60.0)])
                await supervisor.tick()
                for asked in grid.approvals.list("PENDING"):
                    grid.approvals.approve(asked.approval_id, OPERATOR, "the ramp is steep")
                grid.advance()

    asyncio.run(ticks())


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """An area in which both loops have been at work, for calls that change nothing."""
    made = grid_in(tmp_path_factory.mktemp("looped")).start()
    run_loops(made, LOOPS_RAN)
    yield made
    made.close()


def explain(grid: SmallGrid, changed: dict[str, Any] | None = None, /, **arguments: Any) -> ExplainAnswer:
    answer = grid.ask("explain_decision", changed, **arguments)
    assert isinstance(answer, ExplainAnswer)
    return answer


def test_every_decision_of_the_loops_comes_out_again_from_what_is_stored(looped: SmallGrid) -> None:
    count, before = looped.written()["proposals"], looped.written()
    said = [explain(looped, proposal_id=str(number)) for number in range(1, count + 1)]
    assert {answer.requester for answer in said} == {RESPONSE.subject, TRADING.subject}
    assert [answer.proposal_id for answer in said if not answer.reproduced] == []
    for answer in said:
        # What was decided is the best that the plan of that moment finds, so nothing else was better.
        assert len(answer.alternatives) >= 2
        for other in answer.alternatives:
            assert other.worse_by is None or other.worse_by > -1e-6, answer
        assert max(other.worse_by or 0.0 for other in answer.alternatives) > 0.01
        assert answer.forecast is not None
        assert answer.forecast.named
        assert answer.forecast.issued_at < (answer.starts_at or looped.clock.now())
    assert looped.written() == before


def test_what_happened_later_changes_nothing_of_why(tmp_path: Path) -> None:
    grid = grid_in(tmp_path).start()
    run_loops(grid, 4)
    then = explain(grid)
    grid.advance(12)
    later = explain(grid, proposal_id=then.proposal_id)
    for field in ("alternatives", "forecast", "real_time_price_per_mwh", "day_ahead_price_per_mwh", "rules"):
        told, again = getattr(then, field), getattr(later, field)
        if field == "alternatives":
            assert [other.what for other in told] == [other.what for other in again]
            assert [other.worse_by for other in told] == pytest.approx([other.worse_by for other in again])
        else:
            assert told == again, field
    assert (then.reproduced, later.reproduced) == (True, True)
    grid.close()


def test_the_newest_decision_is_explained_where_none_is_named(looped: SmallGrid) -> None:
    assert explain(looped).proposal_id == str(looped.written()["proposals"])


def test_a_dispatch_is_explained_by_the_proposal_that_made_it_and_names_the_others(looped: SmallGrid) -> None:
    for number in range(1, looped.written()["dispatches"] + 1):
        said = explain(looped, dispatch_id=str(number))
        assert said.proposal_id is not None
        assert str(number) in [done.dispatch_id for done in said.done]
        assert said.proposal_id not in said.other_proposals
    for number in range(1, 5):  # and no proposal claims a dispatch that another one made
        for done in explain(looped, proposal_id=str(number)).done:
            made = explain(looped, dispatch_id=done.dispatch_id)
            assert str(number) in (made.proposal_id, *made.other_proposals)


def test_what_a_person_asked_for_is_told_with_all_that_came_of_it(plant: SmallGrid) -> None:
    answered = plant.ask(
        "discharge_battery", **WISH, expected_effect="a flatter ramp", expected_cost_usd=-1.5
    )
    plant.advance(2)
    said = explain(plant, proposal_id=answered.proposal_id)
    quotes = plant.ask("quote_prices")
    assert (said.requester, said.asset, said.reason) == (ANA.subject, "battery", "the evening ramp")
    assert (said.asked_kw, said.power_kw, said.currency) == (20.0, 20.0, quotes.currency)
    assert (said.expected_effect, said.expected_cost) == ("a flatter ramp", -1.5)
    assert [(done.battery_kw, done.state) for done in said.done] == [(20.0, "APPLIED")]
    assert said.done[0].receipt_at == said.done[0].at == said.starts_at
    assert said.mean_power_kw == pytest.approx(20.0)
    assert said.energy_kwh == pytest.approx(20.0 / 6.0)
    trades = plant.store.trades(AREA_SITE, said.starts_at or plant.clock.now(), plant.clock.now())
    assert said.earned == pytest.approx(sum(t.value_usd or 0.0 for t in trades if t.asset == "battery"))
    # A person's decision follows no plan: it may have been worse than what else could have been done.
    assert said.reproduced is None
    others = {other.what: other for other in said.alternatives}
    assert {"no action", "half the power", "full discharge", "full charge", "the peaker instead"} == set(
        others
    )
    assert others["half the power"].power_kw == 10.0
    assert all(other.worse_by is not None for other in said.alternatives)
    assert said.forecast is not None
    assert not said.forecast.named


def test_more_of_what_is_worse_is_worse_still(plant: SmallGrid) -> None:
    """Expected costs are convex in the power: no action, half and all of it lie on one bend."""
    answered = plant.ask("discharge_battery", **WISH | {"power_kw": 38.0})
    others = {
        other.what: other.worse_by for other in explain(plant, proposal_id=answered.proposal_id).alternatives
    }
    none, half = others["no action"], others["half the power"]
    assert none is not None
    assert half is not None
    assert half <= none / 2.0 + 1e-6


def test_the_rule_that_clipped_is_quoted(plant: SmallGrid) -> None:
    plant.ask("charge_battery", **WISH | {"power_kw": 1e6})
    plant.advance()
    said = explain(plant)
    assert [(rule.rule, rule.effect) for rule in said.rules] == [("battery_power", "clip")]
    assert (said.asked_kw, said.power_kw) == (-1e6, -plant.limits.battery.power_kw)


def test_an_approved_start_names_who_agreed_and_why(plant: SmallGrid) -> None:
    approval_id = plant.ask("dispatch_peaker", **WISH).approval_id
    plant.approvals.approve(approval_id, OPERATOR, "the ramp is steep")
    plant.ask("dispatch_peaker", **WISH)
    plant.advance()
    said = explain(plant)
    assert said.approval is not None
    assert (said.approval.decided_by, said.approval.reason) == (OPERATOR.subject, "the ramp is steep")
    assert said.asset == "peaker"
    assert said.mean_power_kw == pytest.approx(20.0)
    assert "the battery instead" in {other.what for other in said.alternatives}


def test_what_the_plant_could_not_do_has_no_figure(plant: SmallGrid) -> None:
    """A peaker that was just started has to stay up: to stop it was no alternative."""
    plant.approvals.approve(plant.ask("dispatch_peaker", **WISH).approval_id, OPERATOR, "agreed")
    plant.ask("dispatch_peaker", **WISH)
    plant.advance()
    more = WISH | {"power_kw": 30.0}
    plant.ask("dispatch_peaker", **more)
    plant.advance()
    others = {other.what: other.worse_by for other in explain(plant).alternatives}
    assert others["no action"] is None
    assert others["half the power"] is not None


def test_a_start_by_the_loop_comes_out_again_with_its_approval(tmp_path: Path) -> None:
    """A price far above its fuel, not expected to fall at once, makes the loop ask for the peaker."""
    area = small_area()
    assert area.outlook is not None
    grid = grid_in(tmp_path, replace(area, outlook=replace(area.outlook, prices=None))).start()
    run_loops(grid, 3, price=900.0)
    said = [explain(grid, proposal_id=str(n)) for n in range(1, grid.written()["proposals"] + 1)]
    starts = [answer for answer in said if answer.asset == "peaker" and answer.approval is not None]
    assert len(starts) == 1
    assert starts[0].requester == RESPONSE.subject
    assert starts[0].reproduced
    grid.close()


def test_once_nobody_wants_anything_the_safe_setpoint_says_so(plant: SmallGrid) -> None:
    plant.ask("discharge_battery", **WISH)
    plant.advance(3)
    last = str(plant.written()["dispatches"])
    said = explain(plant, dispatch_id=last)
    assert (said.proposal_id, said.requester, said.alternatives) == (None, None, [])
    assert [done.battery_kw for done in said.done] == [0.0]
    assert "no proposal was live then" in said.notes[0]


def test_a_proposal_that_set_nothing_says_so(plant: SmallGrid) -> None:
    plant.ask("discharge_battery", **WISH)
    assert any("no dispatch was made in its name" in note for note in explain(plant).notes)
    plant.advance()
    assert not any("no dispatch was made in its name" in note for note in explain(plant).notes)


class Patchy:
    """A store that lost what the assets did, or the telemetry."""

    def __init__(self, reader: SeriesReader, lost: str) -> None:
        self._reader = reader
        self._lost = lost

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: []) if name == self._lost else getattr(self._reader, name)


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ("dispatches", "does not tell what the assets did after"),
        ("telemetry", "the telemetry of that time is not stored"),
    ],
)
def test_alternatives_that_cannot_be_reconstructed_are_left_out_with_the_reason(
    looped: SmallGrid, lost: str, why: str
) -> None:
    said = explain(looped, {"reader": Patchy(looped.store, lost)}, proposal_id="1")
    assert (said.alternatives, said.reproduced) == ([], None)
    assert any(
        note.startswith("the alternatives cannot be reconstructed") and why in note for note in said.notes
    )
    assert said.reason is not None


def test_a_decision_that_does_not_come_out_again_is_marked(looped: SmallGrid) -> None:
    """Another outlook than the one that it was taken on, as after a new training."""
    outlook = small_area().outlook
    assert outlook is not None
    other = replace(outlook, profile_kw=outlook.profile_kw[100:] + outlook.profile_kw[:100], correction=None)
    count = looped.written()["proposals"]
    said = [explain(looped, {"outlook": other}, proposal_id=str(number)) for number in range(1, count + 1)]
    marked = [answer for answer in said if answer.reproduced is False]
    assert marked
    assert all(any("decides otherwise" in note for note in answer.notes) for answer in marked)


class Explains:
    """Knows one driver; or no longer the model."""

    def __init__(self, error: ModelError | None = None) -> None:
        self._error = error

    def drivers(self, _reader: SeriesReader, forecast: Forecast) -> list[Driver]:
        if self._error is not None:
            raise self._error
        return [Driver("lags", forecast.p50_kw)]


def test_what_drove_the_forecast_is_told_where_the_model_is_there(looped: SmallGrid) -> None:
    said = explain(looped, {"explainer": Explains()}, proposal_id="1")
    assert said.forecast is not None
    assert [(driver.family, driver.change_kw) for driver in said.forecast.drivers] == [
        ("lags", said.forecast.p50_change_kw)
    ]
    gone = explain(looped, {"explainer": Explains(ModelError("the model is gone"))}, proposal_id="1")
    assert "what drove the forecast cannot be told: the model is gone" in gone.notes


@pytest.mark.parametrize("name", ["proposal_id", "dispatch_id"])
@pytest.mark.parametrize("unknown", ["99999", "-1", "0", "first", "1.0", "1 ", "١", "9" * 40])
def test_an_unknown_number_is_answered_with_the_newest_ones(
    looped: SmallGrid, name: str, unknown: str
) -> None:
    count = looped.written()[name.removesuffix("_id") + ("es" if name == "dispatch_id" else "s")]
    with pytest.raises(
        ToolInputError, match=f"{name}=.* does not exist; the newest are: {count}, {count - 1}"
    ):
        explain(looped, **{name: unknown})


def test_before_anything_was_decided_it_says_so(plant: SmallGrid) -> None:
    said = explain(plant)
    assert (said.proposal_id, said.done, said.alternatives) == (None, [], [])
    assert said.notes == ["nothing was decided so far: no proposal was accepted yet"]
    for name in ("proposal", "dispatch"):
        with pytest.raises(ToolInputError, match=f"there is no {name} yet"):
            explain(plant, **{f"{name}_id": "1"})


def test_two_decisions_at_once_are_refused(looped: SmallGrid) -> None:
    with pytest.raises(ValidationError, match="not both"):
        explain(looped, proposal_id="1", dispatch_id="1")


def as_of(grid: SmallGrid, at: datetime) -> AsOfReader:
    return AsOfReader(grid.store, at, grid.area.sites)


def test_a_reader_of_an_earlier_moment_knows_nothing_from_after_it(looped: SmallGrid) -> None:
    at, end = looped.clock.now() - timedelta(hours=1), looped.clock.now() + timedelta(days=2)
    then, start = as_of(looped, at), at - timedelta(hours=2)
    cadence = timedelta(seconds=CADENCE_S)
    pulses = then.telemetry(NATIVE_SITE, start, end)
    assert pulses[-1].ts_utc == at - cadence  # the pulse of an interval comes at its end
    assert then.latest(NATIVE_SITE, 3) == pulses[-3:]
    newest = then.latest_forecast(NATIVE_SITE)
    assert newest is not None
    assert newest.issued_at == at - cadence
    named = AsOfReader(looped.store, at, looped.area.sites, newest.issued_at - INTERVAL)
    older = named.latest_forecast(NATIVE_SITE)
    assert older is not None
    assert older.issued_at == newest.issued_at - INTERVAL  # the one that was used, if that is known
    quotes = then.quotes(AREA_SITE, start, end)
    assert [quote.ts_utc for quote in quotes if quote.price_usd_per_mwh is not None][-1] == at
    assert quotes[-1].ts_utc > at  # day-ahead prices are known
    assert all(span.start < at for span in then.dispatches(AREA_SITE, start, end))
    assert all(trade.start < at for trade in then.trades(AREA_SITE, start, end))


@pytest.mark.parametrize(("hour", "days"), [(9, 1), (12, 2)])
def test_tomorrows_day_ahead_prices_are_known_from_noon_on(plant: SmallGrid, hour: int, days: int) -> None:
    tomorrow = plant.clock.now().replace(hour=0) + timedelta(days=1)
    noon = tomorrow + timedelta(hours=12)
    plant.store.write_quotes([PriceQuote(AREA_SITE, noon, CADENCE_S, None, 40.0)])
    sites = {AREA_SITE: replace(plant.area.sites[AREA_SITE], tz="UTC")}
    then = AsOfReader(plant.store, tomorrow - timedelta(hours=24 - hour), sites)
    assert len(then.quotes(AREA_SITE, noon, noon + INTERVAL)) == days - 1


def test_an_event_that_ended_later_is_open_then_and_one_that_began_later_is_not_there(
    plant: SmallGrid,
) -> None:
    now = plant.clock.now()
    spans = {"ended": (-60, -30), "open then": (-20, -2), "later": (-3, None)}
    for name, (began, ended) in spans.items():
        event = InstabilityEvent(
            event_id=name,
            site=AREA_SITE,
            kind="measured_ramp",
            started_at=now + timedelta(minutes=began),
            ended_at=None if ended is None else now + timedelta(minutes=ended),
            severity="warning",
            cause_kw=50.0,
        )
        plant.store.write([Telemetry(AREA_SITE, now + timedelta(seconds=began))], (), [event])
    then = as_of(plant, now - timedelta(minutes=5))
    found = {
        event.event_id: event.ended_at is None for event in then.events(AREA_SITE, now - timedelta(hours=2))
    }
    assert {name: found.get(name) for name in spans} == {"ended": False, "open then": True, "later": None}
    assert "open then" in {event.event_id for event in then.open_events(now)[AREA_SITE]}
