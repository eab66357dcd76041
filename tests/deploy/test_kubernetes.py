"""The manifests agree with each other, with the code and with the guide: every check, and what it catches."""

import re
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from smartgrid.loop_watch import LoopWatch
from smartgrid.observability import StreamMetrics, probe_routes
from tests.deploy import check_code as code
from tests.deploy import check_network as network
from tests.deploy import check_pods as pods
from tests.deploy.manifests import Manifests

Check = Callable[[Manifests], Iterable[str]]
Change = tuple[str, str, object]
"""Of which document, where, to what."""

SPEC = "spec>template>spec"
CONTAINER = f"{SPEC}>containers>0"
SERVE, STREAM, SUPERVISE = "StatefulSet/serve", "Deployment/stream", "StatefulSet/supervise"
SETTINGS, SCALED, POLICY = "ConfigMap/settings", "ScaledObject/stream", "NetworkPolicy"

CAUGHT: dict[str, list[Change]] = {
    "kustomization": [
        ("kustomization", "resources>2", None),
        ("kustomization", "resources>0", "namespaces.yaml"),
    ],
    "names": [
        ("kustomization", "namespace", "default"),
        (SERVE, "metadata>namespace", None),
        ("ServiceAccount/train", "metadata>name", "serve"),
    ],
    "rights": [
        ("Namespace/smartgrid", "metadata>labels", {}),
        (SERVE, f"{SPEC}>securityContext>runAsNonRoot", False),
        (STREAM, f"{CONTAINER}>securityContext>readOnlyRootFilesystem", False),
        (STREAM, f"{CONTAINER}>securityContext>capabilities>add", ["NET_ADMIN"]),
        (SUPERVISE, f"{SPEC}>automountServiceAccountToken", True),
        ("ServiceAccount/serve", "automountServiceAccountToken", None),
        (SERVE, f"{SPEC}>serviceAccountName", "default"),
        (STREAM, f"{SPEC}>hostNetwork", True),
    ],
    "volumes": [
        (SERVE, f"{CONTAINER}>volumeMounts>0", None),
        (STREAM, f"{SPEC}>volumes>0", {"name": "state", "hostPath": {"path": "/var"}}),
        (SERVE, f"{CONTAINER}>volumeMounts>5>readOnly", False),
        (STREAM, f"{SPEC}>volumes>1>persistentVolumeClaim>claimName", "models"),
    ],
    "the model": [
        ("PersistentVolumeClaim/model", "spec>accessModes", ["ReadWriteOnce"]),
        (STREAM, f"{CONTAINER}>volumeMounts>1>readOnly", None),
        (SUPERVISE, f"{CONTAINER}>volumeMounts>1", None),
        (STREAM, f"{CONTAINER}>volumeMounts>1>mountPath", "/model"),
    ],
    "resources": [
        (SERVE, f"{CONTAINER}>resources>limits", None),
        (STREAM, f"{CONTAINER}>resources>requests>cpu", None),
    ],
    "copies": [
        (SERVE, "spec>replicas", 2),
        (STREAM, "spec>replicas", 2),
        (SUPERVISE, "spec>replicas", 1),
        ("PodDisruptionBudget/stream", "spec>maxUnavailable", "50%"),
        ("PodDisruptionBudget/stream", "spec>selector>matchLabels", {"app": "stream"}),
        ("PodDisruptionBudget/supervise", "metadata>name", "serve"),
    ],
    "selectors": [
        (STREAM, "spec>selector>matchLabels", {"app.kubernetes.io/name": "smartgrid"}),
        (SERVE, "spec>template>metadata>labels>app.kubernetes.io/component", "stream"),
        (STREAM, f"{SPEC}>topologySpreadConstraints>0>labelSelector>matchLabels", {"app": "other"}),
    ],
    "images": [
        (SERVE, f"{CONTAINER}>image", "smartgrid:latest"),
        (STREAM, f"{CONTAINER}>image", "smartgrid"),
        ("kustomization", "images>0>newTag", "latest"),
        (STREAM, f"{CONTAINER}>imagePullPolicy", "Always"),
    ],
    "secrets": [
        (SETTINGS, "data>SMARTGRID_INFLUX_TOKEN", "made up"),
        (SETTINGS, "data>SMARTGRID_LEDGER_URL", "postgresql+psycopg://made:up@db/smartgrid"),
        (SERVE, f"{CONTAINER}>env>5", {"name": "SMARTGRID_KAFKA_SECURITY__PASSWORD", "value": "made up"}),
        ("ServiceAccount/serve", "kind", "Secret"),
        ("kustomization", "secretGenerator", [{"name": "kafka"}]),
    ],
    "ports": [
        (SETTINGS, "data>SMARTGRID_METRICS_PORT", "9465"),
        (SERVE, f"{CONTAINER}>env>1>value", "8766"),
        (SETTINGS, "data>SMARTGRID_METRICS_HOST", "127.0.0.1"),
    ],
    "probes": [
        (SERVE, f"{CONTAINER}>readinessProbe", None),
        (STREAM, f"{CONTAINER}>livenessProbe>httpGet>path", "/readyz"),
        (SERVE, f"{CONTAINER}>livenessProbe>httpGet>port", "web"),
        (SERVE, f"{CONTAINER}>startupProbe>failureThreshold", 6),
    ],
    "services": [
        ("Service/serve", "spec>selector>app.kubernetes.io/component", "stream"),
        ("Service/serve", "spec>publishNotReadyAddresses", False),
        ("Service/serve", "spec>ports>0>targetPort", "http"),
        ("Ingress/serve", "spec>rules>0>host", "grid.example.org"),
        ("Ingress/serve", "spec>rules>0>http>paths>0>backend>service>name", "web"),
        ("Ingress/serve", "spec>rules>0>http>paths>1", None),
    ],
    "deny": [
        (f"{POLICY}/default-deny", "spec>policyTypes", ["Ingress"]),
        (f"{POLICY}/to-dns", "spec>egress>0>ports>0", None),
    ],
    "policies": [
        (f"{POLICY}/to-kafka", "spec>egress>0>ports>0>port", 9092),
        (f"{POLICY}/to-kafka", "spec>podSelector>matchExpressions>0>values>1", None),
        (f"{POLICY}/to-influxdb", "spec>podSelector>matchExpressions>0>values>0", "topics"),
        (f"{POLICY}/to-postgresql", "spec>podSelector>matchExpressions>0>values>0", "stream"),
        (f"{POLICY}/from-ingress", "spec>ingress>0>ports>0>port", "probes"),
        (SETTINGS, "data>SMARTGRID_INFLUX_URL", "http://influxdb.data.svc:8087"),
    ],
    "variables": [
        (SETTINGS, "data>SMARTGRID_INFLUX_BUKET", "grid"),
        (SETTINGS, "data>SMARTGRID_KAFKA_SECURITY__TSL", "true"),
        (SETTINGS, "data>KAFKA", "kafka:9092"),
    ],
    "values": [
        (SETTINGS, "data>SMARTGRID_METRICS_PORT", "many"),
        (SETTINGS, "data>SMARTGRID_INFLUX_URL", None),
        (SETTINGS, "data>SMARTGRID_LOG_FORMAT", "text"),
        ("ConfigMap/files", "data>smartgrid.toml", "[modbus]\nhots = 1\n"),
        (SERVE, f"{CONTAINER}>env>3>value", "false"),
        (SERVE, f"{CONTAINER}>env>2>value", "http://grid.example.com"),
    ],
    "files": [
        (SETTINGS, "data>SMARTGRID_INFLUX_TOKEN_FILE", "/run/secrets/token"),
        (STREAM, f"{SPEC}>volumes>3>secret>items>0>path", "ca.pem"),
        ("ConfigMap/files", "data>smartgrid.toml", None),
    ],
    "commands": [
        (STREAM, f"{CONTAINER}>args>0", "streem"),
        ("Job/topics", f"{CONTAINER}>args>2", "--partition"),
        (SERVE, f"{CONTAINER}>command", ["python"]),
    ],
    "scaling": [
        (SCALED, "spec>triggers>0>metadata>topic", "grid.forecasts"),
        (SCALED, "spec>triggers>0>metadata>consumerGroup", "stream"),
        (SERVE, f"{CONTAINER}>args>2", "smartgrid-serve"),
        (SCALED, "spec>maxReplicaCount", 12),
        ("Job/topics", f"{CONTAINER}>args>3", "11"),
        (SCALED, "spec>minReplicaCount", 0),
        (SCALED, "spec>triggers>0>metadata>lagThreshold", "10000"),
        (SCALED, "spec>triggers>0>metadata>offsetResetPolicy", "latest"),
        (SCALED, "spec>triggers>0>metadata>bootstrapServers", "kafka.data.svc:9092"),
        (SCALED, "spec>triggers>0>metadata>sasl", "scram_sha256"),
        (SCALED, "spec>triggers>0>metadata>tls", "disable"),
        ("TriggerAuthentication/kafka", "spec>secretTargetRef>1>name", "keda"),
        ("TriggerAuthentication/kafka", "spec>secretTargetRef>2", None),
    ],
    "security": [
        (SETTINGS, "data>SMARTGRID_KAFKA_SECURITY__MECHANISM", "SCRAM-SHA-256"),
    ],
    "time to end": [
        (SERVE, f"{SPEC}>terminationGracePeriodSeconds", 30),
        (STREAM, f"{SPEC}>terminationGracePeriodSeconds", 30),
        (SUPERVISE, f"{SPEC}>terminationGracePeriodSeconds", 60),
    ],
}
"""By check, the changes that it has to catch."""


