"""PDFs → a new generation of the index; what has not changed is taken over from the old one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from knowledge.chunk import Chunk
from knowledge.chunking import chunks_of
from knowledge.embedding import InstalledModel, installed_model
from knowledge.errors import KnowledgeError, UnreadablePdfError
from knowledge.generation import (
    Catalogue,
    DocumentEntry,
    alone,
    current,
    digest_of,
    new_generation,
    read_catalogue,
    switch,
    write_catalogue,
)
from knowledge.latent import Latent
from knowledge.lexical import LexicalIndex
from knowledge.pdf_lines import read_pdf
from knowledge.vectors import VectorStore

Array = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
"""Told a step, how much of it is done and how much there is."""

VECTORS, LEXICAL, LATENT = "chroma", "lexical", "latent.npz"
EMBEDDED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        document: file name.
        status: what happened.
        pages: of the document.
        chunks: of the document in the index.
        reason: why it was skipped, or which pages carry no text.
    """

    document: str
    status: Literal["added", "replaced", "unchanged", "skipped"]
    pages: int = 0
    chunks: int = 0
    reason: str = ""


@dataclass
class _Contents:
    """The documents of a generation in the making; vectors are None where they are still to be made."""

    entries: dict[str, DocumentEntry] = field(default_factory=dict)
    chunks: dict[str, list[Chunk]] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)

    def put(self, entry: DocumentEntry, chunks: list[Chunk]) -> None:
        self.entries[entry.name], self.chunks[entry.name] = entry, chunks
        self.vectors.pop(entry.name, None)

    def drop(self, name: str) -> None:
        for part in (self.entries, self.chunks, self.vectors):
            part.pop(name, None)


def ingest_file(path: Path, directory: Path, *, progress: Progress | None = None) -> Outcome:
    """Ingest one PDF; see ``ingest_paths``."""
    return ingest_paths([path], directory, progress=progress)[0]


def ingest_paths(
    paths: Iterable[Path], directory: Path, *, progress: Progress | None = None
) -> tuple[Outcome, ...]:
    """Ingest PDFs and folders of PDFs; all that can be read are in the new index, or the old one stays.

    Args:
        paths: files, and folders that are searched for ``*.pdf``.
        directory: of the index.
        progress: told what is being done.

    Returns:
        What became of each file. One that cannot be read is skipped; an older version of it stays.

    Raises:
        KnowledgeError: when a path is missing, the index is damaged or another command changes it.
    """
    say = progress or _silent
    files = pdf_files(paths)
    with alone(directory):
        before = current(directory)
        contents = _load(before)
        outcomes = []
        for done, file in enumerate(files):
            say("reading", done, len(files))
            outcomes.append(_take(contents, file))
        say("reading", len(files), len(files))
        if any(outcome.status in {"added", "replaced"} for outcome in outcomes):
            _write(directory, before, contents, say)
    return tuple(outcomes)


def remove_documents(names: Sequence[str], directory: Path, *, progress: Progress | None = None) -> None:
    """Take documents out of the index.

    Raises:
        KnowledgeError: for a name that is not in it.
    """
    with alone(directory):
        before = current(directory)
        contents = _load(before)
        for name in names:
            if name not in contents.entries:
                known = ", ".join(contents.entries) or "nothing"
                raise KnowledgeError(f"{name!r} is not in the index; it holds {known}")
            contents.drop(name)
        _write(directory, before, contents, progress or _silent)


def rebuild(directory: Path, *, progress: Progress | None = None) -> int:
    """Make all vectors again, for instance with another model; the number of chunks."""
    with alone(directory):
        before = current(directory)
        contents = _load(before)
        if before is not None:
            _write(directory, before, contents, progress or _silent)
    return sum(map(len, contents.chunks.values()))


def pdf_files(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and all PDFs below folders, in order.

    Raises:
        KnowledgeError: for a path that does not exist or a folder without PDFs.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".pdf")
            if not below:
                raise KnowledgeError(f"{path}: no PDF in this folder")
            files += below
        elif path.is_file():
            files.append(path)
        else:
            raise KnowledgeError(f"{path}: no such file or folder")
    return list(dict.fromkeys(files))


