"""Settings: one TOML file and ``SMARTGRID_*`` variables, validated; the variables win."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from platformdirs import user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from grid.drivers.register_map import ModbusSettings
from pipeline.kafka_settings import KafkaSecurity
from smartgrid.errors import SettingsError
from smartgrid.oauth_settings import OAuthSettings
from smartgrid.site_settings import SiteSettings, check_parents

CONFIG_NAME = "smartgrid.toml"
SECRET_NAME = re.compile(r"tok|pass|secret|key|webhook|ledger", re.IGNORECASE)
"""Fields whose value no message shows, misspelt ones too."""
LONGEST_SHOWN = 120
"""Characters of a wrong value that a message shows."""

LONGEST_LATENESS_S = 7 * 86_400
"""A stream remembers each site for as long as events may be late."""

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda level: level.upper() if isinstance(level, str) else level),
]
SiteName = Annotated[str, Field(min_length=1)]
Names = Annotated[
    tuple[str, ...] | None,
    NoDecode,
    BeforeValidator(lambda names: re.findall(r"[^\s,]+", names) if isinstance(names, str) else names),
]
"""A list, or a text with commas, as variables and the command line have it."""


def default_state() -> Path:
    """The platform's user data directory for this product."""
    return user_data_path("smartgrid-ai", appauthor=False)


def state_directory(given: Path | None = None) -> Path:
    """The state directory, without reading the other settings: given, of the environment, or the default."""
    return Path(given or os.environ.get("SMARTGRID_STATE") or default_state())


def config_file(state: Path) -> Path:
    """The settings file: the one that ``SMARTGRID_CONFIG`` names, else in the state directory."""
    named = os.environ.get("SMARTGRID_CONFIG")
    return Path(named) if named else state / CONFIG_NAME


class WrongField(NamedTuple):
    """One setting that is wrong.

    Attributes:
        name: with dots between a table and its fields.
        shown: its value as a message may show it; secrets are not.
        message: what is expected.
    """

    name: str
    shown: str
    message: str


