"""The key that signs the audit chain; it lies outside the database, and every writer has the same one."""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from sqlalchemy import Connection, insert, select

from dispatch.errors import LedgerError
from dispatch.schema import flags

KEY_BYTES = 32
KNOWN_KEY = "audit_key"
"""The flag that says by its fingerprint which key signs a ledger."""


class AuditKey:
    """Signs, and knows whether it is the key of a ledger.

    Args:
        state_dir: holds ``audit.key``, which is made (mode 0600) where there is none.
        key_file: another file to take it from, such as a mounted secret; that one is never made.

    Raises:
        LedgerError: if the key cannot be read or is none.
    """

    def __init__(self, state_dir: Path, key_file: Path | None = None) -> None:
        self.path = key_file or state_dir / "audit.key"
        if key_file is None and not self.path.exists():
            _make(self.path)
        try:
            self._key = self.path.read_bytes()
        except OSError as error:
            raise LedgerError(
                f"{self.path}: cannot be read ({error.strerror}); correct ledger_key_file, or its rights"
            ) from error
        if len(self._key) != KEY_BYTES:
            raise LedgerError(
                f"{self.path}: holds {len(self._key)} bytes, a key has {KEY_BYTES}; restore it from a back-up"
            )

    def sign(self, seq: int, digest: str) -> str:
        """The signature of an entry's number and hash."""
        return self._hmac(f"{seq}:{digest}")

    def signed(self, seq: int, digest: str, signature: str) -> bool:
        """Whether a signature is this key's."""
        return hmac.compare_digest(self.sign(seq, digest).encode(), signature.encode())

    def is_known(self, connection: Connection, ledger: str) -> bool:
        """Whether the ledger says that this key signs it; False where it names none yet.

        Raises:
            LedgerError: if it names another one: what this one signs would break the chain for all.
        """
        known = connection.execute(select(flags.c.value).where(flags.c.name == KNOWN_KEY)).scalar()
        if known is not None and known != self._fingerprint:
            raise LedgerError(
                f"{self.path}: is not the key that signs {ledger}; copy audit.key from the state that made "
                "this ledger or from its back-up, or name it by ledger_key_file (see docs/ledger.md)"
            )
        return known is not None

    def make_known(self, connection: Connection, ledger: str) -> None:
        """Let the ledger say that this key signs it, inside the caller's transaction; raises as above."""
        if not self.is_known(connection, ledger):
            connection.execute(insert(flags).values(name=KNOWN_KEY, value=self._fingerprint))

    @property
    def _fingerprint(self) -> str:
        return self._hmac("the key of this ledger")

    def _hmac(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    """Make a key that only this user can read; of two makers one wins."""
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
