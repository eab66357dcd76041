"""Locally issued bearer tokens: shown once, stored as a hash, told apart by their own id.

A token reads ``sgt_<id>_<secret>``. Its secret has 256 random bits, so one round of SHA-256 keeps it:
there is nothing to guess that a slow hash would slow down.
"""

import hashlib
import hmac
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ, SCOPES, token_subject
from smartgrid.errors import SmartGridError

PREFIX = "sgt_"
ID_BYTES = 6
SECRET_BYTES = 32
DAY_S = 86_400.0
SHORTEST_LIFE_S = 60.0
LONGEST_LIFE_S = 366 * DAY_S
OPERATOR_LIFE_S = 365 * DAY_S
LONGEST_NAME = 64
BUSY_TIMEOUT_S = 5.0

_UNITS_S = {"m": 60.0, "h": 3600.0, "d": DAY_S}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    expires_at_s REAL NOT NULL,
    revoked_at_s REAL
)
"""
_COLUMNS = "id, name, scopes, created_at_s, expires_at_s, revoked_at_s"


class TokenError(SmartGridError):
    """A token cannot be made, found or read as asked; the text says what to change."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a token; its secret is not.

    Attributes:
        token_id: names it in lists and for ``revoke``.
        name: whose it is; several tokens may carry one name.
        scopes: what it allows.
        created_at_s, expires_at_s, revoked_at_s: in s of wall time since 1970.
    """

    token_id: str
    name: str
    scopes: frozenset[str]
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None

    @property
    def subject(self) -> str:
        """Who acts with it."""
        return token_subject(self.name, self.scopes)

    def state(self, now_s: float) -> Literal["valid", "expired", "revoked"]:
        """What it is worth at a moment of wall time."""
        if self.revoked_at_s is not None:
            return "revoked"
        return "valid" if now_s < self.expires_at_s else "expired"


class TokenStore:
    """The tokens of a state directory, in a SQLite file (mode 0600) made with the first token.

    Each question opens the file anew, so that a token made or revoked by another process counts at once.

    Args:
        path: the file.
        wall: the machine's time, in s since 1970: tokens outlive simulated days.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall = wall

    def create(self, name: str, scopes: Collection[str], life_s: float) -> tuple[StoredToken, str]:
        """Make a token.

        Args:
            name: whose it is.
            scopes: what it allows.
            life_s: how long it is good for, in s.

        Returns:
            What is kept of it, and the token itself, which cannot be had again.

        Raises:
            TokenError: naming what cannot be so.
        """
        _check_name(name)
        _check_scopes(scopes)
        if not SHORTEST_LIFE_S <= life_s <= LONGEST_LIFE_S:
            raise TokenError(f"--expires={life_s / DAY_S:g}d: use 1m to 366d")
        secret, now_s = secrets.token_urlsafe(SECRET_BYTES), self._wall()
        made = StoredToken(
            secrets.token_hex(ID_BYTES), name, frozenset(scopes), now_s, now_s + life_s, revoked_at_s=None
        )
        self._make_file()
        with self._open() as connection, connection:
            connection.execute(_SCHEMA)
            connection.execute(
                f"INSERT INTO tokens (hash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608
                (_hash(secret), made.token_id, name, " ".join(sorted(made.scopes)), now_s, made.expires_at_s),
            )
        return made, f"{PREFIX}{made.token_id}_{secret}"

    def verify(self, text: str) -> StoredToken | None:
        """The token that this text is; None when it is none, or no longer valid."""
        if not is_local(text):
            return None
        token_id, _, secret = text.removeprefix(PREFIX).partition("_")
        found = self._rows(f"SELECT hash, {_COLUMNS} FROM tokens WHERE id = ?", token_id)  # noqa: S608
        for kept, *columns in found:
            token = _token(*columns)
            if hmac.compare_digest(kept, _hash(secret)) and token.state(self._wall()) == "valid":
                return token
        return None

    def valid(self, token_id: str) -> StoredToken | None:
        """The token of this id, while it is valid."""
        found = self._rows(f"SELECT {_COLUMNS} FROM tokens WHERE id = ?", token_id)  # noqa: S608
        tokens = [_token(*columns) for columns in found]
        return next((token for token in tokens if token.state(self._wall()) == "valid"), None)

    def made(self) -> list[StoredToken]:
        """All tokens that were made, oldest first."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at_s, id")  # noqa: S608
        return [_token(*row) for row in rows]

    def for_clients(self) -> bool:
        """Whether a token was ever made for a client of the server, as opposed to an operator."""
        return any(SCOPE_APPROVE not in token.scopes for token in self.made())

    def revoke(self, id_or_name: str) -> list[StoredToken]:
        """End a token, or all that carry a name, at once.

        Returns:
            Those that were valid until now.

        Raises:
            TokenError: when no valid token is called so.
        """
        now_s = self._wall()
        called = [token for token in self.made() if id_or_name in (token.token_id, token.name)]
        valid = [token for token in called if token.state(now_s) == "valid"]
        if not valid:
            raise TokenError(f"{id_or_name!r}: no valid token has this id or name; see smartgrid token list")
        with self._open() as connection, connection:
            connection.executemany(
                "UPDATE tokens SET revoked_at_s = ? WHERE id = ?",
                [(now_s, token.token_id) for token in valid],
            )
        return valid

    def _make_file(self) -> None:
        with _told(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        if not self._path.is_file():
            return []
        with self._open() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            address = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise TokenError(
                f"{self._path}: cannot be used ({error}); check its owner and mode, or move it away and "
                "create the tokens anew"
            ) from error


def is_local(text: str) -> bool:
    """Whether a text looks like a locally issued token."""
    return text.startswith(PREFIX)


def parse_life_s(text: str) -> float:
    """Seconds of a lifetime such as 90m, 12h or 30d.

    Raises:
        TokenError: for anything else.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip())
    if match is None:
        raise TokenError(f"--expires {text!r} is no lifetime; write it like 90m, 12h or 30d")
    return int(match[1]) * _UNITS_S[match[2]]


def ensure_operator_token(store: TokenStore, path: Path, name: str) -> Path:
    """A file (mode 0600) with a valid operator token: the one there, else a new one.

    Args:
        store: where it counts.
        path: the file.
        name: the operator's.

    Raises:
        TokenError: when it cannot be made.
    """
    with _told(path):
        kept = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    if store.verify(kept) is not None:
        return path
    _, text = store.create(name, (SCOPE_READ, SCOPE_APPROVE), OPERATOR_LIFE_S)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with _told(path):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        draft.replace(path)
    return path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TokenError(f"{path}: cannot be used ({error.strerror}); check its owner and mode") from error


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(token_id: str, name: str, scopes: str, *times_s: Any) -> StoredToken:
    return StoredToken(token_id, name, frozenset(scopes.split()), *times_s)


def _check_name(name: str) -> None:
    if not (name.isprintable() and name == name.strip() and 0 < len(name) <= LONGEST_NAME):
        raise TokenError(
            f"--name={name!r}: use 1 to {LONGEST_NAME} printable characters, no blanks around them"
        )


def _check_scopes(scopes: Collection[str]) -> None:
    wrong = sorted(set(scopes) - set(SCOPES))
    if wrong or not scopes:
        raise TokenError(f"--scope={' '.join(wrong) or 'none'}: use one or more of {', '.join(SCOPES)}")
    if {SCOPE_DISPATCH, SCOPE_APPROVE} <= set(scopes):
        raise TokenError(
            f"--scope: {SCOPE_DISPATCH} and {SCOPE_APPROVE} in one token would let its holder ask and decide;"
            " make two"
        )
