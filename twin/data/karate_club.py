"""A graph of real people, Zachary's karate club, with signals on its nodes and weights for layers of four kinds."""

import numpy as np

from twin.data import Dataset
from twin.data.connectome import adjacency

MEMBERS, CHANNELS = 34, 4
# Zachary, "An information flow model for conflict and fission in small groups" (1977): who met outside the club.
FRIENDS = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31),
    1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32),
    3: (7, 12, 13),
    4: (6, 10),
    5: (6, 10, 16),
    6: (16,),
    8: (30, 32, 33),
    9: (33,),
    13: (33,),
    14: (32, 33),
    15: (32, 33),
    18: (32, 33),
    19: (33,),
    20: (32, 33),
    22: (32, 33),
    23: (25, 27, 29, 32, 33),
    24: (25, 27, 31),
    25: (31,),
    26: (29, 33),
    27: (33,),
    28: (31, 33),
    29: (32, 33),
    30: (32, 33),
    31: (32, 33),
    32: (33,),
}


def load(seed: int = 0) -> Dataset:
    """As the test part: a graph, signals on its nodes, an order of the nodes, and weights.

    `adjacency` (34, 34) is the graph, `signal` (34, 4) has numbers on all nodes and `burst` (34, 4) only on the ten in
    the middle of the row; `order` (34,) says how the nodes are permuted. `dense_kernel` (136, 136) is for all numbers
    at once, `conv_kernel` (3, 4, 4) for three neighbours in the row, `input_kernel` (4, 4) and `recurrent_kernel`
    (4, 4) for one step after the other, `graph_kernel` (4, 4) for the neighbours in the graph.

    Args:
        seed: of signals, order and weights.
    """
    rng = np.random.default_rng(seed)
    edges = np.array([(one, other) for one, others in FRIENDS.items() for other in others])
    signal = rng.standard_normal((MEMBERS, CHANNELS))
    burst = signal.copy()
    burst[:12] = burst[22:] = 0
    width = MEMBERS * CHANNELS
    arrays = {
        "adjacency": adjacency(np.concatenate([edges, edges[:, ::-1]]), MEMBERS),
        "signal": signal,
        "burst": burst,
        "dense_kernel": rng.standard_normal((width, width)) / width**0.5,
        "conv_kernel": rng.standard_normal((3, CHANNELS, CHANNELS)) / 12**0.5,
        "input_kernel": rng.standard_normal((CHANNELS, CHANNELS)) / 2,
        "recurrent_kernel": rng.standard_normal((CHANNELS, CHANNELS)) / 8,
        "graph_kernel": rng.standard_normal((CHANNELS, CHANNELS)) / 2,
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["order"] = rng.permutation(MEMBERS).astype(np.int32)
    provenance = "real, copied from the paper: the friends of Zachary's karate club; signals and weights made here"
    return Dataset(f"{provenance} (seed {seed})", {}, arrays)
