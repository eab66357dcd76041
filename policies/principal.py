"""Who acts. The wiring binds a principal to each connection; no tool argument can name one."""

from collections.abc import Iterable
from dataclasses import dataclass

SCOPE_READ = "grid:read"
SCOPE_DISPATCH = "grid:dispatch"
SCOPE_APPROVE = "grid:approve"
SCOPES = (SCOPE_READ, SCOPE_DISPATCH, SCOPE_APPROVE)

PRIORITY_TRADING = 10
PRIORITY_RESPONSE = 20
PRIORITY_PERSON = 30


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity behind one connection.

    Attributes:
        subject: e.g. ``supervisor:response``, ``local:ana``, ``operator:ana``, ``oauth:8f3c``.
        scopes: out of ``grid:read``, ``grid:dispatch``, ``grid:approve``.
        priority: rank of its proposals in the arbiter; higher wins.
    """

    subject: str
    scopes: frozenset[str]
    priority: int

    @property
    def autonomous(self) -> bool:
        """True for the supervisor's own loops, which the stricter rules bind."""
        return is_autonomous(self.subject)


def is_autonomous(subject: str) -> bool:
    """True for a subject of the supervisor's own loops."""
    return subject.startswith("supervisor:")


RESPONSE = Principal("supervisor:response", frozenset({SCOPE_READ, SCOPE_DISPATCH}), PRIORITY_RESPONSE)
TRADING = Principal("supervisor:trading", frozenset({SCOPE_READ, SCOPE_DISPATCH}), PRIORITY_TRADING)


def local_principal(user: str) -> Principal:
    """The person at this machine: may read and dispatch, never approve."""
    return Principal(f"local:{user}", frozenset({SCOPE_READ, SCOPE_DISPATCH}), PRIORITY_PERSON)


def operator_principal(name: str) -> Principal:
    """A duty operator: the only kind of principal that may approve."""
    return Principal(f"operator:{name}", frozenset({SCOPE_READ, SCOPE_APPROVE}), PRIORITY_PERSON)


def token_subject(name: str, scopes: Iterable[str]) -> str:
    """The subject of a locally issued token: an approver's is an operator, any other acts for a local user.

    So the four-eyes rule recognises one person's two tokens by their name.
    """
    return f"operator:{name}" if SCOPE_APPROVE in scopes else f"local:{name}"


def oauth_subject(sub: str) -> str:
    """The subject of an OAuth ``sub``, the same whatever its scopes: nobody decides their own request."""
    return f"oauth:{sub}"


def bearer_principal(subject: str, scopes: Iterable[str]) -> Principal:
    """Whoever holds a verified token: a person, or an agent that acts for one; unknown scopes count nothing.

    Args:
        subject: from :func:`token_subject` or :func:`oauth_subject`, whose prefixes keep anybody from
            posing as the supervisor.
        scopes: as the token says.
    """
    return Principal(subject, frozenset(scopes) & frozenset(SCOPES), PRIORITY_PERSON)
