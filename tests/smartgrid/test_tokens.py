"""Locally issued tokens: their life, and what is kept of them."""

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ
from smartgrid.cli import app
from smartgrid.tokens import (
    DAY_S,
    OPERATOR_LIFE_S,
    StoredToken,
    TokenError,
    TokenStore,
    ensure_operator_token,
    parse_life_s,
)

READ_DISPATCH = (SCOPE_READ, SCOPE_DISPATCH)


class Wall:
    """The machine's time, as the test sets it."""

    def __init__(self) -> None:
        self.now_s = 1.7e9

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def store(tmp_path: Path, wall: Wall) -> TokenStore:
    return TokenStore(tmp_path / "state" / "tokens.db", wall)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenStore, str, str]:
    """A store with two valid tokens."""
    store = TokenStore(tmp_path_factory.mktemp("kept") / "tokens.db")
    texts = [store.create(name, READ_DISPATCH, DAY_S)[1] for name in ("ana", "ben")]
    return store, texts[0], texts[1]


def test_a_token_is_good_for_its_scopes_until_it_expires(store: TokenStore, wall: Wall) -> None:
    made, text = store.create("ana", READ_DISPATCH, 30 * DAY_S)
    assert store.verify(text) == made
    assert made.scopes == set(READ_DISPATCH)
    wall.now_s = made.expires_at_s - 0.001
    assert store.verify(text) == made
    wall.now_s = made.expires_at_s
    assert store.verify(text) is None
    assert [token.state(wall()) for token in store.made()] == ["expired"]


def test_a_revoked_token_is_refused_at_once_by_other_processes_too(store: TokenStore, tmp_path: Path) -> None:
    made, text = store.create("ana", READ_DISPATCH, DAY_S)
    _, other = store.create("ana", READ_DISPATCH, DAY_S)
    beside = TokenStore(tmp_path / "state" / "tokens.db", store._wall)
    assert beside.verify(text) is not None
    assert [token.token_id for token in store.revoke(made.token_id)] == [made.token_id]
    assert beside.verify(text) is None
    assert beside.verify(other) is not None
    with pytest.raises(TokenError, match="no valid token"):
        store.revoke(made.token_id)


def test_revoking_a_name_ends_all_that_carry_it(store: TokenStore) -> None:
    texts = [store.create(name, [SCOPE_READ], DAY_S)[1] for name in ("ana", "ana", "ben")]
    assert len(store.revoke("ana")) == 2
    assert [store.verify(text) is not None for text in texts] == [False, False, True]


def test_the_file_is_for_this_user_alone_and_holds_no_secret(store: TokenStore, tmp_path: Path) -> None:
    _, text = store.create("ana", [SCOPE_READ], DAY_S)
    path = tmp_path / "state" / "tokens.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_tokens_made_side_by_side_all_count_and_no_two_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "tokens.db"

    def make(_: int) -> str:
        return TokenStore(path).create("ana", [SCOPE_READ], DAY_S)[1]

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(make, range(16)))
    assert len(set(texts)) == 16
    assert all(TokenStore(path).verify(text) is not None for text in texts)
    assert len(TokenStore(path).made()) == 16


def test_a_place_that_cannot_hold_tokens_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TokenError, match=r"tokens\.db: cannot be used"):
        TokenStore(tmp_path / "file" / "tokens.db").create("ana", [SCOPE_READ], DAY_S)


@pytest.mark.parametrize(
    ("scopes", "subject"),
    [
        ((SCOPE_READ,), "local:ana"),
        (READ_DISPATCH, "local:ana"),
        ((SCOPE_READ, SCOPE_APPROVE), "operator:ana"),
    ],
)
def test_one_persons_two_tokens_share_the_name_that_four_eyes_compare(
    store: TokenStore, scopes: tuple[str, ...], subject: str
) -> None:
    assert store.create("ana", scopes, DAY_S)[0].subject == subject


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("", (SCOPE_READ,), DAY_S), "--name"),
        ((" ana", (SCOPE_READ,), DAY_S), "--name"),
        (("a\nb", (SCOPE_READ,), DAY_S), "--name"),
        (("a" * 65, (SCOPE_READ,), DAY_S), "--name"),
        (("ana", (), DAY_S), "--scope=none"),
        (("ana", ("grid:all",), DAY_S), "--scope=grid:all"),
        (("ana", (SCOPE_DISPATCH, SCOPE_APPROVE), DAY_S), "make two"),
        (("ana", (SCOPE_READ,), 59.0), "--expires"),
        (("ana", (SCOPE_READ,), 367 * DAY_S), "366d"),
    ],
)
def test_what_no_token_may_be_is_refused_and_leaves_no_file(
    store: TokenStore, tmp_path: Path, asked: tuple[str, tuple[str, ...], float], said: str
) -> None:
    with pytest.raises(TokenError, match=said):
        store.create(*asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "life_s"), [("90m", 5400.0), ("12h", 43_200.0), ("30d", 30 * DAY_S)])
