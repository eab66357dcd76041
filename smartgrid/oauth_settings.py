"""The OAuth 2.1 issuer in the settings, whose tokens are taken over HTTP.

In ``smartgrid.toml``::

    [oauth]
    issuer = "https://login.example.com/"
    audience = "https://grid.example.com/mcp"
    jwks_url = "https://login.example.com/.well-known/jwks.json"
"""

from pydantic import BaseModel, ConfigDict, Field

SECURE_URL = r"^(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?)(/[^\s#]*)?$"
"""Keys fetched in the clear could be anybody's; on this machine nobody stands between."""


class OAuthSettings(BaseModel):
    """An issuer; all three fields are needed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        description="the iss of its tokens, to the letter; https, or http on this machine", pattern=SECURE_URL
    )
    audience: str = Field(
        description="the aud that marks a token as meant for this server, such as its public /mcp address",
        min_length=1,
    )
    jwks_url: str = Field(
        description="where it publishes its keys (jwks_uri in its metadata); https, or http on this machine",
        pattern=SECURE_URL,
    )