def _take(contents: _Contents, file: Path) -> Outcome:
    """Read one file into the contents, if it is new."""
    data_sha256 = sha256(file.read_bytes()).hexdigest()
    old = contents.entries.get(file.name)
    if old is not None and old.sha256 == data_sha256:
        return Outcome(file.name, "unchanged", old.pages, old.chunks)
    try:
        pdf = read_pdf(file)
    except UnreadablePdfError as error:
        return Outcome(file.name, "skipped", reason=str(error))
    chunks = chunks_of(file, pdf)
    if not chunks:
        return Outcome(file.name, "skipped", len(pdf.pages), reason=f"{file.name}: no passage of text in it")
    first = chunks[0]
    entry = DocumentEntry(
        name=file.name,
        cited_as=first.name,
        title=first.title,
        sha256=data_sha256,
        pages=len(pdf.pages),
        empty_pages=pdf.empty_pages,
        chunks=len(chunks),
        digest=digest_of(chunks),
        source=str(file.resolve()),
    )
    contents.put(entry, chunks)
    blank = f"no text on pages {', '.join(map(str, pdf.empty_pages))}" if pdf.empty_pages else ""
    return Outcome(file.name, "replaced" if old else "added", entry.pages, entry.chunks, blank)


def _load(generation: Path | None) -> _Contents:
    """All of a generation, vectors of a model included; others are made anew each time."""
    contents = _Contents()
    if generation is None:
        return contents
    catalogue = read_catalogue(generation)
    if not catalogue.documents:
        return contents
    store = VectorStore(generation / VECTORS)
    try:
        chunks, first = store.chunks(), 0
        vectors = store.vectors() if catalogue.model else None
    finally:
        store.close()
    for entry in catalogue.documents:
        after = first + entry.chunks
        contents.put(entry, chunks[first:after])
        if vectors is not None:
            contents.vectors[entry.name] = vectors[first:after]
        first = after
    return contents


def _write(directory: Path, before: Path | None, contents: _Contents, say: Progress) -> None:
    after = new_generation(directory)
    model = installed_model(directory)
    chunks = [chunk for name in contents.entries for chunk in contents.chunks[name]]
    texts = [chunk.indexed for chunk in chunks]
    if chunks:
        say("indexing", 0, 1)
        LexicalIndex.build(texts).save(after / LEXICAL)
        if model is None:
            vectors = _learnt(texts, after)
        else:
            _forget_others(contents, before, model)
            vectors = _embedded(contents, model, say)
        store = VectorStore(after / VECTORS, create=True)
        try:
            store.add(chunks, vectors)
        finally:
            store.close()
        say("indexing", 1, 1)
    write_catalogue(after, Catalogue(tuple(contents.entries.values()), model.name if model else ""))
    switch(directory, before, after)


def _learnt(texts: Sequence[str], generation: Path) -> Array:
    latent = Latent.learn(texts)
    latent.save(generation / LATENT)
    return latent.encode(texts)


def _forget_others(contents: _Contents, before: Path | None, model: InstalledModel) -> None:
    """Drop vectors that another model has made."""
    if before is not None and read_catalogue(before).model != model.name:
        contents.vectors.clear()


def _embedded(contents: _Contents, model: InstalledModel, say: Progress) -> Array:
    """Vectors of all chunks; those of unchanged documents are kept."""
    wanted = [
        chunk.indexed
        for name in contents.entries
        if name not in contents.vectors
        for chunk in contents.chunks[name]
    ]
    made: list[Array] = []
    for first in range(0, len(wanted), EMBEDDED_AT_ONCE):
        say("embedding", first, len(wanted))
        made.append(model.model.encode(wanted[first : first + EMBEDDED_AT_ONCE]))
    fresh = iter(np.concatenate(made)) if made else iter(())
    rows: list[Array] = []
    for name in contents.entries:
        kept = contents.vectors.get(name)
        rows.extend(kept if kept is not None else [next(fresh) for _ in contents.chunks[name]])
    return np.stack(rows)


def _silent(_step: str, _done: int, _of: int) -> None:
    """For callers that show no progress."""
