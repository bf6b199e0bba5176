"""How often the ladder fails a twin that is correct, over seeds.

    python benchmarks/false_failures.py [--first 0] [--seeds 10] [--engine keras-jax ...] [--twin gan ...]

Each seed draws other weights, batches and one-ulp perturbations. The script prints each failure, and a count per rung.
"""

import argparse
import contextlib
import os
from collections import Counter

from compare.check import run as check
from compare.engines.engine import choose
from compare.engines.pool import Settings
from compare.record.record import RunRecord
from compare.record.results import RUNGS
from twin.catalogue import TWINS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed, to go on with an earlier run")
    parser.add_argument("--seeds", type=int, default=10, help="how many, counted from 0")
    parser.add_argument("--engine", action="append", default=[])
    parser.add_argument("--twin", action="append", choices=list(TWINS), default=[])
    options = parser.parse_args()
    engines = choose(options.engine)
    twins = [twin for twin in TWINS.values() if not options.twin or twin.name in options.twin]
    measurements = [
        each
        for seed in range(options.first, options.seeds)
        for each in check.plan(twins, engines, "cpu", seed, "small")
        if seed == options.first or TWINS[each.twin].kind == "model"  # exercises have no seed
    ]

    def on_progress(each, word):
        if each.status not in ("not_run", "ok"):
            print(f"{each.twin} {each.engine} {each.dtype} seed {each.seed}: {each.status}. {each.reason}", flush=True)

    record = RunRecord("false failures", measurements, None)
    with contextlib.suppress(KeyboardInterrupt):  # what was measured until then counts
        check.run(record, engines, Settings(jobs=os.cpu_count() or 1), on_progress)
    measured = [each for each in measurements if each.status != "not_run"]
    rungs = [rung for each in measured if each.result for rung in each.result.rungs]
    climbed = Counter(rung.rung for rung in rungs)
    failed = Counter(rung.rung for rung in rungs if rung.status == "failed")
    print(f"{len(measured)} measurements, seeds up to {max((each.seed for each in measured), default=0)}")
    for rung in RUNGS:
        print(f"{rung}: {failed[rung]} failures in {climbed[rung]}")


if __name__ == "__main__":
    main()
