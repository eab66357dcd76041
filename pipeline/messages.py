"""The JSON messages on the topics, exactly as the reference docs define them; all are keyed by site."""

import inspect
import json
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from grid.telemetry import Telemetry, net_load_of
from pipeline.errors import MessageError
from pipeline.forecast import Forecast

TELEMETRY_TOPIC: Final = "grid.telemetry"
FORECASTS_TOPIC: Final = "grid.forecasts"
DEAD_LETTER_TOPIC: Final = "grid.telemetry.dlq"

LARGEST_VALUE: Final = 1e12
"""Beyond any meter's reading in kW; keeps sums of squares finite."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class TelemetryMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One pulse on ``grid.telemetry``: powers in kW, prices per MWh; what is missing is left out."""

    site: str
    ts_utc: datetime
    load_kw: float | None = None
    solar_kw: float | None = None
    wind_kw: float | None = None
    net_load_kw: float | None = None
    price_usd_per_mwh: float | None = None
    da_price_usd_per_mwh: float | None = None
    frequency_hz: float | None = None


class ForecastMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One forecast on ``grid.forecasts``; the p…_kw are changes, NL(target_at) − NL(issued_at)."""

    site: str
    issued_at: datetime
    target_at: datetime
    p10_kw: float
    p50_kw: float
    p90_kw: float
    model: str


class DeadLetterMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What could not be used, on ``grid.telemetry.dlq``.

    Attributes:
        reason: as in :class:`pipeline.errors.MessageError`.
        detail: the same for people: field, value, fix.
        topic, partition, offset: where the original stands.
        original: its bytes (base64 in JSON).
    """

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    original: bytes


_TELEMETRY = msgspec.json.Decoder(TelemetryMessage)
_ENCODER = msgspec.json.Encoder()
_VALUES = (
    "load_kw",
    "solar_kw",
    "wind_kw",
    "net_load_kw",
    "price_usd_per_mwh",
    "da_price_usd_per_mwh",
    "frequency_hz",
)


def encode_telemetry(pulse: Telemetry) -> bytes:
    """The message of a pulse, as JSON bytes."""
    return _ENCODER.encode(
        TelemetryMessage(pulse.site, pulse.ts_utc, *(getattr(pulse, name) for name in _VALUES))
    )


def decode_telemetry(value: bytes) -> Telemetry:
    """The pulse of a message; a net load that is left out is derived from all three of its parts.

    Raises:
        MessageError: if the message cannot be used, with the reason for the dead-letter topic.
    """
    try:
        message = _TELEMETRY.decode(value)
    except msgspec.ValidationError as error:
        reason = "non_finite" if "out of range" in str(error) else "schema"
        raise MessageError(reason, f"{error}; see the schema of {TELEMETRY_TOPIC}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if _only_json_lacks(value):
            raise MessageError(
                "non_finite", "a value is NaN or infinite; leave out what is missing"
            ) from error
        raise MessageError("undecodable", f"not JSON ({error}); send one JSON object in UTF-8") from error
    _check(message)
    parts = [getattr(message, name) for name in _VALUES]
    if message.net_load_kw is None:
        parts[3] = net_load_of(message.load_kw, message.solar_kw, message.wind_kw)
    return Telemetry(message.site, message.ts_utc, *parts)


def encode_forecast(forecast: Forecast) -> bytes:
    """The message of a forecast, as JSON bytes."""
    return _ENCODER.encode(
        ForecastMessage(
            site=forecast.site,
            issued_at=forecast.issued_at,
            target_at=forecast.target_at,
            p10_kw=forecast.p10_kw,
            p50_kw=forecast.p50_kw,
            p90_kw=forecast.p90_kw,
            model=forecast.model,
        )
    )


def encode_dead_letter(letter: DeadLetterMessage) -> bytes:
    """A dead letter as JSON bytes."""
    return _ENCODER.encode(letter)


def _check(message: TelemetryMessage) -> None:
    if not message.site:
        raise MessageError("schema", "site: empty; name the meter")
    if message.ts_utc.tzinfo is None:
        raise MessageError(
            "naive_time", f"ts_utc: {message.ts_utc.isoformat()} has no time zone; give an offset such as 'Z'"
        )
    if not _EARLIEST <= message.ts_utc < _LATEST:
        raise MessageError(
            "out_of_range", f"ts_utc: {message.ts_utc.isoformat()}; give a year from 1970 to 2199"
        )
    for name in _VALUES:
        number = getattr(message, name)
        if number is not None and not abs(number) <= LARGEST_VALUE:
            raise MessageError("out_of_range", f"{name}: {number} is beyond any meter; check the unit")


def _only_json_lacks(value: bytes) -> bool:
    """True for text that is JSON but for NaN or infinite numbers."""
    found: list[str] = []
    try:
        parsed: Any = json.loads(value, parse_constant=found.append)
    except (ValueError, RecursionError):
        return False
    return bool(found) and isinstance(parsed, dict)


def message_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each topic's messages, by topic; ``docs/schemas`` holds the same."""
    messages = {
        TELEMETRY_TOPIC: TelemetryMessage,
        FORECASTS_TOPIC: ForecastMessage,
        DEAD_LETTER_TOPIC: DeadLetterMessage,
    }
    schemas = {topic: msgspec.json.schema(message) for topic, message in messages.items()}
    for topic, message in messages.items():  # Python versions differ in how a docstring is indented
        schemas[topic]["$defs"][message.__name__]["description"] = inspect.getdoc(message)
    return schemas
