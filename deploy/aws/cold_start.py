"""Measures the function's cold start: a new process that finds the package alone, up to its first event.

    python3.12 deploy/aws/cold_start.py [--build deploy/aws/build] [--times 5]

By the Python that built the package. What it leaves out is Lambda's own start of the environment, and
the reading of the log, which `smartgrid bench stream` measures as it measures any start of a stream.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Final

BUILD: Final = Path(__file__).resolve().parent / "build"
START: Final = """
import json, os, resource, sys, time
began_s = time.perf_counter()
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
import smartgrid.aws.lambda_function
used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - began_s, used_mb]))
"""


def start(build: Path) -> tuple[float, float]:
    """Seconds of one cold start, and MB of memory after it."""
    environment = {"LAMBDA_TASK_ROOT": str(build), "SMARTGRID_KAFKA": "127.0.0.1:1"}
    if "OMP_NUM_THREADS" in os.environ:
        environment["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    done = subprocess.run(  # noqa: S603  our own words alone
        [sys.executable, "-I", "-S", "-c", START],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, used_mb = json.loads(done.stdout)
    return seconds, used_mb


def main() -> None:
    """Measure and say."""
    parser = argparse.ArgumentParser(description="Measure the function's cold start.")
    parser.add_argument("--build", type=Path, default=BUILD, help="the package that build.py made")
    parser.add_argument("--times", type=int, default=5, help="how many starts; the median counts")
    asked = parser.parse_args()
    if not (asked.build / "model").is_dir():
        parser.error(f"{asked.build}: no package there; make it with build.py")
    starts = [start(asked.build.resolve()) for _ in range(asked.times)]
    seconds, used_mb = (median(column) for column in zip(*starts, strict=True))
    sys.stdout.write(f"{seconds:.2f} s, {used_mb:.0f} MB (median of {asked.times} starts)\n")


if __name__ == "__main__":
    main()
