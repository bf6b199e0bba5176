"""The mushroom body of a fly larva: every neuron, and by how many synapses each speaks to each (files/README.md).

Whoever has a graph of their own gives its edges to `adjacency`, which says what is wrong with them.
"""

from pathlib import Path

import numpy as np

from twin.data import Arrays, Dataset, shipped
from twin.errors import TwinError

FILE = shipped.FOLDER / "mushroom_body.npz"
SHA256 = "734b129948dab71dd2a456e62d7f3f97ceb913e3be8edf2be42cdcb0b8678c31"
TYPES = ("Kenyon cell", "projection neuron", "output neuron", "input neuron")


def load(nodes: int = 100, train_count: int = 320, test_count: int = 64, seed: int = 0) -> Dataset:
    """Graphs `x` (N, nodes, nodes), log(1 + synapses) from row to column, and the neurons' types `y` (N, nodes).

    Each graph has as many neurons of one hemisphere, drawn at random and in random order, and all edges between them;
    every neuron has at least one.
    The train part's are from the left hemisphere, the test part's from the right: no neuron is in both.

    Args:
        nodes: neurons of a graph, at most 209.
        train_count, test_count: how many graphs.
        seed: of the draws.
    """
    arrays, random = read(), np.random.default_rng(seed)
    parts = []
    for side, count in (("left", train_count), ("right", test_count)):
        synapses, kinds = arrays[f"{side}_synapses"], arrays[f"{side}_types"]
        linked = ((synapses != 0) | (synapses != 0).T).astype(np.float32)  # in either direction
        chosen = [_drawn(linked, nodes, random) for _ in range(count)]
        x = np.log1p(np.stack([synapses[np.ix_(each, each)] for each in chosen]).astype(np.float32))
        parts.append({"x": x, "y": np.stack([kinds[each] for each in chosen]).astype(np.int32)})
    provenance = (
        "real, shipped in twin-suite from graspologic 3.4.4: the mushroom body of a Drosophila larva, both hemispheres"
    )
    return Dataset(provenance, *parts)


def read(file: Path = FILE) -> Arrays:
    """The arrays of the shipped file, as they are."""
    return shipped.read(file, SHA256)


def adjacency(edges: np.ndarray, num_nodes: int) -> np.ndarray:
    """The matrix (num_nodes, num_nodes) of a graph given by its edges (E, 2) or, with weights, (E, 3).

    Args:
        edges: sender and receiver, numbered from 0, and perhaps the edge's weight, which is 1 otherwise.
        num_nodes: how many nodes the graph has.

    Raises:
        TwinError: an edge leads to a node that does not exist, or a node has no edge, of which nothing can be told.
    """
    edges = np.asarray(edges)
    if edges.ndim != 2 or edges.shape[1] not in (2, 3):
        raise TwinError(f"edges have the shape (E, 2), sender and receiver, or (E, 3) with weights; not {edges.shape}")
    ends = edges[:, :2]
    wrong = ((ends < 0) | (ends >= num_nodes) | (ends != np.floor(ends))).any(1)
    if wrong.any():
        at = int(wrong.argmax())
        raise TwinError(
            f"edge {at} goes from node {ends[at, 0]:g} to node {ends[at, 1]:g}; the graph has nodes 0 to "
            f"{num_nodes - 1}: correct the edge, or num_nodes"
        )
    matrix = np.zeros((num_nodes, num_nodes), np.float32)
    np.add.at(matrix, tuple(ends.astype(int).T), edges[:, 2] if edges.shape[1] == 3 else 1)
    alone = _without_edge(matrix)
    if alone.any():
        raise TwinError(
            f"node {int(alone.argmax())} has no edge, so that a graph network learns nothing of it: "
            "leave it out, or give it an edge to itself"
        )
    return matrix


def _without_edge(matrix: np.ndarray) -> np.ndarray:
    return (matrix == 0).all(0) & (matrix == 0).all(1)


def _drawn(linked: np.ndarray, nodes: int, random: np.random.Generator) -> np.ndarray:
    """So many neurons, drawn anew until each has an edge to another of them, which takes hundreds of draws."""
    while True:
        chosen = random.permutation(len(linked))[:nodes]
        among = np.zeros(len(linked), np.float32)
        among[chosen] = 1
        if (linked @ among)[chosen].all():
            return chosen
