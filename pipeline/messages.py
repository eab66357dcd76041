"""The JSON messages on the topics, exactly as the reference docs define them; all are keyed by site."""

import inspect
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from grid.telemetry import Telemetry, net_load_of
from pipeline.errors import MessageError
from pipeline.fixed_point import LARGEST_KW
from pipeline.forecast import Forecast

TELEMETRY_TOPIC: Final = "grid.telemetry"
FORECASTS_TOPIC: Final = "grid.forecasts"
DEAD_LETTER_TOPIC: Final = "grid.telemetry.dlq"

LARGEST_VALUE: Final = LARGEST_KW
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class TelemetryMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One pulse on ``grid.telemetry``: powers in kW, prices per MWh; what is missing is left out.

    Stamps count in whole milliseconds; finer digits are cut off.
    """

    site: Annotated[str, msgspec.Meta(min_length=1)]
    ts_utc: Aware
    load_kw: float | None = None
    solar_kw: float | None = None
    wind_kw: float | None = None
    net_load_kw: float | None = None
    price_usd_per_mwh: float | None = None
    da_price_usd_per_mwh: float | None = None
    frequency_hz: float | None = None


class ForecastMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
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
_NO_MESSAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ENCODER = msgspec.json.Encoder()
VALUE_NAMES: Final = (
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
        TelemetryMessage(pulse.site, pulse.ts_utc, *(getattr(pulse, name) for name in VALUE_NAMES))
    )


def decode_telemetry(value: bytes) -> Telemetry:
    """The pulse of a message; a net load that is left out is derived from all three of its parts.

    Raises:
        MessageError: if the message cannot be used, with the reason for the dead-letter topic.
    """
    message = _decode(value)
    check_range(message)
    return telemetry_of(message)


def decode_messages(values: Sequence[bytes]) -> tuple[list[TelemetryMessage], list[int], list[MessageError]]:
    """Many messages at once; their ranges are not yet checked.

    Returns:
        Those that are messages; the places in ``values`` of those that are none; why those are none.
    """
    try:
        return list(map(_TELEMETRY.decode, values)), [], []
    except _NO_MESSAGE:
        messages, places, errors = [], [], []
    for place, value in enumerate(values):
        try:
            messages.append(_decode(value))
        except MessageError as error:
            places.append(place)
            errors.append(error)
    return messages, places, errors


def telemetry_of(message: TelemetryMessage) -> Telemetry:
    """The pulse of a message whose range was checked."""
    parts = [getattr(message, name) for name in VALUE_NAMES]
    if message.net_load_kw is None:
        parts[3] = net_load_of(message.load_kw, message.solar_kw, message.wind_kw)
    return Telemetry(message.site, stamp_of(message), *parts)


def stamp_of(message: TelemetryMessage) -> datetime:
    """The time of a message in UTC, in whole milliseconds."""
    ts_utc = message.ts_utc.astimezone(UTC)
    return ts_utc.replace(microsecond=ts_utc.microsecond // 1000 * 1000)


def _decode(value: bytes) -> TelemetryMessage:
    try:
        return _TELEMETRY.decode(value)
    except msgspec.ValidationError as error:
        if "timezone" in str(error):
            raise MessageError(
                "naive_time", "ts_utc: has no time zone; give an offset such as 'Z'"
            ) from error
        reason = "non_finite" if "out of range" in str(error) else "schema"
        raise MessageError(reason, f"{error}; see the schema of {TELEMETRY_TOPIC}") from error
    except _NO_MESSAGE as error:
        if _only_json_lacks(value):
            raise MessageError(
                "non_finite", "a value is NaN or infinite; leave out what is missing"
            ) from error
        raise MessageError("undecodable", f"not JSON ({error}); send one JSON object in UTF-8") from error


def encode_forecast(forecast: Forecast) -> bytes:
    """The message of a forecast, as JSON bytes."""
    band_kw = (forecast.p10_kw, forecast.p50_kw, forecast.p90_kw)
    return _ENCODER.encode(
        ForecastMessage(forecast.site, forecast.issued_at, forecast.target_at, *band_kw, forecast.model)
    )


def encode_forecasts(
    sites: Sequence[str],
    issued_at: Sequence[datetime],
    horizon: timedelta,
    bands_kw: NDArray[np.float64],
    model: str,
) -> list[bytes]:
    """The messages of many forecasts, the same bytes as :func:`encode_forecast` gives.

    Args:
        sites, issued_at: one a forecast.
        horizon: from issue to target.
        bands_kw: columns P10, P50, P90.
        model: that made them.
    """
    target_at = [moment + horizon for moment in issued_at]
    columns = bands_kw.T.tolist()
    made = map(ForecastMessage, sites, issued_at, target_at, *columns, repeat(model))
    return list(map(_ENCODER.encode, made))


def encode_dead_letter(letter: DeadLetterMessage) -> bytes:
    """A dead letter as JSON bytes."""
    return _ENCODER.encode(letter)


def check_range(message: TelemetryMessage) -> None:
    """Refuse what no meter can mean.

    Raises:
        MessageError: for a time or a value that is out of range.
    """
    if not EARLIEST <= message.ts_utc < LATEST:
        raise MessageError(
            "out_of_range", f"ts_utc: {message.ts_utc.isoformat()}; give a year from 1970 to 2199"
        )
    for name in VALUE_NAMES:
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
