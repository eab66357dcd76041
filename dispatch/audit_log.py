"""Reading the audit chain: single entries for people, the whole of it for whoever verifies it elsewhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, select

from dispatch.audit import AS_STORED, GENESIS, ROWS_AT_ONCE
from dispatch.audit_heads import Head
from dispatch.canonical import canonical_json
from dispatch.schema import audit

FORMAT = "smartgrid-audit-1"
"""Names the export's format in its first line; docs/ledger.md describes it."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry, as it is stored.

    Attributes:
        at: the plant's time, as text: what was tampered with may be no time any more.
        payload: canonical JSON.
    """

    seq: int
    at: str
    kind: str
    actor: str
    payload: str
    previous_hash: str
    hash: str
    signature: str

    @property
    def content(self) -> object:
        """The payload's content; its text where that is no JSON any more."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return self.payload


def entries(
    connection: Connection,
    *,
    last: int | None = None,
    since: datetime | None = None,
    kind: str | None = None,
) -> list[AuditEntry]:
    """Entries, oldest first.

    Args:
        connection: to read with.
        last: at most this many, the newest ones.
        since: none before this moment of the plant's time.
        kind: only those of this kind.
    """
    found = AS_STORED
    if since is not None:
        found = found.where(audit.c.at >= since)
    if kind is not None:
        found = found.where(audit.c.kind == kind)
    if last is not None:
        found = found.order_by(None).order_by(audit.c.seq.desc()).limit(last)
    return sorted((_entry(row) for row in connection.execute(found)), key=lambda entry: entry.seq)


def kinds(connection: Connection) -> list[str]:
    """The kinds that occur, in alphabetical order."""
    return sorted(connection.execute(select(audit.c.kind).distinct()).scalars())


def exported(connection: Connection, head: Head | None) -> Iterator[str]:
    """The whole chain as JSON lines: what it is, every entry as it is stored, and the head.

    Args:
        connection: to read with.
        head: the end that this machine saw last, from outside the database.
    """
    yield canonical_json({"format": FORMAT, "genesis": GENESIS})
    with connection.execute(AS_STORED.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        for entry in map(_entry, rows):
            yield canonical_json({name: getattr(entry, name) for name in AuditEntry.__slots__})
    seen = None if head is None else {"count": head.count, "hash": head.hash, "signature": head.signature}
    yield canonical_json({"head": seen})


def _entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    return AuditEntry(
        row.seq, row.at_text, row.kind, row.actor, row.payload, row.previous_hash, row.hash, row.signature
    )
