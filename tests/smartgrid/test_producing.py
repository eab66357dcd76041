"""Where produced pulses come from, how fast they go, and who may write a state directory."""

import math
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.telemetry import Telemetry
from smartgrid.errors import RoleError, ScenarioError
from smartgrid.pulse_sources import series_pulses, simulated_pulses, simulated_start, simulated_step_s
from smartgrid.single_writer import only_stream
from smartgrid.stopping import stop_signal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_blank_of_a_series_stays_missing_in_its_pulse() -> None:
    index = pd.date_range("2024-05-01", periods=2, freq="15min", tz="UTC", name="ts_utc", unit="us")
    frame = pd.DataFrame({"load_kw": [800.0, math.nan], "net_load_kw": [700.0, math.nan]}, index=index)
    first, second = series_pulses(BaseSeries(frame, 900.0), "plant-7")
    assert first == Telemetry("plant-7", datetime(2024, 5, 1, tzinfo=UTC), load_kw=800.0, net_load_kw=700.0)
    assert second == Telemetry("plant-7", datetime(2024, 5, 1, 0, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("sites", "rate", "seconds"), [(1000, 200.0, None), (1000, 20_000.0, 60.0), (10, 1.0, 60.0)]
)
def test_simulated_pulses_end_at_the_present_and_are_never_ahead_of_it(
    sites: int, rate: float, seconds: float | None
) -> None:
    start, step_s = simulated_start(NOW, sites, rate, seconds), simulated_step_s(sites, rate)
    for at_s in (0.0, 0.5 * (seconds or 60.0), seconds or 60.0):
        stamp = start + timedelta(seconds=int(at_s * rate / sites) * step_s)
        assert stamp <= NOW + timedelta(seconds=at_s)


def test_simulated_pulses_faster_than_life_need_an_end() -> None:
    with pytest.raises(ScenarioError, match="--seconds"):
        simulated_start(NOW, 10, 1000.0, None)


def test_simulated_sites_differ_and_their_parts_add_up() -> None:
    pulses = list(islice(simulated_pulses(50, NOW, 5.0), 100))
    assert len({pulse.site for pulse in pulses}) == 50
    assert len({pulse.load_kw for pulse in pulses[:50]}) == 50
    for pulse in pulses:
        assert pulse.load_kw is not None and pulse.solar_kw is not None and pulse.wind_kw is not None
        assert pulse.net_load_kw == pulse.load_kw - pulse.solar_kw - pulse.wind_kw
    assert {pulse.ts_utc for pulse in pulses[50:]} == {NOW + timedelta(seconds=5)}


def test_a_second_stream_on_one_state_is_refused_until_the_first_is_killed(
    tmp_path: Path, repository: Path
) -> None:
    holder = (
        "import sys, pathlib\nfrom smartgrid.single_writer import only_stream\n"
        "with only_stream(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RoleError, match="another stream writes there"), only_stream(tmp_path):
            pass
        process.kill()
    with only_stream(tmp_path):
        pass


def test_a_stop_signal_sets_the_flag_and_the_handler_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signal() as stopped:
        assert not stopped.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stopped.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
