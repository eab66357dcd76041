"""How a Kafka client finds the brokers and proves who it is; secrets stay out of every text."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from confluent_kafka import KafkaException
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pipeline.errors import KafkaSettingsError

MSK_IAM: Final = "AWS_MSK_IAM"
LARGEST_MESSAGE_BYTES: Final = 2_097_152
"""A dead letter holds its original in base64: it may be larger than a broker's default for a message."""

Client = TypeVar("Client")
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "AWS_MSK_IAM"]


class KafkaSecurity(BaseModel):
    """Encryption and identity of every Kafka client; the default is a plain connection, for loopback."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tls: bool = Field(default=False, description="encrypt; verify the brokers' certificates")
    ca_file: Path | None = Field(None, description="PEM of the authority; the system's where unset")
    certificate_file: Path | None = Field(None, description="PEM of this client's certificate (mutual TLS)")
    key_file: Path | None = Field(None, description="PEM of its key")
    key_password: SecretStr | None = Field(None, description="of that key")
    mechanism: Mechanism | None = Field(None, description="SASL mechanism; none where unset")
    username: str | None = Field(None, description="for PLAIN and SCRAM")
    password: SecretStr | None = Field(None, description="for PLAIN and SCRAM")
    aws_region: str | None = Field(None, description="for AWS_MSK_IAM, e.g. eu-west-1")


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers, and how to speak to them.

    Attributes:
        brokers: ``host:port``, several separated by commas.
        security: encryption and identity.
    """

    brokers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)

    def open(self, kind: Callable[[dict[str, Any]], Client], more: dict[str, Any]) -> Client:
        """A client of these brokers, with ``more`` configuration of its own.

        Raises:
            KafkaSettingsError: if a setting is missing, contradicts another, or librdkafka refuses it.
        """
        try:
            # A broker that is away is logged at each attempt to reach it.
            return kind({**self.config(), "reconnect.backoff.ms": 1000, **more})
        except KafkaException as error:
            raise KafkaSettingsError(
                f"kafka, kafka_security: no client can be made of them ({error.args[0]})"
            ) from error

    def config(self) -> dict[str, Any]:
        """What every client of librdkafka needs. It holds secrets: never log it.

        Raises:
            KafkaSettingsError: if a setting is missing or contradicts another.
        """
        security = self.security
        if not self.brokers.strip():
            raise KafkaSettingsError("kafka: no brokers; give --brokers host:port or set SMARTGRID_KAFKA")
        layer = "SASL_" if security.mechanism is not None else ""
        return {
            "bootstrap.servers": self.brokers,
            "security.protocol": layer + ("SSL" if security.tls else "PLAINTEXT"),
            **_tls(security),
            **_identity(security),
        }


def _tls(security: KafkaSecurity) -> dict[str, Any]:
    files = {
        "ssl.ca.location": security.ca_file,
        "ssl.certificate.location": security.certificate_file,
        "ssl.key.location": security.key_file,
    }
    given = {name: str(path) for name, path in files.items() if path is not None}
    if (given or security.key_password is not None) and not security.tls:
        raise KafkaSettingsError("kafka_security.tls: false, but files for TLS are set; set it to true")
    for name, path in files.items():
        if path is not None and not path.is_file():
            raise KafkaSettingsError(f"kafka_security: {path} ({name}) is no file; correct the path")
    if security.key_password is not None:
        given["ssl.key.password"] = security.key_password.get_secret_value()
    return given


def _identity(security: KafkaSecurity) -> dict[str, Any]:
    if security.mechanism is None:
        if security.username is not None or security.password is not None:
            raise KafkaSettingsError(
                "kafka_security.mechanism: unset, but a name or password is; choose e.g. SCRAM-SHA-512"
            )
        return {}
    if security.mechanism == MSK_IAM:
        return _msk_iam(security)
    if security.username is None or security.password is None:
        raise KafkaSettingsError(
            f"kafka_security: {security.mechanism} needs username and password; set both"
        )
    if security.mechanism == "PLAIN" and not security.tls:
        raise KafkaSettingsError(
            "kafka_security.tls: false, and PLAIN would send the password in the clear; set it to true"
        )
    return {
        "sasl.mechanism": security.mechanism,
        "sasl.username": security.username,
        "sasl.password": security.password.get_secret_value(),
    }


def _msk_iam(security: KafkaSecurity) -> dict[str, Any]:
    """Amazon MSK: a token signed with the credentials that the machine's role or environment gives."""
    if security.aws_region is None:
        raise KafkaSettingsError("kafka_security.aws_region: unset; AWS_MSK_IAM needs it, e.g. eu-west-1")
    if not security.tls:
        raise KafkaSettingsError("kafka_security.tls: false; MSK takes IAM over TLS alone; set it to true")
    return {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": _token_signer(security.aws_region)}


def _token_signer(region: str) -> Callable[[str], tuple[str, float]]:
    """What librdkafka calls for a token and the second since 1970 at which it expires."""
    try:
        # Of an optional extra; its package does not import this module by itself.
        signer = importlib.import_module("aws_msk_iam_sasl_signer.MSKAuthTokenProvider")
    except ImportError as error:
        raise KafkaSettingsError(
            "kafka_security.mechanism: AWS_MSK_IAM needs a package more; install smartgrid-ai[msk]"
        ) from error

    def token(_config: str) -> tuple[str, float]:
        signed, expires_ms = signer.generate_auth_token(region)
        return signed, expires_ms / 1000

    return token
