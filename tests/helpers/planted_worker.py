"""A Keras worker whose model has one thing wrong: the defect that its `plant` operation named last."""

import sys

import keras
import numpy as np

from compare.worker.model import Model
from compare.worker.serve import serve
from keras_impl import describe, train


def layer_at(run, path):
    """The layer at an attribute path."""
    return dict(describe.every_layer(run.model, ""))[path]


def replace_call(layer, change):
    """Let `change` alter what a layer computes: it gets the layer's own call and returns another."""
    object.__setattr__(layer, "call", change(layer.call))


def put(run, name, layer):
    """Put another layer in the place of a model's own."""
    run.model._tracker.unlock()
    setattr(run.model, name, layer)
    run.model._tracker.lock()


def other_width(run):
    put(run, "dense2", keras.layers.Dense(11))
    run.model.dense2.build((None, 64))


def no_bias(run):
    put(run, "dense2", keras.layers.Dense(10, use_bias=False))
    run.model.dense2.build((None, 64))


def half_precision_weights(run):
    load = train.load_weights

    def rounded(run, arrays):
        changed = {"dense1.kernel": arrays["dense1.kernel"].astype(np.float16).astype(np.float32)}
        load(run, {**arrays, **changed})

    swap(run, train, "load_weights", rounded)


def transposed_kernel(run):
    load = train.load_weights
    name = "blocks.0.attention.query.kernel"
    swap(run, train, "load_weights", lambda run, arrays: load(run, {**arrays, name: arrays[name].T}))


def swap(run, owner, name, new):
    """Replace an attribute until the next plant."""
    UNDO.append((owner, name, getattr(owner, name)))
    setattr(owner, name, new)


def batchnorm_epsilon(run):
    layer_at(run, "blocks.1.bn2").epsilon = 1e-3


def layernorm_epsilon(run):
    layer_at(run, "blocks.0.norm1").epsilon = 1e-3


def average_pooling(run):
    put(run, "pool1", keras.layers.AveragePooling2D(2))


def missing_activation(run):
    relu, calls = keras.ops.relu, []

    def every_second(x):
        calls.append(x)
        return relu(x) if len(calls) % 3 != 2 else x

    swap(run, keras.ops, "relu", every_second)


def approximate_gelu(run):
    gelu = keras.ops.gelu
    swap(run, keras.ops, "gelu", lambda x, approximate: gelu(x, approximate=True))


def swapped_gates(run):
    cell = run.model.lstm.cell
    cell.activation, cell.recurrent_activation = cell.recurrent_activation, cell.activation


def doubled_softmax(run):
    run.model.dense2.activation = keras.activations.softmax


def even_padding_at_stride_two(run):
    pad = keras.ops.pad

    def one_more_on_the_left(x, width):
        return pad(x, ((0, 0), (4, 2), (4, 2), (0, 0))) if width[1] == (3, 3) else pad(x, width)

    swap(run, keras.ops, "pad", one_more_on_the_left)


def sum_of_losses(run):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    swap(run, train, "LOSSES", {**train.LOSSES, "cross_entropy": lambda: loss})


def smoothed_labels(run):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    smooth = lambda y, outputs: loss(keras.ops.one_hot(y, 10), outputs)
    swap(run, train, "LOSSES", {**train.LOSSES, "cross_entropy": lambda: smooth})


def other_alpha(run):
    run.model.alpha = 0.6


def stopped_gradient(run):
    replace_call(layer_at(run, "conv2"), lambda call: lambda x: keras.ops.stop_gradient(call(x)))


def stock_epsilon(run):
    change_optimizer(run, lambda optimizer: setattr(optimizer, "epsilon", 1e-7))


def nesterov(run):
    change_optimizer(run, lambda optimizer: setattr(optimizer, "nesterov", True))


def other_momentum(run):
    change_optimizer(run, lambda optimizer: setattr(optimizer, "momentum", 0.8))


def weight_decay(run):
    change_optimizer(run, lambda optimizer: setattr(optimizer, "weight_decay", 0.01))


def change_optimizer(run, change):
    """Let `change` alter each optimizer that is made."""
    make = train.make_optimizer

    def changed(spec, steps):
        optimizer = make(spec, steps)
        change(optimizer)
        return optimizer

    swap(run, train, "make_optimizer", changed)


def batchnorm_momentum(run):
    layer_at(run, "blocks.0.bn3").momentum = 0.99


def no_target_copy(run):
    swap(run, run.module, "after_step", lambda run, steps: None)


def running_mean_of_losses(run):
    object.__setattr__(run.model, "reset_metrics", lambda: None)


def with_nan(named):
    """Arrays, the first of which has a value that is none."""
    first = next(iter(named))
    array = np.array(named[first])
    array.flat[-1] = np.nan
    return {**named, first: array}


def nan_output(run):
    forward = train.forward
    swap(run, train, "forward", lambda *given: with_nan(forward(*given)))


def nan_gradient(run):
    gradients = train.loss_and_gradients

    def planted(*given):
        losses, found = gradients(*given)
        return losses, with_nan(found)

    swap(run, train, "loss_and_gradients", planted)


def infinite_loss(run):
    gradients = train.loss_and_gradients

    def planted(*given):
        losses, found = gradients(*given)
        return dict.fromkeys(losses, float("inf")), found

    swap(run, train, "loss_and_gradients", planted)


def nan_moments(run):
    moments = train.dump_moments
    swap(run, train, "dump_moments", lambda *given: with_nan(moments(*given)))


def nan_curve(run):
    step = train.step
    swap(run, train, "step", lambda *given: dict.fromkeys(step(*given), float("nan")))


UNDO: list = []


class PlantedModel(Model):
    defect = ""

    def plant(self, defect):
        self.defect = defect
        return {}

    def build(self, **fields):
        while UNDO:
            owner, name, old = UNDO.pop()
            setattr(owner, name, old)
        super().build(**fields)
        if self.defect:
            globals()[self.defect](self.context.run)
        return {"leaves": [vars(leaf) for leaf in self.context.train.describe(self.context.run)]}


if __name__ == "__main__":
    serve(sys.argv[1], PlantedModel)
