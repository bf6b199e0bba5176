"""What the harness asks of a Keras twin: build, load, forward, gradients, step, fit, predict.

torch_impl/train.py has the same functions in the same order. Batches are dictionaries of NumPy arrays: what the twin
declares as inputs goes into the model, the rest into the loss. Supervised twins train the way a Keras user trains, by
`compile` and `fit`; a file that states `PHASES` has a procedure of its own.
"""

import contextlib
import importlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_impl import backend
from keras_impl.describe import every_layer, leaves, record
from twin.bridge import Leaf
from twin.errors import TwinError
from twin.losses import by_name
from twin.paths import module_of
from twin.rows import check_inputs, check_targets
from twin.spec import Optimizer, Phase, Twin

LOSSES = {  # made when used, because a loss computes in the floatx of the moment it is made
    "cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary_cross_entropy": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "mean_squared_error": lambda: keras.losses.MeanSquaredError(),
}
Report = Callable[[int, dict[str, float]], None]


@dataclass
class Run:
    """A model, its optimizers, and the step that is compiled when it is first taken."""

    twin: Twin
    module: Any
    model: keras.Model
    phases: tuple[Phase, ...]
    mode: str = ""
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)  # per phase: name -> variable
    optimizers: dict[str, keras.optimizers.Optimizer] = field(default_factory=dict)  # per phase
    seed: int = 0
    random: Any = None  # a SeedGenerator, state of the numbers that a compiled step draws
    compiled: backend.CompiledStep | None = None
    steps: int = 0
    arguments: dict[str, Any] = field(default_factory=dict)  # of the model's constructor


def build(
    twin: Twin, arguments: dict[str, Any], dtype: str = "float32", seed: int = 0, device: str = "cpu", mode: str = ""
) -> Run:
    """A freshly initialised model of the given size; `mode` is '', 'compile' (PyTorch) or 'eager' (TensorFlow)."""
    del device  # chosen with the process's environment
    backend.forget()
    # As keras.utils.set_random_seed does, which also imports TensorFlow's 350 MB where it can.
    random.seed(seed)
    np.random.seed(seed)
    backend.seed(seed)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    module = load_module(twin)
    with backend.drawing():
        model = getattr(module, twin.model)(**arguments)
    phases = getattr(module, "PHASES", None) or (Phase("", loss=lambda model, batch: _loss(twin, model, batch)),)
    random_state = keras.random.SeedGenerator(seed)
    run = Run(twin, module, model, phases, mode, seed=seed, random=random_state, arguments=arguments)
    names = {id(variable): name for name, variable in _named(run).items()}
    for phase in phases:
        trained = (getattr(model, phase.trains) if phase.trains else model).trainable_variables
        run.variables[phase.trains] = {names[id(variable)]: variable for variable in trained}
    return run


def load_module(twin: Twin) -> Any:
    """The twin's own file."""
    keras.config.set_image_data_format("channels_last")  # whatever a user's keras.json has
    keras.config.set_epsilon(1e-7)
    return importlib.import_module(module_of("keras", twin))


def exercise(twin: Twin, inputs: dict[str, np.ndarray], dtype: str = "float32") -> dict[str, np.ndarray]:
    """An exercise's named outputs for its named inputs."""
    backend.forget()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    return to_arrays(twin, load_module(twin).run(**{name: to_tensor(array) for name, array in inputs.items()}))


def describe(run: Run) -> list[Leaf]:
    """The layers that own weights, by attribute path."""
    return [leaf for leaf, _ in leaves(run.model, "")]


def load_weights(run: Run, arrays: dict[str, np.ndarray]) -> None:
    """Set every weight, trainable or not, from arrays under Keras names."""
    if run.compiled:
        run.compiled.flush()  # or the compiled step's own state would come back over them
    for name, variable in _named(run).items():
        variable.assign(arrays[name])


