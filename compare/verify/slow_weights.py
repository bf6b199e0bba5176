"""Steps that part where one side goes back towards earlier weights: Lookahead's slow weights, every k steps.

Zhang et al., "Lookahead optimizer" (2019): every k steps the slow weights take a share of the way to the fast ones,
and the fast ones go on from there. What two of those do otherwise shows at the first step after which both have other
weights: the difference is a share of the way from earlier weights, which no rule for one step gives for all arrays.
"""

import numpy as np

from compare.verify import axes as alignment

SAME = 1e-3  # relative L2 of two steps, or of two ways, that are the same


def of_slow_weights(mine: np.ndarray, theirs: np.ndarray) -> tuple[str, str] | None:
    """The cause and its words; None where the steps part in another way.

    Args:
        mine, theirs: Keras's and PyTorch's steps (steps, values of all arrays), with other gradients in each.
    """
    apart = [alignment.relative(other, one) > SAME for one, other in zip(mine, theirs, strict=True)]
    first = apart.index(True) if True in apart else 0
    if first == 0 or not np.isfinite(mine).all() or not np.isfinite(theirs).all():
        return None
    if not mine[:first].any() and not theirs[:first].any():
        return _gathered(mine[first], theirs[first], first + 1)
    keras, torch = (np.concatenate([np.zeros((1, side.shape[1])), side.cumsum(0)]) for side in (mine, theirs))
    number = first + 1
    before = f"Both take the same {first} steps. After step {number} "
    # What both have after step 1 is one gradient's: a way from there may be a momentum's share.
    for start in range(0, first - 1) if first > 1 else (0,):
        share = _share(keras[number] - keras[start], torch[number] - torch[start])
        if share is not None and share > 0:
            sides = ("PyTorch", "Keras") if share < 1 else ("Keras", "PyTorch")
            where = "the start" if start == 0 else f"where step {start} led"
            says = f"{sides[0]}'s weights are only {min(share, 1 / share):.4g} of the way from {where} to {sides[1]}'s"
            return "lookahead", f"{before}{says}: slow weights (Lookahead) pull back there, in the two by other shares"
    for start in range(1, first - 1):
        share = _share(keras[start], torch[number] - keras[number])
        if share is not None:
            says = (
                f"PyTorch's weights are Keras's and {share:.4g} times the way from the start to where step {start} led"
            )
            return (
                "lookahead",
                f"{before}{says}: slow weights (Lookahead) are not those of step {start} in one of the two",
            )
    return None


def _gathered(mine: np.ndarray, theirs: np.ndarray, count: int) -> tuple[str, str] | None:
    """The cause where both take their first step after several gradients, and one sums what the other averages."""
    share = _share(theirs, mine)
    if share is None or not np.isclose([share * count, share / count], 1, rtol=SAME).any():
        return None
    averages, sums = ("Keras", "PyTorch") if share < 1 else ("PyTorch", "Keras")
    says = f"Both take one step for {count} gradients: {averages} takes their mean, {sums} their sum"
    return "gradient_accumulation", f"{says}, which is {count} times as large"


def _share(way: np.ndarray, other: np.ndarray) -> float | None:
    """c with other = c * way for all values, if there is one."""
    length = float(way @ way)
    share = float(way @ other) / length if length > 0 else 0.0
    left = float(np.linalg.norm(other - share * way))
    return share if share and left <= SAME * float(np.linalg.norm(other - way)) else None
