"""Sessions of operators who logged in: kept in memory, told apart by a hashed secret, ended when idle."""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

LONGEST_SESSION_S: Final = 12 * 3600.0
"""A shift: then the operator logs in anew, idle or not."""
RECHECK_S: Final = 2.0
"""How long a token that was revoked may still be taken for valid."""
SECRET_BYTES: Final = 32
MOST_SESSIONS: Final = 200

FAILURES_ALLOWED: Final = 5
FAILURES_WINDOW_S: Final = 60.0
MOST_ADDRESSES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Operator:
    """Who logged in.

    Attributes:
        subject: e.g. ``operator:ana``; what is decided carries it.
        token_id: of the token that opened the session.
        expires_at_s: end of that token, in s of wall time since 1970.
    """

    subject: str
    token_id: str
    expires_at_s: float


class Door(Protocol):
    """Knows operators; the wiring gives one."""

    def enter(self, secret: str) -> Operator | None:
        """The operator whose token or one-time code this is; None for anything else."""
        ...

    def known(self, token_id: str) -> Operator | None:
        """The operator of this token, while it is valid."""
        ...


@dataclass(slots=True)
class Session:
    """One log-in of one browser.

    Attributes:
        operator: who.
        zone: IANA name of the browser's time zone; empty where it is not known.
        ends_at_s: when it ends whatever happens, in s of wall time.
        seen_at_s: when the operator last touched anything.
        checked_at_s: when its token was last found valid.
        ended: set by log-out.
        dark: the operator's choice of colours; None follows the browser.
    """

    operator: Operator
    zone: str
    ends_at_s: float
    seen_at_s: float
    checked_at_s: float
    ended: bool = False
    dark: bool | None = None


class Sessions:
    """The sessions of one process.

    Args:
        door: knows operators.
        idle_s: a session that nobody touched for so long ends.
        wall: the machine's time, in s since 1970.
    """

    def __init__(self, door: Door, idle_s: float, wall: Callable[[], float]) -> None:
        self._door = door
        self._idle_s = idle_s
        self._wall = wall
        self._kept: dict[str, Session] = {}

    def open(self, secret: str, zone: str) -> str | None:
        """The cookie of a new session; None where the secret opens none."""
        operator = self._door.enter(secret)
        if operator is None:
            return None
        now_s = self._wall()
        self._kept = {name: kept for name, kept in self._kept.items() if self.live(kept)}
        while len(self._kept) >= MOST_SESSIONS:
            self._kept.pop(next(iter(self._kept))).ended = True
        cookie = secrets.token_urlsafe(SECRET_BYTES)
        ends_at_s = min(operator.expires_at_s, now_s + LONGEST_SESSION_S)
        self._kept[_hash(cookie)] = Session(operator, zone, ends_at_s, now_s, now_s)
        return cookie

    def of(self, cookie: str | None) -> Session | None:
        """The live session of a cookie."""
        session = self._kept.get(_hash(cookie)) if cookie else None
        return session if session is not None and self.live(session) else None

    def live(self, session: Session) -> bool:
        """Whether it may still see and do anything; its token may have been revoked meanwhile."""
        now_s = self._wall()
        idle = now_s >= session.seen_at_s + self._idle_s
        if session.ended or idle or now_s >= session.ends_at_s:
            return False
        if now_s >= session.checked_at_s + RECHECK_S:
            session.ended = self._door.known(session.operator.token_id) is None
            session.checked_at_s = now_s
        return not session.ended

    def touch(self, session: Session) -> None:
        """The operator did something; a session that is over stays so."""
        if self.live(session):
            session.seen_at_s = self._wall()

    def end(self, session: Session) -> None:
        """Log out."""
        session.ended = True
        self._kept = {name: kept for name, kept in self._kept.items() if kept is not session}


class LoginLimit:
    """Slows guessing down: so many failures in a minute from one address, then it has to wait.

    Args:
        wall: the machine's time, in s since 1970.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._failures: dict[str, deque[float]] = {}

    def wait_s(self, address: str) -> float:
        """How long this address has to wait before its next try, in s; 0 when it may."""
        now_s = self._wall()
        failures = self._failures.get(address, deque())
        while failures and failures[0] <= now_s - FAILURES_WINDOW_S:
            failures.popleft()
        return failures[0] + FAILURES_WINDOW_S - now_s if len(failures) >= FAILURES_ALLOWED else 0.0

    def passed(self, address: str) -> None:
        """Forget the failures of an address that got in."""
        self._failures.pop(address, None)

    def failed(self, address: str) -> None:
        """Count a failure."""
        while address not in self._failures and len(self._failures) >= MOST_ADDRESSES:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(address, deque()).append(self._wall())


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
