"""Deep Q-network: the value of each action, learned from remembered play, balances a pole on a cart.

Mnih, Kavukcuoglu, Silver et al., "Human-level control through deep reinforcement learning" (2015), Methods,
algorithm 1. Q(s, a), the discounted reward that follows action a in state s, should equal the reward plus gamma
times the value of the best action after it. Two things keep this chase after one's own estimate stable: the steps
train on transitions drawn from a replay buffer, and the estimate to reach comes from a target network, a copy of
the online network that is renewed only now and then.

Departures: CartPole's four numbers in place of Atari's frames, so dense layers in place of convolutions; Adam in
place of RMSprop, whose epsilon the frameworks place differently; and the Huber loss, which is what clipping the
error's gradient to [-1, 1] amounts to.

Slides: deck C, "DQN", the two networks; deck D, reinforcement learning. Deck C files it under policy methods; it
learns values, and its policy is to take the greatest.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_impl import train
from keras_impl.saving import serializable
from twin.data.cartpole import Experience, explore, mean_length
from twin.spec import Phase


class QNetwork(keras.Model):
    """States to the value of each action, by three dense layers.

    Args:
        state_dim: length of a state.
        hidden_dim: width of the hidden layers.
        num_actions: number of actions.
    """

    def __init__(self, state_dim, hidden_dim, num_actions):
        super().__init__()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(hidden_dim)
        self.dense3 = layers.Dense(num_actions)
        self(keras.Input((state_dim,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, state_dim) states to (B, num_actions) values."""
        x = ops.relu(self.dense1(x))  # (B, hidden_dim)
        x = ops.relu(self.dense2(x))  # (B, hidden_dim)
        return self.dense3(x)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DQN(keras.Model):
    """The online network, which learns and acts, and the target network, its earlier self.

    Args:
        state_dim: length of a state.
        hidden_dim: width of the hidden layers.
        num_actions: number of actions.
        gamma: what a reward one step later is worth.
        target_update_interval: steps after which the target network is renewed.
    """

    def __init__(self, state_dim, hidden_dim, num_actions, gamma, target_update_interval):
        super().__init__()
        self.online = QNetwork(state_dim, hidden_dim, num_actions)
        self.target = QNetwork(state_dim, hidden_dim, num_actions)
        self.target.trainable = False
        self.gamma = gamma
        self.target_update_interval = target_update_interval
        self.update_target()
        self(keras.Input((state_dim,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, state_dim) states to (B, num_actions) values, by the online network."""
        return self.online(x)

    def update_target(self):
        """Make the target network equal to the online one."""
        self.target.set_weights(self.online.get_weights())


def td_loss(model, batch):
    """Huber loss between the values of the actions taken and reward + gamma * (best value of the next state)."""
    value = ops.take_along_axis(model(batch["x"]), batch["action"][:, None], axis=-1)[:, 0]  # (B,)
    next_value = ops.stop_gradient(ops.amax(model.target(batch["next_x"]), axis=-1))  # (B,)
    target = batch["reward"] + model.gamma * (1 - batch["done"]) * next_value
    return keras.losses.huber(target, value, delta=1.0)


PHASES = (Phase("online", loss=td_loss),)


def after_step(run, steps):
    """Renew the target network now and then."""
    if steps % run.model.target_update_interval == 0:
        run.compiled.flush()  # differs: a compiled step may hold the weights outside the model
        run.model.update_target()


def fit(run, epochs, report):
    """Play and learn in turn, and end with the weights of the epoch after which the greedy policy played best.

    An epoch is 10 rounds; a round is 16 pushes of 64 carts, then 64 steps. `return` is that of greedy play. The last
    weights are not the best ones: a network that balances every pole goes on learning and may forget falling.
    """
    experience = Experience(carts=64, capacity=100_000, seed=run.seed)
    greedy = run.compiled.reading(lambda batch: ops.argmax(run.model(batch["x"]), axis=-1))  # differs: compiled once

    def policy(x):
        return ops.convert_to_numpy(greedy(train.to_tensors(run, {"x": x})))

    best_return, best_weights = 0.0, {}
    for epoch in range(epochs):
        losses = []
        for part in range(10):
            experience.play(policy, pushes=16, epsilon=explore((epoch + part / 10) / epochs))
            losses += [train.step(run, experience.sample(run.twin.batch_size))["online"] for _ in range(64)]
        greedy_return = mean_length(policy, episodes=64, seed=run.seed)
        if greedy_return >= best_return:
            best_return, best_weights = greedy_return, train.dump_weights(run)
        report(epoch, {"online": float(np.mean(losses)), "return": greedy_return})
    train.load_weights(run, best_weights)
