"""CartPole: a pole on a cart that is pushed left or right; an episode ends when the pole falls, or after 500 steps.

Gymnasium's CartPole-v1, many carts at once, and what deep Q-learning keeps beside its networks. The reward is
Sutton and Barto's: -1 when the pole falls, else 0. Values then lie between -1 and 0; with 1 a step, as is usual,
they climb to 100, and networks that are copied often learn to overrate them without bound. A policy that learns from
whole episodes has no such trouble, and gets 1 a step.
"""

from collections.abc import Callable

import numpy as np

from twin.data import Arrays, Dataset, split
from twin.errors import TwinError

Policy = Callable[[np.ndarray], np.ndarray]
# A cart leaves the track at 2.4 and its pole falls at 0.21; speeds have no bound, but 2 is fast.
SCALE = np.array([2.4, 2.0, 0.21, 2.0], np.float32)
LONGEST = 500  # steps of an episode


class Carts:
    """Carts that start anew by themselves.

    `x` (carts, 4) are their states: position, speed, angle and angular speed, in units of `SCALE`. `over` says whose
    episode has just ended.
    """

    def __init__(self, count: int, seed: int):
        try:
            import gymnasium  # here, because the networks that play are built without it
        except ImportError as error:
            raise TwinError(
                "CartPole-v1 is an environment of Gymnasium, which is not installed: pip install gymnasium"
            ) from error
        self.environment = gymnasium.make_vec(
            "CartPole-v1", count, vectorization_mode="vector_entry_point", sutton_barto_reward=True
        )
        self.x = self.environment.reset(seed=seed)[0] / SCALE
        self.over = np.zeros(count, bool)

    def push(self, action: np.ndarray) -> Arrays:
        """Push every cart, 0 left or 1 right: one transition a row.

        A cart whose episode was over starts anew instead, and gives none. `done` is 1 where the pole fell, but not
        where an episode was cut after 500 steps: that end tells nothing of the state.
        """
        before, running = self.x, ~self.over
        after, reward, fell, cut, _ = self.environment.step(action)
        self.x, self.over = after / SCALE, fell | cut
        rows = {
            "x": before,
            "action": action.astype(np.int32),
            "reward": reward.astype(np.float32),
            "next_x": self.x,
            "done": fell.astype(np.float32),
        }
        return {name: array[running] for name, array in rows.items()}


class Experience:
    """Carts to play with, and the replay buffer: their last transitions, to be drawn at random.

    Args:
        carts: how many play at once.
        capacity: how many transitions the buffer holds.
        seed: of the carts' starts, of exploration and of the draws.
    """

    def __init__(self, carts: int, capacity: int, seed: int):
        self.carts = Carts(carts, seed)
        self.random = np.random.default_rng(seed)
        self.buffer: Arrays = {}
        self.capacity, self.count = capacity, 0

    def play(self, policy: Policy, pushes: int, epsilon: float) -> None:
        """Push every cart so often: where the policy says, or with probability epsilon anywhere."""
        for _ in range(pushes):
            anywhere = self.random.integers(2, size=len(self.carts.x))
            explores = self.random.random(len(anywhere)) < epsilon
            self._keep(self.carts.push(np.where(explores, anywhere, policy(self.carts.x))))

    def sample(self, rows: int) -> Arrays:
        """Transitions drawn with replacement."""
        drawn = self.random.integers(min(self.count, self.capacity), size=rows)
        return {name: array[drawn] for name, array in self.buffer.items()}

    def _keep(self, rows: Arrays) -> None:
        if not self.buffer:
            self.buffer = {n: np.zeros((self.capacity, *a.shape[1:]), a.dtype) for n, a in rows.items()}
        places = (self.count + np.arange(len(rows["x"]))) % self.capacity
        for name, array in rows.items():
            self.buffer[name][places] = array
        self.count += len(places)


def play_episodes(policy: Policy, carts: int, gamma: float, random: np.random.Generator) -> Arrays:
    """One episode of each cart by a stochastic policy, padded to the longest: 500 rows for each cart, step by step.

    `x` (500 * carts, 4), `action`, the `advantage` of that action, and `weight`, 1 where the pole still stood. The
    advantage is the discounted sum of the rewards from that step on, 1 a step, less its mean over all steps, which is
    the baseline, in units of its standard deviation.

    Args:
        policy: states (carts, 4) to logits (carts, 2).
        carts: how many.
        gamma: what a reward one step later is worth.
        random: draws the actions and the carts' starts.
    """
    world = Carts(carts, int(random.integers(2**31)))
    rows = {
        "x": np.zeros((LONGEST, carts, 4), np.float32),
        "action": np.zeros((LONGEST, carts), np.int32),
        "advantage": np.zeros((LONGEST, carts), np.float32),
        "weight": np.zeros((LONGEST, carts), np.float32),
    }
    standing, steps = np.ones(carts, bool), 0
    while standing.any():
        left, right = policy(world.x).T
        action = (random.random(carts) < 1 / (1 + np.exp(left - right))).astype(np.int32)
        rows["x"][steps, standing] = world.x[standing]
        rows["action"][steps], rows["weight"][steps] = action, standing
        world.push(action)
        standing = standing & ~world.over
        steps += 1
    to_go = np.zeros((LONGEST + 1, carts), np.float32)
    for step in reversed(range(steps)):
        to_go[step] = rows["weight"][step] * (1 + gamma * to_go[step + 1])
    lived = rows["weight"] > 0
    rows["advantage"][lived] = (to_go[:-1][lived] - to_go[:-1][lived].mean()) / max(to_go[:-1][lived].std(), 1e-6)
    return {name: array.reshape(LONGEST * carts, *array.shape[2:]) for name, array in rows.items()}


def explore(progress: float) -> float:
    """Epsilon: from 1 down to 0.05 in the first fifth of the training, and 0.05 from then on."""
    return max(0.05, 1 - 0.95 * progress / 0.2)


def mean_length(policy: Policy, episodes: int, seed: int) -> float:
    """How many steps the poles of that many carts stand under the policy, on average; at most 500."""
    carts = Carts(episodes, seed)
    standing, lengths = np.ones(episodes, bool), np.zeros(episodes, int)
    while standing.any():
        carts.push(policy(carts.x))
        lengths += standing
        standing &= ~carts.over
    return float(lengths.mean())


def load(rows: int = 2048, seed: int = 0) -> Dataset:
    """Transitions `x`, `action`, `reward`, `next_x`, `done` of a random policy, a row each.

    Args:
        rows: how many, in both parts together.
        seed: of the carts and of the policy.
    """
    experience = Experience(carts=16, capacity=rows, seed=seed)
    while experience.count < rows:
        experience.play(lambda x: np.zeros(len(x), int), pushes=1, epsilon=1.0)
    train, test = split(experience.buffer, test_share=0.125, seed=seed)
    return Dataset(f"made here (seed {seed}): Gymnasium's CartPole-v1 under a random policy", train, test)
