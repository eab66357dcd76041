"""JSON schemas in few words: agents pay for each, and clients check every answer against them."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

PREFIX = "#/$defs/"
FAR, LONG, SHORT = 1e9, 100, 3
_NULL = {"type": "null"}
_NAMED = frozenset({"properties", "$defs"})
"""Under these a key is a name of somebody's, not a keyword."""


def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """The schema of a tool's input (``validation``) or answer (``serialization``).

    What a model's docstring says is for its readers; agents are told by its fields and by the tool.

    Invariants:
        An input that the model takes the schema takes, but for null, which an optional argument need not be
        given as. What the schema takes the model takes, but for what only the model can check. Every answer
        has all its fields, so a schema says how many they are instead of naming each a second time.
    """
    found = model.model_json_schema(mode=mode, schema_generator=_PlainSchema)
    for part in (found, *found.get("$defs", {}).values()):
        part.pop("description", None)
    count = len(found.get("required", ()))
    shorten = _input if mode == "validation" else _output
    short: dict[str, Any] = _shortened(_inlined(found), shorten)
    return short if mode == "validation" else {**short, "minProperties": count}


def _shortened(schema: Any, shorten: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The schema with each of its parts shortened."""
    if isinstance(schema, list):
        return [_shortened(part, shorten) for part in schema]
    if not isinstance(schema, dict):
        return int(schema) if isinstance(schema, float) and schema.is_integer() else schema
    return {
        key: {name: _shortened(field, shorten) for name, field in part.items()}
        if key in _NAMED
        else _shortened(part, shorten)
        for key, part in shorten(schema).items()
    }


def _input(schema: dict[str, Any]) -> dict[str, Any]:
    """Without its title and what says nothing; an optional argument is left out rather than null."""
    kept = {key: part for key, part in schema.items() if not _says_nothing(key, part)}
    choices = [choice for choice in kept.get("anyOf", ()) if choice != _NULL]
    if kept.get("default", "") is not None or not choices:
        return kept
    rest = {key: part for key, part in kept.items() if key not in {"anyOf", "default"}}
    return {**choices[0], **rest} if len(choices) == 1 else {"anyOf": choices, **rest}


def _says_nothing(key: str, part: Any) -> bool:
    """Titles, empty defaults, and bounds that no plant and no caller comes near: the model holds those."""
    return (
        key == "title"
        or (key == "default" and part in ("", []))
        or (key in {"minimum", "maximum"} and abs(part) >= FAR)
        or (key == "maxLength" and part >= LONG)
        or (key == "minLength" and part <= SHORT)
    )


def _output(schema: dict[str, Any]) -> dict[str, Any]:
    """Without its title, and what the answer shows anyhow: which fields are there, what is a time."""
    dropped = {"title", "required", "default", "format"}
    if schema.get("additionalProperties") is False:
        dropped.add("additionalProperties")
    return {key: part for key, part in schema.items() if key not in dropped}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Definitions that are used once stand where they are used: shorter, and quicker to check."""
    known = schema.get("$defs", {})
    uses = Counter(_references(schema))
    once = {name for name in known if uses[name] == 1 and name not in _reached(known, name)}
    kept = {name: _put_in(part, known, once) for name, part in known.items() if name not in once}
    root = _put_in({key: part for key, part in schema.items() if key != "$defs"}, known, once)
    return {"$defs": kept, **root} if kept else root


def _put_in(schema: Any, known: dict[str, Any], once: set[str]) -> Any:
    if isinstance(schema, list):
        return [_put_in(entry, known, once) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    name = _name_of(schema)
    if name in once:
        around = {key: part for key, part in schema.items() if key != "$ref"}
        return {**_put_in(known[name], known, once), **around}
    return {key: _put_in(part, known, once) for key, part in schema.items()}


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if name := _name_of(schema):
            yield name
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _reached(known: dict[str, Any], name: str) -> set[str]:
    """The definitions that one refers to, itself too where it contains its own kind."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in _references(known[waiting.pop()]):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _name_of(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref")
    return reference.removeprefix(PREFIX) if isinstance(reference, str) else ""


class _PlainSchema(GenerateJsonSchema):
    """Without a title per field. A number or nothing stays a choice of two schemas: some clients know no
    list of types, and the Inspector warns of it.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        """An object at the root, as the protocol wants it, also for a model that contains itself."""
        found = super().generate(schema, mode)
        name = found.pop("$ref", "").rpartition("/")[2]
        return {**found["$defs"][name], **found} if name else found
