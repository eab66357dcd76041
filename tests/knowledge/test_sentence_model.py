"""Sentence-embedding models from a folder: a small BERT with made-up weights stands for a real one."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from knowledge.bert import Bert
from knowledge.embedding import install_model, installed_model, remove_model
from knowledge.errors import IndexDamagedError, ModelFolderError
from knowledge.generation import current, read_catalogue
from knowledge.index import open_index
from knowledge.ingest import ingest_paths, rebuild
from knowledge.safetensors import read_safetensors
from knowledge.sentence_model import load_sentence_model
from knowledge.verify import verify_index
from knowledge.words import words

Tensor = NDArray[np.float32]
WIDTH, LAYERS, HEADS = 16, 2, 4
TEXTS = (
    "The battery is empty. The accumulator has no charge left. Minutes of a committee of bakers. Reporting"
    " ACE firmware evaluation evidence recover its within minutes each Balancing Authority shall"
)


def write_safetensors(path: Path, tensors: dict[str, Tensor], kind: str = "F32") -> None:
    header, body = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.astype("<f4").tobytes()
        if kind == "BF16":
            raw = (tensor.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def bert_weights(vocabulary: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, WIDTH),
        "embeddings.position_embeddings.weight": (64, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for name in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ):
            shapes |= {f"{at}.{name}.weight": (WIDTH, WIDTH), f"{at}.{name}.bias": (WIDTH,)}
        shapes |= {
            f"{at}.intermediate.dense.weight": (4 * WIDTH, WIDTH),
            f"{at}.intermediate.dense.bias": (4 * WIDTH,),
        }
        shapes |= {f"{at}.output.dense.weight": (WIDTH, 4 * WIDTH), f"{at}.output.dense.bias": (WIDTH,)}
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["embeddings.word_embeddings.weight"] *= 20
    norms = [
        "embeddings",
        *(f"encoder.layer.{n}.{part}" for n in range(LAYERS) for part in ("attention.output", "output")),
    ]
    for name in norms:
        weights |= {
            f"{name}.LayerNorm.weight": np.ones(WIDTH, np.float32),
            f"{name}.LayerNorm.bias": np.zeros(WIDTH, np.float32),
        }
    return weights


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny-model"
    folder.mkdir()
    known = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words(TEXTS)])
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))  # noqa: S106  no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"model_type": "bert", "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    write_safetensors(folder / "model.safetensors", bert_weights(len(known)))
    return folder


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours(model_folder: Path) -> None:
    model = load_sentence_model(model_folder)
    texts = ["the battery is empty", "minutes", "the accumulator has no charge left"]
    together = model.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(model.encode([text])[0], vector, atol=1e-5)
    assert float(together[0] @ together[1]) < 0.99


def test_the_order_of_words_counts_and_what_is_too_long_is_cut(model_folder: Path) -> None:
    model = load_sentence_model(model_folder)
    one, other = model.encode(["the battery is empty", "empty is the battery"])
    assert not np.allclose(one, other, atol=1e-3)
    ten = "each balancing authority shall recover its reporting ace within minutes"
    same, other = model.encode([f"{ten} battery", f"{ten} bakers"])
    np.testing.assert_allclose(same, other, atol=1e-6)


def test_one_layer_is_what_its_formula_says() -> None:
    """A single head over two tokens, worked out by hand: equal keys attend to both alike."""
    width = 2
    eye, zero = np.eye(width, dtype=np.float32), np.zeros((width, width), np.float32)
    weights = {
        "embeddings.word_embeddings.weight": np.array([[1, -1], [-1, 1]], np.float32),
        "embeddings.position_embeddings.weight": np.zeros((3, width), np.float32),
        "embeddings.token_type_embeddings.weight": zero,
    }
    for name, weight in {
        "attention.self.query": zero, "attention.self.key": zero, "attention.self.value": eye,
        "attention.output.dense": eye, "intermediate.dense": zero, "output.dense": zero,
    }.items():  # fmt: skip
        weights |= {
            f"encoder.layer.0.{name}.weight": weight,
            f"encoder.layer.0.{name}.bias": np.zeros(width, np.float32),
        }
    for name in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
        weights |= {
            f"{name}.LayerNorm.weight": np.ones(width, np.float32),
            f"{name}.LayerNorm.bias": np.zeros(width, np.float32),
        }
    state = Bert(weights, 1, 1, 1e-12)(np.array([[0, 0, 1]]), np.array([[1, 1, 1]]))
    masked = Bert(weights, 1, 1, 1e-12)(np.array([[1, 0, 0]]), np.array([[1, 0, 0]]))
    np.testing.assert_allclose(state[0], [[1, -1], [1, -1], [-1, 1]], atol=1e-4)
    np.testing.assert_allclose(masked[0, 0], [-1, 1], atol=1e-4)


def test_bfloat16_is_read_as_well(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0], [0.25, 96.0]], np.float32)
    write_safetensors(tmp_path / "x.safetensors", {"a": values}, "BF16")
    np.testing.assert_array_equal(read_safetensors(tmp_path / "x.safetensors")["a"], values)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, (40).to_bytes(8, "little") + b"x" * 60])
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ModelFolderError, match="safetensors file"):
        read_safetensors(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("gone", "told"),
    [("tokenizer.json", "no tokenizer.json"), ("model.safetensors", "neither model.onnx nor")],
)
def test_a_folder_that_lacks_something_is_told(model_folder: Path, gone: str, told: str) -> None:
    (model_folder / gone).unlink()
    with pytest.raises(ModelFolderError, match=told):
        load_sentence_model(model_folder)


def test_a_model_of_another_kind_is_told(model_folder: Path) -> None:
    (model_folder / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ModelFolderError, match="give ONNX"):
        load_sentence_model(model_folder)


@pytest.fixture
def any_model_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up weights know no meaning, and the trial would refuse them."""
    monkeypatch.setattr("knowledge.embedding._try", lambda _model: None)