def dump_weights(run: Run) -> dict[str, np.ndarray]:
    """Every weight as an array, under its attribute path and Keras name."""
    if run.compiled:
        run.compiled.flush()
    return {name: ops.convert_to_numpy(variable.value) for name, variable in _named(run).items()}


def dump_moments(run: Run) -> dict[str, np.ndarray]:
    """Adam's two moments of every trainable weight, as `first/NAME` and `second/NAME`, summed over phases."""
    if run.compiled:
        run.compiled.flush()
    out: dict[str, np.ndarray] = {}
    for phase, optimizer in run.optimizers.items():
        if not isinstance(optimizer, keras.optimizers.Adam):
            continue
        for which, moments in (("first", optimizer._momentums), ("second", optimizer._velocities)):
            for name, moment in zip(run.variables[phase], moments, strict=True):
                out[f"{which}/{name}"] = out.get(f"{which}/{name}", 0) + ops.convert_to_numpy(moment.value)
    return out


def forward(run: Run, batch: dict[str, np.ndarray], training: bool = False) -> dict[str, np.ndarray]:
    """The model's outputs for a batch; running statistics stay as they were."""
    inputs, answer = run.twin.packed_inputs(to_tensors(run, batch)), partial(run.model, training=training)
    with _statistics_kept(run):
        return to_arrays(run.twin, backend.once(answer, run.model.variables, inputs))


def activations(
    run: Run, batch: dict[str, np.ndarray], training: bool = False
) -> tuple[list[str], dict[str, np.ndarray]]:
    """What entered and left each layer, as `PATH/in` and `PATH/out`, and the paths in order of execution."""
    order: list[str] = []
    values: dict[str, np.ndarray] = {}
    for path, layer in every_layer(run.model, ""):
        record(layer, path, order, values)
    with _statistics_kept(run):
        run.model(run.twin.packed_inputs(to_tensors(run, batch)), training=training)
    for _, layer in every_layer(run.model, ""):
        object.__delattr__(layer, "call")
    return order, values


def loss_and_gradients(run: Run, batch: dict[str, np.ndarray]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Each phase's loss, and the gradient of every parameter that it trains, summed over phases; nothing is updated."""
    losses: dict[str, float] = {}
    out: dict[str, np.ndarray] = {}
    with _statistics_kept(run):
        for phase in run.phases:
            differentiate = partial(_phase_gradients, run, phase)
            loss, gradients = backend.once(differentiate, run.model.variables, to_tensors(run, batch))
            for name, value in by_name(phase.trains or "loss", loss).items():
                losses[name] = float(ops.convert_to_numpy(value))
            for name, gradient in zip(run.variables[phase.trains], gradients, strict=True):
                out[name] = out.get(name, 0) + ops.convert_to_numpy(gradient)
    return losses, out


def prepare(run: Run, steps: int, matched: Optimizer | None = None) -> None:
    """Give the run its optimizers.

    Args:
        run: a built run.
        steps: how many steps a schedule spans.
        matched: what the ladder trains with instead of the twin's stock optimizer.
    """
    for phase in run.phases:
        optimizer = make_optimizer(matched or run.twin.optimizer, steps)
        with backend.drawing():
            optimizer.build(list(run.variables[phase.trains].values()))
        run.optimizers[phase.trains] = optimizer
    if hasattr(run.module, "PHASES"):
        everything = [
            *run.model.variables,
            *(v for o in run.optimizers.values() for v in o.variables),
            run.random.state,
        ]
        run.compiled = backend.Compiled(lambda batch: _update(run, batch), everything, run.mode)
    else:
        loss = LOSSES[run.twin.loss]() if run.twin.loss in LOSSES else None  # else the model's own compute_loss
        how = {"compile": {"jit_compile": True}, "eager": {"run_eagerly": True}}.get(run.mode, {})
        run.model.compile(optimizer=run.optimizers[""], loss=loss, **how)


def step(run: Run, batch: dict[str, np.ndarray]) -> dict[str, float]:
    """One training step: the loss of each phase before its update."""
    if not run.compiled:
        run.model.reset_metrics()  # train_on_batch reports the mean since the last reset
        return {"loss": float(run.model.train_on_batch(run.twin.packed_inputs(batch), run.twin.targets_of(batch)))}
    return {name: float(ops.convert_to_numpy(loss)) for name, loss in take(run, to_tensors(run, batch)).items()}


def fit(run: Run, data: dict[str, np.ndarray], orders: list[np.ndarray], report: Report) -> None:
    """Train over the data once per order of its rows, calling `report(epoch, losses)` after each.

    Raises:
        TwinError: when a row is not what the model was built for.
        Whatever `report` raises, which stops the training.
    """
    if hasattr(run.module, "fit"):
        run.module.fit(run, len(orders), report)
        return
    check_inputs(run.twin, run.arguments, {name: data[name] for name in run.twin.inputs if name in data})
    check_targets(run.twin, run.arguments, data)
    if run.compiled:
        _fit_phases(run, data, enumerate(orders), report)
    else:
        pairs = run.twin.packed_inputs(data), run.twin.targets_of(data)
        feed, steps = backend.batches(pairs, orders, run.twin.batch_size)
        tell = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: report(epoch, {"loss": float(logs["loss"])})
        )
        epochs = len(orders)
        run.model.fit(feed, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[tell])


