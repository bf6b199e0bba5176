"""A worker that runs a public implementation in place of a twin, of any of six libraries."""

import sys
from types import SimpleNamespace
from typing import Any

from compare.worker import weight_files
from compare.worker.model import Model, with_tuples
from compare.worker.serve import serve
from twin import arrays as files
from twin.catalogue import find


class PublicModel(Model):
    """Builds somebody else's model of the same network, with its own initial weights."""

    def build(self, twin: str, arguments: dict[str, Any], dtype: str, seed: int, layout: str = "") -> dict[str, Any]:
        context, train = self.context, self.context.train
        arguments = with_tuples(arguments)
        make = (lambda **sizes: in_pytorch(twin, **sizes)) if context.side == "torch" else None
        make = make or (lambda **sizes: in_keras(twin, **sizes))
        train.load_module = lambda _: SimpleNamespace(**{find(twin).model: make})
        if context.side == "keras":
            train._named = lambda run: {str(number): v for number, v in enumerate(run.model.variables)}
        context.run = train.build(find(twin), arguments, dtype, seed, context.device, context.mode)
        return {"leaves": []}

    def load(self, file: str) -> dict[str, Any]:
        """Its weights have other names, and no time depends on them."""
        return {}

    def dump(self, out: str) -> dict[str, Any]:
        files.write(out, {})
        return {}


def in_pytorch(twin: str, **sizes: Any) -> Any:
    """PyTorch's own model of the twin, torchvision's, or else transformers'."""
    makers = {"transformer": of_torch, "ssd": of_torchvision}
    return makers[twin](**sizes) if twin in makers else of_transformers(twin, **sizes)


def of_torch(lengths: tuple[int, int], smoothing: float, **sizes: Any) -> Any:
    """`torch.nn.Transformer` between our table of tokens and its transpose, without the norms behind its stacks."""
    from torch import nn

    from torch_impl.models.sequences.transformer import Transformer as Ours

    class Transformer(Ours):
        def __init__(self):
            super().__init__(lengths=lengths, smoothing=smoothing, **{**sizes, "depth": 0})
            layers, dim = (sizes["depth"],) * 2, sizes["dim"]
            options = {"dim_feedforward": sizes["mlp_dim"], "dropout": sizes["dropout"], "batch_first": True}
            self.stacks = nn.Transformer(dim, sizes["heads"], *layers, **options)
            self.stacks.encoder.norm = self.stacks.decoder.norm = None

        def forward(self, source, target):
            padding = source == 0
            causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1], dtype=bool)
            given, written = (self.dropout(self.embed(tokens)) for tokens in (source, target))
            options = {"tgt_mask": causal, "src_key_padding_mask": padding, "memory_key_padding_mask": padding}
            return self.stacks(given, written, **options, tgt_is_causal=True) @ self.embedding.weight.T

    return Transformer()


def of_torchvision(num_classes: int, **sizes: Any) -> Any:
    """torchvision's SSD300 with VGG-16 as far as our outputs, with our default boxes."""
    from torch import nn

    from tests.helpers import torchvision_stub as torchvision
    from torch_impl.models.detection.ssd import SSD as Ours

    model = torchvision.detection().ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=1 + num_classes, trainable_backbone_layers=5
    )

    class SSD(nn.Module):
        compute_loss = Ours.compute_loss

        def __init__(self):
            super().__init__()
            self.backbone, self.head, self.box_coder = model.backbone, model.head, model.box_coder
            self.anchors = nn.Buffer(Ours(num_classes=num_classes, **sizes).anchors, persistent=False)

        def forward(self, x):
            said = self.head(list(self.backbone(x).values()))
            offsets, logits = said["bbox_regression"], said["cls_logits"]
            anchors = self.anchors.repeat(len(x), 1)
            boxes = self.box_coder.decode_single(offsets.reshape(-1, 4), anchors).reshape(offsets.shape)
            return {"offsets": offsets, "logits": logits, "boxes": boxes, "scores": logits.softmax(-1)[..., 1:]}

    return SSD()


def in_keras(twin: str, **sizes: Any) -> Any:
    """keras_hub's layers of the twin, or else the model of keras.applications."""
    return of_keras_hub(**sizes) if twin == "transformer" else weight_files.applications(twin, sizes)


def of_keras_hub(lengths: tuple[int, int], smoothing: float, **sizes: Any) -> Any:
    """keras_hub's TransformerEncoder and TransformerDecoder between our table of tokens and its transpose."""
    import keras
    from keras_hub.layers import TransformerDecoder, TransformerEncoder

    from keras_impl.models.sequences.transformer import Transformer as Ours

    options = {"intermediate_dim": sizes["mlp_dim"], "num_heads": sizes["heads"], "dropout": sizes["dropout"]}

    class Transformer(keras.Model):
        embed, compute_loss = Ours.embed, Ours.compute_loss

        def __init__(self):
            super().__init__()
            self.smoothing = smoothing
            self.embedding = keras.layers.Embedding(sizes["num_tokens"], sizes["dim"])
            self.dropout = keras.layers.Dropout(sizes["dropout"])
            self.encoder = [TransformerEncoder(**options) for _ in range(sizes["depth"])]
            self.decoder = [TransformerDecoder(**options) for _ in range(sizes["depth"])]
            source, target = (keras.Input((length,), dtype="int32") for length in lengths)
            self({"source": source, "target": target})

        def call(self, inputs, training=None):
            source, target = inputs["source"], inputs["target"]
            seen = source != 0
            memory, written = (self.dropout(self.embed(tokens), training=training) for tokens in (source, target))
            for layer in self.encoder:
                memory = layer(memory, padding_mask=seen, training=training)
            for layer in self.decoder:
                written = layer(written, memory, encoder_padding_mask=seen, training=training)
            return keras.ops.matmul(written, keras.ops.transpose(self.embedding.embeddings))

    return Transformer()


def of_transformers(twin: str, num_classes: int, **sizes: Any) -> Any:
    """transformers' model, whose output is the logits alone."""
    import transformers
    from torch import nn

    if twin == "resnet50":
        model = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=num_classes))
    elif twin == "efficientnet_b0":
        config = transformers.EfficientNetConfig(
            width_coefficient=1.0,
            depth_coefficient=1.0,
            hidden_dim=1280,
            dropout_rate=0.0,
            drop_connect_rate=0.0,
            num_labels=num_classes,
        )
        model = transformers.EfficientNetForImageClassification(config)
    else:
        blocks = {
            "hidden_size": sizes["dim"],
            "num_hidden_layers": sizes["depth"],
            "num_attention_heads": sizes["heads"],
            "intermediate_size": sizes["mlp_dim"],
            "num_labels": num_classes,
        }
        if twin == "video_vit":
            frames, side = sizes["clip_shape"][:2]
            of_clips = {"num_frames": frames, "image_size": side, "tubelet_size": list(sizes["tubelet_size"])}
            config = transformers.VivitConfig(**blocks, **of_clips, hidden_act="gelu")
            model = transformers.VivitForVideoClassification(config)
        else:
            of_pictures = {"image_size": sizes["image_shape"][0], "patch_size": sizes["patch_size"]}
            model = transformers.ViTForImageClassification(transformers.ViTConfig(**blocks, **of_pictures))

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            x = x.movedim(1, 2) if twin == "video_vit" else x  # frames before channels
            return self.model(pixel_values=x).logits

    return Logits()


if __name__ == "__main__":
    serve(sys.argv[1], PublicModel)
