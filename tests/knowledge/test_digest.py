"""The digest that ships: built from its sources, marked as a digest, pointing to the official text."""

import re
from functools import cache
from pathlib import Path

import pytest
from pypdf import PdfReader

from knowledge.digest import is_digest, pdf_paths
from knowledge.digest.build import NOTICE, Source, build, read_sources, render
from knowledge.standards import status_of

SOURCES = read_sources()


@cache
def text_of(path: Path) -> list[str]:
    return [page.extract_text() for page in PdfReader(path).pages]


def test_the_shipped_pdfs_say_what_the_sources_say(tmp_path: Path) -> None:
    built = build(tmp_path)
    assert [path.name for path in built] == [path.name for path in pdf_paths()]
    assert len(built) >= 30
    for fresh, shipped in zip(built, pdf_paths(), strict=True):
        assert text_of(fresh) == text_of(shipped), f"{shipped.name}: run python -m knowledge.digest.build"


def test_building_twice_gives_the_same_bytes() -> None:
    assert render(SOURCES[0]) == render(SOURCES[0])


@pytest.mark.parametrize("path", pdf_paths(), ids=lambda path: path.stem)
def test_every_page_is_marked_as_a_digest_and_points_to_the_official_text(path: Path) -> None:
    official = next(source.official for source in SOURCES if f"digest-{source.name}" == path.stem)
    for page in text_of(path):
        assert NOTICE in page
        assert f"Official text: {official}" in page
    assert is_digest(path.name)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_digest_is_of_a_version_that_the_table_of_standards_knows(source: Source) -> None:
    named = source.name.replace("FERC-Order-", "FERC Order No. ")
    found = status_of(named)
    assert found is not None
    assert found.standard == named
    assert source.title.startswith(named)
    assert found.replaced_by is None
    assert source.official.startswith(("https://www.nerc.com/", "https://www.govinfo.gov/"))


def test_nothing_of_the_source_is_lost_on_paper(tmp_path: Path) -> None:
    for source, path in zip(SOURCES, pdf_paths(), strict=True):
        words = re.findall(r"\w+", " ".join(text_of(path)))
        for line in source.lines:
            assert all(word in words for word in re.findall(r"\w+", line)), (source.name, line)


def test_a_source_without_its_official_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "BAL-001-2.md").write_text("# BAL-001-2: Balancing\nSee nerc.com\n")
    with pytest.raises(ValueError, match=r"BAL-001-2.md: begin with '# Title' and 'Official: https://...'"):
        read_sources(tmp_path)


def test_a_pdf_whose_source_is_gone_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "digest-old.pdf").write_bytes(b"%PDF-1.4")
    build(tmp_path)
    assert not (tmp_path / "digest-old.pdf").exists()


def test_an_official_document_is_no_digest() -> None:
    assert not is_digest("NERC_cip-007-6.pdf")
