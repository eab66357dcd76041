"""Several days, one after the other, each in a ledger and a store of its own."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from policies.limits import Limits
from smartgrid.day.preparation import Knowledge, learn, prepare
from smartgrid.day.result import DayResult
from smartgrid.day.runner import Watcher, run_day
from smartgrid.day.scenario import Scenario
from smartgrid.errors import ScenarioError


def run_days(
    scenarios: Sequence[Scenario],
    limits: Limits,
    *,
    price_seed: int = 0,
    with_operator: bool = True,
    state: Path | None = None,
    watch: Watcher | None = None,
    on_training: Callable[[Scenario], None] = lambda _scenario: None,
) -> list[DayResult]:
    """Run days; what each may know is learnt from its own training rows.

    Args:
        scenarios: the days.
        limits: as the operator wrote them.
        price_seed: of synthetic prices.
        with_operator: whether a simulated operator approves what waits.
        state: where each day's ledger and store are kept, in a folder of the day's name; nowhere when None.
        watch: told at each interval's border.
        on_training: told before a model is trained.

    Raises:
        ScenarioError: if a day's folder is there already.
    """
    results: list[DayResult] = []
    known: tuple[Scenario, Knowledge] | None = None
    for scenario in scenarios:
        if known is None or known[0].training is not scenario.training or known[0].tz != scenario.tz:
            on_training(scenario)
            learnt = learn(scenario.training, tz=scenario.tz.key, limits=limits, price_seed=price_seed)
            known = scenario, learnt
        day = prepare(scenario, known[1], price_seed)
        with _folder(state, scenario.name) as folder:
            results.append(asyncio.run(run_day(day, folder, with_operator=with_operator, watch=watch)))
    return results


@contextmanager
def _folder(state: Path | None, name: str) -> Iterator[Path]:
    if state is None:
        with TemporaryDirectory(prefix="smartgrid-day-") as folder:
            yield Path(folder)
        return
    kept = state / name.replace(" ", "-")
    try:
        kept.mkdir(parents=True)
    except FileExistsError:
        raise ScenarioError(f"--state: {kept} is there already; remove it or choose another") from None
    except OSError as error:
        raise ScenarioError(f"--state: {kept} cannot be made ({error.strerror})") from None
    yield kept
