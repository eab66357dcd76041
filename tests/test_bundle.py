"""What Claude Desktop and the MCP registry are given: the bundle and ``server.json``.

``make conformance`` also shows the manifest to the format's own validator.
"""

import json
import re
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from deploy.mcpb.build import build, pinned, read_project
from tools.registry import discover_tools

WHEEL = "smartgrid_ai-0.1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a made-up wheel: its content is not looked at."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / WHEEL).write_bytes(b"a wheel")
    return build(folder / WHEEL, folder)


def read(bundle: Path, name: str) -> str:
    return zipfile.ZipFile(bundle).read(name).decode()


def test_the_same_wheel_gives_the_same_bytes_and_their_digest_lies_beside(bundle: Path) -> None:
    before = bundle.read_bytes()
    assert build(bundle.with_name(WHEEL), bundle.parent).read_bytes() == before
    line = bundle.with_name(f"{bundle.name}.sha256").read_text()
    assert line == f"{sha256(before).hexdigest()}  {bundle.name}\n"


def test_the_manifest_names_this_version_its_tools_and_a_start_that_is_there(bundle: Path) -> None:
    manifest: dict[str, Any] = json.loads(read(bundle, "manifest.json"))
    project = read_project()
    assert (manifest["manifest_version"], manifest["server"]["type"]) == ("0.4", "uv")
    assert (manifest["name"], manifest["version"]) == (project["name"], project["version"])
    names = [tool["name"] for tool in manifest["tools"]]
    assert {"get_grid_status", "forecast_net_load", "discharge_battery"} <= set(names)
    assert set(names) == {tool.name for tool in discover_tools().tools} & set(
        project["entry-points"]["smartgrid.tools"]
    )
    entry = manifest["server"]["entry_point"]
    assert manifest["server"]["mcp_config"]["args"][-1] == entry
    compile(read(bundle, entry), entry, "exec")
    assert '["smartgrid", "mcp"]' in read(bundle, entry)


def test_what_the_user_may_choose_has_a_default_and_reaches_the_server(bundle: Path) -> None:
    manifest = json.loads(read(bundle, "manifest.json"))
    asked = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(manifest["server"])))
    assert asked == set(manifest["user_config"])
    assert all("default" in field for field in manifest["user_config"].values())
    assert manifest["user_config"]["read_only"]["default"] is False


def test_the_environment_is_the_wheel_in_the_bundle_with_the_locks_versions(
    bundle: Path, repository: Path
) -> None:
    made = tomllib.loads(read(bundle, "pyproject.toml"))
    (own,) = made["tool"]["uv"]["sources"].values()
    assert own["path"] in zipfile.ZipFile(bundle).namelist()
    assert made["project"]["dependencies"] == ["smartgrid-ai==" + read_project()["version"]]
    lock = (repository / "requirements.lock").read_text("utf-8")
    constraints = made["tool"]["uv"]["constraint-dependencies"]
    assert constraints == pinned(lock)
    assert len(constraints) == len(re.findall(r"^\S+==", lock, re.MULTILINE)) > 100
    wanted = {Requirement(line).name for line in read_project()["dependencies"]}
    assert wanted <= {Requirement(line).name for line in constraints}


def test_a_lock_files_pins_keep_their_markers_and_lose_their_hashes() -> None:
    lock = "a==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n    # via b\n"
    lock += "b==2 \\\n    --hash=sha256:01\n"
    assert pinned(lock) == ['a==1.0; sys_platform == "win32"', "b==2"]


# -- server.json ------------------------------------------------------------------------------


@pytest.fixture
def server(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repository / "server.json").read_text("utf-8"))
    return found


def test_server_json_is_of_this_version_and_within_the_registrys_rules(server: dict[str, Any]) -> None:
    project = read_project()
    assert set(server) == {"$schema", "name", "title", "description", "version", "packages"}
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"])
    assert len(server["description"]) <= 100 >= len(server["title"])
    (package,) = server["packages"]
    assert package["identifier"] == project["name"]
    assert server["version"] == package["version"] == project["version"]
    assert package["transport"] == {"type": "stdio"}
    assert [argument["value"] for argument in package["packageArguments"]] == ["mcp"]


def test_its_variables_are_settings_with_their_defaults(server: dict[str, Any]) -> None:
    from smartgrid.settings import Settings  # noqa: PLC0415  slow, and for this test alone

    for variable in server["packages"][0]["environmentVariables"]:
        field = Settings.model_fields[variable["name"].removeprefix("SMARTGRID_").lower()]
        assert "default" not in variable or json.loads(variable["default"]) == field.default
        assert variable["format"] == ("boolean" if field.annotation is bool else "filepath")
