"""A sentence-embedding model from a folder as sentence-transformers lays it out: ONNX or safetensors."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from knowledge.bert import Bert
from knowledge.errors import ModelFolderError
from knowledge.latent import Array, unit
from knowledge.safetensors import read_safetensors

Tokens = NDArray[np.int64]

ONNX_NAMES = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
BATCH = 16
LONGEST = 256


class Encoder(Protocol):
    """Hidden states of token ids."""

    def __call__(self, tokens: Tokens, mask: Tokens) -> Array:
        """(text, token, dimension)."""
        ...


@dataclass(frozen=True)
class SentenceModel:
    """Texts → vectors of length one.

    Attributes:
        name: of its folder.
        runtime: what runs it.
    """

    name: str
    runtime: str
    encoder: Encoder
    tokenizer: Tokenizer
    first_token: bool

    def encode(self, texts: Sequence[str]) -> Array:
        """One row per text."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        rows: list[tuple[int, Array]] = []
        for batch in _batches(order):
            vectors = self._vectors([texts[at] for at in batch])
            rows += zip(batch, vectors, strict=True)
        return np.stack([vector for _, vector in sorted(rows, key=lambda row: row[0])])

    def _vectors(self, texts: list[str]) -> Array:
        encoded = self.tokenizer.encode_batch(texts)
        tokens = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        states = self.encoder(tokens, mask)
        if self.first_token:
            pooled = states[:, 0]
        else:
            weight = mask[:, :, None].astype(np.float32)
            pooled = (states * weight).sum(axis=1) / weight.sum(axis=1)
        return unit(pooled)


class _Onnx:
    """An ONNX model in onnxruntime."""

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415  slow, and not always needed

        options = SessionOptions()
        options.log_severity_level = 3
        self._session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}

    def __call__(self, tokens: Tokens, mask: Tokens) -> Array:
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        outputs = self._session.run(None, {name: given[name] for name in self._inputs if name in given})
        return np.asarray(outputs[0], dtype=np.float32)


def load_sentence_model(folder: Path) -> SentenceModel:
    """Load the model of a folder.

    Raises:
        ModelFolderError: when it holds no tokenizer or no model that runs here.
    """
    tokenizer_file = folder / "tokenizer.json"
    if not tokenizer_file.is_file():
        raise ModelFolderError(
            f"{folder}: no tokenizer.json; give a folder as sentence-transformers lays it out"
        )
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_truncation(_json(folder / "sentence_bert_config.json").get("max_seq_length", LONGEST))
    tokenizer.enable_padding()
    pooling = _json(folder / "1_Pooling" / "config.json")
    first_token = bool(pooling.get("pooling_mode_cls_token", False))
    for name in ONNX_NAMES:
        if (folder / name).is_file():
            return SentenceModel(folder.name, "onnxruntime", _Onnx(folder / name), tokenizer, first_token)
    if (folder / "model.safetensors").is_file():
        return SentenceModel(folder.name, "numpy", _bert(folder), tokenizer, first_token)
    raise ModelFolderError(f"{folder}: neither {ONNX_NAMES[0]} nor model.safetensors")


def _bert(folder: Path) -> Bert:
    config = _json(folder / "config.json")
    if config.get("model_type") != "bert" or config.get("hidden_act", "gelu") != "gelu":
        raise ModelFolderError(
            f"{folder}: model_type {config.get('model_type')!r}; safetensors run for BERT alone, give ONNX"
        )
    weights = read_safetensors(folder / "model.safetensors")
    plain = {name.removeprefix("bert."): weight for name, weight in weights.items()}
    if "embeddings.word_embeddings.weight" not in plain:
        raise ModelFolderError(f"{folder}: model.safetensors holds no BERT encoder")
    return Bert(
        plain, config["num_hidden_layers"], config["num_attention_heads"], config.get("layer_norm_eps", 1e-12)
    )  # fmt: skip


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ModelFolderError(f"{path}: no JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _batches(order: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
