"""Convolution, pooling, and the order in which maps become vectors."""

from twin.differences.row import Drawn, Row, Try

EVEN, ODD = Drawn((2, 8, 8, 3)), Drawn((2, 7, 7, 3))

ROWS = (
    Row(
        name="same_padding_stride",
        title='"same" padding at stride 2',
        keras="Pads by what the strides need: for a 3x3 kernel and an even size, one row below and one column right.",
        torch="`padding=1` pads evenly all round, so that every window lies one pixel higher and further left.",
        source="keras issue 19291; tensorflow.org/api_docs/python/tf/nn, notes on padding; pytorch issue 67551",
        remedy="Pad explicitly on one side, then convolve without padding.",
        hides="An odd height and width, where both pad evenly.",
        gap=22.9,
        inputs={"x": EVEN, "kernel": Drawn((3, 3, 3, 4))},
        hiding={"x": ODD},
    ),
    Row(
        name="conv_transpose_same",
        title='"same" transposed convolution at stride 2',
        keras="Cuts the full result at the bottom and right, to exactly twice the size.",
        torch="`padding=1, output_padding=1` gives the same shape, but cuts one row at the top and one column at the "
        "left as well.",
        source="keras/src/backend/common/backend_utils.py, compute_conv_transpose_padding_args_for_torch",
        remedy="Compute the full transposed convolution and cut it explicitly.",
        hides="Nothing: the results are shifted by one pixel, at every size.",
        gap=8.8,
        inputs={"x": Drawn((2, 4, 4, 3)), "kernel": Drawn((3, 3, 4, 3))},
    ),
    Row(
        name="average_pool_padding",
        tries=(Try(("avg_pool1d", "avg_pool2d", "avg_pool3d"), {"count_include_pad": "False"}),),
        title="Padding in the mean of average pooling",
        keras='"same" leaves the padding out of the mean: each window is divided by the pixels that it has.',
        torch="`padding=1` counts the zeros: each window is divided by nine.",
        source="torch/nn/modules/pooling.py, count_include_pad; tensorflow.org/api_docs/python/tf/nn/avg_pool",
        remedy="`count_include_pad=False` in PyTorch, or `ZeroPadding2D` before the pooling in Keras.",
        hides="Images whose border is zero.",
        gap=0.366,
        inputs={"x": Drawn((1, 4, 4, 1), "uniform")},
        hiding={
            "x": [
                [[[0.0], [0.0], [0.0], [0.0], [0.0]]] * 2
                + [[[0.0], [0.0], [1.0], [0.0], [0.0]]]
                + [[[0.0], [0.0], [0.0], [0.0], [0.0]]] * 2
            ]
        },
    ),
    Row(
        name="max_pool_same",
        title='"same" maximum pooling at stride 2',
        keras="Pads below and right where the size is even.",
        torch="`padding=1` pads evenly all round; the windows of ResNet's stem lie one pixel off.",
        source="tensorflow.org/api_docs/python/tf/nn, notes on padding; torch/nn/modules/pooling.py",
        remedy="Pad explicitly with minus infinity, then pool without padding.",
        hides="An odd height and width.",
        gap=2.6,
        inputs={"x": EVEN},
        hiding={"x": ODD},
    ),
    Row(
        name="max_pool3d_ties",
        otherwise="Only gradients on TensorFlow show it, where values tie.",
        title="The gradient of maximum pooling over volumes, where values tie",
        keras="On TensorFlow, every place that has the window's maximum gets the whole gradient, so that it counts as "
        "often as there are such places: where ReLUs are shut over a region, the next layer's bias is learned from up "
        "to eight times too much. In two dimensions, and on JAX and PyTorch, the first place gets it alone.",
        torch="The first place gets it.",
        source="tensorflow/python/ops/nn_ops.py, max_pool3d, as called from keras/src/backend/tensorflow/nn.py",
        remedy="Pool the frames by `MaxPooling2D`, then the time by `MaxPooling1D`.",
        hides="Windows without ties.",
        kind="bug",
        gap={"tensorflow": 1.0, "jax": 0.0, "torch": 0.0},
        inputs={"x": [[[[[1.0], [1.0]], [[1.0], [1.0]]], [[[1.0], [1.0]], [[1.0], [1.0]]]]]},
        hiding={"x": [[[[[4.0], [1.0]], [[1.0], [1.0]]], [[[1.0], [1.0]], [[1.0], [1.0]]]]]},
    ),
    Row(
        name="flatten_order",
        title="Order of a flattened map",
        keras="Channels last: H, W, C.",
        torch="Channels first: C, H, W. If you copy the kernel of the Dense layer after it, the kernel's rows are "
        "in the wrong order.",
        source="keras/src/layers/reshaping/flatten.py; torch/nn/modules/flatten.py",
        remedy="Permute before the flatten, or permute the rows of the Dense kernel once, as twin/bridge.py does.",
        hides="Maps of one pixel, or of one channel.",
        gap=3.02,
        inputs={"x": Drawn((2, 4, 4, 3))},
        hiding={"x": Drawn((2, 1, 1, 3))},
    ),
    Row(
        name="patch_order",
        tries=(Try(("unfold",), after="x.unflatten(1, (input.shape[1], -1)).transpose(1, 2).flatten(1, 2)"),),
        title="Order of the numbers in a patch",
        keras="`ops.image.extract_patches`: row, column, channel.",
        torch="`F.unfold`: channel, row, column.",
        source="keras/src/ops/image.py, extract_patches; torch/nn/modules/fold.py, Unfold",
        remedy="Reshape to separate the channels and swap the axes.",
        hides="Grey images of one channel, and patches of one number.",
        gap=4.41,
        inputs={"x": Drawn((2, 8, 8, 3))},
        hiding={"x": [[[[1.0] * 3] * 8] * 8]},
    ),
    Row(
        name="dense_kernel_layout",
        otherwise="Where both sides have own weights: transposed_kernel.",
        title="Layout of a dense kernel",
        keras="`Dense` keeps (inputs, outputs) and computes x W.",
        torch="`nn.Linear` keeps (outputs, inputs) and computes x W^T: if you copy a square kernel without "
        "transposing it, it fits and is wrong.",
        source="keras/src/layers/core/dense.py; torch/nn/modules/linear.py",
        remedy="Transpose the kernel when you convert the weights.",
        hides="A symmetric kernel. (A kernel that is not square raises an error.)",
        gap=2.89,
        inputs={"x": Drawn((3, 4)), "square": Drawn((4, 4))},
        hiding={"square": [[2.0, 1.0, 0.0, 0.0], [1.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 1.0], [0.0, 0.0, 1.0, 2.0]]},
    ),
)
