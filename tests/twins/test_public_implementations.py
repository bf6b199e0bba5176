"""Public implementations as referees: their weights cross into our twins and give the same answers on both sides.

`keras.applications` and transformers have some of our networks. Each is made with random weights (nothing is
downloaded), and its constant arrays are perturbed so that biases and running statistics count. Which of its layers is
which of ours is said by twin.layouts for `keras.applications`, and by a table here for transformers. The twin gets the
weights on its own side and, over the bridge, on the other.
"""

import re

import keras
import numpy as np
import pytest
import torch

from benchmarks.public_worker import of_keras_hub
from keras_impl import train as keras_train
from tests.helpers import torchvision_stub as torchvision
from torch_impl import train as torch_train
from twin import data
from twin.batches import perturb_constants
from twin.bridge import Bridge
from twin.catalogue import find
from twin.layouts import LAYOUTS

STAGES = (3, 4, 6, 3)  # of ResNet-50
LIMIT = 1e-5  # relative L2, the ladder's


@pytest.fixture(autouse=True)
def _same_start():
    keras.utils.set_random_seed(0)  # seeds PyTorch too


def agree(name, arguments, theirs, pictures, expected):
    """Give our twin their weights, under our Keras or our PyTorch names, and compare both sides' outputs.

    Args:
        name: of the twin.
        arguments: what replaces the paper's size.
        theirs: their arrays under our names.
        pictures: (B, H, W, C), or clips with a time before the height.
        expected: their logits.
    """
    twin = find(name)
    shape = next(name for name in twin.paper_size.arguments if name.endswith("_shape"))
    arguments = {**twin.paper_size.arguments, shape: pictures.shape[1:], **arguments}
    ours = keras_train.build(twin, arguments), torch_train.build(twin, arguments)
    bridge = Bridge(keras_train.describe(ours[0]), torch_train.describe(ours[1]), twin.flatten)
    native = theirs.keys() == torch_train.dump_weights(ours[1]).keys()
    by_side = (bridge.to_keras(theirs), theirs) if native else (theirs, bridge.to_torch(theirs))
    assert np.linalg.norm(expected[0] - expected[1]) > 1e-2 * np.linalg.norm(expected)  # the picture matters
    for train, run, weights in zip((keras_train, torch_train), ours, by_side, strict=True):
        assert weights.keys() == train.dump_weights(run).keys()
        train.load_weights(run, weights)
        got = train.forward(run, {"x": pictures})["y"]
        assert np.linalg.norm(got - expected) < LIMIT * np.linalg.norm(expected), train.__name__


def pictures(height, width):
    return np.random.default_rng(0).standard_normal((2, height, width, 3)).astype(np.float32)


def from_keras(model, gain):
    """A Keras model's perturbed weights under its own names.

    Args:
        model: theirs.
        gain: factor on the kernels, so that the pictures' signal neither fades nor grows on its way.
    """
    rng = np.random.default_rng(1)
    out = {}
    for layer in model.layers:
        if not layer.weights or isinstance(layer, keras.layers.Normalization):
            continue
        fresh = {weight.name: keras.ops.convert_to_numpy(weight.value) for weight in layer.weights}
        arrays = {
            name: (gain if array.ndim > 1 else 1) * array for name, array in perturb_constants(fresh, rng).items()
        }
        for weight in layer.weights:
            weight.assign(arrays[weight.name])
        out |= {f"{layer.name}.{name}": array for name, array in arrays.items()}
    return out


def from_torch(model, table):
    """The same of a PyTorch model, under our PyTorch names."""
    named = {name: tensor for name, tensor in model.state_dict().items() if "num_batches_tracked" not in name}
    arrays = perturb_constants({name: tensor.numpy() for name, tensor in named.items()}, np.random.default_rng(1))
    for name, tensor in named.items():
        tensor.copy_(torch.from_numpy(arrays[name]))
    model.eval()
    return {ours(name, table): array for name, array in arrays.items()}


def ours(name, table):
    """`name` rewritten by the first pattern that fits it whole."""
    for pattern, replacement in table.items():
        if found := re.fullmatch(pattern, name):
            return replacement(*found.groups()) if callable(replacement) else found.expand(replacement)
    raise AssertionError(f"no pattern fits {name}")


def block(counts, stage, number):
    """The place of a stage's block in the whole list."""
    return f"blocks.{sum(counts[: int(stage)]) + int(number)}"


