"""How often the bench is wrong: it calls the same code different, or misses code that is a tenth slower.

    python benchmarks/verdicts.py same [--runs 20] [--twin lenet]
    python benchmarks/verdicts.py slower [--runs 20] [--twin lenet]

`same` times native PyTorch against itself, with three process runs as in --quick, but with verdicts; 'faster' and
'slower' are then wrong. `slower` times it against itself with a tenth added to each call, with the default settings;
everything but 'slower' is then wrong. The script prints a line after each run, and the count at the end. It is no
test, because it depends on times.
"""

import argparse
import time
from dataclasses import replace

from compare.bench import run as bench
from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.record.record import RunRecord
from compare.record.results import SpeedRatio
from twin.catalogue import find

NATIVE = ENGINES["torch"]
OTHERS = {
    "same": replace(NATIVE, name="torch:again"),
    "slower": replace(NATIVE, name="torch:slowed", module="benchmarks.slowed_worker"),
}
QUICK_PROCESS_RUNS = {"same": bench.QUICK_PROCESS_RUNS, "slower": None}
WRONG = {"same": ("faster", "slower"), "slower": ("faster", "equal", "inconclusive", "unstable", "none")}


def verdict(kind: str, name: str, seed: int) -> tuple[str, SpeedRatio, float]:
    """The bench's verdict on the other engine's step, the figures, and the seconds it took."""
    start = time.monotonic()
    measurements = bench.plan([find(name)], [NATIVE, OTHERS[kind]], "cpu", seed, "small")
    record = RunRecord("bench", measurements, None)
    options = bench.Options(quantities=("step",), process_runs=QUICK_PROCESS_RUNS[kind])
    by_name = {"torch": NATIVE, OTHERS[kind].name: OTHERS[kind]}
    timed = bench.Bench(find(name), measurements, by_name, record, Settings(jobs=1), options, lambda each, word: None)
    timed.run()
    found = measurements[1].result.ratios["step"]
    return found.verdict, found, time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=OTHERS)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--twin", default="lenet")
    options = parser.parse_args()
    wrong = 0
    for run in range(options.runs):
        word, found, seconds = verdict(options.kind, options.twin, run)
        wrong += word in WRONG[options.kind]
        print(
            f"{run + 1:2} {word:12} {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] "
            f"noise band {found.noise_band:.3f}, {found.process_runs} process runs, {seconds:.0f} s",
            flush=True,
        )
    print(f"{options.kind}: {wrong} wrong of {options.runs}")


if __name__ == "__main__":
    main()