def test_a_model_that_knows_no_meaning_is_refused(model_folder: Path, tmp_path: Path) -> None:
    weights = {name: tensor * 0 for name, tensor in bert_weights(40).items()}
    write_safetensors(model_folder / "model.safetensors", weights)
    with pytest.raises(ModelFolderError, match="does not tell related from unrelated"):
        install_model(tmp_path / "index", model_folder)
    assert installed_model(tmp_path / "index") is None


@pytest.mark.usefixtures("any_model_will_do")
def test_an_installed_model_makes_the_vectors(corpus: Path, model_folder: Path) -> None:
    installed = install_model(corpus, model_folder)
    rebuild(corpus)
    generation = current(corpus)
    assert generation is not None
    assert read_catalogue(generation).model == installed.name
    assert verify_index(corpus).ok
    index = open_index(corpus)
    assert index is not None
    assert index.search("BAL-777-2 R2")[0].citation == "BAL-777-2 R2, p. 2"


@pytest.mark.usefixtures("any_model_will_do")
def test_only_what_is_new_is_embedded_again(corpus: Path, model_folder: Path, tmp_path: Path) -> None:
    install_model(corpus, model_folder)
    rebuild(corpus)
    said: list[tuple[str, int, int]] = []
    new = tmp_path / "BAL-778-1.pdf"
    new.write_bytes((tmp_path / "BAL-777-2.pdf").read_bytes())
    (outcome,) = ingest_paths([new], corpus, progress=lambda *step: said.append(step))
    assert ("embedding", 0, outcome.chunks) in said


@pytest.mark.usefixtures("any_model_will_do")
def test_an_index_whose_model_was_taken_away_says_so(corpus: Path, model_folder: Path) -> None:
    install_model(corpus, model_folder)
    rebuild(corpus)
    remove_model(corpus)
    assert "is not installed" in verify_index(corpus).problems[0]
    index = open_index(corpus)
    assert index is not None
    with pytest.raises(IndexDamagedError, match="knowledge model --from DIR"):
        index.search("BAL-777-2 R2")
    rebuild(corpus)
    assert index.search("BAL-777-2 R2")
