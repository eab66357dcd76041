"""``smartgrid config``: settings shown and described, no secret told, what is wrong named with its fix."""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smartgrid.cli import app
from smartgrid.errors import SettingsError
from smartgrid.settings import Settings, load_settings
from smartgrid.settings_fields import MASK, all_fields
from smartgrid.settings_file import settings_text

WORD = "never-to-be-told"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SMARTGRID_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments])


def settings_file(state: Path, text: str) -> Path:
    path = state / "smartgrid.toml"
    path.write_text(text, "utf-8")
    return path


def shown(state: Path) -> dict[str, dict[str, Any]]:
    result = run("show", "--json", "--state", str(state))
    assert result.exit_code == 0, result.output
    return {found["name"]: found for found in json.loads(result.stdout)}


def problems(state: Path) -> dict[str, dict[str, str]]:
    result = run("check", "--json", "--state", str(state))
    found = {problem["field"]: problem for problem in json.loads(result.stdout)}
    assert result.exit_code == (1 if found else 0)
    assert all(problem["problem"] and problem["fix"] for problem in found.values())
    return found


# -- described --------------------------------------------------------------------------------


def test_every_setting_has_a_description_and_a_variable_that_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [field.name for field in all_fields() if len(field.description) < 8] == []
    assert {field.name for field in all_fields() if "." not in field.name} == set(Settings.model_fields)
    variables = {field.name: field.variable for field in all_fields()}
    monkeypatch.setenv(variables["http_port"], "9000")
    monkeypatch.setenv(variables["kafka_security.username"], "ana")
    settings = load_settings(state=tmp_path)
    assert (settings.http_port, settings.kafka_security.username) == (9000, "ana")


def test_what_holds_a_secret_is_known_by_its_type() -> None:
    secret = {field.name for field in all_fields() if field.secret}
    assert secret == {
        "approval_webhook", "ledger_url", "influx_token",
        "kafka_security.password", "kafka_security.key_password",
    }  # fmt: skip


# -- show -------------------------------------------------------------------------------------


def test_show_tells_each_value_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(
        tmp_path,
        'seed = 7\nhttp_port = 8000\n[sites."feeder.7"]\ncadence_s = 60\n[modbus.battery]\nunit = 3\n',
    )
    monkeypatch.setenv("SMARTGRID_HTTP_PORT", "9000")
    monkeypatch.setenv("SMARTGRID_KAFKA_SECURITY__TLS", "true")
    found = {name: (value["value"], value["source"]) for name, value in shown(tmp_path).items()}
    assert found["state"] == (str(tmp_path), "command line")
    assert found["seed"] == (7, "file")
    assert found["http_port"] == (9000, "variable")
    assert found["kafka_security.tls"] == (True, "variable")
    assert found["sites.feeder.7.cadence_s"] == (60.0, "file")
    assert found["modbus.battery.unit"] == (3, "file")
    assert found["oauth"] == (None, "default")
    assert found["pulse_s"] == (5.0, "default")
    text = run("show", "--state", str(tmp_path)).stdout
    assert all(name in text for name in ("http_port", "9000", "variable"))


def test_no_secret_is_shown_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_file(
        tmp_path,
        f'influx_token = "{WORD}"\napproval_webhook = "https://x.example.com/{WORD}"\n'
        f'influx_url = "http://ana:{WORD}@db:8086"\n[kafka_security]\npassword = "{WORD}"\n',
    )
    monkeypatch.setenv("SMARTGRID_LEDGER_URL", f"postgresql://u:{WORD}@h/d")
    for command in (["show"], ["show", "--json"], ["check"], ["check", "--json"]):
        result = run(*command, "--state", str(tmp_path))
        assert WORD not in result.output, command
    assert shown(tmp_path)["influx_token"]["value"] == MASK
    assert shown(tmp_path)["influx_url"]["value"] == f"http://{MASK}@db:8086"


# -- check ------------------------------------------------------------------------------------


def test_right_settings_pass(tmp_path: Path) -> None:
    settings_file(tmp_path, "http_port = 8000\n")
    assert problems(tmp_path) == {}
    assert "right" in run("check", "--state", str(tmp_path)).stdout


