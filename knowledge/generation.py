"""The index on disk: whole generations side by side and one pointer, so that a crash leaves the old one.

``current.json`` names the generation in use and is replaced atomically after a new one is complete. The
generation before is kept, for readers that still have it open.
"""

import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from knowledge.chunk import Chunk
from knowledge.errors import IndexDamagedError, KnowledgeError

POINTER: Final = "current.json"
GENERATIONS: Final = "generations"
LOCK: Final = "writing.lock"
FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """What the index knows of one document.

    Attributes:
        name: file name.
        cited_as: such as CIP-007-6.
        title: in words.
        sha256: of the file.
        pages: how many.
        empty_pages: numbers of pages without text.
        chunks: how many.
        digest: sha256 over its chunks, for ``verify``.
        source: where it was read from.
    """

    name: str
    cited_as: str
    title: str
    sha256: str
    pages: int
    empty_pages: tuple[int, ...]
    chunks: int
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a generation holds.

    Attributes:
        documents: in the order of their chunks.
        model: of the sentence embedding; empty where the vectors are learnt from the corpus.
    """

    documents: tuple[DocumentEntry, ...] = ()
    model: str = ""

    def find(self, name: str) -> DocumentEntry | None:
        """The entry of a document."""
        return next((entry for entry in self.documents if entry.name == name), None)


def current(directory: Path) -> Path | None:
    """The generation in use; None where nothing was ingested.

    Raises:
        IndexDamagedError: when the pointer cannot be read or points nowhere.
    """
    try:
        name = json.loads((directory / POINTER).read_text(encoding="utf-8"))["generation"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(f"{directory / POINTER}: {error}; remove it and ingest again") from error
    found = directory / GENERATIONS / str(name)
    if not found.is_dir():
        raise IndexDamagedError(f"{found} is missing; remove {directory / POINTER} and ingest again")
    return found


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the index for writing; a crash lets go of it.

    Raises:
        KnowledgeError: when another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(directory / LOCK, timeout=0.0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise KnowledgeError(f"{directory}: another command is changing the index; wait for it") from None
        yield


def new_generation(directory: Path) -> Path:
    """An empty directory for the next generation."""
    made = directory / GENERATIONS / uuid.uuid4().hex[:12]
    made.mkdir(parents=True)
    return made


def switch(directory: Path, before: Path | None, after: Path) -> None:
    """Put a complete generation in use, then clear away all but the one before."""
    beside = directory / f"{POINTER}.{after.name}"
    with beside.open("w", encoding="utf-8") as file:
        json.dump({"generation": after.name}, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(directory / POINTER)
    for other in (directory / GENERATIONS).iterdir():
        if other not in {before, after}:
            shutil.rmtree(other, ignore_errors=True)


def write_catalogue(generation: Path, catalogue: Catalogue) -> None:
    """Write what a generation holds."""
    document = {"format": FORMAT, **asdict(catalogue)}
    (generation / "catalogue.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def read_catalogue(generation: Path) -> Catalogue:
    """Read what a generation holds.

    Raises:
        IndexDamagedError: when it is unreadable or of another version.
    """
    path = generation / "catalogue.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("format") != FORMAT:
            pointer = generation.parent.parent / POINTER
            raise IndexDamagedError(f"{path}: of another version; remove {pointer} and ingest again")
        entries = tuple(_entry(fields) for fields in stored["documents"])
        return Catalogue(entries, str(stored["model"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(f"{path}: {error}; ingest the documents again") from error


def _entry(fields: dict[str, Any]) -> DocumentEntry:
    return DocumentEntry(**{**fields, "empty_pages": tuple(fields["empty_pages"])})


def digest_of(chunks: Iterable[Chunk]) -> str:
    """A fingerprint of a document's chunks."""
    total = sha256()
    for chunk in chunks:
        total.update(json.dumps(chunk.as_dict(), sort_keys=True).encode())
    return total.hexdigest()
