"""How many faults planted into PyTorch's exports are found, and in how many the place is named.

    python benchmarks/export_faults.py --to torch_export --to onnx [--twin lenet ...] [--seconds 600]

Every model twin is written with each fault of tests/helpers/planted_exports.py, one after the other: a wrong layout, a
lost activation, halved precision, a frozen batch, a changed weight and others. A fault counts as found if the cell is
not `ok`, and as located if its reason names the fault and the layer, the array or the axis. What a twin cannot have, as
a lost activation where it has none, is counted apart. The script prints what was missed or not located, and the counts.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.planted_exports import FAULTS, measured, verdict
from twin.catalogue import TWINS

VERDICTS = ("located", "found", "missed", "not planted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", action="append", default=[], help="a format; repeat; default: torch_export")
    parser.add_argument("--twin", action="append", choices=list(TWINS), help="repeat; default: every model")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no twin after that")
    options = parser.parse_args()
    start, counts, twins = time.monotonic(), Counter(), Counter()
    models = sorted((t for t in TWINS.values() if t.kind == "model"), key=lambda t: t.small.parameters or 0)
    for name in options.twin or [twin.name for twin in models]:
        for format in options.to or ["torch_export"]:
            if time.monotonic() - start > options.seconds:
                break
            cells = measured(name, format, [*FAULTS])
            if cells[""].status != "ok":
                print(f"{name} {format}: left out, without a fault it is {cells[''].status}: {cells[''].reason}")
                continue
            twins[format] += 1
            for fault in FAULTS:
                each = verdict(fault, cells[fault], cells[""])
                counts[format, fault, each] += 1
                if each in ("found", "missed"):
                    print(f"{name} {format} {fault}: {each}. {cells[fault].reason}", flush=True)
    print()
    keys = sorted({key[:2] for key in counts})
    print(tabulate([[*key, *(counts[*key, each] for each in VERDICTS)] for key in keys], ["to", "fault", *VERDICTS]))
    planted = sum(count for (*_, each), count in counts.items() if each != "not planted")
    for each in VERDICTS[:3]:
        count = sum(counts[*key, each] for key in keys)
        print(f"{each}: {count} of {planted} ({count / max(planted, 1):.1%})")
    print("twins:", dict(twins))


if __name__ == "__main__":
    main()
