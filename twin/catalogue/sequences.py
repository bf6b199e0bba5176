"""Chapter 5: sequences."""

from twin.spec import Difference, Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="har_lstm",
        title="Activity recognition by an LSTM",
        kind="model",
        deck="B, C",
        topic="Human activity recognition",
        paper="Hochreiter and Schmidhuber, Long short-term memory, 1997, section 4",
        model="HarLSTM",
        small=Size({"window_shape": (25, 6), "hidden": 32, "num_classes": 4}, parameters=5_124),
        data="motions",
        data_options={"window": 25, "stride": 5},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        # Windows that overlap by four fifths are not independent: a fifth of the rows would have noise 0.027.
        metric=Metric("accuracy", goal=0.9, chance=0.25, margin=0.03),
        epochs=20,
        batch_size=32,
        differences=(
            Difference(
                "torch.nn.LSTM has two biases that add, keras.layers.LSTM has one",
                "a PyTorch user writes nn.LSTM; outputs depend on the sum alone, but an optimizer moves both, so that "
                "the sum learns twice as fast; the ladder freezes the second at zero, training does not",
            ),
            Difference(
                "the LSTM's initial values: Keras orthogonal with a forget bias of 1, PyTorch uniform",
                "each framework's own start, which its users get; the ladder shares weights",
            ),
        ),
    ),
)
