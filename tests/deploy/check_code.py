"""That manifests and code agree: settings, commands, topics, the group, times. Each check gives problems."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.engine import BATCH_RECORDS
from pipeline.kafka_progress import BROKER_TIMEOUT_S, READ_BY_HAND
from pipeline.messages import TELEMETRY_TOPIC
from smartgrid.cli import app
from smartgrid.kafka_access import kafka_connection
from smartgrid.kafka_member import CLOSE_S
from smartgrid.plant_stream import STREAM_GROUP
from smartgrid.settings import Settings
from tests.deploy.check_network import settings_of
from tests.deploy.manifests import Manifests, Pod

OURS = "SMARTGRID_"
NO_FIELDS = {"SMARTGRID_CONFIG"}
"""Read before the settings are."""
MECHANISMS = {"scram_sha256": "SCRAM-SHA-256", "scram_sha512": "SCRAM-SHA-512", "plaintext": "PLAIN"}
"""KEDA's words → those of the settings."""


def problems_of_variables(manifests: Manifests) -> Iterator[str]:
    """Every variable is a setting."""
    for pod in manifests.pods:
        for name in settings_of(manifests, pod):
            field, _, rest = name.removeprefix(OURS).lower().partition("__")
            known = Settings.model_fields.get(field)
            if name in NO_FIELDS:
                continue
            if not name.startswith(OURS) or known is None:
                yield f"{pod.component}: {name} is no setting"
            elif rest and rest not in getattr(known.annotation, "model_fields", {}):
                yield f"{pod.component}: {name} is no field of {field}"


def problems_of_values(manifests: Manifests, scratch: Path) -> Iterator[str]:
    """Each role's variables and files are valid settings, and ask for what a cluster has to have."""
    for pod in manifests.pods:
        try:
            settings = read(manifests, pod, scratch)
        except ValueError as error:
            yield f"{pod.component}: {error}"
            continue
        if settings.state != Path("/state") or settings.log_format != "json":
            yield f"{pod.component}: state {settings.state}, logs {settings.log_format}"
        if settings.influx_url is None or settings.kafka is None:
            yield f"{pod.component}: would work by itself, without the others"
        outside = settings.http_host != "127.0.0.1"
        if outside and not (settings.require_tokens and (settings.http_url or "").startswith("https://")):
            yield f"{pod.component}: whoever reaches it may act, or tokens cross the network in the clear"


def read(manifests: Manifests, pod: Pod, scratch: Path) -> Settings:
    """The settings that a pod's role reads."""
    for name, text in manifests.one("ConfigMap", "files")["data"].items():
        (scratch / name).write_text(text, "utf-8")
    variables = settings_of(manifests, pod)
    config = Path(variables.pop("SMARTGRID_CONFIG"))
    with pytest.MonkeyPatch.context() as patch:
        for name in NO_FIELDS | {f"{OURS}{field.upper()}" for field in Settings.model_fields}:
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("SMARTGRID_CONFIG", str(scratch / config.name))
        return Settings()


def problems_of_files(manifests: Manifests) -> Iterator[str]:
    """What a setting names lies in a volume of that pod, where the role reads it."""
    for pod in manifests.pods:
        settings = settings_of(manifests, pod)
        wanted = {"SMARTGRID_CONFIG"}
        if "SMARTGRID_KAFKA_SECURITY__PASSWORD" in settings:
            wanted.add("SMARTGRID_KAFKA_SECURITY__CA_FILE")
        if "influx" in pod.mounts:
            wanted.add("SMARTGRID_INFLUX_TOKEN_FILE")
        if "SMARTGRID_LEDGER_URL" in settings:
            wanted.add("SMARTGRID_LEDGER_KEY_FILE")
        there = set(_files(manifests, pod))
        yield from (
            f"{pod.component}: {name}={settings[name]} is not there"
            for name in wanted
            if settings[name] not in there
        )


def _files(manifests: Manifests, pod: Pod) -> Iterator[str]:
    for name, mount in pod.mounts.items():
        volume = pod.volumes.get(name, {})
        keys: list[str] = []
        if "secret" in volume:
            keys = [item["path"] for item in volume["secret"]["items"]]
        if "configMap" in volume:
            keys = list(manifests.one("ConfigMap", volume["configMap"]["name"])["data"])
        yield from (f"{mount['mountPath']}/{key}" for key in keys)


def problems_of_commands(manifests: Manifests) -> Iterator[str]:
    """Every command with its options is one of the command line."""
    for pod in manifests.pods:
        arguments = [str(word) for word in pod.container["args"]]
        if "command" in pod.container:
            yield f"{pod.component}: does not start the image's entry point"
        answer = CliRunner().invoke(app, [*arguments, "--help"])
        if answer.exit_code != 0:
            yield f"{pod.component}: {' '.join(arguments)} is no command"


