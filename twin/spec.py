"""What a twin declares of itself: plain frozen data, no framework, no behaviour beyond lookups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from twin.errors import TwinError

Layout = Literal["as is", "images", "clips", "frames"]
# The order of the axes in data and in Keras, and in PyTorch. An array that is "as is" has the same axes everywhere.
AXES: Mapping[Layout, tuple[str, str]] = {
    "images": ("BHWC", "BCHW"),
    "clips": ("BTHWC", "BCTHW"),  # of 3D convolutions; also volumes, whose depth stands where the time does
    "frames": ("BTHWC", "BTCHW"),  # of a network that sees one frame at a time
}


def torch_shape(shape: Sequence[int], layout: Layout) -> tuple[int, ...]:
    """The shape of an array in PyTorch; `shape` is that in data and in Keras."""
    if layout == "as is":
        return tuple(shape)
    before, after = AXES[layout]
    return tuple(shape[before.index(axis)] for axis in after)


def data_shape(shape: Sequence[int], layout: Layout) -> tuple[int, ...]:
    """The shape of an array in data and in Keras; `shape` is that in PyTorch."""
    if layout == "as is":
        return tuple(shape)
    before, after = AXES[layout]
    return tuple(shape[after.index(axis)] for axis in before)


@dataclass(frozen=True)
class Chapter:
    """A chapter of the course; `slug` is its folder under models/ and exercises/."""

    number: int
    slug: str
    title: str


@dataclass(frozen=True)
class Size:
    """Constructor arguments of a model and the number of its trainable parameters.

    Args:
        arguments: by name.
        parameters: their number.
        published: whether the count is printed in the literature, not only measured here.
        data_options: those of the twin's data that are others at this size.
        target_options: those that are others for the targets, where pictures of this size are noise.
    """

    arguments: Mapping[str, Any]
    parameters: int
    published: bool = False
    data_options: Mapping[str, Any] = field(default_factory=dict)
    target_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimizer:
    """An optimizer by its common name, with the hyperparameters that both sides share.

    `epsilon` is Adam's, in Keras's meaning; None leaves each framework its own.
    """

    name: Literal["sgd", "adam", "adamw"]
    learning_rate: float
    momentum: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    epsilon: float | None = None


@dataclass(frozen=True)
class Metric:
    """How well a model learned, computed in NumPy from either side's predictions (twin.metrics).

    Args:
        name: a function of `twin.metrics`.
        target: what the default training must reach, on both sides.
        chance: what a model that learned nothing gets.
        margin: two trainings whose means differ by less have learned equally well. Declared before anything is
            measured: no finer than the test part's own noise, sqrt(p (1 - p) / rows) at p = target, where the metric
            is a share of the rows, and a tenth of the target where it is not.
    """

    name: str
    target: float
    chance: float
    margin: float

    @property
    def higher_is_better(self) -> bool:
        return self.target > self.chance

    def reached(self, value: float) -> bool:
        """Whether `value` is at least as good as the target."""
        return value >= self.target if self.higher_is_better else value <= self.target


@dataclass(frozen=True)
class Draw:
    """Random numbers that a training step consumes.

    The ladder makes them in NumPy and hands the same to both sides; in training each framework draws
    its own. A string in `shape` names a constructor argument of the model.
    """

    name: str
    distribution: Literal["normal", "uniform"]
    shape: tuple[int | str, ...]

    def sized(self, rows: int, arguments: Mapping[str, Any]) -> tuple[int, ...]:
        """The shape for a batch of so many rows and a model with those constructor arguments."""
        return rows, *(arguments[axis] if isinstance(axis, str) else axis for axis in self.shape)


class Phase(NamedTuple):
    """One update within a training step: which parameters it trains, and by which loss.

    Args:
        trains: attribute of the model whose parameters are updated; "" for all of them.
        loss: `(model, batch) -> scalar`, differentiated by the framework, or `-> {name: scalar}`, of which the sum is
            and each is logged; or, where the rule is no gradient of a loss, `gradients`.
        gradients: `(model, batch) -> (scalar, {parameter name: gradient})`.
    """

    trains: str
    loss: Callable[..., Any] | None = None
    gradients: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Difference:
    """Something that a twin does differently on the two sides, and why it has to."""

    what: str
    reason: str


@dataclass(frozen=True)
class Tolerance:
    """A departure from the general limits of the ladder, never without a reason.

    Args:
        reason: why the general limit cannot hold, with what was measured.
        rel_l2: the largest relative L2 distance; None for the general limit.
        noise_ratio: the largest multiple of the rounding noise.
    """

    reason: str
    rel_l2: float | None = None
    noise_ratio: float = 10.0


@dataclass(frozen=True)
class Twin:
    """One model or exercise that exists in Keras and in PyTorch.

    Both files lie at `<side>/<kind>s/<chapter slug>/<name>.py`. A model's file defines the class
    `model`; an exercise's file defines `run(**inputs)`.

    Args:
        name: also the file's name.
        title: a few words for tables.
        kind: 'model' (has weights, is trained) or 'exercise' (named arrays to named arrays).
        deck: the letters of the decks that show it.
        topic: what the slides call it.
        paper: authors, title, year, section or table.
        model: the class, the same on both sides.
        small: the size that tests and the default use.
        paper_size: the published size, if there is one.
        ladder: constructor arguments that the ladder overrides, to switch random layers off.
        data: a module of `twin.data`, and the options for its `load`.
        inputs: what a model takes, in order, and how each array is laid out: 'as is'; 'images', which are
            (B, H, W, C) in data and in Keras and (B, C, H, W) in PyTorch; or 'clips' and 'frames' (`AXES`). An
            exercise names here and in `outputs` only what is not 'as is', by name or by a pattern such as `conv2d_*`.
        outputs: what it returns, likewise; a single output is called `y`.
        targets: the layout of those other arrays of a batch (targets and draws) that are not 'as is'.
        literals: an exercise's inputs, where it needs no data set.
        loss: a name in both `train.LOSSES`, 'own' for the model's `compute_loss`, or 'phases' for a file
            that states a procedure of its own.
        draws: random numbers that a step consumes.
        metric: how well it learned.
        flatten: Dense layer -> the layer whose channels were flattened into its inputs. PyTorch flattens
            C,H,W and Keras H,W,C; the bridge permutes the Dense kernel.
        unflatten: Dense layer -> the layer whose input channels its outputs are reshaped to.
        differences: declared differences, each with its reason.
        tolerances: rung -> departure from the general limit; 'float64' for all rungs in that precision.
    """

    name: str
    title: str
    kind: Literal["model", "exercise"]
    deck: str
    topic: str
    paper: str
    model: str = ""
    small: Size = Size({}, 0)
    paper_size: Size | None = None
    ladder: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    data_options: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Layout] = field(default_factory=lambda: {"x": "as is"})
    outputs: Mapping[str, Layout] = field(default_factory=lambda: {"y": "as is"})
    targets: Mapping[str, Layout] = field(default_factory=dict)
    literals: Mapping[str, Any] = field(default_factory=dict)
    loss: str = ""
    draws: tuple[Draw, ...] = ()
    metric: Metric | None = None
    optimizer: Optimizer = Optimizer("sgd", 0.1)
    epochs: int = 10
    batch_size: int = 32
    flatten: Mapping[str, str] = field(default_factory=dict)
    unflatten: Mapping[str, str] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)

    def size(self, name: str) -> Size | None:
        """The `small` or the `paper` size; None where the latter does not exist."""
        return {"small": self.small, "paper": self.paper_size}[name]

    def ladder_arguments(self, name: str) -> dict[str, Any]:
        """The constructor arguments of that size, random layers switched off."""
        size = self.size(name)
        assert size is not None, f"{self.name} has no size {name}"
        return {**size.arguments, **self.ladder}

    def layout(self, name: str) -> Layout:
        """How an array of a batch, or of an exercise's inputs, is laid out."""
        return _declared({**self.targets, **self.inputs}, name)

    def output_layout(self, name: str) -> Layout:
        """How an output is laid out."""
        return _declared(self.outputs, name)

    def inner_layout(self, rank: int) -> Layout:
        """The layout that an activation of so many axes is taken to have in the middle of PyTorch's model.

        Nobody declares activations. Four axes are images in a model that takes or returns images, clips or frames
        (one that sees frame by frame folds them into the batch); five are what the model declares. Where this is
        wrong, the message about the first layer that differs names another layer; no verdict depends on it.
        """
        declared = {*self.inputs.values(), *self.outputs.values(), *self.targets.values()} - {"as is"}
        five: Layout = "clips" if "clips" in declared else "frames" if "frames" in declared else "as is"
        layouts: dict[int, Layout] = {4: "images", 5: five} if declared else {}
        return layouts.get(rank, "as is")

    def inputs_of(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays of a batch that go into the model, in their order.

        Raises:
            TwinError: when one of them is not there.
        """
        if missing := [name for name in self.inputs if name not in batch]:
            raise TwinError(
                f"{self.name} takes {', '.join(self.inputs)}; the batch has {', '.join(batch)} and lacks "
                f"{', '.join(missing)}: name the inputs in its catalogue entry as its data set does"
            )
        return {name: batch[name] for name in self.inputs}

    def packed_inputs(self, batch: Mapping[str, Any]) -> Any:
        """What Keras's `call` takes of a batch: the one input, or a dictionary of several."""
        given = self.inputs_of(batch)
        return given if len(given) > 1 else next(iter(given.values()))

    def targets_of(self, batch: Mapping[str, Any]) -> Any:
        """What the loss compares with: `y`, or a dictionary of whatever is neither an input nor a draw."""
        others = {*self.inputs, *(draw.name for draw in self.draws)}
        found = {name: array for name, array in batch.items() if name not in others}
        return found["y"] if found.keys() == {"y"} else found


def _declared(layouts: Mapping[str, Layout], name: str) -> Layout:
    return next((layout for pattern, layout in layouts.items() if fnmatchcase(name, pattern)), "as is")
