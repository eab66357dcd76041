"""Reads a safetensors file: a length, a JSON header, then the tensors' bytes."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import ModelFolderError

LARGEST_HEADER = 10_000_000
PLAIN: Final[dict[str, type[np.floating]]] = {"F32": np.float32, "F16": np.float16}
"""Little-endian, as this machine's must be too."""


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """All floating-point tensors, as float32.

    Raises:
        ModelFolderError: when the file is no safetensors file.
    """
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(LARGEST_HEADER, len(data) - 8):
        raise ModelFolderError(f"{path}: no safetensors file")
    try:
        header = json.loads(data[8 : 8 + length])
        body = memoryview(data)[8 + length :]
        return {
            name: _tensor(body, entry)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] in {*PLAIN, "BF16"}
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{path}: damaged safetensors file ({error})") from error


def _tensor(body: memoryview, entry: dict[str, Any]) -> NDArray[np.float32]:
    start, end = entry["data_offsets"]
    raw = body[start:end]
    if entry["dtype"] == "BF16":  # the upper half of a float32
        values = (np.frombuffer(raw, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.asarray(np.frombuffer(raw, dtype=PLAIN[entry["dtype"]]), dtype=np.float32)
    return values.reshape(entry["shape"])
