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

import torch
from torch import nn

from torch_impl.models.classification.resnet_style import batch_norm
from twin.shapes import check_shapes


class DeepPose(nn.Module):
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
        height, columns, channels = image_shape  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
        self.bn1 = batch_norm(width)
        self.conv2 = nn.Conv2d(width, 2 * width, kernel_size=3, padding=1, bias=False)
        self.bn2 = batch_norm(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 3 * width, kernel_size=3, padding=1, bias=False)
        self.bn3 = batch_norm(3 * width)
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(3 * width * (height // 8) * (columns // 8), hidden_dim)
        self.dense2 = nn.Linear(hidden_dim, 2 * num_joints)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.dense2.weight, std=0.01)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, 2 * num_joints) places, as twin.data.poses has them."""
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))  # (B, width, H / 2, W / 2)
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))  # (B, 2 * width, H / 4, W / 4)
        x = self.pool(torch.relu(self.bn3(self.conv3(x))))  # (B, 3 * width, H / 8, W / 8)
        x = torch.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(x)
