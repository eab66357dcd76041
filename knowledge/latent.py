"""Latent semantic analysis: the strongest directions in which the corpus's words go together.

The vectors where no embedding model is installed; all that they know is what the documents say.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

from knowledge.words import stems

Array = NDArray[np.float32]
SEED: Final = 0
DIMENSIONS: Final = 256


@dataclass(frozen=True)
class Latent:
    """Texts → vectors of length one.

    Attributes:
        rows: row of each stem.
        directions: (row, dimension), the columns by falling strength.
        idf: how rare each stem is, by row.
    """

    rows: dict[str, int]
    directions: Array
    idf: Array

    @classmethod
    def learn(cls, texts: Sequence[str], dimensions: int = DIMENSIONS) -> "Latent":
        """Learn at most so many directions from the passages of a corpus."""
        # scikit-learn's TruncatedSVD is this same call, and divides by the variance, which one text lacks.
        vectorizer = TfidfVectorizer(
            analyzer=lambda text: stems(text) or [""], sublinear_tf=True, dtype=np.float32
        )
        weights = vectorizer.fit_transform(texts)
        wanted = max(1, min(dimensions, *(size - 1 for size in weights.shape)))
        _, _, columns = randomized_svd(weights, n_components=wanted, n_iter=4, random_state=SEED)
        rows = {str(stem): int(row) for stem, row in vectorizer.vocabulary_.items()}
        return cls(rows, columns.T.astype(np.float32), vectorizer.idf_.astype(np.float32))

    def encode(self, texts: Sequence[str]) -> Array:
        """One row per text; zeros where no word is known."""
        return unit(np.stack([self._sum(text) for text in texts]))

    def save(self, path: Path) -> None:
        """Write it to one file."""
        order = sorted(self.rows, key=self.rows.__getitem__)
        np.savez(path, stems=np.array(json.dumps(order)), directions=self.directions, idf=self.idf)

    @classmethod
    def load(cls, path: Path) -> "Latent":
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            order = json.loads(str(stored["stems"]))
            return cls({stem: row for row, stem in enumerate(order)}, stored["directions"], stored["idf"])

    def _sum(self, text: str) -> Array:
        """The sum of a text's words, each by how rare it is and by how often it stands there."""
        counts = Counter(row for stem in stems(text) if (row := self.rows.get(stem)) is not None)
        at = np.fromiter(counts, dtype=np.int64, count=len(counts))
        often = 1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
        total: Array = ((often * self.idf[at])[:, None] * self.directions[at]).sum(axis=0)
        return total


def unit(vectors: Array) -> Array:
    """Rows of length one; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Array = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled
