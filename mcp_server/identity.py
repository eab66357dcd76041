"""Who calls over HTTP: the principal of a request is what its own bearer token says."""

from collections.abc import Callable
from dataclasses import dataclass

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from policies.principal import Principal, bearer_principal
from tools.errors import ToolScopeError


@dataclass(frozen=True, slots=True)
class Access:
    """What an HTTP server needs to know its callers; without it, nobody can be told from anybody else.

    Attributes:
        verifier: knows a good token; what it says of the subject is the principal's.
        auth: what the server tells clients of its issuer.
    """

    verifier: TokenVerifier
    auth: AuthSettings


class BearerVerifier:
    """Takes locally issued tokens, and those of an issuer where there is one.

    Args:
        is_local: whether a text looks like a locally issued token; such a one never reaches the issuer.
        local: what a locally issued token says; None for one that is of no use.
        issuer: knows all others.
    """

    def __init__(
        self,
        is_local: Callable[[str], bool],
        local: Callable[[str], AccessToken | None],
        issuer: TokenVerifier | None,
    ) -> None:
        self._is_local = is_local
        self._local = local
        self._issuer = issuer

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token says; None refuses it."""
        if self._is_local(token):
            return self._local(token)
        return None if self._issuer is None else await self._issuer.verify_token(token)


def caller() -> Principal:
    """The principal of the HTTP request that is being served.

    Raises:
        ToolScopeError: without a verified token: there is no caller to fall back to.
    """
    token = get_access_token()
    if token is None or token.subject is None:
        raise ToolScopeError("no verified token came with this request; connect with one")
    return bearer_principal(token.subject, token.scopes)
