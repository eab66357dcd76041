"""The question set of ``bench knowledge``: its form, its counts and, with the data, its gold pages."""

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pypdf import PdfReader

LEAST = {"identifier": 14, "near": 18, "paraphrase": 28, "unanswerable": 12}


class Gold(BaseModel):
    """Every page of a document that holds the answer; counted from 1."""

    model_config = ConfigDict(extra="forbid", strict=True)

    document: str = Field(pattern=r"\.pdf$")
    pages: list[int] = Field(min_length=1)


class Question(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    split: Literal["tune", "judge"]
    kind: Literal["identifier", "near", "paraphrase", "unanswerable"]
    question: str = Field(min_length=3, max_length=500)
    gold: list[Gold]


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    text = (files("smartgrid.bench") / "knowledge_questions.json").read_text(encoding="utf-8")
    return [Question.model_validate(row) for row in json.loads(text)]


def test_every_kind_has_enough_questions_and_half_of_them_judge(questions: list[Question]) -> None:
    for kind, least in LEAST.items():
        splits = Counter(question.split for question in questions if question.kind == kind)
        assert splits.total() >= least
        assert splits["tune"] == splits["judge"]


def test_no_question_stands_twice(questions: list[Question]) -> None:
    assert len({question.id for question in questions}) == len(questions)
    assert len({question.question.casefold() for question in questions}) == len(questions)


def test_only_the_unanswerable_have_no_gold(questions: list[Question]) -> None:
    assert all((question.kind == "unanswerable") == (not question.gold) for question in questions)


def test_both_halves_ask_about_every_document(questions: list[Question]) -> None:
    asked = {
        split: {gold.document for question in questions if question.split == split for gold in question.gold}
        for split in ("tune", "judge")
    }
    assert asked["tune"] == asked["judge"]
    assert len(asked["judge"]) == 10


def test_gold_pages_exist_and_hold_text(questions: list[Question], data_dir: Path) -> None:
    wanted: dict[str, set[int]] = {}
    for question in questions:
        for gold in question.gold:
            assert gold.pages == sorted(set(gold.pages))
            wanted.setdefault(gold.document, set()).update(gold.pages)
    for document, pages in wanted.items():
        reader = PdfReader(data_dir / "pdfs" / document)
        assert min(pages) >= 1 and max(pages) <= len(reader.pages)
        few = sorted(pages)[:: max(1, len(pages) // 3)]
        assert all(len(reader.pages[page - 1].extract_text()) > 200 for page in few)
