"""torchvision's networks as far as names, shapes and answers go, from its documentation: the other end of a crossing.

The modules are called what torchvision calls them, because a state dict is made of their names.
"""

import torch
from torch import nn


class VGG(nn.Module):
    """vgg16."""

    def __init__(self, in_channels, width, hidden, num_classes):
        super().__init__()
        features = []
        for block, convs in enumerate((2, 2, 3, 3, 3)):
            channels = width * min(2**block, 8)
            for _ in range(convs):
                features += [nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU()]
                in_channels = channels
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        first, last = nn.Linear(in_channels, hidden), nn.Linear(hidden, num_classes)  # of a 32x32 picture 1x1 is left
        self.classifier = nn.Sequential(
            first, nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), last
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Bottleneck(nn.Module):
    def __init__(self, in_channels, width, stride, project):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if project:
            shortcut = nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return torch.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """resnet50."""

    def __init__(self, in_channels, width, stages, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels, self.count = width, len(stages)
        for stage, number in enumerate(stages):
            blocks = []
            for block in range(number):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck(channels, width * 2**stage, stride, project=block == 0))
                channels = 4 * width * 2**stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        for stage in range(self.count):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def conv_norm(in_channels, channels, kernel_size, stride=1, groups=1, activation=True):
    conv = nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), *([nn.SiLU()] if activation else []))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeeze_channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


class MBConv(nn.Module):
    def __init__(self, in_channels, channels, kernel_size, stride, expansion):
        super().__init__()
        wide = expansion * in_channels
        self.adds = stride == 1 and in_channels == channels
        self.block = nn.Sequential(
            *([conv_norm(in_channels, wide, 1)] if expansion > 1 else []),
            conv_norm(wide, wide, kernel_size, stride, groups=wide),
            SqueezeExcitation(wide, max(1, in_channels // 4)),
            conv_norm(wide, channels, 1, activation=False),
        )

    def forward(self, x):
        return self.block(x) + x if self.adds else self.block(x)


class EfficientNet(nn.Module):
    """efficientnet_b0; its BatchNorm has PyTorch's epsilon."""

    STAGES = (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    )  # fmt: skip

    def __init__(self, in_channels, num_classes):
        super().__init__()
        features, channels = [conv_norm(in_channels, 32, 3, stride=2)], 32
        for expansion, kernel_size, stride, out, number in self.STAGES:
            blocks = []
            for block in range(number):
                blocks.append(MBConv(channels, out, kernel_size, stride if block == 0 else 1, expansion))
                channels = out
            features.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*features, conv_norm(channels, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class EncoderBlock(nn.Module):
    def __init__(self, dim, heads, mlp_dim):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_dim), nn.GELU(), nn.Dropout(0.0), nn.Linear(mlp_dim, dim), nn.Dropout(0.0)
        )

    def forward(self, x):
        inner = self.ln_1(x)
        x = x + self.self_attention(inner, inner, inner, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, tokens, dim, depth, heads, mlp_dim):
        super().__init__()
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, tokens, dim))
        blocks = {f"encoder_layer_{place}": EncoderBlock(dim, heads, mlp_dim) for place in range(depth)}
        self.layers = nn.Sequential()
        for name, block in blocks.items():
            self.layers.add_module(name, block)
        self.ln = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class ViT(nn.Module):
    """vit_b_16."""

    def __init__(self, image_shape, patch_size, dim, depth, heads, mlp_dim, num_classes):
        super().__init__()
        self.conv_proj = nn.Conv2d(image_shape[-1], dim, patch_size, patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        tokens = 1 + (image_shape[0] // patch_size) * (image_shape[1] // patch_size)
        self.encoder = Encoder(tokens, dim, depth, heads, mlp_dim)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(dim, num_classes))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        return self.heads(self.encoder(torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1))[:, 0])


def make(twin, arguments):
    """torchvision's counterpart of a twin of that size."""
    channels, classes = arguments["image_shape"][-1], arguments["num_classes"]
    if twin == "vgg16":
        return VGG(channels, arguments["base_width"], arguments["hidden_dim"], classes)
    if twin == "resnet50":
        return ResNet(channels, arguments["width"], arguments["stages"], classes)
    if twin == "efficientnet_b0":
        return EfficientNet(channels, classes)
    return ViT(**{name: value for name, value in arguments.items() if name != "dropout"})
