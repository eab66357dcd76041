"""The SAM template: linted, least privilege, and in the code's own words."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pipeline.kafka_settings import MSK_IAM
from pipeline.kafka_topics import TOPICS
from pipeline.messages import DEAD_LETTER_TOPIC, FORECASTS_TOPIC, TELEMETRY_TOPIC
from smartgrid.aws.forecasting import MARGIN_MS
from smartgrid.aws.metrics import DEAD_LETTERS, DIMENSION, NAMESPACE
from smartgrid.plant_stream import STREAM_GROUP
from smartgrid.settings import Settings

LINTER = ("--from", "cfn-lint==1.51.0", "--with", "aws-sam-translator==1.110.0", "cfn-lint")
"""Newer linters pass broken SAM templates; these two hold pydantic below the product's."""
BROKEN = {
    "a misspelt property of the event source": (
        "            BatchSize: !Ref BatchSize",
        "            BatchSise: !Ref BatchSize",
    ),
    "a value of another type": ("Timeout: !Ref TimeoutSeconds", "Timeout: soon"),
    "a role that is not there": ("Role: !GetAtt FunctionRole.Arn", "Role: !GetAtt NoRole.Arn"),
    "a starting position that there is not": ("TRIM_HORIZON", "HORIZON"),
}
KAFKA_ACTIONS = {
    "Connect",
    "CreateTopic",
    "DescribeTopic",
    "DescribeTopicDynamicConfiguration",
    "ReadData",
    "WriteData",
    "WriteDataIdempotently",
    "DescribeGroup",
    "AlterGroup",
    "DescribeTransactionalId",
    "AlterTransactionalId",
}
"""Those of the service authorization reference that may stand here; the linter knows none of them."""
Template = dict[str, Any]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as ``{"Fn::…": value}``."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise AssertionError(node)


Loader.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def path(repository: Path) -> Path:
    return repository / "deploy" / "aws" / "template.yaml"


@pytest.fixture(scope="module")
def template(path: Path) -> Template:
    found: Template = yaml.load(path.read_text("utf-8"), Loader)  # noqa: S506  a safe loader with tags
    return found