@pytest.mark.parametrize(
    ("name", "make", "shape", "gain"),
    [
        ("vgg16", keras.applications.VGG16, (32, 64, 3), 1.5),  # two positions are flattened
        ("resnet", keras.applications.ResNet50, (64, 47, 3), 1.3),
        ("efficientnet_b0", keras.applications.EfficientNetB0, (64, 47, 3), 1.3),
    ],
)
def test_of_keras_applications(name, make, shape, gain):
    x = pictures(*shape[:2])
    theirs = make(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    (layout,) = (each for each in LAYOUTS[name] if each.name == "applications")
    weights = layout.to_twin(from_keras(theirs, gain), find(name).paper_size.arguments)
    scale = 255 if name == "efficientnet_b0" else 1  # by which theirs divides
    agree(name, {"num_classes": 10}, weights, x, theirs.predict_on_batch(scale * x))


def test_resnet50_of_transformers():
    transformers = pytest.importorskip("transformers")
    x = pictures(64, 47)
    theirs = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=10))
    kinds = {"convolution": "conv", "normalization": "bn"}
    inside = r"resnet\.encoder\.stages\.(\d)\.layers\.(\d)\."
    table = {
        r"resnet\.embedder\.embedder\.(convolution|normalization)\.(\w+)": lambda kind, own: f"{kinds[kind]}1.{own}",
        inside + r"layer\.(\d)\.(convolution|normalization)\.(\w+)": lambda stage, number, layer, kind, own: (
            f"{block(STAGES, stage, number)}.{kinds[kind]}{int(layer) + 1}.{own}"
        ),
        inside + r"shortcut\.(convolution|normalization)\.(\w+)": lambda stage, number, kind, own: (
            f"{block(STAGES, stage, number)}.shortcut_{kinds[kind]}.{own}"
        ),
        r"classifier\.1\.(\w+)": r"dense.\1",
    }
    weights = from_torch(theirs, table)
    agree("resnet50", {"num_classes": 10}, weights, x, logits(theirs, x))


def test_efficientnet_b0_of_transformers():
    transformers = pytest.importorskip("transformers")
    x = pictures(64, 64)  # its padding is right for even sides only
    config = transformers.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, num_labels=10
    )
    theirs = transformers.EfficientNetForImageClassification(config)
    for parameter in theirs.parameters():  # from their own start, the signal fades
        torch.nn.init.kaiming_normal_(parameter) if parameter.ndim > 1 else torch.nn.init.ones_(parameter)
    layers = {
        "expansion.expand_conv": "expand_conv",
        "expansion.expand_bn": "expand_bn",
        "depthwise_conv.depthwise_conv": "depthwise_conv",
        "depthwise_conv.depthwise_norm": "depthwise_bn",
        "squeeze_excite.reduce": "se.dense1",
        "squeeze_excite.expand": "se.dense2",
        "projection.project_conv": "project_conv",
        "projection.project_bn": "project_bn",
    }
    table = {
        r"efficientnet\.embeddings\.convolution\.(\w+)": r"stem_conv.\1",
        r"efficientnet\.embeddings\.batchnorm\.(\w+)": r"stem_bn.\1",
        r"efficientnet\.encoder\.blocks\.(\d+)\.(\w+\.\w+)\.(\w+)": lambda number, layer, own: (
            f"blocks.{number}.{layers[layer]}.{own}"
        ),
        r"efficientnet\.encoder\.top_conv\.(\w+)": r"top_conv.\1",
        r"efficientnet\.encoder\.top_bn\.(\w+)": r"top_bn.\1",
        r"classifier\.(\w+)": r"dense.\1",
    }
    weights = from_torch(theirs, table)
    weights = {
        n: a.reshape(a.shape[:2]) if n.endswith(("dense1.weight", "dense2.weight")) else a for n, a in weights.items()
    }
    agree("efficientnet_b0", {"num_classes": 10}, weights, x, logits(theirs, x))


