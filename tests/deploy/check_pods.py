"""What has to hold for every pod, whatever it runs. Each check gives the problems that it finds."""

from collections.abc import Iterator

from tests.deploy.manifests import Manifests, Pod

WRITABLE = {"/state", "/state/model", "/tmp"}  # noqa: S108  what the image's read-only root leaves to write
USER = 10001


def problems_of_kustomization(manifests: Manifests) -> Iterator[str]:
    """It lists every file, and no other."""
    listed = manifests.kustomization["resources"]
    yield from (f"{name} is not in the kustomization" for name in set(manifests.files) - set(listed))
    yield from (f"{name} is no file" for name in set(listed) - set(manifests.files))
    if len(listed) != len(set(listed)):
        yield "a file is listed twice"


def problems_of_names(manifests: Manifests) -> Iterator[str]:
    """Everything lies in the one namespace, under a name of its own."""
    (namespace,) = manifests.of("Namespace")
    seen = set()
    for document in manifests.documents:
        key = document["kind"], document["metadata"]["name"]
        if key in seen:
            yield f"{key} is there twice"
        seen.add(key)
        of_none = document["kind"] == "Namespace"
        if not of_none and document["metadata"].get("namespace") != namespace["metadata"]["name"]:
            yield f"{key}: no namespace"
    if manifests.kustomization["namespace"] != namespace["metadata"]["name"]:
        yield "the kustomization names another namespace"


def problems_of_rights(manifests: Manifests) -> Iterator[str]:
    """No pod may do more than it has to."""
    level = "pod-security.kubernetes.io/enforce"
    if manifests.of("Namespace")[0]["metadata"]["labels"].get(level) != "restricted":
        yield "the namespace lets in pods with privileges"
    accounts = {found["metadata"]["name"]: found for found in manifests.of("ServiceAccount")}
    for account in accounts.values():
        if account.get("automountServiceAccountToken") is not False:
            yield f"account {account['metadata']['name']} gets a token"
    for pod in manifests.pods:
        yield from (f"{pod.component}: {problem}" for problem in _rights(pod))
        if pod.spec.get("serviceAccountName") not in accounts:
            yield f"{pod.component}: an account that is not there"


def _rights(pod: Pod) -> Iterator[str]:
    wanted = {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    found = {**pod.spec["securityContext"]}
    found.pop("fsGroupChangePolicy", None)
    if found != wanted:
        yield f"securityContext {found}"
    of_container = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    if pod.container["securityContext"] != of_container:
        yield f"the container's securityContext {pod.container['securityContext']}"
    if pod.spec.get("automountServiceAccountToken") is not False or pod.spec.get("enableServiceLinks", True):
        yield "it gets what it does not need: a token, or variables of every Service"
    if any(pod.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "initContainers")):
        yield "it shares something of its node"


def problems_of_volumes(manifests: Manifests) -> Iterator[str]:
    """Every mount has its volume, every volume its mount; what is written to can be, and nothing else."""
    for pod in manifests.pods:
        name = pod.component
        if set(pod.mounts) != set(pod.volumes):
            yield f"{name}: mounts {sorted(pod.mounts)}, volumes {sorted(pod.volumes)}"
        for volume, mount in pod.mounts.items():
            if not mount.get("readOnly") and mount["mountPath"] not in WRITABLE:
                yield f"{name}: {mount['mountPath']} can be written"
            kind = set(pod.volumes.get(volume, {})) & {"hostPath", "nfs"}
            if kind:
                yield f"{name}: {volume} is a {kind}"
        if "/tmp" not in {mount["mountPath"] for mount in pod.mounts.values()}:  # noqa: S108
            yield f"{name}: nothing to write temporary files to"
    claims = {found["metadata"]["name"] for found in manifests.of("PersistentVolumeClaim")}
    for pod in manifests.pods:
        named = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod.volumes.values()]
        if missing := set(filter(None, named)) - claims:
            yield f"{pod.component}: no claim {missing}"


def problems_of_the_model(manifests: Manifests) -> Iterator[str]:
    """All who forecast or judge share the model; only those who make one may write it."""
    (claim,) = manifests.of("PersistentVolumeClaim")
    if claim["spec"]["accessModes"] != ["ReadWriteMany"]:
        yield "pods on several nodes cannot share the model"
    holders = [pod for pod in manifests.pods if "model" in pod.mounts]
    writers = {pod.component for pod in holders if not pod.mounts["model"].get("readOnly")}
    if writers != {"serve", "train"}:
        yield f"the model is written by {sorted(writers)}"
    if (readers := {pod.component for pod in holders}) != {"serve", "train", "stream", "supervise"}:
        yield f"the model is read by {sorted(readers)}"
    for pod in holders:
        if (place := pod.mounts["model"]["mountPath"]) != "/state/model":
            yield f"{pod.component}: looks for the model in /state/model, not in {place}"


