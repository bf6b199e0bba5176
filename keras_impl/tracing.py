"""What a Keras model does to one input, call by call.

torch_impl/tracing.py writes the same down for PyTorch. The model is first called on symbolic tensors, which shows
every layer and every `keras.ops` function in the order of execution, through the layers and models that users
write themselves; then the same calls are repeated one by one on the input. A layer's built-in activation counts as a
call of its own, because in PyTorch it is one.
"""

import inspect
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src import backend

from keras_impl.backend import seed as seed_backend
from keras_impl.backend import value_and_gradients
from keras_impl.cuts import without
from keras_impl.draws import fixed
from keras_impl.inventory import every_layer, leaves
from twin.bridge import Arrays, Leaf
from twin.trace import LARGEST_CONSTANT, Cut, Event, Trace, in_words
from twin.trace import by_name as outputs_by_name

ACTIVATIONS = {
    "relu", "relu6", "gelu", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "sigmoid", "tanh", "softplus",
    "softsign", "softmax", "log_softmax", "log_sigmoid", "hard_tanh", "hard_sigmoid", "hard_silu", "glu", "exponential",
}  # fmt: skip
SHAPES = {
    "reshape", "flatten", "permute", "transpose", "squeeze", "expand_dims", "swapaxes", "moveaxis", "identity", "cast",
    "split", "broadcast_to", "input_layer", "repeat_vector", "ravel", "unstack", "stop_gradient", "copy",
    "convert_to_tensor",
}  # fmt: skip
OPS = {
    "true_divide": "divide", "concatenate": "concatenate", "get_item": "getitem", "global_average_pooling": "mean",
    "global_max_pooling": "max", "zero_padding": "pad", "dot": "matmul", "scale": "rescaling",
}  # fmt: skip


MOST_STEPS = 64  # of a cell that are followed one by one
MERGES = {"sum": "add", "ave": "bidirectional_mean", "mul": "multiply"}
COMPARISONS = {"__eq__": "equal", "__ne__": "not_equal"}  # which Keras's symbols lack
OPERATORS = {
    "__add__": "add", "__sub__": "subtract", "__mul__": "multiply", "__truediv__": "true_divide", "__pow__": "power",
    "__matmul__": "matmul",
}  # fmt: skip


def seed(number: int) -> None:
    """Seed all that a user's own model may draw its first weights from; see keras_impl/train.py."""
    random.seed(number)
    np.random.seed(number)
    seed_backend(number)


