"""Resizing."""

from twin.differences.row import Drawn, Row, Try

X, FLAT = Drawn((1, 8, 8, 3)), [[[[1.0, 2.0, 3.0]] * 8] * 8]

ROWS = (
    Row(
        name="bilinear_resize",
        tries=(Try(("interpolate",), {"align_corners": "False"}),),
        title="Bilinear upsampling",
        keras="Pixels are areas: the new image's edges lie on the old one's (half-pixel centres).",
        torch="`UpsamplingBilinear2d` puts the corner pixels' centres on each other (`align_corners=True`). "
        "`Upsample` and `F.interpolate` do so only with `align_corners=True`.",
        source="torch/nn/modules/upsampling.py; keras/src/layers/reshaping/up_sampling2d.py",
        remedy='`nn.Upsample(mode="bilinear", align_corners=False)`.',
        hides="Flat images.",
        gap=0.779,
        inputs={"x": X},
        hiding={"x": FLAT},
    ),
    Row(
        name="nearest_resize",
        tries=(Try(("interpolate",), {"mode": "'nearest-exact'"}),),
        title="Nearest neighbour, to a size that is no multiple",
        keras="The pixel whose centre is nearest.",
        torch='`mode="nearest"` takes the one at floor(i * scale), as OpenCV does: half a pixel off.',
        source="torch/nn/functional.py, interpolate, note on nearest-exact; keras/src/ops/image.py, resize",
        remedy='`mode="nearest-exact"` in PyTorch.',
        hides="Sizes that are doubled, and flat images.",
        gap=3.55,
        inputs={"x": X},
        hiding={"x": FLAT},
    ),
    Row(
        name="bicubic_resize",
        tries=(Try(("interpolate",), {"antialias": "True"}),),
        title="Bicubic upsampling",
        keras="Keys's kernel with a = -0.5 on TensorFlow and JAX; on the torch backend, what PyTorch does.",
        torch="With a = -0.75, as OpenCV; with `antialias=True`, -0.5.",
        source="jax issue 15768; torch/nn/functional.py, interpolate",
        remedy="`antialias=True` in PyTorch, which changes the kernel and, when enlarging, nothing else.",
        hides="Flat images.",
        gap={"tensorflow": 0.204, "jax": 0.204, "torch": 0.0},
        inputs={"x": X},
        hiding={"x": FLAT},
    ),
)
