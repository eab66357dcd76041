from policies.principal import (
    PRIORITY_PERSON,
    SCOPE_APPROVE,
    SCOPE_DISPATCH,
    SCOPE_READ,
    bearer_principal,
    oauth_subject,
    token_subject,
)


def test_a_token_gives_a_persons_priority_and_no_scope_that_is_not_known() -> None:
    principal = bearer_principal("oauth:8f3c", [SCOPE_READ, "grid:all", "openid"])
    assert principal.scopes == {SCOPE_READ}
    assert principal.priority == PRIORITY_PERSON
    assert not principal.autonomous


def test_no_name_makes_a_token_the_supervisors() -> None:
    for name in ("supervisor:response", "response", ""):
        for subject in (
            token_subject(name, [SCOPE_READ, SCOPE_DISPATCH]),
            token_subject(name, [SCOPE_APPROVE]),
            oauth_subject(name),
        ):
            assert not bearer_principal(subject, [SCOPE_DISPATCH]).autonomous
