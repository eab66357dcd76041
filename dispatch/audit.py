"""The audit trail: a signed hash chain that shows any change and any cut.

Each entry's hash covers the entry and the hash before it; each hash is signed with a key that lies
outside the database. After each transaction the head (count, hash, signature) is appended to a file
of its own. So a changed row breaks the chain, a row forged without the key lacks a signature, and a
cut end is shorter than the head file says. Who can write the database, the key and the head file
can forge all three: keep a copy of the head file elsewhere.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, String, insert, select, type_coerce

from dispatch.audit_heads import Head, HeadFile, parse
from dispatch.audit_key import AuditKey
from dispatch.canonical import canonical_json, sha256_hex
from dispatch.schema import audit, utc_text

GENESIS = "0" * 64
HEADS_BEGUN = "audit_head_begun"
"""Kind of the entry that says that a machine begins a head file, because it is new or lost its old one."""

# The time is read as it is stored: a changed text must show, also one that is no time any more.
AS_STORED = select(
    audit.c.seq,
    type_coerce(audit.c.at, String).label("at_text"),
    audit.c.kind,
    audit.c.actor,
    audit.c.payload,
    audit.c.previous_hash,
    audit.c.hash,
    audit.c.signature,
).order_by(audit.c.seq)
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of a verification.

    Attributes:
        ok: whether chain, signatures and head file agree.
        count: entries in the chain.
        broken_at: number of the first entry that does not hold; None when all do.
        problem: what is wrong, in one sentence; empty when ok.
        note: what could not be seen from this machine; empty when all could.
    """

    ok: bool
    count: int
    broken_at: int | None = None
    problem: str = ""
    note: str = ""


class AuditTrail:
    """Appends to the chain inside the caller's transaction, and verifies it.

    Args:
        key: signs the entries.
        heads: the ends of the chain that this machine has seen.
        shared: whether other machines append too, so that this one may have seen none.
    """

    def __init__(self, key: AuditKey, heads: HeadFile, *, shared: bool) -> None:
        self.heads = heads
        self._key = key
        self._shared = shared

    def append(
        self,
        connection: Connection,
        at: datetime,
        kind: str,
        actor: str,
        payload: Mapping[str, object],
        *,
        after: Head | None = None,
    ) -> Head:
        """Append one entry; it becomes durable with the caller's transaction.

        Args:
            connection: inside a writing transaction.
            at: the plant's time.
            kind: what happened, e.g. ``proposal_accepted``.
            actor: subject of who did it.
            payload: JSON content, finite numbers only.
            after: the entry that this transaction appended before; None for its first.
        """
        if after is None:
            after = self._end(connection)
            if after.count and not self.heads.exists():
                machine = {"machine": socket.gethostname(), "file": self.heads.path.name}
                after = self._write(connection, at, HEADS_BEGUN, "ledger", machine, after=after)
        return self._write(connection, at, kind, actor, payload, after=after)

    def _write(
        self,
        connection: Connection,
        at: datetime,
        kind: str,
        actor: str,
        payload: Mapping[str, object],
        *,
        after: Head,
    ) -> Head:
        seq, text = after.count + 1, canonical_json(payload)
        digest = _entry_hash(seq, utc_text(at), kind, actor, text, after.hash)
        signature = self._key.sign(seq, digest)
        connection.execute(
            insert(audit).values(
                seq=seq,
                at=at,
                kind=kind,
                actor=actor,
                payload=text,
                previous_hash=after.hash,
                hash=digest,
                signature=signature,
            )
        )
        return Head(seq, digest, signature)

    def _end(self, connection: Connection) -> Head:
        last = connection.execute(
            select(audit.c.seq, audit.c.hash, audit.c.signature).order_by(audit.c.seq.desc()).limit(1)
        ).first()
        return Head(0, GENESIS, "") if last is None else Head(last.seq, last.hash, last.signature)

    def verify(self, connection: Connection) -> AuditReport:
        """Compare the chain, its signatures and the head file; name the first entry that is broken."""
        # The heads are read first: a writer may add entries meanwhile, never take any away.
        lines = self.heads.lines() if self.heads.exists() else None
        hashes: list[str] = [GENESIS]
        with connection.execute(AS_STORED.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
            for row in rows:
                problem = self._entry_problem(row, len(hashes), hashes[-1])
                if problem:
                    return AuditReport(False, len(hashes) - 1, len(hashes), problem)
                hashes.append(row.hash)
        if lines is None and self._shared and len(hashes) > 1:
            note = f"no {self.heads.path} yet: this machine cannot see whether the end was cut; others can"
            return AuditReport(True, len(hashes) - 1, note=note)
        return self._check_heads(lines or [], hashes)

    def _entry_problem(self, row: Row[tuple[object, ...]], seq: int, previous: str) -> str:
        if row.seq != seq:
            return f"entry {seq} is missing"
        if row.previous_hash != previous:
            return f"entry {seq} does not follow the one before it"
        content = (row.at_text, row.kind, row.actor, row.payload)
        if row.hash != _entry_hash(seq, *map(str, content), previous):
            return f"entry {seq} was changed"
        if not self._key.signed(seq, row.hash, str(row.signature)):
            return f"entry {seq} was not signed with the key of this ledger"
        return ""

    def _check_heads(self, lines: list[str], hashes: list[str]) -> AuditReport:
        count, name = len(hashes) - 1, self.heads.path.name
        if count and not lines:
            return AuditReport(False, count, None, f"{name} is missing or empty")
        for number, line in enumerate(lines, start=1):
            head = parse(line)
            if head is None:
                return AuditReport(False, count, None, f"line {number} of {name} is unreadable")
            if not self._key.signed(head.count, head.hash, head.signature):
                return AuditReport(False, count, None, f"line {number} of {name} has a wrong signature")
            if head.count > count:
                problem = (
                    f"the chain ends at entry {count}, the head file knows {head.count}: the end was cut"
                )
                return AuditReport(False, count, count + 1, problem)
            if hashes[head.count] != head.hash:
                return AuditReport(False, count, head.count, f"entry {head.count} differs from the head file")
        return AuditReport(True, count)


def _entry_hash(*fields: object) -> str:
    """Over number, time, kind, actor, payload and the hash before, in this order."""
    return sha256_hex(canonical_json(fields))
