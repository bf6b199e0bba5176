"""The pairs of tests/helpers/kinds.py, named without importing a framework: those that are right, and wrong ones."""

RIGHT = (
    "stacked LSTM", "stacked LSTM with dropout between", "LSTM cell in a loop", "GRU written by hand",
    "attention against projections", "fused projection", "EinsumDense", "tied head", "PReLU with shared axes",
    "LayerScale", "separable convolution", "dense against a convolution of size 1", "dense then reshape",
    "BatchNorm without scale", "BatchNorm, linear convolution, BatchNorm", "branches by where they go",
    "branches of other dilations, with a norm each",
    "two heads", "a tower for each output", "a convolution as wide as its rows", "module in a wrapper",
    "a layer that is never used", "packed sequences", "sampling",
    "causal padding and a cut", "model that calls super().__init__(inputs, outputs)", "subclass of Conv2d",
    "Normalization against buffers", "drop path by hand", "integers that the model embeds", "two parts joined",
    "a norm before both", "attention with its batch first", "directions averaged", "deviation of all",
)  # fmt: skip
WRONG = {
    "stacked LSTM, one bias": "missing_bias",
    "spatial dropout": "spatial_dropout",
    "state that is not passed on": "initial_state",
    "state exchanged": "initial_state",
    "mask that is missing": "rnn_padding",
    "softmax over rows": "softmax_axis",
    "pixels in another order": "arrangement_order",
    "epsilon behind a norm": "layernorm_epsilon",
    "two towers for one": "unshared_weights",
    "NaN on one side": "not_finite",
    "dropout of another rate in attention": "dropout_rate",
    "two parts joined in another order": "operand_order",
    "a norm before one": "input_wiring",
    "attention with its batch second": "attention_batch_first",
    "directions added for averaged": "bidirectional_merge",
    "deviation of a sample": "std_ddof",
}
