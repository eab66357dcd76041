"""The audit trail: a signed hash chain that shows any change and any cut.

Each entry's hash covers the entry and the hash before it; each hash is signed with a key that lies
outside the database. After each transaction the head (count, hash, signature) is appended to a file
of its own. So a changed row breaks the chain, a row forged without the key lacks a signature, and a
cut end is shorter than the head file says. Who can write the database, the key and the head file
can forge all three: keep a copy of the head file elsewhere.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Row, String, insert, select, type_coerce

from dispatch.canonical import canonical_json, sha256_hex
from dispatch.errors import LedgerError
from dispatch.schema import audit, utc_text

GENESIS = "0" * 64
KEY_BYTES = 32

# The time is read as it is stored: a changed text must show, also one that is no time any more.
_AS_STORED = select(
    audit.c.seq,
    type_coerce(audit.c.at, String).label("at_text"),
    audit.c.kind,
    audit.c.actor,
    audit.c.payload,
    audit.c.previous_hash,
    audit.c.hash,
    audit.c.signature,
).order_by(audit.c.seq)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of a verification.

    Attributes:
        ok: whether chain, signatures and head file agree.
        count: entries in the chain.
        broken_at: number of the first entry that does not hold; None when all do.
        problem: what is wrong, in one sentence; empty when ok.
    """

    ok: bool
    count: int
    broken_at: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many entries, the last hash, and its signature."""

    count: int
    hash: str
    signature: str


class AuditTrail:
    """Appends to the chain inside the caller's transaction, and verifies it."""

    def __init__(self, state_dir: Path) -> None:
        """Use ``audit.key`` (created with mode 0600) and ``audit.head`` in ``state_dir``."""
        self._head_file = state_dir / "audit.head"
        self._key = _load_or_create_key(state_dir / "audit.key")

    def append(
        self, connection: Connection, at: datetime, kind: str, actor: str, payload: Mapping[str, object]
    ) -> Head:
        """Append one entry; it becomes durable with the caller's transaction.

        Args:
            connection: inside a writing transaction.
            at: the plant's time.
            kind: what happened, e.g. ``proposal_accepted``.
            actor: subject of who did it.
            payload: JSON content, finite numbers only.
        """
        last = connection.execute(
            select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
        ).first()
        seq = 1 if last is None else last.seq + 1
        previous = GENESIS if last is None else last.hash
        text = canonical_json(payload)
        digest = _entry_hash(seq, utc_text(at), kind, actor, text, previous)
        signature = self._sign(seq, digest)
        connection.execute(
            insert(audit).values(
                seq=seq,
                at=at,
                kind=kind,
                actor=actor,
                payload=text,
                previous_hash=previous,
                hash=digest,
                signature=signature,
            )
        )
        return Head(seq, digest, signature)

    def publish(self, head: Head) -> None:
        """Append the head to its file, durably; called after the commit."""
        line = f"{head.count} {head.hash} {head.signature}\n".encode()
        descriptor = os.open(self._head_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def verify(self, connection: Connection) -> AuditReport:
        """Compare the chain, its signatures and the head file; name the first entry that is broken."""
        # The heads are read first: a writer may add entries meanwhile, never take any away.
        lines = self._head_file.read_text("ascii", "replace").splitlines() if self._head_file.exists() else []
        hashes: list[str] = [GENESIS]
        for row in connection.execute(_AS_STORED):
            problem = self._entry_problem(row, len(hashes), hashes[-1])
            if problem:
                return AuditReport(False, len(hashes) - 1, len(hashes), problem)
            hashes.append(row.hash)
        return self._check_heads(lines, hashes)

    def _entry_problem(self, row: Row[tuple[object, ...]], seq: int, previous: str) -> str:
        if row.seq != seq:
            return f"entry {seq} is missing"
        if row.previous_hash != previous:
            return f"entry {seq} does not follow the one before it"
        content = (row.at_text, row.kind, row.actor, row.payload)
        if row.hash != _entry_hash(seq, *map(str, content), previous):
            return f"entry {seq} was changed"
        if not self._signed(seq, row.hash, str(row.signature)):
            return f"entry {seq} was not signed with the key of this ledger"
        return ""

    def _check_heads(self, lines: list[str], hashes: list[str]) -> AuditReport:
        count = len(hashes) - 1
        if count and not lines:
            return AuditReport(False, count, None, f"{self._head_file.name} is missing or empty")
        for number, line in enumerate(lines, start=1):
            parts = line.split()
            if len(parts) != 3 or not parts[0].isdecimal():
                return AuditReport(
                    False, count, None, f"line {number} of {self._head_file.name} is unreadable"
                )
            head = Head(int(parts[0]), parts[1], parts[2])
            if not self._signed(head.count, head.hash, head.signature):
                problem = f"line {number} of {self._head_file.name} has a wrong signature"
                return AuditReport(False, count, None, problem)
            if head.count > count:
                problem = (
                    f"the chain ends at entry {count}, the head file knows {head.count}: the end was cut"
                )
                return AuditReport(False, count, count + 1, problem)
            if hashes[head.count] != head.hash:
                return AuditReport(False, count, head.count, f"entry {head.count} differs from the head file")
        return AuditReport(True, count)

    def _signed(self, seq: int, digest: str, signature: str) -> bool:
        return hmac.compare_digest(self._sign(seq, digest).encode(), signature.encode())

    def _sign(self, seq: int, digest: str) -> str:
        return hmac.new(self._key, f"{seq}:{digest}".encode(), hashlib.sha256).hexdigest()


def _entry_hash(*fields: object) -> str:
    """Over number, time, kind, actor, payload and the hash before, in this order."""
    return sha256_hex(canonical_json(fields))


def _load_or_create_key(path: Path) -> bytes:
    """Read the signing key, or make one that only this user can read; of two makers one wins."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise LedgerError(f"{path}: holds {len(key)} bytes, a key has {KEY_BYTES}; restore it from a back-up")
    return key
