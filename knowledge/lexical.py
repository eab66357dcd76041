"""The lexical index: BM25 over stems, one score a stem, so that a question's words can be weighed apart."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from knowledge.words import stems

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG

Scores = NDArray[np.float32]
K1, B = 1.2, 0.6


class LexicalIndex:
    """BM25 scores by stem."""

    def __init__(self, bm25: Any, count: int) -> None:
        self._bm25 = bm25
        self.count = count
        self._frequency = np.diff(bm25.scores["indptr"])
        self.unknown_idf = self._idf(1)

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index texts; their order is the order of the scores."""
        bm25 = bm25s.BM25(k1=K1, b=B)
        bm25.index([stems(text) or [""] for text in texts], show_progress=False)
        return cls(bm25, len(texts))

    def save(self, directory: Path) -> None:
        """Write it into a directory of its own."""
        self._bm25.save(directory, show_progress=False)

    @classmethod
    def load(cls, directory: Path, count: int) -> "LexicalIndex":
        """Read what ``save`` wrote."""
        return cls(bm25s.BM25.load(directory), count)

    def knows(self, stem: str) -> bool:
        """Whether any text has this stem."""
        return stem in self._bm25.vocab_dict

    def idf(self, stem: str) -> float:
        """How rare a stem is; one that no text has counts as one that a single text has."""
        if not self.knows(stem):
            return self.unknown_idf
        return self._idf(int(self._frequency[self._bm25.vocab_dict[stem]]))

    def scores(self, stem: str) -> Scores:
        """BM25 of one stem in every text; at most its ``idf``."""
        if not self.knows(stem):
            return np.zeros(self.count, dtype=np.float32)
        return np.asarray(self._bm25.get_scores([stem]), dtype=np.float32)

    def _idf(self, frequency: int) -> float:
        return float(np.log(1 + (self.count - frequency + 0.5) / (frequency + 0.5)))
