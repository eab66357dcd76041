"""The operators' servers, on this machine: a proxy that answers in their names over HTTP and TLS.

The reader is led to it by the variables that every program behind a proxy knows, so that nothing in the
product has to know of tests.
"""

import hashlib
import ipaddress
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smartgrid.live.reader import python_outside

HOSTS = ("www.caiso.com", "oasis.caiso.com", "www.ercot.com", "oasis-postings.prod.nysdi.com")


@dataclass(frozen=True)
class Answer:
    """What a server says."""

    body: bytes
    content_type: str = "text/csv"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_to: int | None = None
    """Bytes after which the connection breaks."""


NOT_FOUND = Answer(b"<html>not found</html>", "text/html", 404)
Answers = Callable[[str], Answer]


@dataclass(frozen=True)
class Asked:
    """One request."""

    address: str
    headers: Mapping[str, str]
    status: int


class Operators:
    """The proxy.

    Attributes:
        answers: gives the answer for an address; set by each test.
        asked: every request so far.
    """

    def __init__(self, folder: Path) -> None:
        self.answers: Answers = lambda _: NOT_FOUND
        self.asked: list[Asked] = []
        self._certificate = folder / "operators.pem"
        write_certificate(self._certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self._certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a program here; uv is to use what it has."""
        proxy = f"http://127.0.0.1:{self._server.server_port}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        certificate = str(self._certificate)
        return {
            **dict.fromkeys(names, proxy), "NO_PROXY": "", "no_proxy": "", "UV_OFFLINE": "1",
            "REQUESTS_CA_BUNDLE": certificate, "CURL_CA_BUNDLE": certificate,
        }  # fmt: skip

    @contextmanager
    def serving(self) -> Iterator["Operators"]:
        """Answer until the context ends."""
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        operators, tls = self, self._tls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            host = ""

            def do_CONNECT(self) -> None:
                self.host = "https://" + self.path.removesuffix(":443")
                self.send_response(200)
                self.end_headers()
                self.connection = self.request = tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
                self.close_connection = False

            def finish(self) -> None:
                super().finish()
                self.connection.close()

            def do_GET(self) -> None:
                address = self.host + self.path
                answer = operators.answers(address)
                tag = '"' + hashlib.sha256(answer.body).hexdigest()[:16] + '"'
                known = answer.status == 200 and self.headers.get("If-None-Match") == tag
                status = 304 if known else answer.status
                operators.asked.append(Asked(address, dict(self.headers.items()), status))
                self.send_response(status)
                self.send_header("ETag", tag)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", "0" if known else str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if not known:
                    self.wfile.write(answer.body[: answer.cut_to])
                self.wfile.flush()
                self.close_connection = answer.cut_to is not None

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


def make_environment() -> None:
    """Make the reader's environment from the package index; from then on the proxy is all that it needs."""
    subprocess.run([*python_outside(), "-c", "pass"], check=True, timeout=300)


def write_certificate(path: Path) -> None:
    """A key and a certificate of the operators' names, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operators of the tests")])
    names = [*map(x509.DNSName, HOSTS), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
