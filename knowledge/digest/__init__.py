"""The digest: what the standards and orders say, in our own words, so that look-up works without a download.

Sources are the Markdown files in ``sources``; ``python -m knowledge.digest.build`` makes the PDFs in ``pdf``.
A digest points to the official text and never replaces it.
"""

from importlib.resources import files
from pathlib import Path

PREFIX = "digest-"
"""File names that begin so are digests."""


def pdf_paths() -> list[Path]:
    """The PDFs of the digest that ships with the product, by name."""
    return sorted(Path(str(files("knowledge.digest") / "pdf")).glob(f"{PREFIX}*.pdf"))


def is_digest(document: str) -> bool:
    """Whether a document of that file name is a digest, not an official text."""
    return document.startswith(PREFIX)
