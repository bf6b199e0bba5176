"""Chapter 12: relational inductive biases, and what a driving car sees."""

from twin.spec import Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="inductive_biases",
        title="Relational inductive biases: shifted and permuted inputs",
        kind="exercise",
        deck="E",
        topic="table 1",
        paper="Battaglia et al., Relational inductive biases, deep learning, and graph networks, 2018, section 2, "
        "table 1; Kipf and Welling, Semi-supervised classification with graph convolutional networks, 2017, section 2",
        data="karate_club",
    ),
    Twin(
        name="graph_network",
        title="Graph network",
        kind="model",
        deck="E",
        topic="Graph network, table 1",
        paper="Battaglia et al., Relational inductive biases, deep learning, and graph networks, 2018, section 3.2, "
        "algorithm 1",
        model="GraphNetwork",
        small=Size({"edge_dim": 12, "node_dim": 24, "global_dim": 8, "num_classes": 4}, parameters=3_748),
        data="connectome",
        loss="own",
        optimizer=Optimizer("adam", learning_rate=5e-3),
        # The share of 64 graphs' nodes has at most the noise of a share of 64 rows: 0.034.
        metric=Metric("accuracy", target=0.92, chance=0.5, margin=0.035),
        epochs=10,
        batch_size=16,
    ),
    Twin(
        name="lidar_objects",
        title="Objects from lidar points: PointNet",
        kind="model",
        deck="D",
        topic="Lidar, object detection, time and place of a collision",
        paper="Qi, Su, Mo and Guibas, PointNet: deep learning on point sets for 3D classification and segmentation, "
        "2017, section 4.2, figure 2 and table 6",
        model="PointNet",
        small=Size(
            {"point_dims": (32, 64, 128), "head_dims": (64,), "dropout": 0.3, "num_classes": 3}, parameters=19_587
        ),
        paper_size=Size(
            {"point_dims": (64, 64, 64, 128, 1024), "head_dims": (512, 256), "dropout": 0.3, "num_classes": 40},
            parameters=819_624,
            data_options={"points": 1024, "train_count": 16, "test_count": 8},
        ),
        ladder={"dropout": 0.0},
        data="sweeps",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=2e-3),
        metric=Metric("accuracy", target=0.9, chance=0.41, margin=0.0175),
        epochs=10,
        batch_size=32,
    ),
)
