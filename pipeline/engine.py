"""The stream engine: micro-batches from telemetry messages to stored and published forecasts.

Per batch: poll → decode → per site: duplicates out, events to their place, feature rows → one
model call → one write to the store → forecasts and dead letters to their topics → commit. A batch
that fails before the commit is read again; the store's idempotent writes make that harmless.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from grid.telemetry import Telemetry
from pipeline.errors import MessageError
from pipeline.features import Floats
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityDetector, InstabilityEvent
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    FORECASTS_TOPIC,
    DeadLetterMessage,
    decode_telemetry,
    encode_dead_letter,
    encode_forecast,
)
from pipeline.model import ForecastModel
from pipeline.site_state import SiteBatch, SiteState, restored_from
from pipeline.store import SeriesStore
from pipeline.transport import Record, Transport

logger = logging.getLogger(__name__)

BATCH_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What happened to the records of a batch; every one is accounted for.

    Invariants:
        ``polled == accepted + duplicates + dead_letters``.

    Attributes:
        forecasts: how many of the accepted events had a net load, and so a forecast.
    """

    polled: int = 0
    accepted: int = 0
    forecasts: int = 0
    duplicates: int = 0
    dead_letters: int = 0

    def __add__(self, other: "BatchReport") -> "BatchReport":
        return BatchReport(
            self.polled + other.polled,
            self.accepted + other.accepted,
            self.forecasts + other.forecasts,
            self.duplicates + other.duplicates,
            self.dead_letters + other.dead_letters,
        )


@dataclass
class _Site:
    state: SiteState
    detector: InstabilityDetector


