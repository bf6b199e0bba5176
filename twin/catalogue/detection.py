"""Chapter 7: detection."""

from twin.spec import Difference, Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="box_metrics",
        title="Precision, recall, IoU, mAP, AR",
        kind="exercise",
        deck="A, C",
        topic="Performance evaluation",
        paper="Lin et al., Microsoft COCO: common objects in context, 2014, and its evaluation code",
        literals={  # three images; one object is missed, one found twice, and two boxes lie on nothing
            "thresholds": (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
            "classes": (0, 1),
            "truth_boxes": (
                (10.0, 10.0, 50.0, 50.0),
                (60.0, 20.0, 100.0, 80.0),
                (20.0, 60.0, 52.0, 92.0),
                (5.0, 5.0, 45.0, 65.0),
                (50.0, 50.0, 90.0, 90.0),
                (70.0, 5.0, 95.0, 30.0),
                (15.0, 20.0, 75.0, 60.0),
                (30.0, 65.0, 60.0, 95.0),
            ),
            "truth_image": (0, 0, 0, 1, 1, 1, 2, 2),
            "truth_class": (0, 1, 0, 0, 1, 1, 0, 1),
            "boxes": (
                (12.0, 11.0, 51.0, 52.0),
                (8.0, 14.0, 48.0, 55.0),
                (62.0, 22.0, 98.0, 84.0),
                (24.0, 64.0, 57.0, 90.0),
                (5.0, 6.0, 44.0, 66.0),
                (53.0, 47.0, 91.0, 96.0),
                (10.0, 70.0, 30.0, 95.0),
                (18.0, 20.0, 78.0, 63.0),
                (31.0, 66.0, 60.0, 94.0),
                (65.0, 10.0, 90.0, 40.0),
            ),
            "box_image": (0, 0, 0, 0, 1, 1, 1, 2, 2, 2),
            "box_class": (0, 0, 1, 0, 0, 1, 0, 0, 1, 1),
            "score": (0.93, 0.62, 0.88, 0.41, 0.79, 0.67, 0.73, 0.57, 0.35, 0.52),
        },
    ),
    Twin(
        name="nms",
        title="Non-maximum suppression: hard, by class, soft",
        kind="exercise",
        deck="A",
        topic="Bounding box refinement (detection after NMS)",
        paper="Girshick et al., Rich feature hierarchies for accurate object detection and semantic segmentation, "
        "2014, section 2.2; Bodla et al., Soft-NMS, 2017, section 3",
        literals={  # whole numbers: the first two overlap by exactly 0.5, the next two have equal scores
            "boxes": (
                (4, 4, 16, 14),
                (4, 4, 10, 14),
                (30, 30, 50, 50),
                (32, 30, 52, 50),
                (31, 33, 50, 52),
                (33, 28, 47, 60),
                (5, 40, 25, 60),
                (9, 38, 27, 59),
                (14, 42, 30, 62),
                (40, 3, 60, 18),
                (38, 5, 59, 20),
                (3, 5, 17, 15),
            ),
            "scores": (90, 80, 70, 70, 65, 60, 95, 55, 85, 30, 50, 45),
            "classes": (0, 0, 1, 1, 2, 1, 0, 0, 2, 1, 1, 2),
            "threshold": 50,
            "sigma": 0.5,
        },
    ),
    Twin(
        name="localizer",
        title="Classification and localization",
        kind="model",
        deck="C",
        topic="Classification + localization",
        paper="Sermanet et al., OverFeat: integrated recognition, localization and detection using convolutional "
        "networks, 2013, section 4",
        model="Localizer",
        small=Size(
            {"image_shape": (32, 32, 1), "hidden_dim": 128, "num_classes": 10, "alpha": 0.2}, parameters=156_302
        ),
        data="scenes",
        data_options={"target": "box", "train_count": 4000},
        inputs={"x": "images"},
        outputs={"label": "as is", "box": "as is"},
        loss="own",
        optimizer=Optimizer("adam", learning_rate=2e-3, schedule="cosine"),
        metric=Metric("localization_accuracy", goal=0.6, chance=0.02, margin=0.025),
        epochs=8,
        batch_size=16,
        flatten={"dense": "conv3"},
        differences=(
            Difference(
                "initial values: Keras's kernels have Glorot initialization, PyTorch's have about half its standard "
                "deviation",
                "these are the defaults that each framework's users get. They change the balance of the two losses: "
                "after training, PyTorch's boxes have an IoU that is about 0.04 higher; with Glorot initialization "
                "they do not",
            ),
        ),
    ),
)
