"""Random numbers that both frameworks draw alike: the n-th draw of a kind and shape is the same on either side."""

import numpy as np


class Draws:
    """Numbers that are known beforehand.

    A tensor of four and more axes has its channels last in Keras and second in PyTorch, so that both draw the same
    picture; `channels_second` says so.
    """

    def __init__(self, channels_second: bool = False):
        self.channels_second = channels_second
        self.counts: dict[tuple[str, tuple[int, ...]], int] = {}

    def give(self, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        """The next array of that shape, of normal numbers or of numbers between 0 and 1."""
        turned = self.channels_second and len(shape) >= 4
        usual = (shape[0], *shape[2:], shape[1]) if turned else shape
        count = self.counts[kind, usual] = self.counts.get((kind, usual), 0) + 1
        rng = np.random.default_rng([count, *usual])
        made = rng.standard_normal(usual) if kind == "normal" else rng.uniform(0.0, 1.0, usual)
        return np.ascontiguousarray(np.moveaxis(made, -1, 1) if turned else made).astype(np.float32)
