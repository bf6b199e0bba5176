"""ResNet-50 as it is used today: the stride moves from the 1x1 convolution to the 3x3 one.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), table 1, with a change that Goyal et al.
report in "Accurate, large minibatch SGD" (2017), section 5.1. A 1x1 convolution of stride 2 never looks at three of
four pixels; a 3x3 one sees them all. The parameters stay the same, 25,557,032. This is the ResNet-50 of torchvision
and transformers, often called v1.5; that of keras.applications has the stride where the paper has it, as `resnet`.

Departures: none beside that one.

Slides: deck D, ResNet; deck B, among the models that come ready-made.
"""

from keras_impl.models.classification.resnet import ResNet
from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ResNet50(ResNet):
    """ResNet, with the stride of a stage in its first 3x3 convolution."""

    downsample_strides = (1, 2)
