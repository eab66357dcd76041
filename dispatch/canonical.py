"""Canonical JSON and its hash: the same content gives the same bytes."""

import hashlib
import json
from collections.abc import Mapping


def canonical_json(content: object) -> str:
    """Sorted keys, no spaces, ASCII; NaN and infinity are refused.

    Raises:
        ValueError: on NaN or infinity, which JSON does not have.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_hex(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def effect_hash(tool: str, arguments: Mapping[str, object], requester: str) -> str:
    """What an approval and an idempotency key are bound to: tool, caller's arguments, requester.

    The idempotency key itself is not part of it.
    """
    bound = {name: value for name, value in arguments.items() if name != "idempotency_key"}
    return sha256_hex(canonical_json({"tool": tool, "arguments": bound, "requester": requester}))
