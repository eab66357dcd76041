"""What reaches librdkafka for each way to connect, and what is refused; no text shows a secret."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from pydantic import ValidationError

from pipeline.errors import KafkaSettingsError
from pipeline.kafka_settings import KafkaConnection, KafkaSecurity

HIDDEN = "tell-nobody"


def config(**security: Any) -> dict[str, Any]:
    return KafkaConnection("kafka.example:9093", KafkaSecurity(**security)).config()


def test_the_default_is_a_plain_connection() -> None:
    assert config() == {"bootstrap.servers": "kafka.example:9093", "security.protocol": "PLAINTEXT"}


def test_scram_over_tls_passes_name_password_and_authority(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    got = config(tls=True, ca_file=authority, mechanism="SCRAM-SHA-512", username="grid", password=HIDDEN)
    assert got == {
        "bootstrap.servers": "kafka.example:9093",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "grid",
        "sasl.password": HIDDEN,
    }


def test_mutual_tls_passes_certificate_and_key(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.touch()
    key.touch()
    got = config(tls=True, certificate_file=certificate, key_file=key, key_password=HIDDEN)
    assert got["security.protocol"] == "SSL"
    assert (got["ssl.certificate.location"], got["ssl.key.location"]) == (str(certificate), str(key))
    assert got["ssl.key.password"] == HIDDEN


def test_msk_iam_hands_librdkafka_a_signer_whose_tokens_expire_in_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    got = config(tls=True, mechanism="AWS_MSK_IAM", aws_region="eu-west-1")
    assert (got["security.protocol"], got["sasl.mechanism"]) == ("SASL_SSL", "OAUTHBEARER")
    token, expires_s = got["oauth_cb"]("")
    assert len(token) > 100
    assert 600 < expires_s - time.time() <= 900
    Producer(got)  # asks for a token of its own before it is made


def test_msk_iam_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer.MSKAuthTokenProvider", None)
    with pytest.raises(KafkaSettingsError, match=r"smartgrid-ai\[msk\]"):
        config(tls=True, mechanism="AWS_MSK_IAM", aws_region="eu-west-1")


@pytest.mark.parametrize(
    ("security", "named"),
    [
        ({"mechanism": "SCRAM-SHA-256", "password": HIDDEN}, "needs username and password"),
        ({"username": "grid", "password": HIDDEN}, "mechanism: unset"),
        ({"mechanism": "PLAIN", "username": "grid", "password": HIDDEN}, "in the clear"),
        ({"key_password": HIDDEN}, "tls: false"),
        ({"tls": True, "ca_file": Path("/nowhere/ca.pem"), "key_password": HIDDEN}, "/nowhere/ca.pem"),
        ({"mechanism": "AWS_MSK_IAM", "tls": True}, "aws_region: unset"),
        ({"mechanism": "AWS_MSK_IAM", "aws_region": "eu-west-1"}, "tls: false"),
    ],
)
def test_a_contradiction_is_refused_by_name_and_without_the_secret(
    security: dict[str, Any], named: str
) -> None:
    with pytest.raises(KafkaSettingsError, match=named) as refused:
        config(**security)
    assert HIDDEN not in str(refused.value)


def test_no_brokers_are_refused() -> None:
    with pytest.raises(KafkaSettingsError, match="no brokers"):
        KafkaConnection(" ").config()


def test_secrets_show_in_no_text() -> None:
    security = KafkaSecurity(
        tls=True, mechanism="PLAIN", username="grid", password=HIDDEN, key_password=HIDDEN
    )
    for text in (
        repr(security),
        str(security),
        repr(KafkaConnection("a:1", security)),
        security.model_dump_json(),
    ):
        assert HIDDEN not in text
    with pytest.raises(ValidationError) as refused:
        KafkaSecurity(passwort=HIDDEN)  # type: ignore[call-arg]
    assert HIDDEN not in str(refused.value)


def test_what_librdkafka_refuses_is_an_error_of_the_settings(tmp_path: Path) -> None:
    no_authority = tmp_path / "ca.pem"
    no_authority.write_text("nothing")
    connection = KafkaConnection("kafka.example:9093", KafkaSecurity(tls=True, ca_file=no_authority))
    with pytest.raises(KafkaSettingsError, match="no client can be made"):
        connection.open(Producer, {})
