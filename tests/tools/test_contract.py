from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dispatch.ledger import Ledger
from grid.clock import SimulatedClock
from grid.telemetry import AREA_SITE
from pipeline.sqlite_store import SqliteStore
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ
from smartgrid.desk import LedgerDesk
from tests.tools.small_grid import READER, SmallGrid
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput, UtcTime
from tools.errors import ToolDefinitionError

ROOMS = {"grid", "policies", "pipeline", "dispatch", "knowledge", "tools", "smartgrid"}
MOMENT: TypeAdapter[datetime] = TypeAdapter(UtcTime)


class Question(ToolInput):
    """What a plugin may ask for."""

    count: int = 1
    share: float | None = None
    loud: bool = False
    loud_or_count: bool | int = False


class Reply(ToolOutput):
    """What a plugin may answer."""

    text: str


class Strange(ToolOutput):
    """JSON has no way to say this."""

    value: Callable[[], int]


async def answer(request: Question, context: ToolContext) -> Reply:
    return Reply(text=f"{request.count} for {context.principal.subject}")


def plugin(**changed: Any) -> Tool:
    fields: dict[str, Any] = {
        "name": "count_feeders",
        "title": "Count feeders",
        "description": "How many feeders there are.",
        "effect": "read",
        "scope": SCOPE_READ,
        "input_model": Question,
        "output_model": Reply,
        "run": answer,
    }
    return Tool(**fields | changed)


@pytest.mark.parametrize("effect", ["read", "act"])
def test_no_tool_can_approve(effect: str) -> None:
    with pytest.raises(ToolDefinitionError, match="'count_feeders': no tool may approve; use grid:read or"):
        plugin(effect=effect, scope=SCOPE_APPROVE)


@pytest.mark.parametrize(
    ("effect", "scope"), [("act", SCOPE_READ), ("write", SCOPE_DISPATCH), ("act", "grid:everything")]
)
def test_a_tool_that_acts_needs_the_dispatch_scope(effect: str, scope: str) -> None:
    with pytest.raises(ToolDefinitionError, match=f"effect='{effect}' with scope='{scope}'; use read with"):
        plugin(effect=effect, scope=scope)


@pytest.mark.parametrize("name", ["Count", "count feeders", "count-feeders", "", "9lives"])
def test_a_tool_has_a_name_in_snake_case(name: str) -> None:
    with pytest.raises(ToolDefinitionError, match="name it in snake_case"):
        plugin(name=name)


def test_models_come_from_the_contract() -> None:
    with pytest.raises(ToolDefinitionError, match="derive its models from ToolInput and ToolOutput"):
        plugin(input_model=Reply)
    with pytest.raises(ToolDefinitionError, match="derive its models from ToolInput and ToolOutput"):
        plugin(output_model=Question)


def test_models_that_json_cannot_describe_are_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="'count_feeders': its models have no JSON schema"):
        plugin(output_model=Strange)


def test_a_reading_tool_may_be_kept_to_those_who_dispatch() -> None:
    assert plugin(scope=SCOPE_DISPATCH).scope == SCOPE_DISPATCH


def test_a_plugin_is_called_as_a_plain_function(grid: SmallGrid) -> None:
    grid.tools["count_feeders"] = plugin()
    assert grid.ask("count_feeders", {"principal": READER}, count=3) == Reply(text="3 for local:eve")


@pytest.mark.parametrize("field", ["count", "share"])
@pytest.mark.parametrize("value", [True, False])
def test_true_is_no_number(field: str, value: bool) -> None:
    with pytest.raises(ValidationError, match="true and false are no numbers; give a number"):
        Question.model_validate({field: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "nan"])
def test_a_number_that_is_not_finite_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Question.model_validate({"share": value})


