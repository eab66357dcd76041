"""The stream engine: micro-batches from telemetry messages to stored and published forecasts.

Per batch: poll → decode → per site: duplicates out, events to their place, feature rows → one
model call → one write to the store → forecasts and dead letters to their topics → commit. A batch
that fails before the commit is read again; the store's idempotent writes make that harmless.

Where the log outlives the process, a partition's past comes from the log alone: records before its
first unfinished offset rebuild the sites' states on the way, and nothing is written for them.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

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
from pipeline.recovery import LowestMark, RebuildMark
from pipeline.site_state import SiteBatch, SiteState, lateness_and_retention_us, restored_from
from pipeline.store import SeriesStore
from pipeline.transport import PartitionGiven, Record, Transport

logger = logging.getLogger(__name__)

BATCH_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What happened to the records of a batch; every one is accounted for.

    Invariants:
        ``polled == accepted + duplicates + dead_letters``.

    Attributes:
        forecasts: how many of the accepted events had a net load, and so a forecast.
        rebuilt: records beside those, which were finished before and only rebuilt the state.
    """

    polled: int = 0
    accepted: int = 0
    forecasts: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    rebuilt: int = 0

    def __add__(self, other: "BatchReport") -> "BatchReport":
        return BatchReport(
            self.polled + other.polled,
            self.accepted + other.accepted,
            self.forecasts + other.forecasts,
            self.duplicates + other.duplicates,
            self.dead_letters + other.dead_letters,
            self.rebuilt + other.rebuilt,
        )


@dataclass
class _Site:
    state: SiteState
    detector: InstabilityDetector
    mark: RebuildMark


@dataclass
class _Partition:
    """A partition's sites; ``resume_at`` is None where the store, not the log, tells their past."""

    resume_at: int | None = None
    sites: dict[str, _Site] = field(default_factory=dict)
    lowest: LowestMark = field(default_factory=LowestMark)


Source = tuple[int, str]
"""A partition and a site on it: what one meter sends is in order within its partition alone."""
Events = list[tuple[Record, Telemetry]]


