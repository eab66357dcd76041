"""docs/plugins.md: its files make a package that installs, and whose tests pass; its tables are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smartgrid.testing import CHECKS
from smartgrid.testing.definition_checks import LONGEST_DESCRIPTION
from tests.docs.snippets import files_in
from tools.registry import LOAD_LIMIT_S


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docs" / "plugins.md").read_text()


def test_the_package_in_the_guide_installs_and_its_tests_pass(
    text: str, repository: Path, tmp_path: Path
) -> None:
    written, site_packages = tmp_path / "cheap-hours", tmp_path / "site-packages"
    written.mkdir()
    for name, content in files_in(text).items():
        (written / name).write_text(content)
    assert {path.name for path in written.iterdir()} == {
        "pyproject.toml", "cheap_hours.py", "test_cheap_hours.py",
    }  # fmt: skip
    install = ["-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(site_packages)]
    subprocess.run([sys.executable, *install, str(written)], check=True, timeout=300)
    paths = os.pathsep.join((str(site_packages), str(repository)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "test_cheap_hours.py"],
        cwd=written,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    found = "from tools.registry import discover_tools; print(discover_tools())"
    listing = subprocess.run(
        [sys.executable, "-c", found],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "count_cheap_hours" in listing.stdout


def test_every_check_is_explained_and_no_other(text: str) -> None:
    table = text.partition("## What the kit checks")[2].partition("## What isolation means")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [check.__name__ for check in CHECKS]
    assert f"at most {LONGEST_DESCRIPTION} characters" in table


def test_the_time_to_load_is_told(text: str) -> None:
    assert f"takes more than {LOAD_LIMIT_S:g} s for it" in text
