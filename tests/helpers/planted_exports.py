"""Files of PyTorch's twins with planted faults, and what `twin export` has to say of each fault and of its place."""

import re
from dataclasses import replace
from importlib.util import find_spec

import pytest

from compare.engines import pool
from compare.engines.engine import ENGINES
from compare.export import run
from compare.record.measurement import ExportMeasurement
from compare.record.record import RunRecord
from tests.helpers.faulty_export import ACTIVATIONS, FaultyExporting, batch_of
from tests.helpers.in_process import in_process
from twin.catalogue import TWINS

ONNX = pytest.mark.skipif(
    not all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))), reason="needs the extra export"
)
# Fault -> what names it and its place, as a regular expression; WEIGHT stands for the array that was changed, and
# ACTIVATION for what was left out.
FAULTS = {
    "layout": "wrong layout: the file takes height and width in the other order",
    "reversed": "wrong layout: the file takes the channels in the other order",
    "lost0": "lost activation: without ACTIVATION|lost activation: after ",
    "lost1": "lost activation: without ACTIVATION|lost activation: after ",
    "activation": "an activation too many: the file's outputs are tanh",
    "half": "reduced precision: with weights rounded to float16",
    "bfloat": "reduced precision: with weights rounded to bfloat16",
    "training": "training mode: the model gives the file's outputs with the statistics of the batch",
    "batch": "frozen batch: the file takes 1 row and no 16",
    "weight": "changed weight: the file has other values for 3 of the WEIGHT",
    "other": r"has other weights, or is of another model|other values for ([\d,]+) of the \1 values",
    "twin": "(the file|it) is of another model",
    "damaged": "damaged: the runtime cannot load",
    "runtime": "its graph or its runtime is another|wrong runtime: another implementation of the format gives",
    "restless": "wrong runtime: the same batch twice",
}


def measured(name: str, format: str, faults: list[str]) -> dict[str, ExportMeasurement]:
    """Fault -> what `twin export` measured of the twin's file that has it; "" is the file without one."""
    engines = [replace(ENGINES["torch"], name=f"torch:{fault}" if fault else "torch") for fault in ("", *faults)]
    record = RunRecord("export", run.plan([TWINS[name]], engines, [format], "cpu", 0), None)
    with pytest.MonkeyPatch.context() as patches:
        for module in (run, pool):
            patches.setattr(module, "Worker", in_process(FaultyExporting))
        run.run(record, engines, pool.Settings(), lambda measurement, word: None)
    return dict(zip(("", *faults), record.measurements, strict=True))


def verdict(fault: str, cell: ExportMeasurement, whole: ExportMeasurement) -> str:
    """What became of a planted fault: located, found, missed, or "not planted" where that twin cannot have it.

    Args:
        fault: its name.
        cell: the file that has it.
        whole: that without a fault.
    """
    if cell.status == "unsupported" or (fault == "batch" and whole.result and whole.result.batch == "fixed"):
        return "not planted"
    if cell.status == "ok":
        return "missed"
    return "located" if re.search(words(fault, cell.twin), cell.reason) else "found"


def words(fault: str, name: str) -> str:
    """The regular expression that names a fault of a twin and its place."""
    if fault != "weight" and not fault.startswith("lost"):
        return FAULTS[fault]
    from torch_impl import ablation, train

    twin = TWINS[name]
    run = train.build(twin, twin.ladder_arguments("small"))
    if fault == "weight":
        weights = [(path, p.numel()) for path, p in run.model.named_parameters() if p.ndim > 1]
        path, size = weights[len(weights) // 2]
        return FAULTS[fault].replace("WEIGHT", f"{size:,} values of {re.escape(path)}$")
    met, _ = ablation.forward_without(run, batch_of(run), -1)
    places = [place for place, each in enumerate(met) if each.split(" at ")[0] in ACTIVATIONS]  # no softmax is planted
    place = places[int(fault.removeprefix("lost"))]
    return FAULTS[fault].replace("ACTIVATION", re.escape(f"{met[place]} ({place + 1} of {len(met)})"))
