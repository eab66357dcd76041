"""Instances that take turns at a partition: each goes along with what the others finished."""

from collections.abc import Sequence
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.engine import BatchReport
from pipeline.messages import FORECASTS_TOPIC
from pipeline.model import ForecastModel
from pipeline.transport import PartitionAhead, PartitionChange
from tests.pipeline.shared_log import Reader, SharedLog
from tests.pipeline.test_recovery import Life, forecasts, harsh_log, letters, uninterrupted


class TurnReader(Reader):
    """Told at each of its turns how far the partition is finished."""

    def __init__(self, log: SharedLog) -> None:
        super().__init__(log)
        self._ahead: list[PartitionAhead] = []

    def turn(self, number: int) -> None:
        finished = self._log.committed.get(number, 0)
        if number not in self.position:
            self.give(number)
        elif self.position[number] < finished:
            self._ahead.append(PartitionAhead(number, finished))

    def changes(self) -> Sequence[PartitionChange]:  # type: ignore[override]  # it says more than the others
        found, self._ahead = self._ahead, []
        return [*super().changes(), *found]


class Instance(Life):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.reader: TurnReader = TurnReader(self.log)
        self.engine._transport = self.reader

    def turn(self, number: int, batch: int) -> BatchReport:
        """Catch up and do one batch of a partition."""
        self.reader.turn(number)
        others = {
            other: self.reader.position.pop(other) for other in [*self.reader.position] if other != number
        }
        report = BatchReport()
        while not report.polled and self.reader.position[number] < len(self.log.records.get(number, [])):
            report += self.engine.run_once(batch)
        self.reader.position |= others
        return report


@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 10_000), turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=40)
)
def test_forecasts_of_instances_that_take_turns_are_those_of_one_bit_for_bit_and_made_once(
    seed: int, turns: list[tuple[int, int]], model: ForecastModel
) -> None:
    pulses, random = harsh_log(seed), Random(seed)
    whole = uninterrupted(pulses, model)
    log = SharedLog()
    log.append(pulses)
    instances = [Instance(log, model) for _ in range(3)]
    total = BatchReport()
    for index, batch in turns:
        total += instances[index].turn(random.randrange(2), batch)
    for number in range(log.partitions):
        while log.committed.get(number, 0) < len(log.records[number]):
            total += instances[random.randrange(3)].turn(number, 200)
    for instance in instances:
        instance.end()
    assert forecasts(log) == forecasts(whole)
    assert letters(log) == letters(whole)
    assert len(log.produced) == len(whole.produced)
    assert total.polled == len(pulses)
    assert sum(topic == FORECASTS_TOPIC for topic, _ in log.produced) == total.forecasts
