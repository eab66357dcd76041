"""Tokens of an OAuth issuer: which are taken, and that nothing else is."""

import base64
import json
import string
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.jwks import ALGORITHMS, JwksVerifier, scopes_of
from tests.mcp_server.issuer import AUDIENCE, ISSUER, Issuer, issuing

ALPHABET = string.ascii_letters + string.digits + "-_"


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Issuer, JwksVerifier]]:
    """An issuer whose keys stay as they are."""
    with issuing() as issuer:
        yield issuer, JwksVerifier(ISSUER, AUDIENCE, issuer.jwks_url)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def verifier(issuer: Issuer) -> JwksVerifier:
    return JwksVerifier(ISSUER, AUDIENCE, issuer.jwks_url)


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_a_signed_token_says_who_calls_and_what_they_may(
    shared: tuple[Issuer, JwksVerifier], kid: str
) -> None:
    issuer, verify = shared
    said = verify.verify(issuer.token(kid, scope="openid grid:read grid:dispatch grid:all"))
    assert said is not None
    assert (said.subject, said.client_id) == ("oauth:8f3c", "desktop")
    assert said.scopes == ["grid:read", "grid:dispatch"]
    assert said.claims == {"iss": ISSUER}


def test_a_subject_cannot_pose_as_the_supervisor_or_an_operator(shared: tuple[Issuer, JwksVerifier]) -> None:
    issuer, verify = shared
    for sub in ("supervisor:response", "operator:ana"):
        said = verify.verify(issuer.token(sub=sub, scope="grid:approve"))
        assert said is not None
        assert said.subject == f"oauth:{sub}"


def test_one_audience_of_several_is_enough(shared: tuple[Issuer, JwksVerifier]) -> None:
    issuer, verify = shared
    assert verify.verify(issuer.token(aud=["https://other.example", AUDIENCE])) is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1},
        {"nbf": 32_503_680_000},
        {"aud": "https://other.example/mcp"},
        {"aud": f"{AUDIENCE}/"},
        {"iss": "http://127.0.0.1/other"},
        {"iss": f"{ISSUER}/"},
        {"exp": None},
        {"aud": None},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "x" * 201},
    ],
    ids=lambda changed: ",".join(f"{name}={str(value)[:20]!r}" for name, value in changed.items()),
)
def test_a_token_for_another_time_place_or_issuer_is_refused(
    shared: tuple[Issuer, JwksVerifier], changed: dict[str, Any]
) -> None:
    issuer, verify = shared
    assert verify.verify(issuer.token()) is not None
    assert verify.verify(issuer.token(**changed)) is None


def part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None])
def test_an_unsigned_token_is_refused_without_asking_the_issuer(
    issuer: Issuer, algorithm: str | None
) -> None:
    header = part({"alg": algorithm, "typ": "JWT", "kid": "rsa"})
    unsigned = f"{header}.{part(issuer.claims())}."
    verify = verifier(issuer)
    assert verify.verify(unsigned) is None
    assert verify.verify(unsigned + issuer.token().rpartition(".")[2]) is None
    assert issuer.fetches == []


def test_the_public_key_is_no_shared_secret(shared: tuple[Issuer, JwksVerifier]) -> None:
    issuer, verify = shared
    pem = issuer.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip()):
        forged = sign_hs256({"alg": "HS256", "kid": "rsa"}, issuer.claims(), secret)
        assert verify.verify(forged) is None
        # And with an honest header over that signature:
        assert verify.verify(sign_hs256({"alg": "RS256", "kid": "rsa"}, issuer.claims(), secret)) is None
    assert "HS256" not in ALGORITHMS


def sign_hs256(header: dict[str, object], claims: dict[str, object], secret: bytes) -> str:
    signed = f"{part(header)}.{part(claims)}"
    digest = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), secret)
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_a_key_that_the_issuer_does_not_publish_signs_nothing(issuer: Issuer) -> None:
    verify = verifier(issuer)
    assert verify.verify(issuer.token("unpublished")) is None
    assert verify.verify(issuer.token("unpublished", headers={"kid": "ec"})) is None
    assert verify.verify(issuer.token("rsa", headers={"kid": "ec"})) is None
    own = jwt.PyJWK.from_json(json.dumps(issuer.jwks()["keys"][1]))
    assert own.key_id == "ec"
    carried = issuer.token("unpublished", headers={"kid": "ec", "jwk": issuer.jwks()["keys"][1]})
    assert verify.verify(carried) is None


def test_keys_are_fetched_once_for_many_tokens(issuer: Issuer) -> None:
    verify = verifier(issuer)
    for kid in ("rsa", "ec") * 5:
        assert verify.verify(issuer.token(kid)) is not None
    assert len(issuer.fetches) == 1


def test_an_issuer_that_is_away_leaves_its_tokens_refused_and_recovers(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    verify = verifier(issuer)
    issuer.answers = 503
    assert verify.verify(issuer.token()) is None
    assert ISSUER in caplog.text
    issuer.answers = 200
    assert verify.verify(issuer.token()) is not None
    issuer.answers = 503  # from now on the keys at hand serve
    assert verify.verify(issuer.token("ec")) is not None


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "grid:read grid:approve"}, ["grid:read", "grid:approve"]),
        ({"scp": ["grid:dispatch", 7, None]}, ["grid:dispatch"]),
        ({"scp": "grid:dispatch", "scope": "grid:read"}, ["grid:read", "grid:dispatch"]),
        ({"scope": "grid:readgrid:dispatch GRID:READ grid:read,grid:dispatch"}, []),
        ({"scope": {"grid:read": True}}, []),
        ({}, []),
    ],
)
def test_scopes_are_read_from_either_claim_and_others_count_nothing(
    claims: dict[str, object], scopes: list[str]
) -> None:
    assert scopes_of(claims) == scopes


@given(data=st.data(), kid=st.sampled_from(["rsa", "ec"]))
def test_no_tampered_token_passes(shared: tuple[Issuer, JwksVerifier], data: st.DataObject, kid: str) -> None:
    issuer, verify = shared
    good = issuer.token(kid)
    at = data.draw(st.integers(0, len(good) - 1))
    put = data.draw(st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=3))
    cut = data.draw(st.integers(0, 3))
    tampered = good[:at] + put + good[at + cut :]
    assert (verify.verify(tampered) is not None) == (tampered == good)


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_a_signature_counts_only_as_it_was_spelt(shared: tuple[Issuer, JwksVerifier], kid: str) -> None:
    issuer, verify = shared
    good = issuer.token(kid)
    assert verify.verify(good) is not None
    respelt = [good[:-1] + last for last in ALPHABET if last != good[-1]]  # some differ in spare bits alone
    respelt += [good[:-9] + stray + good[-9:] for stray in "!=*~."] + [good + "=", good + "=="]
    assert [text for text in respelt if verify.verify(text) is not None] == []


@given(data=st.data())
def test_no_other_claims_pass_under_a_signature(
    shared: tuple[Issuer, JwksVerifier], data: st.DataObject
) -> None:
    issuer, verify = shared
    header, _, signature = issuer.token().split(".")
    claims = issuer.claims(
        scope=data.draw(st.sampled_from(["grid:dispatch", "grid:approve", "grid:read grid:dispatch"])),
        sub=data.draw(st.text(min_size=1, max_size=5)),
    )
    assert verify.verify(f"{header}.{part(claims)}.{signature}") is None


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused(shared: tuple[Issuer, JwksVerifier], text: str) -> None:
    assert shared[1].verify(text) is None
