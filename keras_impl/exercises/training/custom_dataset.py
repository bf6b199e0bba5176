"""Data sets of one's own: from arrays, from a folder of pictures, from a table, in batches to the network.

A data set says how many items it has and gives one by its number; a loader asks for them in some order, makes batches,
and lets workers read ahead. Here the same real digits come to a model in three ways, and are the same. The order of an
epoch is made outside, from its number, so that both frameworks see the same; with two workers it stays. The last
batch is smaller, or dropped.

Paszke et al., "PyTorch: an imperative style, high-performance deep learning library" (2019), section 4.2, for the two
methods that make a data set. PyTorch has a Dataset of items, and a DataLoader with processes as workers. Keras has a
PyDataset of batches, with threads as workers, which work only within `fit`, `evaluate` and `predict`; and its
`fit(shuffle=True)` shuffles the batches of a PyDataset, not the items in them.

Slides: deck E, "Custom Dataset" and "DataLoader", where each item is moved to the GPU alone, the slow way (here a batch
is moved, by whoever trains), and homework 1 with the table of the Digit Recognizer; deck B, ImageFolder.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from keras import layers, ops

from twin.data import folders, tables

BATCH = 32
CLASSES = tuple("0123456789")


def run(x, y):
    """(N, 64) pictures in [0, 1] and (N,) labels to what reaches a model of them, and the sizes of its batches."""
    pixels, labels = as_bytes(x), to_numpy(y)
    with TemporaryDirectory() as folder:
        pictures, table = Path(folder) / "pictures", Path(folder) / "table.csv"
        folders.write(pictures, pixels.reshape(-1, 8, 8), labels, CLASSES)
        tables.write(table, labels, pixels)
        datasets = {"arrays": Arrays(to_numpy(x), labels), "folder": PictureFolder(pictures), "table": Table(table)}
        out = {}
        for name, dataset in datasets.items():
            for epoch, workers in ((0, 0), (1, 2)):
                batches = loader(dataset, shuffled(dataset, epoch), workers, drop_last=False)
                out[f"{name}_{epoch}"], out[f"{name}_labels_{epoch}"] = received(batches)
        for drop_last in (False, True):
            batches = loader(datasets["arrays"], shuffled(datasets["arrays"], 0), 0, drop_last)
            out["sizes_dropped" if drop_last else "sizes"] = sizes(batches)
    return out


def as_bytes(x):
    """Shares of full strength, in sixteenths, to bytes."""
    return np.rint(to_numpy(x) * 240).astype(np.uint8)


def as_floats(pixels):
    """Bytes to (64,) shares of full strength."""
    return (pixels.reshape(-1) / 240).astype(np.float32)


def to_numpy(tensor):
    """A tensor as an array."""
    return ops.convert_to_numpy(tensor)


class Arrays:
    """Items that are in memory."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class PictureFolder:
    """Pictures that are read when they are asked for; a folder is a class."""

    def __init__(self, root):
        self.folder = folders.scan(root)

    def __len__(self):
        return len(self.folder.files)

    def __getitem__(self, index):
        return as_floats(folders.read(self.folder.files[index])), self.folder.labels[index]


class Table:
    """Rows of a table, read once."""

    def __init__(self, path):
        self.labels, self.pixels = tables.read(path)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return as_floats(self.pixels[index]), self.labels[index]


class Batches(keras.utils.PyDataset):  # differs: PyTorch's DataLoader does this
    """Items in a given order, in batches."""

    def __init__(self, dataset, order, drop_last, **options):
        super().__init__(**options)
        self.dataset = dataset
        rows = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        self.rows = rows[:-1] if drop_last and len(rows[-1]) < BATCH else rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        x, y = zip(*(self.dataset[row] for row in self.rows[index]), strict=True)
        return np.stack(x), np.stack(y)


def shuffled(dataset, epoch):
    """The order of the items in that epoch."""
    return np.random.default_rng(epoch).permutation(len(dataset))


def loader(dataset, order, workers, drop_last):
    """Batches of items in that order, read ahead by so many workers."""
    return Batches(dataset, order, drop_last, workers=max(1, workers))  # differs: no worker is 1 in Keras, 0 in PyTorch


def received(batches):
    """What reaches a model, in its order: (N, 64) pictures and (N,) labels."""
    # differs: Keras's workers need a model that asks for batches
    model = keras.Sequential([keras.Input((64,)), layers.Identity()])
    x = model.predict(batches, verbose=0)  # differs: outside a model, Keras's workers do not work
    return ops.convert_to_tensor(x), ops.convert_to_tensor(np.concatenate([batches[i][1] for i in range(len(batches))]))


def sizes(batches):
    """The number of items in each batch."""
    return ops.convert_to_tensor([len(batches[i][1]) for i in range(len(batches))], dtype="int32")
