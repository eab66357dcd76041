import json
import re
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, Field, ValidationError

from mcp_server.schemas import schema_of
from tools.contract import Tool, ToolInput, ToolOutput
from tools.registry import discover_tools


class Inner(BaseModel):
    """A part."""

    level_kw: float


class Sample(BaseModel):
    """Every kind of field that may be missing."""

    share: float | None = Field(description="0 to 1", ge=0, le=1)
    word: str | None
    colour: Literal["red", "blue"] | None
    inner: Inner | None
    levels: list[float | None]
    more: "Sample | None" = None


def as_given(sample: dict[str, Any]) -> dict[str, Any]:
    """The same with the optional field left out where it is null."""
    rest = {name: value for name, value in sample.items() if name != "more"}
    return rest if sample["more"] is None else rest | {"more": as_given(sample["more"])}


class Answer(ToolOutput):
    """Words for developers."""

    site: str
    title: str = Field(description="a field of that name stays")
    inner: Inner = Field(description="the level")


class Asked(ToolInput):
    """Words for developers."""

    must: float | None
    note: str | None = Field(None, max_length=9, description="in words")
    either: int | str | None = None
    power_kw: float = Field(0.0, ge=-1e9, le=500)
    essay: str = Field("why", min_length=3, max_length=100)


RIGHT: dict[str, Any] = {
    "share": 0.5,
    "word": "a",
    "colour": "red",
    "inner": {"level_kw": 1.0},
    "levels": [1.0, None],
    "more": None,
}
ALSO_RIGHT: list[dict[str, Any]] = [
    {},
    {"share": None, "word": None, "colour": None, "inner": None},
    {"levels": []},
    {"more": RIGHT},
]
WRONG: list[dict[str, Any]] = [
    {"share": 2},
    {"share": "a"},
    {"word": 1},
    {"colour": "green"},
    {"inner": {"level_kw": "a"}},
    {"levels": None},
    {"more": {"share": "a"}},
]
FIELDS_IN_ANSWERS = [
    (
        "share",
        {
            "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}],
            "description": "0 to 1",
        },
    ),
    ("levels", {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}),
]


@pytest.mark.parametrize(("field", "schema"), FIELDS_IN_ANSWERS)
def test_in_answers_a_number_or_nothing_is_a_choice_and_no_list_of_types(field: str, schema: object) -> None:
    assert schema_of(Sample, "serialization")["properties"][field] == schema


def test_an_optional_argument_is_left_out_rather_than_null() -> None:
    properties = schema_of(Asked, "validation")["properties"]
    assert properties["note"] == {"type": "string", "maxLength": 9, "description": "in words"}
    assert properties["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert properties["must"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}


def test_bounds_that_nobody_comes_near_are_the_models_own_business() -> None:
    properties = schema_of(Asked, "validation")["properties"]
    assert properties["power_kw"] == {"type": "number", "maximum": 500, "default": 0}
    assert properties["essay"] == {"type": "string", "default": "why"}
    for wrong in ({"power_kw": -1e10}, {"essay": "x" * 101}, {"essay": "x"}):
        with pytest.raises(ValidationError):
            Asked.model_validate({"must": None} | wrong)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_accepts_what_the_model_does_and_nothing_else(
    mode: Literal["validation", "serialization"],
) -> None:
    schema = schema_of(Sample, mode)
    assert schema["type"] == "object"
    check = Draft202012Validator(schema)
    for right in ALSO_RIGHT:
        given = as_given(RIGHT | right) if mode == "validation" else RIGHT | right
        Sample.model_validate(given)
        assert check.is_valid(given)
    for wrong in WRONG:
        with pytest.raises(ValidationError):
            Sample.model_validate(RIGHT | wrong)
        assert not check.is_valid(RIGHT | wrong)


def test_an_answer_that_lacks_a_field_is_no_answer() -> None:
    check = Draft202012Validator(schema_of(Answer, "serialization"))
    assert check.is_valid({"site": "a", "title": "b", "inner": {"level_kw": 1.0}})
    assert not check.is_valid({"site": "a", "title": "b"})
    assert not check.is_valid({"site": 1, "title": "b", "inner": {}})


def test_what_is_used_once_stands_where_it_is_used_and_words_for_developers_stay_here() -> None:
    inner = {"type": "object", "properties": {"level_kw": {"type": "number"}}}
    assert schema_of(Answer, "serialization") == {
        "type": "object",
        "properties": {
            "site": {"type": "string"},
            "title": {"type": "string", "description": "a field of that name stays"},
            "inner": inner | {"description": "the level"},
        },
        "minProperties": 3,
    }


def test_inputs_still_refuse_arguments_of_other_names() -> None:
    assert schema_of(Asked, "validation")["additionalProperties"] is False


@pytest.mark.parametrize("tool", discover_tools().tools, ids=lambda tool: tool.name)
def test_no_schema_of_ours_names_a_definition_that_is_not_there(tool: Tool) -> None:
    Draft202012Validator.check_schema(schema_of(tool.input_model, "validation"))
    schema = schema_of(tool.output_model, "serialization")
    for name in re.findall(r'"#/[$]defs/(\w+)"', json.dumps(schema)):
        assert name in schema["$defs"]
