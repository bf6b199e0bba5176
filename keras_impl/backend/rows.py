"""Batches that Python feeds to `fit`, for the backends that have no data pipeline of their own."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class Rows(keras.utils.PyDataset):
    """The rows of arrays, in a given order for each epoch.

    Args:
        pairs: inputs and targets.
        orders: of the rows, one for each epoch.
        batch_size: rows of a batch.
    """

    def __init__(self, pairs: Any, orders: Sequence[np.ndarray], batch_size: int):
        super().__init__()
        self.pairs, self.orders, self.batch_size = pairs, orders, batch_size
        self.epoch, self.complete = 0, False

    def __len__(self) -> int:
        return -(-len(self.orders[0]) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        self.complete = index == len(self) - 1
        rows = self.orders[self.epoch][index * self.batch_size : (index + 1) * self.batch_size]
        return keras.tree.map_structure(lambda array: array[rows], self.pairs)

    def on_epoch_end(self) -> None:
        if self.complete:  # fit takes a first batch before it starts, to see shapes, and calls this then too
            self.epoch = min(self.epoch + 1, len(self.orders) - 1)
