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

from keras import ops

SWEEPS = 300  # of value iteration: 0.95 ** 300 is 2e-7
PLAYED_ALPHA = 0.1


def run(
    state, action, reward, next_state, done, alpha, transition, mean_reward, is_end, gamma, epsilon, chance, anywhere
):
    """(T,) steps and their rates, the world of S states and A actions, and (U,) numbers to play by, to all results."""
    steps = (state, action, reward, next_state, done, alpha)
    learned = q_learning(ops.zeros_like(mean_reward), steps, gamma)
    played, reached = play(ops.ones_like(mean_reward), (epsilon, chance, anywhere), transition, is_end, gamma)
    best = value_iteration(transition, mean_reward, gamma)
    policy = ops.argmax(learned, axis=-1)
    value = policy_value(policy, transition, mean_reward, gamma)
    side = round(len(value) ** 0.5)
    return {
        "learned": learned,
        "played": played,
        "reached": reached,
        "best": best,
        "policy": policy,
        "value_of_policy": value,
        "value_of_best": ops.amax(best, axis=-1),
        "picture_value": ops.reshape(value / ops.amax(value), (side, side)),
        "picture_learned": learned / ops.amax(learned),
        "picture_played": played / ops.amax(learned),
    }


def q_learning(table, steps, gamma):
    """The (S, A) table after all steps, one after the other."""

    def learn(table, step):  # differs: the body of a loop that is compiled
        state, action, reward, next_state, done, alpha = step
        return updated(table, state, action, reward, next_state, done, alpha, gamma), None

    table, _ = ops.scan(learn, table, steps)
    return table


def updated(table, state, action, reward, next_state, done, alpha, gamma):
    """The table after one step: the entry moves by alpha towards what the step shows."""
    target = reward + gamma[0] * (1 - done) * ops.amax(table[next_state])
    change = alpha * (target - table[state, action])
    place = ops.stack([state, action])[None]  # differs: Keras's tensors do not change; a new one is made
    return ops.scatter_update(table, place, change[None], reduction="add")


def play(table, numbers, transition, is_end, gamma):
    """The (S, A) table of an agent that starts in state 0 and plays by what it learns; the (U,) states it reaches."""

    def turn(carried, numbers):  # differs: the body of a loop that is compiled
        table, state = carried
        epsilon, chance, anywhere = numbers
        state = ops.where(is_end[state] > 0, 0, state)
        greedy = ops.cast(ops.argmax(table[state]), "int32")
        action = ops.where(chance[0] < epsilon, anywhere, greedy)
        within = ops.cumsum(transition[state, action]) > chance[1]  # (S,)
        next_state = ops.cast(ops.argmax(within), "int32")
        reward = ops.cast(next_state == len(is_end) - 1, table.dtype)
        table = updated(table, state, action, reward, next_state, is_end[next_state], PLAYED_ALPHA, gamma)
        return (table, next_state), (table, next_state)  # differs: on TensorFlow, what a scan keeps has the same form

    (table, _), (_, reached) = ops.scan(turn, (table, ops.zeros((), "int32")), numbers)
    return table, reached


def value_iteration(transition, mean_reward, gamma):
    """The (S, A) table that Bellman's equation holds for."""
    table = ops.zeros_like(mean_reward)
    for _ in range(SWEEPS):
        value = ops.amax(table, axis=-1)  # (S,)
        table = mean_reward + gamma * ops.einsum("san,n->sa", transition, value)
    return table


def policy_value(policy, transition, mean_reward, gamma):
    """The value (S,) of each state under a policy (S,): the solution of v = r + gamma P v."""
    index = ops.reshape(policy, (-1, 1))  # differs: Keras picks along an axis; (S, 1)
    follows = ops.take_along_axis(transition, index[..., None], axis=1)[:, 0]  # (S, S)
    reward = ops.take_along_axis(mean_reward, index, axis=1)  # (S, 1)
    return ops.solve(ops.eye(len(policy), dtype=follows.dtype) - gamma * follows, reward)[:, 0]
