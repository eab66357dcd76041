"""The business logic's side of a VTN, by plain HTTP: a second opinion on what our client sends and reads."""

import time
import uuid
from types import TracebackType
from typing import Any

import httpx
import jwt

from tests.services_openadr.server import RealVtn

SCOPES = "read_all write_programs write_events write_vens_bl write_reports_bl write_users"
VEN_SCOPES = ("read_targets", "read_ven_objects", "write_reports_ven", "write_vens_ven")


class Business:
    """Publishes programs and events, grants targets, reads reports."""

    def __init__(self, server: RealVtn) -> None:
        now = int(time.time())
        claims = {"sub": "business", "exp": now + 3600, "iat": now, "nbf": now, "scope": SCOPES}
        bearer = jwt.encode(claims, server.key, algorithm="HS256")
        self._http = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {bearer}"})
        self._programs: list[str] = []

    def __enter__(self) -> "Business":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:
            while events := self.read("events", programID=program):  # page by page
                for event in events:
                    self.delete(event["id"])
            self._http.delete(f"/programs/{program}").raise_for_status()
        self._http.close()

    def new_client(self, word: str) -> str:
        """The id of a new OAuth client of a virtual end node."""
        client_id = uuid.uuid4().hex
        user = self._post("users", reference=client_id, description=None, scope=VEN_SCOPES)
        self._post(f"users/{user['id']}", client_id=client_id, client_secret=word)
        return client_id

    def program(self, **units: str) -> str:
        """The id of a new program; units by kind of payload."""
        described = [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "units": unit}
            for kind, unit in units.items()
        ]
        made = self._post("programs", programName=uuid.uuid4().hex, payloadDescriptors=described)
        self._programs.append(made["id"])
        return str(made["id"])

    def event(
        self, program: str, kind: str, *values: float, targets: list[str] | None = None, **more: Any
    ) -> str:
        """The id of a new event of one interval."""
        intervals = [{"id": 0, "payloads": [{"type": kind, "values": values}]}]
        made = self._post("events", programID=program, targets=targets or [], intervals=intervals, **more)
        return str(made["id"])

    def change(self, event_id: str, **fields: Any) -> None:
        """Change an event."""
        [before] = [one for one in self.read("events") if one["id"] == event_id]
        self._http.put(f"/events/{event_id}", json=before | fields).raise_for_status()

    def delete(self, event_id: str) -> None:
        """Delete an event, and first its reports: this VTN keeps an event that has some."""
        for report in self.read("reports", eventID=event_id):
            self._http.delete(f"/reports/{report['id']}").raise_for_status()
        self._http.delete(f"/events/{event_id}").raise_for_status()

    def grant(self, ven_name: str, resource: str, *targets: str) -> None:
        """Give a resource of a virtual end node its targets."""
        [ven] = self.read("vens", venName=ven_name)
        [found] = self.read("resources", venID=ven["id"], resourceName=resource)
        wanted = found | {"objectType": "BL_RESOURCE_REQUEST", "targets": targets}
        self._http.put(f"/resources/{found['id']}", json=wanted).raise_for_status()

    def read(self, what: str, **filters: str) -> list[dict[str, Any]]:
        """Objects of a kind."""
        answer = self._http.get(f"/{what}", params=filters).raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def _post(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = self._http.post(f"/{path}", json=fields)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made
