"""How the duty operator gets into the console: by an operator token, or by a link that opens it once.

A link stands for the operator token in the state directory: whoever can read that file can make one,
and revoking that token ends the links and the sessions that came from it. Its code travels in the
address's fragment, which no browser sends to a server or passes on.
"""

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from operator_console.sessions import Operator
from policies.principal import SCOPE_APPROVE
from smartgrid.tokens import BUSY_TIMEOUT_S, StoredToken, TokenError, TokenStore, is_local

LINK_LIFE_S = 15 * 60.0
CODE_BYTES = 24

_SCHEMA = """
CREATE TABLE IF NOT EXISTS console_links (
    hash TEXT PRIMARY KEY,
    token_id TEXT NOT NULL,
    expires_at_s REAL NOT NULL,
    used_at_s REAL
)
"""
_REDEEM = """
UPDATE console_links SET used_at_s = ? WHERE hash = ? AND used_at_s IS NULL AND expires_at_s > ?
RETURNING token_id
"""


class ConsoleLinks:
    """The one-time codes of a state directory, hashed, beside its tokens.

    Args:
        path: the tokens' database.
        wall: the machine's time, in s since 1970.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall = wall

    def issue(self, token_id: str) -> str:
        """A code that stands for a token once, for 15 minutes.

        Raises:
            TokenError: when it cannot be kept.
        """
        code, now_s = secrets.token_urlsafe(CODE_BYTES), self._wall()
        with self._open() as connection, connection:
            connection.execute("DELETE FROM console_links WHERE expires_at_s <= ?", (now_s,))
            connection.execute(
                "INSERT INTO console_links VALUES (?, ?, ?, NULL)",
                (_hash(code), token_id, now_s + LINK_LIFE_S),
            )
        return code

    def redeem(self, code: str) -> str | None:
        """The token that a code stands for, and uses it up; None for one that is unknown, old or used."""
        now_s = self._wall()
        with self._open() as connection, connection:
            found = connection.execute(_REDEEM, (now_s, _hash(code), now_s)).fetchall()
        return str(found[0][0]) if found else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)) as connection:
                connection.execute(_SCHEMA)
                yield connection
        except sqlite3.Error as error:
            raise TokenError(f"{self._path}: cannot be used ({error}); check its owner and mode") from error


class OperatorDoor:
    """Who may enter the console: holders of a token with the approve scope."""

    def __init__(self, store: TokenStore, links: ConsoleLinks) -> None:
        self._store = store
        self._links = links

    def enter(self, secret: str) -> Operator | None:
        """The operator whose token or one-time code this is; None for anything else."""
        if is_local(secret):
            return _operator(self._store.verify(secret))
        token_id = self._links.redeem(secret)
        return None if token_id is None else self.known(token_id)

    def known(self, token_id: str) -> Operator | None:
        """The operator of a token by its id, while it is valid: one that was revoked ends its sessions."""
        return _operator(self._store.valid(token_id))


def _operator(token: StoredToken | None) -> Operator | None:
    if token is None or SCOPE_APPROVE not in token.scopes:
        return None
    return Operator(token.subject, token.token_id, token.expires_at_s)


def new_link_code(store: TokenStore, links: ConsoleLinks, token_file: Path) -> str:
    """A one-time code for the operator whose token lies in a file.

    Raises:
        TokenError: when that file holds no valid operator token.
    """
    text = token_file.read_text(encoding="utf-8", errors="replace").strip() if token_file.is_file() else ""
    operator = _operator(store.verify(text))
    if operator is None:
        raise TokenError(f"{token_file}: holds no valid operator token; start smartgrid up, which makes one")
    return links.issue(operator.token_id)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
