"""What the harness asks of a PyTorch twin: build, load, forward, gradients, step, fit, predict.

keras_impl/train.py has the same functions in the same order. Batches are dictionaries of NumPy arrays: what the twin
declares as inputs goes into the model, the rest into the loss. Supervised twins train in the loop that a PyTorch user
writes; a file that states `PHASES` has a procedure of its own.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from torch_impl import matched as match
from torch_impl.describe import leaves, recorder, to_array
from twin.bridge import Leaf
from twin.errors import TwinError
from twin.losses import by_name, total
from twin.paths import module_of
from twin.rows import check_inputs, check_targets
from twin.spec import AXES, Layout, Optimizer, Phase, Twin, torch_shape

LOSSES = {
    "cross_entropy": nn.CrossEntropyLoss(),
    "binary_cross_entropy": nn.BCEWithLogitsLoss(),
    "mean_squared_error": nn.MSELoss(),
}
Report = Callable[[int, dict[str, float]], None]


@dataclass
class Run:
    """A model, its optimizers and schedules."""

    twin: Twin
    module: Any
    model: nn.Module
    phases: tuple[Phase, ...]
    dtype: torch.dtype
    device: str = "cpu"
    mode: str = ""
    variables: dict[str, dict[str, nn.Parameter]] = field(default_factory=dict)  # per phase: name -> parameter
    optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)  # per phase
    schedules: list[Any] = field(default_factory=list)
    seed: int = 0
    steps: int = 0
    arguments: dict[str, Any] = field(default_factory=dict)  # of the model's constructor


def build(
    twin: Twin, arguments: dict[str, Any], dtype: str = "float32", seed: int = 0, device: str = "cpu", mode: str = ""
) -> Run:
    """A freshly initialised model of the given size; `mode` is '', 'compile' or 'channels-last'."""
    torch.manual_seed(seed)
    module = load_module(twin)
    model = getattr(module, twin.model)(**arguments).to(device=device, dtype=getattr(torch, dtype))
    phases = getattr(module, "PHASES", None) or (Phase("", loss=lambda model, batch: _loss(twin, model, batch)),)
    if mode == "compile":
        torch.compiler.reset()  # or the eighth model of a process would run uncompiled, without a word
        model.compile()
        phases = tuple(map(_compiled, phases))
    elif mode == "channels-last":
        model = model.to(memory_format=torch.channels_last)
    run = Run(twin, module, model, phases, getattr(torch, dtype), device, mode, seed=seed, arguments=arguments)
    for phase in phases:
        named = model.named_parameters()
        run.variables[phase.trains] = {name: p for name, p in named if p.requires_grad and _belongs(name, phase.trains)}
    return run


def load_module(twin: Twin) -> Any:
    """The twin's own file."""
    return importlib.import_module(module_of("torch", twin))


def exercise(twin: Twin, inputs: dict[str, np.ndarray], dtype: str = "float32") -> dict[str, np.ndarray]:
    """An exercise's named outputs for its named inputs."""
    kind = getattr(torch, dtype)
    tensors = {name: to_tensor(array, kind, layout=twin.layout(name)) for name, array in inputs.items()}
    return to_arrays(twin, load_module(twin).run(**tensors))


def describe(run: Run) -> list[Leaf]:
    """The layers that own weights, by attribute path."""
    return list(leaves(run.model, ""))


def load_weights(run: Run, arrays: dict[str, np.ndarray]) -> None:
    """Set every weight, trainable or not, from arrays under PyTorch names."""
    with torch.no_grad():
        for name, tensor in _named(run).items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name])))


def dump_weights(run: Run) -> dict[str, np.ndarray]:
    """Every weight as an array, under its PyTorch name."""
    return {name: _to_numpy(tensor) for name, tensor in _named(run).items()}


def dump_moments(run: Run) -> dict[str, np.ndarray]:
    """Adam's two moments of every trainable weight, as `first/NAME` and `second/NAME`, summed over phases."""
    out: dict[str, np.ndarray] = {}
    for phase, optimizer in run.optimizers.items():
        if not isinstance(optimizer, torch.optim.Adam):
            continue
        for which, key in (("first", "exp_avg"), ("second", "exp_avg_sq")):
            for name, parameter in run.variables[phase].items():
                if parameter in optimizer.state:
                    moment = _to_numpy(optimizer.state[parameter][key])
                    out[f"{which}/{name}"] = out.get(f"{which}/{name}", 0) + moment
    return out


def forward(run: Run, batch: dict[str, np.ndarray], training: bool = False) -> dict[str, np.ndarray]:
    """The model's outputs for a batch; running statistics stay as they were."""
    run.model.train(training)
    with _statistics_kept(run), torch.no_grad():
        return to_arrays(run.twin, _call(run.twin, run.model, to_tensors(run, batch)))


def activations(
    run: Run, batch: dict[str, np.ndarray], training: bool = False
) -> tuple[list[str], dict[str, np.ndarray]]:
    """What entered and left each layer, as `PATH/in` and `PATH/out`, and the paths in order of execution."""
    order: list[str] = []
    values: dict[str, np.ndarray] = {}
    hooks = [
        module.register_forward_hook(recorder(path, order, values, run.twin.inner_layout), with_kwargs=True)
        for path, module in run.model.named_modules()
        if path
    ]
    forward(run, batch, training)
    for hook in hooks:
        hook.remove()
    return order, values


