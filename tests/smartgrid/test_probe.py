"""The probe of the image, and what it asks: the roles' own small servers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from starlette.routing import Route
from typer.testing import CliRunner

from smartgrid import probe
from smartgrid.cli import app
from smartgrid.cli.probes import alive_and_ready, probes
from smartgrid.loop_watch import READY_WITHIN_S, LoopWatch
from smartgrid.settings import Settings
from tests.smartgrid.roles import free_port


def asked(port: object, *words: str) -> subprocess.CompletedProcess[str]:
    """The probe as a container's health check runs it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SMARTGRID_")}
    if port is not None:
        env[probe.PORT_VARIABLE] = str(port)
    return subprocess.run(
        [sys.executable, "-P", "-m", probe.__name__, *words],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def role(watch: LoopWatch) -> Iterator[int]:
    """A role's probes; their port."""
    port = free_port()
    settings = Settings(metrics_port=port, log_format="json")
    with probes(settings, partial(alive_and_ready, watch.unready)):
        yield port


def test_a_role_is_alive_from_its_start_and_ready_once_its_loop_has_come_round() -> None:
    watch = LoopWatch()
    with role(watch) as port:
        assert asked(port, "healthz").returncode == 0
        found = asked(port, "readyz")
        assert (found.returncode, "the loop has not come round yet" in found.stderr) == (1, True)
        watch.came_round()
        assert asked(port, "readyz").returncode == 0


def test_nobody_who_answers_is_a_failure_and_so_is_no_port() -> None:
    port = free_port()
    assert f"127.0.0.1:{port}/healthz: no answer" in asked(port).stderr
    for none in (None, "", "many", "²"):
        found = asked(none)
        assert (found.returncode, "nobody can be asked" in found.stderr) == (1, True), none


def test_a_question_that_is_none_is_not_understood() -> None:
    for words in (["metrics"], ["healthz", "readyz"]):
        found = asked(1, *words)
        assert (found.returncode, found.stderr) == (2, "usage: python -m smartgrid.probe [healthz|readyz]\n")


class Odd(BaseHTTPRequestHandler):
    """A server that is none of ours."""

    def do_GET(self) -> None:
        self.wfile.write(b"what?\n")


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        answering = Thread(target=server.handle_request)
        answering.start()
        assert "no answer" in (probe.problem(str(server.server_port), "healthz") or "")
        answering.join()


def test_a_loop_that_stands_still_or_lacks_something_is_not_ready() -> None:
    now_s, problems = [0.0], [None, "the ledger is away"]
    watch = LoopWatch(problem=lambda: problems[0], now_s=lambda: now_s[0])
    watch.came_round()
    now_s[0] = READY_WITHIN_S
    assert watch.unready() == []
    now_s[0] += 1.0
    (silent,) = watch.unready()
    assert silent == "the loop has not come round for 61 s, allowed 60 s"
    problems.reverse()
    assert watch.unready() == [silent, "the ledger is away"]
    watch.came_round()
    assert watch.unready() == ["the ledger is away"]


def test_no_port_is_opened_where_none_is_set() -> None:
    made: list[LoopWatch] = []

    def routes() -> Sequence[Route]:
        made.append(LoopWatch())
        return alive_and_ready(made[-1].unready)

    with probes(Settings(metrics_port=None), routes):
        assert made == []


def test_every_role_that_goes_on_says_that_it_can_be_asked() -> None:
    told = CliRunner().invoke(app, ["stream", "--help"], env={"COLUMNS": "200"}).output
    assert "--metrics-port" in told
    description = Settings.model_fields["metrics_port"].description or ""
    assert all(name in description for name in ("up", "serve", "stream", "supervise", "produce"))


def test_the_probe_needs_no_library_so_that_it_is_quick() -> None:
    code = "import sys, smartgrid.probe; print({'typer', 'pydantic'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
