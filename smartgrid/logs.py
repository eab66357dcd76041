"""Logs of the long-running roles, on standard error: text, or one JSON object a line.

Whatever is logged, by us or by a library, no secret of the settings gets into it.
"""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, SecretStr

from smartgrid.report.json_text import finite
from smartgrid.settings import Settings

HIDDEN = "…"
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

Hide = Callable[[str], str]


def start_logging(settings: Settings) -> None:
    """Log as the settings ask from now on, in place of how this process logged before."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) in {logging.StreamHandler, _StandardError}:  # not what a test listens with
            root.removeHandler(handler)
    ours = _StandardError()
    ours.setFormatter(log_formatter(settings))
    root.addHandler(ours)
    root.setLevel(settings.log_level)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the driver's errors say it, once


def log_formatter(settings: Settings) -> logging.Formatter:
    """Makes the lines that the settings ask for, times in UTC, without their secrets."""
    hide = _hider(list(_secrets(settings)))
    return _json_formatter(hide) if settings.log_format == "json" else _TextFormatter(hide)


class _StandardError(logging.StreamHandler[Any]):
    """Writes to what standard error is now, not to what it was when logging started."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _TextFormatter(logging.Formatter):
    def __init__(self, hide: Hide) -> None:
        super().__init__(_TEXT, "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(super().format(record))


def _json_formatter(hide: Hide) -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415  most processes log text

    def serialize(line: dict[str, Any], **how: Any) -> str:
        return json.dumps(finite(_hidden(line, hide)), **how)

    def as_text(value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat(timespec="milliseconds")
        return hide(str(value))

    return JsonFormatter(
        ["levelname", "name", "message"],
        timestamp="time",
        rename_fields={
            "levelname": "level",
            "name": "logger",
            "exc_info": "exception",
            "stack_info": "stack",
        },
        json_serializer=serialize,
        json_default=as_text,
    )


def _hidden(value: Any, hide: Hide) -> Any:
    """The same document with secrets hidden, before JSON escapes anything in them."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {_hidden(key, hide): _hidden(item, hide) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item, hide) for item in value]
    return value


def _hider(secrets: list[str]) -> Hide:
    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    return hide


def _secrets(settings: Settings) -> Iterator[str]:
    """Every secret that the settings hold or name a file of; the longest first, as one may hold another."""
    found = set(_secrets_in(settings))
    if settings.influx_token_file is not None:
        with contextlib.suppress(OSError, UnicodeDecodeError):  # whoever needs the file complains
            found.add(settings.influx_token_file.read_text(encoding="utf-8"))
    yield from sorted({secret.strip() for secret in found} - {""}, key=len, reverse=True)


def _secrets_in(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets_in(value)
