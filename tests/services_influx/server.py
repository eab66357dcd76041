"""The InfluxDB server that the environment names, if any; whoever tests on it has buckets of his own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    with open_client(target) as client:
        client.buckets_api().create_bucket(bucket_name=target.bucket, org=target.org)
    try:
        yield target
    finally:
        remove(target)


def remove(target: InfluxTarget) -> None:
    """Delete the bucket, that of its means and its task, as far as they exist."""
    with open_client(target) as client:
        for name in (target.bucket, means_bucket(target.bucket)):
            for bucket in client.buckets_api().find_buckets(name=name).buckets:
                client.buckets_api().delete_bucket(bucket)
        for task in client.tasks_api().find_tasks(name=task_name(target.bucket)):
            client.tasks_api().delete_task(task.id)
