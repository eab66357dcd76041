import re

from knowledge.synonyms import SYNONYMS


def test_every_group_offers_a_choice_in_lower_case() -> None:
    for group in SYNONYMS:
        assert len(group) >= 2
        assert all(phrase == phrase.lower().strip() and phrase for phrase in group)


def test_no_phrase_is_so_common_or_short_that_it_would_match_anything() -> None:
    common = {"to", "go", "top", "is", "as", "we", "it", "or", "get", "who", "how"}
    for group in SYNONYMS:
        for phrase in group:
            assert phrase not in common
            assert re.fullmatch(r"[a-z0-9][a-z0-9 ,/\-]+", phrase), phrase


def test_what_operators_say_stands_beside_what_standards_print() -> None:
    beside = {phrase: group for group in SYNONYMS for phrase in group}
    assert "interruption of firm load" in beside["shed load"]
    assert "area control error" in beside["ace"]
    assert "security update" in beside["security patch"]
    assert "cascading outage" in beside["blackout"]
