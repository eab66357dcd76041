"""The compose file, as text: no container engine is needed, so none is asked whether the services start.

Checked is what an engine would refuse, what nobody should run, and that file, settings and commands agree.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url
from typer.testing import CliRunner

from pipeline.kafka_progress import BROKER_TIMEOUT_S
from smartgrid import probe
from smartgrid.cli import app
from smartgrid.kafka_member import CLOSE_S
from smartgrid.settings import Settings

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<rule>:-|:\?)(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"password|token|secret", re.IGNORECASE)
BESIDE = {"redpanda", "influxdb", "postgres", "grafana"}
ONCE = {"topics", "store-init"}
ROLES = {"up", "stream"}
OURS = "SMARTGRID_"


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docker-compose.yml").read_text("utf-8")


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


@pytest.fixture(scope="module")
def example(repository: Path) -> dict[str, str]:
    """The variables of ``.env.example``."""
    lines = (repository / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def variables(service: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = service.get("environment", {})
    return found


def filled(value: str) -> str:
    """The value as an engine reads it, with ``made-up`` for what the user chooses."""
    return VARIABLE.sub(lambda match: match["rest"] if match["rule"] == ":-" else "made-up", value)


def field_of(variable: str) -> str:
    return variable.removeprefix(OURS).lower()


def test_the_services_are_those_beside_the_program_and_on_demand_its_roles(
    services: dict[str, dict[str, Any]],
) -> None:
    assert set(services) == BESIDE | ONCE | ROLES
    assert {name for name in services if services[name].get("profiles") == ["roles"]} == ONCE | ROLES


def test_every_service_is_pinned_checked_and_keeps_its_data(
    services: dict[str, dict[str, Any]], text: str
) -> None:
    named = set(yaml.safe_load(text)["volumes"])
    for name, service in services.items():
        built = service["image"] == "smartgrid:local"
        assert built == (name in ONCE | ROLES), f"{name}: built here, or not?"
        assert built or re.search(r":v?\d+\.\d+", service["image"]), f"{name}: pin the image"
        assert (name in ONCE) != bool(service.get("healthcheck", {}).get("test")), f"{name}: how is it seen?"
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        volumes = [source for source in sources if not source.startswith("./")]
        assert volumes, f"{name}: its data are lost with the container"
        assert set(volumes) <= named, f"{name}: name its volumes"


def test_services_listen_on_this_machine_alone(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if service.get("network_mode") == "host":
            assert Settings.model_fields["http_host"].default == "127.0.0.1"
            assert not {"SMARTGRID_HTTP_HOST", "SMARTGRID_METRICS_HOST"} & set(variables(service)), name


def test_what_a_service_waits_for_can_come_true(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            once = "service_completed_successfully"
            assert wanted["condition"] == (once if other in ONCE else "service_healthy"), (name, other)
            assert "restart" not in services[other] or other not in ONCE


def waits_for(services: dict[str, dict[str, Any]], name: str) -> Iterator[str]:
    for other in services[name].get("depends_on", {}):
        yield other
        yield from waits_for(services, other)


def test_roles_start_after_the_topics_and_the_store_are_made(services: dict[str, dict[str, Any]]) -> None:
    for role in ROLES:
        assert set(waits_for(services, role)) >= {"redpanda", "influxdb", "topics", "store-init"}


def test_no_secret_has_a_default_and_the_example_leaves_all_blank(
    services: dict[str, dict[str, Any]], example: dict[str, str], repository: Path
) -> None:
    wanted = set()
    for service in services.values():
        for key, value in variables(service).items():
            if SECRET.search(key):
                match = VARIABLE.fullmatch(str(value))
                assert match is not None, f"{key} is written into the file"
                assert match["rule"] == ":?", f"{key} has a default"
                wanted.add(match["name"])
    assert example == dict.fromkeys(wanted, "")
    assert ".env" in (repository / ".gitignore").read_text("utf-8").splitlines()


def test_every_variable_of_ours_is_a_setting(
    services: dict[str, dict[str, Any]], example: dict[str, str], text: str
) -> None:
    read = {match["name"] for match in VARIABLE.finditer(text)}
    given = {key for service in services.values() for key in variables(service)}
    ours = {name for name in read | given | set(example) if name.startswith(OURS)}
    assert len(ours) >= 8
    assert {field_of(name) for name in ours} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(ONCE | ROLES))
def test_a_roles_command_exists_and_its_variables_are_valid_settings(
    name: str, services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = services[name]
    result = CliRunner().invoke(app, [*service["command"], "--help"])
    assert result.exit_code == 0, result.output
    for variable, value in variables(service).items():
        assert isinstance(value, str), f"{variable}: quote it"
        monkeypatch.setenv(variable, filled(value))
    settings = Settings()
    assert settings.state == Path("/state")
    assert service["volumes"] == ["state:/state"]
    assert (settings.log_format, settings.influx_token is not None) == ("json", True)


def test_the_runner_refuses_a_command_that_is_none() -> None:
    for words in (["streem"], ["stream", "--metrics"], ["store", "make"]):
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code != 0


def test_roles_find_the_services_where_they_listen(services: dict[str, dict[str, Any]]) -> None:
    kafka = next(part for part in services["redpanda"]["command"] if "advertise-kafka-addr" in part)
    inside, outside = re.findall(r"://([^,]+)", filled(kafka))
    stream, up = (variables(services[name]) for name in ("stream", "up"))
    assert (stream["SMARTGRID_KAFKA"], filled(up["SMARTGRID_KAFKA"])) == (inside, outside)
    host, inner = services["influxdb"]["ports"][0].rsplit(":", 1)
    assert stream["SMARTGRID_INFLUX_URL"] == f"http://influxdb:{inner}"
    assert up["SMARTGRID_INFLUX_URL"] == f"http://{host}"


def test_the_ledger_is_on_the_database_that_stands_beside_it(services: dict[str, dict[str, Any]]) -> None:
    up, made = variables(services["up"]), variables(services["postgres"])
    url = make_url(filled(up["SMARTGRID_LEDGER_URL"]))
    assert services["postgres"]["ports"] == [f"127.0.0.1:${{POSTGRES_PORT:-{url.port}}}:5432"]
    assert (url.username, url.database) == (made["POSTGRES_USER"], made["POSTGRES_DB"])
    assert (url.password, up["PGPASSWORD"]) == (None, made["POSTGRES_PASSWORD"])
    assert "postgres" in services["up"]["depends_on"]


def test_health_checks_ask_whether_the_role_is_ready(services: dict[str, dict[str, Any]]) -> None:
    for name in ROLES:
        words = services[name]["healthcheck"]["test"]
        assert words == ["CMD", "python", "-P", "-m", probe.__name__, "readyz"], name
    for name in ONCE:
        assert services[name]["healthcheck"] == {"disable": True}, f"{name}: the image's would ask nobody"


def test_roles_that_share_the_machines_network_have_ports_of_their_own(
    services: dict[str, dict[str, Any]], repository: Path
) -> None:
    given = re.search(r"SMARTGRID_METRICS_PORT=(\d+)", (repository / "deploy/Dockerfile").read_text("utf-8"))
    assert given is not None
    up = services["up"]
    assert up["network_mode"] == "host"
    taken = {filled(port).split(":")[1] for service in services.values() for port in service.get("ports", [])}
    own = {filled(variables(up)[probe.PORT_VARIABLE]), str(Settings.model_fields["http_port"].default)}
    assert len(own) == 2
    assert not own & (taken | {given[1]})


def test_roles_can_change_nothing_but_their_state(services: dict[str, dict[str, Any]]) -> None:
    for name in ONCE | ROLES:
        service = services[name]
        assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"]), name  # noqa: S108
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "user"} & set(service), name


def test_roles_have_the_time_to_finish_what_they_began(services: dict[str, dict[str, Any]]) -> None:
    for name in ROLES:
        assert float(services[name]["stop_grace_period"].removesuffix("s")) > BROKER_TIMEOUT_S + CLOSE_S


def test_the_series_stores_defaults_are_those_of_the_settings(services: dict[str, dict[str, Any]]) -> None:
    environment = variables(services["influxdb"])
    fields = Settings.model_fields
    assert environment["DOCKER_INFLUXDB_INIT_RETENTION"] == f"{fields['influx_retention_days'].default}d"
    for variable, name in (("ORG", "influx_org"), ("BUCKET", "influx_bucket")):
        match = VARIABLE.fullmatch(environment[f"DOCKER_INFLUXDB_INIT_{variable}"])
        assert match is not None
        assert match["name"] == f"SMARTGRID_{name.upper()}"
        assert match["rest"] == fields[name].default


def test_grafana_is_provisioned_from_the_repository_and_its_environment(
    services: dict[str, dict[str, Any]], repository: Path
) -> None:
    grafana, folder = services["grafana"], repository / "deploy/grafana"
    mounted = [volume.split(":") for volume in grafana["volumes"] if volume.startswith("./")]
    assert all((repository / source).is_dir() and mode == "ro" for source, _, mode in mounted)
    places = {place: repository / source for source, place, _ in mounted}
    assert places["/etc/grafana/provisioning"] == folder / "provisioning"
    (provider,) = yaml.safe_load((folder / "provisioning/dashboards/smartgrid.yml").read_text("utf-8"))[
        "providers"
    ]
    assert list(places[provider["options"]["path"]].glob("*.json"))
    source = (folder / "provisioning/datasources/influxdb.yml").read_text("utf-8")
    assert set(re.findall(r"\$(\w+)", source)) == {name for name in variables(grafana) if "INFLUXDB" in name}
    assert yaml.safe_load(source)["datasources"][0]["secureJsonData"] == {"token": "$INFLUXDB_TOKEN"}
    stream = variables(services["stream"])
    for name in ("URL", "ORG", "BUCKET", "TOKEN"):
        assert variables(grafana)[f"INFLUXDB_{name}"] == stream[f"SMARTGRID_INFLUX_{name}"]
