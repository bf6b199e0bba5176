"""Chapter 3: image classification, from the perceptron to the vision transformer."""

from twin.spec import Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="lenet",
        title="LeNet-5",
        kind="model",
        deck="B, E",
        topic="LeNet style",
        paper="LeCun et al., Gradient-based learning applied to document recognition, 1998, section II.B",
        model="LeNet",
        small=Size({"image_shape": (32, 32, 1), "num_classes": 10}, parameters=61_706, published=True),
        paper_size=Size({"image_shape": (32, 32, 1), "num_classes": 10}, parameters=61_706, published=True),
        data="digits",
        data_options={"size": 32},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=1e-3),
        metric=Metric("accuracy", goal=0.95, chance=0.1),
        epochs=10,
        batch_size=32,
        flatten={"dense1": "conv3"},
    ),
)
