"""When callers over HTTP are asked for tokens, and what the settings say of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_server.errors import ServeError
from policies.principal import SCOPE_APPROVE, SCOPE_READ
from smartgrid.errors import SettingsError
from smartgrid.public_url import public_url
from smartgrid.serving import access_of
from smartgrid.settings import Settings, load_settings
from smartgrid.tokens import DAY_S, TokenStore, ensure_operator_token

OAUTH = {
    "issuer": "https://login.example",
    "audience": "https://grid.example/mcp",
    "jwks_url": "https://login.example/jwks.json",
}


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **named: load_settings(state=tmp_path, **named)


def test_on_this_machine_nobody_is_asked_until_a_client_has_a_token(given: Callable[..., Settings]) -> None:
    settings = given()
    store = TokenStore(settings.tokens_db)
    assert access_of(settings) is None
    ensure_operator_token(store, settings.operator_token_file, "ana")
    assert access_of(settings) is None, "the operator's own token asks no client for theirs"
    store.create("ana", [SCOPE_READ], DAY_S)
    assert access_of(settings) is not None
    store.revoke("ana")
    assert access_of(settings) is not None, "that the last token ended opens nothing"


@pytest.mark.parametrize("named", [{"require_tokens": True}, {"oauth": OAUTH}])
def test_the_settings_ask_for_tokens_from_the_start(
    given: Callable[..., Settings], named: dict[str, Any]
) -> None:
    access = access_of(given(**named))
    assert access is not None
    assert anyio.run(access.verifier.verify_token, "") is None


def test_a_local_token_says_who_calls_and_until_when(given: Callable[..., Settings]) -> None:
    settings = given(require_tokens=True)
    made, text = TokenStore(settings.tokens_db).create("ana", [SCOPE_READ, SCOPE_APPROVE], DAY_S)
    access = access_of(settings)
    assert access is not None
    said = anyio.run(access.verifier.verify_token, text)
    assert said is not None
    assert (said.subject, said.client_id) == ("operator:ana", made.token_id)
    assert said.scopes == [SCOPE_APPROVE, SCOPE_READ]
    assert said.expires_at == int(made.expires_at_s)


def test_clients_learn_of_the_issuer_to_the_letter(given: Callable[..., Settings]) -> None:
    access = access_of(given(oauth=OAUTH, http_url="https://grid.example"))
    assert access is not None
    assert str(access.auth.issuer_url) == "https://login.example"
    assert str(access.auth.resource_server_url) == "https://grid.example/mcp"


@pytest.mark.parametrize(
    ("named", "url"),
    [
        ({}, "http://127.0.0.1:8765"),
        ({"http_host": "::1", "http_port": 80}, "http://[::1]:80"),
        ({"http_host": "192.168.1.7"}, "http://192.168.1.7:8765"),
        ({"http_host": "0.0.0.0", "http_url": "https://grid.example:8443"}, "https://grid.example:8443"),  # noqa: S104
    ],
)
def test_clients_reach_it_by_its_address_or_by_the_name_in_the_settings(
    given: Callable[..., Settings], named: dict[str, Any], url: str
) -> None:
    assert public_url(given(**named)) == url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])  # noqa: S104
def test_on_every_address_it_wants_the_name_that_clients_use(
    given: Callable[..., Settings], host: str
) -> None:
    with pytest.raises(ServeError, match="set http_url"):
        public_url(given(http_host=host))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("http_url", "grid.example"),
        ("http_url", "https://grid.example/mcp"),
        ("http_url", "https://user@grid.example"),
        ("oauth", OAUTH | {"issuer": "http://login.example"}),
        ("oauth", OAUTH | {"jwks_url": "http://localhost.example/jwks.json"}),
        ("oauth", OAUTH | {"jwks_url": "file:///etc/passwd"}),
        ("oauth", OAUTH | {"audience": ""}),
        ("oauth", {name: OAUTH[name] for name in ("issuer", "audience")}),
        ("oauth", OAUTH | {"algorithms": ["none"]}),
    ],
)
def test_a_setting_that_would_weaken_the_check_is_refused_by_name(
    given: Callable[..., Settings], field: str, value: object
) -> None:
    with pytest.raises(SettingsError, match=field):
        given(**{field: value})


def test_an_issuer_on_this_machine_may_be_without_tls(given: Callable[..., Settings]) -> None:
    local = OAUTH | {"issuer": "http://127.0.0.1:9000/realm", "jwks_url": "http://localhost:9000/jwks"}
    assert given(oauth=local).oauth is not None
