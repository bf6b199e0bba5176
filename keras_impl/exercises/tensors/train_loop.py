"""A whole training, written out: data set, loader, model, schedule, train, evaluate, monitor, save and load.

Everything that decides about the outcome comes in as data (the pictures, the first weights, the order of the rows in
each epoch), so that the two frameworks go the same way step by step. Keras has this loop ready as `fit`, which finds
the same losses to the last digit: nothing else happens inside it. PyTorch leaves the loop to its user.

Robbins and Monro, "A stochastic approximation method" (1951): steps along noisy gradients, ever smaller. Here the rate
is halved after each epoch, which is exact in binary numbers, so that the rates too can be compared to the last digit.
Keras states that per step (so many to a halving), PyTorch per call of `schedule.step()`, once an epoch.

Departures from the slides: plain SGD instead of Adam, because the frameworks add Adam's epsilon at different places;
cross-entropy instead of the squared error, because digits are classes; tanh between the two dense layers.

Slides: deck E, the steps of a training from "Custom Dataset" to "Train & evaluate"; homework 1 (saving, monitoring).
"""

import tempfile
from pathlib import Path

import keras
from keras import layers, ops

from keras_impl.backend import Compiled, value_and_gradients

BATCH = 32  # 400 rows make twelve batches and a last one of 16
RATE = 0.5
DECAY = 0.5


class Batches(keras.utils.PyDataset):  # differs: Keras's data set hands out batches; PyTorch's, single rows
    """The data set and its loader: rows of arrays, in another order each epoch."""

    def __init__(self, x, y, orders):
        super().__init__()
        self.x, self.y, self.orders, self.epoch = x, y, orders, 0

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def __getitem__(self, index):
        rows = self.orders[self.epoch][index * BATCH : (index + 1) * BATCH]
        return self.x[rows], self.y[rows]


class Network(keras.Model):
    """Two dense layers.

    Args:
        pixels: width of the input.
        hidden: units of the first layer.
        num_classes: width of the output.
    """

    def __init__(self, pixels, hidden, num_classes):
        super().__init__()
        self.dense1 = layers.Dense(hidden)
        self.dense2 = layers.Dense(num_classes)
        self(keras.Input((pixels,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, pixels) to (B, num_classes) logits."""
        return self.dense2(ops.tanh(self.dense1(x)))


def run(x, y, x_test, y_test, w1, b1, w2, b2, orders):
    """(N, 64) pictures, labels, (64, 32) and (32, 10) weights and (epochs, N) orders to the course of the training."""
    # differs: a PyDataset hands out NumPy arrays
    pictures, labels, orders = (ops.convert_to_numpy(tensor) for tensor in (x, y, orders))
    loader = Batches(pictures, labels, orders)
    model = start(w1, b1, w2, b2)
    # differs: Keras's schedule is the optimizer's rate
    rate = keras.optimizers.schedules.ExponentialDecay(RATE, len(loader), DECAY, staircase=True)
    optimizer = keras.optimizers.SGD(rate)

    history = train(model, loader, optimizer, len(orders), x_test, y_test)
    logits = model(x_test)

    loaded = start(*(ops.zeros_like(weight) for weight in (w1, b1, w2, b2)))
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(Path(folder) / "digits.weights.h5")
        loaded.load_weights(Path(folder) / "digits.weights.h5")

    fitted = start(w1, b1, w2, b2)
    return {
        **{name: ops.convert_to_tensor(values, dtype=x.dtype) for name, values in history.items()},
        "fit_losses": ops.convert_to_tensor(fit(fitted, pictures, labels, orders), dtype=x.dtype),
        "fit_logits": fitted(x_test),
        "logits": logits,
        "logits_after_loading": loaded(x_test),
    }


def start(w1, b1, w2, b2):
    """A network with the given weights, (in, out) as Keras keeps them."""
    model = Network(*w1.shape, w2.shape[1])
    # differs: Keras keeps weights in order, (in, out)
    for variable, weight in zip(model.trainable_variables, (w1, b1, w2, b2), strict=True):
        variable.assign(weight)
    return model


def train(model, loader, optimizer, epochs, x_test, y_test):
    """Train so many epochs; return what a monitor would draw: losses, rates, and accuracies on the test rows."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)  # differs: Keras's optimizer learns here what it trains

    def step(batch):
        """One update: the loss before it, and the rate that it was taken with."""
        inputs, target = batch
        rate = optimizer.learning_rate
        # Step 1, the loss of the batch.
        loss = lambda: loss_of(target, model(inputs, training=True))
        # Step 2, the gradients.
        # differs: Keras's backends differentiate a function
        value, gradients = value_and_gradients(loss, model.trainable_variables)
        # Step 3, the weights move against them.
        optimizer.apply(gradients, model.trainable_variables)
        return value, rate

    # differs: Keras compiles the step; a metric keeps the mean
    compiled = Compiled(step, [*model.variables, *optimizer.variables])
    evaluate = compiled.reading(lambda inputs: model(inputs, training=False))
    mean = keras.metrics.Mean()
    history = {"losses": [], "rates": [], "epoch_losses": [], "accuracies": []}
    for epoch in range(epochs):
        loader.epoch = epoch
        mean.reset_state()  # differs: the metric begins anew; Keras takes the mode per call
        # Every batch of the epoch, in its order.
        for index in range(len(loader)):
            # differs: a PyDataset hands out NumPy arrays
            inputs, target = (ops.convert_to_tensor(array) for array in loader[index])
            loss, rate = compiled((inputs, target))
            mean.update_state(loss, sample_weight=len(target))  # the last batch is smaller and counts less
            history["losses"].append(loss)
            history["rates"].append(rate)

        # How good is it now, on rows that it has not seen?
        hits = ops.equal(ops.argmax(evaluate(x_test), axis=-1), y_test)
        history["epoch_losses"].append(mean.result())
        history["accuracies"].append(ops.mean(ops.cast(hits, x_test.dtype)))
        report(epoch, history)
    compiled.flush()  # differs: a compiled step may hold the weights outside the model
    return history


def fit(model, x, y, orders):
    """The same by what is ready, one mean loss an epoch: Keras's `fit`; PyTorch has none, and so the bare loop."""
    loader = Batches(x, y, orders)  # differs: Keras's fit holds the loop
    rate = keras.optimizers.schedules.ExponentialDecay(RATE, len(loader), DECAY, staircase=True)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss_of)
    # Not in the data set's own on_epoch_end: fit looks at one batch before it starts, and calls that then too.
    next_order = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(loader, "epoch", epoch))
    history = model.fit(loader, epochs=len(orders), shuffle=False, verbose=0, callbacks=[next_order])
    return history.history["loss"]


def report(epoch, history):
    """Progress, a line an epoch; TensorBoard or Weights & Biases would take the same numbers."""
    loss, accuracy, rate = (float(history[name][-1]) for name in ("epoch_losses", "accuracies", "rates"))
    print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.3f}, rate {rate:g}")
