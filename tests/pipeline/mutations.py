"""Messages as broken producers send them: bytes, texts, fields, numbers, stamps and names gone wrong."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from grid.telemetry import Telemetry
from pipeline.messages import encode_telemetry

START = datetime(2024, 5, 1, tzinfo=UTC)
PULSES_A_SITE = 40
"""A site goes on so long; a stamp gone wrong makes all that follows too late."""

VALUES = (
    *("NaN", "-NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "-1.8e308", "9" * 400),
    *(
        "1e12",
        "-1e12",
        "1000000000001",
        "1e9",
        "1e-400",
        "5e-324",
        "-0",
        "-0.0",
        "0.1",
        "1e15",
        "1e18",
        "1e19",
    ),
    *("0x10", "01", "+1", ".5", "1.", "1e", "1_000", "1,5", "--1", "٣"),
    *('"5"', '"NaN"', '""', "true", "null", "None", "[]", "[1]", "{}", "[" * 300, '{"a":' * 300, "[" * 5000),
)
"""As they stand in a message's text."""
STAMPS = (
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"),
    *("9999-12-31T23:59:59.999999-23:59", "10000-01-01T00:00:00Z", "-2024-05-01T00:00:00Z"),
    *("1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01"),
    *("1970-01-01T00:30:00Z", "2199-12-31T23:59:59.999999Z", "2200-01-01T00:00:00Z"),
    *(
        "2024-05-01T00:00:00",
        "2024-05-01",
        "2024-05-01 00:00:00Z",
        "2024-05-01t00:00:00z",
        "20240501T000000Z",
    ),
    *("2024-05-01T00:00:00+23:59", "2024-05-01T00:00:00-24:00", "2024-05-01T00:00:00+05:45", "00:00:00Z"),
    *("2024-05-01T00:00:00.1234567Z", "2024-05-01T00:00:00.123456789012345Z", "2024-05-01T00:00:00.Z"),
    *("2024-05-01T00:00:00.000999Z", "2024-05-01T00:00:00.9999999Z", "2024-05-01T00:00:00,5Z"),
    *("2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-05-01T24:00:00Z", "2024-05-01T23:59:60Z"),
    *(
        "2024-W18-3T00:00:00Z",
        "2024-122T00:00:00Z",
        "1714521600",
        "",
        " ",
        "yesterday",
        "2024-05-01T00:00:00+2",
    ),
)
SITES = (
    *(
        "",
        " ",
        "\t",
        "\\u0000",
        "a\\u0000b",
        "\x00",
        "\\ud800",
        "\\udc00x",
        "\\ud83d\\ude00",
        "😀",
        "Straße-7",
    ),
    *("\\n", "a\\nb", "\n", "\u2028", "\u202enoitats", "e\u0301", "\ufeff", "\\", '\\"', "\\x", "\\u00"),
    *("'; DROP TABLE telemetry; --", "../../etc/passwd", "%s%n", "a,b=c d", "null", "NaN", "site" * 5000),
)
_FIELDS = ("site", "ts_utc", "load_kw", "solar_kw", "wind_kw", "net_load_kw", "frequency_hz")
_NAMES = (
    "SITE",
    "Site",
    "site ",
    "ts",
    "ts_utc\\u0000",
    "load_mw",
    "net_load",
    "",
    "t\\u0073_utc",
    "__class__",
)

Mutation = Callable[[Random, bytes], list[bytes]]
"""From one message the records that are sent instead."""


def pulse(i: int, random: Random) -> Telemetry:
    """The i-th pulse of a fleet of short-lived sites."""
    load = random.uniform(500.0, 900.0)
    level = random.choice([None, load - 50.0, load - 50.0, load - 50.0])
    moment = START + timedelta(minutes=5 * (i % PULSES_A_SITE), milliseconds=random.choice([0, 0, 1, 999]))
    site = f"meter-{i // PULSES_A_SITE}"
    return Telemetry(site, moment, load_kw=load, solar_kw=49.0, wind_kw=1.0, net_load_kw=level)


def mutated(seed: int) -> Iterator[bytes]:
    """Endless records: a few as they should be, most mutated once to three times; the same for a seed."""
    random = Random(seed)
    i = 0
    while True:
        records = [encode_telemetry(pulse(i, random))]
        for _ in range(random.choice([0, 1, 1, 1, 1, 1, 1, 2, 3])):
            at = random.randrange(len(records))
            records[at : at + 1] = random.choice(MUTATIONS)(random, records[at])
        yield from records
        i += 1


def _flip(random: Random, message: bytes) -> list[bytes]:
    found = bytearray(message or b"{}")
    for _ in range(random.choice([1, 1, 2, 5])):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return [bytes(found)]


def _cut(random: Random, message: bytes) -> list[bytes]:
    return [message[: random.randrange(len(message) + 1)]]


def _drop(random: Random, message: bytes) -> list[bytes]:
    begin = random.randrange(len(message) + 1)
    return [message[:begin] + message[begin + random.randint(1, 12) :]]


