"""The stream engine: micro-batches from telemetry messages to stored and published forecasts.

Per batch: poll → decode and check → all sites' windows as arrays: duplicates out, events to their
place, feature rows → one model call, and false data is looked for where a judge is given → one
write to the store → forecasts and dead letters to their topics → commit. A batch that fails before
the commit is read again; the store's idempotent writes make that harmless.

Where the log outlives the process, a partition's past comes from the log alone: records before its
first unfinished offset rebuild the sites' states on the way, and nothing is written for them.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from grid.telemetry import Telemetry
from pipeline.arrays import Floats, Indices, Integers
from pipeline.bounds import Bounds
from pipeline.errors import MessageError, ModelError
from pipeline.forecast import Forecast
from pipeline.forecasting.slot_table import MEMORY
from pipeline.instability_watch import ChangedEvents, InstabilityWatch
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    FORECASTS_TOPIC,
    LATEST,
    DeadLetterMessage,
    encode_dead_letter,
    encode_forecasts,
    telemetry_of,
)
from pipeline.pulse_batch import FREQUENCY, NET_LOAD, PulseBatch, Refused, decode_batch
from pipeline.pulse_judge import Judged, PulseJudge
from pipeline.recovery import LowestMark
from pipeline.site_rules import SiteRules
from pipeline.site_table import Accepted, SiteTable
from pipeline.store import SeriesStore, SlotSum
from pipeline.stream_model import StreamModel
from pipeline.timestamps import from_micros
from pipeline.transport import PartitionAhead, PartitionGiven, Record, RecordBatch, Transport
from pipeline.verdict import Verdict
from pipeline.window_table import Reach

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
        reasons: of the dead letters.
        newest: by partition the newest accepted event, in seconds since 1970.
        judged: accepted events that a detector of false data scored.
        alarms: of them, those with new evidence at one false alarm a day.
    """

    polled: int = 0
    accepted: int = 0
    forecasts: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    rebuilt: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    newest: Mapping[int, float] = field(default_factory=dict)
    judged: int = 0
    alarms: int = 0

    def __add__(self, other: "BatchReport") -> "BatchReport":
        latest = {
            number: max(report.newest[number] for report in (self, other) if number in report.newest)
            for number in {*self.newest, *other.newest}
        }
        return BatchReport(
            self.polled + other.polled,
            self.accepted + other.accepted,
            self.forecasts + other.forecasts,
            self.duplicates + other.duplicates,
            self.dead_letters + other.dead_letters,
            self.rebuilt + other.rebuilt,
            Counter(self.reasons) + Counter(other.reasons),
            latest,
            self.judged + other.judged,
            self.alarms + other.alarms,
        )


@dataclass
class _Partition:
    """``resume_at`` is None where the store, not the log, tells the sites' past.

    While ``rebuilding``, some records that come may lie before it.
    """

    resume_at: int | None = None
    rebuilding: bool = False
    lowest: LowestMark = field(default_factory=LowestMark)


@dataclass(frozen=True, slots=True)
class _Work:
    """A batch on its way: pulses with their sites' rows, what was accepted, and its forecasts' bands."""

    pulses: PulseBatch
    rows: Indices
    partitions: Integers
    accepted: Accepted
    bands_kw: Floats
    refused: list[Refused]
    events: ChangedEvents
    judged: Judged | None = None


