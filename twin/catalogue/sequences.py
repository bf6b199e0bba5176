"""Chapter 5: sequences."""

from twin.spec import Difference, Metric, Optimizer, Size, Twin

TWO_BIASES = Difference(
    "torch.nn.LSTM has two biases that add, keras.layers.LSTM has one",
    "a PyTorch user writes nn.LSTM. Outputs depend on the sum alone, but an optimizer updates both biases, so that "
    "the sum learns twice as fast. The ladder keeps the second at zero; training does not",
)
LSTM_START = Difference(
    "the LSTM's initial values: Keras orthogonal with a forget bias of 1, PyTorch uniform",
    "these are the defaults that each framework's users get; the ladder gives both sides the same weights",
)
GRU_START = Difference(
    "the GRU's initial values: Keras orthogonal with biases of zero, PyTorch uniform",
    "these are the defaults that each framework's users get; the ladder gives both sides the same weights",
)

TWINS = (
    Twin(
        name="har_conv1d",
        title="Activity recognition by convolutions over time",
        kind="model",
        deck="B, C",
        topic="Conv1D: accelerometer data; human activity recognition",
        paper="Anguita et al., A public domain dataset for human activity recognition using smartphones, 2013",
        model="HARConv1D",
        small=Size(
            {
                "window_shape": (25, 6),
                "filters1": 32,
                "filters2": 48,
                "kernel_size": 3,
                "dropout": 0.5,
                "num_classes": 4,
            },
            parameters=15_524,
        ),
        # Counted here; no paper has this network.
        paper_size=Size(
            {
                "window_shape": (80, 3),
                "filters1": 100,
                "filters2": 160,
                "kernel_size": 10,
                "dropout": 0.5,
                "num_classes": 6,
            },
            parameters=520_486,
        ),
        ladder={"dropout": 0.0},
        data="motions",
        data_options={"window": 25, "stride": 5},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=2e-3, schedule="cosine"),
        # As in har_lstm: windows that overlap by four fifths are not independent.
        metric=Metric("accuracy", goal=0.93, chance=0.25, margin=0.025),
        epochs=20,
        batch_size=32,
    ),
    Twin(
        name="har_lstm",
        title="Activity recognition by an LSTM",
        kind="model",
        deck="B, C",
        topic="Human activity recognition",
        paper="Hochreiter and Schmidhuber, Long short-term memory, 1997, section 4",
        model="HarLSTM",
        small=Size({"window_shape": (25, 6), "hidden_size": 32, "num_classes": 4}, parameters=5_124),
        data="motions",
        data_options={"window": 25, "stride": 5},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        # Windows that overlap by four fifths are not independent: a fifth of the rows would have noise 0.027.
        metric=Metric("accuracy", goal=0.9, chance=0.25, margin=0.03),
        epochs=20,
        batch_size=32,
        differences=(TWO_BIASES, LSTM_START),
    ),
    Twin(
        name="stacked_lstm",
        title="Two LSTM layers in both directions",
        kind="model",
        deck="E",
        topic="LSTM x2 + Dense, both directions",
        paper="Graves et al., Speech recognition with deep recurrent neural networks, 2013, section 3",
        model="StackedLSTM",
        small=Size({"window_shape": (29, 12), "hidden_size": 32, "num_classes": 9}, parameters=36_937),
        data="vowels",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=1e-2, schedule="cosine"),
        metric=Metric("accuracy", goal=0.93, chance=0.24, margin=0.014),
        epochs=25,
        batch_size=32,
        differences=(TWO_BIASES, LSTM_START),
    ),
    Twin(
        name="gru",
        title="Gated recurrent unit",
        kind="model",
        deck="E",
        topic="LSTM/GRU",
        paper="Cho et al., Learning phrase representations using RNN encoder-decoder, 2014, section 2.3",
        model="GRUClassifier",
        small=Size({"window_shape": (29, 12), "hidden_size": 32, "num_classes": 9}, parameters=4_713),
        data="vowels",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        metric=Metric("accuracy", goal=0.92, chance=0.24, margin=0.015),
        epochs=40,
        batch_size=16,
        differences=(GRU_START,),
    ),
    Twin(
        name="conv_lstm",
        title="Convolutions over time, then an LSTM",
        kind="model",
        deck="E",
        topic="Conv + RNN",
        paper="Ordonez and Roggen, Deep convolutional and LSTM recurrent neural networks for multimodal wearable "
        "activity recognition, 2016, section 3",
        model="ConvLSTM",
        small=Size(
            {"window_shape": (29, 12), "filters": 32, "kernel_size": 3, "hidden_size": 32, "num_classes": 9},
            parameters=12_905,
        ),
        data="vowels",
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        metric=Metric("accuracy", goal=0.94, chance=0.24, margin=0.013),
        epochs=40,
        batch_size=16,
        differences=(TWO_BIASES, LSTM_START),
    ),
    Twin(
        name="attention",
        title="Attention by hand: positions, dot products, masks",
        kind="exercise",
        deck="E",
        topic="Positional Encoding + Attention",
        paper="Vaswani et al., Attention is all you need, 2017, sections 3.2.1, 3.2.2 and 3.5",
        data="token_vectors",
    ),
)
