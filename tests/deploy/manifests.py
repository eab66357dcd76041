"""The Kubernetes manifests as data: what the files say, without a cluster and without kubectl."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KUSTOMIZATION = "kustomization.yaml"
COMPONENT = "app.kubernetes.io/component"

Document = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """The pods of one workload: one container each.

    Attributes:
        owner: the Deployment, StatefulSet, Job or CronJob.
        labels: of the pods.
        spec: of the pods.
    """

    owner: Document
    labels: dict[str, str]
    spec: Document

    @property
    def component(self) -> str:
        return self.labels[COMPONENT]

    @property
    def container(self) -> Document:
        (found,) = self.spec["containers"]
        return dict(found)

    @property
    def goes_on(self) -> bool:
        """Whether it runs until it is told to stop."""
        return self.owner["kind"] in {"Deployment", "StatefulSet"}

    @property
    def mounts(self) -> dict[str, Document]:
        """By the volume's name."""
        return {mount["name"]: mount for mount in self.container["volumeMounts"]}

    @property
    def volumes(self) -> dict[str, Document]:
        """By name, those of claims that the owner makes too."""
        made = self.owner["spec"].get("volumeClaimTemplates", [])
        claims = {claim["metadata"]["name"]: claim for claim in made}
        return claims | {volume["name"]: volume for volume in self.spec["volumes"]}

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}


@dataclass(frozen=True)
class Manifests:
    """All documents of a folder.

    Attributes:
        files: names of the manifests that lie there, but for the kustomization.
        kustomization: what it says.
        documents: of all files.
    """

    files: tuple[str, ...]
    kustomization: Document
    documents: tuple[Document, ...]

    def of(self, kind: str) -> list[Document]:
        """All documents of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str) -> Document:
        """The only document of that kind and name."""
        (found,) = [document for document in self.of(kind) if document["metadata"]["name"] == name]
        return found

    @property
    def pods(self) -> list[Pod]:
        """Of all workloads."""
        return list(_pods(self.documents))

    def pod(self, component: str) -> Pod:
        """Of one component."""
        (found,) = [pod for pod in self.pods if pod.component == component]
        return found

    def selected(self, labels: dict[str, str]) -> list[Pod]:
        """The pods that carry all these labels."""
        return [pod for pod in self.pods if labels.items() <= pod.labels.items()]

    def changed(self, target: str, path: str, value: object) -> "Manifests":
        """A copy that says something else in one place.

        Args:
            target: ``Kind/name``, or ``kustomization``.
            path: keys and indices, separated by ``>``.
            value: what is put there; what is there goes away where None.
        """
        new = copy.deepcopy(self)
        found = new.kustomization if target == "kustomization" else new.one(*target.split("/"))
        *parents, last = [int(key) if key.isdecimal() else key for key in path.split(">")]
        place: Any = found
        for key in parents:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
        return new


def _pods(documents: tuple[Document, ...]) -> Iterator[Pod]:
    for owner in documents:
        if owner["kind"] not in {"Deployment", "StatefulSet", "Job", "CronJob"}:
            continue
        spec = owner["spec"]["jobTemplate"]["spec"] if owner["kind"] == "CronJob" else owner["spec"]
        template = spec["template"]
        yield Pod(owner, template["metadata"]["labels"], template["spec"])


def load(folder: Path) -> Manifests:
    """Read a folder of manifests."""
    files = sorted(path.name for path in folder.iterdir() if path.name != KUSTOMIZATION)
    documents = tuple(
        document for name in files for document in yaml.safe_load_all((folder / name).read_text("utf-8"))
    )
    kustomization = yaml.safe_load((folder / KUSTOMIZATION).read_text("utf-8"))
    return Manifests(tuple(files), kustomization, documents)
