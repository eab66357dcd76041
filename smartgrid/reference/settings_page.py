"""The reference of the settings."""

from smartgrid.reference.markdown import code, page, table
from smartgrid.reference.schema import Row, rows
from smartgrid.settings import CONFIG_NAME, Settings

INTRODUCTION = f"""
Each setting can be given in three places. The first that has it counts:

1. the option of a command (`--state`, `--port`, …);
2. an environment variable: `SMARTGRID_` and the name in capitals, with `__` between a table and its field,
   such as `SMARTGRID_OAUTH__ISSUER`;
3. `{CONFIG_NAME}` in the state directory, or the file that `SMARTGRID_CONFIG` names.

An unknown field and a value out of range end the command with a line that names the field, the value and what
is expected. The values of fields that may hold a secret are never shown. In the file, fields with a dot are
fields of a table: `oauth.issuer` stands as `issuer` under `[oauth]`.

`smartgrid config init` writes a file to begin with, `smartgrid config check` says whether all is right, and
`smartgrid config show` what counts now and where it comes from. Where `state` is unset, it is the platform's
directory for a user's data.
"""


def settings_page() -> str:
    """Every field of :class:`smartgrid.settings.Settings`, with its default and what it may be."""
    found = list(rows(Settings.model_json_schema()))
    fields = {row.path: [other for other in found if other.table == row.path] for row in found}
    plain = [row for row in found if not row.table and not fields[row.path]]
    parts = [INTRODUCTION, _lines(plain)]
    for row in found:
        if fields[row.path]:
            text = f"{row.text[:1].upper()}{row.text[1:].rstrip('.')}."
            here = [other for other in fields[row.path] if not fields[other.path]]
            parts += [f"## `[{row.path}]`", text, _lines(here)]
    return page("Settings", *parts)


def _lines(found: list[Row]) -> str:
    return table(("setting", "value", "default", "what it is"), map(_line, found))


def _line(row: Row) -> tuple[str, str, str, str]:
    unset = "**needed**" if row.required else "unset"
    return code(row.path), row.kind, unset if row.default is None else code(row.default), row.text
