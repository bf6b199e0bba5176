"""Chapter 6: video."""

from twin.catalogue.sequences import GRU_START, LSTM_START, TWO_BIASES
from twin.spec import Metric, Optimizer, Size, Tolerance, Twin

TWINS = (
    Twin(
        name="crnn",
        title="CRNN: convolution, recurrence, transcription by CTC",
        kind="model",
        deck="E",
        topic="CNN + LSTM: figure 1, transcription",
        paper="Shi et al., An end-to-end trainable neural network for image-based sequence recognition, 2015, table 1",
        model="CRNN",
        small=Size({"image_shape": (32, 64, 1), "width": 8, "hidden_size": 32, "num_classes": 11}, parameters=131_555),
        # Counted here, with one bias for each gate of an LSTM; the paper rounds to 8.3 million.
        paper_size=Size(
            {"image_shape": (32, 100, 1), "width": 64, "hidden_size": 256, "num_classes": 37}, parameters=8_326_885
        ),
        inputs={"x": "images"},
        data="digit_strings",
        loss="own",
        optimizer=Optimizer("adam", learning_rate=2e-3, schedule="cosine"),
        metric=Metric("character_error_rate", target=0.2, chance=1.0, margin=0.02),  # a tenth of the goal
        epochs=10,
        batch_size=16,
        tolerances={"float64": Tolerance("TensorFlow computes CTC's loss in float32", rel_l2=1e-6)},
        differences=(TWO_BIASES, LSTM_START),
    ),
    Twin(
        name="conv3d",
        title="C3D: convolution over space and time",
        kind="model",
        deck="B, E",
        topic="Conv3D",
        paper="Tran et al., Learning spatiotemporal features with 3D convolutional networks, 2015, figure 3",
        model="C3D",
        small=Size(
            {"clip_shape": (8, 20, 20, 1), "width": 4, "hidden_size": 64, "dropout": 0.1, "num_classes": 8},
            parameters=115_072,
        ),
        paper_size=Size(
            {"clip_shape": (16, 112, 112, 3), "width": 64, "hidden_size": 4096, "dropout": 0.5, "num_classes": 101},
            parameters=78_409_573,
            published=True,
        ),
        ladder={"dropout": 0.0},
        inputs={"x": "clips"},
        data="clips",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=1e-3, schedule="cosine"),
        metric=Metric("accuracy", target=0.9, chance=0.125, margin=0.015),
        epochs=6,
        batch_size=32,
        flatten={"dense1": "conv5b"},
    ),
    Twin(
        name="stmap",
        title="Space-time map of a pulse",
        kind="model",
        deck="E",
        topic="STMap",
        paper="Niu et al., RhythmNet: end-to-end heart rate estimation from face via spatial-temporal representation, "
        "2020, section III",
        model="STMapNet",
        small=Size({"map_shape": (8, 128, 3), "width": 16, "hidden_size": 32}, parameters=39_793),
        inputs={"x": "images"},
        data="pulses",
        loss="own",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        metric=Metric("heart_rate_error", target=5.0, chance=26.0, margin=0.5),  # a tenth of the goal
        epochs=8,
        batch_size=32,
        differences=(GRU_START,),
    ),
    Twin(
        name="video_vit",
        title="Video vision transformer",
        kind="model",
        deck="E",
        topic="ViT for video",
        paper="Arnab et al., ViViT: a video vision transformer, 2021, sections 3.2 and 3.3, model 1",
        model="VideoViT",
        small=Size(
            {
                "clip_shape": (8, 20, 20, 1),
                "tubelet_size": (2, 5, 5),
                "dim": 48,
                "depth": 2,
                "heads": 4,
                "mlp_dim": 96,
                "dropout": 0.1,
                "num_classes": 8,
            },
            parameters=44_024,
        ),
        # Counted here; the paper rounds.
        paper_size=Size(
            {
                "clip_shape": (32, 224, 224, 3),
                "tubelet_size": (2, 16, 16),
                "dim": 768,
                "depth": 12,
                "heads": 12,
                "mlp_dim": 3072,
                "dropout": 0.0,
                "num_classes": 400,
            },
            parameters=88_954_000,
        ),
        ladder={"dropout": 0.0},
        inputs={"x": "clips"},
        data="clips",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=2e-3, schedule="cosine"),
        metric=Metric("accuracy", target=0.9, chance=0.125, margin=0.015),
        epochs=10,
        batch_size=32,
        tolerances={
            "float64": Tolerance(
                "TensorFlow's exact gelu is up to 5e-9 off in float64, measured against erf", rel_l2=1e-7
            ),
            "gradients": Tolerance(
                "those of the second block's queries and keys are small: native float32 is 1.7e-4 off on a GPU (H100)",
                rel_l2=5e-4,
            ),
        },
    ),
    Twin(
        name="lip_reading",
        title="Lip reading: 3D convolution, recurrence, CTC",
        kind="model",
        deck="E",
        topic="Lip reading model",
        paper="Assael et al., LipNet: end-to-end sentence-level lipreading, 2016, section 4 and table 3",
        model="LipNet",
        small=Size(
            {"clip_shape": (24, 16, 24, 1), "width": 8, "hidden_size": 32, "dropout": 0.0, "num_classes": 28},
            parameters=52_436,
        ),
        # Counted here, with batch normalization; the paper prints none.
        paper_size=Size(
            {"clip_shape": (75, 50, 100, 3), "width": 32, "hidden_size": 256, "dropout": 0.5, "num_classes": 28},
            parameters=4_574_652,
        ),
        ladder={"dropout": 0.0},
        inputs={"x": "clips"},
        data="lips",
        loss="own",
        optimizer=Optimizer("adam", learning_rate=5e-3, schedule="cosine"),
        metric=Metric("word_error_rate", target=0.25, chance=1.0, margin=0.025),  # a tenth of the goal
        epochs=12,
        batch_size=16,
        tolerances={"float64": Tolerance("TensorFlow computes CTC's loss in float32", rel_l2=1e-6)},
        differences=(GRU_START,),
    ),
)
