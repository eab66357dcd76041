"""Whatever is asked: an answer, or a refusal that changes nothing and shows nothing of the inside."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.types import CallToolResult

from tests.mcp_server.calling import INTERNAL, TOOLS, text_of
from tests.tools.small_grid import SmallGrid, utc

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NEAR = st.integers(-3000, 3000).map(lambda minutes: utc("2024-05-04T01:00Z") + timedelta(minutes=minutes))
MOMENTS = (NEAR | st.datetimes(timezones=st.timezones() | st.none())).map(lambda moment: moment.isoformat())
EXAMPLES = 30


def fitting(schema: Mapping[str, Any], known: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a property's JSON schema allows, mostly; ``known`` are the schemas that it may refer to."""
    if "$ref" in schema:
        return arguments_for(known[schema["$ref"].removeprefix("#/$defs/")], known)
    if "anyOf" in schema:
        return st.one_of([fitting(choice, known) for choice in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    texts = st.sampled_from(["area", "area-native"]) | st.text(min_size=3, max_size=40)
    if schema["type"] == "array":
        return st.lists(fitting(schema["items"], known), max_size=schema.get("maxItems", 3) + 1)
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": st.integers(low, high),
        "number": st.floats(low, high) | st.floats(0.5, 50.0),
        "string": MOMENTS if schema.get("format") == "date-time" else texts,
    }
    return by_type[schema["type"]]


def arguments_for(schema: Mapping[str, Any], known: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments by the schema; the same with one of them another, or with one too many; anything."""
    fields = {name: fitting(field, known) for name, field in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    right = st.fixed_dictionaries(required, optional=fields)
    names = st.sampled_from(sorted(schema["properties"]) or ["extra"]) | st.text(max_size=10)
    one_wrong = st.builds(lambda given_, name, value: given_ | {name: value}, right, names, JSON)
    return right | one_wrong | st.dictionaries(names, JSON, max_size=4)


async def called(plant: SmallGrid, name: str, arguments: dict[str, Any], mode: str) -> CallToolResult:
    async with Client(plant.server(), mode=mode) as client:
        return await client.call_tool(name, arguments)


@pytest.mark.parametrize("name", TOOLS)
def test_no_argument_breaks_a_tool_and_a_refusal_changes_nothing(plant: SmallGrid, name: str) -> None:
    listed = asyncio.run(plant.server().list_tools())
    schema = next(tool.input_schema for tool in listed if tool.name == name)

    @settings(max_examples=EXAMPLES)
    @given(arguments_for(schema, schema.get("$defs", {})), st.sampled_from(["auto", "legacy"]))
    def check(arguments: dict[str, Any], mode: str) -> None:
        before = plant.written()
        result = asyncio.run(called(plant, name, arguments, mode))
        after, text = plant.written(), text_of(result)
        if result.is_error:
            assert INTERNAL not in text
            assert "Traceback" not in text
            assert after == before
            assert len(text) < 2000
            return
        content = json.loads(text, parse_constant=pytest.fail)
        assert content == result.structured_content
        acted = content.get("status")
        new = {table: after[table] - before[table] for table in after}
        assert new["proposals"] == (acted == "accepted")
        assert new["approvals"] <= (acted == "pending_approval")
        assert new["dispatches"] == 0

    check()
