"""What a network asks of the pictures and classes that it is built for, in the same words on both sides."""

import math
from collections.abc import Sequence


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
    if num_classes < 2:
        raise ValueError(f"expected at least two classes. Received: num_classes={num_classes}")
