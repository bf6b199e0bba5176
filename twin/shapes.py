"""What a network asks of the pictures and classes that it is built for, in the same words on both sides."""

import math
from collections.abc import Sequence
from typing import Any


def check_shapes(
    image_shape: Sequence[int], num_classes: int, smallest: int, largest: float = math.inf, multiple: int = 1
) -> None:
    """Let a constructor refuse what its network cannot take.

    Args:
        image_shape: height, width and channels.
        num_classes: width of the output.
        smallest: the least height and width of which something is left to classify.
        largest: the greatest ones that the network's dense layers fit.
        multiple: what height and width must be divisible by.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"expected height, width and channels. Received: image_shape={image_shape}")
    sides = image_shape[:2]
    if min(sides) < smallest or max(sides) > largest or any(side % multiple for side in sides):
        wanted = f"{smallest}" if smallest == largest else f"at least {smallest}"
        wanted += f" and at most {largest}" if smallest < largest < math.inf else ""
        wanted += f", in multiples of {multiple}" if multiple > 1 else ""
        raise ValueError(f"expected a height and width of {wanted}. Received: image_shape={image_shape}")
    _check_classes(num_classes, 2)


def check_sequence(window_shape: Sequence[int], num_classes: int, shortest: int = 1) -> None:
    """Let a constructor refuse sequences that its network cannot take.

    Args:
        window_shape: steps of the sequence and channels of a step.
        num_classes: width of the output.
        shortest: the least number of steps of which something is left to classify.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(window_shape) != 2 or min(window_shape) < 1:
        raise ValueError(f"expected steps and channels. Received: window_shape={window_shape}")
    if window_shape[0] < shortest:
        raise ValueError(f"expected at least {shortest} steps. Received: window_shape={window_shape}")
    _check_classes(num_classes, 2)


def check_clips(
    clip_shape: Sequence[int], num_classes: int, multiples: Sequence[int] = (1, 1, 1), smallest: int = 1
) -> None:
    """Let a constructor refuse clips that its network cannot take.

    Args:
        clip_shape: frames, height, width and channels.
        num_classes: width of the output.
        multiples: what frames, height and width must be divisible by.
        smallest: the least height and width of which something is left.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(clip_shape) != 4 or min(clip_shape) < 1:
        raise ValueError(f"expected frames, height, width and channels. Received: clip_shape={clip_shape}")
    if any(side % multiple for side, multiple in zip(clip_shape[:3], multiples, strict=True)):
        wanted = "x".join(map(str, multiples))
        raise ValueError(
            f"expected frames, height and width in multiples of {wanted}. Received: clip_shape={clip_shape}"
        )
    if min(clip_shape[1:3]) < smallest:
        raise ValueError(f"expected a height and width of at least {smallest}. Received: clip_shape={clip_shape}")
    _check_classes(num_classes, 2)


def check_text_line(image_shape: Sequence[int], num_classes: int) -> None:
    """Let a constructor refuse pictures of which more or less than one row of features would be left.

    Args:
        image_shape: height, width and channels.
        num_classes: characters and the blank.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(image_shape) != 3 or image_shape[0] != 32 or image_shape[1] < 8 or image_shape[2] < 1:
        raise ValueError(f"expected a height of 32 and a width of at least 8. Received: image_shape={image_shape}")
    _check_classes(num_classes, 2)


def text_line_steps(image_shape: Sequence[int]) -> int:
    """Columns that a CRNN reads of a picture (height, width, channels), each a step of its output."""
    return image_shape[1] // 4 - 1


def check_map(map_shape: Sequence[int], shortest: int) -> None:
    """Let a constructor refuse space-time maps of which nothing would be left.

    Args:
        map_shape: regions, frames and channels.
        shortest: the least number of frames.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(map_shape) != 3 or min(map_shape) < 1 or map_shape[1] < shortest:
        wanted = f"regions, at least {shortest} frames, and channels"
        raise ValueError(f"expected {wanted}. Received: map_shape={map_shape}")


def check_grid(image_shape: Sequence[int], grid: int, strides: Sequence[int], num_classes: int) -> None:
    """Let a constructor refuse pictures of which its layers do not leave just the grid.

    Args:
        image_shape: height, width and channels.
        grid: cells across and down.
        strides: of the convolutions and poolings.
        num_classes: that are told apart.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    side = grid * math.prod(strides)
    if len(image_shape) != 3 or tuple(image_shape[:2]) != (side, side) or image_shape[2] < 1:
        raise ValueError(f"expected a height and width of {side} for a grid of {grid}. Received: {image_shape=}")
    _check_classes(num_classes, 2)


