"""The wheel, installed into an environment of its own, as a user has it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "uv",
        "build",
        "--wheel",
        "--quiet",
        "--out-dir",
        str(out),
        str(repository),
    ]
    subprocess.run(command, check=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_the_rooms_and_the_sample_but_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {
        "grid", "policies", "pipeline", "dispatch", "knowledge", "tools",
        "mcp_server", "grid_supervisor", "operator_console", "smartgrid",
    }  # fmt: skip
    assert any(name.endswith("luxembourg_2024-03-04_8_weeks.csv.gz") for name in names)
    assert "policies/default_limits.yaml" in names
    assert "dispatch/migrations/versions/r0001_first_tables.py" in names
    assert "knowledge/data/everyday.txt" in names
    assert "smartgrid/report/templates/report.html.j2" in names
    assert {"operator_console/templates/login.html.j2", "operator_console/static/console.css"} <= set(names)


def test_installed_command_works_in_a_directory_with_tools_and_grid_of_its_own(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "env"
    subprocess.run(
        [sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(environment)],
        check=True,
    )
    bin_dir = environment / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(bin_dir / "python")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, str(wheel)]
    subprocess.run(install, check=True, timeout=400)
    here = tmp_path / "here"
    for room in ("tools", "grid"):
        (here / room).mkdir(parents=True)
        (here / room / "__init__.py").write_text("raise RuntimeError('the wrong room')\n")
    state = ["--state", str(tmp_path / "state")]
    command = [str(bin_dir / "smartgrid"), "doctor", *state]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tools" in done.stdout
