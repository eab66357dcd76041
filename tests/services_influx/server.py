"""The InfluxDB server that the environment names, if any; whoever tests on it has buckets of his own.

Whoever kills a server has one of his own.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.influx_setup import means_bucket, task_name
from pipeline.influx_target import InfluxTarget, open_client


def fresh_target(**given: float) -> InfluxTarget:
    """A bucket's name that nobody used before, on the given server; it does not exist yet."""
    url = os.environ.get("SMARTGRID_INFLUX_URL")
    if not url:
        pytest.skip("SMARTGRID_INFLUX_URL is not set: no InfluxDB to test on")
    org, token = os.environ["SMARTGRID_INFLUX_ORG"], os.environ["SMARTGRID_INFLUX_TOKEN"]
    return InfluxTarget(url, org, f"test-{uuid4().hex}", token, **given)


@contextmanager
def own_bucket() -> Iterator[InfluxTarget]:
    """An empty bucket that keeps everything, for the time of a test."""
    target = fresh_target()
    make_bucket(target)
    try:
        yield target
    finally:
        remove(target)


def make_bucket(target: InfluxTarget) -> None:
    """An empty bucket that keeps everything."""
    with open_client(target) as client:
        client.buckets_api().create_bucket(bucket_name=target.bucket, org=target.org)


def remove(target: InfluxTarget) -> None:
    """Delete the bucket, that of its means and its task, as far as they exist."""
    with open_client(target) as client:
        for name in (target.bucket, means_bucket(target.bucket)):
            for bucket in client.buckets_api().find_buckets(name=name).buckets:
                client.buckets_api().delete_bucket(bucket)
        for task in client.tasks_api().find_tasks(name=task_name(target.bucket)):
            client.tasks_api().delete_task(task.id)


class PrivateServer:
    """An InfluxDB of one test's own, on the same binary and a port of its own: it may be killed.

    Args:
        program: starts and kills services; ``SMARTGRID_SERVICES_BIN``.
        home: an empty folder for its data.
    """

    def __init__(self, program: str, home: Path) -> None:
        self._program = program
        shared = Path(os.environ.get("SMARTGRID_SERVICES_HOME") or Path.home() / ".cache/smartgrid-services")
        (home / "influxdb").mkdir()
        (home / "influxdb" / "influxd").symlink_to(shared / "influxdb" / "influxd")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self._env = {**os.environ, "SMARTGRID_SERVICES_HOME": str(home), "INFLUX_PORT": str(port)}
        self.url = f"http://127.0.0.1:{port}"

    def __call__(self, verb: str) -> None:
        """``up``, ``kill`` or ``down``."""
        done = subprocess.run(
            [self._program, verb, "influxdb"], env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def private_server(home: Path) -> Iterator[tuple[PrivateServer, InfluxTarget]]:
    """A server of the test's own, up, and an empty bucket in it."""
    program = os.environ.get("SMARTGRID_SERVICES_BIN")
    if not program:
        pytest.skip("SMARTGRID_SERVICES_BIN is not set: nothing can kill and restart InfluxDB")
    server = PrivateServer(program, home)
    target = replace(fresh_target(), url=server.url)
    server("up")
    try:
        make_bucket(target)
        yield server, target
    finally:
        server("down")
