"""All settings as a flat list: names, descriptions, defaults, and where a value comes from."""

import os
import re
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from smartgrid.settings import Settings, config_file

PREFIX: Final = "SMARTGRID_"
ANY_NAME: Final = "<name>"
"""Stands for what the user calls it, in a table of tables."""
DEEPEST: Final = 3
"""Parts of a name; what lies deeper is shown as one value."""
MASK: Final = "••••"
_IN_ADDRESS: Final = re.compile(r"//[^/?#]*@")


Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting.

    Attributes:
        name: with dots between a table and its fields.
        description: what it is for.
        default: None where it is unset.
        required: whether its table needs it.
        secret: whether no message may show its value.
        table: whether it holds fields of its own, which follow it.
    """

    name: str
    description: str
    default: Any
    required: bool
    secret: bool
    table: bool

    @property
    def variable(self) -> str:
        """The environment variable of that name."""
        return PREFIX + self.name.upper().replace(".", "__")


def all_fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[SettingField]:
    """Every setting, a table before its fields."""
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        inner, many = _table_of(info.annotation)
        is_table = inner is not None and path.count(".") < DEEPEST - 1
        yield SettingField(
            name=path,
            description=info.description or _first_line(inner),
            default=None if is_table or info.is_required() else info.get_default(call_default_factory=True),
            required=info.is_required(),
            secret=_mentions(info.annotation, SecretStr),
            table=is_table,
        )
        if inner is not None and is_table:
            yield from all_fields(inner, f"{path}.{ANY_NAME}." if many else f"{path}.")


def _first_line(model: type[BaseModel] | None) -> str:
    return ((model.__doc__ if model else None) or "").strip().split("\n")[0]


def _table_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model of a field that is a table, and whether it is a table of such tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = get_origin(annotation)
    if origin is dict:
        return _table_of(get_args(annotation)[1])[0], True
    if origin in {Union, types.UnionType, Annotated}:
        for part in get_args(annotation):
            if (found := _table_of(part))[0] is not None:
                return found
    return None, False


def _mentions(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_mentions(part, kind) for part in get_args(annotation))


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A setting as it is now.

    Attributes:
        name: with dots between a table and its fields.
        value: as text or number; a secret is masked, None where unset.
        source: ``default``, ``variable``, ``file`` or ``command line``.
        description: what it is for.
    """

    name: str
    value: Any
    source: str
    description: str


def current_values(settings: Settings, given: Mapping[str, Any]) -> list[SettingValue]:
    """Every setting with its value and where that comes from.

    Args:
        settings: as they were read.
        given: on the command line.
    """
    path = config_file(settings.state)
    in_file = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    variables = {name.upper() for name in os.environ}
    found = []
    for field in all_fields():
        for parts, value in _values(settings, field.name.split(".")):
            if field.table and value is not None:
                continue
            source = _source(parts, given, variables, in_file)
            found.append(
                SettingValue(".".join(parts), _shown(value, field.secret), source, field.description)
            )
    return found


def _values(holder: Any, parts: list[str], done: Parts = ()) -> Iterator[tuple[Parts, Any]]:
    """The names and values that a field's name stands for; none within a table that is unset."""
    first, *rest = parts
    if holder is None:
        return
    if first == ANY_NAME:
        for name, inner in holder.items():
            yield from _values(inner, rest, (*done, name))
        return
    value = getattr(holder, first)
    if rest:
        yield from _values(value, rest, (*done, first))
    else:
        yield (*done, first), value


def _shown(value: Any, secret: bool) -> Any:
    if value is None or value == {}:
        return None
    if secret:
        return MASK
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, bool | int | float):
        return value
    return list(value) if isinstance(value, tuple) else without_password(str(value))


def without_password(text: str) -> str:
    """A text without what stands before the @ of an address in it."""
    return _IN_ADDRESS.sub(f"//{MASK}@", text)


def _source(parts: Parts, given: Mapping[str, Any], variables: set[str], in_file: Mapping[str, Any]) -> str:
    if given.get(parts[0]) is not None:
        return "command line"
    names = {PREFIX + "__".join(parts[: i + 1]).upper() for i in range(len(parts))}
    if names & variables:
        return "variable"
    place: Any = in_file
    for part in parts:
        if not isinstance(place, dict) or part not in place:
            return "default"
        place = place[part]
    return "file"
