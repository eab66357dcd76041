"""A series store together with the detectors of its sites: what it holds, and what that is worth.

Where the stream judges a site, its verdicts are in the store and are taken from there. Else the
site's detector is warmed up from the store once, and reads on from where it stands: a question
costs the pulses that came since the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, Protocol, cast

import numpy as np

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry, net_load_of
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.meters import SIGNS
from pipeline.fdia.sites import KINDS
from pipeline.fdia.stream_scorer import PulseVerdicts, StreamScorer
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.messages import VALUE_NAMES
from pipeline.night_sun import deep_night
from pipeline.plain_checks import adds_up, cadence_of
from pipeline.store import FEATURE_STORE_ROWS, SeriesReader, VerdictReader
from pipeline.timestamps import MICROSECOND, from_micros, to_micros
from pipeline.verdict import Verdict

WARM_UP: Final = timedelta(days=10)
MOST_PULSES: Final = 20_000
"""Read at the first question: a week at five minutes, a day at five seconds."""
KEPT: Final = timedelta(hours=6)
"""How far back own verdicts are remembered for :meth:`JudgedReader.believed`."""
NIGHT_SHARE: Final = 0.25
"""Of the mean solar power: more than this in deep night is no measurement."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of a site's newest pulse.

    Attributes:
        score: 1 is the threshold of one false alarm a day.
        trust: 0 to 1; below 0.5 beyond one false alarm a week.
        suspected: whether anything is.
        channel, kind, since: what, how, and from which stamp on; None where nothing is suspected.
        substitute_kw: net load to use instead; None where it needs none.
        night_since: stamp of a solar pulse in deep night; None without one.
        cadence: of the rows that the detector judges.
    """

    score: float
    trust: float
    suspected: bool
    channel: str | None
    kind: str | None
    since: datetime | None
    substitute_kw: float | None
    night_since: datetime | None
    cadence: timedelta


class JudgingReader(SeriesReader, Protocol):
    """A reader that says what its telemetry is worth."""

    def judge(self, site: str, recent: Sequence[Telemetry]) -> Judgement | None:
        """Judge the newest pulse of a site; None where no detector can."""
        ...

    def believed(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Telemetry as far as it is believed: stand-ins for what is distrusted."""
        ...

    def moved_kw(self, site: str, start: datetime, end: datetime) -> dict[datetime, float]:
        """By stamp, net load as it is believed less what was measured, where something stands in for it."""
        ...


def judging(reader: SeriesReader) -> JudgingReader | None:
    """The same reader where it judges, a view of one included; None where it does not."""
    return cast(JudgingReader, reader) if hasattr(reader, "judge") else None


