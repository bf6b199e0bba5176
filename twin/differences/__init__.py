"""The catalogue of silent differences between Keras 3 and PyTorch, topic by topic; every row is a probe that runs."""

from twin.differences import (
    activations,
    arithmetic,
    attention,
    convolution,
    deployment,
    initialization,
    losses,
    metrics,
    models,
    no_difference,
    normalization,
    optimizers,
    randomness,
    recurrent,
    resizing,
    schedules,
)
from twin.differences.row import Drawn, Row
from twin.errors import unknown

__all__ = ["ROWS", "TOPICS", "Drawn", "Row", "find", "topic_of"]

TOPICS: dict[str, tuple[Row, ...]] = {
    "convolution": convolution.ROWS,
    "normalization": normalization.ROWS,
    "activations": activations.ROWS,
    "recurrent": recurrent.ROWS,
    "attention": attention.ROWS,
    "initialization": initialization.ROWS,
    "optimizers": optimizers.ROWS,
    "schedules": schedules.ROWS,
    "losses": losses.ROWS,
    "metrics": metrics.ROWS,
    "resizing": resizing.ROWS,
    "arithmetic": arithmetic.ROWS,
    "randomness": randomness.ROWS,
    "models": models.ROWS,
    "deployment": deployment.ROWS,
    "no_difference": no_difference.ROWS,
}
ROWS: dict[str, Row] = {row.name: row for rows in TOPICS.values() for row in rows}


def find(name: str) -> Row:
    """The row of that name.

    Raises:
        TwinError: with the nearest names.
    """
    if name not in ROWS:
        raise unknown("difference", name, ROWS)
    return ROWS[name]


def topic_of(name: str) -> str:
    """The topic that a row belongs to; also the name of the files with its two sides."""
    return next(topic for topic, rows in TOPICS.items() if find(name) in rows)
