"""The public documents that matter to this product, and where their publishers keep them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from knowledge.errors import KnowledgeError
from knowledge.standards import StandardStatus, status_of


@dataclass(frozen=True, slots=True)
class PublicDocument:
    """One document.

    Attributes:
        id: short name, such as BAL-003-2 or FERC-841.
        title: in words.
        publisher: NERC or FERC.
        addresses: official ones, tried in turn.
        expect: words that stand on its first pages; a file without them is another document.
        why: what it means for this product.
    """

    id: str
    title: str
    publisher: str
    addresses: tuple[str, ...]
    expect: tuple[str, ...]
    why: str

    @property
    def file_name(self) -> str:
        """Under which it is kept."""
        return f"{self.publisher}_{self.id.removeprefix('FERC-').lower()}.pdf"

    @property
    def standard(self) -> str:
        """How it is cited, such as BAL-003-2 or FERC Order No. 841."""
        return self.id.replace("FERC-", "FERC Order No. ")

    @property
    def status(self) -> StandardStatus | None:
        """How it stands today."""
        return status_of(self.standard)


@cache
def documents() -> tuple[PublicDocument, ...]:
    """All of the manifest, in its order."""
    text = (files("knowledge") / "data" / "manifest.toml").read_text(encoding="utf-8")
    return tuple(
        PublicDocument(
            id=entry["id"],
            title=entry["title"],
            publisher=entry["publisher"],
            addresses=tuple(entry["addresses"]),
            expect=tuple(entry["expect"]),
            why=entry["why"],
        )
        for entry in tomllib.loads(text)["documents"]
    )


def find_document(name: str) -> PublicDocument:
    """The document of that id.

    Raises:
        KnowledgeError: when the manifest has none, naming those that it has.
    """
    for document in documents():
        if document.id.upper() == name.strip().upper():
            return document
    known = ", ".join(document.id for document in documents())
    raise KnowledgeError(f"{name!r} is not in the manifest; it has {known}")


def official_address(standard: str) -> str | None:
    """Where the official text of a standard or order is; None when the manifest has none.

    Args:
        standard: as it is cited, such as BAL-003-2 or FERC Order No. 841.
    """
    return next((found.addresses[0] for found in documents() if found.standard == standard), None)
