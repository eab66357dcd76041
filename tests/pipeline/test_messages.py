"""The JSON messages: exact field names, and a reason for each that cannot be used."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline.errors import MessageError
from pipeline.forecast import Forecast
from pipeline.messages import decode_telemetry, encode_forecast, encode_telemetry, message_schemas

AT = datetime(2024, 5, 1, 12, 0, 5, tzinfo=UTC)
NUMBERS = st.none() | st.floats(-1e9, 1e9)


@settings(max_examples=60)
@given(values=st.tuples(*[NUMBERS] * 7), at=st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)))  # noqa: DTZ001
def test_a_pulse_survives_the_message_bit_for_bit(values: tuple[float | None, ...], at: datetime) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    pulse = Telemetry("area", at.replace(tzinfo=UTC), *values)
    decoded = decode_telemetry(encode_telemetry(pulse))
    if pulse.net_load_kw is not None or None in values[:3]:
        assert decoded == pulse


def test_a_telemetry_message_has_the_defined_names_and_leaves_out_what_is_missing() -> None:
    pulse = Telemetry("area", AT, load_kw=5.0, net_load_kw=5.0, frequency_hz=60.0)
    assert json.loads(encode_telemetry(pulse)) == {
        "site": "area",
        "ts_utc": "2024-05-01T12:00:05Z",
        "load_kw": 5.0,
        "net_load_kw": 5.0,
        "frequency_hz": 60.0,
    }


def test_a_forecast_message_has_the_defined_names() -> None:
    made = Forecast("area", AT, AT + timedelta(minutes=30), 100.0, -1.0, 0.0, 1.0, "m")
    assert json.loads(encode_forecast(made)) == {
        "site": "area",
        "issued_at": "2024-05-01T12:00:05Z",
        "target_at": "2024-05-01T12:30:05Z",
        "p10_kw": -1.0,
        "p50_kw": 0.0,
        "p90_kw": 1.0,
        "model": "m",
    }


def test_net_load_is_derived_from_its_parts_and_stays_missing_without_one() -> None:
    whole = b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":10,"solar_kw":3,"wind_kw":2}'
    assert decode_telemetry(whole).net_load_kw == 5.0
    assert decode_telemetry(whole.replace(b',"wind_kw":2', b"")).net_load_kw is None


def test_an_offset_is_turned_into_utc() -> None:
    message = b'{"site":"a","ts_utc":"2024-05-01T14:00:05+02:00","net_load_kw":1}'
    assert decode_telemetry(message).ts_utc == AT


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "undecodable"),
        (b"\xff\xfe\x00", "undecodable"),
        (b'{"site":"\xff","ts_utc":"2024-05-01T12:00:05Z"}', "undecodable"),
        (b"{not json}", "undecodable"),
        (b"[" * 100_000, "schema"),
        (b'{"site":' + b"[" * 100_000, "schema"),
        (b"[]", "schema"),
        (b'{"ts_utc":"2024-05-01T12:00:05Z"}', "schema"),
        (b'{"site":"","ts_utc":"2024-05-01T12:00:05Z"}', "schema"),
        (b'{"site":"a","ts_utc":"yesterday"}', "schema"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":"5"}', "schema"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","net_load":5}', "schema"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":NaN}', "non_finite"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":-Infinity}', "non_finite"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":1e999}', "non_finite"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05Z","load_kw":1e300}', "out_of_range"),
        (b'{"site":"a","ts_utc":"0001-01-01T00:00:00+10:00","load_kw":1}', "out_of_range"),
        (b'{"site":"a","ts_utc":"2024-05-01T12:00:05","load_kw":1}', "naive_time"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(message: bytes, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_telemetry(message)
    assert caught.value.reason == reason


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_and_never_break_the_decoder(message: bytes) -> None:
    with pytest.raises(MessageError):
        decode_telemetry(message)


def test_the_schemas_in_the_docs_are_those_of_the_code(repository: Path) -> None:
    folder = repository / "docs" / "schemas"
    documented = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    assert documented == message_schemas()
