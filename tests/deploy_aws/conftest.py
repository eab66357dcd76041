"""What the tests of the deployment on AWS share."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def builder(repository: Path) -> ModuleType:
    """``deploy/aws/build.py``, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("aws_build", repository / "deploy" / "aws" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
