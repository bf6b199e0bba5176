"""Transfer learning: what a network learned on many pictures serves it on few of another kind.

Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?" (2014), sections 2 and 4.
The first layers of a network find edges, spots and textures whatever it was trained for. So they are trained where
pictures abound (the source), frozen, and given a new head that learns from few pictures (the target); at last
everything is tuned, with small steps. Here the source is which of eight pictures a patch is from, and the target is
whether one of 40 pictures shows a face: frozen features that were never trained get much less of it right.

Departures: three small convolutions in place of AlexNet's eight layers.

To freeze is not the same in the two frameworks. In Keras, `trainable = False` also puts BatchNorm into inference
mode, so that its statistics stay. In PyTorch, `requires_grad_(False)` only stops the gradients: without `eval()` a
frozen BatchNorm goes on to normalize by the batch, and moves its statistics to the target's.

Slides: deck B, "Transfer learning", "Pre-training" and "Fine-tuning"; deck C, VGG16 as what one transfers from.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin import data
from twin.data.textures import PICTURES
from twin.spec import Phase


class Features(keras.Model):
    """Three times convolution, BatchNorm, ReLU and pooling, and then global average pooling.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution; each of the others doubles them.
    """

    def __init__(self, image_shape, width):
        super().__init__()
        self.blocks = []
        for channels in (width, 2 * width, 4 * width):
            self.blocks.append(layers.Conv2D(channels, kernel_size=3, padding="same", use_bias=False))
            self.blocks.append(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
            self.blocks.append(layers.ReLU())
            self.blocks.append(layers.MaxPooling2D(2))
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, 4 * width) features."""
        for block in self.blocks:
            x = block(x, training=training) if isinstance(block, layers.BatchNormalization) else block(x)
        return keras.ops.mean(x, axis=(1, 2))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class TransferNet(keras.Model):
    """Features that may be frozen, and a head.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, num_classes):
        super().__init__()
        self.base = Features(image_shape, width)
        self.head = layers.Dense(num_classes)
        self.freeze(True)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        return self.head(self.base(x, training=training))

    def freeze(self, frozen):
        """Whether the features stay as they are, with the statistics that they normalize by."""
        self.base.trainable = not frozen


def head_loss(model, batch):
    """Cross-entropy on the target, while the features are frozen."""
    logits = model(batch["x"], training=True)  # differs: Keras takes the mode per call
    return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(batch["y"], logits, from_logits=True))


PHASES = (Phase("head", loss=head_loss),)


def fit(run, epochs, report):
    """A tenth of the epochs: the features, on the source; six tenths: the head, on the target; the rest: both."""
    source = data.load("textures").train
    target = data.load(run.twin.data, run.twin.data_options).train
    learning_rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    first, second = epochs // 10, epochs * 7 // 10

    run.model.freeze(False)
    pretrained = keras.Sequential([run.model.base, layers.Dense(len(PICTURES))])
    learn(pretrained, source, learning_rate, batch_size, range(first), report)
    run.model.freeze(True)
    learn(run.model, target, 10 * learning_rate, batch_size, range(first, second), report)
    run.model.freeze(False)
    learn(run.model, target, learning_rate / 10, batch_size, range(second, epochs), report)


def learn(model, rows, learning_rate, batch_size, epochs, report):
    """Train what is not frozen of a model for some epochs."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # differs: Keras's fit holds the loop
    log_epoch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: report(epoch, {"loss": float(logs["loss"])})
    )
    span = {"initial_epoch": epochs.start, "epochs": epochs.stop}
    model.fit(rows["x"], rows["y"], batch_size=batch_size, shuffle=True, verbose=0, callbacks=[log_epoch], **span)
