"""``verify``: what does not hold together is named."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.errors import KnowledgeError
from knowledge.generation import current
from knowledge.verify import verify_index


def generation(directory: Path) -> Path:
    found = current(directory)
    assert found is not None
    return found


def test_a_fresh_index_holds_together(corpus: Path) -> None:
    found = verify_index(corpus)
    assert (found.ok, found.documents, found.notes) == (True, 3, ())
    assert found.chunks > 5


def test_changed_text_is_found(corpus: Path) -> None:
    with sqlite3.connect(generation(corpus) / "chroma" / "chroma.sqlite3") as database:
        changed = database.execute(
            "UPDATE embedding_metadata SET string_value = replace(string_value, '15 minutes', '90 minutes')"
            " WHERE key = 'chroma:document'"
        ).rowcount
    database.close()
    assert changed
    (problem,) = verify_index(corpus).problems
    assert problem.startswith("BAL-777-2.pdf: its chunks are not those that were ingested")


def test_a_lost_lexical_index_is_found(corpus: Path) -> None:
    (generation(corpus) / "lexical" / "params.index.json").unlink()
    assert "the lexical index cannot be read" in verify_index(corpus).problems[0]


def test_files_that_changed_or_are_gone_are_noted(corpus: Path, make_pdf: Callable[..., Path]) -> None:
    make_pdf("harbour.pdf", "The lighthouse keeper counts seagulls every morning of the week.")
    (corpus.parent / "order.pdf").unlink()
    found = verify_index(corpus)
    assert found.ok
    assert [note.split(":")[0] for note in found.notes] == ["harbour.pdf", "order.pdf"]


def test_where_nothing_was_ingested_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="run smartgrid knowledge ingest"):
        verify_index(tmp_path)
