"""One-time links into the console: once, for a while, for the operator alone."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policies.principal import SCOPE_DISPATCH, SCOPE_READ
from smartgrid.cli import app
from smartgrid.console_link import new_link
from smartgrid.operator_token import LINK_LIFE_S, ConsoleLinks, OperatorDoor, new_link_code
from smartgrid.settings import load_settings
from smartgrid.tokens import DAY_S, TokenError, TokenStore, ensure_operator_token
from tests.operator_console.test_sessions import Wall


class House:
    """A state directory with an operator token, and its door."""

    def __init__(self, state: Path) -> None:
        self.wall = Wall()
        self.store = TokenStore(state / "tokens.db", self.wall)
        self.file = state / "operator.token"
        ensure_operator_token(self.store, self.file, "ana")
        self.links = ConsoleLinks(state / "tokens.db", self.wall)
        self.door = OperatorDoor(self.store, self.links)

    def code(self) -> str:
        return new_link_code(self.store, self.links, self.file)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_link_opens_the_console_once(house: House) -> None:
    code = house.code()
    operator = house.door.enter(code)
    assert operator is not None
    assert operator.subject == "operator:ana"
    assert house.door.enter(code) is None


def test_of_many_tries_at_once_one_gets_in(house: House) -> None:
    code = house.code()
    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(house.door.enter, [code] * 24))
    assert sum(operator is not None for operator in entered) == 1


def test_a_link_grows_old(house: House) -> None:
    early, late = house.code(), house.code()
    house.wall.now_s += LINK_LIFE_S - 1
    assert house.door.enter(early) is not None
    house.wall.now_s += 1
    assert house.door.enter(late) is None


def test_revoking_the_token_ends_its_links_and_its_operator(house: House) -> None:
    code = house.code()
    operator = house.door.enter(house.code())
    assert operator is not None
    assert house.door.known(operator.token_id) == operator
    house.store.revoke("ana")
    assert house.door.enter(code) is None
    assert house.door.known(operator.token_id) is None
    with pytest.raises(TokenError, match="no valid operator token"):
        house.code()


def test_the_operator_token_itself_opens_it_as_often_as_wanted(house: House) -> None:
    text = house.file.read_text().strip()
    assert house.door.enter(text) == house.door.enter(text) is not None


@pytest.mark.parametrize("scopes", [(SCOPE_READ,), (SCOPE_READ, SCOPE_DISPATCH)])
def test_a_token_without_the_approve_scope_opens_nothing(house: House, scopes: tuple[str, ...]) -> None:
    made, text = house.store.create("eve", scopes, DAY_S)
    assert house.door.enter(text) is None
    assert house.door.known(made.token_id) is None
    house.file.write_text(text)
    with pytest.raises(TokenError, match="no valid operator token"):
        house.code()


@pytest.mark.parametrize("text", ["", "x", "sgt_", "sgt_0_0", "' OR 1=1 --"])
def test_nothing_else_opens_it(house: House, text: str) -> None:
    house.code()
    assert house.door.enter(text) is None


def test_no_code_is_kept_in_the_clear(house: House, tmp_path: Path) -> None:
    code = house.code()
    with sqlite3.connect(tmp_path / "tokens.db") as db:
        kept = db.execute("SELECT * FROM console_links").fetchall()
    db.close()
    assert kept
    assert code not in str(kept)


def test_a_link_names_the_address_that_browsers_use(house: House, tmp_path: Path) -> None:
    assert house.store.made()
    ensure_operator_token(TokenStore(tmp_path / "tokens.db"), house.file, "ana")
    settings = load_settings(state=tmp_path, http_url="https://grid.example.com")
    assert new_link(settings).startswith("https://grid.example.com/console/login#")


def test_the_command_prints_a_link_and_says_what_is_missing(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.db")
    missing = CliRunner().invoke(app, ["console", "link", "--state", str(tmp_path)])
    assert isinstance(missing.exception, TokenError)
    assert "start smartgrid up" in str(missing.exception)
    ensure_operator_token(store, tmp_path / "operator.token", "ana")
    shown = CliRunner().invoke(app, ["console", "link", "--state", str(tmp_path)])
    assert shown.exit_code == 0
    url, _, code = shown.stdout.strip().partition("#")
    assert url == "http://127.0.0.1:8765/console/login"
    door = OperatorDoor(store, ConsoleLinks(tmp_path / "tokens.db"))
    assert door.enter(code) is not None