class StreamEngine:
    """Turns ``grid.telemetry`` into forecasts; owns the store's writes.

    Args:
        transport: where messages come from and go to.
        store: takes telemetry, forecasts and events; what it holds already is where sites go on
            whose past the transport's log does not tell.
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
        self._retention = timedelta(microseconds=lateness_and_retention_us(model.metadata.cadence_s)[1])
        self._partitions: dict[int, _Partition] = {}

    def drain(self) -> BatchReport:
        """Process everything that is there now."""
        total = BatchReport()
        while (report := self.run_once()).polled + report.rebuilt:
            total += report
        return total

    def run_once(self, max_records: int = BATCH_RECORDS) -> BatchReport:
        """Process one micro-batch.

        Returns:
            What happened to its records; all zero when the topic is drained.
        """
        records = self._transport.poll(max_records)
        self._follow_changes()
        resume_at = {number: self._resume_at(number) for number in {record.partition for record in records}}
        finished = [record for record in records if record.offset < resume_at[record.partition]]
        if finished:
            self._rebuild(finished)
            records = [record for record in records if record.offset >= resume_at[record.partition]]
        return self._process(records, len(finished)) if records else BatchReport(rebuilt=len(finished))

    def _process(self, records: list[Record], rebuilt: int) -> BatchReport:
        letters: list[tuple[Record, MessageError]] = []
        batches = self._accept(records, letters)
        made = self._forecast(batches)
        self._finish(batches, made, letters, self._marks(records))
        return BatchReport(
            polled=len(records),
            accepted=sum(len(batch.placed) for batch in batches.values()),
            forecasts=sum(len(forecasts) for forecasts in made.values()),
            duplicates=sum(batch.duplicates for batch in batches.values()),
            dead_letters=len(letters),
            rebuilt=rebuilt,
        )

    def _rebuild(self, records: list[Record]) -> None:
        """Take records that are finished already: states and detectors follow them, nothing is written."""
        batches = self._accept(records, [])
        made = self._forecast(batches)
        for (partition, name), batch in batches.items():
            detector = self._partitions[partition].sites[name].detector
            self._detect(detector, batch, made.get((partition, name), []), {})

    def _accept(
        self, records: list[Record], letters: list[tuple[Record, MessageError]]
    ) -> dict[Source, SiteBatch]:
        """Give each site its events; what cannot be used goes to ``letters``."""
        batches: dict[Source, SiteBatch] = {}
        ends = {record.partition: record.offset + 1 for record in records}
        for (partition, name), events in _decode(records, letters).items():
            site = self._site(partition, name, events[0])
            batch = site.state.accept([pulse for _, pulse in events])
            site.mark.advance(batch.placed, ends[partition], self._retention)
            batches[partition, name] = batch
            letters += [(events[refused.place][0], refused.error) for refused in batch.refused]
        return batches

    def _follow_changes(self) -> None:
        for change in self._transport.changes():
            self._partitions.pop(change.partition, None)
            if isinstance(change, PartitionGiven):
                self._partitions[change.partition] = _Partition(change.resume_at)

    def _resume_at(self, partition: int) -> int:
        return self._partitions.setdefault(partition, _Partition()).resume_at or 0

    def _marks(self, records: list[Record]) -> dict[int, int]:
        """By partition, from where on the log rebuilds what is known after these records."""
        marks = {}
        for number, count in Counter(record.partition for record in records).items():
            partition = self._partitions[number]
            offset = partition.lowest.of(
                (site.mark for site in partition.sites.values()), len(partition.sites), count
            )
            if offset is not None:
                marks[number] = offset
        return marks

    def _forecast(self, batches: dict[Source, SiteBatch]) -> dict[Source, list[Forecast]]:
        """Forecasts by source, one per feature row, from one model call."""
        issuing = {
            source: [placed.pulse for placed in batch.placed if placed.row is not None]
            for source, batch in batches.items()
        }
        pulses = [pulse for of_site in issuing.values() for pulse in of_site]
        if not pulses:
            return {}
        rows = np.concatenate([batch.rows for batch in batches.values()])
        net_load_kw = np.array([pulse.net_load_kw for pulse in pulses], dtype=np.float64)
        bands = self._bands(rows, net_load_kw, pulses)
        made, place = {}, 0
        for source, of_site in issuing.items():
            made[source] = bands[place : place + len(of_site)]
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
        batches: dict[Source, SiteBatch],
        made: dict[Source, list[Forecast]],
        letters: list[tuple[Record, MessageError]],
        rebuild_from: dict[int, int],
    ) -> None:
        """Store, publish, commit: in this order, so that nothing is committed that is not written."""
        events: dict[str, InstabilityEvent] = {}
        for (partition, name), batch in batches.items():
            detector = self._partitions[partition].sites[name].detector
            self._detect(detector, batch, made.get((partition, name), []), events)
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
        self._transport.commit(rebuild_from)

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

    def _site(self, partition: int, name: str, first: tuple[Record, Telemetry]) -> _Site:
        """The site's memory; one that is new here goes on from the store, unless the log tells its past."""
        sites = self._partitions[partition].sites
        if name not in sites:
            record, pulse = first
            known: list[Telemetry] = []
            if self._partitions[partition].resume_at is not None:
                open_event = self._open_event_before(name, pulse.ts_utc)
            else:
                known = self._known(name)
                open_event = self._open_event(name, known)
            metadata = self._model.metadata
            sites[name] = _Site(
                SiteState(cadence_s=metadata.cadence_s, site_tz=metadata.site_tz, known=known),
                InstabilityDetector(name, self._ramp_limit_kw, open_event=open_event),
                RebuildMark.at(record.offset),
            )
        return sites[name]

    def _known(self, name: str) -> list[Telemetry]:
        """What the store holds of a site and its next rows can rest on."""
        known = {pulse.ts_utc: pulse for pulse in self._store.latest(name)}
        if known:
            newest = max(known)
            start = restored_from(newest, self._model.metadata.cadence_s)
            known |= {pulse.ts_utc: pulse for pulse in self._store.telemetry(name, start, newest)}
        return list(known.values())

    def _open_event(self, name: str, known: list[Telemetry]) -> InstabilityEvent | None:
        """The stored event that is open after everything known."""
        if not known:
            return None
        events = self._store.events(name, max(pulse.ts_utc for pulse in known))
        return next((event for event in reversed(events) if event.ended_at is None), None)

    def _open_event_before(self, name: str, at: datetime) -> InstabilityEvent | None:
        """The stored event that was open when the observation of ``at`` came; its end will come again."""
        events = [event for event in self._store.events(name, at) if event.started_at < at]
        return replace(events[-1], ended_at=None) if events else None


def _decode(records: list[Record], letters: list[tuple[Record, MessageError]]) -> dict[Source, Events]:
    """Pulses by source in the order of their offsets; what cannot be used goes to ``letters``."""
    by_source: dict[Source, Events] = {}
    for record in records:
        try:
            pulse = decode_telemetry(record.value)
        except MessageError as error:
            letters.append((record, error))
        else:
            by_source.setdefault((record.partition, pulse.site), []).append((record, pulse))
    return by_source


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