def test_a_wrong_value_is_named_with_its_field_and_what_it_is_for(tmp_path: Path) -> None:
    settings_file(tmp_path, 'http_port = 99999\n[sites.a]\ntime_zone = "Mars"\n')
    found = problems(tmp_path)
    assert found["http_port"]["value"] == "99999"
    assert "65535" in found["http_port"]["problem"]
    assert "port of /mcp" in found["http_port"]["fix"]
    assert "America/Chicago" in found["sites.a.time_zone"]["problem"]
    text = run("check", "--state", str(tmp_path)).stdout
    assert "http_port = 99999: " in text


def test_a_misspelt_setting_or_variable_is_told_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(tmp_path, "puls_s = 3\n")
    monkeypatch.setenv("SMARTGRID_INFLUX_TOKN", WORD)
    monkeypatch.setenv("SMARTGRID_SOMETHING_ELSE", "1")
    found = problems(tmp_path)
    assert set(found) == {"puls_s", "SMARTGRID_INFLUX_TOKN"}
    assert found["puls_s"]["fix"] == "write pulse_s"
    assert found["SMARTGRID_INFLUX_TOKN"]["fix"] == "write SMARTGRID_INFLUX_TOKEN"


def test_fields_that_need_each_other_and_files_that_are_named_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(
        tmp_path,
        'limits = "none-such.yaml"\ninflux_url = "http://127.0.0.1:8086"\nkafka = "127.0.0.1:1"\n'
        '[kafka_security]\nusername = "ana"\n',
    )
    found = problems(tmp_path)
    assert set(found) == {"limits", "influx_url", "kafka"}
    assert "influx_token" in found["influx_url"]["problem"]
    assert "mechanism" in found["kafka"]["problem"]
    monkeypatch.setenv("SMARTGRID_CONFIG", str(tmp_path / "other.toml"))
    assert set(problems(tmp_path)) == {"SMARTGRID_CONFIG"}


def test_a_file_that_is_no_toml_is_named_by_every_command(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "http_port = [\n")
    assert str(path) in problems(tmp_path)["settings"]["problem"]
    with pytest.raises(SettingsError, match=re.escape(str(path))):
        load_settings(state=tmp_path)
    command = [
        sys.executable,
        "-c",
        "from smartgrid.cli import main; main()",
        "doctor",
        "--state",
        str(tmp_path),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_variable_that_is_no_json_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTGRID_SITES", "{")
    with pytest.raises(SettingsError, match="sites"):
        load_settings(state=tmp_path)
    assert set(problems(tmp_path)) == {"settings"}


# -- init -------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """With every default taken into force; what has none stays a comment."""
    lines = [line for line in text.splitlines() if re.match(r"#\w+ = ", line)]
    return "\n".join(line.removeprefix("#") for line in lines)


def top_level(text: str) -> str:
    return text.split("#[", 1)[0]


def test_a_written_file_changes_nothing_and_names_every_setting(tmp_path: Path) -> None:
    result = run("init", "--json", "--state", str(tmp_path / "state"))
    path = Path(json.loads(result.stdout)["file"])
    assert path == tmp_path / "state" / "smartgrid.toml"
    assert tomllib.loads(path.read_text("utf-8")) == {}
    assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    for field in all_fields():
        last = field.name.rsplit(".", 1)[-1]
        assert field.name == "state" or re.search(rf"^#\[?[\w.]*{last}\b|^# {last}: see", text, re.MULTILINE)
    assert load_settings(state=path.parent) == Settings(state=path.parent)


def test_its_defaults_taken_into_force_are_the_defaults(tmp_path: Path) -> None:
    text = uncommented(top_level(settings_text()))
    assert len(text.splitlines()) > 15
    settings_file(tmp_path, text)
    assert load_settings(state=tmp_path) == Settings(state=tmp_path, seed=1000)
    taken = tomllib.loads(text)
    assert taken == {name: getattr(load_settings(state=tmp_path), name) for name in taken}


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "seed = 7\n")
    command = [sys.executable, "-c", "from smartgrid.cli import main; main()", "config", "init"]
    done = subprocess.run([*command, "--state", str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert path.read_text() == "seed = 7\n"
    assert run("init", "--print", "--state", str(tmp_path)).stdout == settings_text()


def test_the_file_goes_where_the_settings_are_read_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTGRID_CONFIG", str(tmp_path / "own.toml"))
    assert run("init").exit_code == 0
    assert (tmp_path / "own.toml").exists()
