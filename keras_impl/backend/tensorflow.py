"""Keras on TensorFlow."""

import contextlib
import itertools
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from twin.losses import total


def value_and_gradients(function, variables, others=()):
    with tf.GradientTape() as tape:
        value = function()
        whole = total(value)
    return value, tape.gradient(whole, [v.value for v in variables], unconnected_gradients="zero")


class Compiled:
    def __init__(self, step, variables, mode=""):
        self.step = step if mode == "eager" else tf.function(step)

    def __call__(self, batch):
        return self.step(batch)

    def reading(self, function):
        return tf.function(function)

    def flush(self):
        """TensorFlow assigns in place: nothing waits."""


def once(function, variables, batch):
    return function(batch)


def forget():
    keras.backend.clear_session()


def seed(seed):
    tf.random.set_seed(seed)


def drawing():
    return contextlib.nullcontext()


def batches(pairs, orders, batch_size):
    # Within TensorFlow's own graph: fed from Python, a small model's epoch takes a third longer.
    tensors = tf.nest.map_structure(tf.convert_to_tensor, pairs)
    rows = tf.data.Dataset.from_tensor_slices(np.stack(orders))
    rows = rows.flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
    gathered = rows.map(lambda chosen: tf.nest.map_structure(lambda tensor: tf.gather(tensor, chosen), tensors))
    return gathered.prefetch(2), -(-len(orders[0]) // batch_size)


def stock_step(model, data):
    model.make_train_function()
    feed = itertools.repeat(data)
    return lambda: model.train_function(feed)


def stock_predict(model, data):
    model.make_predict_function()
    return lambda: model.predict_function([data])


def device_name():
    devices = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(devices[0])["device_name"]) if devices else None


def synchronize():
    """Nothing to do: what is read from TensorFlow's tensors has been computed."""


def wait_for(result):
    for tensor in tf.nest.flatten(result):
        keras.ops.convert_to_numpy(tensor)


def device_memory():
    devices = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if devices else None


if TYPE_CHECKING:  # the type checker holds this file to what every backend offers
    from keras_impl.backend import Backend
    from keras_impl.backend import tensorflow as this_file

    _: Backend = this_file