class Settings(BaseSettings):
    """Everything that a role reads at start-up."""

    model_config = SettingsConfigDict(
        env_prefix="SMARTGRID_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state: Path = Field(
        default_factory=default_state,
        description="directory of the databases, models, keys and tokens",
    )
    limits: Path | None = Field(None, description="limits file (YAML); the safe default where unset")
    http_host: str = Field(
        "127.0.0.1", description="address of /mcp and /console; beyond loopback with tokens alone"
    )
    http_port: int = Field(8765, description="port of /mcp and /console", ge=1, le=65535)
    http_url: str | None = Field(
        None,
        description="scheme and host under which clients reach it where that is not the address, such as "
        "https://grid.example.com behind a proxy; beyond this machine with tokens alone, and requests for "
        "other names are refused",
        pattern=r"^https?://[^\s/?#@]+$",
    )
    require_tokens: bool = Field(
        False,
        description="whether /mcp asks for a token on this machine too; it does anyhow once a token for "
        "clients was created or an issuer is set",
    )
    oauth: OAuthSettings | None = Field(None, description="the OAuth 2.1 issuer whose tokens are taken")
    console_idle_min: float = Field(
        30.0, description="minutes without a key or a touch after which the console logs out", gt=0, le=1440
    )
    approval_webhook: SecretStr | None = Field(
        None,
        description="URL that gets a POST (JSON) for each new request that waits for approval; it may hold a "
        "token and is never shown",
    )
    toolsets: Names = Field(
        None, description="sets of tools that the MCP server offers: grid,market,...; all where unset"
    )
    tools: Names = Field(
        None, description="tools that it offers beside those of the sets; no choice by name where unset"
    )
    read_only: bool = Field(False, description="whether it leaves out every tool that acts, chosen or not")
    tool_timeout_s: float = Field(
        30.0, description="seconds that a call of a tool may take; then it is stopped", gt=0, le=3600
    )
    pulse_s: float = Field(
        5.0, description="wall seconds between pulses of the simulated plant", gt=0, le=3600
    )
    modbus: ModbusSettings | None = Field(
        None,
        description="battery, peaker and meter behind Modbus TCP (docs/modbus.md): smartgrid plant, or real "
        "ones; simulated in the process where unset",
    )
    shadow: bool = Field(
        False, description="whether the supervisor only records what it would do: it reads and never acts"
    )
    watchdog_s: float = Field(
        300.0,
        description="seconds of the plant's time without fresh telemetry after which the supervisor raises "
        "an alarm and withdraws what it has live; at least the limits' telemetry.max_age_s counts",
        gt=0,
    )
    currency: str = Field("USD", description="of the prices", pattern="^[A-Z]{3}$")
    seed: int = Field(1000, description="seed of the simulated area's weather and load", ge=0)

    log_format: Literal["text", "json"] = Field(
        "text", description="of what a role logs on standard error; json is one object a line"
    )
    log_level: LogLevel = Field("WARNING", description="least level that is logged")
    metrics_port: int | None = Field(
        None,
        description="port of /healthz and /readyz beside up, serve, stream, supervise and produce, and of "
        "/metrics beside the first three; it asks for no token. 0 takes a free one; off where unset, since "
        "several roles may share a machine",
        ge=0,
        le=65535,
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="address of that port; beyond loopback whoever reaches it may read counts and ages",
        min_length=1,
    )

    sites: Annotated[dict[SiteName, SiteSettings], AfterValidator(check_parents)] = Field(
        default_factory=dict,
        description="what is known of each site, by name; best in smartgrid.toml: variables lower its case",
    )
    lateness_s: float | None = Field(
        None,
        description="how many seconds behind its site's newest event an event may come and still be placed "
        "by event time, the same in every stream of a group; some cadences where unset (docs/messages.md)",
        ge=0,
        le=LONGEST_LATENESS_S,
    )

    ledger_url: SecretStr | None = Field(
        None,
        description="PostgreSQL database that holds the ledger, such as "
        "postgresql+psycopg://smartgrid@db.example.com:5432/smartgrid; it may hold a password and is never "
        "shown. ledger.db in the state where unset",
    )
    ledger_key_file: Path | None = Field(
        None,
        description="file of the 32 bytes that sign the audit chain, the same for all that share a ledger; "
        "audit.key in the state where unset",
    )

    kafka: str | None = Field(None, description="Kafka brokers, host:port separated by commas")
    kafka_security: KafkaSecurity = Field(
        default_factory=KafkaSecurity, description="encryption and identity of the Kafka clients"
    )
    influx_url: str | None = Field(
        None, description="InfluxDB 2 server that holds the series, such as http://127.0.0.1:8086"
    )
    influx_org: str = Field("smartgrid", description="organization on that server", min_length=1)
    influx_bucket: str = Field(
        "grid", description="bucket of the raw series; their 15-minute means go to <bucket>_15m", min_length=1
    )
    influx_token: SecretStr | None = Field(
        None, description="token that may read and write both buckets; `store init` also needs tasks"
    )
    influx_token_file: Path | None = Field(
        None, description="file that holds the token, where influx_token is unset"
    )
    influx_retention_days: int = Field(
        90, description="days that raw series are kept in InfluxDB; 0 keeps them forever", ge=0
    )
    influx_means_retention_days: int = Field(
        0, description="days that the 15-minute means are kept; 0 keeps them forever", ge=0
    )
    influx_write_timeout_s: float = Field(
        120.0,
        description="seconds that a write is tried again while InfluxDB is away, before the stream stops",
        ge=0,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then variables, then ``smartgrid.toml`` in the state directory."""
        state = init_settings().get("state") or env_settings().get("state") or default_state()
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file(Path(state)))

    @property
    def telemetry_db(self) -> Path:
        """Series and forecasts: one writer, the stream."""
        return self.state / "telemetry.db"

    @property
    def ledger_db(self) -> Path:
        """Proposals, approvals, dispatches and audit: many writers."""
        return self.state / "ledger.db"

    @property
    def supervisor_db(self) -> Path:
        """The supervisor's requests that wait for an operator: one writer, whoever holds its lease."""
        return self.state / "supervisor.db"

    @property
    def tokens_db(self) -> Path:
        """Locally issued tokens, hashed: many readers."""
        return self.state / "tokens.db"

    @property
    def operator_token_file(self) -> Path:
        """The operator token that the first start made."""
        return self.state / "operator.token"

    @property
    def model_dir(self) -> Path:
        """The forecast model in use."""
        return self.state / "model"


def load_settings(**given: Any) -> Settings:
    """Read the settings; ``given`` (from the command line) wins, None counts as not given.

    Raises:
        SettingsError: naming each wrong field, its value and what is expected.
    """
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"{name} = {shown}: {message}" for name, shown, message in wrong_fields(error)]
        raise SettingsError("settings: " + "; ".join(lines)) from None
    except (ValueError, OSError) as error:  # no TOML, no text, no access; a variable that is no JSON
        path = config_file(state_directory(given.get("state")))
        raise SettingsError(f"settings, {path} or a SMARTGRID_* variable: {error}; correct it") from None


def wrong_fields(error: ValidationError) -> list[WrongField]:
    """What is wrong, field by field, without any secret."""
    found = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        shown = "…" if SECRET_NAME.search(field) else _short(repr(problem.get("input")))
        found.append(WrongField(field, shown, problem["msg"]))
    return found


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
