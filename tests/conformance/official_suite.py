"""The official conformance suite; named by ``make conformance``, not found by a plain pytest run."""

import pytest

from tests.conformance.conftest import Run, Served


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_the_server_passes_all_that_the_revision_requires(run: Run, over_http: Served, revision: str) -> None:
    done = run("conformance", "server", "--url", over_http.url, "--requirements", revision)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tools-list: " in done.stdout, done.stdout  # it has run
