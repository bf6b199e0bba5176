"""Attention, masks and embeddings."""

from twin.differences.row import Drawn, Row, Try

X = Drawn((2, 4, 4))
QKV = {"q": X, "k": X, "v": X}
SAME_TOKENS = [[[1.0, 2.0, 0.0, -1.0]] * 4] * 2

ROWS = (
    Row(
        name="attention_scale",
        tries=(
            Try(("scaled_dot_product_attention",), {"scale": "1.0"}),
            Try(("scaled_dot_product_attention",), {"scale": "None"}),
        ),
        title="Scale of the scores",
        keras="`layers.Attention` does not divide the scores by the root of the width. (`MultiHeadAttention` does.)",
        torch="`F.scaled_dot_product_attention` does.",
        source="keras/src/layers/attention/attention.py, use_scale; torch/nn/functional.py, "
        "scaled_dot_product_attention",
        remedy="Scale the queries in Keras, or `scale=1.0` in PyTorch.",
        hides="Keys that are all the same, so that all scores are equal.",
        gap=0.343,
        inputs=QKV,
        hiding={"k": SAME_TOKENS},
    ),
    Row(
        name="attention_argument_order",
        tries=(
            Try(("multi_head_attention_forward", "scaled_dot_product_attention"), {"key": "value", "value": "key"}),
        ),
        title="Order of query, key and value",
        keras="`MultiHeadAttention` takes query, value, key.",
        torch="`nn.MultiheadAttention` takes query, key, value.",
        source="keras/src/layers/attention/multi_head_attention.py; torch/nn/modules/activation.py, MultiheadAttention",
        remedy="Name the arguments.",
        hides="Keys that are the values, as in self-attention.",
        gap=1.59,
        inputs=QKV,
        hiding={"k": SAME_TOKENS, "v": SAME_TOKENS},
    ),
    Row(
        name="attention_mask_meaning",
        tries=(
            Try(("multi_head_attention_forward",), {"key_padding_mask": "key_padding_mask.logical_not()"}),
            Try(("multi_head_attention_forward",), {"attn_mask": "attn_mask.logical_not()"}),
            Try(("scaled_dot_product_attention",), {"attn_mask": "attn_mask.logical_not()"}),
            Try(("masked_fill", "masked_fill_"), {"mask": "~mask"}),
            Try(("where",), {"condition": "~condition"}),
        ),
        title="What True in a mask means",
        keras="Attend to this one.",
        torch="In `nn.MultiheadAttention`: do not. In `F.scaled_dot_product_attention`: do.",
        source="keras/src/layers/attention/multi_head_attention.py; torch/nn/modules/activation.py, key_padding_mask",
        remedy="Negate the mask.",
        hides="Tokens that are all the same.",
        gap=2.21,
        inputs={"x": X, "mask": [[1, 1, 1, 0], [1, 1, 0, 0]]},
        hiding={"x": SAME_TOKENS},
    ),
    Row(
        name="attention_layout",
        tries=(
            Try(
                ("scaled_dot_product_attention",),
                {name: f"{name}.swapaxes(1, 2)" for name in ("query", "key", "value")},
                "x.swapaxes(1, 2)",
            ),
        ),
        title="Where the heads stand",
        keras="`ops.dot_product_attention` takes (B, T, heads, D).",
        torch="`F.scaled_dot_product_attention` takes (B, heads, T, D).",
        source="keras/src/ops/nn.py, dot_product_attention; torch/nn/functional.py, scaled_dot_product_attention",
        remedy="Swap the two axes, before and after.",
        hides="Tokens and heads that are all the same; otherwise nothing where there are as many heads as tokens.",
        gap=1.31,
        inputs={"x": Drawn((2, 4, 8))},
        hiding={"x": [[[1.0, 2.0] * 4] * 4] * 2},
    ),
    Row(
        name="attention_all_masked",
        otherwise="Found as not_finite.",
        title="A query that may attend to nothing",
        keras="Gets the mean of all values: every score is the same very low number.",
        torch="Gets zeros.",
        source="keras/src/backend/tensorflow/nn.py, _apply_masks; torch/nn/functional.py, scaled_dot_product_attention",
        remedy="Mask with the lowest number in PyTorch; better, leave such queries out of the loss.",
        hides="Values whose mean is zero.",
        gap=0.86,
        inputs={"x": X},
        hiding={"x": [[[1.0, -2.0, 3.0, 0.5], [-1.0, 2.0, -3.0, -0.5]] * 2] * 2},
    ),
    Row(
        name="attention_key_dim",
        title="Width of a head",
        keras="`key_dim=16` is the width of each of the four heads: 64 in all.",
        torch="`embed_dim=16` is the width of all together: 4 each.",
        source="keras/src/layers/attention/multi_head_attention.py, key_dim; torch/nn/modules/activation.py, embed_dim",
        remedy="Divide: `key_dim=width // num_heads`.",
        hides="Nothing where there is more than one head.",
        gap=3220.0,
        inputs={"x": Drawn((2, 4, 16))},
    ),
    Row(
        name="embedding_padding",
        title="Padding in a mean over tokens",
        keras="`mask_zero=True` passes a mask on, and `GlobalAveragePooling1D` leaves the padding out of sum and "
        "count.",
        torch="`padding_idx` gives zeros; `mean` counts them.",
        source="keras/src/layers/pooling/global_average_pooling1d.py; torch/nn/modules/sparse.py, padding_idx",
        remedy="Divide by the number of true tokens in PyTorch, or leave `mask_zero` out in Keras.",
        hides="Sequences without padding.",
        gap=1.0,
        inputs={
            "tokens": [[1, 2, 0, 0], [3, 1, 2, 4]],
            "table": [[0.0] * 3, [1.0, 2.0, 3.0], [-1.0, 0.5, 1.0], [2.0] * 3, [1.0] * 3],
        },
        hiding={"tokens": [[1, 2, 3, 3], [3, 1, 2, 4]]},
    ),
    Row(
        name="embedding_padding_vector",
        title="The vector of the padding",
        keras="With `mask_zero=True`, token 0 has a vector like any other; only the mask marks it as padding.",
        torch="`padding_idx=0` makes it zero, and keeps it zero.",
        source="keras/src/layers/core/embedding.py, mask_zero; torch/nn/modules/sparse.py, padding_idx",
        remedy="Mask the padded positions on both sides.",
        hides="Sequences without padding.",
        gap=1.0,
        inputs={"tokens": [[1, 2, 0, 0]]},
        hiding={"tokens": [[1, 2, 3, 3]]},
    ),
)
