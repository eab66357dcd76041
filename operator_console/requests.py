"""Where a request may come from: which names reach the console, and which pages may speak to it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_THIS_MACHINE: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reach:
    """The names of this server; requests for others are refused (DNS rebinding).

    Attributes:
        host: address that it listens on.
        public_url: scheme and host under which browsers reach it, where that is another one.
    """

    host: str = "127.0.0.1"
    public_url: str | None = None

    def named(self, headers: Headers) -> str | None:
        """The one name that a request was addressed to; None where it is not ours."""
        names = headers.getlist("host")
        if len(names) != 1:
            return None
        own = f"[{self.host}]" if ":" in self.host else self.host
        public = urlsplit(self.public_url).netloc if self.public_url else None
        is_own = names[0] == own or re.fullmatch(re.escape(own) + r":\d{1,5}", names[0]) is not None
        return names[0] if _THIS_MACHINE.fullmatch(names[0]) or is_own or names[0] == public else None

    def same_origin(self, headers: Headers) -> bool:
        """Whether a page of ours sent it: without that, no log-in and no live connection."""
        named, origins = self.named(headers), headers.getlist("origin")
        if named is None or len(origins) != 1:
            return False
        return origins[0].lower() in {f"http://{named}".lower(), (self.public_url or "").lower()} - {""}
