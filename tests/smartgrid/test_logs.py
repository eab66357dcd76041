"""What the roles log: lines that a collector can parse, and no secret in any of them."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.kafka_settings import KafkaSecurity
from smartgrid.cli.role import announce, start_role
from smartgrid.errors import SettingsError
from smartgrid.logs import log_formatter, start_logging
from smartgrid.settings import Settings, load_settings

INFLUX = 'influx-"tok\\en'
SCRAM = "scram-password"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        state=tmp_path,
        log_format="json",
        log_level="INFO",
        influx_token=SecretStr(INFLUX),
        kafka_security=KafkaSecurity(password=SecretStr(SCRAM)),
    )


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def record(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    logger = logging.getLogger("pipeline.engine")
    error = more.get("exc_info")
    return logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, arguments, error, extra=more.get("extra")
    )


def parsed(settings: Settings, line: logging.LogRecord) -> dict[str, Any]:
    text = log_formatter(settings).format(line)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found


def test_a_json_line_says_when_where_how_grave_and_what(settings: Settings) -> None:
    line = parsed(settings, record("%d dead letters\nthe first: %s", 3, "schema"))
    when = datetime.fromisoformat(line.pop("time"))
    assert when.utcoffset() == timedelta(0)
    assert abs(when - datetime.now(UTC)) < timedelta(minutes=1)
    assert line == {
        "level": "WARNING",
        "logger": "pipeline.engine",
        "message": "3 dead letters\nthe first: schema",
    }


def test_context_is_its_own_field_and_what_is_no_number_is_null(settings: Settings) -> None:
    context = {"partition": 3, "lag": float("nan"), "path": Path("a/b"), "sites": ("x", "y")}
    line = parsed(settings, record("behind", extra=context))
    assert {name: line[name] for name in context} == {
        "partition": 3,
        "lag": None,
        "path": str(Path("a/b")),
        "sites": ["x", "y"],
    }


def test_an_exception_is_in_the_line_with_its_traceback(settings: Settings) -> None:
    try:
        int("broken")
    except ValueError:
        line = parsed(settings, record("failed", exc_info=sys.exc_info()))
    assert line["exception"].startswith("Traceback (most recent call last)")
    assert line["exception"].endswith("with base 10: 'broken'")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_of_the_settings_is_logged_wherever_it_stands(settings: Settings, log_format: str) -> None:
    file = settings.state / "token"
    file.write_text("from-a-file\n")
    chosen = settings.model_copy(update={"log_format": log_format, "influx_token_file": file})
    error = ConnectionError(f"refused {SCRAM}")
    line = record(
        "sent %s from-a-file",
        INFLUX,
        exc_info=(ConnectionError, error, None),
        extra={"header": [f"Token {INFLUX}"], "map": {SCRAM: 1}, "object": error},
    )
    text = log_formatter(chosen).format(line)
    for secret in (INFLUX, json.dumps(INFLUX)[1:-1], SCRAM, "from-a-file"):
        assert secret not in text
    assert "refused" in text
    assert "sent …" in (json.loads(text)["message"] if log_format == "json" else text)


def test_a_secret_that_holds_another_is_hidden_whole(tmp_path: Path) -> None:
    settings = Settings(
        state=tmp_path,
        influx_token=SecretStr("abc"),
        kafka_security=KafkaSecurity(password=SecretStr("abcdef"), key_password=SecretStr("")),
    )
    assert log_formatter(settings).format(record("abcdef abc")).endswith("… …")


@given(
    message=st.text(st.characters(), max_size=50), value=st.floats() | st.text(st.characters(), max_size=20)
)
def test_any_text_makes_one_line_that_can_be_written(message: str, value: float | str) -> None:
    settings = Settings(state=Path("nowhere"), log_format="json")
    line = log_formatter(settings).format(record("%s", message, extra={"value": value}))
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["message"] == message


@pytest.fixture
def _in_chicago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As far as a process can choose where it is."""
    if not hasattr(time, "tzset"):
        yield
        return
    with monkeypatch.context() as there:
        there.setenv("TZ", "America/Chicago")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_chicago")
def test_text_lines_are_stamped_in_utc(settings: Settings) -> None:
    made = record("done")
    made.created = datetime(2026, 3, 1, 19, 0, 5, tzinfo=UTC).timestamp()
    text = log_formatter(settings.model_copy(update={"log_format": "text"})).format(made)
    assert text == "2026-03-01T19:00:05Z WARNING pipeline.engine: done"


def test_starting_again_logs_each_line_once_on_what_standard_error_is_then(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(settings.model_copy(update={"log_level": "ERROR"}))
    logging.getLogger("quiet").warning("not yet")
    start_logging(settings)
    logging.getLogger("pipeline").info("once", extra={"partition": 1})
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["once"]


def test_what_is_logged_goes_where_standard_error_is_now(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_logging(settings)
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    logging.getLogger("pipeline").error("redirected")
    assert json.loads(elsewhere.getvalue())["message"] == "redirected"


def test_a_role_speaks_on_standard_output_or_in_its_json_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(start_role(state=tmp_path), "ready")
    assert capsys.readouterr() == ("ready\n", "")
    monkeypatch.setenv("SMARTGRID_LOG_FORMAT", "json")
    monkeypatch.setenv("SMARTGRID_LOG_LEVEL", "info")
    announce(start_role(state=tmp_path), "ready")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["message"] == "ready"


def test_a_level_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"log_level = 'LOUD': .*'DEBUG', 'INFO'"):
        load_settings(state=tmp_path, log_level="loud")
