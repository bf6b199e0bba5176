"""Models and their training. Behaviour is shown as a number: 1 for yes, 0 for no."""

from twin.differences.row import Drawn, Row

ROWS = (
    Row(
        name="layer_list",
        title="Layers in a list",
        keras="Are found: their weights are trained. The figure is the number of parameters.",
        torch="Are not found in a plain list: `parameters()` leaves them out, so that they are not trained.",
        source="keras/src/utils/tracking.py; torch/nn/modules/container.py, ModuleList",
        remedy="`nn.ModuleList`.",
        hides="The outputs, which are right.",
        gap=40.0,
    ),
    Row(
        name="reserved_name",
        title="Names that a model may not use",
        keras="Nine names of properties are refused as attributes. The figure is how many.",
        torch="They are ordinary names.",
        source="keras/src/models/model.py, layers; keras/src/layers/layer.py, __setattr__",
        remedy="Other names, such as `blocks` for `layers`, on both sides.",
        hides="Nothing: they are refused at once.",
        gap=9.0,
    ),
    Row(
        name="call_without_training",
        title="A subclass whose `call` does not take `training`",
        keras="`fit` runs its dropout in inference mode, without a warning: the layers inside do not get the "
        "training mode.",
        torch="The mode is the module's own: `model.train()` sets it for all modules inside.",
        source="keras.io/guides/making_new_layers_and_models_via_subclassing, privileged training argument",
        remedy="Take `training` in `call`, and pass it on.",
        hides="Models without random layers and without BatchNorm.",
        gap=1.0,
        inputs={"x": Drawn((4, 8), "uniform", 1.0, 1.0)},
    ),
    Row(
        name="default_batch_size",
        title="Size of a batch, by default",
        keras="32. The figure is the number of steps in an epoch of 100 rows.",
        torch="1.",
        source="keras/src/trainers/trainer.py, fit; torch/utils/data/dataloader.py",
        remedy="State it.",
        hides="One row.",
        gap=96.0,
        inputs={"x": Drawn((100, 1))},
        hiding={"x": Drawn((1, 1))},
    ),
    Row(
        name="shuffle_default",
        title="Shuffling, by default",
        keras="`fit` shuffles arrays before every epoch. The figure is 1 where the order is kept.",
        torch="`DataLoader` does not.",
        source="keras/src/trainers/trainer.py, fit, shuffle; torch/utils/data/dataloader.py",
        remedy="State it.",
        hides="One row.",
        gap=1.0,
        inputs={"x": [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]},
        hiding={"x": [[1.0]]},
    ),
    Row(
        name="jit_compile_auto",
        title="Compiled or not, by default",
        keras='`jit_compile="auto"` compiles with XLA on JAX, on TensorFlow where there is a GPU, and not on the '
        "torch backend.",
        torch="Eager, until `torch.compile` is called.",
        source="keras pull request 18569; keras/src/trainers/trainer.py, compile",
        remedy="State it on both sides; never compare the speed of one with the other.",
        hides="The torch backend; TensorFlow on a CPU.",
        gap={"tensorflow": 0.0, "jax": 1.0, "torch": 0.0},
    ),
)