def check_multiple(image_shape: Sequence[int], num_classes: int, multiple: int) -> None:
    """Let a constructor refuse pictures that its grids do not divide.

    Args:
        image_shape: height, width and channels.
        num_classes: that are told apart.
        multiple: what height and width must be divisible by.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(image_shape) != 3 or min(image_shape) < 1 or any(side % multiple for side in image_shape[:2]):
        raise ValueError(f"expected a height and width in multiples of {multiple}. Received: {image_shape=}")
    _check_classes(num_classes, 1)


def check_square(image_shape: Sequence[int], num_classes: int) -> None:
    """Let a constructor refuse pictures of which its maps would not be square.

    Args:
        image_shape: height, width and channels.
        num_classes: that are told apart.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[0] != image_shape[1]:
        raise ValueError(f"expected a height and width that are the same, and channels. Received: {image_shape=}")
    _check_classes(num_classes, 1)


def check_proposals(proposals: int, candidates: int, anchors: int) -> None:
    """Let a constructor refuse numbers of regions that cannot be chosen.

    Args:
        proposals: that are left by the suppression.
        candidates: among which it chooses.
        anchors: of which the candidates are the best.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if not 1 <= proposals <= candidates <= anchors:
        raise ValueError(
            f"expected at least one proposal, as many candidates, and at most the {anchors} anchors. "
            f"Received: {proposals=}, {candidates=}"
        )


def check_windows(sides: Sequence[int], window: Sequence[int]) -> None:
    """Let a constructor refuse windows that its layers do not fit.

    Args:
        sides: of the picture at each scale.
        window: height and width.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(window) != 2 or any(extent < 8 or extent % 2 for extent in window):
        raise ValueError(f"expected an even height and width of at least 8. Received: {window=}")
    if not sides or min(sides) < max(window):
        raise ValueError(f"expected sides of at least {max(window)}, which the window needs. Received: {sides=}")


def check_regions(
    image_shape: Sequence[int], side: int, context: int, features: Sequence[Any], num_classes: int
) -> int:
    """Let a constructor refuse warped regions of which its network leaves nothing.

    Args:
        image_shape: height, width and channels of a picture.
        side: height and width of a warped region.
        context: pixels of it, on each side, that are outside of the region.
        features: convolutions (channels, kernel size, stride, groups), "N" for a normalization, "M" for a max pooling
            of 3 by 3 at stride 2; another such pooling follows.
        num_classes: that are told apart.

    Returns:
        The height and width that are left.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    check_multiple(image_shape, num_classes, multiple=1)
    if not 0 <= 2 * context < side:
        raise ValueError(f"expected a context of less than half the side. Received: {side=}, {context=}")
    left = side
    for each in [*features, "M"]:
        kernel, stride = (3, 2) if each == "M" else (1, 1) if each == "N" else each[1:3]
        left = left if stride == 1 else (left - kernel) // stride + 1
        if left < 1:
            raise ValueError(
                f"expected a side of which the convolutions and poolings leave something. Received: {side=}"
            )
    return left


def doublings_from(side: int, image_shape: Sequence[int]) -> int:
    """How often a square of that side is doubled to become a picture.

    Args:
        side: of the smallest square.
        image_shape: height, width and channels.

    Raises:
        ValueError: one line that says what was expected and what came.
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"expected height, width and channels. Received: image_shape={image_shape}")
    height, width, _ = image_shape
    doublings = round(math.log2(height / side))
    if doublings < 1 or (height, width) != (side * 2**doublings,) * 2:
        raise ValueError(
            f"expected a height and width of {2 * side}, {4 * side}, {8 * side} and so on. "
            f"Received: image_shape={image_shape}"
        )
    return doublings


def _check_classes(num_classes: int, least: int) -> None:
    if num_classes < least:
        wanted = "one class" if least == 1 else "two classes"
        raise ValueError(f"expected at least {wanted}. Received: {num_classes=}")
