"""Reinforcement learning, by numbers: the lake that Gymnasium has, and what Q-learning makes of it.

PyTorch's side is held against independent referees. The ladder has shown that Keras gives the same.
"""

import numpy as np
import pytest
import torch

from tests.helpers.slides import outputs, run
from torch_impl.exercises.reinforcement import q_learning
from twin import data
from twin.data import frozen_lake


def steps(*rows):
    """Inputs from rows of state, action, reward, next state and whether that was the end, each learned in full."""
    state, action, reward, next_state, done = (np.array(each) for each in zip(*rows, strict=True))
    alpha = np.ones(len(rows), np.float32)
    return {
        "state": state, "action": action, "reward": reward.astype(np.float32), "next_state": next_state,
        "done": done.astype(np.float32), "alpha": alpha,
    }  # fmt: skip


# Q-learning


@pytest.mark.parametrize("slippery", [True, False])
def test_the_lake_is_gymnasiums(slippery):
    gymnasium = pytest.importorskip("gymnasium")
    theirs = gymnasium.make("FrozenLake-v1", is_slippery=slippery).unwrapped.P
    transition, mean_reward = frozen_lake.world(slippery)
    for state in range(frozen_lake.STATES):
        for action in range(frozen_lake.ACTIONS):
            follows, reward = np.zeros(frozen_lake.STATES), 0.0
            for share, next_state, prize, _ in theirs[state][action]:
                follows[next_state] += share
                reward += share * prize
            np.testing.assert_allclose(transition[state, action], follows, atol=1e-12)
            assert mean_reward[state, action] == pytest.approx(reward)


def test_value_iteration_finds_what_the_slippery_lake_is_worth():
    transition, mean_reward = frozen_lake.world(slippery=True)
    out = run("q_learning", transition=transition, mean_reward=mean_reward, gamma=np.array([0.99]))
    assert out["value_of_best"][0] == pytest.approx(0.542, abs=5e-4)  # at the start, as Gymnasium's users know it


def test_the_best_table_is_bellmans():
    inputs, out = data.load("frozen_lake").test, outputs("q_learning")
    best = inputs["mean_reward"] + 0.95 * inputs["transition"].astype(np.float64) @ out["best"].max(1)
    np.testing.assert_allclose(out["best"], best, atol=1e-6)
    assert out["value_of_best"][0] == pytest.approx(0.95**5, rel=1e-6)  # six steps to the goal, the last one rewarded


def test_the_policy_learned_from_random_steps_is_the_best_one():
    out = outputs("q_learning")
    np.testing.assert_allclose(out["value_of_policy"], out["value_of_best"], atol=1e-6)
    assert np.abs(out["learned"] - out["best"]).max() < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_on_slippery_ice_it_comes_close(seed):
    lake = data.load("frozen_lake", {"slippery": True, "count": 8000, "played": 1, "seed": seed}).test
    out = run("q_learning", **lake)
    assert out["value_of_policy"].sum() > 0.8 * out["value_of_best"].sum()


def test_the_five_steps_of_the_slides_reach_the_goal_oftener_as_they_explore_less():
    out = outputs("q_learning")
    at_goal = out["reached"] == frozen_lake.STATES - 1
    assert at_goal[-250:].sum() > 5 * max(at_goal[:250].sum(), 1)
    state, moves = 0, 0
    while not frozen_lake.IS_END[state] and moves < 20:  # what the agent would do now without exploring
        state = data.load("frozen_lake").test["transition"][state, out["played"][state].argmax()].argmax()
        moves += 1
    assert (state, moves) == (15, 6)
    assert (out["played"] >= out["best"] - 1e-6)[~frozen_lake.IS_END].all()  # from above: it began with ones


def test_an_agent_that_neither_explores_nor_hopes_stays_in_its_corner():
    inputs = {name: torch.from_numpy(array) for name, array in data.load("frozen_lake").test.items()}
    numbers = (torch.zeros(200), inputs["chance"][:200], inputs["anywhere"][:200])
    world = (inputs["transition"], inputs["is_end"], inputs["gamma"])
    table, reached = q_learning.play(torch.zeros(16, 4), numbers, *world)
    assert not reached.any()  # left, into the wall: with nothing learned, the first action is as good as any
    assert not table.any()
    _, reached = q_learning.play(torch.ones(16, 4), numbers, *world)
    assert reached.any()


def test_erratum_c_q_is_no_greatest_reward():
    chain = steps((1, 0, 1.0, 2, True), (0, 0, 0.0, 1, False))  # from 0 to 1 for nothing, from 1 to the end for 1
    learned = run("q_learning", **chain, gamma=np.array([0.9]))["learned"]
    assert learned[1, 0] == 1
    assert learned[0, 0] == pytest.approx(0.9)  # the greatest reward that follows at once is 0


def test_erratum_c_mdp_needs_probabilities_and_gamma():
    mean_reward = np.array([[0.0, 0.0], [1.0, 1.0]])  # the same states, actions and rewards
    stay, go = np.eye(2)[:, None].repeat(2, 1), np.eye(2)[::-1][:, None].repeat(2, 1)

    def values(transition, gamma):
        return q_learning.value_iteration(
            *map(torch.from_numpy, (transition, mean_reward)), torch.tensor([gamma])
        ).amax(-1)

    np.testing.assert_allclose(values(stay, 0.5), [0, 2], atol=1e-6)
    np.testing.assert_allclose(values(go, 0.5), [2 / 3, 4 / 3], atol=1e-6)
    np.testing.assert_allclose(values(go, 0.9), [0.9 / 0.19, 1 / 0.19], rtol=1e-6)
