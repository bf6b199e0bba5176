"""How well `twin port --check` finds wrong methods: every twin, every method, five kinds of defect, and empty bodies.

The script first rewrites every file with other names, so that the check can judge a method only by what it computes.
A defect counts as found if two files fail: the whole file, and the twin's own file with only that method replaced. The
other methods are the same for every defect; they are checked once, each alone in the twin's own file, and none may
fail. A defect that changes nothing beyond rounding (1e-12 in PyTorch's float64, 1e-6 in Keras's float32) is counted
apart, as equal.

    python benchmarks/port_sweep.py --to torch --twin lenet --twin mlp
    python benchmarks/port_sweep.py --to keras --seconds 600
"""

import argparse
import ast
import sys
import time
from collections import Counter
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from compare.engines.pool import Pool, Settings  # noqa: E402
from compare.engines.session import Session  # noqa: E402
from compare.port import check as port_check  # noqa: E402
from compare.port import folder as porting  # noqa: E402
from compare.port import skeleton  # noqa: E402
from tests.helpers.wrong_ports import KINDS, disguised, emptied, wrong_ports  # noqa: E402
from twin.catalogue import TWINS  # noqa: E402
from twin.errors import TwinError  # noqa: E402

SAME = {"torch": 1e-12, "keras": 1e-6}  # relative L2, in float64 and float32: two sums in another order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", choices=["torch", "keras"], default="torch")
    parser.add_argument("--twin", action="append", choices=list(TWINS), help="repeat; default: all")
    parser.add_argument("--per-kind", type=int, default=1, help="defects of a kind in a method; 0 for all")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no twin after that")
    options = parser.parse_args()
    start, totals, done = time.monotonic(), Counter(), []
    pool = Pool(Settings(jobs=1, timeout=300))
    sessions: dict[str, Session] = {}  # one of each engine serves all twins

    def work() -> None:
        for name in options.twin or filter(lambda name: porting.has_bodies(TWINS[name]), TWINS):
            if time.monotonic() - start > options.seconds:
                break
            try:
                totals.update(sweep(name, options.to, options.per_kind, pool, sessions))
            except TwinError as error:
                print(f"{name}: {error}", flush=True)
                totals["twin", "not measured"] += 1
                continue
            done.append(name)

    pool.run([work])
    report(totals, done, options.to)


def sweep(name: str, side: str, per_kind: int, pool: Pool, sessions: dict[str, Session]) -> Counter:
    """Counts of (kind, result) for one twin."""
    begun, counts = time.monotonic(), Counter()
    checker = port_check.Checker(TWINS[name], side, 60, pool, sessions)
    own, units = checker.own_text, checker.own
    plain = disguised(own)
    whole = checker.outcome(plain, None)
    tell(name, "filled", "", counts, "filled", "found" if whole.ok else "false alarm", whole.message)
    for unit in units:
        alone = checker.outcome(plain, [unit])
        result = "false alarm" if not alone.ok else "found" if unit in alone.ran else "not run"
        tell(name, unit, "", counts, "alone", result, alone.message)
        states = {verdict.unit: verdict.state for verdict in checker.check(_own_but(own, unit))}
        right = all(state == ("empty" if each == unit else "right") for each, state in states.items())
        tell(name, unit, "", counts, "empty", "found" if right else "missed", str(states))
    seen: Counter = Counter()
    for wrong in wrong_ports(own):
        seen[wrong.unit, wrong.kind] += 1
        if per_kind and seen[wrong.unit, wrong.kind] > per_kind:
            continue
        whole_of = checker.outcome(wrong.text, None)
        if whole_of.ok and wrong.unit in whole_of.ran:
            figures = whole_of.figures.items()
            moved = max((abs(far - whole.figures.get(name, 1.0)) for name, far in figures), default=0.0)
            result = "equal" if moved < SAME[side] else "missed"
        else:
            alone = checker.outcome(wrong.text, [wrong.unit])
            result = "found" if not alone.ok else "not placed" if not whole_of.ok else "not run"
            if result == "not run" and wrong.unit in alone.ran:
                result = "equal"
        where = f"line {wrong.line}"
        tell(name, wrong.unit, where, counts, wrong.kind, result, whole_of.message)
    print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
    return counts


def _own_but(own: str, unit: str) -> str:
    """The twin's own file with one body empty, the others by its own words, so that none has to run."""
    tree = ast.parse(own)
    skeleton.graft(tree, ast.parse(emptied(own, unit)), [unit])
    return ast.unparse(tree)


def tell(name: str, unit: str, where: str, counts: Counter, kind: str, result: str, message: str) -> None:
    """Count a result; print one that is not as it should be."""
    counts[kind, result] += 1
    if result not in ("found", "equal"):
        print(f"{name} {unit} {where} {kind}: {result}. {message[:200]}", flush=True)


def report(totals: Counter, done: list[str], side: str) -> None:
    """The rates."""
    results = ("found", "missed", "not placed", "not run", "false alarm", "equal")
    rows = [(kind, *(totals[kind, result] for result in results)) for kind in ("filled", "alone", "empty", *KINDS)]
    print(f"\nto {side}, {len(done)} twins: {', '.join(done)}\n")
    print(tabulate(rows, headers=("", *results), tablefmt="simple"))
    real = {r: sum(totals[kind, r] for kind in KINDS) for r in results}
    changed = real["found"] + real["missed"] + real["not placed"] + real["not run"]
    if changed:
        print(f"\n{real['found']} of {changed} defects that change anything are found at the right method.")


if __name__ == "__main__":
    main()
