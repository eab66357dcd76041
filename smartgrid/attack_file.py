"""Writes a CSV again with labelled attacks on one of its columns, all else as it was."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from grid.csv_layout import read_layout
from grid.csv_series import CsvSeries, read_csv_series
from grid.csv_text import read_content, split_lines
from grid.csv_values import parse_times, time_kinds, zone_of
from grid.units import require_utc
from pipeline.fdia.attacks import AttackEvent, AttackKind, Signal, inject, plan_events
from pipeline.fdia.errors import AttackError
from pipeline.fdia.layout import Floats, Layout
from pipeline.fdia.path_model import one_step_sigma_kw
from pipeline.fdia.regular import RegularSeries, to_regular
from pipeline.whole_file import write_whole
from smartgrid.errors import ReportError

DIGITS = 12


@dataclass(frozen=True)
class AttackPlan:
    """Attacks on a file's channel.

    Attributes:
        found: the file as it was read.
        column: the attacked channel's column, by its name in the file.
        series: the channel on its grid.
        attacked_kw: its rows with the attacks.
        events: rows of the grid.
    """

    found: CsvSeries
    column: str
    series: RegularSeries
    attacked_kw: Floats
    events: tuple[AttackEvent, ...]


def plan_attacks(
    file: Path,
    *,
    channel: str,
    kinds: Sequence[AttackKind],
    seed: int,
    start: datetime,
    mapping: Mapping[str, str],
    tz: str | None,
    site_tz: str,
) -> AttackPlan:
    """Read a file and place attacks on one channel from ``start`` on.

    Raises:
        AttackError: if the file has no such channel, or the events do not fit.
        CsvError: if it cannot be read.
    """
    moment = pd.Timestamp(require_utc(start, "--from"))
    found = read_csv_series(file, mapping=mapping, tz=tz)
    use = found.report.columns.get(channel)
    if use is None or f"{channel}_kw" not in found.series.frame:
        known = ", ".join(name for name in found.report.columns if f"{name}_kw" in found.series.frame)
        raise AttackError(f"--channel {channel!r}: the file has {known or 'none'}; choose one of them")
    series, _ = to_regular(found.series, [f"{channel}_kw"])
    first = int(series.stamps.searchsorted(moment))
    rng = np.random.default_rng(seed)
    events = plan_events(first, len(series), series.cadence_s, kinds, rng)
    attacked = inject(_signal(series, first, site_tz), events, rng)
    return AttackPlan(found, use.column, series, attacked, tuple(events))


def _signal(series: RegularSeries, first: int, site_tz: str) -> Signal:
    values = series.values_kw[0]
    layout = Layout(series.cadence_s, site_tz)
    before = values[:first] if (~np.isnan(values[:first])).any() else values
    return Signal(
        values_kw=values,
        day_rows=layout.day_rows,
        mean_abs_kw=float(np.nanmean(np.abs(before))),
        sigma_kw=one_step_sigma_kw(before, layout.calendar(series.stamps[: len(before)]), layout),
    )


def write_attacks(
    plan: AttackPlan, file: Path, out: Path, *, channel: str, mapping: Mapping[str, str], tz: str | None
) -> None:
    """Write ``attacked.csv`` and ``labels.csv``.

    Raises:
        ReportError: if the directory cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "attacked.csv", _attacked_text(plan, file, mapping, tz).encode())
        write_whole(out / "labels.csv", labels_of(plan, channel).to_csv(index=False).encode())
    except OSError as error:
        raise ReportError(f"--out {out}: cannot be written ({error.strerror}); choose another") from error


def labels_of(plan: AttackPlan, channel: str) -> pd.DataFrame:
    """The events as ``labels.csv`` states them."""
    starts = plan.series.stamps[[event.start for event in plan.events]]
    lengths = pd.to_timedelta(
        [(event.end - event.start) * plan.series.cadence_s for event in plan.events], unit="s"
    )
    return pd.DataFrame(
        {
            "start_utc": starts.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "end_utc": (starts + lengths).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "channel": channel,
            "kind": [event.kind.name for event in plan.events],
            "magnitude": [event.magnitude for event in plan.events],
        }
    )


def _attacked_text(plan: AttackPlan, file: Path, mapping: Mapping[str, str], tz: str | None) -> str:
    lines = [text for _, text in split_lines(read_content(file))]
    layout = read_layout((1, lines[0]), mapping)
    column = next(column for column in layout.columns if column.name == plan.column)
    rows = [next(csv.reader([line], skipinitialspace=True), []) for line in lines[1:]]
    cells = [row[layout.time_at].strip() if len(row) > layout.time_at else "" for row in rows]
    times, _ = parse_times(cells, time_kinds(cells), zone_of(tz) or zone_of("UTC"))  # type: ignore[arg-type]
    false_kw = _changed(plan)
    written = [lines[0]]
    for line, row, time in zip(lines[1:], rows, times, strict=True):
        value_kw = false_kw.get(time)
        if value_kw is None or len(row) != len(layout.header):
            written.append(line)
            continue
        row[column.position] = f"{value_kw / column.scale:.{DIGITS}g}"
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow(row)
        written.append(buffer.getvalue())
    return "\n".join(written) + "\n"


def _changed(plan: AttackPlan) -> dict[np.datetime64, float]:
    truth, false = plan.series.values_kw[0], plan.attacked_kw
    rows = np.flatnonzero((truth != false) & ~np.isnan(truth))
    times = plan.series.stamps.tz_convert(None).as_unit("us").to_numpy()[rows]
    return dict(zip(times, false[rows].tolist(), strict=True))
