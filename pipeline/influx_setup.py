"""The buckets, retention and downsampling task that an InfluxDB store needs: made once, then compared."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from influxdb_client import BucketRetentionRules, InfluxDBClient, TaskCreateRequest, TaskUpdateRequest

from pipeline.errors import StoreError
from pipeline.influx_points import PRESENT, TELEMETRY
from pipeline.influx_target import InfluxTarget, open_client, told

MEANS_SUFFIX: Final = "_15m"

State = Literal["created", "unchanged", "differs", "updated"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one part of the store.

    Attributes:
        part: such as ``bucket grid``.
        state: ``differs`` was left as it is, ``updated`` differed and no longer does.
        wanted: what the settings ask for.
        found: what was there before; empty where there was nothing.
    """

    part: str
    state: State
    wanted: str
    found: str


def means_bucket(bucket: str) -> str:
    """The bucket that takes the 15-minute means of a bucket's telemetry."""
    return f"{bucket}{MEANS_SUFFIX}"


def prepare_store(
    target: InfluxTarget,
    *,
    retention: timedelta | None,
    means_retention: timedelta | None,
    update: bool = False,
) -> list[Finding]:
    """Make what is missing; say what is there; change what differs only when asked to.

    Args:
        target: server and bucket.
        retention: how long raw series are kept, at least 1 h; None means forever.
        means_retention: the same for the means.
        update: bring what differs into line. A shorter retention deletes what is older.

    Raises:
        StoreError: if the server is away, or refuses.
    """
    with open_client(target) as client, told(target, "preparing the store"):
        org_id = _organization_id(client, target)
        return [
            _bucket(client, org_id, target.bucket, retention, update),
            _bucket(client, org_id, means_bucket(target.bucket), means_retention, update),
            _task(client, org_id, target.bucket, update),
        ]


def downsampling_flux(bucket: str) -> str:
    """The task: 15-minute means of each channel, stamped with the window's start as telemetry is.

    Each run makes the last hour's four whole windows anew, so that events up to that late still
    count. Only whole windows, whenever it runs: a mean is never replaced by that of a part.
    """
    return f"""import "date"

option task = {{name: {flux_text(task_name(bucket))}, every: 15m, offset: 30s}}

end = date.truncate(t: now(), unit: 15m)

from(bucket: {flux_text(bucket)})
    |> range(start: date.sub(from: end, d: 1h), stop: end)
    |> filter(fn: (r) => r._measurement == "{TELEMETRY}" and r._field != "{PRESENT}")
    |> aggregateWindow(every: 15m, fn: mean, createEmpty: false, timeSrc: "_start")
    |> to(bucket: {flux_text(means_bucket(bucket))})
"""


def task_name(bucket: str) -> str:
    """The name of a bucket's downsampling task."""
    return f"smartgrid: {bucket} to 15-minute means"


def flux_text(text: str) -> str:
    """A Flux string literal: nothing in it can end it or be interpolated."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _organization_id(client: InfluxDBClient, target: InfluxTarget) -> str:
    found = [org for org in client.organizations_api().find_organizations() if org.name == target.org]
    if not found:
        raise StoreError(f"influx_org={target.org}: {target.url} shows no such organization to this token")
    return str(found[0].id)


def _bucket(
    client: InfluxDBClient, org_id: str, name: str, retention: timedelta | None, update: bool
) -> Finding:
    buckets, part, wanted = client.buckets_api(), f"bucket {name}", _spoken(_seconds(retention))
    there = [bucket for bucket in buckets.find_buckets(name=name).buckets if bucket.name == name]
    rules = [BucketRetentionRules(type="expire", every_seconds=_seconds(retention))]
    if not there:
        buckets.create_bucket(bucket_name=name, org=org_id, retention_rules=rules)
        return Finding(part, "created", wanted, "")
    bucket = there[0]
    found = _spoken(sum(rule.every_seconds for rule in bucket.retention_rules))
    if found == wanted:
        return Finding(part, "unchanged", wanted, found)
    if update:
        bucket.retention_rules = rules
        buckets.update_bucket(bucket)
    return Finding(part, "updated" if update else "differs", wanted, found)


def _task(client: InfluxDBClient, org_id: str, bucket: str, update: bool) -> Finding:
    tasks, name, flux = client.tasks_api(), task_name(bucket), downsampling_flux(bucket)
    part, wanted = f"task {name}", "every 15 min, active"
    there = tasks.find_tasks(name=name, org_id=org_id)
    if not there:
        request = TaskCreateRequest(org_id=org_id, flux=flux, status="active")
        tasks.create_task(task_create_request=request)
        return Finding(part, "created", wanted, "")
    task = there[0]
    found = ", ".join(
        ["every 15 min" if task.flux.strip() == flux.strip() else "another script", str(task.status)]
    )
    if found == wanted:
        return Finding(part, "unchanged", wanted, found)
    if update:
        tasks.update_task_request(task.id, TaskUpdateRequest(flux=flux, status="active"))
    return Finding(part, "updated" if update else "differs", wanted, found)


def _seconds(retention: timedelta | None) -> int:
    """InfluxDB's own figure: 0 keeps forever."""
    return 0 if retention is None else round(retention.total_seconds())


def _spoken(retention_s: int) -> str:
    text = str(timedelta(seconds=retention_s)).removesuffix(", 0:00:00")
    return f"kept {text}" if retention_s else "kept forever"