def test_vit_of_transformers():
    transformers = pytest.importorskip("transformers")
    x = pictures(32, 32)
    sizes = {"image_size": 32, "patch_size": 8, "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = transformers.ViTConfig(**sizes, intermediate_size=200, layer_norm_eps=1e-6, num_labels=10)
    theirs = transformers.ViTForImageClassification(config)
    projections = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "projection"}
    layers = {"layernorm_before": "norm1", "layernorm_after": "norm2", "mlp.fc1": "dense1", "mlp.fc2": "dense2"}
    table = {
        r"vit\.embeddings\.cls_token": "cls_token",
        r"vit\.embeddings\.position_embeddings": "pos_embedding",
        r"vit\.embeddings\.patch_embeddings\.projection\.(\w+)": r"patch_embedding.\1",
        r"vit\.layers\.(\d+)\.attention\.(\w+)\.(\w+)": lambda number, layer, own: (
            f"blocks.{number}.attention.{projections[layer]}.{own}"
        ),
        r"vit\.layers\.(\d+)\.([\w.]+)\.(\w+)": lambda number, layer, own: f"blocks.{number}.{layers[layer]}.{own}",
        r"vit\.layernorm\.(\w+)": r"norm.\1",
        r"classifier\.(\w+)": r"head.\1",
    }
    weights = from_torch(theirs, table)
    arguments = {"patch_size": 8, "dim": 96, "depth": 3, "heads": 4, "mlp_dim": 200, "dropout": 0.0, "num_classes": 10}
    agree("vit", arguments, weights, x, logits(theirs, x))


def test_vivit_of_transformers():
    transformers = pytest.importorskip("transformers")
    x = np.random.default_rng(0).standard_normal((2, 4, 16, 16, 3)).astype(np.float32)
    sizes = {"image_size": 16, "num_frames": 4, "tubelet_size": [2, 4, 4], "hidden_size": 96, "num_hidden_layers": 3}
    config = transformers.VivitConfig(
        **sizes, num_attention_heads=4, intermediate_size=200, layer_norm_eps=1e-6, num_labels=10, hidden_act="gelu"
    )
    theirs = transformers.VivitForVideoClassification(config)
    projections = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "projection"}
    layers = {"layernorm_before": "norm1", "layernorm_after": "norm2", "mlp.fc1": "dense1", "mlp.fc2": "dense2"}
    table = {
        r"vivit\.embeddings\.cls_token": "cls_token",
        r"vivit\.embeddings\.position_embeddings": "pos_embedding",
        r"vivit\.embeddings\.patch_embeddings\.projection\.(\w+)": r"tubelet_embedding.\1",
        r"vivit\.layers\.(\d+)\.attention\.(\w+)\.(\w+)": lambda number, layer, own: (
            f"blocks.{number}.attention.{projections[layer]}.{own}"
        ),
        r"vivit\.layers\.(\d+)\.([\w.]+)\.(\w+)": lambda number, layer, own: f"blocks.{number}.{layers[layer]}.{own}",
        r"vivit\.layernorm\.(\w+)": r"norm.\1",
        r"classifier\.(\w+)": r"head.\1",
    }
    weights = from_torch(theirs, table)
    with torch.no_grad():
        expected = theirs(pixel_values=torch.from_numpy(x).movedim(-1, 2)).logits.numpy()
    arguments = {"tubelet_size": (2, 4, 4), "dim": 96, "depth": 3, "heads": 4, "mlp_dim": 200, "num_classes": 10}
    agree("video_vit", arguments, weights, x, expected)


def test_transformer_of_keras_hub():
    """What benchmarks/public_speed.py times beside ours in Keras computes the same from the same weights."""
    pytest.importorskip("keras_hub")
    twin = find("transformer")
    arguments = {**twin.small.arguments, "depth": 2}
    ours, theirs = keras_train.build(twin, arguments).model, of_keras_hub(**arguments)
    theirs.embedding.set_weights(ours.embedding.get_weights())
    dense = {"_feedforward_intermediate_dense": "dense1", "_feedforward_output_dense": "dense2"}
    encoder = {"_self_attention_layer_norm": "norm1", "_feedforward_layer_norm": "norm2"}
    decoder = {"_self_attention_layer_norm": "norm1", "_cross_attention_layer_norm": "norm2"}
    decoder |= {"_feedforward_layer_norm": "norm3"}
    attentions = {"_self_attention_layer": "attention", "_cross_attention_layer": "cross_attention"}
    parts = (ours.encoder, theirs.encoder, encoder), (ours.decoder, theirs.decoder, decoder)
    for layers, others, norms in parts:
        for layer, other in zip(layers, others, strict=True):
            for their, our in {**dense, **norms}.items():
                getattr(other, their).set_weights(getattr(layer, our).get_weights())
            for their, our in attentions.items():
                if hasattr(layer, our):
                    attention, maps = getattr(other, their), getattr(layer, our)
                    arrays = (maps.query, maps.key, maps.value, maps.projection)
                    flat = [array for each in arrays for array in each.get_weights()]
                    shaped = zip(flat, attention.get_weights(), strict=True)
                    attention.set_weights([array.reshape(wanted.shape) for array, wanted in shaped])
    test = data.load("pronunciations").test
    inputs = {name: test[name][:4] for name in ("source", "target")}
    found, expected = (keras.ops.convert_to_numpy(model(inputs)) for model in (ours, theirs))
    assert np.linalg.norm(expected[0] - expected[1]) > 1e-2 * np.linalg.norm(expected)
    assert np.linalg.norm(found - expected) < LIMIT * np.linalg.norm(expected)


