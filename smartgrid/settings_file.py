"""A settings file to begin with: every setting with what it is for, all of them commented out."""

import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from smartgrid.errors import SettingsError
from smartgrid.settings_fields import SettingField, all_fields

PRIVATE: Final = 0o600
"""It may come to hold secrets."""
WIDTH: Final = 96
INTRODUCTION: Final = """\
# Settings of SmartGrid-AI. Lines that begin with # and no blank are the defaults: take the # off what you
# change. A variable (SMARTGRID_HTTP_PORT; within a table SMARTGRID_OAUTH__ISSUER) wins over this file.
# Secrets are better in variables. `smartgrid config check` tests the file, `show` tells what holds.
"""
_NOT_HERE: Final = frozenset({"state"})
"""It says where the file is, so it cannot be in it."""


def settings_text() -> str:
    """The file's text; as it stands it changes nothing."""
    fields = [field for field in all_fields() if field.name not in _NOT_HERE]
    top = [field for field in fields if not field.table and "." not in field.name]
    blocks = [INTRODUCTION, *map(_entry, top)]
    for table in (field for field in fields if field.table):
        blocks.append(_heading(table))
        blocks += [_entry(field) for field in _fields_of(table, fields)]
    return "\n".join(blocks)


def _fields_of(table: SettingField, fields: list[SettingField]) -> Iterator[SettingField]:
    inside = f"{table.name}.<name>." if table.name == "sites" else f"{table.name}."
    for field in fields:
        rest = field.name.removeprefix(inside)
        if rest != field.name and "." not in rest and not field.table:
            yield field


def _heading(table: SettingField) -> str:
    name = f"{table.name}.NAME" if table.name == "sites" else table.name
    return f"{_prose(table.description)}\n#[{name}]\n"


def _entry(field: SettingField) -> str:
    secret = f" (a secret: better as {field.variable})" if field.secret else ""
    name = field.name.rsplit(".", 1)[-1]
    if isinstance(field.default, BaseModel):  # registers: their own chapter
        return f"{_prose(field.description)}\n# {name}: see docs/modbus.md\n"
    return f"{_prose(field.description + secret)}\n#{name} ={_toml(field.default)}\n"


def _prose(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    """A value as TOML writes it; what is unset is left for the user to fill in."""
    return "" if value is None else " " + json.dumps(value, ensure_ascii=False)


def write_settings_file(path: Path) -> None:
    """Write the file, readable by its owner alone, where there is none yet.

    Raises:
        SettingsError: if there is one, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(settings_text())
    except FileExistsError:
        raise SettingsError(
            f"{path} is there already and stays as it is; print a new one with --print to compare"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror})") from error
