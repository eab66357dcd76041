"""JSON Schema 2020-12, as clients check it."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import SchemaError, ValidationError  # type: ignore[import-untyped]


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a schema; None where nothing is."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)
    return None


def mismatch(schema: Mapping[str, Any], value: object) -> str | None:
    """What of a value its schema does not allow; None where it does."""
    try:
        Draft202012Validator(schema).validate(value)
    except ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path)) or 'the answer'}: {error.message}"
    return None
