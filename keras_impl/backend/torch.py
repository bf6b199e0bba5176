"""Keras on PyTorch."""

import contextlib
from typing import TYPE_CHECKING

import keras
import torch

from keras_impl.backend.rows import Rows
from twin.losses import total


def value_and_gradients(function, variables, others=()):
    with torch.enable_grad():
        value = function()
        whole = total(value)
    values = [v.value for v in variables]
    gradients = torch.autograd.grad(whole, values, allow_unused=True, materialize_grads=True) if values else ()
    return keras.tree.map_structure(torch.detach, value), gradients


class Compiled:
    def __init__(self, step, variables, mode=""):
        # Eager is what Keras itself runs on this backend unless asked.
        self.step = torch.compile(step) if mode == "compile" else step

    def __call__(self, batch):
        with torch.no_grad():  # value_and_gradients records what it has to; an update leaves no graph behind
            return self.step(batch)

    def reading(self, function):
        return torch.inference_mode()(function)

    def flush(self):
        """PyTorch assigns in place: nothing waits."""


def once(function, variables, batch):
    with torch.no_grad():  # a graph of all layers would be kept until the answer is read
        return function(batch)


def forget():
    keras.backend.clear_session()


def seed(seed):
    torch.manual_seed(seed)


def drawing():
    return contextlib.nullcontext()


def batches(pairs, orders, batch_size):
    return Rows(pairs, orders, batch_size), None


def stock_step(model, data):
    model.make_train_function()
    return lambda: model.train_function([data])


def stock_predict(model, data):
    model.make_predict_function()
    return lambda: model.predict_function([data])


def device_name():
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def synchronize():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def wait_for(result):
    synchronize()


def device_memory():
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


if TYPE_CHECKING:  # the type checker holds this file to what every backend offers
    from keras_impl.backend import Backend
    from keras_impl.backend import torch as this_file

    _: Backend = this_file
