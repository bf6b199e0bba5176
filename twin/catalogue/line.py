"""The line of progress that the slides tell: five networks, at sizes at which all take the same 32x32 pictures.

They are the "styles" of deck E in the slides' order. But for VGG, whose widths are LeNet's, each has 60 to 75 thousand
parameters, so that what differs is how they are used. Optimizer, batch size and loss are the twins' own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from twin.catalogue import find
from twin.spec import Metric, Size, Twin


@dataclass(frozen=True)
class Step:
    """One network of the line.

    Args:
        twin: its name in the catalogue.
        size: at which it takes the line's pictures.
        targets: data set -> the accuracy that both sides must reach.
    """

    twin: str
    size: Size
    targets: Mapping[str, float]


@dataclass(frozen=True)
class Training:
    """How the line learns from a data set.

    Args:
        options: of the data set's `load`.
        quick_options: the same for a trial.
        epochs: for every network alike.
        margin: within which two accuracies are equal: the noise of the smallest test part at the lowest target.
    """

    options: Mapping[str, Any]
    quick_options: Mapping[str, Any]
    epochs: int
    margin: float


QUICK_EPOCHS = 2
TRAININGS = {
    "fashion_mnist": Training(
        options={"size": 32, "train_count": 6000},
        quick_options={"size": 32, "train_count": 512, "test_count": 500},
        epochs=5,
        margin=0.02,
    ),
    "digits": Training(options={"size": 32}, quick_options={"size": 32}, epochs=12, margin=0.016),
}
LINE = (
    Step(
        "lenet",
        Size({"image_shape": (32, 32, 1), "num_classes": 10}, parameters=61_706),
        targets={"fashion_mnist": 0.75, "digits": 0.93},
    ),
    Step(
        "vgg_style",
        Size({"image_shape": (32, 32, 1), "num_classes": 10}, parameters=161_724),
        targets={"fashion_mnist": 0.75, "digits": 0.95},
    ),
    Step(
        "resnet_style",
        Size({"image_shape": (32, 32, 1), "width": 16, "num_blocks": 1, "num_classes": 10}, parameters=75_002),
        targets={"fashion_mnist": 0.8, "digits": 0.97},
    ),
    Step(
        "mbconv",
        Size(
            {
                "image_shape": (32, 32, 1),
                "width": 12,
                "expand_ratio": 6,
                "drop_path_rate": 0.1,
                "momentum": 0.9,
                "num_classes": 10,
            },
            parameters=74_719,
        ),
        targets={"fashion_mnist": 0.8, "digits": 0.97},
    ),
    Step(
        "vit",
        Size(
            {
                "image_shape": (32, 32, 1),
                "patch_size": 4,
                "dim": 64,
                "depth": 2,
                "heads": 4,
                "mlp_dim": 128,
                "dropout": 0.1,
                "num_classes": 10,
            },
            parameters=73_034,
        ),
        targets={"fashion_mnist": 0.75, "digits": 0.9},
    ),
)


def variants(data: str, quick: bool) -> list[Twin]:
    """The line's twins in order, each at the line's size and with that data set as its own."""
    training = TRAININGS[data]
    return [
        replace(
            find(step.twin),
            small=step.size,
            data=data,
            data_options=training.quick_options if quick else training.options,
            epochs=training.epochs,
            metric=Metric("accuracy", target=step.targets[data], chance=0.1, margin=training.margin),
        )
        for step in LINE
    ]