def _insert(random: Random, message: bytes) -> list[bytes]:
    place = random.randrange(len(message) + 1)
    odd = random.choice(
        [random.randbytes(3), b"\n", b"\r\n", b"\x00", b'"', b"{", b"}", b",", b"\\", b"\xc3"]
    )
    return [message[:place] + odd + message[place:]]


def _splice(random: Random, message: bytes) -> list[bytes]:
    other = encode_telemetry(pulse(random.randrange(1_000_000), random))
    return [message[: random.randrange(len(message) + 1)] + other[random.randrange(len(other)) :]]


def _tear(random: Random, message: bytes) -> list[bytes]:
    """Two records that are one message when a newline, or nothing, joins them."""
    place = random.choice([random.randrange(len(message) + 1), max(0, message.find(b',"')), 1])
    return [message[:place], message[place:]]


def _tear_at_newlines(random: Random, message: bytes) -> list[bytes]:
    """A message over several lines, whole or a record a line."""
    lines = message.replace(b",", b",\n")
    return random.choice([[lines], lines.split(b"\n")])


def _join(random: Random, message: bytes) -> list[bytes]:
    """Two messages in one record, which are two when lines are split."""
    other = encode_telemetry(pulse(random.randrange(1_000_000), random))
    return [message + random.choice([b"\n", b"", b" ", b",", b"\x00", b"\r\n"]) + other]


def _merge(random: Random, message: bytes) -> list[bytes]:
    """Half a message that swallows the next record as a text or a nested object."""
    return [message[:-1] + random.choice([b',"wind_kw":', b',"x":"', b',"x":[', b","]), message]


def _pad(random: Random, message: bytes) -> list[bytes]:
    blank = random.choice([b" ", b"\n", b"\t\r\n ", b"\n\n", b"\x0b", b"\xc2\xa0", b" " * 3000])
    return [random.choice([blank + message, message + blank, blank + message + blank, blank, b""])]


def _encode(random: Random, message: bytes) -> list[bytes]:
    text = message.decode("utf-8", "replace")
    return [
        random.choice(
            [
                b"\xef\xbb\xbf" + message,
                text.encode("utf-16"),
                text.encode("utf-16-le"),
                text.encode("utf-32"),
                text.replace("meter", "mètre").encode("latin-1", "replace"),
                message.replace(b"meter", b"met\xed\xa0\x80er"),
                message.replace(b"meter", b"\xc0\xaf\xff"),
                message.replace(b"meter", b"\xf4\x90\x80\x80"),
            ]
        )
    ]


def _field(random: Random, message: bytes) -> list[bytes]:
    """A field deleted, renamed, doubled or of another value."""
    fields = _fields_of(message)
    if not fields:
        return [message]
    texts = [(name, json.dumps(value)) for name, value in fields.items()]
    place = random.randrange(len(texts))
    name, value = texts[place]
    texts[place : place + 1] = random.choice(
        [
            [],
            [(random.choice(_NAMES), value)],
            [(name, value), (name, random.choice([value, *VALUES]))],
            [(name, random.choice(VALUES))],
            [(random.choice(_FIELDS), random.choice(VALUES))],
        ]
    )
    random.shuffle(texts)
    return [_message(texts)]


def _value(random: Random, message: bytes) -> list[bytes]:
    return _with(message, random.choice(_FIELDS[2:]), random.choice(VALUES))


def _stamp(random: Random, message: bytes) -> list[bytes]:
    return _with(message, "ts_utc", f'"{random.choice(STAMPS)}"')


def _site(random: Random, message: bytes) -> list[bytes]:
    return _with(message, "site", f'"{random.choice(SITES)}"')


def _again(random: Random, message: bytes) -> list[bytes]:
    """A duplicate, or a conflict."""
    return [message, random.choice([[message], _with(message, "net_load_kw", "77.5")])[0]]


def _late(random: Random, message: bytes) -> list[bytes]:
    """An event of the same site before its first one: by a little, or by far too much."""
    moment = START - timedelta(minutes=random.choice([1, 10, 1000, 100_000]))
    return [message, *_with(message, "ts_utc", f'"{moment.isoformat()}"')]


def _with(message: bytes, name: str, value: str) -> list[bytes]:
    fields = _fields_of(message)
    if not fields:
        return [message]
    return [_message([(key, json.dumps(fields[key])) for key in fields if key != name] + [(name, value)])]


def _fields_of(message: bytes) -> dict[str, Any]:
    """Its fields; none where it is no object, or nothing that Python reads."""
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _message(texts: list[tuple[str, str]]) -> bytes:
    inside = ",".join(f'"{name}":{value}' for name, value in texts)
    return f"{{{inside}}}".encode("utf-8", "surrogatepass")


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _cut, _drop, _insert, _splice, _tear, _tear_at_newlines, _join, _merge, _pad, _encode),
    *(_field, _value, _stamp, _site, _again, _late, _field, _value),
)
