"""Random layers and generators."""

from twin.differences.row import Drawn, Row

ROWS = (
    Row(
        name="dropout_default_mode",
        otherwise="Found as dropout_mode.",
        title="A dropout that is called by itself",
        keras="Is off outside `fit`. The figure is the share of zeros.",
        torch="Is on until `.eval()` is called; `F.dropout(x)` is on even then. Both divide the values that are "
        "left by the share kept.",
        source="keras/src/layers/regularization/dropout.py; torch/nn/modules/dropout.py; torch/nn/functional.py, "
        "dropout",
        remedy="State the mode: `layer(x, training=True)`, or `module.eval()`.",
        hides="Nothing: look at any output.",
        gap=0.501,
        inputs={"x": Drawn((1000, 100), "uniform", 1.0, 1.0)},
        limit=0.02,
        band=0.02,
    ),
    Row(
        name="spatial_dropout",
        title="Dropping channels of a sequence",
        keras="`SpatialDropout1D` drops channels of (B, T, C).",
        torch="`nn.Dropout1d` drops along axis 1, where it expects the channels: of (B, T, C) it drops steps.",
        source="keras/src/layers/regularization/spatial_dropout.py; torch/nn/modules/dropout.py, Dropout1d",
        remedy="Swap the axes before and after.",
        hides="The share of zeros, if you look at nothing else. The figure is the share of channels that are zero "
        "at every step.",
        gap=0.5,
        inputs={"x": Drawn((64, 16, 128), "uniform", 1.0, 1.0)},
        limit=0.05,  # chance: 8192 channels
        band=0.05,
    ),
    Row(
        name="seed_argument",
        otherwise="Both sides get the same draws.",
        title="Two draws with the same seed",
        keras="`seed=0` gives the same numbers at every call: it is stateless.",
        torch="A generator is seeded once, and each draw gives new numbers.",
        source="keras/src/random/random.py; torch/_C, Generator; keras.io/api/random",
        remedy="`keras.random.SeedGenerator`, made once.",
        hides="A single draw.",
        gap=1.0,
    ),
    Row(
        name="seed_scope",
        otherwise="Both sides get the same draws.",
        title="What a seed seeds",
        keras="`set_random_seed` seeds Python, NumPy and the backend.",
        torch="`manual_seed` seeds PyTorch: NumPy's shuffles stay unseeded.",
        source="keras/src/utils/rng_utils.py; torch/random.py, manual_seed",
        remedy="Seed NumPy and Python's `random` as well.",
        hides="Programs that draw from PyTorch only.",
        gap=1.0,
    ),
    Row(
        name="categorical_input",
        otherwise="Both sides get the same draws.",
        title="What a categorical draw takes",
        keras="`keras.random.categorical` takes logits.",
        torch="`torch.multinomial` takes probabilities, or any weights.",
        source="keras/src/random/random.py, categorical; torch/_torch_docs.py, multinomial",
        remedy="Take the logarithm in Keras, or a softmax in PyTorch.",
        hides="Equal weights.",
        gap=0.235,
        inputs={"p": [0.7, 0.2, 0.1]},
        hiding={"p": [1.0, 1.0, 1.0]},
        limit=0.02,  # chance: 100,000 draws
        band=0.05,
    ),
    Row(
        name="multinomial_replacement",
        otherwise="Both sides get the same draws.",
        title="Several categorical draws",
        keras="`keras.random.categorical(logits, n)` draws each time from all classes.",
        torch="`torch.multinomial(p, n)` draws without replacement: no class twice, however unlikely the others are.",
        source="keras/src/random/random.py, categorical; torch/_torch_docs.py, multinomial",
        remedy="`replacement=True` in PyTorch.",
        hides="A single draw. (Here of three, the largest class is shown.)",
        gap=2.0,
        inputs={"p": [1.0, 1e-30, 1e-30]},
    ),
)
