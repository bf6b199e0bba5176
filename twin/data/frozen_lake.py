"""FrozenLake: cross a frozen lake from one corner to the other; who steps into a hole, or arrives, is done.

The 4x4 map of Gymnasium's FrozenLake-v1, written out so that nothing needs Gymnasium. On slippery ice a step goes
where it is aimed in one case of three, and to either side of that in the others.
"""

import numpy as np

from twin.data import Arrays, Dataset

MAP = ("SFFF", "FHFH", "FFFH", "HFFG")  # start, frozen, hole, goal
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # left, down, right, up, in Gymnasium's order
STATES, ACTIONS = 16, len(MOVES)
IS_END = np.array([kind in "HG" for kind in "".join(MAP)])


def load(slippery: bool = False, count: int = 2000, played: int = 1500, seed: int = 0) -> Dataset:
    """As the test part: the world, what somebody who acted at random met in it, and numbers to play by.

    The world is `transition` (16, 4, 16), the probability of each next state, `mean_reward` (16, 4) and `is_end` (16,).
    Step by step: `state`, `action`, `reward`, `next_state` and `done`, each (count,). After an end the next step
    begins at any place that is no end, so that all of the lake is seen; `alpha` (count,) is one over how often that
    state and action have been met, to the power 0.7, and `gamma` (1,) what a reward one step later is worth. Whoever
    plays takes from `epsilon` (played,) how likely the next action is any, from `chance` (played, 2) uniform numbers
    that decide whether it is and where the ice leads, and from `anywhere` (played,) that action.

    Args:
        slippery: whether steps go astray.
        count: how many steps of random acting.
        played: how many steps there are numbers for.
        seed: of starts, actions and slips.
    """
    transition, mean_reward = world(slippery)
    random = np.random.default_rng(seed)
    met = np.zeros((STATES, ACTIONS))
    rows = []
    state = random.choice(np.flatnonzero(~IS_END))
    for _ in range(count):
        action = random.integers(ACTIONS)
        next_state = random.choice(STATES, p=transition[state, action])
        met[state, action] += 1
        reward, done = next_state == STATES - 1, IS_END[next_state]
        rows.append((state, action, reward, next_state, done, met[state, action] ** -0.7))
        state = random.choice(np.flatnonzero(~IS_END)) if done else next_state
    names = ("state", "action", "reward", "next_state", "done", "alpha")
    kinds = (np.int32, np.int32, np.float32, np.int32, np.float32, np.float32)
    columns = zip(*rows, strict=True)
    steps: Arrays = {name: np.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)}
    lake = {
        "transition": transition.astype(np.float32),
        "mean_reward": mean_reward.astype(np.float32),
        "is_end": IS_END.astype(np.float32),
        "gamma": np.array([0.95], np.float32),
    }
    play = {
        "epsilon": np.maximum(1 - np.arange(played, dtype=np.float32) / 1000, np.float32(0.1)),
        "chance": random.random((played, 2), dtype=np.float32),
        "anywhere": random.integers(ACTIONS, size=played).astype(np.int32),
    }
    ice = "slippery" if slippery else "rough"
    provenance = f"made here (seed {seed}): {count} random steps on the map of Gymnasium's FrozenLake-v1, {ice} ice"
    return Dataset(provenance, {}, steps | lake | play)


def world(slippery: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities (16, 4, 16) of the next states, and the mean rewards (16, 4); from an end nothing follows."""
    transition, mean_reward = np.zeros((STATES, ACTIONS, STATES)), np.zeros((STATES, ACTIONS))
    for state in range(STATES):
        for action in range(ACTIONS):
            if IS_END[state]:
                transition[state, action, state] = 1
                continue
            for turn in (-1, 0, 1) if slippery else (0,):
                down, right = MOVES[(action + turn) % ACTIONS]
                row, column = np.clip((state // 4 + down, state % 4 + right), 0, 3)
                transition[state, action, 4 * row + column] += 1 / 3 if slippery else 1
            mean_reward[state, action] = transition[state, action, STATES - 1]
    return transition, mean_reward