def loss_and_gradients(run: Run, batch: dict[str, np.ndarray]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Each phase's loss, and the gradient of every parameter that it trains, summed over phases; nothing is updated."""
    run.model.train()
    losses: dict[str, float] = {}
    out: dict[str, np.ndarray] = {}
    with _statistics_kept(run):
        for phase in run.phases:
            loss, gradients = _phase_gradients(run, phase, to_tensors(run, batch))
            for name, value in by_name(phase.trains or "loss", loss).items():
                losses[name] = value.item()
            for name, gradient in gradients.items():
                out[name] = out.get(name, 0) + _to_numpy(gradient)
    return losses, out


def prepare(run: Run, steps: int, matched: Optimizer | None = None) -> None:
    """Give the run its optimizers.

    Args:
        run: a built run.
        steps: how many steps a schedule spans.
        matched: what the ladder trains with instead of the twin's stock optimizer.
    """
    spec = matched or run.twin.optimizer
    for phase in run.phases:
        optimizer = make_optimizer(spec, run.variables[phase.trains].values())
        if spec.schedule == "cosine":
            run.schedules.append(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps))
        if matched:
            match.optimizer(optimizer, spec, float32_scalars=run.dtype == torch.float32)
        run.optimizers[phase.trains] = optimizer
    if matched:
        match.running_variance(run.model)
    run.model.train()


def step(run: Run, batch: dict[str, np.ndarray]) -> dict[str, float]:
    """One training step: the loss of each phase before its update."""
    return {name: loss.item() for name, loss in take(run, to_tensors(run, batch)).items()}


def fit(run: Run, data: dict[str, np.ndarray], orders: list[np.ndarray], report: Report) -> None:
    """Train over the data once per order of its rows, calling `report(epoch, losses)` after each.

    Raises:
        TwinError: when a row is not what the model was built for.
        Whatever `report` raises, which stops the training.
    """
    if hasattr(run.module, "fit"):
        run.module.fit(run, len(orders), report)
    else:
        check_inputs(run.twin, run.arguments, {name: data[name] for name in run.twin.inputs if name in data})
        check_targets(run.twin, run.arguments, data)
        _fit(run, data, enumerate(orders), report)


