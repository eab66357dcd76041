from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from mcp_server.schemas import schema_of


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
    {"inner": {}},
    {"levels": None},
    {"more": {}},
]
FIELDS_IN_ANSWERS = [
    ("share", {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "0 to 1"}),
    ("levels", {"type": "array", "items": {"type": ["number", "null"]}}),
]


@pytest.mark.parametrize(("field", "schema"), FIELDS_IN_ANSWERS)
def test_in_answers_a_number_or_nothing_is_one_schema_with_two_types(field: str, schema: object) -> None:
    assert schema_of(Sample, "serialization")["properties"][field] == schema


def test_inputs_keep_the_choice_that_forms_are_drawn_from() -> None:
    properties = schema_of(Sample, "validation")["properties"]
    assert properties["word"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_accepts_what_the_model_does_and_nothing_else(
    mode: Literal["validation", "serialization"],
) -> None:
    schema = schema_of(Sample, mode)
    assert schema["type"] == "object"
    check = Draft202012Validator(schema)
    for right in ALSO_RIGHT:
        assert check.is_valid(RIGHT | right)
    for wrong in WRONG:
        assert not check.is_valid(RIGHT | wrong)


def test_fields_carry_no_title_of_their_own() -> None:
    schema = schema_of(Sample, "serialization")
    assert all("title" not in field for field in schema["properties"].values())
