"""The manifests of the repository."""

from pathlib import Path

import pytest

from tests.deploy.manifests import Manifests, load


@pytest.fixture(scope="session")
def folder(repository: Path) -> Path:
    return repository / "deploy/kubernetes"


@pytest.fixture(scope="session")
def manifests(folder: Path) -> Manifests:
    return load(folder)
