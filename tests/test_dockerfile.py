"""The image of the roles, as text: no container engine is needed, so none has built it."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from smartgrid import probe
from smartgrid.settings import Settings


@pytest.fixture(scope="module")
def stages(repository: Path) -> list[list[tuple[str, str]]]:
    """The instructions of each stage."""
    text = (repository / "deploy" / "Dockerfile").read_text("utf-8")
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, joined.splitlines()):
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))


def argument(stage: list[tuple[str, str]], word: str) -> str:
    (found,) = [rest for name, rest in stage if name == word]
    return found


def test_both_stages_stand_on_the_same_debian_with_a_python_that_the_project_takes(
    stages: list[list[tuple[str, str]]], project: dict[str, Any]
) -> None:
    build, final = (argument(stage, "FROM") for stage in stages)
    assert build == f"{final} AS build"
    match = re.fullmatch(r"python:(\d+\.\d+)-slim-bookworm", final)
    assert match is not None
    assert match[1] in SpecifierSet(project["project"]["requires-python"])


def test_dependencies_come_by_the_locks_hashes_without_those_of_developers(
    stages: list[list[tuple[str, str]]],
) -> None:
    installs = [part for _, rest in stages[0] for part in rest.split("&&") if "pip install" in part]
    tool, dependencies, ours = installs
    assert "--require-hashes -r /tmp/uv.txt" in tool
    assert re.search(r"--require-hashes\s+-r pyproject.toml -c requirements.lock", dependencies)
    assert "--no-deps ." in ours


def test_the_locks_lines_of_uv_are_cut_out_whole(
    stages: list[list[tuple[str, str]]], repository: Path
) -> None:
    (cut,) = [part for _, rest in stages[0] for part in rest.split("&&") if "sed -n" in part]
    command = cut.split(">")[0].strip()
    found = subprocess.run(["sh", "-c", command], cwd=repository, capture_output=True, text=True, check=True)
    first, *hashes = found.stdout.splitlines()
    assert re.fullmatch(r"uv==[0-9.]+ \\", first)
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
    assert not found.stdout.rstrip().endswith("\\")
    block = (repository / "requirements.lock").read_text().partition(first)[2].partition("#")[0]
    assert len(hashes) == block.count("--hash=")


def test_the_image_runs_smartgrid_as_nobody_in_particular(
    stages: list[list[tuple[str, str]]], project: dict[str, Any]
) -> None:
    final = stages[-1]
    assert argument(final, "USER") == "10001"
    assert "--uid 10001" in argument(final, "RUN")
    assert argument(final, "ENTRYPOINT") == '["smartgrid"]'
    assert "smartgrid" in project["project"]["scripts"]
    assert "SMARTGRID_STATE=/state" in argument(final, "ENV")
    assert re.search(r"--owner=smartgrid .*/state", argument(final, "RUN"))


def variables(stage: list[tuple[str, str]]) -> dict[str, str]:
    """What the stage puts into the environment."""
    return dict(word.split("=", 1) for word in argument(stage, "ENV").split())


def test_everything_that_is_written_goes_where_a_read_only_image_can_be_written(
    stages: list[list[tuple[str, str]]],
) -> None:
    found = variables(stages[-1])
    places = [found[name] for name in ("HOME", "MPLCONFIGDIR", "SMARTGRID_STATE")]
    assert all(re.match(r"/(tmp|state)(/|$)", place) for place in places)
    assert found["PYTHONDONTWRITEBYTECODE"] == "1"
    assert argument(stages[-1], "WORKDIR") == found["SMARTGRID_STATE"]


def test_the_health_check_asks_the_port_that_the_image_gives_to_every_role(
    stages: list[list[tuple[str, str]]],
) -> None:
    found = variables(stages[-1])
    ours = {name.removeprefix("SMARTGRID_").lower() for name in found if name.startswith("SMARTGRID_")}
    assert ours <= set(Settings.model_fields)
    assert int(found[probe.PORT_VARIABLE]) > 0
    check = argument(stages[-1], "HEALTHCHECK")
    program, *words = json.loads(check.partition("CMD ")[2])
    assert (program, words) == ("python", ["-P", "-m", probe.__name__, "healthz"])
    (given_s,) = re.findall(r"--timeout=(\d+)s", check)
    assert float(given_s) > probe.PATIENCE_S


def test_the_image_gets_what_the_wheel_is_built_of_and_nothing_more(
    repository: Path, project: dict[str, Any]
) -> None:
    lines = (repository / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    metadata = {project["project"]["readme"], *project["project"]["license-files"]}
    assert allowed == packages | metadata | {"pyproject.toml", "requirements.lock"}
    assert all((repository / name).exists() for name in allowed)
