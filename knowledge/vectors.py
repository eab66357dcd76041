"""Chunks and their vectors in Chroma: offline, without telemetry, vectors given by us."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import chromadb
import numpy as np
from chromadb.config import Settings
from numpy.typing import NDArray

from knowledge.chunk import Chunk

Array = NDArray[np.float32]

COLLECTION: Final = "regulation"
BATCH: Final = 1000


class VectorStore:
    """One collection in a directory of its own; entries are numbered in the order of the chunks."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        settings = Settings(anonymized_telemetry=False)
        self._client: Any = chromadb.PersistentClient(
            str(directory), settings=settings
        )  # close() lacks a type
        if create:
            self._collection = self._client.create_collection(
                COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        else:
            self._collection = self._client.get_collection(COLLECTION, embedding_function=None)

    def add(self, chunks: Sequence[Chunk], vectors: Array) -> None:
        """Store all chunks, each with the vector of its row."""
        for first in range(0, len(chunks), BATCH):
            some = chunks[first : first + BATCH]
            self._collection.add(
                ids=[_id(first + at) for at in range(len(some))],
                embeddings=vectors[first : first + BATCH],
                documents=[chunk.text for chunk in some],
                metadatas=[_metadata(chunk) for chunk in some],
            )

    def __len__(self) -> int:
        return self._collection.count()

    def chunks(self) -> list[Chunk]:
        """All chunks in their order."""
        return [chunk for part in self._parts(["metadatas", "documents"]) for chunk in _chunks(part)]

    def vectors(self) -> Array:
        """All vectors in the order of the chunks."""
        rows = [np.asarray(part["embeddings"], dtype=np.float32) for part in self._parts(["embeddings"])]
        return np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    def nearest(self, vector: Array, count: int, document: str | None = None) -> dict[int, float]:
        """Cosine by chunk of the nearest chunks, within a document if one is named."""
        answer = self._collection.query(
            query_embeddings=np.asarray([vector], dtype=np.float32),
            n_results=min(count, len(self)),
            where={"document": document} if document else None,
            include=["distances"],
        )
        distances = answer["distances"]
        assert distances is not None, "asked for above"  # noqa: S101
        return {int(at): 1.0 - distance for at, distance in zip(answer["ids"][0], distances[0], strict=True)}

    def close(self) -> None:
        """Let go of the files."""
        self._client.close()

    def _parts(self, include: list[Any]) -> Iterator[Any]:
        for first in range(0, len(self), BATCH):
            ids = [_id(at) for at in range(first, min(first + BATCH, len(self)))]
            part = self._collection.get(ids=ids, include=include)
            order = np.argsort(part["ids"])
            yield {name: [part[name][at] for at in order] for name in ("ids", *include)}  # type: ignore[literal-required]


def _id(at: int) -> str:
    return f"{at:07d}"


def _metadata(chunk: Chunk) -> dict[str, str]:
    fields = {name: value for name, value in chunk.as_dict().items() if name != "text"}
    return {
        "document": chunk.document,
        "standard": chunk.standard,
        "kind": chunk.kind,
        "chunk": json.dumps(fields),
    }


def _chunks(part: dict[str, Any]) -> Iterator[Chunk]:
    for metadata, text in zip(part["metadatas"], part["documents"], strict=True):
        yield Chunk.from_dict(json.loads(metadata["chunk"]) | {"text": text})
