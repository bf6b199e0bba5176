"""The catalogue: every twin of the course, chapter by chapter, in the course's order."""

from twin.catalogue import (
    classification,
    convolution,
    detection,
    driving,
    generative,
    language,
    reinforcement,
    segmentation,
    sequences,
    tensors,
    training,
    video,
)
from twin.errors import unknown
from twin.spec import Chapter, Twin

CHAPTERS: dict[Chapter, tuple[Twin, ...]] = {
    Chapter(1, "tensors", "Tensors and gradients"): tensors.TWINS,
    Chapter(2, "convolution", "Convolution"): convolution.TWINS,
    Chapter(3, "classification", "Image classification"): classification.TWINS,
    Chapter(4, "training", "Better training"): training.TWINS,
    Chapter(5, "sequences", "Sequences"): sequences.TWINS,
    Chapter(6, "video", "Video"): video.TWINS,
    Chapter(7, "detection", "Detection"): detection.TWINS,
    Chapter(8, "segmentation", "Segmentation"): segmentation.TWINS,
    Chapter(9, "generative", "Unsupervised and generative models"): generative.TWINS,
    Chapter(10, "language", "Language and vision"): language.TWINS,
    Chapter(11, "reinforcement", "Reinforcement learning"): reinforcement.TWINS,
    Chapter(12, "driving", "Relational biases and driving"): driving.TWINS,
}
TWINS: dict[str, Twin] = {twin.name: twin for twins in CHAPTERS.values() for twin in twins}


def find(name: str) -> Twin:
    """The twin of that name.

    Raises:
        TwinError: with the nearest names.
    """
    if name not in TWINS:
        raise unknown("twin", name, TWINS)
    return TWINS[name]


def chapter_of(name: str) -> Chapter:
    """The chapter that a twin belongs to."""
    return next(chapter for chapter, twins in CHAPTERS.items() if find(name) in twins)
