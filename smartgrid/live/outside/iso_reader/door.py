"""The one door to the operators' servers: whatever gridstatus or pandas asks goes through it.

gridstatus calls ``requests.get`` without a time-out for some operators and lets pandas open other
addresses itself; some of its readers take an answer that is no success for one without data. Behind
this door each request says who asks, waits its turn, has a time-out, asks only for what changed since
the last time (ETag, Last-Modified), and raises where the server did not answer with success.
"""

import urllib.request
from datetime import timedelta
from email.message import Message
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from urllib.response import addinfourl

import requests
from requests_cache import EXPIRE_IMMEDIATELY, CachedSession  # type: ignore[import-not-found]

from .turns import Turns

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""
FORGET_AFTER = timedelta(days=2)
"""The addresses of a past day are not asked for again."""


class Door(CachedSession):  # type: ignore[misc]  # its package is outside the product's environment
    """A session that is polite.

    Args:
        user_agent: tells the operators who asks.
        gap_s: seconds between two requests to one host.
    """

    def __init__(self, user_agent: str, gap_s: float) -> None:
        # What is kept has expired at once: it is good for a 304 alone, and never stands in for an answer
        # that fails. CAISO's addresses carry the time in "_", to get round caches; its validators still hold.
        super().__init__(backend="memory", expire_after=EXPIRE_IMMEDIATELY, ignored_parameters=["_"])
        self.headers["User-Agent"] = user_agent
        self._turns = Turns(gap_s)
        self.asked = ""

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        """As of requests; raises for every status that is no success."""
        self.asked = url
        options["timeout"] = options.get("timeout") or TIMEOUT_S
        self._turns.wait(urlsplit(url).netloc)
        self.cache.delete(older_than=FORGET_AFTER)
        response = super().request(method, url, *args, **options)
        response.raise_for_status()
        return response


class _ThroughTheDoor(urllib.request.BaseHandler):
    """Lets urllib, and so ``pandas.read_csv(url)``, ask through a session."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def http_open(self, request: urllib.request.Request) -> addinfourl:
        response = self._door.request("GET", request.full_url)
        headers = Message()
        headers["Content-Type"] = response.headers.get("Content-Type", "")
        return addinfourl(BytesIO(response.content), headers, request.full_url, response.status_code)

    https_open = http_open


def open_door(user_agent: str, gap_s: float) -> Door:
    """Make the door, and lead every request of this process through it."""
    door = Door(user_agent, gap_s)
    requests.api.request = door.request  # type: ignore[assignment]  # what requests.get and its like call
    opener = urllib.request.OpenerDirector()
    opener.add_handler(_ThroughTheDoor(door))
    urllib.request.install_opener(opener)
    return door
