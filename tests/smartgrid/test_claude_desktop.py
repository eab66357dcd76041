"""Claude Desktop's configuration: our entry comes and goes, and nothing else changes."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from smartgrid.claude_desktop import (
    SERVERS,
    apply,
    config_file,
    our_entry,
    plan_install,
    plan_uninstall,
)
from smartgrid.cli import app
from smartgrid.errors import InstallError

OTHERS = {
    "globalShortcut": "Ctrl+Space",
    SERVERS: {"files": {"command": "npx", "args": ["files"], "env": {"KEY": "of-another-server"}}},
    "größe": [1, 2.5, None, True],
}
ENTRY = {"command": "/opt/bin/smartgrid", "args": ["mcp", "--state", "/srv/grid"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Claude Desktop's file, with another server in it."""
    path = tmp_path / "claude_desktop_config.json"
    path.write_text(json.dumps(OTHERS, indent=4, ensure_ascii=False), "utf-8")
    return path


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def run(path: Path, *arguments: str, answer: str | None = None) -> Result:
    words = ["install", "claude-desktop", "--config", str(path), "--state", str(path.parent / "state")]
    return CliRunner().invoke(app, [*words, *arguments], input=answer)


# -- where ------------------------------------------------------------------------------------


def test_the_file_is_where_claude_desktop_keeps_it_on_each_platform() -> None:
    home = Path("/home/ana")
    assert config_file("linux", {}, home) == PurePosixPath(
        "/home/ana/.config/Claude/claude_desktop_config.json"
    )
    assert config_file("linux", {"XDG_CONFIG_HOME": "/cfg"}, home).parent == PurePosixPath("/cfg/Claude")
    mac = config_file("darwin", {}, Path("/Users/ana"))
    assert mac.parent == PurePosixPath("/Users/ana/Library/Application Support/Claude")
    roaming = "C:\\Users\\ana\\AppData\\Roaming"
    windows = config_file("win32", {"APPDATA": roaming}, home)
    assert windows == PureWindowsPath(roaming, "Claude", "claude_desktop_config.json")


def test_the_entry_has_absolute_paths_and_no_variable_that_may_hold_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMARTGRID_INFLUX_TOKEN", "not-to-be-written")
    entry = our_entry(Path("state"), read_only=True, config="smartgrid.toml")
    assert entry["args"] == ["mcp", "--state", str(tmp_path / "state"), "--read-only"]
    assert entry["env"] == {"SMARTGRID_CONFIG": str(tmp_path / "smartgrid.toml")}
    assert Path(entry["command"]).is_absolute()
    assert (
        subprocess.run(
            [entry["command"], *entry["args"], "--help"], check=False, capture_output=True
        ).returncode
        == 0
    )


# -- nothing else changes ---------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SERVER_NAMES = st.text().filter(lambda name: name != "grid")
CONFIGS = st.dictionaries(st.text().filter(lambda key: key != SERVERS), JSON, max_size=4).flatmap(
    lambda config: st.dictionaries(SERVER_NAMES, JSON, max_size=3).map(
        lambda servers: {**config, SERVERS: servers}
    )
)


@given(config=CONFIGS)
def test_installing_and_taking_out_leave_any_configuration_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("claude") / "config.json"
    path.write_text(json.dumps(config), "utf-8")
    apply(plan_install(path, "grid", ENTRY))
    assert load(path) == {**config, SERVERS: {**config[SERVERS], "grid": ENTRY}}
    apply(plan_uninstall(path, "grid"))
    assert load(path) == config


def test_what_somebody_added_to_our_entry_survives_a_new_install(path: Path) -> None:
    apply(plan_install(path, "grid", {**ENTRY, "env": {"SMARTGRID_LOG_LEVEL": "INFO"}}))
    newer = {"command": "/new/smartgrid", "args": ["mcp"]}
    apply(plan_install(path, "grid", newer))
    assert load(path)[SERVERS]["grid"] == {**newer, "env": {"SMARTGRID_LOG_LEVEL": "INFO"}}
    assert load(path)[SERVERS]["files"] == OTHERS[SERVERS]["files"]  # type: ignore[index]