def logits(model, x):
    """What a model of transformers says of pictures (B, H, W, C)."""
    with torch.no_grad():
        return model(pixel_values=native(x)).logits.numpy()


def native(x):
    """(B, H, W, C) in NumPy to (B, C, H, W) in PyTorch."""
    return torch.from_numpy(x).movedim(-1, 1)


def test_mask_rcnn_of_torchvision():
    """Maps, anchors' answers and both heads on regions; which regions, torchvision chooses on each map by itself."""
    detection = torchvision.detection()
    theirs = detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=4)
    parts = {"conv1": "conv1", "conv2": "conv2", "conv3": "conv3", "bn1": "bn1", "bn2": "bn2", "bn3": "bn3"}
    parts |= {"downsample.0": "shortcut_conv", "downsample.1": "shortcut_bn"}
    table = {
        r"backbone\.body\.(conv1|bn1)\.(\w+)": r"trunk.\1.\2",
        r"backbone\.body\.layer(\d)\.(\d)\.([\w.]+)\.(\w+)": lambda stage, number, layer, own: (
            f"trunk.{block(STAGES, int(stage) - 1, number)}.{parts[layer]}.{own}"
        ),
        r"backbone\.fpn\.(inner|layer)_blocks\.(\d)\.0\.(\w+)": lambda kind, level, own: (
            f"trunk.{'inner' if kind == 'inner' else 'outer'}.{level}.{own}"
        ),
        r"rpn\.head\.conv\.0\.0\.(\w+)": r"rpn.conv.\1",
        r"rpn\.head\.cls_logits\.(\w+)": r"rpn.logits.\1",
        r"rpn\.head\.bbox_pred\.(\w+)": r"rpn.offsets.\1",
        r"roi_heads\.box_head\.(\w+\.\w+)": r"head.\1",
        r"roi_heads\.box_predictor\.cls_score\.(\w+)": r"head.logits.\1",
        r"roi_heads\.box_predictor\.bbox_pred\.(\w+)": r"head.offsets.\1",
        r"roi_heads\.mask_head\.(\d)\.0\.(\w+)": r"mask_head.convs.\1.\2",
        r"roi_heads\.mask_predictor\.conv5_mask\.(\w+)": r"mask_head.up.\1",
        r"roi_heads\.mask_predictor\.mask_fcn_logits\.(\w+)": r"mask_head.logits.\1",
    }
    weights, x = from_torch(theirs, table), pictures(64, 96)
    low = np.random.default_rng(2).uniform(0, 0.3, (2, 5, 2))
    places = np.concatenate([low, low + np.random.default_rng(3).uniform(0.3, 0.6, low.shape)], axis=-1)
    with torch.no_grad():
        maps = theirs.backbone(native(x))
        logits, offsets = theirs.rpn.head(list(maps.values()))
        # Its regions begin half a pixel of the map later; all of these lie on the finest map.
        regions = [torch.tensor(each * (96, 64, 96, 64) - 2, dtype=torch.float32) for each in places]
        sizes = [(64, 96)] * 2
        box = theirs.roi_heads.box_predictor(
            theirs.roi_heads.box_head(theirs.roi_heads.box_roi_pool(maps, regions, sizes))
        )
        pooled = theirs.roi_heads.mask_roi_pool(maps, regions, sizes)
        masks = theirs.roi_heads.mask_predictor(theirs.roi_heads.mask_head(pooled))
    in_rows = lambda each, numbers: each.permute(0, 2, 3, 1).reshape(2, -1, numbers)
    expected = {
        **{f"map {level}": each.permute(0, 2, 3, 1) for level, each in enumerate(maps.values())},
        "rpn logits": torch.cat([in_rows(each, 1) for each in logits], 1),
        "rpn offsets": torch.cat([in_rows(each, 4) for each in offsets], 1),
        "logits": box[0].reshape(2, 5, 4),
        "offsets": box[1].reshape(2, 5, 4, 4),
        "masks": masks.permute(0, 2, 3, 1).reshape(2, 5, 28, 28, 4),
    }
    twin = find("mask_rcnn")
    arguments = {
        **twin.paper_size.arguments,
        "image_shape": (64, 96, 3),
        "candidates": 20,
        "proposals": 5,
        "num_classes": 3,
    }
    ours = keras_train.build(twin, arguments), torch_train.build(twin, arguments)
    bridge = Bridge(keras_train.describe(ours[0]), torch_train.describe(ours[1]), {"head.fc6": "trunk.outer.0"})
    boxes = torch.tensor(places, dtype=torch.float32)
    for train, run, arrays in zip((keras_train, torch_train), ours, (bridge.to_keras(weights), weights), strict=True):
        train.load_weights(run, arrays)
        run.model.eval() if train is torch_train else None
        back = (lambda each: each.movedim(1, -1)) if train is torch_train else (lambda each: each)
        with torch.no_grad():
            maps = run.model.trunk(native(x) if train is torch_train else torch.from_numpy(x))
            rpn_logits, rpn_offsets = run.model.rpn(maps)
            logits, offsets = run.model.head(run.model.aligned(maps, boxes, 0))
            masks = run.model.mask_head(run.model.aligned(maps, boxes, 1))
        found = {f"map {level}": back(each) for level, each in enumerate(maps)}
        found |= {"rpn logits": rpn_logits[..., 1:], "rpn offsets": rpn_offsets, "logits": logits, "offsets": offsets}
        found["masks"] = masks.movedim(2, -1) if train is torch_train else masks
        for name, array in expected.items():
            far = torch.linalg.norm(found[name] - array) / torch.linalg.norm(array)
            assert far < LIMIT, (train.__name__, name, far)