def fit_phase(
    run: Run, phase: Phase, data: dict[str, np.ndarray], orders: dict[int, np.ndarray], report: Report
) -> None:
    """Train by one of the phases alone, from a fresh optimizer on, over the data once per epoch and its order."""
    alone = replace(run, phases=(phase,), optimizers={}, compiled=None)
    prepare(alone, steps=len(orders) * -(-len(next(iter(data.values()))) // run.twin.batch_size))
    _fit_phases(alone, data, orders.items(), report)
    assert alone.compiled, "a phase is compiled"
    alone.compiled.flush()


def predict(run: Run, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs in inference mode, batch by batch; of `data` the inputs count."""
    inputs = run.twin.inputs_of(data)
    check_inputs(run.twin, run.arguments, inputs)
    if run.compiled:
        run.compiled.flush()
    starts = range(0, len(next(iter(inputs.values()))), 256)
    batches = ({name: array[start : start + 256] for name, array in inputs.items()} for start in starts)
    parts = [to_arrays(run.twin, run.model.predict_on_batch(run.twin.packed_inputs(part))) for part in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def describe_device(device: str) -> str:
    """The name of the device that the backend computes on.

    Raises:
        TwinError: when the backend sees no such device.
    """
    if device == "cpu":
        return "cpu"
    if (name := backend.device_name()) is None:
        raise TwinError(f"--device {device}: Keras on {backend.BACKEND} sees no GPU here; use --device cpu")
    return name


def synchronize() -> None:
    """Wait until the device is idle."""
    backend.synchronize()


def make_optimizer(spec: Optimizer, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer as a Keras user writes it: hyperparameters as declared, the rest Keras's defaults."""
    rate: Any = spec.learning_rate
    if spec.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(spec.learning_rate, decay_steps=steps)
    if spec.name == "sgd":
        return keras.optimizers.SGD(rate, momentum=spec.momentum)
    adam = {"beta_1": spec.beta_1, "beta_2": spec.beta_2}
    if spec.epsilon is not None:
        adam["epsilon"] = spec.epsilon
    if spec.name == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=spec.weight_decay, **adam)
    return keras.optimizers.Adam(rate, **adam)


def to_tensors(run: Run, batch: dict[str, np.ndarray]) -> dict[str, Any]:
    """NumPy arrays to the backend's tensors: floats in floatx, whole numbers as int32; Keras's layout is the data's."""
    return {name: to_tensor(array) for name, array in batch.items()}


def to_tensor(array: np.ndarray) -> Any:
    """One array."""
    kinds = {"f": keras.config.floatx(), "b": "bool"}
    return ops.convert_to_tensor(array, dtype=kinds.get(array.dtype.kind, "int32"))


def to_arrays(twin: Twin, outputs: Any) -> dict[str, np.ndarray]:
    """A twin's outputs by name, laid out as the data is; a single one is called `y`."""
    outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
    return {name: ops.convert_to_numpy(tensor) for name, tensor in outputs.items()}


def draw(run: Run, rows: int) -> dict[str, Any]:
    """The random numbers that a step of this twin consumes, from Keras's own generator."""
    makers = {"normal": keras.random.normal, "uniform": keras.random.uniform}
    return {
        wanted.name: makers[wanted.distribution](wanted.sized(rows, run.arguments), seed=run.random)
        for wanted in run.twin.draws
    }


def _loss(twin: Twin, model: keras.Model, batch: dict[str, Any]) -> Any:
    outputs = model(twin.packed_inputs(batch), training=True)
    if twin.loss == "own":
        return model.compute_loss(twin.packed_inputs(batch), twin.targets_of(batch), outputs)
    return LOSSES[twin.loss]()(twin.targets_of(batch), outputs)


@contextlib.contextmanager
def _statistics_kept(run: Run) -> Iterator[None]:
    """What is not trained is afterwards as it was."""
    before = [ops.convert_to_numpy(v.value) for v in run.model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in zip(run.model.non_trainable_variables, before, strict=True):
            variable.assign(value)


def _phase_gradients(run: Run, phase: Phase, batch: dict[str, Any]) -> tuple[Any, Sequence[Any]]:
    trained = run.variables[phase.trains]
    if phase.gradients:
        loss, by_name = phase.gradients(run.model, batch)
        return loss, [by_name[name] for name in trained]
    trained_ids = {id(variable) for variable in trained.values()}
    others = [variable for variable in run.model.variables if id(variable) not in trained_ids]
    loss_of = phase.loss
    assert loss_of, "a phase has a loss or gradients"
    return backend.value_and_gradients(lambda: loss_of(run.model, batch), list(trained.values()), others)


def _update(run: Run, batch: dict[str, Any]) -> dict[str, Any]:
    """The random numbers that the batch lacks; then every phase in turn: its gradients, then its optimizer."""
    if not all(wanted.name in batch for wanted in run.twin.draws):
        batch = batch | draw(run, len(next(iter(batch.values()))))
    losses: dict[str, Any] = {}
    for phase in run.phases:
        loss, gradients = _phase_gradients(run, phase, batch)
        run.optimizers[phase.trains].apply(gradients, list(run.variables[phase.trains].values()))
        losses |= by_name(phase.trains or "loss", loss)
    return losses


def take(run: Run, batch: dict[str, Any]) -> dict[str, Any]:
    """One compiled step, its losses still on the device."""
    assert run.compiled, "a step of phases is compiled"
    losses = run.compiled(batch)
    run.steps += 1
    if hasattr(run.module, "after_step"):
        run.module.after_step(run, run.steps)
    return losses


def _fit_phases(
    run: Run, data: dict[str, np.ndarray], orders: Iterable[tuple[int, np.ndarray]], report: Report
) -> None:
    """The loop of a twin that states its own phases."""
    for epoch, order in orders:
        totals: dict[str, Any] = {}
        for rows in np.split(order, range(run.twin.batch_size, len(order), run.twin.batch_size)):
            batch = to_tensors(run, {name: array[rows] for name, array in data.items()})
            for name, loss in take(run, batch).items():
                totals[name] = totals.get(name, 0.0) + loss * len(rows)
        report(epoch, {name: float(ops.convert_to_numpy(total)) / len(order) for name, total in totals.items()})


def _named(run: Run) -> dict[str, Any]:
    return {leaf.full(name): v for leaf, named in leaves(run.model, "") for name, v in named.items()}
