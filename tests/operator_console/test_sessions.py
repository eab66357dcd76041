"""Sessions end when they should; guessing is slowed down."""

import pytest

from operator_console.sessions import (
    FAILURES_ALLOWED,
    FAILURES_WINDOW_S,
    LONGEST_SESSION_S,
    MOST_ADDRESSES,
    MOST_SESSIONS,
    RECHECK_S,
    LoginLimit,
    Operator,
    Session,
    Sessions,
)

IDLE_S = 1_800.0
RIGHT, KEPT = "right", "id-1"


class Wall:
    """The machine's time, as the test sets it."""

    def __init__(self) -> None:
        self.now_s = 1.7e9

    def __call__(self) -> float:
        return self.now_s


class OneKey:
    """A door that one secret opens."""

    def __init__(self, wall: Wall, life_s: float = 1e9) -> None:
        self.operator = Operator("operator:ana", KEPT, wall() + life_s)
        self.valid = True

    def enter(self, secret: str) -> Operator | None:
        return self.operator if secret == RIGHT and self.valid else None

    def known(self, token_id: str) -> Operator | None:
        return self.operator if self.valid and token_id == KEPT else None


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def door(wall: Wall) -> OneKey:
    return OneKey(wall)


@pytest.fixture
def sessions(door: OneKey, wall: Wall) -> Sessions:
    return Sessions(door, IDLE_S, wall)


def opened(sessions: Sessions) -> tuple[str, Session]:
    cookie = sessions.open(RIGHT, "Europe/Luxembourg")
    assert cookie is not None
    session = sessions.of(cookie)
    assert session is not None
    return cookie, session


def test_only_the_right_secret_opens_a_session_and_only_its_cookie_finds_it(sessions: Sessions) -> None:
    assert sessions.open("wrong", "") is None
    cookie, session = opened(sessions)
    assert session.operator.subject == "operator:ana"
    assert session.zone == "Europe/Luxembourg"
    for other in (None, "", cookie[:-1], cookie + "x", "right"):
        assert sessions.of(other) is None


def test_every_session_has_a_cookie_of_its_own(sessions: Sessions) -> None:
    assert opened(sessions)[0] != opened(sessions)[0]


def test_a_session_that_nobody_touches_ends(sessions: Sessions, wall: Wall) -> None:
    cookie, session = opened(sessions)
    wall.now_s += IDLE_S - 1
    sessions.touch(session)
    wall.now_s += IDLE_S - 1
    assert sessions.of(cookie) is session
    wall.now_s += 1
    assert sessions.of(cookie) is None
    sessions.touch(session)
    assert sessions.of(cookie) is None, "a touch does not bring it back"


def test_a_session_ends_after_a_shift_however_busy(sessions: Sessions, wall: Wall) -> None:
    cookie, session = opened(sessions)
    ends_at_s = wall.now_s + LONGEST_SESSION_S
    while wall.now_s + 1_000 < ends_at_s:
        wall.now_s += 1_000
        sessions.touch(session)
    assert sessions.of(cookie) is session
    wall.now_s = ends_at_s
    assert sessions.of(cookie) is None


def test_a_session_does_not_outlive_its_token(wall: Wall) -> None:
    sessions = Sessions(OneKey(wall, life_s=60.0), IDLE_S, wall)
    cookie, _ = opened(sessions)
    wall.now_s += 60.0
    assert sessions.of(cookie) is None


def test_revoking_the_token_ends_its_sessions_within_seconds(
    sessions: Sessions, door: OneKey, wall: Wall
) -> None:
    cookie, _ = opened(sessions)
    door.valid = False
    wall.now_s += RECHECK_S
    assert sessions.of(cookie) is None
    door.valid = True
    wall.now_s += RECHECK_S
    assert sessions.of(cookie) is None, "it stays ended"


def test_log_out_ends_one_session_and_no_other(sessions: Sessions) -> None:
    (first, session), (second, _) = opened(sessions), opened(sessions)
    sessions.end(session)
    assert sessions.of(first) is None
    assert not sessions.live(session)
    assert sessions.of(second) is not None


def test_sessions_do_not_pile_up(sessions: Sessions) -> None:
    first, session = opened(sessions)
    for _ in range(MOST_SESSIONS):
        opened(sessions)
    assert sessions.of(first) is None
    assert session.ended


def test_after_five_failures_an_address_waits_and_others_do_not(wall: Wall) -> None:
    limit = LoginLimit(wall)
    for _ in range(FAILURES_ALLOWED):
        assert limit.wait_s("10.0.0.1") == 0.0
        limit.failed("10.0.0.1")
    assert limit.wait_s("10.0.0.1") == FAILURES_WINDOW_S
    assert limit.wait_s("10.0.0.2") == 0.0
    wall.now_s += FAILURES_WINDOW_S
    assert limit.wait_s("10.0.0.1") == 0.0


def test_a_success_forgets_the_failures(wall: Wall) -> None:
    limit = LoginLimit(wall)
    for _ in range(FAILURES_ALLOWED):
        limit.failed("10.0.0.1")
    limit.passed("10.0.0.1")
    assert limit.wait_s("10.0.0.1") == 0.0


def test_addresses_do_not_pile_up(wall: Wall) -> None:
    limit = LoginLimit(wall)
    for k in range(MOST_ADDRESSES + 50):
        limit.failed(str(k))
    assert len(limit._failures) == MOST_ADDRESSES
