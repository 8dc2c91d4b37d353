"""Time to `--help`: strikelake beside prefect and mlflow, in one run. Exits 1 above half a second."""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 7
TARGET_SECONDS = 0.5
COMMANDS = ("strikelake", "prefect", "mlflow")


def seconds(program: str) -> float:
    """Return the wall time of one `--help`."""
    command = [str(Path(sys.executable).with_name(program)), "--help"]
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - programs of this environment
    return time.perf_counter() - began


def main() -> None:
    """Print the table and fail where the target is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    taken: dict[str, list[float]] = {program: [] for program in COMMANDS}
    for program in COMMANDS:
        seconds(program)
    for _ in range(RUNS):
        for program in COMMANDS:
            taken[program].append(seconds(program))
    medians = {program: statistics.median(values) for program, values in taken.items()}
    print(f"{'program':<12}{'median s':>10}{'min s':>8}{'ratio':>8}")
    for program, median in medians.items():
        ratio = median / medians["strikelake"]
        print(f"{program:<12}{median:>10.3f}{min(taken[program]):>8.3f}{ratio:>8.1f}")
    if medians["strikelake"] > TARGET_SECONDS:
        sys.exit(f"missed: --help took {medians['strikelake']:.3f} s, the target is {TARGET_SECONDS} s")


if __name__ == "__main__":
    main()
