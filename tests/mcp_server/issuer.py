"""An OAuth issuer on this machine: real keys, signed tokens, and its keys over real HTTP."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "http://127.0.0.1/issuer"
AUDIENCE = "https://grid.example/mcp"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass
class Issuer:
    """Signs with ``keys``, of which it publishes ``published``."""

    keys: dict[str, PrivateKey]
    published: list[str]
    jwks_url: str = ""
    answers: int = 200
    fetches: list[str] = field(default_factory=list)

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token; a claim that is changed to None is left out."""
        now_s = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "8f3c",
            "client_id": "desktop",
            "iat": now_s,
            "exp": now_s + 50_000,
            "scope": "openid grid:read",
        }
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(self, kid: str = "rsa", *, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        algorithm = "RS256" if isinstance(self.keys[kid], rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(
            self.claims(**changed), self.keys[kid], algorithm, headers={"kid": kid, **(headers or {})}
        )

    def jwks(self) -> dict[str, Any]:
        found = []
        for kid in self.published:
            key = self.keys[kid]
            if isinstance(key, rsa.RSAPrivateKey):
                public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            else:
                public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            found.append(public | {"kid": kid, "use": "sig"})
        return {"keys": found}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer with an RSA and an EC key, and a third key that it does not publish."""
    keys: dict[str, PrivateKey] = {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "unpublished": ec.generate_private_key(ec.SECP256R1()),
    }
    issuer = Issuer(keys, ["rsa", "ec"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches.append(self.path)
            body = json.dumps(issuer.jwks()).encode()
            self.send_response(issuer.answers)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.jwks_url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
