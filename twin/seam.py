"""The seam between the harness and the frameworks: what the modules of `keras_impl` and of `torch_impl` offer a worker.

Both sides have these modules with these functions, and the type checker proves it: `keras_impl/__init__.py` and
`torch_impl/__init__.py` hold their modules against the protocols. Batches and results are dictionaries of NumPy arrays,
laid out as in data and in Keras (`twin.spec.Layout`); names of weights are the side's own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from twin.bridge import Leaf
from twin.spec import Optimizer, Phase, Twin
from twin.trace import Trace

Arrays = dict[str, np.ndarray]
Report = Callable[[int, dict[str, float]], None]  # an epoch, and its mean loss by name
Call = Callable[[], Any]


class Run(Protocol):
    """A built model and what trains it; each side adds its own optimizers and compiled steps."""

    twin: Twin
    module: Any  # the twin's own file
    model: Any
    phases: tuple[Phase, ...]
    mode: str
    variables: dict[str, dict[str, Any]]  # per phase: name -> what the phase trains
    seed: int
    arguments: dict[str, Any]  # of the model's constructor


R = TypeVar("R", bound=Run)
R_contra = TypeVar("R_contra", bound=Run, contravariant=True)


class Train(Protocol[R]):
    """`train.py`: build, load, forward, gradients, step, fit, predict."""

    def build(
        self,
        twin: Twin,
        arguments: dict[str, Any],
        dtype: str = "float32",
        seed: int = 0,
        device: str = "cpu",
        mode: str = "",
    ) -> R:
        """A freshly initialised model.

        Args:
            twin: a model.
            arguments: of its constructor.
            dtype: 'float32' or 'float64'.
            seed: of the initial weights, and of whatever is drawn in training.
            device: 'cpu' or 'cuda'.
            mode: '' for the stock way to run it, or one of the engine's modes.
        """

    def load_module(self, twin: Twin) -> Any:
        """The twin's own file."""

    def exercise(self, twin: Twin, inputs: Arrays, dtype: str = "float32") -> Arrays:
        """An exercise's named outputs for its named inputs."""

    def describe(self, run: R) -> list[Leaf]:
        """The layers that own weights, by attribute path."""

    def load_weights(self, run: R, arrays: Arrays) -> None:
        """Set every weight, trainable or not.

        Raises:
            KeyError: when one is missing.
        """

    def dump_weights(self, run: R) -> Arrays:
        """Every weight, trainable or not."""

    def dump_moments(self, run: R) -> Arrays:
        """Adam's two moments of every trainable weight, as `first/NAME` and `second/NAME`; empty for SGD."""

    def forward(self, run: R, batch: Arrays, training: bool = False) -> Arrays:
        """The model's outputs by name, (B, ...); running statistics stay as they were.

        Raises:
            TwinError: when the batch lacks an input, or an array does not have the axes of its layout.
        """

    def activations(self, run: R, batch: Arrays, training: bool = False) -> tuple[list[str], Arrays]:
        """The paths of the layers in the order of execution, and what entered and left each: `PATH/in`, `PATH/out`."""

    def loss_and_gradients(self, run: R, batch: Arrays) -> tuple[dict[str, float], Arrays]:
        """Each phase's loss, and the gradient of every parameter that a phase trains; nothing is updated."""

    def prepare(self, run: R, steps: int, matched: Optimizer | None = None) -> None:
        """Give the run its optimizers, with schedules that span so many steps.

        `matched` is what the ladder trains with instead of the twin's stock optimizer.
        """

    def step(self, run: R, batch: Arrays) -> dict[str, float]:
        """One training step: the loss of each phase before its update."""

    def fit(self, run: R, data: Arrays, orders: list[np.ndarray], report: Report) -> None:
        """Train over the data once per order of its rows, calling `report` after each.

        Raises:
            Whatever `report` raises, which stops the training.
        """

    def fit_phase(self, run: R, phase: Phase, data: Arrays, orders: dict[int, np.ndarray], report: Report) -> None:
        """Train by one of the phases alone, over the data once per epoch and its order."""

    def predict(self, run: R, data: Arrays) -> Arrays:
        """The outputs in inference mode, for all rows; of `data` the inputs count."""

    def describe_device(self, device: str) -> str:
        """The name of the device that is computed on.

        Raises:
            TwinError: when there is no such device.
        """

    def synchronize(self) -> None:
        """Wait until the device is idle."""

    def to_tensors(self, run: R, batch: Arrays) -> dict[str, Any]:
        """The framework's tensors, in its own layout: floats in the run's dtype, whole numbers as whole numbers."""

    def to_tensor(self, array: np.ndarray) -> Any:
        """One array whose axes stay as they are."""

    def to_arrays(self, twin: Twin, outputs: Any) -> Arrays:
        """Outputs by name, laid out as the data is; a single one is called `y`."""


