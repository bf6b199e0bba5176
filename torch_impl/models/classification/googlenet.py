"""GoogLeNet: nine Inception modules, and two small classifiers that help while it learns.

Szegedy et al., "Going deeper with convolutions" (2015), section 5, table 1 and figure 3. The modules are those of
`inception`, in three stages with a pooling between them. There are no large dense layers at the end, only the mean
over the picture. In training, two auxiliary classifiers read the middle of the network, and their losses are added
with weight 0.3, so that the gradient reaches the lower layers with strength; for inference they are thrown away.

Departures: all convolutions and dense layers have He initialization; the paper does not name its own. The widths can be
divided by a number, and the auxiliary pooling made smaller, to train on small pictures. The parameters are 6,998,552
without the auxiliary classifiers, which is table 1 (in round thousands), and 13,378,280 with them.

Slides: deck D, "GoogLeNet architecture".
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.models.classification.inception import Inception, convolution
from twin.shapes import check_shapes

STAGE3 = ((192, 64, 96, 128, 16, 32, 32), (256, 128, 128, 192, 32, 96, 64))  # table 1: (3a) and (3b)
STAGE4 = (
    (480, 192, 96, 208, 16, 48, 64),
    (512, 160, 112, 224, 24, 64, 64),
    (512, 128, 128, 256, 24, 64, 64),
    (512, 112, 144, 288, 32, 64, 64),
    (528, 256, 160, 320, 32, 128, 128),
)
STAGE5 = ((832, 256, 160, 320, 32, 128, 128), (832, 384, 192, 384, 48, 128, 128))
AUX_LOSS_WEIGHT = 0.3


def halve(x):
    """(B, C, H, W) to (B, C, H / 2, W / 2), rounded down: 3x3 windows, two apart, the last of which may overhang."""
    return F.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)


class InceptionAux(nn.Module):
    """A small classifier on the middle of the network: pooling, a 1x1 convolution, two dense layers.

    Args:
        in_shape: height, width and channels of the input.
        pool_size: height and width of what is pooled, every three pixels.
        channels: channels of the convolution.
        hidden_dim: units in the hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, in_shape, pool_size, channels, hidden_dim, dropout, num_classes):
        super().__init__()
        # differs: torch's layers ask for their inputs' sizes
        height, width = ((side - pool_size) // 3 + 1 for side in in_shape[:2])  # after pooling
        self.pool = nn.AvgPool2d(kernel_size=pool_size, stride=3)
        self.conv = convolution(in_shape[-1], channels, kernel_size=1)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(height * width * channels, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.dense2 = nn.Linear(hidden_dim, num_classes)

    def forward(self, x):
        """(B, C, H, W) to (B, num_classes) logits."""
        x = self.pool(x)  # (B, C, (H - pool_size) / 3 + 1, (W - pool_size) / 3 + 1)
        x = torch.relu(self.conv(x))
        x = torch.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(self.dropout(x))


class GoogLeNet(nn.Module):
    """Three convolutions, nine Inception modules in three stages, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels; a sixteenth of it must hold a pooling window.
        width_divisor: every width of the paper is divided by it; 1, 2, 4 or 8.
        aux_pool_size: height and width of what the auxiliary classifiers pool; 5 in the paper.
        dropout: share of the last values that dropout silences.
        aux_dropout: the same for the hidden units of the auxiliary classifiers.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width_divisor, aux_pool_size, dropout, aux_dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=max(31, 16 * aux_pool_size - 1))
        super().__init__()
        sides = [(side + 1) // 2 // 8 for side in image_shape[:2]]  # of stage 4
        scale = lambda *widths: [width // width_divisor for width in widths]
        self.conv1 = nn.Conv2d(image_shape[-1], *scale(64), kernel_size=7, stride=2, padding=3)
        self.lrn1 = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)
        self.conv2 = convolution(*scale(64, 64), kernel_size=1)
        self.conv3 = convolution(*scale(64, 192), kernel_size=3)
        self.lrn2 = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)
        self.stage3 = nn.ModuleList(Inception(*scale(*row)) for row in STAGE3)
        self.stage4 = nn.ModuleList(Inception(*scale(*row)) for row in STAGE4)
        self.aux1 = InceptionAux((*sides, *scale(512)), aux_pool_size, *scale(128, 1024), aux_dropout, num_classes)
        self.aux2 = InceptionAux((*sides, *scale(528)), aux_pool_size, *scale(128, 1024), aux_dropout, num_classes)
        self.stage5 = nn.ModuleList(Inception(*scale(*row)) for row in STAGE5)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(*scale(1024), num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # differs: the tails stay on
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to `y`, (B, num_classes) logits, and in training `aux1` and `aux2` too."""
        out = {}
        x = self.lrn1(halve(torch.relu(self.conv1(x))))  # (B, 64, H / 4, W / 4)
        x = torch.relu(self.conv2(x))
        x = halve(self.lrn2(torch.relu(self.conv3(x))))  # (B, 192, H / 8, W / 8)

        for module in self.stage3:
            x = module(x)
        x = halve(x)  # (B, 480, H / 16, W / 16)

        x = self.stage4[0](x)
        if self.training:
            out["aux1"] = self.aux1(x)
        for module in self.stage4[1:4]:
            x = module(x)
        if self.training:
            out["aux2"] = self.aux2(x)
        x = halve(self.stage4[4](x))  # (B, 832, H / 32, W / 32)

        for module in self.stage5:
            x = module(x)
        x = x.mean(dim=(2, 3))  # (B, 1024)
        out["y"] = self.dense(self.dropout(x))
        return out

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Cross-entropy, and 0.3 of that of each auxiliary classifier; mean over the batch."""
        loss = lambda logits: F.cross_entropy(logits, y)
        auxiliary = loss(y_pred["aux1"]) + loss(y_pred["aux2"])
        return loss(y_pred["y"]) + AUX_LOSS_WEIGHT * auxiliary
