"""A judge whose sites are judged by others in between: the same verdicts, and no past read anew."""

from datetime import datetime
from pathlib import Path

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.fdia.fitted import FittedDetector
from pipeline.model import ForecastModel
from pipeline.pulse_judge import PulseJudge
from pipeline.sqlite_store import SqliteStore
from pipeline.verdict import Verdict
from tests.pipeline.fdia.conftest import CADENCE_S
from tests.pipeline.fdia.test_pulse_judge import SITES, _filled, arrivals, forecaster, verdicts, whole
from tests.pipeline.shared_log import SharedLog
from tests.pipeline.test_partition_ahead import TurnReader

__all__ = ["arrivals", "forecaster", "whole"]  # fixtures


class CountingStore(SqliteStore):
    """Counts how often verdicts are read."""

    reads = 0

    def verdicts(self, site: str, start: datetime, end: datetime) -> list[Verdict]:
        self.reads += 1
        return super().verdicts(site, start, end)


def test_judges_that_take_turns_find_what_one_finds_and_read_a_sites_past_once_a_week(
    arrivals: tuple[list[Telemetry], list[Telemetry]],
    whole: dict[str, list[Verdict]],
    forecaster: ForecastModel,
    fitted: FittedDetector,
    tmp_path: Path,
) -> None:
    store = CountingStore(tmp_path / "telemetry.db")
    with store:
        log = _filled(store, arrivals)
        readers = [TurnReader(log) for _ in range(2)]
        engines = [StreamEngine(reader, store, forecaster) for reader in readers]
        for engine in engines:
            engine.judge_by(PulseJudge(fitted, CADENCE_S, SITES))
        turn = 0
        while not log.finished():
            _turn(readers[turn % 2], engines[turn % 2], log)
            turn += 1
        assert turn > 6
        assert store.reads == len(SITES) * 2 * 2  # by each of two judges, in each of two weeks
        assert verdicts(store) == whole


def _turn(reader: TurnReader, engine: StreamEngine, log: SharedLog) -> None:
    """Catch up, then one batch."""
    for number in range(log.partitions):
        reader.turn(number)
    while not log.finished() and not engine.run_once(90).polled:
        pass
