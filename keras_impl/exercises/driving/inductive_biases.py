"""Relational inductive biases: what four kinds of layers take for granted, seen by changing the order of their input.

Battaglia et al., "Relational inductive biases, deep learning, and graph networks" (2018), section 2 and table 1. The
same 34 rows of numbers go through a dense layer, where all may act on all; a convolution, where neighbours in the row
act by one kernel; a recurrence, where each step acts on the next; and a graph convolution (Kipf and Welling,
"Semi-supervised classification with graph convolutional networks", 2017, equation 2), where neighbours in the graph
act, whatever their order. Then the rows are shifted or permuted, the graph's with their edges, and all runs again.

A layer is invariant if the change leaves its output as it was, and equivariant if the output changes as the input does.
Table 1 speaks of invariance; what its layers have is equivariance, and invariance comes with a pooling over the rows,
here their maximum. And the table speaks of infinite rows: in the finite one, zero padding gives a convolution away at
the border, and a recurrence starts from nothing. A signal that stays clear of both ends shows the table's ideal.

Departures: no biases; the rectifier is the same for all.

Slides: deck E, table 1, on two pages.
"""

from keras import ops

SHIFT = 3
MINDS = 0.01  # of the largest output: a recurrence forgets what was shifted out of sight, but never to the last bit


def run(adjacency, signal, burst, order, dense_kernel, conv_kernel, input_kernel, recurrent_kernel, graph_kernel):
    """(N, N) graph, two signals (N, C), an order (N,) and the weights to each layer's outputs and the table."""
    layers = {
        "fully_connected": lambda x, edges: fully_connected(x, dense_kernel),
        "convolutional": lambda x, edges: convolutional(x, conv_kernel),
        "recurrent": lambda x, edges: recurrent(x, input_kernel, recurrent_kernel),
        "graph": lambda x, edges: graph_convolution(x, edges, graph_kernel),
    }
    count = len(signal)
    changes = {"shifted": (ops.arange(count, dtype="int32") - SHIFT) % count, "permuted": order}
    out = {}
    for kind, x in (("burst", burst), ("signal", signal)):
        rows = []
        for name, layer in layers.items():
            y = out[f"{kind}_{name}"] = layer(x, adjacency)
            answers = []
            for change, places in changes.items():
                edges = ops.take(ops.take(adjacency, places, axis=0), places, axis=1)
                changed = out[f"{kind}_{name}_{change}"] = layer(ops.take(x, places, axis=0), edges)
                answers += [
                    same(changed, ops.take(y, places, axis=0)),  # equivariant
                    same(changed, y),  # invariant
                    same(ops.amax(changed, axis=0), ops.amax(y, axis=0)),  # invariant after pooling
                ]
            rows.append(ops.stack(answers))
            three = [y, out[f"{kind}_{name}_shifted"], out[f"{kind}_{name}_permuted"]]
            out[f"picture_{kind}_{name}"] = drawn(three)
        out[f"table_of_{kind}"] = ops.stack(rows)  # (4 layers, 2 changes of 3 answers each)
    return out


def fully_connected(x, kernel):
    """(N, C) to (N, C): every number of every row has its own weight to every other."""
    return ops.reshape(ops.relu(ops.matmul(ops.reshape(x, (1, -1)), kernel)), x.shape)


def convolutional(x, kernel):
    """(N, C) to (N, C): three neighbours in the row, by one kernel (3, C, C) for all places; zeros beyond the ends."""
    return ops.relu(ops.conv(x[None], kernel, padding="same")[0])  # differs: kernels are (width, in, out)


def recurrent(x, input_kernel, recurrent_kernel):
    """(N, C) to (N, C): the state after each row, from zeros on; negative states are cut off as in the other layers."""
    state, states = ops.zeros_like(x[0]), []
    for row in ops.unstack(x):
        state = ops.relu(ops.matmul(row, input_kernel) + ops.matmul(state, recurrent_kernel))
        states.append(state)
    return ops.stack(states)


def graph_convolution(x, adjacency, kernel):
    """(N, C) to (N, C): the neighbours in the graph and the node itself, by one kernel (C, C) for all nodes."""
    with_itself = adjacency + ops.eye(len(adjacency), dtype=adjacency.dtype)
    scale = ops.rsqrt(ops.sum(with_itself, axis=1))  # (N,): no degree is zero, as each node is its own neighbour
    propagation = scale[:, None] * with_itself * scale
    return ops.relu(ops.matmul(ops.matmul(propagation, x), kernel))


def same(one, other):
    """1 where two outputs are equal but for what rounds off or is forgotten, else 0."""
    apart = ops.amax(ops.abs(one - other))
    return ops.cast(apart < MINDS * ops.amax(ops.abs(other)), "int32")


def drawn(outputs):
    """Outputs (N, C) side by side as a picture (N, 3 C + 2) with a bright line between them."""
    line = ops.ones_like(outputs[0][:, :1])
    brightest = ops.amax(ops.stack(outputs))
    first, *others = [output / brightest for output in outputs]
    return ops.concatenate([first, *(part for output in others for part in (line, output))], axis=1)
