"""The regulation index behind the tools and the command; without one, the shipped digest becomes it."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from knowledge.digest import pdf_paths
from knowledge.errors import KnowledgeError
from knowledge.generation import current, read_catalogue
from knowledge.index import Index, Passage, open_index

PATIENCE_S = 20.0
"""How long a search waits for the first index: less than clients wait for an answer."""

logger = logging.getLogger(__name__)


class RegulationLibrary:
    """The index of a state directory, opened or built at the first search.

    Where nothing was ingested the shipped digest becomes the first index: seconds, once, beside the
    searches; with a slow embedding model more. A search that does not want to wait that long says so.
    """

    def __init__(self, state: Path, *, patience_s: float = PATIENCE_S) -> None:
        self._directory = state / "knowledge"
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._building: threading.Thread | None = None
        self._problem: KnowledgeError | None = None

    def search(
        self,
        question: str,
        top: int = 5,
        *,
        rephrasings: Sequence[str] = (),
        document: str | None = None,
    ) -> list[Passage]:
        """The best passages, best first; empty when nothing relevant is there.

        Raises:
            KnowledgeError: when the index is damaged, still being built, or cannot be built.
        """
        index = self._opened()
        return index.search(question, top, rephrasings=rephrasings, document=document)

    def documents(self) -> list[str]:
        """Names of the documents that are indexed; none before the first search or ingest.

        Raises:
            KnowledgeError: when the index is damaged.
        """
        generation = current(self._directory)
        if generation is None:
            return []
        return [entry.name for entry in read_catalogue(generation).documents]

    def _opened(self) -> Index:
        """One index for all callers, who may come from several threads."""
        with self._lock:
            self._index = self._index or open_index(self._directory)
            if self._index is not None:
                return self._index
            if self._building is None or not self._building.is_alive():
                self._building = threading.Thread(target=self._build, name="regulation index", daemon=True)
                self._building.start()
            building = self._building
        building.join(self._patience_s)
        if building.is_alive():
            raise KnowledgeError(
                "the shipped digest is being indexed for the first time; ask again in a moment"
            )
        with self._lock:
            self._index = self._index or open_index(self._directory)
            if self._index is None:
                raise self._problem or KnowledgeError(f"{self._directory}: nothing of the digest is indexed")
            return self._index

    def _build(self) -> None:
        from knowledge.ingest import ingest_paths  # noqa: PLC0415  Chroma is slow to import

        try:
            ingest_paths(pdf_paths(), self._directory)
        except KnowledgeError as error:  # also where another process was faster: then its index is there
            self._problem = error
            logger.warning("the shipped digest was not indexed: %s", error)
