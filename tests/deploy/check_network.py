"""Who may speak with whom: ports, probes, Services, Ingress, policies. Each check gives its problems."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.deploy.manifests import COMPONENT, Manifests, Pod

DATA, CONTROLLER, MONITORING = "data", "ingress", "monitoring"
"""The namespaces of the neighbours, as the policies take them to be."""
PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
LEDGER_PORT = 5432


def settings_of(manifests: Manifests, pod: Pod) -> dict[str, str]:
    """The variables of a pod; ``from NAME/KEY`` for those of secrets."""
    found: dict[str, str] = {}
    for source in pod.container.get("envFrom", []):
        found |= manifests.one("ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in pod.container.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        found[variable["name"]] = (
            variable["value"] if reference is None else f"from {reference['name']}/{reference['key']}"
        )
    return found


def problems_of_ports(manifests: Manifests) -> Iterator[str]:
    """Containers name the ports that their settings open."""
    for pod in manifests.pods:
        settings = settings_of(manifests, pod)
        wanted = {"probes": int(settings["SMARTGRID_METRICS_PORT"])} if pod.goes_on else {}
        if "SMARTGRID_HTTP_PORT" in settings:
            wanted["web"] = int(settings["SMARTGRID_HTTP_PORT"])
        if pod.ports != wanted:
            yield f"{pod.component}: ports {pod.ports}, settings say {wanted}"
        if pod.goes_on and settings["SMARTGRID_METRICS_HOST"] != "0.0.0.0":  # noqa: S104  what the kubelet reaches
            yield f"{pod.component}: the kubelet cannot reach the probes"


def problems_of_probes(manifests: Manifests) -> Iterator[str]:
    """Whoever goes on is asked, at the port that asks for no token, and has the time to start."""
    for pod in manifests.pods:
        found = {name: pod.container[name] for name in PROBES if name in pod.container}
        if set(found) != (set(PROBES) if pod.goes_on else set()):
            yield f"{pod.component}: probes {sorted(found)}"
        for name, probe in found.items():
            if probe["httpGet"] != {"path": PROBES[name], "port": "probes"}:
                yield f"{pod.component}: {name} asks {probe['httpGet']}"
    start = manifests.pod("serve").container["startupProbe"]
    if start["periodSeconds"] * start["failureThreshold"] < 600:
        yield "serve: killed while it trains its first model"


def problems_of_services(manifests: Manifests) -> Iterator[str]:
    """The Service is serve's, also while that is not ready; the Ingress leads to it, by its public name."""
    (service,), (ingress,) = manifests.of("Service"), manifests.of("Ingress")
    selected = manifests.selected(service["spec"]["selector"])
    if [pod.component for pod in selected] != ["serve"]:
        yield f"the Service selects {[pod.component for pod in selected]}"
    if not service["spec"].get("publishNotReadyAddresses"):
        yield "the console is gone just when telemetry is old"
    ports = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
    yield from (
        f"the Service's {name} leads nowhere" for name in ports if ports[name] not in selected[0].ports
    )
    host = urlsplit(settings_of(manifests, manifests.pod("serve"))["SMARTGRID_HTTP_URL"]).hostname
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    if {rule["host"], *tls["hosts"]} != {host}:
        yield f"clients know {host}, the Ingress {rule['host']} and {tls['hosts']}"
    for path in rule["http"]["paths"]:
        backend = path["backend"]["service"]
        if (backend["name"], backend["port"]["name"]) != (service["metadata"]["name"], *ports):
            yield f"{path['path']} leads to {backend}"
    if not {"/mcp", "/console"} <= {path["path"] for path in rule["http"]["paths"]}:
        yield "MCP or the console cannot be reached"


def problems_of_deny(manifests: Manifests) -> Iterator[str]:
    """What no policy names is denied, and names can be resolved."""
    denied = manifests.one("NetworkPolicy", "default-deny")["spec"]
    if denied != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        yield f"default-deny: {denied}"
    dns = manifests.one("NetworkPolicy", "to-dns")["spec"]
    ports = {(port["protocol"], port["port"]) for rule in dns["egress"] for port in rule["ports"]}
    if dns["podSelector"] or ports != {("UDP", 53), ("TCP", 53)}:
        yield f"to-dns: {dns}"


def problems_of_policies(manifests: Manifests) -> Iterator[str]:
    """Every pod may reach what its settings and secrets are for, and be reached so, and nothing more."""
    found = _allowed(manifests)
    wanted = _needed(manifests)
    yield from (f"{' '.join(map(str, item))} is allowed, and nobody needs it" for item in found - wanted)
    yield from (f"{' '.join(map(str, item))} is needed, and not allowed" for item in wanted - found)


def _needed(manifests: Manifests) -> set[tuple[object, ...]]:
    wanted: set[tuple[object, ...]] = {("serve", "to", "192.0.2.0/24", 502)}
    for pod in manifests.pods:
        settings, name = settings_of(manifests, pod), pod.component
        if "SMARTGRID_KAFKA_SECURITY__PASSWORD" in settings:
            wanted.add((name, "to", DATA, _port(f"//{settings['SMARTGRID_KAFKA']}")))
        if "influx" in pod.mounts:
            wanted.add((name, "to", DATA, _port(settings["SMARTGRID_INFLUX_URL"])))
        if "SMARTGRID_LEDGER_URL" in settings:
            wanted.add((name, "to", DATA, LEDGER_PORT))
        if "web" in pod.ports:
            wanted.add((name, "from", CONTROLLER, "web"))
        if name in {"serve", "stream"}:  # they have metrics, not probes alone
            wanted.add((name, "from", MONITORING, "probes"))
    return wanted


def _port(address: str) -> int | None:
    return urlsplit(address).port


def _allowed(manifests: Manifests) -> set[tuple[object, ...]]:
    allowed: set[tuple[object, ...]] = set()
    for policy in manifests.of("NetworkPolicy"):
        if policy["metadata"]["name"] in {"default-deny", "to-dns"}:
            continue
        spec = policy["spec"]
        for component in _components(spec["podSelector"]):
            for way, rules, peers in (("to", "egress", "to"), ("from", "ingress", "from")):
                for rule in spec.get(rules, []):
                    allowed |= {
                        (component, way, _peer(peer), port["port"])
                        for peer in rule[peers]
                        for port in rule["ports"]
                    }
    return allowed


def _components(selector: dict[str, Any]) -> list[str]:
    """A selector by this label alone; any other would have to be understood here first."""
    if set(selector) == {"matchLabels"}:
        ((label, value),) = selector["matchLabels"].items()
        assert label == COMPONENT
        return [value]
    (expression,) = selector["matchExpressions"]
    assert (expression["key"], expression["operator"]) == (COMPONENT, "In")
    return list(expression["values"])


def _peer(peer: dict[str, Any]) -> str:
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    return str(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
