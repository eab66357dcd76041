"""The compose file: what a container engine would refuse, and what nobody should run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from smartgrid.settings import Settings

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:-|:\?)(?P<rest>[^}]*)\}")
SECRET = re.compile(r"password|token|secret", re.IGNORECASE)


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((repository / "docker-compose.yml").read_text("utf-8"))
    return content


def test_every_service_is_pinned_checked_and_keeps_its_data(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) >= {"redpanda", "influxdb"}
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+\.\d+", service["image"]), f"{name}: pin the image"
        assert service["healthcheck"]["test"], f"{name}: say how its health is seen"
        volumes = [volume.split(":")[0] for volume in service["volumes"]]
        assert set(volumes) <= set(compose["volumes"]), f"{name}: name its volumes"


def test_services_listen_on_this_machine_alone(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_no_secret_has_a_default_and_the_example_leaves_all_blank(
    compose: dict[str, Any], repository: Path
) -> None:
    wanted = set()
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                match = VARIABLE.fullmatch(str(value))
                assert match is not None, f"{key} is written into the file"
                assert match["rule"] == ":?", f"{key} has a default"
                wanted.add(match["name"])
    example = dict(
        line.split("=", 1)
        for line in (repository / ".env.example").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert example == dict.fromkeys(wanted, "")
    assert ".env" in (repository / ".gitignore").read_text("utf-8").splitlines()


def test_the_series_stores_defaults_are_those_of_the_settings(compose: dict[str, Any]) -> None:
    environment = compose["services"]["influxdb"]["environment"]
    fields = Settings.model_fields
    assert environment["DOCKER_INFLUXDB_INIT_RETENTION"] == f"{fields['influx_retention_days'].default}d"
    for variable, name in (("ORG", "influx_org"), ("BUCKET", "influx_bucket")):
        match = VARIABLE.fullmatch(environment[f"DOCKER_INFLUXDB_INIT_{variable}"])
        assert match is not None
        assert match["name"] == f"SMARTGRID_{name.upper()}"
        assert match["rest"] == fields[name].default
