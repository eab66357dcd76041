"""The head file: the ends of the audit chain that one machine has seen, outside the database.

After each of its commits a machine appends the chain's end: count, hash, signature. A machine knows the
ends that it wrote itself; entries of others lie between them, so its file never contradicts a whole chain.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from dispatch.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many entries, the last hash, and its signature."""

    count: int
    hash: str
    signature: str


class HeadFile:
    """Heads, one a line, the newest last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether this machine has seen an end of the chain."""
        return self.path.exists()

    def append(self, head: Head) -> None:
        """Append a head, durably; called after its commit.

        Raises:
            LedgerError: if the file cannot be written; the entry stands in the ledger all the same.
        """
        line = f"{head.count} {head.hash} {head.signature}\n".encode()
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise LedgerError(
                f"{self.path}: cannot be written ({error.strerror}); audit entry {head.count} is recorded, "
                "but this file does not know it yet. Look for a full disk or missing rights"
            ) from error

    def lines(self) -> list[str]:
        """The lines as they stand; none where there is no file."""
        return self.path.read_text("ascii", "replace").splitlines() if self.exists() else []

    def newest(self) -> Head | None:
        """The last head that can be read; None where there is none."""
        return next((head for line in reversed(self.lines()) if (head := parse(line)) is not None), None)


def parse(line: str) -> Head | None:
    """The head in a line; None where the line holds none."""
    parts = line.split()
    if len(parts) != 3 or not parts[0].isdecimal():
        return None
    return Head(int(parts[0]), parts[1], parts[2])