def option(pod: Pod, name: str) -> str:
    """The value of an option."""
    arguments = pod.container["args"]
    return str(arguments[arguments.index(name) + 1])


def problems_of_scaling(manifests: Manifests) -> Iterator[str]:
    """KEDA looks at the streams' topic, group and brokers, and makes fewer than there are partitions."""
    scaled = manifests.one("ScaledObject", "stream")["spec"]
    (trigger,) = scaled["triggers"]
    told, stream, serve = trigger["metadata"], manifests.pod("stream"), manifests.pod("serve")
    partitions = int(option(manifests.pod("topics"), "--partitions"))
    if manifests.one("Deployment", scaled["scaleTargetRef"]["name"]) != stream.owner:
        yield "KEDA scales something else"
    if told["topic"] != TELEMETRY_TOPIC:
        yield f"KEDA looks at topic {told['topic']}"
    if {told["consumerGroup"], option(stream, "--group"), option(serve, "--group")} != {STREAM_GROUP}:
        yield "KEDA, streams and the owner are in several groups"
    # serve is a member of the group too: with as many streams as partitions one has none.
    if not 1 < scaled["minReplicaCount"] <= scaled["maxReplicaCount"] < partitions:
        yield f"{scaled['minReplicaCount']} to {scaled['maxReplicaCount']} streams, {partitions} partitions"
    if told["offsetResetPolicy"] != READ_BY_HAND["auto.offset.reset"]:
        yield "KEDA counts a new group's lag from elsewhere than the stream begins"
    if int(told["lagThreshold"]) < 3 * BATCH_RECORDS:
        yield "a stream that keeps up would count as behind: batches under way are lag"
    yield from _ways_to_kafka(manifests, told, trigger["authenticationRef"]["name"])


def _ways_to_kafka(manifests: Manifests, told: dict[str, str], authentication: str) -> Iterator[str]:
    settings = settings_of(manifests, manifests.pod("stream"))
    if told["bootstrapServers"] != settings["SMARTGRID_KAFKA"]:
        yield "KEDA asks other brokers"
    if MECHANISMS.get(told["sasl"]) != settings["SMARTGRID_KAFKA_SECURITY__MECHANISM"]:
        yield "KEDA proves in another way who it is"
    if (told["tls"] == "enable") != (settings["SMARTGRID_KAFKA_SECURITY__TLS"] == "true"):
        yield "only one of KEDA and the streams encrypts"
    secrets = manifests.one("TriggerAuthentication", authentication)["spec"]["secretTargetRef"]
    known = {item["parameter"]: f"from {item['name']}/{item['key']}" for item in secrets}
    for parameter in ("username", "password"):
        if known.get(parameter) != settings[f"SMARTGRID_KAFKA_SECURITY__{parameter.upper()}"]:
            yield f"KEDA's {parameter} is another"
    (ca,) = manifests.pod("stream").volumes["kafka"]["secret"]["items"]
    if (
        known.get("ca")
        != f"from {manifests.pod('stream').volumes['kafka']['secret']['secretName']}/{ca['key']}"
    ):
        yield "KEDA trusts another authority"


def problems_of_security(manifests: Manifests, scratch: Path) -> Iterator[str]:
    """The Kafka clients encrypt, and prove who they are."""
    settings = read(manifests, manifests.pod("stream"), scratch)
    authority = scratch / "ca.crt"
    authority.write_text("made up", "utf-8")
    security = settings.kafka_security.model_copy(update={"ca_file": authority})
    found = kafka_connection(settings.model_copy(update={"kafka_security": security})).config()
    if (found["security.protocol"], found.get("sasl.mechanism")) != ("SASL_SSL", "SCRAM-SHA-512"):
        yield f"the streams speak {found['security.protocol']}"


def problems_of_time_to_end(manifests: Manifests) -> Iterator[str]:
    """Who is told to stop may finish what it has begun, by the code's own patience."""
    fields = Settings.model_fields
    brokers_s = BROKER_TIMEOUT_S  # everything published is delivered, or given up
    wanted_s = {
        "serve": fields["pulse_s"].default + CLOSE_S + brokers_s,
        "stream": brokers_s,
        "supervise": 2 * fields["tool_timeout_s"].default,
    }
    for component, least_s in wanted_s.items():
        given_s = manifests.pod(component).spec["terminationGracePeriodSeconds"]
        if given_s <= least_s:
            yield f"{component}: has {given_s} s to end, may need {least_s:g}"
