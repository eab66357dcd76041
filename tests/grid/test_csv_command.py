"""What a user sees of a bad CSV: one line, exit code 1, no traceback, nothing written."""

import gzip
import sys
from pathlib import Path

import pytest

from smartgrid.cli import main

BAD_FILES = {
    "missing column": (b"ts_utc,x\n2024-01-01T00:00Z,1\n", "line 1: no column gives load"),
    "text in a number": (b"ts_utc,load_kw\n2024-01-01T00:00Z,a\n", "line 2: load_kw 'a': no number"),
    "infinite": (b"ts_utc,load_kw\n2024-01-01T00:00Z,inf\n", "line 2: load_kw 'inf': infinite"),
    "naive times": (
        b"ts_utc,load_kw\n2024-01-01T00:00,1\n",
        "line 2: ts_utc '2024-01-01T00:00' has no time zone",
    ),
    "nothing but NaN": (
        b"ts_utc,load_kw\n2024-01-01T00:00Z,NaN\n2024-01-01T01:00Z,NaN\n",
        "no row has a value in load_kw",
    ),
    "duplicates alone": (b"ts_utc,load_kw\n" + b"2024-01-01T00:00Z,1\n" * 3, "only one time stamp"),
    "empty": (b"", "the file is empty"),
    "broken gzip": (gzip.compress(b"ts_utc,load_kw\n")[:-3], "broken or truncated gzip"),
    "binary": (bytes(range(256)), "line"),
}


@pytest.mark.parametrize("command", [["train"], ["demo", "--replay"]], ids=lambda words: words[0])
@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_csv_ends_a_command_with_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    command: list[str],
) -> None:
    content, named = BAD_FILES[kind]
    path, out, state = tmp_path / "area.csv", tmp_path / "out", tmp_path / "state"
    path.write_bytes(content)
    arguments = ["smartgrid", *command, str(path), "--out", str(out), "--state", str(state)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr()
    assert caught.value.code == 1
    assert said.out == ""
    assert said.err.startswith(f"error: {path}: ")
    assert named in said.err
    assert said.err.count("\n") == 1
    assert [left.name for left in tmp_path.iterdir()] == ["area.csv"]
