"""Arguments by a tool's schema: right ones, nearly right ones, and any JSON at all."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from smartgrid.testing.small_grid import NOW

Strategy = st.SearchStrategy[Any]
Arguments = st.SearchStrategy[dict[str, Any]]

_NEAR = st.integers(-3000, 3000).map(lambda minutes: NOW + timedelta(minutes=minutes))
_MOMENTS = (_NEAR | st.datetimes(timezones=st.timezones() | st.none())).map(lambda moment: moment.isoformat())
_JSON: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_CHOICES = ("anyOf", "oneOf")


def arguments_for(schema: Mapping[str, Any], example: Mapping[str, Any]) -> Arguments:
    """Arguments that may be asked of a tool.

    Args:
        schema: of its input.
        example: arguments that it answers; most that come out are near to them.
    """
    known = schema.get("$defs", {})
    right = _object(schema, known)
    names = st.sampled_from(sorted(schema.get("properties", {})) or ["extra"]) | st.text(max_size=10)
    one_wrong = st.builds(lambda given, name, value: {**given, name: value}, right, names, _JSON)
    near = right.flatmap(
        lambda given: st.sets(st.sampled_from(sorted(given)) if given else st.nothing()).map(
            lambda kept: {**example, **{name: given[name] for name in kept}}
        )
    )
    return near | right | one_wrong | st.dictionaries(names, _JSON, max_size=4)


def _object(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Arguments:
    fields = {name: _fitting(field, known) for name, field in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _fitting(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Strategy:
    """Values that a property's schema allows, mostly; any JSON where it is of a kind not known here."""
    if "$ref" in schema:
        return _fitting(known[schema["$ref"].removeprefix("#/$defs/")], known)
    for choices in _CHOICES:
        if choices in schema:
            return st.one_of([_fitting(choice, known) for choice in schema[choices]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _of_type(schema, known)


def _of_type(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Strategy:
    makers: dict[str, Callable[[], Strategy]] = {
        "object": lambda: _object(schema, known),
        "array": lambda: _lists(schema, known),
        "integer": lambda: st.integers(_lowest(schema), schema.get("maximum")),
        "number": lambda: st.floats(_lowest(schema), schema.get("maximum")) | st.floats(0.5, 50.0),
        "string": lambda: _texts(schema),
        "boolean": st.booleans,
        "null": st.none,
    }
    return makers.get(schema.get("type", ""), lambda: _JSON)()


def _lists(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Strategy:
    items, fewest = _fitting(schema.get("items", {}), known), schema.get("minItems", 0)
    return st.lists(items, min_size=fewest, max_size=min(schema.get("maxItems", 3), fewest + 3) + 1)


def _lowest(schema: Mapping[str, Any]) -> Any:
    return schema.get("minimum", schema.get("exclusiveMinimum"))


def _texts(schema: Mapping[str, Any]) -> Strategy:
    if schema.get("format") == "date-time":
        return _MOMENTS
    longest = min(schema.get("maxLength", 40), 1000)
    return st.sampled_from(["area", "area-native"]) | st.text(
        min_size=min(schema.get("minLength", 0), longest), max_size=longest
    )
