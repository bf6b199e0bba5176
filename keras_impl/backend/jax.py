"""Keras on JAX, where state is functional between steps."""

import contextlib
import itertools
from typing import TYPE_CHECKING
from unittest.mock import patch

import jax
import keras
import numpy as np

from keras_impl.backend.rows import Rows
from twin.losses import total


def value_and_gradients(function, variables, others=()):
    def stateless(values, other_values):
        everything = [*variables, *others]
        value, after = _within_scope(function, everything, [*values, *other_values])
        return total(value), (value, after[len(variables) :])

    differentiate = jax.value_and_grad(stateless, has_aux=True)
    (_, (value, after)), gradients = differentiate([v.value for v in variables], [v.value for v in others])
    for variable, new in zip(others, after, strict=True):
        variable.assign(new)
    return value, gradients


class Compiled:
    def __init__(self, step, variables, mode=""):
        self.variables = variables
        self.state = None  # lives outside the variables between calls, as in Keras's own JAX trainer
        stateless = lambda state, batch: _within_scope(lambda: step(batch), variables, state)
        self.step = jax.jit(stateless, donate_argnums=0)

    def __call__(self, batch):
        result, self.state = self.step(self._state(), batch)
        return result

    def reading(self, function):
        stateless = lambda state, batch: _within_scope(lambda: function(batch), self.variables, state)[0]
        compiled = jax.jit(stateless)
        return lambda batch: compiled(self._state(), batch)

    def flush(self):
        """Bring the variables up to date with the compiled step's state."""
        if self.state is not None:
            for variable, value in zip(self.variables, self.state, strict=True):
                variable.assign(value)
        self.state = None

    def _state(self):
        if self.state is None:
            self.state = _copies(self.variables)  # donated: not the variables' own
        return self.state


def once(function, variables, batch):
    compiled = jax.jit(lambda values, batch: _within_scope(lambda: function(batch), variables, values))
    result, after = compiled([variable.value for variable in variables], batch)
    for variable, new in zip(variables, after, strict=True):
        variable.assign(new)
    return result


def forget():
    keras.backend.clear_session()
    jax.clear_caches()  # or a worker's programs would fill gigabytes, twin after twin


def seed(seed):
    pass  # JAX has no generator of its own


@contextlib.contextmanager
def drawing():
    """The numbers of Keras's initializers come from NumPy: JAX compiles a program for each shape of weights.

    That took four fifths of the time in which a model was built. The distributions are the same. JAX compiles one for
    each shape that it takes from NumPy too, unless it is told to put it on the device.
    """
    with contextlib.ExitStack() as replaced:
        replaced.enter_context(patch.object(jax.numpy, "asarray", _put_on_device(jax.numpy.asarray)))
        for name, instead in NUMPY_DRAWS.items():
            replaced.enter_context(patch.object(jax.random, name, _unless_traced(getattr(jax.random, name), instead)))
        for initializer, filled in NUMPY_CONSTANTS.items():
            replaced.enter_context(patch.object(initializer, "__call__", _constant(filled)))
        yield


def _truncated_normal(rng, lower, upper, shape):
    drawn = rng.standard_normal(shape, np.float32)
    while (outside := (drawn < lower) | (drawn > upper)).any():
        drawn[outside] = rng.standard_normal(outside.sum(), np.float32)
    return drawn


NUMPY_DRAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape, np.float32),
    "uniform": lambda rng, shape, minval, maxval: minval + (maxval - minval) * rng.random(shape, np.float32),
    "truncated_normal": _truncated_normal,
}
NUMPY_CONSTANTS = {keras.initializers.Zeros: np.zeros, keras.initializers.Ones: np.ones}


def _put_on_device(own):
    def asarray(array, dtype=None, **options):
        if type(array) is np.ndarray and dtype is None and not options:
            return jax.device_put(array)
        return own(array, dtype=dtype, **options)

    return asarray


def _constant(instead):
    def fill(self, shape, dtype=None, **options):
        return instead(shape, keras.backend.standardize_dtype(dtype))

    return fill


def _unless_traced(own, instead):
    """That NumPy draws instead; what a model draws in its forward pass is drawn by JAX as ever."""

    def draw(key, *arguments, dtype=float, **options):
        if isinstance(key, jax.core.Tracer):
            return own(key, *arguments, dtype=dtype, **options)
        return instead(np.random.default_rng(np.asarray(key)), *arguments, **options).astype(dtype)

    return draw


def batches(pairs, orders, batch_size):
    return Rows(pairs, orders, batch_size), None


def stock_step(model, data):
    model.make_train_function()
    parts = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
    state = tuple(_copies(variables) for variables in (*parts, model.metrics_variables))
    feed = itertools.repeat(data)

    def step():
        nonlocal state
        logs, state = model.train_function(state, feed)
        return logs

    return step


def stock_predict(model, data):
    model.make_predict_function()
    state = _copies(model.trainable_variables), _copies(model.non_trainable_variables)

    def predict():
        nonlocal state
        outputs, state = model.predict_function(state, iter([data]))
        return outputs

    return predict


def device_name():
    return next((str(device.device_kind) for device in jax.devices() if device.platform == "gpu"), None)


def synchronize():
    jax.block_until_ready(jax.numpy.zeros(()) + 0)


def wait_for(result):
    jax.block_until_ready(result)


def device_memory():
    device = jax.devices()[0]
    return device.memory_stats()["peak_bytes_in_use"] if device.platform == "gpu" else None


def _within_scope(function, variables, values):
    """Call `function` while `variables` stand for `values`; also return what they stand for after."""
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
        result = function()
    return result, [scope.get_current_value(variable) for variable in variables]


def _copies(variables):
    return [jax.numpy.copy(variable.value) for variable in variables]


if TYPE_CHECKING:  # the type checker holds this file to what every backend offers
    from keras_impl.backend import Backend
    from keras_impl.backend import jax as this_file

    _: Backend = this_file
