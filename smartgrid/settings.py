"""Settings: one TOML file and ``SMARTGRID_*`` variables, validated; the variables win."""

import os
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from smartgrid.errors import SettingsError

CONFIG_NAME = "smartgrid.toml"


def default_state() -> Path:
    """The platform's user data directory for this product."""
    return user_data_path("smartgrid-ai", appauthor=False)


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
    http_host: str = Field("127.0.0.1", description="address of /mcp and /console; loopback only")
    http_port: int = Field(8765, description="port of /mcp and /console", ge=1, le=65535)
    pulse_s: float = Field(
        5.0, description="wall seconds between pulses of the simulated plant", gt=0, le=3600
    )
    currency: str = Field("USD", description="of the prices", pattern="^[A-Z]{3}$")
    seed: int = Field(1000, description="seed of the simulated area's weather and load", ge=0)

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
        named = os.environ.get("SMARTGRID_CONFIG")
        toml_file = Path(named) if named else Path(state) / CONFIG_NAME
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file)

    @property
    def telemetry_db(self) -> Path:
        """Series and forecasts: one writer, the stream."""
        return self.state / "telemetry.db"

    @property
    def ledger_db(self) -> Path:
        """Proposals, approvals, dispatches and audit: many writers."""
        return self.state / "ledger.db"

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
        lines = [
            f"{'.'.join(str(part) for part in problem['loc'])} = {problem.get('input')!r}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("settings: " + "; ".join(lines)) from None