def test_the_linter_finds_nothing_in_the_template_and_something_in_each_broken_one(
    path: Path, tmp_path: Path
) -> None:
    text = path.read_text("utf-8")
    files = {"as it is": tmp_path / "template.yaml"}
    files["as it is"].write_text(text)
    for i, (name, (right, wrong)) in enumerate(BROKEN.items()):
        assert text.count(right) == 1, name
        files[name] = tmp_path / f"broken-{i}.yaml"
        files[name].write_text(text.replace(right, wrong))
    (tmp_path / "build").mkdir()  # what the function's code is packed from
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", *LINTER, "--format", "json"]
    done = subprocess.run(
        [*command, "--regions", "eu-west-1", "--", *map(str, files.values())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found = {Path(match["Filename"]).name for match in json.loads(done.stdout)}
    assert found == {file.name for name, file in files.items() if name != "as it is"}


# -- who may do what ------------------------------------------------------------------------------


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, with the resource that holds it."""
    for name, resource in template["Resources"].items():
        properties = resource["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        for document in documents:
            yield from ((name, statement) for statement in document["Statement"])


def texts(value: Any) -> Iterator[str]:
    """All texts within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def too_wide(template: Template) -> list[str]:
    """Allowed actions with a star, and actions on every resource where AWS takes a narrower one."""
    found = []
    for name, statement in statements(template):
        actions = [*texts(statement["Action"])]
        if statement["Effect"] == "Allow":
            found += [f"{name}: {action}" for action in actions if "*" in action]
            if "*" in texts(statement["Resource"]):
                found += [f"{name}: {action} on *" for action in actions if not action.startswith("ec2:")]
    return found


def test_no_role_may_do_more_than_its_work(template: Template) -> None:
    assert too_wide(template) == []
    network = [s for _, s in statements(template) if "*" in texts(s["Resource"])]
    assert [statement["Sid"] for statement in network] == ["LambdasOwnInterfaces", "NotByTheCode"]
    assert network[1]["Effect"] == "Deny"


def test_every_kafka_action_is_one_that_there_is(template: Template) -> None:
    actions = {action for _, statement in statements(template) for action in texts(statement["Action"])}
    of_kafka = {action.partition(":")[2] for action in actions if action.startswith("kafka-cluster:")}
    assert of_kafka == KAFKA_ACTIONS


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Action: sqs:SendMessage", "Action: sqs:*"),
        ("Action: kafka-cluster:ReadData", 'Action: "*"'),
        ("Resource: !GetAtt Failures.Arn", 'Resource: "*"'),
    ],
)
def test_a_policy_that_is_too_wide_is_found(path: Path, right: str, wrong: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(right) == 1
    assert len(too_wide(yaml.load(text.replace(right, wrong), Loader))) == 1  # noqa: S506


def kafka_names(template: Template, kind: str) -> dict[str, set[str]]:
    """By resource, the topics or groups that its policies name."""
    found: dict[str, set[str]] = {}
    for name, statement in statements(template):
        for text in texts(statement["Resource"]):
            if match := re.fullmatch(rf"arn:.*:{kind}/\$\{{Path\}}/(.+)", text):
                found.setdefault(name, set()).add(match[1])
    return found


def test_policies_name_the_topics_and_groups_that_the_code_uses(template: Template) -> None:
    (poller,) = [event["Properties"] for event in events(template)]
    assert kafka_names(template, "topic") == {
        "FunctionRole": {*TOPICS},
        "ProducerPolicy": {TELEMETRY_TOPIC},
        "MemberPolicy": {*TOPICS},
        "OperatorPolicy": {*TOPICS},
    }
    assert kafka_names(template, "group") == {
        "FunctionRole": {STREAM_GROUP, poller["ConsumerGroupId"]},
        "MemberPolicy": {STREAM_GROUP},
        "OperatorPolicy": {"dlq-*"},
    }
    assert poller["Topics"] == [TELEMETRY_TOPIC]
    assert poller["ConsumerGroupId"] != STREAM_GROUP
    dead_letters = Path(str(import_module("pipeline.dead_letters").__file__)).read_text("utf-8")
    assert {'prefix + "dlq-show"', 'f"{prefix}dlq-replay-{reason}"'} <= {
        *re.findall(r'prefix \+ "dlq-show"|f"\{prefix\}dlq-replay-\{reason\}"', dead_letters)
    }


def test_the_function_reads_telemetry_and_writes_the_other_two_topics_alone(template: Template) -> None:
    may: dict[str, set[str]] = {}
    for name, statement in statements(template):
        for text in texts(statement["Resource"]) if name == "FunctionRole" else ():
            if match := re.fullmatch(r"arn:.*:topic/\$\{Path\}/(.+)", text):
                may.setdefault(match[1], set()).update(texts(statement["Action"]))
    writes = {"kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"}
    reads = {"kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"}
    assert may == {TELEMETRY_TOPIC: reads, FORECASTS_TOPIC: writes, DEAD_LETTER_TOPIC: writes}


# -- the function and its alarms ------------------------------------------------------------------


def events(template: Template) -> list[dict[str, Any]]:
    return [*template["Resources"]["Function"]["Properties"]["Events"].values()]


def test_every_variable_of_the_function_is_a_setting(
    template: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in template["Resources"]["Function"]["Properties"]["Environment"]["Variables"].items():
        known = {"SMARTGRID_INFLUX_WRITE_TIMEOUT_S": "30"}
        monkeypatch.setenv(name, value if isinstance(value, str) else known.get(name, f"given-{name}"))
    settings = Settings(state=tmp_path)
    assert settings.kafka == "given-SMARTGRID_KAFKA"
    assert (settings.kafka_security.mechanism, settings.kafka_security.tls) == (MSK_IAM, True)
    assert settings.kafka_security.aws_region == "given-SMARTGRID_KAFKA_SECURITY__AWS_REGION"
    assert (settings.log_format, settings.log_level) == ("json", "INFO")
    given = (settings.influx_url, settings.influx_org, settings.influx_bucket)
    assert given == tuple(f"given-SMARTGRID_INFLUX_{name}" for name in ("URL", "ORG", "BUCKET"))
    assert settings.influx_token is not None
    fields = {*Settings.model_fields}
    for name in template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]:
        assert name.removeprefix("SMARTGRID_").partition("__")[0].lower() in fields


def test_secrets_come_from_the_secrets_manager_alone(template: Template) -> None:
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    secret = [*texts(variables["SMARTGRID_INFLUX_TOKEN"])]
    assert "{{resolve:secretsmanager:${InfluxSecretArn}:SecretString:token}}" in secret
    assert not [name for name in template["Parameters"] if re.search("token|password", name, re.IGNORECASE)]


def test_the_function_is_what_the_builder_builds(
    template: Template, builder: ModuleType, repository: Path
) -> None:
    function = template["Resources"]["Function"]["Properties"]
    module, _, name = function["Handler"].rpartition(".")
    assert (repository / Path(*module.split("."))).with_suffix(".py").is_file()
    assert f"\ndef {name}(" in (repository / Path(*module.split("."))).with_suffix(".py").read_text()
    assert (builder.HERE / function["CodeUri"]) == builder.HERE / "build"
    assert template["Parameters"]["Runtime"]["AllowedValues"] == [*builder.RUNTIMES]
    assert template["Parameters"]["TimeoutSeconds"]["MinValue"] * 1000 > 3 * MARGIN_MS


def test_a_batch_that_fails_is_split_tried_again_and_its_place_kept(template: Template) -> None:
    (poller,) = [event["Properties"] for event in events(template)]
    assert poller["BisectBatchOnFunctionError"] is True
    assert poller["StartingPosition"] == "TRIM_HORIZON"  # what lies before is not finished
    assert poller["DestinationConfig"]["OnFailure"]["Destination"] == {"GetAtt": "Failures.Arn"}
    assert {"MaximumRetryAttempts", "MaximumBatchingWindowInSeconds"} <= {*poller}
    assert "MaximumRecordAgeInSeconds" not in poller  # the log keeps what is old, and it is done
    assert "FilterCriteria" not in poller  # a gap within an event would be taken for finished
    assert "ProvisionedPollerConfig" in poller  # error handling comes with it alone


def test_alarms_watch_what_the_code_counts(template: Template) -> None:
    alarms = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert {alarm["MetricName"] for alarm in alarms.values()} == {
        *("Errors", "Throttles", "OffsetLag", "Invocations", "ApproximateNumberOfMessagesVisible"),
        DEAD_LETTERS,
    }
    letters = alarms["DeadLettersAlarm"]
    assert (letters["Namespace"], letters["Dimensions"][0]["Name"]) == (NAMESPACE, DIMENSION)
    assert alarms["SilenceAlarm"]["TreatMissingData"] == "breaching"
    for alarm in alarms.values():
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == {"If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], NOBODY]}


NOBODY = {"Ref": "AWS::NoValue"}


def test_every_parameter_has_a_default_but_for_the_network(template: Template) -> None:
    without = [name for name, found in template["Parameters"].items() if "Default" not in found]
    assert without == ["SubnetIds", "SecurityGroupIds"]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("KafkaBrokers", "boot-1.c1.kafka-serverless.eu-west-1.amazonaws.com:9098", "b-1.kafka:9092"),
        ("InfluxUrl", "https://influx.example.com:8086", "influx.example.com"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms", "alarms"),
    ],
)
def test_parameters_take_what_they_are_for(template: Template, name: str, right: str, wrong: str) -> None:
    pattern = template["Parameters"][name]["AllowedPattern"]
    assert [bool(re.search(pattern, value)) for value in (right, "", wrong)] == [True, True, False]