class Timing(Protocol[R_contra]):
    """`timing.py`: what a bench times. Steps and inference come as calls on tensors that are on the device already."""

    def prepare(self, run: R_contra) -> None:
        """Give the run its stock optimizers, at a rate at which nothing moves."""

    def training_step(self, run: R_contra, batch: Arrays) -> Call:
        """The step of the training loop, without the loop around it."""

    def inference(self, run: R_contra, batch: Arrays) -> Call:
        """The model on a batch in inference mode, without the loop around it; of the batch the inputs count."""

    def ready(self, run: R_contra, training: bool) -> None:
        """Put the model into the mode of what is timed next."""

    def user_loop(self, run: R_contra, data: Arrays, epochs: int, mark: Callable[[], None]) -> None:
        """Train for so many epochs as a user does, and call `mark` after each."""

    def wait_for(self, result: Any) -> None:
        """Return when the device has computed what a call returned."""

    def device_memory(self) -> int | None:
        """The most bytes that the device has held; None on a CPU, whose memory the process has."""


class Subject(Protocol):
    """`tracing.Subject`: any model, built by a user, under examination."""

    def leaves(self) -> list[Leaf]:
        """The layers that own weights."""

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set weights; those not given stay."""

    def dump(self) -> Arrays:
        """Every weight."""

    def trace(self, inputs: Sequence[np.ndarray], training: bool = False) -> Trace:
        """Run the model once on an array per input, and write down every call."""

    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> Arrays:
        """What the model itself returns, by name."""

    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]:
        """What dropout would drop in a pass, in the order of execution."""

    def gradients(self, inputs: Sequence[np.ndarray], cotangents: Mapping[str, np.ndarray], training: bool) -> Arrays:
        """The gradient of sum(output * cotangent) by every trainable weight, random layers switched off."""

    def statistics(self, inputs: Sequence[np.ndarray], masks: bool = False) -> Arrays:
        """Running statistics after one pass in training mode; they are put back afterwards."""


class Tracing(Protocol):
    """`tracing.py`: what any model does, call by call."""

    @property
    def Subject(self) -> Callable[[Any, Sequence[np.ndarray]], Subject]:
        """Takes a model and an array per input."""

    def seed(self, number: int) -> None:
        """Seed all that a user's own model may draw its first weights from."""


class Criteria(Protocol):
    """`criteria.py`: a user's own loss or optimizer, or a stock one."""

    def loss_model(self, found: Any) -> Any:
        """The loss as a model of outputs and targets."""

    def loss(self, found: Any, given: Mapping[str, np.ndarray], transform: str = "") -> tuple[float, np.ndarray, str]:
        """The loss, its gradient by the outputs (B, ...), and how it is written.

        `found` is a stock name, a loss, a class of losses or a function; `given` has `outputs` and `target`, and may
        have `sample_weight` (B, ...) and `class_weight` (C,); `transform` names what the outputs pass first, and
        `changes` are other arguments of the loss.
        """

    def updates(
        self,
        found: Any,
        weights: Mapping[str, np.ndarray],
        gradients: Sequence[Mapping[str, np.ndarray]],
        changes: Mapping[str, Any],
    ) -> tuple[dict[str, Any], Arrays]:
        """What an optimizer makes of given gradients: its settings, and each weight after each step (steps, ...).

        Raises:
            TwinError: when there is no optimizer.
        """


class Describe(Protocol):
    """`describe.py`: a model as the bridge sees it."""

    def sizes(self, model: Any) -> dict[str, tuple[str, int]]:
        """Every layer's type and the number of its parameters, by attribute path; running statistics are none."""


class Ablation(Protocol[R_contra]):
    """`ablation.py`: a forward pass with one activation left out."""

    def forward_without(self, run: R_contra, batch: Arrays, place: int) -> tuple[list[str], Arrays]:
        """Every activation of a pass, as 'tanh at conv1', and the outputs without the one at that place, from 0."""
