"""A VTN over HTTP, through openadr3-client (OpenADR 3.1), and what its objects say in our words.

The client needs Python 3.12, so this is the only module that touches it, and it is imported when used.
"""

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from policies.proposal import AssetName
from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.schedule import BEGINNING
from smartgrid.openadr.signals import Event, Interval, Offer, Payload, Period, Response

PAGE: Final = 50
"""Objects a request; more than a VTN must give at once."""
ASSETS: Final[tuple[AssetName, ...]] = ("battery", "peaker")
VARIABLE: Final = "SMARTGRID_OPENADR_CLIENT_SECRET"
ANSWER_S: Final = 30.0
"""So long one answer may take."""
SCOPES: Final = ["read_targets", "read_ven_objects", "write_reports", "write_vens"]

logger = logging.getLogger(__name__)


def client_secret() -> str:
    """The secret of the environment; no command line holds it.

    Raises:
        VtnError: if it is not set.
    """
    found = os.environ.get(VARIABLE)
    if not found:
        raise VtnError(f"{VARIABLE} is not set; it holds the secret of --client-id")
    return found


@dataclass(frozen=True, slots=True)
class VtnAddress:
    """How to reach a VTN.

    Attributes:
        url: its base address.
        client_id, client_secret: of OAuth's client credentials.
        token_url: of the authorization server; the VTN is asked where None.
        insecure: whether plain HTTP will do, as on a test bench.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    token_url: str | None = None
    insecure: bool = False


class HttpVtn:
    """A VTN as one virtual end node sees it.

    Args:
        address: of the VTN.
        ven_name: how the virtual end node is known there.

    Raises:
        VtnError: if the client is not installed, or the VTN does not say where tokens are to be had.
    """

    def __init__(self, address: VtnAddress, ven_name: str) -> None:
        self._address = address
        self._ven_name = ven_name
        self._client = self._call(partial(_connect, address))

    def close(self) -> None:
        """Close the connections; what fetches tokens keeps its own to the end."""
        for part in _parts(self._client):
            part.session.close()

    def enrol(self, offers: tuple[Offer, ...]) -> None:
        """Make the virtual end node and its resources known, where they are not yet."""
        ven_id = self._ven_id()
        known = {resource.resource_name for resource in self._resources(ven_id)}
        for offer in offers:
            if offer.asset not in known:
                new = self._make("resource.resource.NewResourceVenRequest", _resource(offer, ven_id))
                self._call(partial(self._client.resources.create_resource, new))

    def targets(self) -> Mapping[AssetName, frozenset[str]]:
        """By which targets each of our resources is meant."""
        found = {one.resource_name: one.targets or () for one in self._resources(self._ven_id())}
        return {asset: frozenset(found.get(asset, ())) for asset in ASSETS}

    def events(self) -> tuple[Event, ...]:
        """All events that we may read."""
        programs, events = self._client.programs, self._client.events
        units = {
            program.id: _units(program)
            for program in self._pages(lambda page: programs.get_programs(target=None, pagination=page))
        }
        found = self._pages(lambda page: events.get_events(target=None, pagination=page, program_id=None))
        return tuple(_event(one, units.get(one.program_id, {})) for one in found)

    def report(self, responses: tuple[Response, ...]) -> None:
        """Tell what became of the signals of one event."""
        new = self._make("report.report.NewReport", _report(responses, self._ven_name))
        self._call(partial(self._client.reports.create_report, new))

    def _ven_id(self) -> str:
        vens = self._client.vens
        found = self._call(partial(vens.get_vens, ven_name=self._ven_name, target=None, pagination=None))
        if not found:
            new = self._make("ven.ven.NewVenVenRequest", {"venName": self._ven_name})
            found = (self._call(partial(vens.create_ven, new)),)
        return str(found[0].id)

    def _resources(self, ven_id: str) -> list[Any]:
        read = self._client.resources.get_resources
        return self._pages(lambda page: read(ven_id=ven_id, pagination=page))

    def _pages(self, read: Callable[[Any], Iterable[Any]]) -> list[Any]:
        """All objects, page by page."""
        page_of = importlib.import_module("openadr3_client.extensions.resource_group").PaginationFilter
        found: list[Any] = []
        while True:
            page = list(self._call(partial(read, page_of(skip=len(found), limit=PAGE))))
            found += page
            if len(page) < PAGE:
                return found

    def _make(self, name: str, fields: Mapping[str, Any]) -> Any:
        module, kind = name.rsplit(".", 1)
        return getattr(
            importlib.import_module(f"openadr3_client.oadr310.models.{module}"), kind
        ).model_validate(fields)

    def _call(self, request: Callable[[], Any]) -> Any:
        """The answer.

        Raises:
            VtnError: for whatever the client, its transport or its checks object to.
        """
        try:
            refused = importlib.import_module("oauthlib.oauth2").OAuth2Error
            return request()
        except ImportError as error:
            raise VtnError(
                f"openadr3-client cannot be used ({error}); it needs Python 3.12: "
                "pip install 'smartgrid-ai[openadr]'"
            ) from error
        except (OSError, ValueError, refused) as error:  # ValueError: also an answer that is no OpenADR
            raise VtnError(
                f"VTN {self._address.url}: {error}; check its address and the credentials"
            ) from error


def _connect(address: VtnAddress) -> Any:
    if address.insecure:
        logger.warning("plain HTTP to %s: tokens and events can be read and changed on the way", address.url)
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
        logging.getLogger("openadr3_client").setLevel(logging.ERROR)  # it says so at each request
    factory = importlib.import_module("openadr3_client.ven.http_factory").VirtualEndNodeHttpClientFactory
    version = importlib.import_module("openadr3_client.version").OADRVersion
    client = factory.create_http_ven_client(
        vtn_base_url=address.url.rstrip("/"),
        client_id=address.client_id,
        client_secret=address.client_secret,
        token_url=address.token_url,
        scopes=SCOPES,
        allow_insecure_http=address.insecure,
        version=version.OADR_310,
    )
    for part in _parts(client):
        part.session.request = partial(part.session.request, timeout=ANSWER_S)
    return client


def _parts(client: Any) -> tuple[Any, ...]:
    return client.events, client.programs, client.vens, client.resources, client.reports


def _resource(offer: Offer, ven_id: str) -> dict[str, Any]:
    attributes = {"MAX_POWER_EXPORT": offer.max_export_kw, "MAX_POWER_CONSUMPTION": offer.max_consumption_kw}
    return {
        "resourceName": offer.asset,
        "venID": ven_id,
        "attributes": [{"type": kind, "values": [value]} for kind, value in attributes.items()],
    }


def _units(described: Any) -> dict[str, str]:
    return {
        str(one.payload_type): str(one.units)
        for one in described.payload_descriptors or ()
        if one.units is not None
    }


def _event(said: Any, units: Mapping[str, str]) -> Event:
    return Event(
        event_id=said.id,
        modified_at=said.modification_date_time,
        intervals=tuple(_interval(one) for one in said.intervals or ()),
        priority=said.priority,
        targets=frozenset(said.targets or ()),
        period=_period(said.interval_period),
        duration=said.duration,
        units={**units, **_units(said)},
    )


def _interval(said: Any) -> Interval:
    payloads = tuple(Payload(str(one.type), tuple(one.values)) for one in said.payloads)
    return Interval(said.id, payloads, _period(said.interval_period))


def _period(said: Any) -> Period | None:
    if said is None:
        return None
    start: datetime = said.start
    return Period(None if start.replace(tzinfo=BEGINNING.tzinfo) == BEGINNING else start, said.duration)


def _report(responses: tuple[Response, ...], ven_name: str) -> dict[str, Any]:
    """States alone: which limit or whose word stopped a signal is not the VTN's business."""
    return {
        "eventID": responses[0].event_id,
        "clientName": ven_name,
        "resources": [
            {"resourceName": one.asset, "intervals": [{"id": one.number, "payloads": _payloads(one)}]}
            for one in responses
        ],
    }


def _payloads(response: Response) -> list[dict[str, Any]]:
    state = [{"type": "OPERATING_STATE", "values": [operating_state(response)]}]
    if response.power_kw is None:
        return state
    return [*state, {"type": "SETPOINT", "values": [0.0 - response.power_kw]}]


def operating_state(response: Response) -> str:
    """A response in OpenADR's words: less consumption is curtailed, more is heightened."""
    if response.state in ("denied", "declined"):
        return "IDLE_OPTED_OUT"
    if response.state == "waiting" or response.power_kw == 0:
        return "IDLE_NORMAL"
    if response.power_kw is None:
        return "RUNNING_NORMAL"
    return "RUNNING_CURTAILED" if response.power_kw > 0 else "RUNNING_HEIGHTENED"
