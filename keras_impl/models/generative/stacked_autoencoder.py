"""Stacked autoencoder: one layer learns at a time, and then all learn together.

Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks" (2007), section 4. The first
layer is trained as an autoencoder of the pictures, and its decoder is set aside; the second as an autoencoder of the
first one's codes, which are computed once. Then the two encoders and the two decoders are put one on the other, and
the whole learns to reconstruct the pictures. Each of the small trainings is easier than that of the deep network, and
they leave it at a better place to start from than random weights are.

Departures: the squared error in place of the cross-entropy; the decoders have weights of their own, where the paper
has the encoder's, transposed.

Slides: deck C, "Stacked autoencoder" and "Training, one layer at a time".
"""

import keras
from keras import layers, ops

from keras_impl.saving import serializable
from twin import data
from twin.spec import Phase


class AutoencoderLayer(keras.Model):
    """One layer of the encoder and its counterpart in the decoder: an autoencoder by itself.

    Args:
        inputs: width of what it encodes.
        units: width of its code.
    """

    def __init__(self, inputs, units):
        super().__init__()
        self.encoder = layers.Dense(units)
        self.decoder = layers.Dense(inputs)
        self(keras.Input((inputs,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, inputs) rows in [0, 1] to their reconstructions (B, inputs)."""
        return self.decode(self.encode(x))

    def encode(self, x):
        """(B, inputs) rows to (B, units) codes in [0, 1]."""
        return ops.sigmoid(self.encoder(x))

    def decode(self, code):
        """(B, units) codes to (B, inputs) rows in [0, 1]."""
        return ops.sigmoid(self.decoder(code))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class StackedAutoencoder(keras.Model):
    """Two autoencoders, the second within the first.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of the first one's code.
        latent_dim: width of the second one's code.
    """

    def __init__(self, num_pixels, hidden_dim, latent_dim):
        super().__init__()
        self.layer1 = AutoencoderLayer(num_pixels, hidden_dim)
        self.layer2 = AutoencoderLayer(hidden_dim, latent_dim)
        self(keras.Input((num_pixels,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, num_pixels) pictures in [0, 1] to their reconstructions (B, num_pixels)."""
        return self.decode(self.encode(x))

    def encode(self, x):
        """(B, num_pixels) pictures to (B, latent_dim) codes."""
        return self.layer2.encode(self.layer1.encode(x))

    def decode(self, code):
        """(B, latent_dim) codes to (B, num_pixels) pictures."""
        return self.layer1.decode(self.layer2.decode(code))


def layer1_loss(model, batch):
    """What the first layer alone makes of the pictures."""
    return ops.mean((model.layer1(batch["x"]) - batch["x"]) ** 2)


def layer2_loss(model, batch):
    """What the second layer alone makes of the first one's codes; the first is not trained here."""
    codes = ops.stop_gradient(model.layer1.encode(batch["x"]))
    return ops.mean((model.layer2(codes) - codes) ** 2)


def whole_loss(model, batch):
    """What all layers together make of the pictures."""
    return ops.mean((model(batch["x"]) - batch["x"]) ** 2)


PHASES = (Phase("layer1", loss=layer1_loss), Phase("layer2", loss=layer2_loss), Phase("", loss=whole_loss))


def fit(run, epochs, report):
    """A third of the epochs: the first layer; a third: the second, on codes that are computed once; the rest: all."""
    x = data.load(run.twin.data, run.twin.data_options).train["x"]
    rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    first, second = epochs // 3, epochs * 2 // 3

    reconstruct(run.model.layer1, x, rate, batch_size, range(first), report)
    codes = ops.convert_to_numpy(run.model.layer1.encode(x))
    reconstruct(run.model.layer2, codes, rate, batch_size, range(first, second), report)
    reconstruct(run.model, x, rate, batch_size, range(second, epochs), report)


def reconstruct(model, rows, rate, batch_size, epochs, report):
    """Train a model for some epochs to give back its inputs."""
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=keras.losses.MeanSquaredError())
    # differs: Keras's fit holds the loop
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report(epoch, {"loss": float(logs["loss"])}))
    span = {"initial_epoch": epochs.start, "epochs": epochs.stop}
    model.fit(rows, rows, batch_size=batch_size, shuffle=True, verbose=0, callbacks=[tell], **span)
