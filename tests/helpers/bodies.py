"""Pairs whose models are layers and a body: what their files share, and two running workers that examine them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination
from compare.verify.verdict import Verdict

OWN = """
import keras
from keras import layers, ops


class Own(keras.layers.Layer):
    def __init__(self, parts, body):
        super().__init__()
        self.parts, self.body = parts, body

    def call(self, x):
        return self.body(x, *self.parts)


def model(shape, parts, body, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, Own(parts, body)(inputs))
"""
TORCH = """
import torch
from torch import nn
from torch.nn import functional as F


class Own(nn.Module):
    def __init__(self, parts, body):
        super().__init__()
        self.parts, self.body = nn.ModuleList(parts), body

    def forward(self, x):
        return self.body(x, *self.parts)
"""


@contextmanager
def examiner(folder: Path, keras: str, torch: str) -> Iterator[Callable[..., Verdict]]:
    """Examines a callable of each file, by name.

    Args:
        folder: where the files are written.
        keras, torch: the code of both; PyTorch's stands behind `TORCH`.
    """
    (folder / "k.py").write_text(keras)
    (folder / "t.py").write_text(TORCH + torch)
    pool = Pool(Settings())
    sessions = [pool.start(ENGINES[name], "cpu") for name in ("keras-torch", "torch")]

    def examine(keras: str, torch: str, shapes: Any, **options: Any) -> Verdict:
        request = examination.Request(f"{folder}/k.py:{keras}", f"{folder}/t.py:{torch}", shapes=shapes, **options)
        return examination.examine(request, *sessions, lambda word: None)

    yield examine
    pool.close()


@contextmanager
def pair_examiner(
    folder: Path, keras: str, torch: str, shapes: Mapping[str, Sequence[int]], whole: Collection[str] = ()
) -> Iterator[Callable[..., Verdict]]:
    """Examines callables that have one name in both files.

    Args:
        folder, keras, torch: as in `examiner`.
        shapes: of each one's input, by name.
        whole: the names of those that take whole numbers.
    """
    with examiner(folder, keras, torch) as examine:
        yield lambda name, **options: examine(
            name, name, (shapes[name],), kinds=["int"] if name in whole else ["float"], **options
        )
