"""On PyTorch, building a Keras model computes no layer on the 83 and 89 rows that Keras takes for an open batch.

Keras asks the meta device for shapes. An operation that does not know it, such as `keras.ops.repeat`, is computed in
earnest, with everything around it, twice: YOLOv3 at its published size took minutes and gigabytes to build. Pooling is
always computed so, by itself; that is much only where a row is a clip, or many regions.
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from keras_impl import train
from twin.catalogue import TWINS

pytestmark = pytest.mark.framework

MODELS = [name for name, twin in TWINS.items() if twin.kind == "model"]
QUICK = ("lenet", "vit", "video_vit", "tiny_yolo_v3", "mask_rcnn")


class InEarnest(TorchFunctionMode):
    """Remembers how many rows Keras makes up to compute with: a model's input, or that of a single operation."""

    def __init__(self, made_by=torch.ones):
        super().__init__()
        self.made_by, self.rows = made_by, []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is self.made_by and "size" in kwargs and torch.device(kwargs["device"]).type != "meta":
            self.rows += {83, 89} & set(kwargs["size"][:1])
        return function(*args, **kwargs)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.long]) for n in MODELS])
def test_no_layer_is_computed_on_many_rows(name):
    twin = TWINS[name]
    with InEarnest() as seen:
        train.build(twin, twin.ladder_arguments("small"))
    assert seen.rows == []


@pytest.mark.parametrize("name", ["rcnn", "fast_rcnn", "conv3d"])
def test_no_pooling_of_regions_and_clips_is_computed_on_many_rows(name):
    twin = TWINS[name]
    with InEarnest(torch.empty) as seen:
        train.build(twin, twin.ladder_arguments("small"))
    assert seen.rows == []


def test_a_pooling_is_seen():
    with InEarnest(torch.empty) as seen:
        train.build(TWINS["lenet"], TWINS["lenet"].ladder_arguments("small"))
        assert seen.rows == []  # an average is known to the meta device
        train.build(TWINS["vgg"], TWINS["vgg"].ladder_arguments("small"))
    assert {83, 89} <= set(seen.rows)


def test_a_repeat_is_seen():
    import keras

    class Doubling(keras.Model):
        def call(self, x):
            return keras.ops.repeat(x, 2, axis=1)

    with InEarnest() as seen:
        Doubling()(keras.Input((3,)))
    assert seen.rows == [83, 89]
