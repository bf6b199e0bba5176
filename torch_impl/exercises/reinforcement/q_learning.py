"""Q-learning: what every action is worth, learned from what happened, without knowing the world.

Watkins, "Learning from delayed rewards" (1989); Watkins and Dayan, "Q-learning" (1992). Q(s, a) is the greatest
expected sum of rewards that can follow action a in state s, where a reward one step later counts gamma times as much.
After each step the entry of its state and action moves by alpha towards the reward plus gamma times the best entry of
the next state. The steps may come from anybody, here first from one who acts at random: Q becomes that of the best
policy. Then an agent plays by its own table: an action that looks best, or any action with probability epsilon. Its
table begins with ones, more than any action is worth, so that it tries everything before it settles.

Who knows the world, that is the probability of each next state and the mean reward, need not play. Value iteration
puts the right side of Bellman's equation for its left until nothing changes. And what any policy is worth there
follows from a linear system.

Departures: none. The table fits in memory; the twin dqn has a network in its place.

Slides: deck C, Q = r + gamma max Q', the policy that takes the action with the greatest Q, and the five steps that an
agent repeats: observe, choose, act, value, update; deck D.
"""

import torch

SWEEPS = 300  # of value iteration: 0.95 ** 300 is 2e-7
PLAYED_ALPHA = 0.1


def run(
    state, action, reward, next_state, done, alpha, transition, mean_reward, is_end, gamma, epsilon, chance, anywhere
):
    """(T,) steps and their rates, the world of S states and A actions, and (U,) numbers to play by, to all results."""
    steps = (state, action, reward, next_state, done, alpha)
    learned = q_learning(torch.zeros_like(mean_reward), steps, gamma)
    played, reached = play(torch.ones_like(mean_reward), (epsilon, chance, anywhere), transition, is_end, gamma)
    best = value_iteration(transition, mean_reward, gamma)
    policy = torch.argmax(learned, dim=-1)
    value = policy_value(policy, transition, mean_reward, gamma)
    side = round(len(value) ** 0.5)
    return {
        "learned": learned,
        "played": played,
        "reached": reached,
        "best": best,
        "policy": policy,
        "value_of_policy": value,
        "value_of_best": torch.amax(best, dim=-1),
        "picture_value": torch.reshape(value / torch.amax(value), (side, side)),
        "picture_learned": learned / torch.amax(learned),
        "picture_played": played / torch.amax(learned),
    }


def q_learning(table, steps, gamma):
    """The (S, A) table after all steps, one after the other."""
    for state, action, reward, next_state, done, alpha in zip(*steps, strict=True):  # differs: a loop in Python
        updated(table, state, action, reward, next_state, done, alpha, gamma)
    return table


def updated(table, state, action, reward, next_state, done, alpha, gamma):
    """The table after one step: the entry moves by alpha towards what the step shows."""
    target = reward + gamma[0] * (1 - done) * torch.amax(table[next_state])
    table[state, action] += alpha * (target - table[state, action])  # differs: PyTorch changes it in place
    return table


def play(table, numbers, transition, is_end, gamma):
    """The (S, A) table of an agent that starts in state 0 and plays by what it learns; the (U,) states it reaches."""
    state, reached = torch.tensor(0), []
    for epsilon, chance, anywhere in zip(*numbers, strict=True):  # differs: a loop in Python
        state = torch.where(is_end[state] > 0, 0, state)
        greedy = torch.argmax(table[state])
        action = torch.where(chance[0] < epsilon, anywhere, greedy)
        within = torch.cumsum(transition[state, action], dim=0) > chance[1]  # (S,)
        next_state = torch.argmax(within.int())
        reward = (next_state == len(is_end) - 1).to(table.dtype)
        updated(table, state, action, reward, next_state, is_end[next_state], PLAYED_ALPHA, gamma)
        state = next_state
        reached.append(state)
    return table, torch.stack(reached)


def value_iteration(transition, mean_reward, gamma):
    """The (S, A) table that Bellman's equation holds for."""
    table = torch.zeros_like(mean_reward)
    for _ in range(SWEEPS):
        value = torch.amax(table, dim=-1)  # (S,)
        table = mean_reward + gamma * torch.einsum("san,n->sa", transition, value)
    return table


def policy_value(policy, transition, mean_reward, gamma):
    """The value (S,) of each state under a policy (S,): the solution of v = r + gamma P v."""
    places = torch.arange(len(policy))  # differs: PyTorch indexes as NumPy does
    follows, reward = transition[places, policy], mean_reward[places, policy]  # (S, S) and (S,)
    return torch.linalg.solve(torch.eye(len(policy), dtype=follows.dtype) - gamma * follows, reward)
