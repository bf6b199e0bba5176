"""Chapter 11: reinforcement learning."""

from twin.spec import Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="q_learning",
        title="Q-learning, value iteration and the value of a policy",
        kind="exercise",
        deck="C, D",
        topic="Q function, policy, the five steps",
        paper="Watkins and Dayan, Q-learning, 1992; Bellman, A Markovian decision process, 1957",
        data="frozen_lake",
    ),
    Twin(
        name="policy_search",
        title="Policy search: REINFORCE with a baseline",
        kind="model",
        deck="C",
        topic="policy parameters, policy search",
        paper="Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning, "
        "1992, section 4",
        model="Policy",
        small=Size({"state_dim": 4, "hidden_dim": 32, "num_actions": 2, "gamma": 0.99}, parameters=226),
        data="cartpole_episodes",
        loss="phases",
        optimizer=Optimizer("adam", learning_rate=1e-2),
        metric=Metric("mean_return", target=300.0, chance=22.0, margin=30.0),  # a tenth of the goal
        epochs=12,
        batch_size=128,
    ),
    Twin(
        name="dqn",
        title="Deep Q-network",
        kind="model",
        deck="C, D",
        topic="DQN: two networks",
        paper="Mnih et al., Human-level control through deep reinforcement learning, 2015, Methods, algorithm 1",
        model="DQN",
        small=Size(
            {"state_dim": 4, "hidden_dim": 64, "num_actions": 2, "gamma": 0.99, "target_update_interval": 10},
            parameters=4_610,
        ),
        data="cartpole",
        loss="phases",
        optimizer=Optimizer("adam", learning_rate=5e-4),
        metric=Metric("mean_return", target=300.0, chance=22.0, margin=30.0),  # a tenth of the goal
        epochs=14,
        batch_size=128,
    ),
)
