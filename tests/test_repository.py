"""What must hold for the repository as a whole."""

import re
import subprocess
from pathlib import Path

import pytest

SECRET = re.compile(
    r"(?i)\b(password|passwd|secret|api[_-]?key|token)\b\s*[:=]\s*[\"'][^\"'\s]{8,}[\"']"
    r"|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{30,}"
)


def tracked_texts(repository: Path) -> dict[str, str]:
    """Path → text of every tracked text file."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    texts = {}
    for name in filter(None, listing.stdout.split("\0")):
        path = repository / name
        if path.is_file() and path.suffix not in {".gz", ".png", ".pdf"}:
            texts[name] = path.read_text(encoding="utf-8")
    return texts


def test_no_credentials_are_in_the_repository(repository: Path) -> None:
    found = [
        f"{name}:{number}"
        for name, text in tracked_texts(repository).items()
        for number, line in enumerate(text.splitlines(), 1)
        if SECRET.search(line)
    ]
    assert found == []


def test_the_credential_pattern_recognises_a_hard_coded_token() -> None:
    assert SECRET.search('INFLUX_TOKEN = "x"; token = "' + "s" * 20 + '"')


def test_only_ci_run_knows_of_the_folder_beside_the_repository(repository: Path) -> None:
    needle = "../" + "shared"
    own = "tests/test_repository.py"
    naming = [name for name, text in tracked_texts(repository).items() if needle in text and name != own]
    assert naming == []
    assert "SMARTGRID_DATA_DIR" in (repository / ".ci" / "run").read_text()


def test_no_broad_except_hides_below_the_top_of_a_loop(repository: Path) -> None:
    rooms = ("grid/", "policies/", "pipeline/", "dispatch/", "knowledge/", "tools/")
    broad = [
        name
        for name, text in tracked_texts(repository).items()
        if name.startswith(rooms) and re.search(r"except\s*(Exception|BaseException)?\s*:", text)
    ]
    assert broad == []
