"""Reinforcement learning, by numbers: the lake that Gymnasium has, and a policy with one parameter.

PyTorch's side is held against independent referees. The ladder has shown that Keras gives the same.
"""

import sys

import numpy as np
import pytest
import torch

from tests.helpers.slides import outputs, run
from torch_impl.exercises.reinforcement import q_learning
from torch_impl.models.reinforcement.policy_search import policy_loss
from twin import data
from twin.data import cartpole, cartpole_episodes, frozen_lake
from twin.errors import TwinError


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


# Policy search: turning right with probability p is all that this policy can choose (Sutton and Barto, example 13.1).
# From the middle one of three places, right leads left and left leads right; each step costs 1, and the goal is right.


def expected_return(p):
    """The exact expected sum of rewards from the first place."""
    stay, right = 1 - p, p
    step = np.array([[stay, right, 0], [right, 0, stay], [0, stay, 0]])
    return np.linalg.solve(np.eye(3) - step, -np.ones(3))[0]


class OneParameter(torch.nn.Module):
    """A policy that is the same in every state: logits 0 and `logit`."""

    def __init__(self, p):
        super().__init__()
        self.logit = torch.nn.Parameter(torch.tensor(np.log(p / (1 - p))))

    def forward(self, x):
        return torch.stack([torch.zeros_like(x[:, 0]), self.logit.expand(len(x))], dim=-1)


def walks(p, count, random):
    """Turns (N,), 1 for right, of that many walks with steps, and the return from each of them on."""
    turns, to_go = [], []
    for _ in range(count):
        place, walk = 0, []
        while place < 3:
            walk.append(int(random.random() < p))
            place = max(0, place + (1 if walk[-1] == (place != 1) else -1))
        turns += walk
        to_go += list(range(-len(walk), 0))
    return np.array(turns), np.array(to_go, np.float64)


def slope(p, turns, advantage, count):
    """What policy_loss says of the derivative of the expected return by the policy's logit."""
    policy = OneParameter(p)
    batch = {"x": np.zeros((len(turns), 1)), "action": turns, "advantage": advantage, "weight": np.ones(len(turns))}
    policy_loss(policy, {name: torch.from_numpy(array) for name, array in batch.items()}).backward()
    return -policy.logit.grad.item() * len(turns) / count


def test_the_policy_of_the_slides_turns_right_too_often_for_this_corridor():
    grid = np.linspace(0.05, 0.95, 91)
    returns = [expected_return(p) for p in grid]
    assert grid[np.argmax(returns)] == pytest.approx(2 - 2**0.5, abs=0.01)  # what policy search should find
    assert max(returns) == pytest.approx(-11.66, abs=0.01)
    random = np.random.default_rng(0)
    turns, _ = walks(0.9, 2000, random)  # 90% right, 10% left
    assert turns.mean() == pytest.approx(0.9, abs=0.005)
    assert -len(turns) / 2000 == pytest.approx(expected_return(0.9), rel=0.1)
    assert expected_return(0.9) < -22


@pytest.mark.parametrize("p", [0.3, 0.59, 0.9])
def test_the_loss_has_the_gradient_of_the_expected_return_and_a_baseline_makes_it_less_noisy(p):
    random, change = np.random.default_rng(1), 1e-5
    logit = np.log(p / (1 - p))
    near = [1 / (1 + np.exp(-(logit + d))) for d in (change, -change)]
    exact = (expected_return(near[0]) - expected_return(near[1])) / (2 * change)
    plain, less = [], []
    for _ in range(60):
        turns, to_go = walks(p, 100, random)
        plain.append(slope(p, turns, to_go, 100))
        less.append(slope(p, turns, to_go - expected_return(p), 100))
    for estimates in (plain, less):
        assert np.mean(estimates) == pytest.approx(exact, abs=4 * np.std(estimates) / 60**0.5 + 1e-9)
    assert np.std(less) < 0.8 * np.std(plain)


def test_policy_search_finds_the_best_p():
    random = np.random.default_rng(2)
    policy = OneParameter(0.9)
    optimizer = torch.optim.Adam(policy.parameters(), 0.05)
    for _ in range(120):
        p = torch.sigmoid(policy.logit).item()
        turns, to_go = walks(p, 50, random)
        upwards = slope(p, turns, (to_go - to_go.mean()) / to_go.std(), 50)
        policy.logit.grad = torch.tensor(-upwards, dtype=torch.float64)
        optimizer.step()
    assert expected_return(torch.sigmoid(policy.logit).item()) > -13


def test_episodes_are_padded_and_their_advantages_have_no_mean():
    rows = cartpole.play_episodes(lambda x: np.zeros((len(x), 2)), 8, 0.5, np.random.default_rng(0))
    lived = rows["weight"].reshape(500, 8)
    assert (np.diff(lived, axis=0) <= 0).all()  # once fallen, always fallen
    assert 8 < lived.sum(0).min() < lived.sum(0).max() < 200
    assert not rows["x"][rows["weight"] == 0].any()
    advantage = rows["advantage"].reshape(500, 8)
    assert advantage[lived > 0].mean() == pytest.approx(0, abs=1e-5)
    assert advantage[lived > 0].std() == pytest.approx(1, abs=1e-4)
    for cart in range(8):  # at gamma 0.5 the last steps are worth 1, 1.5, 1.75
        length = int(lived[:, cart].sum())
        last, before, earlier = advantage[length - 3 : length, cart][::-1]
        assert (earlier - before) / (before - last) == pytest.approx(0.5, rel=1e-4)


def test_without_gymnasium_there_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(TwinError, match="CartPole-v1 is an environment of Gymnasium, which is not installed: pip"):
        cartpole_episodes.load()