class JudgedReader:
    """Reads as the store does, and judges the telemetry of the sites that have a detector.

    Args:
        reader: the store.
        detectors: by site.
    """

    def __init__(self, reader: SeriesReader, detectors: Mapping[str, FittedDetector]) -> None:
        self._reader = reader
        self._detectors = dict(detectors)
        self._judges: dict[str, _SiteJudge] = {}
        self._lock = Lock()

    def judge(self, site: str, recent: Sequence[Telemetry]) -> Judgement | None:
        """Judge the newest pulse of a site; None for a site without a detector that fits its cadence.

        Args:
            site: the meter.
            recent: its newest pulses, in the order of time.
        """
        detector, cadence = self._detectors.get(site), cadence_of(recent)
        if detector is None or cadence is None:
            return None
        if cadence > timedelta(seconds=1.5 * detector.cadence_s):
            return None
        newest = recent[-1]
        of_stream = self._streamed(site, newest.ts_utc, newest.ts_utc + MICROSECOND)
        if of_stream and (judgement := _judgement_of(of_stream[0], detector, newest)) is not None:
            return judgement
        with self._lock:
            if site not in self._judges:
                self._judges[site] = _SiteJudge(self._reader, site, detector, cadence)
            return self._judges[site].newest(newest.ts_utc)

    def believed(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Telemetry as far as it is believed: where net load was distrusted, its substitute stands.

        Where net load is not what its parts add up to, and none of them stands out by itself, the other
        meters stand in; else what the detector gave, as far back as the stream has judged, or six hours.
        A site without a detector is as it was stored.
        """
        return [told for _, told in self._both(site, start, end)]

    def moved_kw(self, site: str, start: datetime, end: datetime) -> dict[datetime, float]:
        """By stamp, net load as :meth:`believed` less what was measured, where something stands in for it."""
        return {
            pulse.ts_utc: told.net_load_kw - pulse.net_load_kw
            for pulse, told in self._both(site, start, end)
            if pulse.net_load_kw is not None
            and told.net_load_kw is not None
            and told.net_load_kw != pulse.net_load_kw
        }

    def _both(self, site: str, start: datetime, end: datetime) -> list[tuple[Telemetry, Telemetry]]:
        """Each pulse as it was measured, and as it is believed."""
        pulses = self._reader.telemetry(site, start, end)
        recent = self._reader.latest(site)
        if not recent or self.judge(site, recent) is None:
            return [(pulse, pulse) for pulse in pulses]
        with self._lock:
            found = dict(self._judges[site].doubted) if site in self._judges else {}
        for verdict in self._streamed(site, start, end):
            found[verdict.ts_utc] = _Doubt(verdict.channel, verdict.substitute_kw)
        return [(pulse, _as_believed(pulse, found.get(pulse.ts_utc, _NO_DOUBT))) for pulse in pulses]

    def _streamed(self, site: str, start: datetime, end: datetime) -> list[Verdict]:
        """What the stream found of pulses with ``start <= ts_utc < end``."""
        reader = self._reader
        return reader.verdicts(site, start, end) if isinstance(reader, VerdictReader) else []

    # -- as the store reads ---------------------------------------------------------------------

    def sites(self) -> list[str]:
        """Sites with telemetry, sorted."""
        return self._reader.sites()

    def latest(self, site: str, n: int = FEATURE_STORE_ROWS) -> list[Telemetry]:
        """The newest ``n`` observations of a site, oldest first, as they were measured."""
        return self._reader.latest(site, n)

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations with ``start <= ts_utc < end``, as they were measured."""
        return self._reader.telemetry(site, start, end)

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast, however old it is."""
        return self._reader.latest_forecast(site)

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts with ``start <= issued_at < end``."""
        return self._reader.forecasts(site, start, end)

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the intervals that begin in ``start <= ts_utc < end``."""
        return self._reader.quotes(site, start, end)

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Instability events that are open, or ended at or after ``since``."""
        return self._reader.events(site, since)

    def open_events(self, at: datetime) -> dict[str, list[InstabilityEvent]]:
        """``events(site, at)`` of every site that has any."""
        return self._reader.open_events(at)

    def dispatches(self, site: str, start: datetime, end: datetime) -> list[AssetDispatch]:
        """What the assets did in the spans that begin in ``start <= t < end``."""
        return self._reader.dispatches(site, start, end)

    def trades(self, site: str, start: datetime, end: datetime) -> list[EnergyTrade]:
        """What was sold and bought in the spans that begin in ``start <= t < end``."""
        return self._reader.trades(site, start, end)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What was found of a pulse: the suspected channel, and what to use for its net load; None for none."""

    channel: str | None = None
    substitute_kw: float | None = None


_NO_DOUBT: Final = _Doubt()


def _as_believed(pulse: Telemetry, doubt: _Doubt) -> Telemetry:
    use_kw = doubt.substitute_kw
    if doubt.channel not in SIGNS and not adds_up(pulse):
        use_kw = net_load_of(pulse.load_kw, pulse.solar_kw, pulse.wind_kw)
    return pulse if use_kw is None else replace(pulse, net_load_kw=use_kw)


class _SiteJudge:
    """A detector that follows one site of the store."""

    def __init__(self, reader: SeriesReader, site: str, detector: FittedDetector, cadence: timedelta) -> None:
        self._reader, self._site, self._detector = reader, site, detector
        self._scorer = StreamScorer(detector, cadence.total_seconds())
        self._scorer.begin([0])
        self._reach = min(WARM_UP, MOST_PULSES * cadence)
        self._next: datetime | None = None
        self._verdict: Judgement | None = None
        self.doubted: dict[datetime, _Doubt] = {}

    def newest(self, stamp: datetime) -> Judgement | None:
        """The verdict of the newest pulse, whose stamp this is."""
        end = stamp + timedelta(milliseconds=1)
        if self._next is None or self._next < end:
            start = stamp - self._reach if self._next is None else self._next
            pulses = self._reader.telemetry(self._site, start, end)
            self._next = end
            if pulses:
                self._follow(pulses)
        return self._verdict

    def _follow(self, pulses: Sequence[Telemetry]) -> None:
        ts_ms = np.array([to_micros(pulse.ts_utc) // 1000 for pulse in pulses], dtype=np.int64)
        values = np.array(
            [[getattr(pulse, name) for pulse in pulses] for name in VALUE_NAMES], dtype=np.float64
        )
        if self._verdict is None:
            self._scorer.restore(0, ts_ms[:-1], values[:, :-1])
            pulses, ts_ms, values = pulses[-1:], ts_ms[-1:], values[:, -1:]
        found = self._scorer.score(np.zeros(len(pulses), dtype=np.int64), ts_ms, values)
        self._remember(pulses, found)
        self._verdict = self._judgement(pulses[-1], found)

    def _remember(self, pulses: Sequence[Telemetry], found: PulseVerdicts) -> None:
        for at in np.flatnonzero((found.channel >= 0) | ~np.isnan(found.substitute_kw)).tolist():
            channel, use = int(found.channel[at]), float(found.substitute_kw[at])
            name = self._detector.channels[channel] if channel >= 0 else None
            self.doubted[pulses[at].ts_utc] = _Doubt(name, None if np.isnan(use) else use)
        oldest = pulses[-1].ts_utc - KEPT
        self.doubted = {stamp: doubt for stamp, doubt in self.doubted.items() if stamp >= oldest}

    def _judgement(self, newest: Telemetry, found: PulseVerdicts) -> Judgement:
        channel, kind, since_ms = int(found.channel[-1]), int(found.kind[-1]), int(found.since_ms[-1])
        use = float(found.substitute_kw[-1])
        return Judgement(
            score=float(found.score[-1]),
            trust=float(found.trust[-1]),
            suspected=channel >= 0,
            channel=self._detector.channels[channel] if channel >= 0 else None,
            kind=KINDS[kind] if kind >= 0 else None,
            since=from_micros(since_ms * 1000) if since_ms >= 0 else None,
            substitute_kw=None if np.isnan(use) else use,
            night_since=newest.ts_utc if _sunless(self._detector, newest) else None,
            cadence=timedelta(seconds=self._detector.cadence_s),
        )


def _judgement_of(verdict: Verdict, detector: FittedDetector, newest: Telemetry) -> Judgement | None:
    """The stream's word on the newest pulse; None where it came late, and was not judged."""
    if verdict.score is None or verdict.trust is None:
        return None
    return Judgement(
        score=verdict.score,
        trust=verdict.trust,
        suspected=verdict.channel is not None,
        channel=verdict.channel,
        kind=verdict.kind,
        since=verdict.since,
        substitute_kw=verdict.substitute_kw,
        night_since=newest.ts_utc if _sunless(detector, newest) else None,
        cadence=timedelta(seconds=detector.cadence_s),
    )


def _sunless(detector: FittedDetector, pulse: Telemetry) -> bool:
    """Whether there is solar power in deep night."""
    usual_kw = detector.level_kw("solar_kw")
    if usual_kw is None or pulse.solar_kw is None or abs(pulse.solar_kw) <= NIGHT_SHARE * usual_kw:
        return False
    return deep_night(pulse.ts_utc, detector.site_tz)
