"""What two tables of constants are, in words: even steps, powers of one number, windows of a signal."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from compare.verify import axes as alignment

BASES = (10000.0, 1000.0, 100.0, 2.0)  # of which frequencies are powers
WINDOWS: Mapping[str, Callable[[int], np.ndarray]] = {
    "Hann": np.hanning, "Hamming": np.hamming, "Blackman": np.blackman, "Bartlett": np.bartlett, "rectangular": np.ones,
    "root of the Hann": lambda n: np.sqrt(np.hanning(n)),
}  # fmt: skip
IN_TORCH = {
    "Hann": "torch.hann_window({0}, periodic={1})", "Hamming": "torch.hamming_window({0}, periodic={1})",
    "Blackman": "torch.blackman_window({0}, periodic={1})", "Bartlett": "torch.bartlett_window({0}, periodic={1})",
    "rectangular": "torch.ones({0})",
}  # fmt: skip


def of_tables(keras: np.ndarray, torch: np.ndarray) -> tuple[str, str] | None:
    """The cause and the words of two tables of one kind with other numbers; None where they are of none."""
    kinds: dict[str, Callable[[np.ndarray], str | None]] = {
        "constant_window": _window, "constant_range": _range, "constant_frequencies": _powers
    }  # fmt: skip
    for cause, kind in kinds.items():
        one, other = kind(keras), kind(torch)
        if one and other and one != other:
            return cause, f"A constant differs: Keras's is {one}; PyTorch's is {other}"
    return None


def _window(array: np.ndarray) -> str | None:
    """Which window of a signal an array is, if it is one."""
    values = np.squeeze(array)
    if values.dtype.kind != "f" or values.ndim != 1 or values.size < 8:
        return None
    for name, function in WINDOWS.items():
        for count, how in ((values.size + 1, "periodic "), (values.size, "symmetric ")):
            if np.abs(values - function(count)[: values.size]).max() <= 1e-5:
                return f"a {'' if name == 'rectangular' else how}{name} window"
    return None


def _range(array: np.ndarray) -> str | None:
    """Even steps along one axis, the same for all places along the others."""
    line = _one_line(array)
    if line is None:
        return None
    steps = np.diff(line)
    # Numbers near 1 in float32 are rounded by 1e-7.
    if not steps[0] or np.abs(steps - steps.mean()).max() > 1e-5 * max(np.abs(line).max(), 1e-30):
        return None
    step = float(steps.mean())
    return f"{len(line)} numbers from {_short(line[0])} to {_short(line[-1])}, {step:.6g}{_part(step)} apart"


def _powers(array: np.ndarray) -> str | None:
    """Powers of one number along one axis, such as the frequencies of positions."""
    line = _one_line(array)
    if line is None or not (line > 0).all():
        return None
    steps = np.diff(np.log(line))
    step = float(steps.mean())
    if abs(step) < 1e-4 or np.abs(steps - step).max() > 1e-4 * abs(step):
        return None
    parts = {base: math.log(base) / abs(step) for base in BASES}
    sign = "-" if step < 0 else ""
    base = next((b for b, count in parts.items() if abs(count - round(count)) <= 1e-3 * count and count > 1.5), None)
    means = f" = {sign}log({base:g}) / {round(parts[base])}" if base else ""
    told = ", ".join(f"{each:.5g}" for each in line[:4])
    return f"{told}, ..., each times {math.exp(step):.5g}: a frequency's logarithm changes by {step:.5g}{means}"


def _one_line(array: np.ndarray) -> np.ndarray | None:
    """The values along the one axis along which an array changes."""
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return None
    values = np.squeeze(array).astype(np.float64)
    for axis in range(values.ndim):
        line = np.moveaxis(values, axis, 0).reshape(len(np.moveaxis(values, axis, 0)), -1)
        if len(line) > 3 and alignment.relative(np.broadcast_to(line[:, :1], line.shape), line) <= 1e-6:
            return line[:, 0]
    return None


def _short(value: float) -> str:
    return f"{value:.5g}" if abs(value) > 1e-6 else "0"


def _part(step: float) -> str:
    """A step as one over a whole number, or two, where it is."""
    for above in (1, 2):
        count = above / abs(step)
        if count > 1.5 and abs(count - round(count)) <= 1e-4 * count:
            return f" ({above}/{round(count)})"
    return ""