class Subject:
    """A Keras model under examination.

    Args:
        model: sequential, functional or subclassed.
        inputs: one input of each kind, which builds what is not built yet.
    """

    def __init__(self, model: keras.Model, inputs: Sequence[np.ndarray]):
        self.model = model
        if not _variables(model) or not model.built:
            _call(model, [ops.convert_to_tensor(array) for array in inputs], training=None)
        self.named = {leaf.path: (leaf, own) for leaf, own in leaves(model)}
        self.layers = dict(every_layer(model))
        self.paths = {id(layer): path for path, layer in self.layers.items()}
        self.owners = {id(v): path for path, (_, own) in self.named.items() for v in own.values()}

    def leaves(self) -> list[Leaf]:
        """The layers that own weights, by attribute path; in a functional or sequential model by name."""
        return [leaf for leaf, _ in self.named.values()]

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set weights from arrays under Keras's names; those not given stay."""
        for name, variable in self._state().items():
            if name in arrays:
                value = arrays[name]
                variable.assign(value.reshape(variable.shape) if value.size == 1 else value)  # files know no 0-d arrays

    def dump(self) -> dict[str, np.ndarray]:
        """Every weight under its attribute path and Keras name."""
        return {name: _array(variable.value) for name, variable in self._state().items()}

    def trace(self, inputs: Sequence[np.ndarray], training: bool = False) -> Trace:
        """Run the model once and write down every call.

        Args:
            inputs: in Keras's layout.
            training: the mode; running statistics are put back afterwards.
        """
        recorder, outputs, told = self._recorded(inputs, training, constants=True)
        if told:  # what a layer makes of constants may be asked for its values
            recorder, outputs, told = self._recorded(inputs, training, constants=False)
        if told:
            return Trace(tuple(recorder.events), {}, {}, told, written=recorder.written)
        try:
            with self._unchanged(), fixed():
                values = recorder.replay(self._tensors(inputs))
        except Exception as error:  # what runs on symbols may not on values, call by call
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            return Trace(tuple(recorder.events), {}, {}, told, written=recorder.written)
        kept = {number: _array(value) for number, value in values.items()}
        if recorder.assigned:  # a function of the state may have taken it as it was before
            # An update moves a state by percents; call by call float32 may round otherwise than in one pass.
            own = self.outputs(inputs, training)
            if any(not np.allclose(kept[number], own[name], 1e-3, 1e-5) for name, number in outputs.items()):
                told = "a layer reads a state that it has assigned in the same pass"
                return Trace(tuple(recorder.events), {}, {}, told, written=recorder.written)
        return Trace(tuple(recorder.events), kept, outputs, constants=recorder.constants, written=recorder.written)

    def _recorded(
        self, inputs: Sequence[np.ndarray], training: bool, constants: bool
    ) -> tuple["_Recorder", dict[str, int], str]:
        """The calls of a symbolic pass, the numbers of the outputs, and the error that ended it early, if any."""
        symbols = [keras.KerasTensor(array.shape, dtype=_dtype(array)) for array in inputs]
        recorder = _Recorder(self, symbols, constants)
        try:
            # A state that is made of weights alone is updated while symbols pass through.
            with self._unchanged(), fixed(), recorder.recording():
                returned = _call(self.model, symbols, training)
            outputs = {name: recorder.numbers[id(tensor)] for name, tensor in by_name(returned).items()}
        except Exception as error:  # the user's own code, which may ask a symbolic tensor for its value
            return recorder, {}, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return recorder, outputs, ""

    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> dict[str, np.ndarray]:
        """What the model itself returns.

        Args:
            inputs: in Keras's layout.
            training: the mode.
            masks: let dropout drop; else it passes everything on. What is drawn is known either way.
        """
        with self._unchanged(), fixed(masks):
            returned = _call(self.model, self._tensors(inputs), training)
            return {name: _array(tensor) for name, tensor in by_name(returned).items()}

    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]:
        """What dropout would drop in a mode, in the order of execution: rate, number of draws, of values."""
        with self._unchanged(), fixed() as found:
            _call(self.model, self._tensors(inputs), training)
            return list(found)

    def gradients(
        self,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[str, np.ndarray],
        training: bool,
        masks: bool = False,
        uncut: Sequence[int] = (),
    ) -> dict[str, np.ndarray]:
        """The gradient of sum(output * cotangent) by every trainable weight, with draws known and nothing dropped.

        Without the `cuts` of the numbers in `uncut`.
        """
        state = self._state()
        named = {name: v for name, v in state.items() if v.trainable}
        others = [v for v in _variables(self.model) if id(v) not in {id(v) for v in named.values()}]
        tensors = self._tensors(inputs)

        def total() -> Any:
            outputs = by_name(_call(self.model, tensors, training))
            return sum(ops.sum(outputs[name] * ops.convert_to_tensor(array)) for name, array in cotangents.items())

        with self._unchanged(), fixed(masks), without(uncut, [], _where) if uncut else nullcontext():
            _, found = value_and_gradients(total, list(named.values()), others)
        return {
            name: np.zeros(variable.shape, np.float32) if gradient is None else _array(gradient)
            for (name, variable), gradient in zip(named.items(), found, strict=True)
        }

    def cuts(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> list[Cut]:
        """What stops a gradient in a pass, in the order of execution."""
        met: list[Cut] = []
        with self._unchanged(), fixed(masks), without((), met, _where):
            _call(self.model, self._tensors(inputs), training)
        return met

    def statistics(
        self, inputs: Sequence[np.ndarray], masks: bool = False, training: bool = True
    ) -> dict[str, np.ndarray]:
        """What is not trained after one pass, such as running statistics; it is put back afterwards."""
        with self._unchanged(), fixed(masks):
            _call(self.model, self._tensors(inputs), training)
            return {name: _array(v.value) for name, v in self._state().items() if not v.trainable}

    def attempt(self, code: Sequence[str], path: str, inputs: Sequence[np.ndarray], training: bool) -> Arrays:
        """What lines of code make of some values.

        Args:
            code: each line has what the one before gives as `x`, the other values as `y` and `z`; a layer is called
                on them, the last one with the arrays of the layer at `path` and without its activation.
            path: of the layer that the code stands for; "" where it has no arrays.
            inputs: the values.
            training: the mode.
        """
        values = self._tensors(inputs)
        for line in code:
            found = eval(line, {"keras": keras}, dict(zip("xyz", values, strict=False)))
            if isinstance(found, keras.Layer):
                found = self._called(found, path if line == code[-1] else "", values, training)
            values = [found, *values[1:]]
        return {"y": _array(keras.tree.flatten(values[0])[0])}

    def _called(self, layer: keras.Layer, path: str, values: Sequence[Any], training: bool) -> Any:
        takes = "training" in inspect.signature(layer.call).parameters
        options = {"training": training} if takes else {}
        own: Any = self.layers.get(path)
        if own is None:
            return layer(*values, **options)
        layer(*values, **options)  # builds it
        layer.set_weights(own.get_weights())
        if hasattr(layer, "activation") and layer.__class__.__name__ not in ("LSTM", "GRU", "SimpleRNN"):
            layer.activation = keras.activations.linear
        return layer(*values, **options)

    def regularizers(self) -> dict[str, list[float]]:
        """Factors of the L1 and L2 penalties that layers add to the loss, by name of the array."""
        found = {}
        for name, variable in self._state().items():
            penalty = getattr(variable, "regularizer", None)
            factors = [float(getattr(penalty, each, 0.0) or 0.0) for each in ("l1", "l2")]
            if any(factors):
                found[name] = factors
        return found

    def constraints(self) -> list[tuple[str, Any]]:
        """What an optimizer does to arrays after each step, by name: the configuration that Keras makes it of."""
        found = []
        for name, variable in self._state().items():
            if getattr(variable, "constraint", None) is not None and variable.trainable:
                found.append((name, keras.constraints.serialize(variable.constraint)))
        return found

    def penalties(self, inputs: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        """What `fit` adds to the loss beside it: penalties on weights, and what layers add by `add_loss`."""
        own = {}
        for name, variable in self._state().items():
            penalty = getattr(variable, "regularizer", None)
            if penalty is not None:
                own[f"{type(penalty).__name__} of {name}"] = float(ops.convert_to_numpy(penalty(variable)))
        with self._unchanged(), fixed():
            _call(self.model, self._tensors(inputs), training=True)
            whole = sum(float(ops.convert_to_numpy(each)) for each in self.model.losses)
        added = whole - sum(own.values())
        return [*own.items(), *([("add_loss", added)] if abs(added) > 1e-6 * max(abs(whole), 1e-6) else [])]

    def masks(self, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The masks that outputs carry, by the output's name: `compile` leaves masked steps out of the loss."""
        with self._unchanged(), fixed():
            returned = by_name(_call(self.model, self._tensors(inputs), training=False))
        found = {name: backend.get_keras_mask(tensor) for name, tensor in returned.items()}
        return {name: _array(mask) for name, mask in found.items() if mask is not None}

    def input_kinds(self) -> list[str]:
        """'int' or 'float' for each input, where the model says it; else nothing."""
        try:
            kinds = [str(each.dtype) for each in self.model.inputs]
        except (AttributeError, ValueError):
            return []
        return ["int" if "int" in kind else "float" for kind in kinds]

    def _tensors(self, inputs: Sequence[np.ndarray]) -> list[Any]:
        return [ops.convert_to_tensor(array) for array in inputs]

    def inside(self, path: str) -> str:
        """The one leaf inside a layer, such as the Dense of a TimeDistributed; "" where there are none or several."""
        found = [leaf for leaf in self.named if path and leaf.startswith(f"{path}.")]
        return found[0] if len(found) == 1 else ""

    def _state(self) -> dict[str, Any]:
        return {leaf.full(name): v for leaf, named in self.named.values() for name, v in named.items()}

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Put running statistics back, and the state of dropout's random numbers."""
        before = [(v, _array(v.value)) for v in _variables(self.model) if not v.trainable]
        try:
            yield
        finally:
            for variable, value in before:
                variable.assign(value)


class _Recorder:
    """The calls of one symbolic pass, and how to repeat them.

    Args:
        subject: the model.
        symbols: its inputs.
        constants: whether a layer with weights that is called on constants, such as positions, is a call too.
    """

    def __init__(self, subject: Subject, symbols: Sequence[keras.KerasTensor], constants: bool = True):
        self.subject, self.constant_calls = subject, constants
        self.events: list[Event] = []
        self.repeats: list[Any] = []  # per event: what computes its outputs from tensors
        self.numbers: dict[int, int] = {}
        self.constants: dict[int, np.ndarray] = {}
        self.alive: list[Any] = []
        self.count = 0
        self.pieces: dict[int, Any] = {}  # tensors that are cut out of a variable
        self.names = {id(variable): name for name, variable in subject._state().items()}
        self.written: dict[str, str] = {}  # arrays that the pass assigns, and where
        self.assigned: dict[int, Any] = {}  # by variable, the symbol that the pass assigns to it
        self.places = [("", None)]  # enclosing layers of the user's own: path, training
        self.quiet = 0  # inside a layer of Keras's own
        self.symbols = list(symbols)
        for symbol in symbols:
            self._new(symbol)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Let every symbolic call pass through this recorder."""
        call, symbolic = keras.Layer.__call__, keras.Operation.symbolic_call

        def layer_call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if self.quiet or not (_symbols((args, kwargs)) or self.counts(layer, args, kwargs)):
                return call(layer, *args, **kwargs)
            if not _symbols((args, kwargs)):
                args = tuple(map(ops.convert_to_tensor, args))
            return self.layer(layer, args, kwargs, call)

        def operation_call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            out = symbolic(operation, *args, **kwargs)
            return out if self.quiet else self.add(operation, args, kwargs, out, None)

        keras.Layer.__call__, keras.Operation.symbolic_call = layer_call, operation_call
        piece = keras.Variable.__getitem__

        def getitem(variable: Any, index: Any) -> Any:
            out = piece(variable, index)
            self.pieces[id(out)] = variable
            self.alive.append(out)
            return out

        assign = keras.Variable.assign

        def noted(variable: Any, value: Any) -> Any:
            if id(variable) in self.names and not self.quiet:
                self.written.setdefault(self.names[id(variable)], _where())
            if not self.quiet and _symbols(value):
                self.assigned[id(variable)] = value
                return value
            return assign(variable, value)

        keras.Variable.__getitem__, keras.Variable.assign = getitem, noted
        symbolic_piece = keras.KerasTensor.__getitem__
        # On symbols Keras refuses a slice or None that stands alone, which every backend takes.
        keras.KerasTensor.__getitem__ = lambda symbol, key: symbolic_piece(
            symbol, (key,) if key is None or isinstance(key, slice) else key
        )
        operators = {name: getattr(keras.Variable, name) for name in OPERATORS}
        for name, own in operators.items():
            setattr(keras.Variable, name, _symbolic(own, getattr(ops, OPERATORS[name]), self.assigned))
        comparisons = {name: getattr(keras.KerasTensor, name) for name in COMPARISONS}
        for name, own in comparisons.items():
            setattr(keras.KerasTensor, name, _comparison(own, getattr(ops, COMPARISONS[name])))
        keras.KerasTensor.__array_priority__ = 1000  # so that NumPy leaves what it has on the left to the symbol
        try:
            yield
        finally:
            del keras.KerasTensor.__array_priority__
            for name, own in comparisons.items():
                setattr(keras.KerasTensor, name, own)
            keras.Layer.__call__, keras.Operation.symbolic_call = call, symbolic
            keras.Variable.__getitem__, keras.KerasTensor.__getitem__ = piece, symbolic_piece
            keras.Variable.assign = assign
            for name, own in operators.items():
                setattr(keras.Variable, name, own)

    def counts(self, layer: Any, args: Any, kwargs: Any) -> bool:
        """Whether a call on constants is written down."""
        arrays = bool(args) and all(isinstance(each, np.ndarray) or ops.is_tensor(each) for each in args)
        return self.constant_calls and arrays and not set(kwargs) - {"training"} and bool(layer.weights)

    def layer(self, layer: Any, args: Any, kwargs: Any, call: Any) -> Any:
        """A layer of Keras's own is one call; one of the user's own is what its `call` does."""
        given = kwargs.get("training")
        training = self.places[-1][1] if given is None else given
        takes = "training" in inspect.signature(layer.call).parameters
        if (
            isinstance(layer, keras.layers.TimeDistributed)
            and len(args) == 1
            and backend.get_keras_mask(args[0]) is None
        ):
            return self.time_distributed(layer, args[0], training)
        if _of_own_cell(layer, args, kwargs):
            return self.steps(layer, args[0], training)
        shown = isinstance(layer, keras.Model | keras.layers.Lambda)  # what it does is the user's code
        if type(layer).__module__.startswith("keras.") and not shown:
            self.quiet += 1
            symbolic, named = _all_symbolic((args, kwargs))
            try:
                out = call(layer, *symbolic, **named)
            finally:
                self.quiet -= 1
            kwargs = {**kwargs, "training": training} if takes else kwargs
            return self.add(layer, args, kwargs, out, training)
        kept = len(self.events), self.count
        self.places.append((self.subject.paths.get(id(layer), ""), training))
        rest = {name: value for name, value in kwargs.items() if name != "training"}
        try:
            return layer.call(*args, **rest, **({"training": training} if takes else {}))
        except Exception:
            # Code of one backend only (jnp, tf, torch) cannot take symbolic tensors: then the layer is one call.
            if isinstance(layer, keras.Model) and len(self.places) == 2:
                raise
            del self.events[kept[0] :], self.repeats[kept[0] :]
            self.count = kept[1]
            self.quiet += 1
            try:
                out = call(layer, *args, **kwargs)
            finally:
                self.quiet -= 1
            return self.add(layer, args, kwargs, out, training)
        finally:
            self.places.pop()

    def time_distributed(self, layer: Any, x: Any, training: bool | None) -> Any:
        """What a layer does to every step of (B, T, ...), written down as the layer on (B * T, ...)."""
        rows, steps = x.shape[:2]
        inner = layer.layer
        takes = "training" in inspect.signature(inner.call).parameters
        merged = ops.reshape(x, (rows * steps, *x.shape[2:]))
        out = inner(merged, **({"training": training} if takes else {}))
        return ops.reshape(out, (rows, steps, *out.shape[1:]))

    def steps(self, layer: Any, x: Any, training: bool | None) -> Any:
        """What an RNN of a cell of the user's own does, step by step."""
        cell = layer.cell
        takes = {"training": training} if "training" in inspect.signature(cell.call).parameters else {}
        states = layer.get_initial_state(x.shape[0])
        states = list(states) if isinstance(states, list | tuple) else [states]
        outs = []
        for step in range(x.shape[1])[:: -1 if layer.go_backwards else 1]:
            out, states = cell(x[:, step], states, **takes)
            states = list(states) if isinstance(states, list | tuple) else [states]
            outs.append(out)
        result = ops.stack(outs, axis=1) if layer.return_sequences else outs[-1]
        return (result, *states) if layer.return_state else result

    def add(self, operation: Any, args: Any, kwargs: Any, out: Any, training: bool | None) -> Any:
        """Write one call down; a layer's own activation becomes a second one."""
        out = _sized(operation, args, kwargs, out)
        symbols = _symbols((args, _in_order(operation, kwargs)))
        inputs = tuple(self.numbers[id(symbol)] for symbol in symbols if id(symbol) in self.numbers)
        variables = _variables_in((args, kwargs), self.pieces)
        owners = [self.subject.owners[id(v)] for v in variables if id(v) in self.subject.owners]
        path = self.subject.paths.get(id(operation), "")
        leaf = path if path in self.subject.named else owners[0] if owners else self.subject.inside(path)
        family, settings, text = describe(operation, symbols[0] if symbols else None, training)
        own = bool(path)
        label = f"keras.{'layers' if isinstance(operation, keras.Layer) else 'ops'}.{type(operation).__name__}"
        where = _where()
        constants = self._constants((args, kwargs)) if label.startswith("keras.ops.") else ()
        results = [symbol for symbol in keras.tree.flatten(out) if isinstance(symbol, keras.KerasTensor)]
        activation: Any = getattr(operation, "activation", None)
        if getattr(operation, "merge_mode", None) in MERGES and isinstance(out, keras.KerasTensor):
            return self._merged(
                operation, args, kwargs, out, (family, settings, text, label, path, where, leaf, inputs)
            )
        splits = family in ("dense", "conv", "conv_transpose") and _function_name(activation) != "linear"
        if not splits:
            event = Event(
                len(self.events), family, settings, label, path or self.places[-1][0], where, leaf, inputs,
                tuple(map(self._new, results)), text, own, constants,
            )  # fmt: skip
            self._append(event, lambda tensors: operation(*tensors[0], **tensors[1]), (args, kwargs), results)
            return out
        middle = keras.KerasTensor(results[0].shape, dtype=results[0].dtype)
        first = Event(
            len(self.events), family, settings, label, path, where, leaf, inputs, (self._new(middle),), text, own
        )  # fmt: skip

        def without(tensors: Any) -> Any:
            operation.activation = keras.activations.linear
            try:
                return operation(*tensors[0], **tensors[1])
            finally:
                operation.activation = activation

        self._append(first, without, (args, kwargs), [middle])
        name, options = _activation(activation)
        second = Event(
            len(self.events), "activation", {"name": name, **options}, f"keras.activations.{name}", path, where, "",
            first.outputs, (self._new(results[0]),), f"activation={name!r}", own,
        )  # fmt: skip
        self._append(second, lambda tensors: activation(tensors[0][0]), ((middle,), {}), results)
        return out

    def _constants(self, values: Any) -> tuple[int, ...]:
        """Numbers of the arrays among a call's arguments that are neither symbols nor variables."""
        found = []
        for each in keras.tree.flatten(values):
            if id(each) in self.pieces or not (isinstance(each, np.ndarray) or backend.is_tensor(each)):
                continue
            try:
                array = _array(each)
            except Exception:  # what a backend traces has no values yet
                continue
            if array.ndim and array.size <= LARGEST_CONSTANT and array.dtype.kind in "fiub":
                self.constants[len(self.constants)] = array
                found.append(len(self.constants) - 1)
        return tuple(found)

    def _merged(self, operation: Any, args: Any, kwargs: Any, out: Any, told: tuple[Any, ...]) -> Any:
        """A Bidirectional layer that adds or averages: both directions side by side, and what is made of them."""
        family, settings, text, label, path, where, leaf, inputs = told
        mode = operation.merge_mode
        middle = keras.KerasTensor((*out.shape[:-1], 2 * out.shape[-1]), dtype=out.dtype)
        first = Event(
            len(self.events), family, settings, label, path, where, leaf, inputs, (self._new(middle),), text, True
        )  # fmt: skip

        def side_by_side(tensors: Any) -> Any:
            operation.merge_mode = "concat"
            try:
                return operation(*tensors[0], **tensors[1])
            finally:
                operation.merge_mode = mode

        self._append(first, side_by_side, (args, kwargs), [middle])
        second = Event(
            len(self.events), "op", {"name": MERGES[mode]}, f"keras.layers.Bidirectional.{mode}", path, where, "",
            first.outputs, (self._new(out),), f"merge_mode={mode!r}", True,
        )  # fmt: skip
        self._append(second, lambda tensors: _merge(mode, tensors[0][0]), ((middle,), {}), [out])
        return out

    def replay(self, tensors: Sequence[Any]) -> dict[int, Any]:
        """Repeat every call on real tensors; number -> value."""
        values = {id(symbol): tensor for symbol, tensor in zip(self.symbols, tensors, strict=True)}
        for repeat, given, results in self.repeats:
            concrete = keras.tree.map_structure(lambda each, known=values: known.get(id(each), each), given)
            out = [value for value in keras.tree.flatten(repeat(concrete)) if value is not None]
            values |= {id(symbol): value for symbol, value in zip(results, out, strict=False)}
        return {number: values[symbol] for symbol, number in self.numbers.items() if symbol in values}

    def _append(self, event: Event, repeat: Any, given: Any, results: list[Any]) -> None:
        self.events.append(event)
        self.repeats.append((repeat, given, results))
        self.alive += results

    def _new(self, symbol: Any) -> int:
        number, self.count = self.count, self.count + 1
        self.numbers[id(symbol)] = number
        self.alive.append(symbol)
        return number


def _sized(operation: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """Symbolic results with every length known: a layer may say None where its inputs say enough."""
    if all(None not in symbol.shape for symbol in _symbols(out)):
        return out
    try:
        return backend.compute_output_spec(operation.call, *args, **kwargs)
    except Exception:  # what cannot be computed so stays as it is
        return out


def _merge(mode: str, value: Any) -> Any:
    """Both directions of a recurrent layer as one."""
    one, other = ops.split(value, 2, axis=-1)
    if mode == "mul":
        return one * other
    return (one + other) / (2 if mode == "ave" else 1)


def _symbolic(own: Any, operation: Any, assigned: Mapping[int, Any]) -> Any:
    """A variable's operator that takes symbols too, which Keras has only on their left; or what was assigned to it."""

    def operator(variable: Any, other: Any) -> Any:
        value = assigned.get(id(variable), variable)
        return operation(value, other) if _symbols((value, other)) else own(variable, other)

    return operator


def _comparison(own: Any, operation: Any) -> Any:
    """`==` and `!=` of a symbol's values, as of a tensor's; Keras's own code asks whether two symbols are one."""

    def compare(symbol: Any, other: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] == "keras":
            return own(symbol, other)
        values = isinstance(other, (int, float, np.ndarray, np.generic, keras.KerasTensor)) or ops.is_tensor(other)
        return operation(symbol, other) if values else NotImplemented

    return compare


def describe(operation: Any, x: Any, training: bool | None) -> tuple[str, dict[str, Any], str]:
    """A call's family, its settings in the words of twin.trace, and the call as one would write it."""
    kind = type(operation).__name__
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.sub(r"\d[dD]", "", kind)).lower()
    name = {"re_lu": "relu", "leaky_re_lu": "leaky_relu", "prelu": "prelu", "batch_norm": "batch_normalization"}.get(
        name, name
    )
    dims = max(len(x.shape) - 2, 0) if x is not None else 0
    text = _written(operation)
    if kind.startswith("Conv") and "Transpose" in kind and hasattr(operation, "kernel_size"):
        settings = _spatial(operation, dims)
        crop = [
            _crop(operation.padding, k, s, d, o)
            for k, s, d, o in zip(
                _each(operation.kernel_size, dims),
                settings["strides"],
                settings["dilation"],
                _each(getattr(operation, "output_padding", None), dims),
                strict=True,
            )
        ]
        return "conv_transpose", settings | {"crop": crop}, text
    if kind.startswith(("Conv", "DepthwiseConv")) and hasattr(operation, "kernel_size"):
        settings = _spatial(operation, dims)
        sides = x.shape[1:-1] if getattr(operation, "data_format", "") != "channels_first" else x.shape[2:]
        window = [
            d * (k - 1) + 1 for d, k in zip(settings["dilation"], _each(operation.kernel_size, dims), strict=True)
        ]
        settings["pads"] = _pads(operation.padding, sides, window, settings["strides"])
        if kind.startswith("Depthwise"):
            settings["groups"] = x.shape[-1]
        return "conv", settings, text
    if kind in ("Dense", "EinsumDense"):
        return "dense", {}, text
    if name == "batch_normalization" and hasattr(operation, "momentum"):
        active = bool(training) and operation.trainable
        return "batch_norm", {"epsilon": operation.epsilon, "keep": operation.momentum, "training": active}, text
    if name in ("layer_normalization", "group_normalization", "rmsnormalization") and hasattr(operation, "epsilon"):
        groups = {"groups": operation.groups} if hasattr(operation, "groups") else {}
        return name.replace("ormalization", "orm"), {"epsilon": operation.epsilon, **groups}, text
    if kind == "Embedding":
        return "embedding", {}, text
    if kind in ("LSTM", "GRU", "SimpleRNN", "Bidirectional"):
        inner = operation.forward_layer if kind == "Bidirectional" else operation
        settings = {
            "reverse": bool(inner.go_backwards),
            "bidirectional": kind == "Bidirectional",
            "sequences": bool(inner.return_sequences),
            "activation": _function_name(inner.activation),
        }
        if hasattr(inner, "recurrent_activation"):
            settings["recurrent_activation"] = _function_name(inner.recurrent_activation)
        if hasattr(inner, "reset_after"):
            settings["reset_after"] = inner.reset_after
        return {"LSTM": "lstm", "GRU": "gru"}.get(type(inner).__name__, "rnn"), settings, text
    if name.startswith(("max_pool", "average_pool")) and hasattr(operation, "pool_size"):
        window = _each(operation.pool_size, dims)
        strides = _each(operation.strides or operation.pool_size, dims)
        sides = x.shape[1:-1] if getattr(operation, "data_format", "") != "channels_first" else x.shape[2:]
        settings = {"kind": "max" if name.startswith("max") else "mean", "window": window, "strides": strides}
        settings |= {"pads": _pads(operation.padding, sides, window, strides), "ceil": False}
        if settings["kind"] == "mean":
            settings["counts_pads"] = False
        return "pool", settings, text
    if kind == "Activation":
        name, options = _activation(operation.activation)
        return "activation", {"name": name, **options}, text
    if name in ACTIVATIONS:
        return "activation", {"name": name, **_options(name, operation)}, text
    if "dropout" in name and hasattr(operation, "rate"):
        return "dropout", {"rate": operation.rate, "active": bool(training)}, text
    if name in ("up_sampling", "resize", "resizing") and hasattr(operation, "interpolation"):
        return "resize", {"mode": operation.interpolation, "align_corners": False}, text
    if kind == "MultiHeadAttention":
        return "attention", {"heads": operation.num_heads}, text
    if name in SHAPES:
        return "shape", {"name": name}, text
    return "op", {"name": OPS.get(name, name)}, text


def by_name(returned: Any) -> dict[str, Any]:
    """A model's outputs by name, symbols among them."""
    return outputs_by_name(returned, lambda value: keras.ops.is_tensor(value) or keras.backend.is_keras_tensor(value))


def _call(model: keras.Model, tensors: Sequence[Any], training: bool | None) -> Any:
    """Call the model as `fit` does: the mode is given where `call` takes it."""
    takes = training is not None and "training" in inspect.signature(model.call).parameters
    options = {"training": training} if takes else {}
    if isinstance(given := getattr(model, "input", None), Mapping):  # a functional model of a dictionary, in its order
        return model(dict(zip(given, tensors, strict=True)), **options)
    parameters = [
        p for p in inspect.signature(model.call).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("training", "mask")
    ]  # fmt: skip
    if len(tensors) > 1 and len(parameters) <= 1:  # several inputs in a list, as in a functional model
        return model(list(tensors), **options)
    return model(*tensors, **options)


def _written(operation: Any) -> str:
    """The layer or operation with its arguments, defaults left out."""
    if not isinstance(operation, keras.Layer):
        shown = {n: v for n, v in vars(operation).items() if not n.startswith("_") and n != "name" and v is not None}
        return f"{type(operation).__name__}({', '.join(f'{n}={v!r}' for n, v in shown.items())})"
    # Not from `get_config`, which imports TensorFlow, whatever the backend: seconds for a message.
    shown = {}
    for name, parameter in inspect.signature(type(operation)).parameters.items():
        value = getattr(operation, name, parameter.default)
        if value is parameter.empty:
            continue
        value = getattr(value, "__name__", value) if callable(value) else value
        plain = all(isinstance(each, bool | int | float | str) for each in keras.tree.flatten(value))
        plain = plain and isinstance(value, bool | int | float | str | list | tuple)
        if plain and name not in ("name", "dtype", "trainable") and value != parameter.default:
            shown[name] = value
    shown = {
        n: v for n, v in shown.items() if (n, v) not in (("activation", "linear"), ("data_format", "channels_last"))
    }
    return f"{type(operation).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _activation(function: Any) -> tuple[str, dict[str, Any]]:
    """An activation function's name and the settings that it has by default, or as an activation layer."""
    if isinstance(function, keras.Layer):
        family, settings, _ = describe(function, None, None)
        return (settings.pop("name"), settings) if family == "activation" else (type(function).__name__, {})
    name = _function_name(function)
    try:
        defaults = {n: p.default for n, p in inspect.signature(function).parameters.items() if p.default is not p.empty}
    except (TypeError, ValueError):
        defaults = {}
    words = {"approximate": "approximate", "negative_slope": "slope", "alpha": "alpha", "axis": "axis"}
    wanted = {"gelu": ("approximate",), "leaky_relu": ("negative_slope",), "elu": ("alpha",), "celu": ("alpha",)}
    wanted |= {"softmax": ("axis",), "log_softmax": ("axis",)}
    return name, {words[n]: defaults[n] for n in wanted.get(name, ()) if n in defaults}


def _function_name(function: Any) -> str:
    return "linear" if function is None else getattr(function, "__name__", type(function).__name__)


def _options(name: str, operation: Any) -> dict[str, Any]:
    words = {"approximate": "approximate", "negative_slope": "slope", "alpha": "alpha", "axis": "axis"}
    wanted = {"gelu": ("approximate",), "leaky_relu": ("negative_slope",), "elu": ("alpha",), "celu": ("alpha",)}
    wanted |= {"softmax": ("axis",), "log_softmax": ("axis",)}
    return {words[n]: getattr(operation, n) for n in wanted.get(name, ()) if hasattr(operation, n)}


def _spatial(operation: Any, dims: int) -> dict[str, Any]:
    dilation = _each(getattr(operation, "dilation_rate", 1), dims)
    return {"strides": _each(operation.strides, dims), "dilation": dilation, "groups": getattr(operation, "groups", 1)}


def _pads(padding: str, sides: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> list[list[int]]:
    """What "same" adds before and after each axis: as TensorFlow does, the odd pixel after."""
    if padding == "causal":
        return [[w - 1, 0] for w in window]
    if padding != "same":
        return [[0, 0] for _ in window]
    total = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in zip(sides, window, strides, strict=True)]
    return [[t // 2, t - t // 2] for t in total]


def _crop(padding: str, kernel: int, stride: int, dilation: int, extra: int | None) -> list[int]:
    """What a transposed convolution cuts off the full result, before and after."""
    window = dilation * (kernel - 1) + 1
    if padding == "valid":
        after = min(window - stride, 0) if extra is None else -extra
        return [0, after]
    if extra is None:
        total = max(window - stride, 0)
        return [total // 2, total - total // 2] if window >= stride else [0, window - stride]
    return [window // 2, window // 2 - extra]


def _each(value: Any, dims: int) -> list[Any]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values if len(values) == dims else values[:1] * dims


def _all_symbolic(values: Any) -> Any:
    """Symbols in place of real tensors, such as a token that a layer repeats: Keras takes no mixture."""
    return keras.tree.map_structure(
        lambda each: (
            keras.KerasTensor(tuple(each.shape), keras.backend.standardize_dtype(each.dtype))
            if keras.ops.is_tensor(each) and not isinstance(each, keras.KerasTensor)
            else each
        ),
        values,
    )


def _symbols(values: Any) -> list[Any]:
    return [each for each in keras.tree.flatten(values) if isinstance(each, keras.KerasTensor)]


def _in_order(operation: Any, named: Mapping[str, Any]) -> list[Any]:
    """Arguments by name in the order in which a layer has them: query, value and key of an attention."""
    known = list(inspect.signature(operation.call).parameters) if isinstance(operation, keras.Layer) else []
    places = {name: place for place, name in enumerate(known)}
    return [named[name] for name in sorted(named, key=lambda each: (places.get(each, len(known)), each))]


def _variables_in(values: Any, pieces: Mapping[int, Any]) -> list[Any]:
    found = [pieces.get(id(each), each) for each in keras.tree.flatten(values)]
    return [each for each in found if isinstance(each, keras.Variable)]


def _variables(model: keras.Model) -> list[Any]:
    return list(model.variables)


def _dtype(array: np.ndarray) -> str:
    return "int32" if array.dtype.kind in "iu" else str(array.dtype)


def _array(tensor: Any) -> np.ndarray:
    """A copy of the values; those that NumPy has no type for, such as bfloat16, as float32."""
    array = np.array(ops.convert_to_numpy(tensor))
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _of_own_cell(layer: Any, args: Any, kwargs: Any) -> bool:
    """Whether a layer runs a cell that the user wrote over few steps, all of them, from a state of zeros."""
    if type(layer) is not keras.layers.RNN or layer.stateful or len(args) != 1:
        return False
    given = {name for name, value in kwargs.items() if value is not None} - {"training"}
    own = isinstance(layer.cell, keras.Layer) and not type(layer.cell).__module__.startswith("keras.")
    x = args[0]
    short = isinstance(x, keras.KerasTensor) and len(x.shape) > 2 and None not in x.shape[:2]
    return own and not given and short and x.shape[1] <= MOST_STEPS and backend.get_keras_mask(x) is None


def _where() -> str:
    """File and line of the user's code that made the call; "" where a model was assembled beforehand."""
    frame: FrameType | None = sys._getframe(2)
    here, library = Path(__file__), str(Path(keras.__file__).parent)
    own = str(here), str(here.with_name("criteria.py")), str(here.with_name("cuts.py"))
    while frame and (frame.f_code.co_filename in own or frame.f_code.co_filename.startswith(library)):
        if frame.f_code.co_filename == own[0] and frame.f_code.co_name in ("trace", "cuts"):
            return ""
        frame = frame.f_back
    return in_words(frame) if frame else ""
