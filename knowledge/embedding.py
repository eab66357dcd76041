"""Which vectors the index has: an installed sentence-embedding model's, else those learnt from the corpus."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import ModelFolderError
from knowledge.sentence_model import ONNX_NAMES, SentenceModel, load_sentence_model

Array = NDArray[np.float32]

MODEL_FOLDER: Final = "model"
NAME_FILE: Final = "name.txt"
NEEDED: Final = ("tokenizer.json", "config.json", "sentence_bert_config.json", "1_Pooling/config.json")


class Embedding(Protocol):
    """Texts → vectors of length one."""

    def encode(self, texts: Sequence[str]) -> Array:
        """One row per text."""
        ...


@dataclass(frozen=True)
class InstalledModel:
    """A sentence-embedding model of this state directory."""

    name: str
    model: SentenceModel


def installed_model(directory: Path) -> InstalledModel | None:
    """The model that was installed beside an index, if any."""
    folder = directory / MODEL_FOLDER
    if not folder.is_dir():
        return None
    return InstalledModel(
        (folder / NAME_FILE).read_text(encoding="utf-8").strip(), load_sentence_model(folder)
    )


def install_model(directory: Path, source: Path) -> InstalledModel:
    """Copy a model's folder beside an index, after a trial of it.

    Raises:
        ModelFolderError: when the model does not load or does not tell related from unrelated sentences.
    """
    _try(load_sentence_model(source))
    beside = directory / f"{MODEL_FOLDER}.new"
    shutil.rmtree(beside, ignore_errors=True)
    for name in (*NEEDED, *_weights(source)):
        if (source / name).is_file():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, beside / name)
    (beside / NAME_FILE).write_text(model_name(source), encoding="utf-8")
    remove_model(directory)
    beside.replace(directory / MODEL_FOLDER)
    found = installed_model(directory)
    assert found is not None, "just put there"  # noqa: S101
    return found


def remove_model(directory: Path) -> None:
    """Take the installed model away."""
    shutil.rmtree(directory / MODEL_FOLDER, ignore_errors=True)


def model_name(folder: Path) -> str:
    """A name that tells one model's vectors from another's: the folder's and the size of its weights."""
    (weights,) = _weights(folder)
    return (
        f"{folder.resolve().parent.name}/{folder.resolve().name} ({(folder / weights).stat().st_size} bytes)"
    )


def _weights(folder: Path) -> tuple[str]:
    for name in (*ONNX_NAMES, "model.safetensors"):
        if (folder / name).is_file():
            return (name,)
    raise ModelFolderError(f"{folder}: holds no weights")


def _try(model: SentenceModel) -> None:
    one, like, unlike = model.encode(
        ["The battery is empty.", "The accumulator has no charge left.", "Minutes of a committee of bakers."]
    )
    if not np.isfinite(one).all() or float(one @ like) <= float(one @ unlike):
        raise ModelFolderError(
            "the model does not tell related from unrelated sentences; is the folder complete?"
        )
