"""What regulation lookup is compared to: pieces of fixed size, searched by meaning or by words alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import bm25s
import chromadb
import numpy as np
from chromadb.config import Settings
from pypdf import PdfReader

from knowledge.embedding import Embedding
from knowledge.words import stems

PIECE = 1000
OVERLAP = 100
ADDED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """Something that was found.

    Attributes:
        document: file name.
        pages: cited, from 1.
        text: of the passage.
    """

    document: str
    pages: tuple[int, ...]
    text: str


class System(Protocol):
    """Something that answers questions."""

    def search(self, question: str, top: int) -> list[Answer]:
        """The best answers, best first."""
        ...


def fixed_pieces(pdfs: Sequence[Path]) -> list[Answer]:
    """Cut each document's text, as it is extracted, into pieces of 1,000 characters, whatever they hold."""
    return [piece for path in pdfs for piece in _pieces(path)]


def _pieces(path: Path) -> list[Answer]:
    text, starts = "", []
    for page in PdfReader(path).pages:
        starts.append(len(text))
        text += page.extract_text() + "\n"
    pieces = []
    for start in range(0, max(1, len(text)), PIECE - OVERLAP):
        part = text[start : start + PIECE]
        pages = [
            number for number, begin in enumerate(starts, start=1)
            if begin < start + PIECE and (number == len(starts) or starts[number] > start)
        ]  # fmt: skip
        if part.strip():
            pieces.append(Answer(path.name, tuple(pages), part))
    return pieces


class DenseBaseline:
    """Chroma over fixed pieces, by meaning alone."""

    def __init__(self, pieces: Sequence[Answer], embedding: Embedding) -> None:
        self._pieces, self._embedding = pieces, embedding
        client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False))
        name = f"pieces-{id(self)}"
        self._collection = client.create_collection(
            name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        vectors = embedding.encode([piece.text for piece in pieces])
        for first in range(0, len(pieces), ADDED_AT_ONCE):
            some = range(first, min(first + ADDED_AT_ONCE, len(pieces)))
            self._collection.add(ids=[str(at) for at in some], embeddings=vectors[some.start : some.stop])

    def search(self, question: str, top: int) -> list[Answer]:
        """The nearest pieces."""
        vector = self._embedding.encode([question])[0]
        found = self._collection.query(query_embeddings=[vector], n_results=top, include=[])
        return [self._pieces[int(at)] for at in found["ids"][0]]


class WordsBaseline:
    """BM25 over stems of the same pieces, each with its document's name."""

    def __init__(self, pieces: Sequence[Answer]) -> None:
        self._pieces = pieces
        self._bm25 = bm25s.BM25()
        self._bm25.index([stems(f"{piece.document}\n{piece.text}") for piece in pieces], show_progress=False)

    def search(self, question: str, top: int) -> list[Answer]:
        """The pieces with the highest BM25."""
        known = [stem for stem in stems(question) if stem in self._bm25.vocab_dict]
        if not known:
            return []
        scores = np.asarray(self._bm25.get_scores(known))
        return [self._pieces[at] for at in np.argsort(-scores, kind="stable")[:top]]
