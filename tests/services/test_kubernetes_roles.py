"""The roles with the variables of the Kubernetes manifests, on real services, each with a state of its own.

Other than in a cluster: hosts, ports and names of the services, a plain connection to Kafka, and no secrets
but the tests' own.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from grid.synthetic import training_series
from pipeline.kafka_settings import KafkaConnection
from policies.limits import load_limits
from smartgrid import probe
from smartgrid.day.preparation import learn
from smartgrid.simulated_area import TZ
from tests.deploy.check_network import settings_of
from tests.deploy.manifests import Manifests, Pod, load
from tests.services_influx.server import fresh_target, remove
from tests.services_postgres.server import own_schemas
from tests.smartgrid.roles import command, environment, free_port

pytestmark = pytest.mark.service

PATIENCE_S = 60.0


@pytest.fixture
def manifests(repository: Path) -> Manifests:
    return load(repository / "deploy/kubernetes")


class Cluster:
    """Runs pods of the manifests as processes.

    Args:
        manifests: what they are.
        folder: of the states, the model and the secrets.
        local: what is named otherwise here than in a cluster.
        more: options of every role that reads the topics.
    """

    def __init__(self, manifests: Manifests, folder: Path, local: dict[str, str], *more: str) -> None:
        self._manifests, self._folder, self._local, self._more = manifests, folder, local, more

    def variables(self, component: str, state: str) -> dict[str, str]:
        """Of a pod."""
        pod = self._manifests.pod(component)
        given = {**settings_of(self._manifests, pod), **self._local}
        plain = {name: value for name, value in given.items() if "KAFKA_SECURITY" not in name}
        found = {name: self._here(value) for name, value in plain.items()}
        if "SMARTGRID_LEDGER_URL" not in settings_of(self._manifests, pod):
            del found["SMARTGRID_LEDGER_URL"]
        if "SMARTGRID_HTTP_PORT" in found:
            found["SMARTGRID_HTTP_PORT"] = str(free_port())
        return {
            **found,
            "SMARTGRID_STATE": str(self._state(pod, state)),
            probe.PORT_VARIABLE: str(free_port()),
        }

    def _here(self, value: str) -> str:
        for place in ("/etc/smartgrid", "/run/secrets"):
            value = value.replace(place, str(self._folder / place.rsplit("/", 1)[1]))
        return value

    def _state(self, pod: Pod, name: str) -> Path:
        """A directory that no other pod has, with the one model where the pod mounts it."""
        state = self._folder / name
        if not state.exists():
            state.mkdir()
            if "model" in pod.mounts:
                (state / "model").symlink_to(self._folder / "model")
        return state

    def once(self, component: str) -> subprocess.CompletedProcess[str]:
        """A job, to its end."""
        more = self._more[:2] if component == "topics" else ()
        words = [*self._manifests.pod(component).container["args"], *more]
        if component == "topics":
            words[words.index("--replication") + 1] = "1"  # one broker
        env = environment(**self.variables(component, component))
        return subprocess.run(
            [command(), *words], env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    @contextmanager
    def running(self, *pods: tuple[str, str]) -> Iterator[None]:
        """Roles that go on, by component and state, once they are ready. They have to end in order."""
        with ExitStack() as stack:
            started = [(stack.enter_context(self._process(*pod)), *pod) for pod in pods]
            for (process, port), _, state in started:
                until_ready(process, port, self.log(state))
            yield
            for (process, _), _, state in started:
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_S) == 0, self.log(state).read_text()

    @contextmanager
    def _process(self, component: str, state: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        more = () if component == "supervise" else self._more
        env = environment(**self.variables(component, state))
        with self.log(state).open("w") as log:
            process = subprocess.Popen(
                [command(), *self._manifests.pod(component).container["args"], *more], env=env, stderr=log
            )
        try:
            yield process, env[probe.PORT_VARIABLE]
        finally:
            process.kill()
            process.wait()

    def log(self, state: str) -> Path:
        """What the role of that state says."""
        return self._folder / f"{state}.log"


def until_ready(process: subprocess.Popen[bytes], port: str, log: Path) -> None:
    """Wait until a role's own probe says so."""
    give_up = time.monotonic() + PATIENCE_S
    while (problem := probe.problem(port, "readyz")) is not None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up, f"{problem}: {log.read_text()}"
        time.sleep(0.1)


@pytest.fixture
def cluster(manifests: Manifests, kafka: KafkaConnection, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    learn(training_series()[:8], tz=TZ, limits=load_limits(None)).save(tmp_path / "model")
    (tmp_path / "smartgrid").mkdir()
    for name, text in manifests.one("ConfigMap", "files")["data"].items():
        (tmp_path / "smartgrid" / name).write_text(text, "utf-8")
    target = fresh_target()
    for name, content in (("influx/token", target.token.encode()), ("ledger/audit.key", bytes(range(32)))):
        path = tmp_path / "secrets" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with ExitStack() as stack:
        stack.callback(remove, target)
        local = {
            "SMARTGRID_PULSE_S": "5",  # as in life: Kafka's clock refuses what lies ahead
            "SMARTGRID_KAFKA": kafka.brokers,
            "SMARTGRID_INFLUX_URL": target.url,
            "SMARTGRID_INFLUX_ORG": target.org,
            "SMARTGRID_INFLUX_BUCKET": target.bucket,
            "SMARTGRID_LEDGER_URL": stack.enter_context(own_schemas())(),
        }
        yield Cluster(manifests, tmp_path, local, "--topic-prefix", prefix, "--group", f"{prefix}group")


def test_roles_that_share_the_services_alone_work_together_and_end_in_order(
    cluster: Cluster, tmp_path: Path
) -> None:
    for job in ("topics", "store-init"):
        made = cluster.once(job)
        assert made.returncode == 0, made.stderr
    supervisors = ("supervise", "supervise-0"), ("supervise", "supervise-1")
    with cluster.running(("serve", "serve-0")), cluster.running(("stream", "stream-0"), *supervisors):
        said = [cluster.log(state).read_text() for _, state in supervisors]
    assert sorted("supervises /" in text for text in said) == [False, True]
    assert sorted("stands by: process" in text for text in said) == [False, True]
    assert [path.name for path in (tmp_path / "stream-0").iterdir()] == ["model"], "a stream keeps nothing"
    leader = "supervise-0" if "supervises /" in said[0] else "supervise-1"
    for own in ("serve-0", leader):
        heads = list((tmp_path / own).glob("audit-*.head"))
        assert len(heads) == 1, f"{own} keeps its ends of the audit chain"
        assert not (tmp_path / own / "audit.key").exists()
