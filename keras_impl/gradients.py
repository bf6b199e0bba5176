"""How each Keras backend differentiates, compiles and is fed: the only file here that asks which backend runs.

Every backend gets the same.

`value_and_gradients(function, variables, others)` calls `function()`, which takes nothing and returns a
scalar, and differentiates it by each of the Keras `variables`; `others` are the variables that it reads or
assigns besides (running statistics), which JAX has to be told.

`Compiled(step, variables, mode)` is `step(batch)` as its backend compiles it, or as the mode says ('compile' on
PyTorch, 'eager' on TensorFlow); `variables` are all that it reads or assigns, and hold their new values after
`flush()`. `reading(function)` is `function(batch)`, compiled likewise, which reads the variables as the last step
left them, before any flush, and assigns none.

`once(function, variables, batch)` is `function(batch)` for a single call, which may assign the variables: on JAX one
program, since op by op XLA would compile hundreds of small ones, each with a megabyte of its own; elsewhere eager.

`forget()` lets go of what was compiled for earlier models, and within `drawing()` initial weights are drawn.

`stock_step(model, data)` and `stock_predict(model, data)` are what `fit` and `predict` do with each batch, always with
the tensors `data`: calls without arguments, which return tensors.

`batches(pairs, orders, batch_size)` is what `fit` takes, with its number of steps an epoch: the rows of `pairs`
(inputs and targets) in a given order for each epoch, so that both frameworks see the same batches.
"""

import contextlib
import itertools

import keras
import numpy as np

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    def value_and_gradients(function, variables, others=()):
        with tf.GradientTape() as tape:
            value = function()
        return value, tape.gradient(value, [v.value for v in variables], unconnected_gradients="zero")

    class Compiled:
        def __init__(self, step, variables, mode=""):
            self.step = step if mode == "eager" else tf.function(step)

        def __call__(self, batch):
            return self.step(batch)

        def reading(self, function):
            return tf.function(function)

        def flush(self):
            """TensorFlow assigns in place: nothing waits."""

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

elif BACKEND == "jax":
    import jax

    def _within_scope(function, variables, values):
        """Call `function` while `variables` stand for `values`; also return what they stand for after."""
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            result = function()
        return result, [scope.get_current_value(variable) for variable in variables]

    def value_and_gradients(function, variables, others=()):
        def stateless(values, other_values):
            everything = [*variables, *others]
            value, after = _within_scope(function, everything, [*values, *other_values])
            return value, after[len(variables) :]

        differentiate = jax.value_and_grad(stateless, has_aux=True)
        (value, after), gradients = differentiate([v.value for v in variables], [v.value for v in others])
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

    def _copies(variables):
        return [jax.numpy.copy(variable.value) for variable in variables]

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

    def once(function, variables, batch):
        compiled = jax.jit(lambda values, batch: _within_scope(lambda: function(batch), variables, values))
        result, after = compiled([variable.value for variable in variables], batch)
        for variable, new in zip(variables, after, strict=True):
            variable.assign(new)
        return result

    @contextlib.contextmanager
    def drawing():
        """With few optimizations: each shape of weights is drawn by a program of its own, which may run once."""
        usual = jax.config.read("jax_disable_most_optimizations")
        jax.config.update("jax_disable_most_optimizations", True)
        try:
            yield
        finally:
            jax.config.update("jax_disable_most_optimizations", usual)

else:
    import torch

    def value_and_gradients(function, variables, others=()):
        with torch.enable_grad():
            value = function()
        gradients = torch.autograd.grad(value, [v.value for v in variables], allow_unused=True, materialize_grads=True)
        return value.detach(), gradients

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

    def stock_step(model, data):
        model.make_train_function()
        return lambda: model.train_function([data])

    def stock_predict(model, data):
        model.make_predict_function()
        return lambda: model.predict_function([data])


def forget():
    keras.backend.clear_session()
    if BACKEND == "jax":
        jax.clear_caches()  # or a worker's programs would fill gigabytes, twin after twin


if BACKEND != "jax":
    drawing = contextlib.nullcontext

    def once(function, variables, batch):
        return function(batch)


if BACKEND != "tensorflow":

    class _Batches(keras.utils.PyDataset):
        def __init__(self, pairs, orders, batch_size):
            super().__init__()
            self.pairs, self.orders, self.batch_size = pairs, orders, batch_size
            self.epoch, self.complete = 0, False

        def __len__(self):
            return -(-len(self.orders[0]) // self.batch_size)

        def __getitem__(self, index):
            self.complete = index == len(self) - 1
            rows = self.orders[self.epoch][index * self.batch_size : (index + 1) * self.batch_size]
            return keras.tree.map_structure(lambda array: array[rows], self.pairs)

        def on_epoch_end(self):
            if self.complete:  # fit takes a first batch before it starts, to see shapes, and calls this then too
                self.epoch = min(self.epoch + 1, len(self.orders) - 1)

    def batches(pairs, orders, batch_size):
        return _Batches(pairs, orders, batch_size), None