class StreamEngine:
    """Turns ``grid.telemetry`` into forecasts; owns the store's writes.

    Args:
        transport: where messages come from and go to.
        store: takes telemetry, forecasts and events; what it holds already is where sites go on
            whose past the transport's log does not tell. Without one, forecasts go to their topic
            alone.
        model: of the stream's cadence and time zone.
        ramp_limit_kw: limit of instability events in kW; the model's own when None.
        sites: what is known of sites beforehand.
        lateness_s: how much older than its site's newest event an event may be to be placed by its
            time; ten cadences when None.
    """

    def __init__(
        self,
        transport: Transport,
        store: SeriesStore | None,
        model: StreamModel,
        *,
        ramp_limit_kw: float | None = None,
        sites: Mapping[str, SiteRules] | None = None,
        lateness_s: float | None = None,
    ) -> None:
        metadata, rules = model.metadata, dict(sites or {})
        self._transport = transport
        self._store = store
        self._model = model
        self._seasonal = model.seasonal
        self._horizon = timedelta(seconds=metadata.horizon_s)
        self._bounds = Bounds(rules, metadata.largest_kw)
        zones = {name: rule.time_zone for name, rule in rules.items() if rule.time_zone is not None}
        reach = Reach.of(metadata.cadence_s, lateness_s)
        self._table = SiteTable(reach, site_tz=metadata.site_tz, time_zones=zones, seasonal=model.seasonal)
        self._watch = InstabilityWatch(metadata.ramp_limit_kw if ramp_limit_kw is None else ramp_limit_kw)
        self._judge: PulseJudge | None = None
        self._partitions: dict[int, _Partition] = {}

    @property
    def cadence_s(self) -> float:
        """Seconds between a site's pulses."""
        return self._model.metadata.cadence_s

    @property
    def site_count(self) -> int:
        """How many sites it follows."""
        return len(self._table)

    @property
    def state_bytes(self) -> int:
        """Bytes of the sites' states; room for more sites is left out."""
        table = self._table
        judge = 0 if self._judge is None else self._judge.nbytes
        return table.nbytes * len(table) // max(1, table.capacity) + self._watch.nbytes + judge

    def judge_by(self, judge: PulseJudge | None) -> None:
        """Score pulses for false data by this one from the next batch on; by none where None."""
        self._judge = judge

    def swap(self, model: StreamModel) -> None:
        """Forecast by another model from the next batch on.

        Raises:
            ModelError: if the sites' states do not fit it; a stream that starts with it can use it.
        """
        ours, theirs = self._model.metadata, model.metadata
        fits = (ours.cadence_s, ours.horizon_s, ours.site_tz) == (
            theirs.cadence_s,
            theirs.horizon_s,
            theirs.site_tz,
        )
        if not fits or model.seasonal not in (None, self._seasonal):
            raise ModelError(
                f"model={model.name}: of another cadence, horizon, time zone or memory than the running "
                "stream's; start the stream again to use it"
            )
        self._model = model

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
        if not len(records):
            return BatchReport()
        of_batch = {number: self._partition(number) for number in {*records.partitions}}
        if not any(partition.rebuilding for partition in of_batch.values()):
            return self._process(records)
        resume_at = [of_batch[number].resume_at or 0 for number in records.partitions]
        finished = np.array(records.offsets) < np.array(resume_at)
        for number in {number for number, old in zip(records.partitions, finished, strict=True) if not old}:
            of_batch[number].rebuilding = False
        if finished.any():
            work = self._take(records.part(np.flatnonzero(finished).tolist()))
            if self._judge is not None:
                self._judge.go_along(work.pulses, work.accepted.in_order, self._store)
            records = records.part(np.flatnonzero(~finished).tolist())
        rebuilt = int(finished.sum())
        return (
            replace(self._process(records), rebuilt=rebuilt) if len(records) else BatchReport(rebuilt=rebuilt)
        )

    def _process(self, records: RecordBatch) -> BatchReport:
        work = self._take(records)
        if self._judge is not None:
            judged = self._judge.judge(work.pulses, work.accepted.in_order, self._store)
            work = replace(work, judged=judged)
        reasons = Counter(refused.error.reason for refused in work.refused)
        self._finish(records, work, reasons)
        taken = work.accepted.taken
        numbers, newest_ms = work.partitions[taken], work.pulses.ts_ms[taken]
        latest = {number: newest_ms[numbers == number].max() / 1000.0 for number in {*numbers.tolist()}}
        return BatchReport(
            polled=len(records),
            accepted=int(taken.sum()),
            forecasts=len(work.accepted.issuing),
            duplicates=work.accepted.duplicates,
            dead_letters=len(work.refused),
            reasons=reasons,
            newest=latest,
            judged=0 if work.judged is None else len(work.judged.places),
            alarms=0 if work.judged is None else int(work.judged.found.alarm.sum()),
        )

    # -- a batch's records ----------------------------------------------------------------------

    def _take(self, records: RecordBatch) -> _Work:
        """Give the sites their events; nothing is written yet."""
        pulses, refused = decode_batch(records.values, records.written_ms, self._bounds)
        partitions = np.array(records.partitions)[pulses.places]
        offsets = np.array(records.offsets)
        rows, ends = self._rows(pulses, partitions, offsets[pulses.places])
        accepted = self._table.accept(pulses, rows, ends)
        bands_kw = self._model.bands_kw(accepted.features)
        events = self._follow(pulses, rows, accepted, bands_kw)
        return _Work(pulses, rows, partitions, accepted, bands_kw, refused + accepted.refused, events)

    def _rows(self, pulses: PulseBatch, partitions: Integers, offsets: Integers) -> tuple[Indices, Integers]:
        """The rows of the pulses' sites, and where the next batch of their partitions begins."""
        rows, ends = np.empty(len(pulses), dtype=np.intp), np.empty(len(pulses), dtype=np.int64)
        names = pulses.sites
        for number in np.unique(partitions).tolist():
            places = np.flatnonzero(partitions == number)
            of_partition = names if len(places) == len(names) else [names[i] for i in places.tolist()]
            found = np.array(self._table.find(number, of_partition), dtype=np.intp)
            if (found < 0).any():
                self._meet(number, pulses, [int(i) for i in places[found < 0]], offsets)
                found = np.array(self._table.find(number, of_partition), dtype=np.intp)
            rows[places] = found
            ends[places] = offsets[places].max() + 1
        return rows, ends

    def _meet(self, partition: int, pulses: PulseBatch, places: list[int], offsets: Integers) -> None:
        """Rows for sites that are new here; each goes on from the store, unless the log tells its past."""
        firsts: dict[str, int] = {}
        for i in places:
            firsts.setdefault(pulses.sites[i], i)
        rows = {name: self._table.add(partition, name, int(offsets[i])) for name, i in firsts.items()}
        if self._store is None:
            return
        moments = {name: pulses.moments[i] for name, i in firsts.items()}
        for name, row in rows.items():
            self._table.recall(row, self._slots(self._store, name, moments[name]), moments[name])
        if self._partitions[partition].resume_at is None:
            for name, row in rows.items():
                self._restore(self._store, name, row)
            return
        for name, events in self._store.open_events(min(moments.values())).items():
            # The event that was open when the first observation came; its end will come again.
            before = [event for event in events if name in moments and event.started_at < moments[name]]
            still = [event for event in before if event.ended_at is None or event.ended_at >= moments[name]]
            if still:
                self._watch.resume(rows[name], replace(still[-1], ended_at=None))

    def _restore(self, store: SeriesStore, name: str, row: int) -> None:
        """Set a new site to what the store holds and its next rows can rest on."""
        known = {pulse.ts_utc: pulse for pulse in store.latest(name)}
        if not known:
            return
        newest = max(known)
        start = newest - timedelta(milliseconds=self._table.reach_ms)
        known |= {pulse.ts_utc: pulse for pulse in store.telemetry(name, start, newest)}
        self._table.restore(row, [known[moment] for moment in sorted(known)])
        opened = [event for event in store.events(name, newest) if event.ended_at is None]
        if opened:
            self._watch.resume(row, opened[-1])

    def _slots(self, store: SeriesStore, name: str, around: datetime) -> list[SlotSum]:
        """What the store holds of a site's seasonal memory, as far back as a row at a time may look."""
        if self._seasonal is None:
            return []
        return store.slots(name, around - MEMORY, LATEST)

    def _follow(
        self, pulses: PulseBatch, rows: Indices, accepted: Accepted, bands_kw: Floats
    ) -> ChangedEvents:
        """Instability events that began, changed or ended with the batch's in-order pulses.

        The places are of the batch.
        """
        change_kw, bands = np.full(len(pulses), np.nan), np.full((len(pulses), 3), np.nan)
        change_kw[accepted.issuing], bands[accepted.issuing] = accepted.features.change_kw, bands_kw
        places = np.flatnonzero(accepted.in_order)
        changed = self._watch.follow(
            rows[places],
            pulses.ts_ms[places],
            change_kw=change_kw[places],
            bands_kw=bands[places],
            frequency_hz=pulses.values[FREQUENCY, places],
        )
        return ChangedEvents(places[changed.places], changed.states)

    def _forecast(self, pulses: PulseBatch, i: int, band_kw: list[float]) -> Forecast:
        issued_at = from_micros(int(pulses.ts_ms[i]) * 1000)
        level_kw = float(pulses.values[NET_LOAD, i])
        site = pulses.sites[i]
        p10_kw, p50_kw, p90_kw = band_kw
        target_at = issued_at + self._horizon
        return Forecast(site, issued_at, target_at, level_kw, p10_kw, p50_kw, p90_kw, self._model.name)

    # -- what comes of it -----------------------------------------------------------------------

    def _finish(self, records: RecordBatch, work: _Work, reasons: Mapping[str, int]) -> None:
        """Store, publish, commit: in this order, so that nothing is committed that is not written."""
        if self._store is not None:
            telemetry, forecasts = self._series(work)
            events = list(work.events.events(work.pulses.sites))
            self._store.write(telemetry, forecasts, events, self._closed_slots(work), self._verdicts(work))
        issuing = work.accepted.issuing.tolist()
        every = len(issuing) == len(work.pulses)
        sites = work.pulses.sites if every else [work.pulses.sites[i] for i in issuing]
        moments = work.pulses.moments
        issued = moments if every else [moments[i] for i in issuing]
        values = encode_forecasts(sites, issued, self._horizon, work.bands_kw, self._model.name)
        self._transport.produce_many(FORECASTS_TOPIC, sites, values)
        for refused in work.refused:
            record = records[refused.place]
            self._transport.produce(DEAD_LETTER_TOPIC, record.key, _dead_letter(record, refused.error))
        if work.refused:
            first = work.refused[0].error
            logger.warning("%d dead letters %s, the first: %s", len(work.refused), dict(reasons), first)
        self._transport.commit(self._marks(records))

    def _series(self, work: _Work) -> tuple[list[Telemetry], list[Forecast]]:
        """The accepted pulses and their forecasts, as the store takes them."""
        telemetry = [
            telemetry_of(work.pulses.messages[i]) for i in np.flatnonzero(work.accepted.taken).tolist()
        ]
        made = zip(work.accepted.issuing.tolist(), work.bands_kw.tolist(), strict=True)
        return telemetry, [self._forecast(work.pulses, i, band_kw) for i, band_kw in made]

    def _verdicts(self, work: _Work) -> list[Verdict]:
        if self._judge is None or work.judged is None:
            return []
        return self._judge.verdicts(work.pulses, work.accepted.taken, work.accepted.in_order, work.judged)

    def _closed_slots(self, work: _Work) -> list[SlotSum]:
        """The slots that closed, as the store takes them."""
        closed = work.accepted.closed
        if not len(closed):
            return []
        names = dict(zip(work.rows.tolist(), work.pulses.sites, strict=True))
        sums = zip(closed.rows.tolist(), closed.totals.tolist(), closed.counts.tolist(), strict=True)
        starts = self._table.starts_of(closed)
        return [SlotSum(names[row], start, *rest) for start, (row, *rest) in zip(starts, sums, strict=True)]

    def _marks(self, records: RecordBatch) -> dict[int, int]:
        """By partition, from where on the log rebuilds what is known after these records."""
        marks = {}
        for number, count in Counter(records.partitions).items():
            rows = self._table.sites(number)
            lowest = self._partitions[number].lowest
            offset = lowest.of(self._table.marks, rows.values(), len(rows), count)
            if offset is not None:
                marks[number] = offset
        return marks

    # -- partitions -----------------------------------------------------------------------------

    def _follow_changes(self) -> None:
        for change in self._transport.changes():
            if isinstance(change, PartitionAhead):
                known = self._partition(change.partition)
                known.resume_at, known.rebuilding = change.resume_at, True
                continue
            self._partitions.pop(change.partition, None)
            if self._judge is not None:
                self._judge.forget(self._table.sites(change.partition))
            self._watch.forget(self._table.release(change.partition))
            if isinstance(change, PartitionGiven):
                self._partitions[change.partition] = _Partition(change.resume_at, rebuilding=True)

    def _partition(self, number: int) -> _Partition:
        return self._partitions.setdefault(number, _Partition())


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
