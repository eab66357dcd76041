"""Ingesting: what changes, what stays, and what a crash leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.chunk import Chunk
from knowledge.errors import IndexDamagedError, KnowledgeError
from knowledge.generation import current, read_catalogue
from knowledge.index import Index, open_index
from knowledge.ingest import ingest_file, ingest_paths, pdf_files, remove_documents
from knowledge.vectors import Array, VectorStore


def opened(directory: Path) -> Index:
    index = open_index(directory)
    assert index is not None
    return index


def names(directory: Path) -> list[str]:
    generation = current(directory)
    assert generation is not None
    return [entry.name for entry in read_catalogue(generation).documents]


def test_the_same_file_again_changes_nothing(corpus: Path, make_standard: Callable[[str], Path]) -> None:
    before = current(corpus)
    assert ingest_file(make_standard("BAL-777-2"), corpus).status == "unchanged"
    assert current(corpus) == before


def test_a_changed_file_replaces_its_passages(corpus: Path, make_pdf: Callable[..., Path]) -> None:
    outcome = ingest_file(
        make_pdf("harbour.pdf", "The lighthouse keeper counts seagulls every morning of the week."), corpus
    )
    assert outcome.status == "replaced"
    assert opened(corpus).search("lighthouse keeper seagulls")[0].document == "harbour.pdf"
    assert opened(corpus).search("register of ships, mooring fee of a vessel") == []
    assert sorted(names(corpus)) == ["BAL-777-2.pdf", "harbour.pdf", "order.pdf"]


def test_a_broken_file_is_skipped_and_its_older_version_stays(corpus: Path, tmp_path: Path) -> None:
    broken = tmp_path / "harbour.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing")
    before = current(corpus)
    outcome = ingest_file(broken, corpus)
    assert outcome.status == "skipped"
    assert "broken" in outcome.reason
    assert current(corpus) == before
    assert opened(corpus).search("register of ships, mooring fee of a vessel")


def test_good_files_are_taken_beside_broken_ones(
    tmp_path: Path, make_standard: Callable[[str], Path]
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"no PDF")
    outcomes = ingest_paths([tmp_path / "bad.pdf", make_standard("BAL-777-2")], tmp_path / "index")
    assert [outcome.status for outcome in outcomes] == ["skipped", "added"]
    assert names(tmp_path / "index") == ["BAL-777-2.pdf"]


@pytest.mark.parametrize(
    "place",
    ["knowledge.ingest.VectorStore.add", "knowledge.ingest.write_catalogue", "knowledge.ingest.switch"],
)
def test_a_crash_in_the_middle_leaves_the_old_index(
    corpus: Path, make_standard: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def crash(*_given: object) -> None:
        raise MemoryError("no more")

    before = current(corpus)
    with monkeypatch.context() as broken:
        broken.setattr(place, crash)
        with pytest.raises(MemoryError):
            ingest_file(make_standard("BAL-778-1"), corpus)
    assert current(corpus) == before
    assert opened(corpus).search("BAL-777-2 R2")
    assert ingest_file(make_standard("BAL-778-1"), corpus).status == "added"
    assert len(list((corpus / "generations").iterdir())) == 2


def test_two_ingests_at_once_do_not_lose_one(
    corpus: Path, make_standard: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = VectorStore.add
    told = []

    def meanwhile(store: VectorStore, chunks: list[Chunk], vectors: Array) -> None:
        with pytest.raises(KnowledgeError, match="another command is changing the index") as refused:
            ingest_file(make_standard("BAL-779-1"), corpus)
        told.append(refused)
        add(store, chunks, vectors)

    monkeypatch.setattr(VectorStore, "add", meanwhile)
    ingest_file(make_standard("BAL-778-1"), corpus)
    assert len(told) == 1
    assert names(corpus) == ["BAL-777-2.pdf", "harbour.pdf", "order.pdf", "BAL-778-1.pdf"]


def test_a_removed_document_is_found_no_more(corpus: Path) -> None:
    remove_documents(["order.pdf"], corpus)
    assert names(corpus) == ["BAL-777-2.pdf", "harbour.pdf"]
    assert opened(corpus).search("Order No. 1977 ¶ 2") == []
    with pytest.raises(KnowledgeError, match=r"'order\.pdf' is not in the index; it holds BAL-777-2\.pdf"):
        remove_documents(["order.pdf"], corpus)


def test_an_index_may_become_empty_and_be_filled_again(
    corpus: Path, make_standard: Callable[[str], Path]
) -> None:
    remove_documents(names(corpus), corpus)
    assert opened(corpus).search("BAL-777-2 R2") == []
    assert ingest_file(make_standard("BAL-777-2"), corpus).status == "added"
    assert opened(corpus).search("BAL-777-2 R2")


def test_folders_are_searched_and_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(KnowledgeError, match="no PDF in this folder"):
        pdf_files([tmp_path / "in"])
    (tmp_path / "in" / "A.PDF").touch()
    assert pdf_files([tmp_path / "in", tmp_path / "in" / "A.PDF"]) == [tmp_path / "in" / "A.PDF"]
    with pytest.raises(KnowledgeError, match="no such file"):
        pdf_files([tmp_path / "none.pdf"])


def test_a_pointer_that_leads_nowhere_is_told(corpus: Path) -> None:
    (corpus / "current.json").write_text(json.dumps({"generation": "gone"}))
    with pytest.raises(IndexDamagedError, match="ingest again"):
        open_index(corpus)
