"""Answers questions, one JSON object a line, until its input ends.

A question is ``{"area", "feed", "day", "place"}``; an answer ``{"rows": [[start, value, …], …]}`` or
``{"error": {"kind", "text", "address", "status", "retry_after_s"}}``. The first line says what is ready.
"""

import json
import os
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from .door import Door, open_door


def main(user_agent: str, gap_s: float) -> None:
    """Answer until the input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # gridstatus prints what goes wrong
        door = open_door(user_agent, gap_s)
        from . import feeds  # noqa: PLC0415  gridstatus, after the door is there

        _say(answers, {"ready": True})
        for line in sys.stdin:
            question = json.loads(line)
            door.asked = ""
            try:
                read = feeds.FEEDS[question["area"], question["feed"]]
                answer: dict[str, Any] = {"rows": read(question["day"], question["place"], gap_s)}
            except Exception as error:  # noqa: BLE001  a changed answer may fail in any way inside gridstatus
                answer = {"error": _described(error, door)}
            _say(answers, answer)


def _say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _described(error: Exception, door: Door) -> dict[str, Any]:
    status, retry_after_s = None, None
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status, kind = error.response.status_code, "status"
        retry_after_s = _seconds(error.response.headers.get("Retry-After"))
    elif isinstance(error, requests.exceptions.InvalidJSONError):
        kind = "layout"
    elif isinstance(error, requests.RequestException):
        kind = "network"
    elif type(error).__name__ in {"NoDataFoundException", "NotSupported"}:
        kind = "no_data"
    else:
        kind = "layout"
    return {
        "kind": kind,
        "text": " ".join(f"{type(error).__name__}: {error}".split())[:300],
        "address": door.asked,
        "status": status,
        "retry_after_s": retry_after_s,
    }


def _seconds(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which may be a date."""
    if header is None:
        return None
    try:
        return float(header)
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
