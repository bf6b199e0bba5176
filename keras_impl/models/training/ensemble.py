"""Ensemble of epochs: one training, several networks, and the average of what they say.

Xie, Xu and Chuang, "Horizontal and vertical ensemble with deep representation for classification" (2013), section
3.1. Between one epoch and the next the error on new pictures goes up and down, and nobody knows beforehand which
epoch is the best. So the networks of the last few epochs are all kept, and the probabilities that they give are
averaged: the average is surer than its members where they agree, and less sure where they do not.

Departures: none. Huang et al., "Snapshot ensembles: train 1, get M for free" (2017) drive the network into a new
valley before each snapshot by a schedule that restarts; here the rate is constant, as on the slides.

Slides: deck D, "Ensemble learning": three epochs, a model of each, and the average as final output.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_impl import train
from keras_impl.models.classification.digit_cnn import DigitCNN
from keras_impl.saving import serializable
from twin import data
from twin.spec import Phase


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class Ensemble(keras.Model):
    """A network that learns, and the networks that it was after earlier epochs.

    Args:
        image_shape: height, width and channels; height and width divisible by four.
        num_classes: width of the output.
        num_members: how many epochs are averaged.
    """

    def __init__(self, image_shape, num_classes, num_members):
        super().__init__()
        self.learner = DigitCNN(image_shape, num_classes)
        self.members = [DigitCNN(image_shape, num_classes) for _ in range(num_members)]
        for member in self.members:
            member.trainable = False
        self(keras.Input(image_shape))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, H, W, C) images to (B, num_classes) logarithms of the members' mean probabilities."""
        logits = ops.stack([member(x) for member in self.members])  # (members, B, num_classes)
        return ops.logsumexp(ops.log_softmax(logits, axis=-1), axis=0) - math.log(len(self.members))

    def snapshot(self, index):
        """Make that member equal to the learner."""
        self.members[index].set_weights(self.learner.get_weights())


def learner_loss(model, batch):
    """Cross-entropy of the learner alone."""
    # differs: Keras's function gives a loss per row
    loss = keras.losses.sparse_categorical_crossentropy(batch["y"], model.learner(batch["x"]), from_logits=True)
    return ops.mean(loss)


PHASES = (Phase("learner", loss=learner_loss),)


def fit(run, epochs, report):
    """Train the learner, and keep it after each of the last epochs, as many as there are members."""
    rows = data.load(run.twin.data, run.twin.data_options).train
    rng = np.random.default_rng(run.seed)
    for epoch in range(epochs):
        order = rng.permutation(len(rows["y"]))
        batches = np.split(order, range(run.twin.batch_size, len(order), run.twin.batch_size))
        losses = [train.step(run, {name: array[chosen] for name, array in rows.items()}) for chosen in batches]
        index = epoch - (epochs - len(run.model.members))
        if index >= 0:
            run.compiled.flush()  # differs: a compiled step may hold the weights outside the model
            run.model.snapshot(index)
        report(epoch, {"learner": float(np.mean([loss["learner"] for loss in losses]))})
