"""The reader's environment: found, made, or an error that says what to do."""

import sys
from pathlib import Path
from threading import Event

import pytest

from smartgrid.live.errors import NotThereError, ReaderError, StoppedError
from smartgrid.live.reader import OUTSIDE, REQUIREMENTS, find_uv, open_reader
from tests.smartgrid.live.operators import Operators
from tests.smartgrid.live.test_broken_answers import ask


def test_uv_is_found_on_the_path_and_else_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("path", "venv"):
        program = tmp_path / folder / "uv"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_uv() == str(tmp_path / "path" / "uv")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_uv() == str(tmp_path / "venv" / "uv")


def test_without_uv_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReaderError, match=r"docs\.astral\.sh/uv"), open_reader(Event()):
        pass


def test_without_a_package_index_the_error_says_what_is_missing(tmp_path: Path) -> None:
    nowhere = {"UV_CACHE_DIR": str(tmp_path), "UV_OFFLINE": "1"}
    with (
        pytest.raises(ReaderError, match=r"(?s)ended with 1.*package index"),
        open_reader(Event(), environment=nowhere),
    ):
        pass


def test_a_reader_that_is_killed_is_an_error_and_one_whose_uv_is_killed_ends_all_the_same(
    operators: Operators,
) -> None:
    with open_reader(Event(), gap_s=0.0, environment=operators.environment) as reader:
        reader._process.kill()  # uv alone
        with pytest.raises(NotThereError):
            ask(reader, "CAISO", "load")
        reader._kill()
        with pytest.raises(ReaderError, match="ended with"):
            ask(reader, "CAISO", "load")


def test_whoever_is_told_to_stop_awaits_no_environment() -> None:
    stopped = Event()
    stopped.set()
    with pytest.raises(StoppedError), open_reader(stopped):
        pass


def test_the_environment_is_pinned_whole_and_apart_from_the_products() -> None:
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    pins = dict(line.split(";")[0].strip().split("==") for line in lines)
    assert pins["gridstatus"] == "0.37.0"
    assert pins["pandas"].startswith("2.")
    assert {"requests", "requests-cache", "lxml"} <= pins.keys()
    sources = [path.read_text("utf-8") for path in OUTSIDE.rglob("*.py")]
    assert len(sources) >= 5
    assert not any("smartgrid" in line for text in sources for line in text.splitlines() if "import" in line)