def test_only_the_lines_that_change_are_shown_since_others_may_hold_secrets(path: Path) -> None:
    shown = plan_install(path, "grid", ENTRY).shown
    assert "/opt/bin/smartgrid" in shown
    assert "of-another-server" not in shown


# -- never lost -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"mcpServers": {',
        "[]",
        "{'mcpServers': 1}",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"mcpServers": []}',
        "\xff",
    ],
)
def test_a_file_that_we_cannot_read_is_named_and_never_overwritten(path: Path, text: str) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InstallError, match=path.name):
        plan_install(path, "grid", ENTRY)
    with pytest.raises(InstallError, match=path.name):
        plan_uninstall(path, "grid")
    assert path.read_bytes() == text.encode("latin-1")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("entry", [3, {"env": ["A=1"]}])
def test_an_entry_of_ours_that_is_none_is_not_overwritten(path: Path, entry: object) -> None:
    path.write_text(json.dumps({SERVERS: {"grid": entry}}))
    with pytest.raises(InstallError, match=r"mcpServers\.grid"):
        plan_install(path, "grid", ENTRY)


def test_a_file_that_changed_while_the_user_thought_is_not_overwritten(path: Path) -> None:
    change = plan_install(path, "grid", ENTRY)
    path.write_text("{}")
    with pytest.raises(InstallError, match="meanwhile"):
        apply(change)
    assert path.read_text() == "{}"


def test_every_change_keeps_the_file_as_it_was_with_its_permissions(path: Path) -> None:
    path.chmod(0o600)
    before = path.read_bytes()
    first = apply(plan_install(path, "grid", ENTRY))
    middle = path.read_bytes()
    second = apply(plan_uninstall(path, "grid"))
    assert first is not None
    assert second is not None
    assert (first.read_bytes(), second.read_bytes()) == (before, middle)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (path, first, second)} == {0o600}


def test_a_write_that_breaks_off_leaves_the_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, change = path.read_bytes(), plan_install(path, "grid", ENTRY)

    def full(_handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InstallError, match="no space left"):
        apply(change)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.backup-1"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "linked.json"
    link.symlink_to(path)
    apply(plan_install(link, "grid", ENTRY))
    assert link.is_symlink()
    assert "grid" in load(path)[SERVERS]


# -- the command ------------------------------------------------------------------------------


def test_the_command_asks_and_a_no_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    for answer in ("n\n", ""):
        result = run(path, answer=answer)
        assert result.exit_code == 1
        assert '"--state"' in result.stderr
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before
    assert run(path, answer="y\n").exit_code == 0
    assert "smartgrid" in load(path)[SERVERS]


def test_a_second_run_changes_nothing_and_uninstall_takes_it_out(path: Path) -> None:
    made = json.loads(run(path, "--yes", "--json").stdout)
    assert made == {"file": str(path), "changed": True, "backup": f"{path}.backup-1"}
    again = json.loads(run(path, "--yes", "--json").stdout)
    assert (again["changed"], again["backup"]) == (False, None)
    assert run(path, "--uninstall", "--yes").exit_code == 0
    assert load(path) == OTHERS
    assert run(path, "--uninstall", "--yes").stdout.strip() == "nothing to change"


def test_where_claude_desktop_has_no_file_yet_one_is_made_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "Claude" / "claude_desktop_config.json"
    assert run(path, "--uninstall").exit_code == 0
    assert not path.exists()
    assert run(path, "--yes").exit_code == 0
    assert list(load(path)) == [SERVERS]
    assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_an_error_is_one_line_with_exit_code_one(path: Path) -> None:
    path.write_text("{broken")
    command = [our_entry(path.parent)["command"], "install", "claude-desktop", "--config", str(path), "--yes"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
