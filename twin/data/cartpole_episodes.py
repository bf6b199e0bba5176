"""Whole episodes of CartPole, step by step, for a policy that learns from what followed on its actions."""

import numpy as np

from twin.data import Dataset, split
from twin.data.cartpole import play_episodes


def load(carts: int = 64, steps: int = 40, seed: int = 0) -> Dataset:
    """Rows `x`, `action`, `advantage`, `weight` of a policy that pushes to either side alike.

    Args:
        carts: an episode each.
        steps: of each episode the first; poles that have fallen have weight 0 in the rest.
        seed: of the carts, of the policy and of the parts.
    """
    rows = play_episodes(lambda x: np.zeros((len(x), 2)), carts, gamma=0.99, random=np.random.default_rng(seed))
    kept = {name: array[: steps * carts] for name, array in rows.items()}
    train, test = split(kept, test_share=0.125, seed=seed)
    return Dataset(
        f"made here (seed {seed}): Gymnasium's CartPole-v1 under a random policy, whole episodes", train, test
    )
