"""Tokens of an OAuth 2.1 issuer: signed JWTs, checked against the keys that the issuer publishes (JWKS)."""

import base64
import binascii
import logging
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread
import jwt
from mcp.server.auth.provider import AccessToken

from policies.principal import SCOPES, oauth_subject

ALGORITHMS = ("RS256", "ES256")
"""Public-key signatures alone; the token's header chooses among them, the key then allows one."""
REQUIRED_CLAIMS = ("iss", "aud", "sub", "exp")
KEYS_LIFE_S = 300.0
"""How long fetched keys are used; a key that the issuer withdrew is refused after that."""
FETCH_TIMEOUT_S = 5.0
FETCH_THREADS = 4
"""An issuer that hangs holds up these threads and no others."""
LONGEST_SUBJECT = 200

_log = logging.getLogger(__name__)


class JwksVerifier:
    """A token verifier for one issuer and one audience.

    Args:
        issuer: the ``iss`` that tokens carry, to the letter.
        audience: the ``aud`` that marks a token as meant for this server.
        jwks_url: where the issuer publishes its keys; fetched when first needed.
    """

    def __init__(self, issuer: str, audience: str, jwks_url: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = jwt.PyJWKClient(jwks_url, lifespan=KEYS_LIFE_S, timeout=FETCH_TIMEOUT_S)
        self._threads = anyio.CapacityLimiter(FETCH_THREADS)

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token says; None refuses it."""
        return await anyio.to_thread.run_sync(self.verify, token, limiter=self._threads)

    def verify(self, token: str) -> AccessToken | None:
        """The same, waiting for the issuer's keys where they are not at hand."""
        try:
            claims = self._claims(token)
        except jwt.PyJWKClientConnectionError as error:
            _log.warning("keys of the issuer %s: %s; its tokens are refused", self._issuer, error)
            return None
        except jwt.PyJWTError as error:
            _log.info("refused a token of the issuer %s: %s", self._issuer, error)
            return None
        sub = claims["sub"]
        client = claims.get("client_id") or claims.get("azp")
        return AccessToken(
            token=token,
            client_id=client if isinstance(client, str) else sub,
            scopes=scopes_of(claims),
            expires_at=int(claims["exp"]),
            subject=oauth_subject(sub),
            claims={"iss": claims["iss"]},
        )

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a good token. Headers that no key could satisfy cost the issuer no request.

        Raises:
            PyJWTError: naming what is wrong.
        """
        if jwt.get_unverified_header(token).get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("its algorithm is not allowed")
        _require_canonical(token)
        key = self._keys.get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self._issuer,
            audience=self._audience,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        sub = claims["sub"]
        if not (sub and sub.isprintable() and len(sub) <= LONGEST_SUBJECT):
            raise jwt.InvalidTokenError(f"its subject is empty, unprintable or over {LONGEST_SUBJECT} long")
        return claims


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """Our scopes among those granted: ``scope`` (RFC 9068) or ``scp``, a list or separated by spaces."""
    granted: set[str] = set()
    for name in ("scope", "scp"):
        said = claims.get(name)
        if isinstance(said, str):
            granted.update(said.split())
        elif isinstance(said, list):
            granted.update(entry for entry in said if isinstance(entry, str))
    return [scope for scope in SCOPES if scope in granted]


def _require_canonical(token: str) -> None:
    """Refuse a respelt signature: decoding ignores stray characters and the spare bits of the last one."""
    signature = token.rpartition(".")[2]
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (binascii.Error, ValueError) as error:
        raise jwt.DecodeError("its signature is not base64url") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != signature:
        raise jwt.DecodeError("its signature is not spelt as it was issued")
