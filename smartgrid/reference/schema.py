"""JSON Schemas of models, in words: one row a field."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from smartgrid.reference.markdown import code

Schema = dict[str, Any]

_FORMATS = {"path": "path", "password": "secret text", "date-time": "time (ISO-8601)", "date": "date"}
_BOUNDS = (
    ("exclusiveMinimum", "over {}"),
    ("minimum", "from {}"),
    ("exclusiveMaximum", "below {}"),
    ("maximum", "to {}"),
)
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "table",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A field.

    Attributes:
        table: path of the table that it is in; empty at the top.
        path: its name, after those of the tables around it: ``oauth.issuer``, ``sites[].site``.
        default: as JSON; None where there is none.
    """

    table: str
    path: str
    kind: str
    default: str | None
    required: bool
    text: str


def rows(model: Schema, depth: int = 2) -> Iterator[Row]:
    """The fields of a model and of the models in it.

    Args:
        model: its JSON Schema.
        depth: how many models deep; further ones are a table without its fields.
    """
    yield from _rows(model, model, (), depth)


def _rows(top: Schema, model: Schema, path: tuple[str, ...], depth: int) -> Iterator[Row]:
    required = model.get("required", [])
    for name, given in model.get("properties", {}).items():
        schema, mark = _model_in(top, given)
        text = given.get("description", schema.get("description", "")).replace("``", "`")
        here, place = (*path, f"{name}{mark}"), ".".join(path)
        if "properties" in schema and len(path) < depth:
            yield Row(place, ".".join(here), "table", None, name in required, text)
            yield from _rows(top, schema, here, depth)
        else:
            yield Row(place, ".".join(here), kind(top, given), _default(given), name in required, text)


def _default(given: Schema) -> str | None:
    """As JSON; that of a whole table is told in the words beside it."""
    default = given.get("default")
    return None if default is None else "{…}" if isinstance(default, dict) else json.dumps(default)


def _model_in(top: Schema, given: Schema) -> tuple[Schema, str]:
    """What a field holds, and what its name gets where that is many: a list's ``[]``, a table's ``.NAME``."""
    schema = _inner(top, given)
    for many, mark in (("items", "[]"), ("additionalProperties", ".NAME")):
        one = _inner(top, schema.get(many))
        if "properties" in one:
            return one, mark
    return schema, ""


def _inner(top: Schema, schema: object) -> Schema:
    """The schema behind a reference, or the only one of several that is not null."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return _inner(top, top["$defs"][schema["$ref"].rpartition("/")[2]])
    others = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return _inner(top, others[0]) if len(others) == 1 else schema


def kind(top: Schema, schema: Schema) -> str:
    """What a value may be, in words."""
    inner = _inner(top, schema)
    if "anyOf" in inner:
        return " or ".join(kind(top, part) for part in inner["anyOf"] if part.get("type") != "null")
    if "const" in inner:
        return code(str(inner["const"]))
    if "enum" in inner:
        return ", ".join(code(str(value)) for value in inner["enum"])
    if "prefixItems" in inner:
        return f"[{', '.join(kind(top, part) for part in inner['prefixItems'])}]"
    if inner.get("type") == "array":
        return f"list of {kind(top, inner.get('items', {}))}"
    word = _FORMATS.get(inner.get("format", ""), _TYPES.get(inner.get("type", ""), "any"))
    bounds = [words.format(f"{inner[name]:,g}") for name, words in _BOUNDS if name in inner]
    return " ".join((word, *bounds))
