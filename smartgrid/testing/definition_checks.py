"""Checks of a tool's definition: what agents read before they call it."""

import sys
from collections.abc import Iterator, Mapping
from importlib.util import module_from_spec
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from mcp_server.schemas import schema_of
from smartgrid.testing.case import Case
from tools.contract import Tool
from tools.json_schema import schema_fault

LONGEST_DESCRIPTION: Final = 240
INPUT_DEPTH: Final = 1
OUTPUT_DEPTH: Final = 2
"""How deep objects may lie in one another: agents fill in and read flat ones best."""


def description_is_short(case: Case) -> Iterator[str]:
    """One line of one or two sentences; agents pay for each in every conversation."""
    text = case.tool.description
    if len(text) > LONGEST_DESCRIPTION:
        yield f"the description has {len(text)} characters; use at most {LONGEST_DESCRIPTION}"
    if not text.isprintable():
        yield f"description={text!r} is more than one line of printable characters; write one line"


def definition_is_constant(case: Case) -> Iterator[str]:
    """The same whenever its module is loaded: no text of documents, devices or the day gets into it."""
    try:
        again = _defined_again(case.tool)
    except Exception as error:  # noqa: BLE001  a module may raise anything
        yield f"loading its module again fails ({type(error).__name__}: {error}); let it define things only"
        return
    for field in ("title", "description", "effect", "scope"):
        first, second = getattr(case.tool, field), getattr(again or case.tool, field)
        if first != second:
            yield f"{field} is {first!r}, and {second!r} when loaded again; write it as a constant"


def schemas_are_valid_and_flat(case: Case) -> Iterator[str]:
    """Both schemas are JSON Schema 2020-12 with an object at the root and little inside it."""
    tool = case.tool
    sides: tuple[tuple[str, type[BaseModel], JsonSchemaMode, int], ...] = (
        ("input", tool.input_model, "validation", INPUT_DEPTH),
        ("output", tool.output_model, "serialization", OUTPUT_DEPTH),
    )
    for side, model, mode, depth in sides:
        fault = schema_fault(model.model_json_schema(mode=mode))
        if fault is not None:
            yield f"the {side} schema is no JSON Schema 2020-12: {fault}; use JSON's own types"
            continue
        schema = schema_of(model, mode)
        if schema.get("type") != "object":
            yield f"the {side} schema is no object at its root; derive the model from Tool{side.title()}"
        if side == "input" and schema.get("additionalProperties") is not False:
            yield "the input model lets unknown fields in; leave extra='forbid' as it is"
        found = _depth(schema, schema.get("$defs", {}), ())
        if found > depth:
            yield f"the {side} schema nests objects {found:g} deep; use at most {depth}"


def _defined_again(tool: Tool) -> Tool | None:
    """The tool of that name in a second copy of its module; None where it was not defined in one."""
    module = sys.modules.get(tool.run.__module__)
    spec = getattr(module, "__spec__", None)
    if spec is None or spec.loader is None or tool not in vars(module).values():
        return None
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    found = [other for other in vars(copy).values() if isinstance(other, Tool) and other.name == tool.name]
    return found[0] if found else None


def _depth(schema: object, known: Mapping[str, Any], above: tuple[str, ...]) -> float:
    """How many objects lie in one another below the root; infinite where one contains itself."""
    if isinstance(schema, list):
        return max((_depth(item, known, above) for item in schema), default=0)
    if not isinstance(schema, dict):
        return 0
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return float("inf") if name in above else _depth(known.get(name), known, (*above, name))
    own = 1 if above and ("properties" in schema or schema.get("type") == "object") else 0
    parts = [value for key, value in schema.items() if key not in {"$defs", "default", "enum", "const"}]
    inner = (*above, "") if "properties" in schema else above
    deepest = max((_depth(part, known, inner) for part in parts if isinstance(part, dict | list)), default=0)
    return own + deepest
