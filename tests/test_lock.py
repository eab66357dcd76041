"""The lock file serves every system and interpreter that the project supports."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SYSTEMS = {
    "linux": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "macos": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
        "os_name": "posix",
    },
    "windows": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "AMD64",
        "os_name": "nt",
    },
}
PYTHONS = ("3.11", "3.12", "3.13")
OLDEST_MACOS = "14.0"
"""onnxruntime, which Chroma needs, has no wheels for older ones."""
GPU = re.compile(r"nvidia|nccl|cuda|triton|^torch")


def locked(repository: Path, system: str, python: str) -> dict[str, str]:
    """Package → version that the lock picks on a system."""
    environment = {
        **SYSTEMS[system],
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    picked: dict[str, str] = {}
    for line in (repository / "requirements.lock").read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9].*?)\s*\\?$", line):
            requirement = Requirement(match[1])
            if requirement.marker is None or requirement.marker.evaluate(environment):
                name = canonicalize_name(requirement.name)
                assert name not in picked, f"{name} is picked twice on {system}, Python {python}"
                picked[name] = str(requirement.specifier).removeprefix("==")
    return picked


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_satisfies_every_declared_dependency_on_each_system(
    repository: Path, system: str, python: str
) -> None:
    picked = locked(repository, system, python)
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    for text in project["project"]["dependencies"] + project["dependency-groups"]["dev"]:
        requirement = Requirement(text)
        environment = {**SYSTEMS[system], "python_version": python, "python_full_version": f"{python}.9"}
        if requirement.marker is None or requirement.marker.evaluate(environment):
            version = picked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_brings_xgboost_without_gpu_packages(repository: Path, system: str, python: str) -> None:
    picked = locked(repository, system, python)
    expected = {"xgboost"} if system == "macos" else {"xgboost-cpu"}
    assert {name for name in picked if name.startswith("xgboost")} == expected
    assert not [name for name in picked if GPU.search(name)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_resolves_to_wheels_on_each_system(repository: Path, system: str, tmp_path: Path) -> None:
    platform = {
        "linux": "x86_64-manylinux_2_28",
        "macos": "aarch64-apple-darwin",
        "windows": "x86_64-pc-windows-msvc",
    }
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--dry-run",
        "--target",
        str(tmp_path / "target"),
    ]
    command += ["--python-version", "3.11", "--python-platform", platform[system], "--only-binary", ":all:"]
    command += ["--require-hashes", "-r", str(repository / "requirements.lock")]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"+ {'xgboost' if system == 'macos' else 'xgboost-cpu'}==" in done.stderr + done.stdout


def test_each_dependency_is_justified_in_the_docs(repository: Path) -> None:
    text = (repository / "docs" / "dependencies.md").read_text()
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    names = [Requirement(line).name for line in project["project"]["dependencies"]]
    assert [name for name in names if name not in text] == []
