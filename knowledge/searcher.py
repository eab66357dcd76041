"""Search over one generation of the index: words, meaning and identifiers, then order by structure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.chunk import Chunk
from knowledge.embedding import Embedding, installed_model
from knowledge.errors import IndexDamagedError
from knowledge.generation import Catalogue, read_catalogue
from knowledge.identifiers import Identifiers, find_identifiers
from knowledge.ingest import LATENT, LEXICAL, VECTORS
from knowledge.latent import Latent
from knowledge.lexical import LexicalIndex
from knowledge.places import Found, Places
from knowledge.query import Corpus, concepts, match
from knowledge.ranking import LEAST_PLACE, Evidence, Ranker
from knowledge.vectors import VectorStore

Floats = NDArray[np.float32]

PLACE_WORDS = re.compile(
    r"\b(?:table|parts?|requirements?|criteri(?:on|a)|paragraphs?|sections?|standards?|rows?|items?|docket|no|say|ask)\b",
    re.IGNORECASE,
)
"""Words beside an identifier that ask nothing of the text."""
FOUND = 0.45
"""Share of a question's words in the best chunk, from which on the words are the documents' own."""
NEAREST = 400
"""Neighbours that are asked of the vector store."""
MOST_REPHRASINGS = 4
REPHRASED = 0.3
"""What the other wordings of a question add to the best one."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and how relevant it is, 0 to 1."""

    chunk: Chunk
    score: float


class Searcher:
    """One generation, loaded."""

    def __init__(self, generation: Path, directory: Path) -> None:
        self.catalogue: Catalogue = read_catalogue(generation)
        self._store: VectorStore | None = None
        self.chunks: list[Chunk] = []
        if not self.catalogue.documents:
            return
        self._store = VectorStore(generation / VECTORS)
        self.chunks = self._store.chunks()
        if len(self.chunks) != sum(entry.chunks for entry in self.catalogue.documents):
            raise IndexDamagedError(f"{generation}: chunks are missing; ingest the documents again")
        self._lexical = LexicalIndex.load(generation / LEXICAL, len(self.chunks))
        self._embedding = _embedding(self.catalogue, generation, directory)
        self._places = Places(self.chunks)
        self._ranker = Ranker(self.chunks)
        self._corpus = Corpus(self._lexical, "\n".join(chunk.text for chunk in self.chunks).lower())

    def search(
        self, question: str, top: int, rephrasings: Sequence[str] = (), document: str | None = None
    ) -> list[Hit]:
        """The best chunks for a question and other wordings of it; empty when none is relevant."""
        if not self.chunks:
            return []
        scores = [self.scores(wording, document) for wording in (question, *rephrasings[:MOST_REPHRASINGS])]
        fused = _fused([one for one in scores if one is not None])
        if fused is None:
            return []
        return [Hit(self.chunks[at], score) for at, score in self._ranker.best(fused, top)]

    def scores(self, question: str, document: str | None = None) -> Floats | None:
        """Relevance of every chunk to one wording; None when nothing relevant is there."""
        return self._ranker.relevance(self.evidence(question, document))

    def evidence(self, question: str, document: str | None = None) -> Evidence:
        """What words, meaning and identifiers say of every chunk."""
        named = find_identifiers(question)
        found = self._found(named)
        matter = question if found is None else PLACE_WORDS.sub(" ", named.rest)
        wanted = concepts(matter)
        own = match(self._lexical, wanted)
        plain = found is None and own.share.max(initial=0.0) < FOUND
        inside = np.array([chunk.document == document for chunk in self.chunks]) if document else None
        return Evidence(
            named=named,
            found=found,
            own=own,
            lexical=match(self._lexical, concepts(matter, plainly=True)) if plain else own,
            cosine=self._cosine(question, document),
            with_model=bool(self.catalogue.model),
            names=self._corpus.names(matter),
            strangers=self._corpus.strangers(matter),
            inside=inside,
            bare=found is not None and not wanted,
        )

    def close(self) -> None:
        """Let go of the files."""
        if self._store is not None:
            self._store.close()

    def _found(self, named: Identifiers) -> Found | None:
        """Where the identifiers stand; None when none is named, or a place alone that is nowhere."""
        if not (named.names_document or named.names_place):
            return None
        found = self._places.find(named)
        nowhere = not named.names_document and found.place.max(initial=0.0) < LEAST_PLACE
        return None if nowhere else found

    def _cosine(self, question: str, document: str | None) -> Floats:
        cosine = np.zeros(len(self.chunks), dtype=np.float32)
        vector = self._embedding.encode([question])[0]
        if self._store is not None and vector.any():
            for at, value in self._store.nearest(vector, NEAREST, document).items():
                cosine[at] = value
        return cosine


def _embedding(catalogue: Catalogue, generation: Path, directory: Path) -> Embedding:
    if not catalogue.model:
        return Latent.load(generation / LATENT)
    model = installed_model(directory)
    if model is None or model.name != catalogue.model:
        raise IndexDamagedError(
            f"the index was made with the model {catalogue.model}, which is not installed;"
            " run smartgrid knowledge model --from DIR, or ingest again"
        )
    return model.model


def _fused(scores: Sequence[Floats]) -> Floats | None:
    """The best wording of each chunk, and a share of what the others say."""
    if not scores:
        return None
    stacked = np.stack(scores)
    strongest: Floats = stacked.max(axis=0)
    if len(scores) == 1:
        return strongest
    others = (stacked.sum(axis=0) - strongest) / (len(scores) - 1)
    fused: Floats = (strongest + REPHRASED * others) / np.float32(1 + REPHRASED)
    return fused