class StreamEngine:
    """Turns ``grid.telemetry`` into forecasts; owns the store's writes.

    Args:
        transport: where messages come from and go to.
        store: takes telemetry, forecasts and events; what it holds already is where sites go on.
        model: of the stream's cadence and time zone.
        ramp_limit_kw: limit of instability events in kW; the model's own when None.
    """

    def __init__(
        self,
        transport: Transport,
        store: SeriesStore,
        model: ForecastModel,
        *,
        ramp_limit_kw: float | None = None,
    ) -> None:
        self._transport = transport
        self._store = store
        self._model = model
        self._ramp_limit_kw = model.metadata.ramp_limit_kw if ramp_limit_kw is None else ramp_limit_kw
        self._horizon = timedelta(seconds=model.metadata.horizon_s)
        self._sites: dict[str, _Site] = {}

    def drain(self) -> BatchReport:
        """Process everything that is there now."""
        total = BatchReport()
        while (report := self.run_once()).polled:
            total += report
        return total

    def run_once(self, max_records: int = BATCH_RECORDS) -> BatchReport:
        """Process one micro-batch.

        Returns:
            What happened to its records; all zero when the topic is drained.
        """
        records = self._transport.poll(max_records)
        if not records:
            return BatchReport()
        letters: list[tuple[Record, MessageError]] = []
        by_site = _decode(records, letters)
        batches: dict[str, SiteBatch] = {}
        for site, events in by_site.items():
            batch = self._site(site).state.accept([pulse for _, pulse in events])
            batches[site] = batch
            letters += [(events[refused.place][0], refused.error) for refused in batch.refused]
        made = self._forecast(batches)
        self._finish(batches, made, letters)
        return BatchReport(
            polled=len(records),
            accepted=sum(len(batch.placed) for batch in batches.values()),
            forecasts=sum(len(forecasts) for forecasts in made.values()),
            duplicates=sum(batch.duplicates for batch in batches.values()),
            dead_letters=len(letters),
        )

    def _forecast(self, batches: dict[str, SiteBatch]) -> dict[str, list[Forecast]]:
        """Forecasts by site, one per feature row, from one model call."""
        issuing = {
            site: [placed.pulse for placed in batch.placed if placed.row is not None]
            for site, batch in batches.items()
        }
        pulses = [pulse for of_site in issuing.values() for pulse in of_site]
        if not pulses:
            return {}
        rows = np.concatenate([batch.rows for batch in batches.values()])
        net_load_kw = np.array([pulse.net_load_kw for pulse in pulses], dtype=np.float64)
        bands = self._bands(rows, net_load_kw, pulses)
        made, place = {}, 0
        for site, of_site in issuing.items():
            made[site] = bands[place : place + len(of_site)]
            place += len(of_site)
        return made

    def _bands(self, rows: Floats, net_load_kw: Floats, pulses: list[Telemetry]) -> list[Forecast]:
        name = self._model.name
        bands = self._model.predict(rows, net_load_kw).tolist()
        return [
            Forecast(pulse.site, pulse.ts_utc, pulse.ts_utc + self._horizon, level_kw, p10, p50, p90, name)
            for pulse, level_kw, (p10, p50, p90) in zip(pulses, net_load_kw.tolist(), bands, strict=True)
        ]

    def _finish(
        self,
        batches: dict[str, SiteBatch],
        made: dict[str, list[Forecast]],
        letters: list[tuple[Record, MessageError]],
    ) -> None:
        """Store, publish, commit: in this order, so that nothing is committed that is not written."""
        events: dict[str, InstabilityEvent] = {}
        for site, batch in batches.items():
            self._detect(self._site(site).detector, batch, made.get(site, []), events)
        forecasts = [forecast for of_site in made.values() for forecast in of_site]
        accepted = [placed.pulse for batch in batches.values() for placed in batch.placed]
        self._store.write(accepted, forecasts, list(events.values()))
        for forecast in forecasts:
            self._transport.produce(FORECASTS_TOPIC, forecast.site, encode_forecast(forecast))
        for record, error in letters:
            self._transport.produce(DEAD_LETTER_TOPIC, record.key, _dead_letter(record, error))
        if letters:
            reasons = Counter(error.reason for _, error in letters)
            logger.warning("%d dead letters %s, the first: %s", len(letters), dict(reasons), letters[0][1])
        self._transport.commit()

    @staticmethod
    def _detect(
        detector: InstabilityDetector,
        batch: SiteBatch,
        made: list[Forecast],
        events: dict[str, InstabilityEvent],
    ) -> None:
        """Follow the site through the batch's in-order events; gather each event's newest version."""
        changes = batch.change_kw.tolist()
        for placed in batch.placed:
            if not placed.in_order:
                continue
            change_kw, forecast = None, None
            if placed.row is not None:
                forecast = made[placed.row]
                change_kw = changes[placed.row] if changes[placed.row] == changes[placed.row] else None
            pulse = placed.pulse
            event = detector.observe(
                pulse.ts_utc, change_kw=change_kw, forecast=forecast, frequency_hz=pulse.frequency_hz
            )
            if event is not None:
                events[event.event_id] = event

    def _site(self, name: str) -> _Site:
        """The site's memory; a site that is new to this process goes on from the store."""
        if name not in self._sites:
            self._sites[name] = self._restore(name)
        return self._sites[name]

    def _restore(self, name: str) -> _Site:
        metadata = self._model.metadata
        known = {pulse.ts_utc: pulse for pulse in self._store.latest(name)}
        open_event = None
        if known:
            newest = max(known)
            start = restored_from(newest, metadata.cadence_s)
            known |= {pulse.ts_utc: pulse for pulse in self._store.telemetry(name, start, newest)}
            open_events = [event for event in self._store.events(name, newest) if event.ended_at is None]
            open_event = open_events[-1] if open_events else None
        state = SiteState(cadence_s=metadata.cadence_s, site_tz=metadata.site_tz, known=known.values())
        return _Site(state, InstabilityDetector(name, self._ramp_limit_kw, open_event=open_event))


def _decode(
    records: list[Record], letters: list[tuple[Record, MessageError]]
) -> dict[str, list[tuple[Record, Telemetry]]]:
    """Pulses by site in the order of their offsets; what cannot be used goes to ``letters``."""
    by_site: dict[str, list[tuple[Record, Telemetry]]] = {}
    for record in records:
        try:
            pulse = decode_telemetry(record.value)
        except MessageError as error:
            letters.append((record, error))
        else:
            by_site.setdefault(pulse.site, []).append((record, pulse))
    return by_site


def _dead_letter(record: Record, error: MessageError) -> bytes:
    return encode_dead_letter(
        DeadLetterMessage(
            reason=error.reason,
            detail=str(error),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            original=record.value,
        )
    )
