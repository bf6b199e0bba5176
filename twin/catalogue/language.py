"""Chapter 10: language and vision."""

from twin.spec import Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="image_caption",
        title="Image caption (NIC)",
        kind="model",
        deck="D",
        topic="NIC: image captioning with a CNN and an LSTM",
        paper="Vinyals et al., Show and tell: a neural image caption generator, 2015, section 3",
        model="ImageCaption",
        small=Size(
            {"image_shape": (24, 24, 1), "width": 16, "vocab_size": 21, "embed_dim": 96, "hidden_size": 96},
            parameters=156_965,
        ),
        data="captions",
        inputs={"image": "images", "tokens": "as is"},
        loss="own",
        optimizer=Optimizer("adam", learning_rate=3e-3, schedule="cosine"),
        metric=Metric("bleu", target=0.55, chance=0.217, margin=0.055),  # a tenth of the goal
        flatten={"encoder.dense": "encoder.conv3"},
        epochs=14,
        batch_size=32,
    ),
)
