"""What a twin declares of itself: plain frozen data, no framework, no behaviour beyond lookups."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


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
    """

    arguments: Mapping[str, Any]
    parameters: int
    published: bool = False
    data_options: Mapping[str, Any] = field(default_factory=dict)


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
        goal: what the default training must reach, on both sides.
        chance: what a model that learned nothing gets.
        margin: two trainings whose means differ by less have learned equally well. Declared before anything is
            measured: no finer than the test part's own noise, sqrt(p (1 - p) / rows) at p = goal, where the metric
            is a share of the rows, and a tenth of the goal where it is not.
    """

    name: str
    goal: float
    chance: float
    margin: float

    @property
    def higher_is_better(self) -> bool:
        return self.goal > self.chance

    def reached(self, value: float) -> bool:
        """Whether `value` is at least as good as the goal."""
        return value >= self.goal if self.higher_is_better else value <= self.goal


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
        loss: `(model, batch) -> scalar`, differentiated by the framework; or, where the rule is no
            gradient of a loss, `gradients`.
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
        inputs: an exercise's literal inputs, where it needs no data set.
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
    inputs: Mapping[str, Any] = field(default_factory=dict)
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
