"""DeepPose: the joints of a body are regressed from the whole picture, as numbers and not as a map.

Toshev and Szegedy, "DeepPose: human pose estimation via deep neural networks" (2014), section 3.1. Convolutions and
dense layers give two numbers for each joint, its place as a share of the picture, trained by the squared distance to
the true ones. Every joint is answered from all that the picture shows, so that one which is hard to see is placed by
the others.

Departures: three convolutions with batch normalization in place of AlexNet's five without; places are shares of the
picture, where the paper divides by a box around the person; the cascade of section 3.2, which looks again at what lies
around each joint, is left out. So there is no size of the paper. The last layer begins with small weights: from larger
ones, the first errors shut so many ReLUs of the dense layer that half as many joints are found in the end.

Slides: deck C: the L2 loss that finds a box in classification and localization finds the joints of a body, too.
"""

import keras
from keras import layers

from keras_impl.models.classification.resnet_style import batch_norm
from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DeepPose(keras.Model):
    """Three convolutions with max pooling, a dense layer, and the places of the joints.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution; the others have twice and three times as many.
        hidden_dim: width of the dense layer.
        num_joints: whose places are given.
    """

    def __init__(self, image_shape, width, hidden_dim, num_joints):
        check_shapes(image_shape, 2 * num_joints, smallest=8, multiple=8)
        super().__init__()
        small = keras.initializers.RandomNormal(stddev=0.01)  # differs: Keras takes initial values as an initializer
        self.conv1 = layers.Conv2D(width, kernel_size=3, padding="same", use_bias=False)
        self.bn1 = batch_norm(width)
        self.conv2 = layers.Conv2D(2 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn2 = batch_norm(2 * width)
        self.conv3 = layers.Conv2D(3 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn3 = batch_norm(3 * width)
        self.pool = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(2 * num_joints, kernel_initializer=small)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, 2 * num_joints) places, as twin.data.poses has them."""
        x = self.pool(keras.ops.relu(self.bn1(self.conv1(x), training=training)))  # (B, H / 2, W / 2, width)
        x = self.pool(keras.ops.relu(self.bn2(self.conv2(x), training=training)))  # (B, H / 4, W / 4, 2 * width)
        x = self.pool(keras.ops.relu(self.bn3(self.conv3(x), training=training)))  # (B, H / 8, W / 8, 3 * width)
        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(x)
