"""Plain words and what the documents say for them."""

import re
from collections.abc import Callable
from pathlib import Path

from knowledge.everyday import everyday
from knowledge.index import open_index
from knowledge.ingest import ingest_paths
from knowledge.query import concepts


def test_every_line_of_the_dictionary_has_phrases_in_lower_case_on_both_sides() -> None:
    for plain, terms in everyday():
        for phrase in (*plain, *terms):
            assert re.fullmatch(r"[a-z0-9][a-z0-9 ,'/\-]*", phrase), phrase
        assert set(plain) != set(terms)


def test_plain_words_are_left_as_they_are_unless_it_is_asked() -> None:
    assert all(not concept.plainly for concept in concepts("did a virus get in?"))
    assert any(("malwar",) in concept.plainly for concept in concepts("did a virus get in?", plainly=True))


def test_the_longest_plain_phrase_is_taken_first() -> None:
    (concept,) = (one for one in concepts("the secret word", plainly=True) if one.plainly)
    assert concept.own == ("secret", "word")


def test_a_question_in_plain_words_finds_the_document_s_words(
    tmp_path: Path, make_pdf: Callable[..., Path]
) -> None:
    pages = (
        "The entity shall mitigate the threat of malicious code on each device that it detects.",
        "Landowners shall be notified by mail before any survey of the right-of-way is made.",
        "The balance of the area shall be recovered within a quarter of an hour after an event.",
    )
    ingest_paths([make_pdf(f"{at}.pdf", page) for at, page in enumerate(pages)], tmp_path / "index")
    index = open_index(tmp_path / "index")
    assert index is not None
    assert index.search("What do we do once a virus is found?")[0].document == "0.pdf"
    assert index.search("Must the farmer get a letter first?")[0].document == "1.pdf"


def test_plain_words_answer_no_question_about_other_matters(
    tmp_path: Path, make_pdf: Callable[..., Path]
) -> None:
    text = "The entity shall change each default password of a device before it is put in service."
    ingest_paths([make_pdf("one.pdf", text)], tmp_path / "index")
    index = open_index(tmp_path / "index")
    assert index is not None
    assert index.search("Which team scored in the second half of the derby?") == []
