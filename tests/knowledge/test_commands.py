"""``smartgrid knowledge``: what the commands print and how they end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from smartgrid.cli import app


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run_command(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["knowledge", *arguments, "--state", str(tmp_path / "state")])

    return run_command


@pytest.fixture
def filled(run: Callable[..., Result], make_standard: Callable[[str], Path]) -> Path:
    path = make_standard("BAL-777-2")
    assert run("ingest", str(path)).exit_code == 0
    return path


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_search_prints_passages_with_pages_and_the_engine_s_time(
    run: Callable[..., Result], filled: Path
) -> None:
    found = answer(run("search", "BAL-777-2 R2", "--top", "1", "--json"))
    assert found["found"] is True
    assert found["engine_ms"] > 0
    (passage,) = found["passages"]
    assert (passage["document"], passage["pages"]) == ("BAL-777-2.pdf", [2])
    assert passage["citation"] == "BAL-777-2 R2, p. 2"
    assert "within 15 minutes" in passage["text"]
    assert 0 < passage["score"] <= 1


def test_where_nothing_was_ingested_the_digest_answers(run: Callable[..., Result]) -> None:
    found = answer(run("search", "BAL-003-2 R1", "--top", "1", "--json"))
    assert found["passages"][0]["document"] == "digest-BAL-003-2.pdf"


def test_what_is_not_found_is_an_answer_and_no_error(run: Callable[..., Result], filled: Path) -> None:
    found = answer(run("search", "What does FAC-003 require for trees?", "--json"))
    assert (found["found"], found["passages"]) == (False, [])
    assert "Nothing relevant found" in run("search", "What does FAC-003 require for trees?").stdout


def test_ingesting_tells_what_became_of_each_file(
    run: Callable[..., Result], filled: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"no PDF at all")
    told = answer(run("ingest", str(filled), str(tmp_path / "bad.pdf"), "--json"))
    assert [(one["document"], one["status"]) for one in told] == [
        ("BAL-777-2.pdf", "unchanged"),
        ("bad.pdf", "skipped"),
    ]
    assert "broken" in told[1]["reason"]
    assert run("ingest", str(tmp_path / "bad.pdf")).exit_code == 1


def test_the_list_says_what_there_is_and_whose_the_vectors_are(
    run: Callable[..., Result], filled: Path
) -> None:
    listed = answer(run("list", "--json"))
    (own,) = listed["documents"]  # what was ingested first stands alone
    assert (own["document"], own["cited_as"], own["pages"]) == ("BAL-777-2.pdf", "BAL-777-2", 2)
    assert "corpus" in listed["vectors"]
    assert "smartgrid knowledge model --fetch" in run("list").stdout


def test_removing_and_verifying(run: Callable[..., Result], filled: Path) -> None:
    assert answer(run("verify", "--json"))["ok"] is True
    filled.unlink()
    verified = run("verify")
    assert verified.exit_code == 0
    assert "is gone" in verified.stderr
    assert run("remove", "BAL-777-2.pdf").exit_code == 0
    assert "BAL-777-2.pdf" not in {one["document"] for one in answer(run("list", "--json"))["documents"]}
    again = run("remove", "BAL-777-2.pdf")
    assert again.exit_code == 1
    assert "is not in the index" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("verify",), "no index yet"),
        (("ingest", "nowhere.pdf"), "no such file"),
        (("model", "--from", "nowhere"), "no tokenizer.json"),
        (("model", "--fetch", "--remove"), "one of --fetch"),
    ],
)
def test_what_the_user_can_mend_is_one_line(
    run: Callable[..., Result], arguments: tuple[str, ...], told: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "Traceback" not in result.output
