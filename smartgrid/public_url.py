"""Under which address a server is reached; light, for commands that need no more of it."""

from mcp_server.errors import ServeError
from smartgrid.settings import Settings

EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  what the settings may name


def public_url(settings: Settings) -> str:
    """Scheme and host under which clients reach the server.

    Raises:
        ServeError: where it listens on every address and none is named.
    """
    host = settings.http_host
    if settings.http_url is not None:
        return settings.http_url
    if host in EVERY_ADDRESS:
        raise ServeError(
            f"http_host={host!r} listens on every address: set http_url to the one that clients use, such as "
            "https://grid.example.com; requests for other names are refused"
        )
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