def test_ssd300_of_torchvision():
    """Everything up to the boxes and scores, from the same default boxes.

    Ours are the paper's (section 2.2); torchvision's have the scales of the authors' code, 0.07 to 1.05.
    """
    detection = torchvision.detection()
    theirs = detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=21)
    places = {place: number for number, place in enumerate((0, 2, 5, 7, 10, 12, 14, 17, 19, 21))}  # of convolutions
    heads = {"classification": "conf", "regression": "loc"}
    table = {
        r"backbone\.scale_weight": "l2_norm.scale",
        r"backbone\.features\.(\d+)\.(\w+)": lambda place, own: f"convs.{places[int(place)]}.{own}",
        r"backbone\.extra\.0\.7\.([13])\.(\w+)": lambda place, own: f"fc{'67'[place == '3']}.{own}",
        r"backbone\.extra\.0\.([135])\.(\w+)": lambda place, own: f"conv5.{int(place) // 2}.{own}",
        r"backbone\.extra\.(\d)\.([02])\.(\w+)": lambda level, place, own: (
            f"{'narrow' if place == '0' else 'wide'}.{int(level) - 1}.{own}"
        ),
        r"head\.(\w+)_head\.module_list\.(\d)\.(\w+)": lambda kind, level, own: f"{heads[kind]}.{level}.{own}",
    }
    weights, x = from_torch(theirs, table), pictures(300, 300)
    twin = find("ssd")
    ours = keras_train.build(twin, twin.paper_size.arguments), torch_train.build(twin, twin.paper_size.arguments)
    with torch.no_grad():
        maps = list(theirs.backbone(native(x)).values())
        said = theirs.head(maps)
        anchors = torch.from_numpy(np.float32(ours[1].model.anchors))
        boxes = theirs.box_coder.decode_single(said["bbox_regression"].reshape(-1, 4), torch.cat([anchors] * 2))
    expected = {
        "offsets": said["bbox_regression"],
        "logits": said["cls_logits"],
        "boxes": boxes.reshape(said["bbox_regression"].shape),
        "scores": said["cls_logits"].softmax(-1)[..., 1:],
    }
    bridge = Bridge(keras_train.describe(ours[0]), torch_train.describe(ours[1]), twin.flatten)
    for train, run, arrays in zip((keras_train, torch_train), ours, (bridge.to_keras(weights), weights), strict=True):
        train.load_weights(run, arrays)
        found = train.forward(run, {"x": x})
        for name, array in expected.items():
            assert np.linalg.norm(found[name] - array.numpy()) < LIMIT * np.linalg.norm(array), (train.__name__, name)