def problems_of_resources(manifests: Manifests) -> Iterator[str]:
    """The scheduler knows what each needs, and no leak takes a node along."""
    for pod in manifests.pods:
        found = pod.container["resources"]
        if set(found["requests"]) != {"cpu", "memory"} or "memory" not in found.get("limits", {}):
            yield f"{pod.component}: requests {found}"


def problems_of_copies(manifests: Manifests) -> Iterator[str]:
    """One owner at a time; how many streams there are is KEDA's to say; the others survive a node."""
    serve = manifests.one("StatefulSet", "serve")
    if serve["spec"]["replicas"] != 1:
        yield "more than one process would own the plant"
    if "replicas" in manifests.one("Deployment", "stream")["spec"]:
        yield "stream: a number of replicas would undo KEDA's at each apply"
    if manifests.one("StatefulSet", "supervise")["spec"]["replicas"] < 2:
        yield "no supervisor stands by"
    budgets = {found["metadata"]["name"]: found["spec"] for found in manifests.of("PodDisruptionBudget")}
    if set(budgets) != {"stream", "supervise"}:
        yield f"budgets of {sorted(budgets)}"
    for name, spec in budgets.items():
        selected = [pod.component for pod in manifests.selected(spec["selector"]["matchLabels"])]
        if selected != [name] or spec["maxUnavailable"] != 1:
            yield f"budget {name}: {spec}"


def problems_of_selectors(manifests: Manifests) -> Iterator[str]:
    """Whoever selects pods selects its own, all of them, and no other's."""
    for pod in manifests.pods:
        if pod.owner["kind"] in {"Deployment", "StatefulSet"}:
            selected = manifests.selected(pod.owner["spec"]["selector"]["matchLabels"])
            if [found.component for found in selected] != [pod.component]:
                yield f"{pod.component}: selects {[found.component for found in selected]}"
        for spread in pod.spec.get("topologySpreadConstraints", []):
            if pod not in manifests.selected(spread["labelSelector"]["matchLabels"]):
                yield f"{pod.component}: is spread by other pods"
    names = [pod.component for pod in manifests.pods]
    if len(names) != len(set(names)):
        yield "two workloads have one component's label"


def problems_of_images(manifests: Manifests, version: str) -> Iterator[str]:
    """One image for every role, of the version that this is."""
    named = {pod.container["image"] for pod in manifests.pods}
    (image,) = manifests.kustomization["images"]
    if named != {f"{image['name']}:{version}"}:
        yield f"images {sorted(named)}, version {version}"
    if str(image["newTag"]) != version or "/" not in image["newName"]:
        yield f"the kustomization's image {image}"
    for pod in manifests.pods:
        if pod.container.get("imagePullPolicy", "IfNotPresent") != "IfNotPresent" or pod.spec.get(
            "initContainers"
        ):
            yield f"{pod.component}: pulls each time, or runs another image first"


def problems_of_secrets(manifests: Manifests) -> Iterator[str]:
    """Secrets are referred to, and never written here."""
    if manifests.of("Secret"):
        yield "a Secret is in the repository"
    if "secretGenerator" in manifests.kustomization:
        yield "the kustomization makes secrets of files in the repository"
    for values in manifests.of("ConfigMap"):
        for name in values["data"]:
            if any(word in name for word in ("PASSWORD", "USERNAME", "LEDGER_URL")) or name.endswith(
                "_TOKEN"
            ):
                yield f"{name} is written into the ConfigMap {values['metadata']['name']}"
    for pod in manifests.pods:
        for variable in pod.container.get("env", []):
            secret = any(word in variable["name"] for word in ("PASSWORD", "USERNAME", "LEDGER_URL"))
            if secret != ("secretKeyRef" in variable.get("valueFrom", {})):
                yield f"{pod.component}: {variable['name']} is written here, or no secret"


def secrets_of(manifests: Manifests) -> set[tuple[str, str]]:
    """(Secret, key) that the manifests ask for."""
    found = set()
    for pod in manifests.pods:
        for variable in pod.container.get("env", []):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                found.add((reference["name"], reference["key"]))
        for volume in pod.volumes.values():
            if "secret" in volume:
                found |= {(volume["secret"]["secretName"], item["key"]) for item in volume["secret"]["items"]}
    for wanted in manifests.of("TriggerAuthentication"):
        found |= {(item["name"], item["key"]) for item in wanted["spec"]["secretTargetRef"]}
    for ingress in manifests.of("Ingress"):
        names = {entry["secretName"] for entry in ingress["spec"]["tls"]}
        found |= {(name, key) for name in names for key in ("tls.crt", "tls.key")}
    return found