def fit_phase(
    run: Run, phase: Phase, data: dict[str, np.ndarray], orders: dict[int, np.ndarray], report: Report
) -> None:
    """Train by one of the phases alone, from a fresh optimizer on, over the data once per epoch and its order."""
    alone = replace(run, phases=(phase,), optimizers={}, schedules=[])
    prepare(alone, steps=len(orders) * -(-len(next(iter(data.values()))) // run.twin.batch_size))
    _fit(alone, data, orders.items(), report)


def predict(run: Run, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs in inference mode, batch by batch; of `data` the inputs count."""
    inputs = run.twin.inputs_of(data)
    check_inputs(run.twin, run.arguments, inputs)
    run.model.eval()
    tensors = to_tensors(run, inputs)
    batches = zip(*(tensor.split(256) for tensor in tensors.values()), strict=True)
    with torch.inference_mode():
        parts = [
            to_arrays(run.twin, _call(run.twin, run.model, dict(zip(tensors, part, strict=True)))) for part in batches
        ]
    run.model.train()
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def describe_device(device: str) -> str:
    """The name of the device that PyTorch computes on.

    Raises:
        TwinError: when it sees no such device.
    """
    if device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise TwinError(f"--device {device}: PyTorch sees no GPU here; use --device cpu")
    return torch.cuda.get_device_name()


def synchronize() -> None:
    """Wait until the device is idle."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_optimizer(spec: Optimizer, parameters: Any) -> torch.optim.Optimizer:
    """The optimizer as a PyTorch user writes it: hyperparameters as declared, the rest PyTorch's defaults."""
    rate = spec.learning_rate
    if spec.name == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=spec.momentum)
    betas = (spec.beta_1, spec.beta_2)
    if spec.name == "adamw":
        return torch.optim.AdamW(parameters, rate, betas, weight_decay=spec.weight_decay)
    return torch.optim.Adam(parameters, rate, betas)


def to_tensors(run: Run, batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """NumPy arrays to tensors: floats in the run's dtype, whole numbers as int64, laid out as the twin declares.

    Raises:
        TwinError: when an array does not have the axes of its layout.
    """
    tensors = {}
    for name, array in batch.items():
        layout = run.twin.layout(name)
        if layout != "as is" and array.ndim != len(AXES[layout][0]):
            raise TwinError(
                f"{run.twin.name} declares {name} as {layout!r}, ({', '.join(AXES[layout][0])}); "
                f"its data has shape {array.shape}"
            )
        tensors[name] = to_tensor(array, run.dtype, run.device, layout)
        if run.mode == "channels-last" and layout == "images":
            tensors[name] = tensors[name].contiguous(memory_format=torch.channels_last)
    return tensors


def to_tensor(
    array: np.ndarray, dtype: torch.dtype = torch.float32, device: str = "cpu", layout: Layout = "as is"
) -> torch.Tensor:
    """One array, its axes in PyTorch's order."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    kinds = {"f": dtype, "b": torch.bool}
    tensor = tensor.to(device, kinds.get(array.dtype.kind, torch.int64))
    return tensor if layout == "as is" else tensor.movedim(-1, AXES[layout][1].index("C")).contiguous()


def to_arrays(twin: Twin, outputs: Any) -> dict[str, np.ndarray]:
    """A twin's outputs by name, laid out as the data is; a single one is called `y`."""
    outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
    return {name: to_array(tensor, twin.output_layout(name)) for name, tensor in outputs.items()}


def draw(run: Run, rows: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """The random numbers that a step of this twin consumes, from PyTorch's own generator."""
    makers = {"normal": torch.randn, "uniform": torch.rand}
    shapes = {n.name: torch_shape(n.sized(rows, run.arguments), run.twin.layout(n.name)) for n in run.twin.draws}
    return {
        wanted.name: makers[wanted.distribution](shapes[wanted.name], generator=generator, device=run.device)
        for wanted in run.twin.draws
    }


def _compiled(phase: Phase) -> Phase:
    """The phase, with what it computes as one compiled program, the model inside."""
    loss, gradients = (torch.compile(each) if each else None for each in (phase.loss, phase.gradients))
    return phase._replace(loss=loss, gradients=gradients)


def _call(twin: Twin, model: nn.Module, batch: dict[str, torch.Tensor]) -> Any:
    """What the model returns for a batch: a single input is given by place, several by name."""
    inputs = twin.inputs_of(batch)
    return model(**inputs) if len(inputs) > 1 else model(*inputs.values())


def _loss(twin: Twin, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    outputs = _call(twin, model, batch)
    if twin.loss == "own":
        return model.compute_loss(twin.packed_inputs(batch), twin.targets_of(batch), outputs)
    return LOSSES[twin.loss](outputs, twin.targets_of(batch))


@contextlib.contextmanager
def _statistics_kept(run: Run) -> Iterator[None]:
    """What is not trained is afterwards as it was."""
    before = {name: buffer.clone() for name, buffer in run.model.named_buffers()}
    try:
        yield
    finally:  # a batch of one row is refused by the second norm, when the first has counted it
        with torch.no_grad():
            for name, buffer in run.model.named_buffers():
                buffer.copy_(before[name])


def _phase_gradients(run: Run, phase: Phase, batch: dict[str, torch.Tensor]) -> tuple[Any, dict[str, torch.Tensor]]:
    trained = run.variables[phase.trains]
    if phase.gradients:
        with torch.no_grad():
            return phase.gradients(run.model, batch)
    assert phase.loss, "a phase has a loss or gradients"
    loss = phase.loss(run.model, batch)
    gradients = torch.autograd.grad(total(loss), list(trained.values()), allow_unused=True, materialize_grads=True)
    return loss, dict(zip(trained, gradients, strict=True))


def take(run: Run, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """One training step, its losses still on the device: every phase in turn, then the schedules."""
    losses: dict[str, Any] = {}
    for phase in run.phases:
        optimizer = run.optimizers[phase.trains]
        if phase.gradients:
            loss, gradients = _phase_gradients(run, phase, batch)
            for name, parameter in run.variables[phase.trains].items():
                parameter.grad = gradients[name]
        else:
            assert phase.loss, "a phase has a loss or gradients"
            optimizer.zero_grad()
            loss = phase.loss(run.model, batch)
            total(loss).backward()
        optimizer.step()
        losses |= {name: each.detach() for name, each in by_name(phase.trains or "loss", loss).items()}
    for schedule in run.schedules:
        schedule.step()
    run.steps += 1
    if hasattr(run.module, "after_step"):
        run.module.after_step(run, run.steps)
    return losses


def _belongs(name: str, attribute: str) -> bool:
    return not attribute or name.startswith(f"{attribute}.")


def _named(run: Run) -> dict[str, torch.Tensor]:
    everything = {**dict(run.model.named_parameters()), **dict(run.model.named_buffers())}
    return {leaf.full(name): everything[leaf.full(name)] for leaf in describe(run) for name in leaf.shapes}


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()  # or a later step would write through it


def _fit(run: Run, data: dict[str, np.ndarray], orders: Iterable[tuple[int, np.ndarray]], report: Report) -> None:
    """The loop that a PyTorch user writes."""
    tensors = to_tensors(run, data)
    generator = torch.Generator(run.device).manual_seed(run.seed)
    for epoch, order in orders:
        totals: dict[str, Any] = {}
        for rows in torch.from_numpy(order).to(run.device).split(run.twin.batch_size):
            batch = {name: tensor[rows] for name, tensor in tensors.items()} | draw(run, len(rows), generator)
            for name, loss in take(run, batch).items():
                totals[name] = totals.get(name, 0.0) + loss * len(rows)
        report(epoch, {name: float(total) / len(order) for name, total in totals.items()})
