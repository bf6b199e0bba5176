"""Recurrent layers."""

from twin.differences.row import Drawn, Row, Try

X = Drawn((2, 5, 3))
ONE_STEP = Drawn((2, 1, 3))
PLAIN = {"kernel": Drawn((3, 4)), "recurrent_kernel": Drawn((4, 4))}
GRU = {"kernel": Drawn((3, 12)), "recurrent_kernel": Drawn((4, 12))}

ROWS = (
    Row(
        name="lstm_two_biases",
        title="An LSTM's biases",
        keras="One bias a gate.",
        torch="Two that are added: a bias copied into both counts twice. The gates themselves have Keras's order.",
        source="keras/src/layers/rnn/lstm.py; torch/nn/modules/rnn.py, LSTM",
        remedy="Copy the bias into one of the two and zeros into the other; from PyTorch to Keras, add them.",
        hides="Biases of zero.",
        gap=0.233,
        inputs={"x": X, "kernel": Drawn((3, 16)), "recurrent_kernel": Drawn((4, 16)), "bias": Drawn((16,))},
        hiding={"bias": [0.0] * 16},
    ),
    Row(
        name="gru_gate_order",
        otherwise="Where both sides have own weights, their gates are exchanged.",
        title="Order of a GRU's gates",
        keras="Update, reset, new.",
        torch="Reset, update, new: the shapes are the same, so that a copy without swapping raises no error.",
        source="keras/src/layers/rnn/gru.py; torch/nn/modules/rnn.py, GRU",
        remedy="Swap the first two thirds of each kernel and bias.",
        hides="Gates of equal kernels.",
        gap=0.635,
        inputs={"x": X, **GRU},
        hiding={"x": Drawn((2, 5, 1)), "kernel": [[0.5, 0.5, 1.0]], "recurrent_kernel": [[-0.3, -0.3, 0.8]]},
    ),
    Row(
        name="gru_reset_after",
        title="Where a GRU resets",
        keras="With `reset_after=False` the reset gate multiplies the state before the recurrent kernel does, as in "
        "version 3 of the paper (arXiv 1406.1078). Weights of old Keras models are often of this kind.",
        torch="Multiplies after it, as in version 1 of the paper, as cuDNN, and as Keras does by default.",
        source="keras/src/layers/rnn/gru.py, reset_after; torch/nn/modules/rnn.py, GRU",
        remedy="`reset_after=True`, which is the default; PyTorch has no other kind.",
        hides="Sequences of one step, which have no state to reset.",
        gap=0.129,
        inputs={"x": X, **GRU},
        hiding={"x": ONE_STEP},
    ),
    Row(
        name="bidirectional_last",
        title="The last output of a bidirectional layer",
        keras="The output of each direction after it has read everything: for the backward direction, at the first "
        "step.",
        torch="`outputs[:, -1]`, the usual line, has the backward direction's output after one step only.",
        source="keras/src/layers/rnn/bidirectional.py; torch/nn/modules/rnn.py, outputs of RNN",
        remedy="Take the final states in PyTorch, not the last output.",
        hides="Sequences of one step.",
        gap=1.96,
        inputs={"x": X, **PLAIN},
        hiding={"x": ONE_STEP},
    ),
    Row(
        name="rnn_batch_first",
        tries=(Try(("lstm", "gru", "rnn_tanh", "rnn_relu"), {"batch_first": "True"}),),
        title="Which axis is time",
        keras="(B, T, D).",
        torch="(T, B, D) by default. If batch and sequence have the same length, there is no error: time is the "
        "wrong axis.",
        source="keras/src/layers/rnn/rnn.py; torch/nn/modules/rnn.py, batch_first",
        remedy="`batch_first=True`.",
        hides="One sequence of one step.",
        gap=1.92,
        inputs={"x": Drawn((5, 5, 3)), **PLAIN},
        hiding={"x": Drawn((1, 1, 3))},
    ),
    Row(
        name="rnn_padding",
        title="Padding read by a recurrent layer",
        keras="`Embedding(mask_zero=True)` passes a mask on: the state does not change where a token is 0.",
        torch="`padding_idx` only keeps a vector from being trained; the layer reads the padding, and its state "
        "changes.",
        source="keras/src/layers/core/embedding.py; torch/nn/utils/rnn.py, pack_padded_sequence",
        remedy="`pack_padded_sequence` in PyTorch, or no `mask_zero` in Keras.",
        hides="Sequences of equal length.",
        gap=0.825,
        inputs={"tokens": [[1, 2, 0, 0], [3, 1, 2, 4]], "table": Drawn((5, 3)), **PLAIN},
        hiding={"tokens": [[1, 2, 3, 3], [3, 1, 2, 4]]},
    ),
)
