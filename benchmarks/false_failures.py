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
from compare.record.record import Record
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
    cells = [
        cell
        for seed in range(options.first, options.seeds)
        for cell in check.plan(twins, engines, "cpu", seed, "small")
    ]
    cells = [
        cell for cell in cells if cell.seed == options.first or TWINS[cell.twin].kind == "model"
    ]  # exercises have no seed

    def tell(cell, word):
        if cell.status not in ("not_run", "ok"):
            print(f"{cell.twin} {cell.engine} {cell.dtype} seed {cell.seed}: {cell.status}. {cell.reason}", flush=True)

    with contextlib.suppress(KeyboardInterrupt):  # what was measured until then counts
        check.run(Record("false failures", cells, None), engines, Settings(jobs=os.cpu_count() or 1), tell)
    cells = [cell for cell in cells if cell.status != "not_run"]
    climbed = Counter(rung["rung"] for cell in cells for rung in cell.result.get("rungs", []))
    failed = Counter(r["rung"] for cell in cells for r in cell.result.get("rungs", []) if r["status"] == "failed")
    print(f"{len(cells)} cells, seeds up to {max(cell.seed for cell in cells) if cells else 0}")
    for rung in check.ladder.RUNGS:
        print(f"{rung}: {failed[rung]} failures in {climbed[rung]}")


if __name__ == "__main__":
    main()
