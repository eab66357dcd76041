"""Every manifest, against the Kubernetes API's own schemas and KEDA's reference; no cluster is asked.

The schemas come with ``kubernetes-validate``. In its strict ones a field that the API does not know is an
error. Its newest and the oldest release that the guide names are asked.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped, import-not-found, unused-ignore]
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]

from tests.deploy.manifests import Document, Manifests

OLDEST = "1.31"
RELEASES = (OLDEST, kubernetes_validate.latest_version())
KEDA = "keda.sh/v1alpha1"


class UnfitError(Exception):
    """A manifest that the API would refuse."""


def require_valid(document: Document, release: str, keda: Document) -> None:
    """Refuse what is not as its schema says.

    Raises:
        UnfitError: with the reason.
    """
    try:
        if document["apiVersion"].startswith("keda.sh/"):
            Draft202012Validator(keda).validate(document)
        else:
            kubernetes_validate.validate(document, release, strict=True)
    except ValidationError as error:
        raise UnfitError(error.message) from error
    except kubernetes_validate.SchemaNotFoundError as error:
        raise UnfitError(error.message) from error


@pytest.fixture(scope="session")
def keda() -> Document:
    schema: Document = json.loads((Path(__file__).parent / "keda.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize("release", RELEASES)
def test_every_manifest_is_what_the_api_takes(manifests: Manifests, keda: Document, release: str) -> None:
    for document in manifests.documents:
        require_valid(document, release, keda)
    assert len(manifests.documents) > 20


def test_the_guide_names_the_oldest_release_that_is_asked(repository: Path) -> None:
    assert f"Kubernetes {OLDEST} or newer" in (repository / "docs/how-to/kubernetes.md").read_text("utf-8")


BROKEN = {
    "a misspelt field": ("StatefulSet/serve", "spec>replica", 1),
    "a misspelt field deep inside": (
        "StatefulSet/serve",
        "spec>template>spec>containers>0>livenessProbe>httpGet>pth",
        "/healthz",
    ),
    "a text for a number": ("StatefulSet/serve", "spec>replicas", "1"),
    "a field that has to be there": ("Deployment/stream", "spec>selector", None),
    "a variable that is no text": ("ConfigMap/settings", "data>SMARTGRID_METRICS_PORT", 9464),
    "an unknown version": ("Deployment/stream", "apiVersion", "apps/v2"),
    "an unknown kind": ("PodDisruptionBudget/stream", "kind", "PodDisruptionBuget"),
    "an unknown field of a policy": ("NetworkPolicy/to-dns", "spec>egress>0>from", []),
    "an unknown field of KEDA": ("ScaledObject/stream", "spec>maxReplicas", 11),
    "a number in KEDA's texts": ("ScaledObject/stream", "spec>triggers>0>metadata>lagThreshold", 10000),
    "a misspelt word of KEDA's scaler": (
        "ScaledObject/stream",
        "spec>triggers>0>metadata>consumergroup",
        "x",
    ),
    "a scaler without its topic": ("ScaledObject/stream", "spec>triggers>0>metadata>topic", None),
    "a text for KEDA's number": ("ScaledObject/stream", "spec>maxReplicaCount", "11"),
    "an unknown version of KEDA": ("ScaledObject/stream", "apiVersion", "keda.sh/v2"),
    "an unknown secret of KEDA": ("TriggerAuthentication/kafka", "spec>secretTargetRef>0>parameter", "user"),
}


@pytest.mark.parametrize(("target", "path", "value"), BROKEN.values(), ids=BROKEN.keys())
def test_a_manifest_with_a_mistake_is_refused(
    manifests: Manifests, keda: Document, target: str, path: str, value: object
) -> None:
    broken = manifests.changed(target, path, value)
    both = zip(broken.documents, manifests.documents, strict=True)
    (document,) = [found for found, whole in both if found != whole]
    with pytest.raises(UnfitError):
        require_valid(document, RELEASES[-1], keda)


def kustomized(manifests: Manifests) -> Iterator[Document]:
    """What the kustomization makes of the documents, as far as this one asks: images."""
    for image in manifests.kustomization["images"]:
        for pod in manifests.pods:
            for container in pod.spec["containers"]:
                if container["image"].split(":")[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    yield from manifests.documents


def rendered_by_kubectl(folder: Path) -> list[Document]:
    found = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    return [document for document in yaml.safe_load_all(found.stdout) if document]


def in_order(documents: list[Document]) -> list[Document]:
    return sorted(documents, key=lambda found: (found["kind"], found["metadata"]["name"]))


def test_what_the_kustomization_makes_is_valid_and_from_one_registry(
    manifests: Manifests, keda: Document, folder: Path
) -> None:
    made = list(kustomized(manifests.changed("kustomization", "namespace", "smartgrid")))
    images = {
        pod.container["image"]
        for pod in Manifests(manifests.files, manifests.kustomization, tuple(made)).pods
    }
    (image,) = images
    name, tag = image.rsplit(":", 1)
    assert (name.count("/"), tag) == (1, manifests.kustomization["images"][0]["newTag"])
    for document in made:
        require_valid(document, RELEASES[-1], keda)
    if shutil.which("kubectl"):  # where it is there, it says the same
        assert in_order(rendered_by_kubectl(folder)) == in_order(made)