def test_true_is_true_where_it_is_asked_for() -> None:
    asked = Question.model_validate({"loud": True, "loud_or_count": True, "count": 1, "share": None})
    assert (asked.loud, asked.loud_or_count, asked.share) == (True, True, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_with_a_number_that_json_lacks_is_refused(value: float) -> None:
    class Share(ToolOutput):
        share: float | None

    with pytest.raises(ValidationError, match="finite number"):
        Share(share=value)


@pytest.mark.parametrize(
    "text", ["2024-05-04T12:00:00Z", "2024-05-04T14:00:00+02:00", "2024-05-04 07:00-05:00"]
)
def test_a_moment_is_utc_inside(text: str) -> None:
    moment = MOMENT.validate_python(text)
    assert (moment, moment.tzinfo) == (datetime(2024, 5, 4, 12, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-04T12:00:00",
        "2024-05-04",
        "2024",
        "1714780800",
        "nan",
        "noon",
        "",
        2024,
        1.7e9,
        10**400,
        True,
    ],
)
def test_a_moment_without_an_offset_or_as_a_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(value)


@pytest.mark.parametrize(
    "text", ["1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]
)
def test_a_moment_of_another_age_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="give a year from 1970 to 2200"):
        MOMENT.validate_python(text)


@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("text", ["", "  ", None, 7])
def test_a_tool_says_in_words_what_it_is(field: str, text: object) -> None:
    with pytest.raises(ToolDefinitionError, match=f"{field}={text!r}; say it in words"):
        plugin(**{field: text})


def test_a_tool_is_an_async_function() -> None:
    def blocking(request: Question, context: ToolContext) -> Reply:
        return Reply(text="no")

    with pytest.raises(ToolDefinitionError, match="is no async function; write async def run"):
        plugin(run=blocking)


HIDDEN = [
    ("reader", "write"),
    ("reader", "write_quotes"),
    ("reader", "write_settled"),
    ("reader", "close"),
    ("clock", "advance"),
    ("clock", "advance_to"),
    ("desk", "propose"),
    ("desk", "halt"),
    ("sites", "clear"),
    ("sites", "update"),
]


@pytest.mark.parametrize(("field", "name"), HIDDEN)
def test_what_would_change_anything_is_not_in_a_tools_reach(grid: SmallGrid, field: str, name: str) -> None:
    context = grid.context(grid.tools["charge_battery"], {})
    behind = {"reader": grid.store, "clock": grid.clock, "desk": grid.workplace._desk, "sites": {}}[field]
    assert hasattr(behind, name)
    for seen in (context, replace(context, call=None)):
        assert not hasattr(getattr(seen, field), name)


def test_a_views_refusal_says_what_is_there_and_how_to_act(grid: SmallGrid) -> None:
    reader = grid.context(grid.tools["charge_battery"], {}).reader
    with pytest.raises(
        AttributeError, match=r"write: a tool sees .*telemetry.* acts through context\.propose"
    ):
        reader.write  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError):
        reader.telemetry = None  # type: ignore[method-assign,assignment]


def public(found: object) -> set[str]:
    return {name for name in dir(found) if not name.startswith("_")}


def reachable(found: object, depth: int = 3) -> Iterator[object]:
    """What public attributes of a context lead to."""
    yield found
    if depth and type(found).__module__.partition(".")[0] in ROOMS:
        for name in public(found):
            value = getattr(found, name, None)
            if not callable(value) or isinstance(value, type(found)):
                yield from reachable(value, depth - 1)


def test_no_public_attribute_of_a_context_leads_to_what_writes(grid: SmallGrid) -> None:
    context = grid.context(grid.tools["charge_battery"], {})
    found = list(reachable(context))
    assert any(item is context.limits for item in found)
    assert not [
        item for item in found if isinstance(item, SqliteStore | Ledger | LedgerDesk | SimulatedClock)
    ]


def test_a_tool_reads_through_its_views(plant: SmallGrid) -> None:
    context = plant.context(plant.tools["get_grid_status"], {})
    assert context.reader.latest(AREA_SITE, 1) == [plant.newest()]
    assert context.clock.now() == plant.clock.now()
    assert context.desk.assets().readings is not None
    assert dict(context.sites) == plant.area.sites
