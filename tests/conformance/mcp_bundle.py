"""The bundle, shown to the validator of its format. ``make conformance`` runs it."""

import zipfile
from pathlib import Path

from deploy.mcpb.build import build, read_project
from tests.conformance.conftest import Run


def test_the_formats_own_validator_takes_the_manifest(run: Run, tmp_path: Path) -> None:
    wheel = tmp_path / f"smartgrid_ai-{read_project()['version']}-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    with zipfile.ZipFile(build(wheel, tmp_path)) as bundle:
        bundle.extractall(tmp_path / "unpacked")
    done = run("mcpb", "validate", str(tmp_path / "unpacked" / "manifest.json"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_validator_refuses_a_manifest_that_is_none(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"manifest_version": "0.4", "name": "smartgrid-ai"}')
    assert run("mcpb", "validate", str(path)).returncode != 0
