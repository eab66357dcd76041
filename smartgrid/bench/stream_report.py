"""What ``bench stream`` says: one row a way of working and number of sites, and the ratios."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from smartgrid.bench.stream import SizeResult, StreamResult
from smartgrid.bench.stream_worker import WorkerReport


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one way of working was, as medians over the repeats.

    Attributes:
        sites: how many there were.
        way: ``engine``, ``floor``, ``two engines``, ``engine, false data`` or ``pandas``.
        events: measured in one repeat.
        events_per_s: by the wall clock; of two engines together, from the first's start to the
            last's end.
        cpu_us: CPU microseconds an event, of all threads of the worker.
        cores: CPU seconds a second of wall time.
    """

    sites: int
    way: str
    events: int
    events_per_s: float
    cpu_us: float
    cores: float


@dataclass(frozen=True, slots=True)
class Ratios:
    """Medians over the repeats; each repeat's workers ran one after the other.

    Attributes:
        engine_to_floor: events a second.
        engine_to_floor_cpu: the same by CPU seconds, which a busy machine disturbs less.
        engine_to_pandas: events a second.
        two_to_one: events a second of two engines against one.
        two_to_one_cpu: CPU seconds an event of one engine against two; 1 where nothing is lost.
    """

    engine_to_floor: float
    engine_to_floor_cpu: float
    engine_to_pandas: float
    two_to_one: float
    two_to_one_cpu: float


@dataclass(frozen=True, slots=True)
class ScoringCost:
    """The engine with false data looked for at every site, beside the engine alone; medians.

    Attributes:
        to_engine: events a second.
        to_engine_cpu: the same by CPU seconds.
        cpu_us: CPU microseconds more an event.
        state_bytes_per_site: bytes more a site.
    """

    to_engine: float
    to_engine_cpu: float
    cpu_us: float
    state_bytes_per_site: float


Repeats = Sequence[Sequence[WorkerReport]]


def speeds(result: StreamResult) -> list[Speed]:
    """All rows of the table."""
    rows = []
    for size in result.sizes:
        for way, repeats in _ways(size).items():
            rows.append(_speed(size.sites, way, repeats))
    return [*rows, _speed(1, "pandas", [[result.pandas]])]


def ratios(result: StreamResult, size: SizeResult) -> Ratios:
    """How the engine compares at one number of sites."""
    one, bare, two, *_ = _ways(size).values()
    return Ratios(
        engine_to_floor=_ratio(_rate, one, bare),
        engine_to_floor_cpu=_ratio(_cpu_us, bare, one),
        engine_to_pandas=median(map(_rate, one)) / _rate([result.pandas]),
        two_to_one=_ratio(_rate, two, one),
        two_to_one_cpu=_ratio(_cpu_us, one, two),
    )


def scoring_cost(size: SizeResult) -> ScoringCost | None:
    """What looking for false data costs at one number of sites; None where it was not measured."""
    if not size.scoring:
        return None
    one, *_, scored = _ways(size).values()
    last, bare = size.scoring[-1], size.engine[-1]
    return ScoringCost(
        to_engine=_ratio(_rate, scored, one),
        to_engine_cpu=_ratio(_cpu_us, one, scored),
        cpu_us=median(map(_cpu_us, scored)) - median(map(_cpu_us, one)),
        state_bytes_per_site=(last.state_bytes or 0) / last.sites - (bare.state_bytes or 0) / bare.sites,
    )


def _ratio(measure: Callable[[Sequence[WorkerReport]], float], a: Repeats, b: Repeats) -> float:
    return median(measure(x) / measure(y) for x, y in zip(a, b, strict=True))


def memory(size: SizeResult) -> dict[str, float | None]:
    """Bytes a site: of the sites' arrays, and by how much the process grew."""
    last = size.engine[-1]
    return {
        "state_bytes_per_site": None if last.state_bytes is None else last.state_bytes / last.sites,
        "rss_growth_bytes_per_site": None
        if last.rss_growth_bytes is None
        else last.rss_growth_bytes / last.sites,
    }


