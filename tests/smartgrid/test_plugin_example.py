"""The example package: installed as a user installs it, its tests run there, its tools served."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

TOOLS = {"cover_depot_peak", "plan_depot_charging"}
ROOMS = {
    "grid", "policies", "pipeline", "dispatch", "knowledge", "tools",
    "mcp_server", "grid_supervisor", "operator_console",
}  # fmt: skip


@pytest.fixture(scope="session")
def example(repository: Path) -> Path:
    return repository / "examples" / "plugin-ev-charging"


@pytest.fixture(scope="module")
def installed(repository: Path, example: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed beside the product."""
    site_packages = tmp_path_factory.mktemp("site-packages")
    options = ["--quiet", "--no-deps", "--target", str(site_packages)]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, str(example)]
    subprocess.run(command, check=True, timeout=300)
    paths = os.pathsep.join((str(site_packages), str(repository)))
    return os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}


def test_its_own_tests_pass_where_it_is_installed(
    installed: dict[str, str], example: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command += ["-c", str(example / "pyproject.toml"), str(example / "tests")]
    done = subprocess.run(
        command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_doctor_lists_its_tools(installed: dict[str, str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from smartgrid.cli import main; main()",
        "doctor",
        "--state",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=installed | {"COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    for tool in TOOLS:
        assert tool in done.stdout, done.stdout + done.stderr


@pytest.mark.anyio
async def test_a_client_is_offered_its_tools(
    installed: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    script = str(repository / "tests" / "mcp_server" / "stdio_grid.py")
    server = StdioServerParameters(
        command=sys.executable,
        args=[script, str(tmp_path / "state"), "grid:read"],
        env=installed,
        cwd=tmp_path,
    )
    async with Client(server) as client:
        listed = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}
    hints = listed["plan_depot_charging"]
    assert hints is not None
    assert hints.read_only_hint
    assert "cover_depot_peak" not in listed  # without the scope to dispatch


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_it_imports_smartgrid_alone(example: Path) -> None:
    for path in example.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top, _, rest = name.partition(".")
                assert top not in ROOMS, f"{path}: {name}"
                assert top != "smartgrid" or rest in {"plugin", "testing"}, f"{path}: {name}"
