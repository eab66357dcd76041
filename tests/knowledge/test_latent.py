"""Vectors that are learnt from the corpus itself."""

from pathlib import Path

import numpy as np

from knowledge.latent import Latent

TEXTS = [
    "The password opens an account of the computer.",
    "An account and its password are kept by the computer's owner.",
    "A login needs the computer and the account.",
    "The ship pays its mooring in the harbour.",
    "A vessel at its mooring blocks the harbour.",
    "The harbour master moors every ship and vessel.",
]


def test_texts_that_share_no_word_are_near_where_the_corpus_uses_their_words_together() -> None:
    login, password, vessel = Latent.learn(TEXTS, dimensions=2).encode(["login", "password", "vessel"])
    assert login @ password > 0.5
    assert abs(float(login @ vessel)) < 0.2


def test_rows_have_length_one_and_unknown_words_have_no_direction() -> None:
    known, unknown = Latent.learn(TEXTS).encode(["the ship in the harbour", "xyzzy"])
    np.testing.assert_allclose(np.linalg.norm(known), 1, rtol=1e-5)
    assert not unknown.any()


def test_a_single_text_and_a_text_of_stop_words_can_be_learnt() -> None:
    assert Latent.learn(["Ships."]).encode(["ship"]).any()
    assert not Latent.learn(["It is what it is."]).encode(["ship"]).any()


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    latent = Latent.learn(TEXTS)
    latent.save(tmp_path / "latent.npz")
    np.testing.assert_array_equal(Latent.load(tmp_path / "latent.npz").encode(TEXTS), latent.encode(TEXTS))
