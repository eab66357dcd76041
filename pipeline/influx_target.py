"""Where the InfluxDB 2 server is, how its client is opened, and what its errors mean to the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from pipeline.errors import StoreError

READ_ATTEMPTS: Final = 3
_LONGEST_REASON: Final = 200
_FIXES: Final = {
    400: "correct influx_org, or see the server's log",
    401: "set influx_token (or influx_token_file) to a token of this server",
    403: "give the token read and write access to the bucket",
    404: "correct influx_org and influx_bucket, then run `smartgrid store init`",
    422: "lengthen influx_retention_days beyond the oldest points and run `smartgrid store init --update`",
}


@dataclass(frozen=True, slots=True)
class InfluxTarget:
    """One bucket of one server, and how patient to be with it.

    Attributes:
        url: such as ``http://127.0.0.1:8086``; no user name or password in it.
        org: the organization's name.
        bucket: takes the raw series.
        token: a secret; it is in no text that this object or its errors yield.
        write_timeout_s: how long a write is tried again before it fails, in s. Keep it below the
            consumer group's ``max.poll.interval.ms``, else the partitions move meanwhile.
        request_timeout_s: how long one request may take, in s.

    Raises:
        StoreError: if a text is empty, or the URL is none.
    """

    url: str
    org: str
    bucket: str
    token: str = field(repr=False)
    write_timeout_s: float = 120.0
    request_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("url", "org", "bucket", "token"):
            if not getattr(self, name):
                raise StoreError(f"influx_{name}: empty; set it, or SMARTGRID_INFLUX_{name.upper()}")
        parts = urlsplit(self.url)
        if parts.username is not None or parts.password is not None:
            raise StoreError("influx_url: holds a user name or password; give a token instead")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise StoreError(f"influx_url={self.url}: no address; write it like http://127.0.0.1:8086")


def open_client(target: InfluxTarget) -> InfluxDBClient:
    """A client of the target's server; nothing is sent yet.

    Reads are tried three times within about a second; writes bring their own patience.
    """
    retries = Retry(
        READ_ATTEMPTS - 1,
        backoff_factor=0.2,
        backoff_jitter=0.1,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=None,
    )
    return InfluxDBClient(
        target.url,
        token=target.token,
        org=target.org,
        timeout=round(target.request_timeout_s * 1000),
        retries=retries,
    )


@contextmanager
def told(target: InfluxTarget, what: str) -> Iterator[None]:
    """Turns the client's errors into one that names the server, what was tried, and the fix.

    Args:
        target: the server.
        what: what was tried, such as "reading telemetry".

    Raises:
        StoreError: in place of any error of the client or of the network.
    """
    where = f"influx_url={target.url}, bucket {target.bucket!r}: {what} failed"
    try:
        yield
    except ApiException as error:
        reason = str(error.message if error.status else error.reason)[:_LONGEST_REASON]
        fix = _FIXES.get(error.status or 0, "see the server's log")
        raise StoreError(f"{where} (status {error.status}: {reason}); {fix}") from error
    except HTTPError as error:
        reason = str(getattr(error, "reason", None) or error)[:_LONGEST_REASON]
        raise StoreError(f"{where} ({reason}); start InfluxDB, or correct influx_url") from error
