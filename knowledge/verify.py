"""Checks that an index holds together and still is what its files say."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from knowledge.embedding import installed_model
from knowledge.errors import KnowledgeError
from knowledge.generation import Catalogue, DocumentEntry, current, digest_of, read_catalogue
from knowledge.ingest import LEXICAL, VECTORS
from knowledge.lexical import LexicalIndex
from knowledge.vectors import VectorStore


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome.

    Attributes:
        documents: how many the index holds.
        chunks: how many it should hold.
        problems: what is wrong with it; empty when it holds together.
        notes: what is worth knowing: files that changed or are gone since.
    """

    documents: int
    chunks: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the index holds together."""
        return not self.problems


def verify_index(directory: Path) -> Verification:
    """Compare catalogue, chunks, vectors and the lexical index, and the files they came from.

    Raises:
        KnowledgeError: when there is no index or its catalogue cannot be read.
    """
    generation = current(directory)
    if generation is None:
        raise KnowledgeError(f"{directory}: no index yet; run smartgrid knowledge ingest")
    catalogue = read_catalogue(generation)
    problems = tuple(_problems(directory, generation, catalogue)) if catalogue.documents else ()
    total = sum(entry.chunks for entry in catalogue.documents)
    notes = tuple(note for entry in catalogue.documents if (note := _source_note(entry)))
    return Verification(len(catalogue.documents), total, problems, notes)


def _problems(directory: Path, generation: Path, catalogue: Catalogue) -> Iterator[str]:
    total = sum(entry.chunks for entry in catalogue.documents)
    try:
        store = VectorStore(generation / VECTORS)
    # Chroma raises errors of many kinds on a damaged directory, all of them mean the same here.
    except Exception as error:  # noqa: BLE001
        yield f"chunks cannot be opened ({error}); ingest again"
        return
    try:
        yield from _stored_problems(store, catalogue, total)
    finally:
        store.close()
    try:
        LexicalIndex.load(generation / LEXICAL, total)
    except (OSError, ValueError, KeyError) as error:
        yield f"the lexical index cannot be read ({error}); ingest again"
    model = installed_model(directory)
    if catalogue.model and (model is None or model.name != catalogue.model):
        yield f"the embedding model {catalogue.model} is not installed; run smartgrid knowledge model"


def _stored_problems(store: VectorStore, catalogue: Catalogue, total: int) -> Iterator[str]:
    if len(store) != total:
        yield f"{len(store)} chunks are stored, {total} are listed; ingest again"
        return
    chunks, first = store.chunks(), 0
    for entry in catalogue.documents:
        after = first + entry.chunks
        if digest_of(chunks[first:after]) != entry.digest:
            yield f"{entry.name}: its chunks are not those that were ingested; ingest it again"
        first = after


def _source_note(entry: DocumentEntry) -> str:
    source = Path(entry.source)
    if not source.is_file():
        return f"{entry.name}: {entry.source} is gone; the index still holds it"
    if sha256(source.read_bytes()).hexdigest() != entry.sha256:
        return f"{entry.name}: {entry.source} has changed since; ingest it again"
    return ""
