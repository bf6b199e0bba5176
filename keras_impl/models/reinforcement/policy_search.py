"""Policy search: a network that says how likely each action is, and learns from what followed on its own actions.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning" (1992), section 4:
REINFORCE. The policy plays whole episodes by drawing its actions. Then each action becomes more likely in proportion to
its advantage: the discounted sum of the rewards that followed it, less a baseline, here the mean over all steps played.
On average this is the gradient of the expected return, with any baseline that does not depend on the action (Sutton et
al., "Policy gradient methods for reinforcement learning with function approximation", 2000); the baseline only makes it
less noisy. Nothing has to be known of the world, and nothing is differentiated but the policy.

Departures: the advantage is divided by its standard deviation, as public code does, so that the step does not grow with
the length of the episodes.

Slides: deck C, "policy search": to find the best parameters of a policy, such as the probability p of turning right
(90% right, 10% left). The corridor of that page, with p as the only parameter, is in the twin's tests.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_impl import train
from keras_impl.saving import serializable
from twin.data.cartpole import mean_length, play_episodes
from twin.spec import Phase


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class Policy(keras.Model):
    """States to the logits of the actions, by two dense layers.

    Args:
        state_dim: length of a state.
        hidden_dim: width of the hidden layer.
        num_actions: number of actions.
        gamma: what a reward one step later is worth.
    """

    def __init__(self, state_dim, hidden_dim, num_actions, gamma):
        super().__init__()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(num_actions)
        self.gamma = gamma
        self(keras.Input((state_dim,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, state_dim) states to (B, num_actions) logits."""
        x = ops.tanh(self.dense1(x))  # (B, hidden_dim)
        return self.dense2(x)


def policy_loss(model, batch):
    """Less the mean of advantage * log pi(action | state), over the steps of weight 1: its gradient is REINFORCE's."""
    log_policy = ops.log_softmax(model(batch["x"]), axis=-1)  # (B, num_actions)
    taken = ops.take_along_axis(log_policy, batch["action"][:, None], axis=-1)[:, 0]  # (B,)
    return -ops.sum(batch["weight"] * batch["advantage"] * taken) / ops.sum(batch["weight"])


PHASES = (Phase("", loss=policy_loss),)


def fit(run, epochs, report):
    """Play and learn in turn, and end with the weights of the epoch after which the greedy policy played best.

    An epoch is 5 rounds; a round is an episode of 32 carts, then one step on all of it. `return` is that of greedy
    play. Every batch has the rows of 32 longest episodes, so that a compiled step is compiled once.
    """
    random = np.random.default_rng(run.seed)
    logits = run.compiled.reading(lambda batch: run.model(batch["x"]))  # differs: compiled once

    def policy(x):
        return ops.convert_to_numpy(logits(train.to_tensors(run, {"x": x})))

    best_return, best_weights = 0.0, {}
    for epoch in range(epochs):
        losses = []
        for _ in range(5):
            episodes = play_episodes(policy, carts=32, gamma=run.model.gamma, random=random)
            losses.append(train.step(run, episodes)["loss"])
        greedy_return = mean_length(lambda x: policy(x).argmax(-1), episodes=32, seed=run.seed)
        if greedy_return >= best_return:
            best_return, best_weights = greedy_return, train.dump_weights(run)
        report(epoch, {"loss": float(np.mean(losses)), "return": greedy_return})
    train.load_weights(run, best_weights)
