"""The matrix of exports, twin by engine by format, as one record: docs/exports.json.

    python benchmarks/export_matrix.py docs/exports.json [--at-once 4] [--chunks N] [--timeout 120] [--without FORMAT]

Runs `twin export` over the model twins, engines and formats that the record has not, or for which a tool was not
installed, those with the fewest parameters first, a few twins at a time, and adds what it measured: the script may be
ended at any time and started again. Core ML, which nothing here can run, is left out, and `--without aot_inductor`
leaves out what compiles for a minute per file. A record of other versions is not continued. On another machine it is:
what was measured there names it.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from compare.engines.engine import ENGINES
from compare.export import formats
from compare.record.measurement import ExportMeasurement, Node, exports_of
from compare.record.record import Record, read_record
from twin.catalogue import TWINS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--at-once", type=int, default=4, help="twins of one run")
    parser.add_argument("--chunks", type=int, default=sys.maxsize, help="runs after which to stop")
    parser.add_argument("--without", action="append", default=["coreml"], help="a format; repeat")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for each request of a cell")
    options = parser.parse_args()
    names = [name for name in formats.names() if name not in options.without]
    models = sorted((t for t in TWINS.values() if t.kind == "model"), key=lambda t: t.small.parameters or 0)
    tried: set[tuple[str, str]] = set()
    for _ in range(options.chunks):
        whole = read_record(options.out) if options.out.exists() else None
        cells = exports_of(whole.measurements) if whole else []
        done = {(each.twin, each.engine, each.format) for each in cells if not _lacks_a_tool(each)}
        chunk, engines, wanted = following([twin.name for twin in models], names, done, tried)
        if not chunk:
            break
        chunk = chunk[: options.at_once]
        tried |= {(name, engine) for name in chunk for engine in engines}
        with tempfile.TemporaryDirectory() as folder:
            to = [word for name in wanted for word in ("--to", name)]
            to += [word for engine in engines for word in ("--engine", engine)]
            command = [sys.executable, "-m", "compare.cli", "export", *chunk, *to, "--out", folder]
            subprocess.run([*command, "--timeout", str(options.timeout)], check=False, stdout=subprocess.DEVNULL)
            part = read_record(next(Path(folder).glob("export-*.json")))
        print(*chunk, f"from {', '.join(engines)} to {len(wanted)} formats", flush=True)
        options.out.write_text(rounded(joined(whole, part)).to_text())


def following(
    twins: Sequence[str],
    names: Sequence[str],
    done: Collection[tuple[str, str, str]],
    tried: Collection[tuple[str, str]],
) -> tuple[list[str], list[str], list[str]]:
    """What to measure next: twins, engines and formats of which each cell is missing; no twins where all are there.

    Args:
        twins, names: all twins and formats.
        done: twins, engines and formats that have an answer.
        tried: twins and engines that were measured just now: a tool that is still not there leaves its cells missing.
    """
    missing = {
        (twin, engine): [name for name in names if (twin, engine, name) not in done]
        for twin, engine in itertools.product(twins, ENGINES)
        if (twin, engine) not in tried
    }
    first = next((place for place, formats_left in missing.items() if formats_left), None)
    if first is None:
        return [], [], []
    engines = [engine for engine in ENGINES if missing.get((first[0], engine)) == missing[first]]
    alike = [twin for twin in twins if all(missing.get((twin, engine)) == missing[first] for engine in engines)]
    return alike, engines, missing[first]


def joined(whole: Record | None, part: Record) -> Record:
    """Both records in one.

    Raises:
        SystemExit: when the same engine had other versions.
    """
    if any(each.status == "not_run" for each in part.measurements):
        raise SystemExit("interrupted: the last twins are not in the record")
    if whole is None:
        return part
    for engine, versions in part.versions.items():
        if whole.versions.setdefault(engine, versions) != versions:
            raise SystemExit(f"{engine} has other versions than in the record; begin a new one")
    if whole.machine != part.machine:
        for each in exports_of(part.measurements):
            if each.result or each.status == "unsupported":  # the others ran nowhere
                each.node = Node(part.machine.processor or "another machine", part.machine)
    new = {each.key for each in part.measurements}
    whole.measurements = [each for each in whole.measurements if each.key not in new] + part.measurements
    return whole


def _lacks_a_tool(cell: ExportMeasurement) -> bool:
    """Whether a cell has no answer because something was not installed."""
    return cell.status == "skipped" and cell.reason.startswith("not installed")


def rounded(record: Record) -> Record:
    """The record with three digits of each error and time, which is what they are worth: it stays below 1.5 MB."""
    for result in [each.result for each in exports_of(record.measurements) if each.result]:
        for part in (result, *result.errors):
            for name, value in vars(part).items():
                if isinstance(value, float):
                    setattr(part, name, float(f"{value:.3g}"))
    return record


if __name__ == "__main__":
    main()