def test_lifetimes_are_read(text: str, life_s: float) -> None:
    assert parse_life_s(text) == life_s


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 d", "30days", "1e3d", "٣d", "never"])
def test_what_is_no_lifetime_is_refused(text: str) -> None:
    with pytest.raises(TokenError, match="write it like 90m"):
        parse_life_s(text)


def test_without_a_file_nothing_is_valid_and_none_is_made(store: TokenStore, tmp_path: Path) -> None:
    assert store.verify("sgt_00_x") is None
    assert store.made() == []
    assert not store.for_clients()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "tokens.db"
    path.write_text("not a database, " * 100)
    with pytest.raises(TokenError, match=r"tokens\.db: cannot be used .*move it away"):
        TokenStore(path).verify("sgt_00_x")


@given(data=st.data())
def test_no_tampered_token_passes(kept: tuple[TokenStore, str, str], data: st.DataObject) -> None:
    store, good, other = kept
    at = data.draw(st.integers(0, len(good) - 1))
    put = data.draw(st.text(max_size=3))
    cut = data.draw(st.integers(0, 3))
    tampered = good[:at] + put + good[at + cut :]
    assert (store.verify(tampered) is not None) == (tampered == good)
    mixed = good[:at] + other[at:]
    assert (store.verify(mixed) is not None) == (mixed in (good, other))


def test_the_operator_token_is_made_once_and_again_when_it_ended(
    store: TokenStore, wall: Wall, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "operator.token"

    def known() -> StoredToken | None:
        ensure_operator_token(store, path, "ana")
        return store.verify(path.read_text().strip())

    first = known()
    assert first is not None
    assert first.subject == "operator:ana"
    assert first.scopes == {SCOPE_READ, SCOPE_APPROVE}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert known() == first
    assert not store.for_clients()
    wall.now_s += OPERATOR_LIFE_S
    second = known()
    assert second not in (None, first)
    store.revoke("ana")
    third = known()
    assert third not in (None, first, second)
    assert {entry.name for entry in path.parent.iterdir()} == {"operator.token", "tokens.db"}


# -- the command ------------------------------------------------------------------------------


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments, "--state", str(state)])


def test_the_command_shows_a_token_once_lists_and_revokes_it(tmp_path: Path) -> None:
    scopes = ("--scope", SCOPE_READ, "--scope", SCOPE_DISPATCH)
    created = run(tmp_path, "create", "--name", "ana", *scopes, "--expires", "2d")
    text = created.stdout.strip()
    assert created.exit_code == 0
    assert text not in created.stderr
    assert "local:ana" in created.stderr
    store = TokenStore(tmp_path / "tokens.db")
    made = store.verify(text)
    assert made is not None
    assert made.expires_at_s - made.created_at_s == pytest.approx(2 * DAY_S)
    assert abs(made.created_at_s - time.time()) < 3600  # wall time

    (entry,) = json.loads(run(tmp_path, "list", "--json").stdout)
    assert (entry["subject"], entry["state"]) == ("local:ana", "valid")
    assert entry["scopes"] == sorted(READ_DISPATCH)
    for listed in (run(tmp_path, "list"), run(tmp_path, "list", "--json")):
        assert made.token_id in listed.stdout
        assert text.split("_", 2)[2] not in listed.stdout

    assert made.token_id in run(tmp_path, "revoke", made.token_id).stdout
    assert store.verify(text) is None
    refused = run(tmp_path, "revoke", "nobody")
    assert isinstance(refused.exception, TokenError)
    assert "'nobody': no valid token" in str(refused.exception)


def test_the_command_names_a_wrong_scope_and_what_is_allowed(tmp_path: Path) -> None:
    refused = run(tmp_path, "create", "--name", "ana", "--scope", "grid:all")
    assert refused.stdout == ""
    assert isinstance(refused.exception, TokenError)
    assert "use one or more of grid:read, grid:dispatch, grid:approve" in str(refused.exception)