def notes(result: StreamResult) -> list[str]:
    """What stands below the table: ratios, latency, memory, and how busy the machine was."""
    lines = []
    for size in result.sizes:
        windows = (
            "full windows" if size.dense else "windows of the values that the pulses look for or push out"
        )
        lines += [
            f"{size.sites:,} sites ({windows}):",
            *(f"  {line}" for line in (_compared(result, size), _waited(size), _held(size), *_scored(size))),
        ]
    return [
        *lines,
        f"{result.cores} cores; load average {result.busy_cores:.1f} at the start, and the broker uses some. "
        "Where cores are not free, compare by CPU.",
    ]


def _compared(result: StreamResult, size: SizeResult) -> str:
    found = ratios(result, size)
    return (
        f"engine / floor {found.engine_to_floor:.0%} (by CPU {found.engine_to_floor_cpu:.0%}); "
        f"engine / pandas {found.engine_to_pandas:,.0f} ×; "
        f"two engines / one {found.two_to_one:.2f} × (by CPU {2 * found.two_to_one_cpu:.2f} ×)"
    )


def _waited(size: SizeResult) -> str:
    found = size.latency
    return (
        f"produce to forecast at {found.rate_per_s:,.0f} events/s: "
        f"p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms, longest {found.max_ms:.0f} ms"
    )


def _held(size: SizeResult) -> str:
    found = {name: "–" if value is None else f"{value:,.0f}" for name, value in memory(size).items()}
    return (
        f"memory a site: {found['state_bytes_per_site']} bytes of state; the process grew by "
        f"{found['rss_growth_bytes_per_site']} bytes a site, what Kafka's client fetches ahead included"
    )


def _scored(size: SizeResult) -> list[str]:
    found = scoring_cost(size)
    if found is None:
        return []
    return [
        f"false data looked for at every site: {found.to_engine:.0%} of the engine's events/s (by CPU "
        f"{found.to_engine_cpu:.0%}), {found.cpu_us:.1f} µs an event and "
        f"{found.state_bytes_per_site:,.0f} bytes a site more"
    ]


def document(result: StreamResult) -> dict[str, object]:
    """Everything, as ``--json`` prints it."""
    return {
        "trees": result.trees,
        "cores": result.cores,
        "load_average": result.busy_cores,
        "prefixes": [size.prefix for size in result.sizes],
        "speeds": [asdict(row) for row in speeds(result)],
        "sizes": [
            {
                "sites": size.sites,
                "windows": "dense" if size.dense else "sparse",
                "ratios": asdict(ratios(result, size)),
                "latency": asdict(size.latency),
                **memory(size),
                **({} if (found := scoring_cost(size)) is None else {"false_data": asdict(found)}),
                "runs": {
                    way: [[asdict(report) for report in reports] for reports in repeats]
                    for way, repeats in _ways(size).items()
                },
            }
            for size in result.sizes
        ],
    }


def _ways(size: SizeResult) -> dict[str, Repeats]:
    return {
        "engine": [[report] for report in size.engine],
        "floor": [[report] for report in size.floor],
        "two engines": size.two,
        **({"engine, false data": [[report] for report in size.scoring]} if size.scoring else {}),
    }


def _speed(sites: int, way: str, repeats: Repeats) -> Speed:
    return Speed(
        sites,
        way,
        sum(report.events for report in repeats[0]),
        median(map(_rate, repeats)),
        median(map(_cpu_us, repeats)),
        median(map(_cores, repeats)),
    )


def _wall_s(reports: Sequence[WorkerReport]) -> float:
    return max(report.ended for report in reports) - min(report.begun for report in reports)


def _rate(reports: Sequence[WorkerReport]) -> float:
    return sum(report.events for report in reports) / _wall_s(reports)


def _cpu_us(reports: Sequence[WorkerReport]) -> float:
    return 1e6 * sum(report.cpu_s for report in reports) / sum(report.events for report in reports)


def _cores(reports: Sequence[WorkerReport]) -> float:
    return sum(report.cpu_s for report in reports) / _wall_s(reports)
