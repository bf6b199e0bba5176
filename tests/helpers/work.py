"""How long a twin's training takes, estimated from the catalogue and the measured shapes.

Two things cost: multiplications, and calls of layers. 0.07 s of processor time for each 10^9 multiply-adds and 0.2 ms
for each call of a layer in a step fit what native PyTorch took on one core of an AMD EPYC: googlenet 19 s (estimated
18), vit 11 s (13), gan 4 s (6), lenet 4 s (1).
"""

import math
import re

from compare.reading import shapes
from twin.batches import BATCH
from twin.paths import ROOT, path_of
from twin.spec import Twin

LONG = 3.0
OTHER_DATA = re.compile(r"""^from twin\.data\.|\bload\(["']""", re.MULTILINE)


def is_long(twin: Twin) -> bool:
    """Whether its training belongs to `make test-long`.

    So does one whose file takes other data than its catalogue entry names, a game that it plays or a second data set:
    on how many rows it trains, only its own loop says.
    """
    return is_heavy(twin) or bool(OTHER_DATA.search((ROOT / path_of("torch", twin)).read_text()))


def is_heavy(twin: Twin) -> bool:
    """Whether training on the rows of its data takes long; what was never measured is taken to."""
    measured, rows = shapes.of(twin), shapes.training_rows(twin)
    return measured is None or rows is None or training_seconds(twin, measured["torch"], rows) > LONG


def training_seconds(twin: Twin, measured: shapes.Measured, rows: int) -> float:
    """Processor time of a training on so many rows in native PyTorch, in seconds."""
    steps = math.ceil(rows / twin.batch_size) * twin.epochs
    multiply_adds = rows * twin.epochs * sum(layer.parameters * positions(layer.output) for layer in measured.leaves())
    return 0.07e-9 * multiply_adds + 0.2e-3 * steps * len(measured.leaves())


def positions(shape: shapes.Shape) -> int:
    """At how many places of a row's output a layer uses its weights: pixels of (B, C, H, W), tokens of (B, T, D).

    Regions or frames that a model folded into the batch, which has another size then, count as places.
    """
    folded = int(shape[0]) // BATCH if shape and shape[0] != "B" else 1
    if len(shape) >= 4:
        return folded * math.prod(int(side) for side in shape[2:])
    return folded * (int(shape[1]) if len(shape) == 3 else 1)
