"""The pages: links lead somewhere, commands and metrics exist, the reference is what the code gives."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from smartgrid.cli import app
from smartgrid.reference.pages import PAGES
from tests.docs.snippets import command_lines, pages, runs_in

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
FENCE = re.compile(r"```.*?```", re.DOTALL)
METRIC = re.compile(r"smartgrid_(?:stream|telemetry|forecast)_[a-z_]+")


def slugs(heading: str) -> set[str]:
    """The anchors of a heading, as GitHub and as MkDocs make them."""
    kept = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return {re.sub(r"\s", "-", kept), re.sub(r"[-\s]+", "-", kept)}


def anchors(page: Path) -> set[str]:
    """The anchors that a page has under both rules."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {slug for heading in headings for slug in slugs(heading) if len(slugs(heading)) == 1}


def broken(page: Path, root: Path) -> Iterator[str]:
    """The links of a page that lead nowhere, or out of the folder of which a site is made."""
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or not target.is_relative_to(root):
            yield f"{page.name}: {link}: no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{page.name}: {link}: no such heading"


def test_every_link_between_pages_leads_to_a_file_and_a_heading(repository: Path) -> None:
    docs = repository / "docs"
    found = [
        problem
        for page in pages(repository)
        for problem in broken(page, docs if page.is_relative_to(docs) else repository)
    ]
    assert found == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c\n[1](#a-b-c) [2](#a-c) [3](other.md) [4](../x.md) `[5](no.md)` [6](https://x.org)"
    )
    assert list(broken(page, tmp_path)) == [
        "page.md: #a-c: no such heading", "page.md: other.md: no such file", "page.md: ../x.md: no such file",
    ]  # fmt: skip


def understand(line: str) -> None:
    """Parse a command line as the program does, without running it.

    Raises:
        Exception: of typer, for one that it would refuse with exit code 2.
    """
    words, command, name = shlex.split(line), get_command(app), "smartgrid"
    if "--help" in words:
        return
    context = typer.Context(command, info_name=name)
    while inside := getattr(command, "commands", None):
        name = words.pop(0)
        assert name in inside, f"no command {name!r}"
        command, context = inside[name], typer.Context(inside[name], info_name=name, parent=context)
    command.make_context(name, words, parent=context.parent)


def test_every_command_line_in_the_pages_is_one_that_the_program_understands(repository: Path) -> None:
    refused, seen = [], 0
    for page in pages(repository):
        for line in command_lines(page.read_text("utf-8")):
            seen += 1
            try:
                understand(line)
            except Exception as error:  # noqa: BLE001  typer's copy of click has no public base of its errors
                refused.append(f"{page.name}: smartgrid {line}: {error or type(error)}")
    assert refused == []
    assert seen > 80


@pytest.mark.parametrize("line", ["demmo", "demo --sed 1", "demo --seed x", "approvals approve 1", "audit"])
def test_a_command_line_that_the_program_refuses_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r".*"):
        understand(line)


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_on_disk_is_what_the_code_gives(name: str, repository: Path) -> None:
    on_disk = (repository / "docs" / "reference" / name).read_text("utf-8")
    assert on_disk == PAGES[name](), "run: make docs"


def test_the_reference_has_no_other_pages(repository: Path) -> None:
    assert {page.name for page in (repository / "docs" / "reference").iterdir()} == set(PAGES)


def test_every_option_and_field_of_the_reference_is_described(repository: Path) -> None:
    for name in ("commands.md", "settings.md", "limits.md"):
        text = (repository / "docs" / "reference" / name).read_text("utf-8")
        bare = re.findall(r"^\| `[^`]+` .*\| \|$", FENCE.sub("", text), re.MULTILINE)
        assert bare == [], name


def test_every_metric_in_the_pages_exists(repository: Path) -> None:
    known = set(METRIC.findall((repository / "docs" / "reference" / "metrics.md").read_text("utf-8")))
    for page in pages(repository):
        assert set(METRIC.findall(page.read_text("utf-8"))) <= known, page


def test_every_alarm_of_the_console_is_in_the_runbook(repository: Path) -> None:
    source = (repository / "operator_console" / "alarms.py").read_text("utf-8")
    titles = re.findall(r'Alarm\("\w+", f?"([^"{]+)', source)
    titles += re.findall(r'^ +"\w+": "([^"]+)"', source, re.MULTILINE)
    runbook = (repository / "docs" / "operations.md").read_text("utf-8")
    assert len(titles) >= 10
    assert [title for title in titles if title not in runbook] == []


def test_the_index_leads_to_every_page_of_the_docs(repository: Path) -> None:
    docs = repository / "docs"
    named = {(docs / link).resolve() for link in LINK.findall((docs / "index.md").read_text("utf-8"))}
    missing = [page for page in docs.rglob("*.md") if page not in named and page.parent.name != "adr"]
    assert missing == [docs / "index.md"]


def test_the_site_lists_every_page_of_the_docs(repository: Path) -> None:
    listed = re.findall(r"\b[\w/-]+\.md\b", (repository / "mkdocs.yml").read_text("utf-8"))
    docs = repository / "docs"
    there = {str(page.relative_to(docs)) for page in docs.rglob("*.md") if page.parent.name != "adr"}
    assert set(listed) == there | {"adr/README.md"}


def test_blocks_to_type_are_told_from_others() -> None:
    text = (
        "```sh\nskip\n```\n<!-- run -->\n```sh\none\ntwo\n```\n"
        "<!-- run until ready now -->\n```sh\nrole\n```\n"
        "<!-- run after stopping -->\n```sh\nthree\n```\n"
    )
    found = [(run.lines, run.until, run.stop_first) for run in runs_in(text)]
    assert found == [("one\ntwo\n", None, False), ("role\n", "ready now", False), ("three\n", None, True)]
