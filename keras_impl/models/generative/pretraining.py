"""Unsupervised pre-training: layers that learned to reconstruct many pictures learn to classify from few labels.

Erhan, Bengio, Courville, Manzagol, Vincent and Bengio, "Why does unsupervised pre-training help deep learning?"
(2010), sections 3 and 6. If most pictures have no label, each layer is first trained as a denoising autoencoder of
the output of the layer below, on all pictures. Then the decoders are left out, a classifier is put on top, and the
network is trained on the few pictures that have labels. The deeper the network, the more it gains over random initial
weights.

Departures: dropout as the corruption, which also divides what it keeps by 1 - rate; the squared error with linear
decoders in place of the cross-entropy, since codes of tanh go from -1 to 1; Adam.

Slides: deck C, "Stacked autoencoder: unsupervised pre-training", which reuses the lower layers of the autoencoder.
"""

import keras
from keras import layers, ops

from keras_impl.models.generative.stacked_autoencoder import reconstruct
from keras_impl.saving import serializable
from twin import data
from twin.spec import Phase


class DenoisingLayer(keras.Model):
    """A layer of the network, with the noise and the decoder by which it is pre-trained.

    Args:
        inputs: width of what it sees.
        units: width of its code.
        corruption_level: share of the inputs that are set to 0 in training.
    """

    def __init__(self, inputs, units, corruption_level):
        super().__init__()
        self.dropout = layers.Dropout(corruption_level)
        self.encoder = layers.Dense(units)
        self.decoder = layers.Dense(inputs)
        self(keras.Input((inputs,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, inputs) rows, corrupted in training, to their reconstructions (B, inputs)."""
        x = self.dropout(x, training=training)
        return self.decoder(self.encode(x))

    def encode(self, x):
        """(B, inputs) rows to (B, units) codes."""
        return ops.tanh(self.encoder(x))


class Features(keras.Model):
    """The layers that are pre-trained, one on the other.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of each layer.
        depth: number of layers.
        corruption_level: share of a layer's inputs that are set to 0 while it is pre-trained.
    """

    def __init__(self, num_pixels, hidden_dim, depth, corruption_level):
        super().__init__()
        widths = [num_pixels, *[hidden_dim] * (depth - 1)]
        self.blocks = [DenoisingLayer(inputs, hidden_dim, corruption_level) for inputs in widths]
        self(keras.Input((num_pixels,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, num_pixels) pictures to (B, hidden_dim) codes."""
        for block in self.blocks:
            x = block.encode(x)
        return x


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class PretrainedClassifier(keras.Model):
    """Pre-trained layers and a classifier on top.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of each layer.
        depth: number of layers.
        num_classes: width of the output.
        corruption_level: share of a layer's inputs that are set to 0 while it is pre-trained.
    """

    def __init__(self, num_pixels, hidden_dim, depth, num_classes, corruption_level):
        super().__init__()
        self.features = Features(num_pixels, hidden_dim, depth, corruption_level)
        self.head = layers.Dense(num_classes)
        self(keras.Input((num_pixels,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, num_pixels) pictures to (B, num_classes) logits."""
        return self.head(self.features(x))


def reconstruction_loss(model, batch):
    """The sum of what each layer loses of its own inputs; no layer learns for the one above."""
    x, loss = batch["x"], 0.0
    for block in model.features.blocks:
        loss += ops.mean((block(x, training=True) - x) ** 2)  # differs: Keras takes the mode per call
        x = ops.stop_gradient(block.encode(x))
    return loss


def classification_loss(model, batch):
    """Cross-entropy on the labels; the decoders have no part in it."""
    # differs: Keras's function gives a loss per row
    return ops.mean(keras.losses.sparse_categorical_crossentropy(batch["y"], model(batch["x"]), from_logits=True))


PHASES = (Phase("features", loss=reconstruction_loss), Phase("", loss=classification_loss))


def fit(run, epochs, report):
    """An eighth of the epochs for each layer, on all pictures without their labels; the rest on the labelled ones."""
    codes = data.load("digits", {"flat": True}).train["x"]
    labelled = data.load(run.twin.data, run.twin.data_options).train
    rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    each, start = epochs // 8, 0

    for block in run.model.features.blocks:
        reconstruct(block, codes, rate, batch_size, range(start, start + each), report)
        codes = ops.convert_to_numpy(block.encode(codes))
        start += each
    classify(run.model, labelled, rate, batch_size, range(start, epochs), report)


def classify(model, rows, rate, batch_size, epochs, report):
    """Train a model for some epochs to tell the labels."""
    model.compile(
        optimizer=keras.optimizers.Adam(rate), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    # differs: Keras's fit holds the loop
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report(epoch, {"loss": float(logs["loss"])}))
    span = {"initial_epoch": epochs.start, "epochs": epochs.stop}
    model.fit(rows["x"], rows["y"], batch_size=batch_size, shuffle=True, verbose=0, callbacks=[tell], **span)