@pytest.fixture(scope="session")
def version(repository: Path) -> str:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


@pytest.fixture(scope="session")
def checks(version: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    """All checks, by what they are about."""
    scratch = tmp_path_factory.mktemp("settings")
    found: dict[str, Check] = {}
    for module in (pods, network, code):
        for name, function in vars(module).items():
            if name.startswith("problems_of_") and function.__module__ == module.__name__:
                found[name.removeprefix("problems_of_").replace("_", " ")] = function
    found["images"] = partial(pods.problems_of_images, version=version)
    found["values"] = partial(code.problems_of_values, scratch=scratch)
    found["security"] = partial(code.problems_of_security, scratch=scratch)
    return found


def test_every_check_has_something_that_it_has_to_catch(checks: dict[str, Check]) -> None:
    assert set(checks) == set(CAUGHT)


@pytest.mark.parametrize("about", CAUGHT)
def test_the_manifests_agree(about: str, checks: dict[str, Check], manifests: Manifests) -> None:
    assert list(checks[about](manifests)) == []


@pytest.mark.parametrize("about", CAUGHT)
def test_what_does_not_agree_is_found(about: str, checks: dict[str, Check], manifests: Manifests) -> None:
    for change in CAUGHT[about]:
        assert list(checks[about](manifests.changed(*change))), f"not caught: {change}"


def test_the_paths_of_the_probes_are_those_that_roles_answer() -> None:
    answered = {route.path for route in probe_routes(StreamMetrics(), LoopWatch().unready)}
    assert set(network.PROBES.values()) <= answered


@pytest.fixture(scope="session")
def guide(repository: Path) -> str:
    return (repository / "docs/how-to/kubernetes.md").read_text("utf-8")


def documented(guide: str) -> set[tuple[str, str]]:
    """(Secret, key) of the guide's table of secrets."""
    rows = re.findall(r"^\| `([\w-]+)` \| ((?:`[\w.]+`(?:, )?)+) \|", guide, re.MULTILINE)
    return {(name, key) for name, keys in rows for key in re.findall(r"`([\w.]+)`", keys)}


def test_the_guide_says_which_secrets_to_make_with_which_keys(guide: str, manifests: Manifests) -> None:
    assert documented(guide) == pods.secrets_of(manifests)


def test_a_secret_that_the_guide_does_not_know_is_found(guide: str, manifests: Manifests) -> None:
    for change in (
        ("TriggerAuthentication/kafka", "spec>secretTargetRef>1>key", "passphrase"),
        (SERVE, f"{SPEC}>volumes>3>secret>secretName", "influxdb"),
        ("Ingress/serve", "spec>tls>0>secretName", "tls"),
    ):
        assert documented(guide) != pods.secrets_of(manifests.changed(*change)), change


def test_the_guide_makes_every_secret_that_it_names(guide: str, manifests: Manifests) -> None:
    made = set(re.findall(r"create secret (?:generic|tls) ([\w-]+)", guide))
    assert made == {name for name, _ in pods.secrets_of(manifests)}


def test_the_guide_says_how_many_streams_there_may_be_and_for_how_many_records(
    guide: str, manifests: Manifests
) -> None:
    scaled = manifests.one("ScaledObject", "stream")["spec"]
    records = int(scaled["triggers"][0]["metadata"]["lagThreshold"])
    assert f"| {scaled['minReplicaCount']} to {scaled['maxReplicaCount']}, by the consumer lag" in guide
    assert f"for each {records:,}," in " ".join(guide.split())


def test_what_one_is_told_to_build_is_what_the_manifests_run(
    guide: str, version: str, repository: Path
) -> None:
    told = guide + (repository / "deploy/Dockerfile").read_text("utf-8")
    assert set(re.findall(r"smartgrid:(\d[\w.-]*)", told)) == {version}
