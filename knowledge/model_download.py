"""Downloads the embedding model that Chroma publishes (all-MiniLM-L6-v2 as ONNX), checked by its SHA-256."""

from pathlib import Path

import httpx
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

from knowledge.errors import ModelFolderError


def download_model(into: Path) -> Path:
    """Download and unpack the model.

    Args:
        into: an existing folder.

    Returns:
        The folder that holds the model's files.

    Raises:
        ModelFolderError: when it cannot be downloaded or is not the file that is expected.
    """

    class _Here(ONNXMiniLM_L6_V2):
        DOWNLOAD_PATH = into

    try:
        _Here()._download_model_if_not_exists()  # the class offers nothing public but a first embedding
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise ModelFolderError(
            f"the model could not be downloaded ({error}); on a machine without internet copy a folder of it"
            " here and run smartgrid knowledge model --from DIR"
        ) from error
    return into / _Here.EXTRACTED_FOLDER_NAME
