"""What might differ, is often said to, and does not: measured like the rest, with a gap of nothing but rounding."""

from twin.differences.row import Drawn, Row, same

X = Drawn((1, 8, 8, 3))

ROWS: tuple[Row, ...] = (
    same("elu_alpha", "ELU's alpha is 1.", {"x": Drawn((4, 8))}),
    same(
        "hard_sigmoid_slope",
        "The hard sigmoid is relu6(x + 3) / 6; before Keras 3 it was not.",
        {"x": Drawn((4, 8), scale=3.0)},
    ),
    same(
        "softplus_threshold",
        "PyTorch's softplus is linear above 20: by then rounding is larger.",
        {"x": Drawn((4, 8), scale=20.0)},
    ),
    same(
        "even_kernel_same",
        'At stride 1, "same" padding puts the odd pixel of an even kernel below and right on both sides.',
        {"x": X, "kernel": Drawn((2, 2, 3, 4))},
    ),
    same("bilinear_downsampling", "Neither smooths before it shrinks; both use half-pixel centres.", {"x": X}),
    same("adaptive_pool_windows", "Windows of adaptive pooling overlap in the same way.", {"x": X}),
    same(
        "dropout_scaling", "A dropout divides what it keeps by the share kept, in training.", {"x": [[1.0] * 64] * 64}
    ),
    same(
        "label_smoothing",
        "Cross-entropy spreads the smoothed share over all classes, the true one included.",
        {"one_hot": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], "logits": Drawn((2, 3))},
    ),
    same("huber_delta", "Huber's loss turns linear at 1.", {"y": Drawn((4, 8)), "p": Drawn((4, 8), scale=3.0)}),
    same("rounding_of_halves", "Halves are rounded to even.", {"x": [0.5, 1.5, 2.5, -0.5, -1.5]}),
    same("remainder_sign", "The remainder has the sign of the divisor, as in Python.", {"x": [-4.0, -1.0, 1.0, 4.0]}),
)
