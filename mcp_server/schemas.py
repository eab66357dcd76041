"""JSON schemas in few words: agents pay for each, and clients check every answer against them."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema


def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """The schema of a tool's input (``validation``) or answer (``serialization``)."""
    return model.model_json_schema(mode=mode, schema_generator=_PlainSchema)


class _PlainSchema(GenerateJsonSchema):
    """Without a title per field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        """An object at the root, as the protocol wants it, also for a model that contains itself."""
        found = super().generate(schema, mode)
        name = found.pop("$ref", "").rpartition("/")[2]
        return {**found["$defs"][name], **found} if name else found

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """In answers a list of two types instead of a choice of two schemas, which takes longer to check."""
        found = super().nullable_schema(schema)
        inner = found.get("anyOf", [{}])[0]
        plain = isinstance(inner.get("type"), str) and not {"enum", "const"} & inner.keys()
        if self.mode == "validation" or not plain:
            return found
        return {**inner, "type": [inner["type"], "null"]}
