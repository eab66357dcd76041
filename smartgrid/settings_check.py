"""What is wrong with the settings: field, value, and what to do; nothing is reached over the network."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pipeline.errors import PipelineError
from policies.errors import PolicyError
from policies.limits import load_limits
from smartgrid.errors import SettingsError, SmartGridError
from smartgrid.influx_access import influx_target
from smartgrid.kafka_access import kafka_connection
from smartgrid.settings import Settings, WrongField, load_settings, wrong_fields
from smartgrid.settings_fields import PREFIX, SettingField, all_fields, without_password

_UNKNOWN: Final = "Extra inputs are not permitted"
_NO_SETTINGS: Final = frozenset({"SMARTGRID_CONFIG", "SMARTGRID_DATA_DIR"})
_ALIKE: Final = 0.85
"""So close to a setting's variable, another is taken for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One thing that is wrong.

    Attributes:
        field: the setting, the variable or the file.
        value: as a message may show it; secrets are not.
        problem: what is wrong.
        fix: what to do.
    """

    field: str
    value: str
    problem: str
    fix: str


def find_problems(**given: Any) -> list[SettingProblem]:
    """Everything that can be said without starting anything; an empty list is good.

    Args:
        given: on the command line; None counts as not given.
    """
    found = [*_named_file(), *_misspelt_variables()]
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        return [*found, *map(_of_field, wrong_fields(error))]
    except ValueError:
        try:
            load_settings(**given)
        except SettingsError as error:
            return [*found, SettingProblem("settings", "", str(error), "correct the file or the variable")]
        raise
    return [*found, *_together(settings)]


def _named_file() -> Iterator[SettingProblem]:
    named = os.environ.get("SMARTGRID_CONFIG")
    if named and not Path(named).is_file():
        yield SettingProblem("SMARTGRID_CONFIG", named, "no such file", "correct the path, or unset it")


def _misspelt_variables() -> Iterator[SettingProblem]:
    """Variables beside all settings, so like one of them that they can hardly mean another program."""
    known = [field.variable for field in all_fields()]
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or name in _NO_SETTINGS or _is_setting(name, known):
            continue
        if alike := get_close_matches(name, known, 1, _ALIKE):
            yield SettingProblem(name, "…", "no setting has this variable", f"write {alike[0]}")


def _is_setting(name: str, known: list[str]) -> bool:
    return name in known or any(name.startswith(f"{table}__") for table in known)


def _of_field(wrong: WrongField) -> SettingProblem:
    fields = {field.name: field for field in all_fields()}
    if wrong.message == _UNKNOWN:
        alike = get_close_matches(wrong.name, fields, 1)
        fix = f"write {alike[0]}" if alike else "take it out; `smartgrid config init --print` lists all"
        return SettingProblem(wrong.name, wrong.shown, "no such setting", fix)
    field = _nearest(wrong.name, fields)
    meant = f": {field.description}" if field is not None else ""
    return SettingProblem(wrong.name, wrong.shown, wrong.message, f"correct it{meant}")


def _nearest(name: str, fields: dict[str, SettingField]) -> SettingField | None:
    """The field, or the table that it is in."""
    parts = name.split(".")
    if parts[0] == "sites" and len(parts) > 2:
        parts[1] = "<name>"
    for count in range(len(parts), 0, -1):
        if (field := fields.get(".".join(parts[:count]))) is not None:
            return field
    return None


def _together(settings: Settings) -> Iterator[SettingProblem]:
    """What single fields cannot tell: files that are named, and fields that need each other."""
    checks: dict[str, tuple[bool, Callable[[], object], str]] = {
        "limits": (
            settings.limits is not None,
            lambda: load_limits(settings.limits),
            "correct the file, or leave limits unset for the safe default",
        ),
        "influx_url": (
            settings.influx_url is not None,
            lambda: influx_target(settings),
            "correct influx_url, influx_token or influx_token_file",
        ),
        "kafka": (
            settings.kafka is not None,
            lambda: kafka_connection(settings).config(),
            "correct kafka or [kafka_security]",
        ),
    }
    for name, (is_set, look, fix) in checks.items():
        try:
            if is_set:
                look()
        except (SmartGridError, PolicyError, PipelineError) as error:
            yield SettingProblem(name, without_password(str(getattr(settings, name))), str(error), fix)
