"""Vision transformer: a picture is a sentence of patches.

Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale" (2021),
section 3.1 and table 1. The picture is cut into square patches, and each becomes a token by one linear map.
From there on it is a transformer's encoder: attention lets every patch look at every other, near or far, where a
convolution looks only around itself. A learned class token is put before the others and gathers what the output
layer reads. With patches of 16 at 224x224, width 768 and depth 12 this is ViT-B/16.

Departures: the output layer is a single dense one, as the paper has it for fine-tuning; for pre-training it has
one hidden layer. Dropout acts after the positions, after attention and in the MLP, and not on the attention weights.

Slides: deck A, as a Keras example; deck E, the last step of its history, there with queries, keys and values in
one layer without bias.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Every token gathers from all tokens, weighted by how well its query fits their keys.

    Args:
        width: channels of a token.
        heads: number of attention patterns side by side; divides the width.
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        """(B, T, D) tokens to (B, T, D)."""
        _, T, D = x.shape
        by_head = (-1, T, self.heads, D // self.heads)
        query = self.query(x).view(by_head).transpose(1, 2)  # (B, heads, T, D / heads)
        key = self.key(x).view(by_head).transpose(1, 2)
        value = self.value(x).view(by_head).transpose(1, 2)
        x = F.scaled_dot_product_attention(query, key, value)  # (B, heads, T, D / heads)
        return self.projection(x.transpose(1, 2).reshape(-1, T, D))


class EncoderBlock(nn.Module):
    """Attention between the tokens, then an MLP on each; both normalize first and add to their input.

    Args:
        width: channels of a token.
        heads: number of attention heads.
        mlp_width: hidden units of the MLP.
        rate: dropout rate.
    """

    def __init__(self, width, heads, mlp_width, rate):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.dense1 = nn.Linear(width, mlp_width)
        self.dense2 = nn.Linear(mlp_width, width)
        self.dropout = nn.Dropout(rate)

    def forward(self, x):
        """(B, T, D) tokens to (B, T, D)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        hidden = F.gelu(self.dense1(self.norm2(x)), approximate="none")  # (B, T, mlp_width)
        return x + self.dropout(self.dense2(self.dropout(hidden)))


class ViT(nn.Module):
    """Patches to tokens, encoder blocks, and a dense layer on the class token.

    Args:
        image_shape: height, width and channels; height and width divisible by the patch.
        patch: height and width of a patch.
        width: channels of a token.
        depth: number of encoder blocks.
        heads: number of attention heads.
        mlp_width: hidden units of the blocks' MLPs.
        rate: dropout rate.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, patch, width, depth, heads, mlp_width, rate, num_classes):
        super().__init__()
        num_tokens = 1 + (image_shape[0] // patch) * (image_shape[1] // patch)
        self.patches = nn.Conv2d(image_shape[-1], width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, num_tokens, width))
        self.dropout = nn.Dropout(rate)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, mlp_width, rate) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.dense = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = self.patches(x)  # (B, D, H / patch, W / patch)
        x = x.flatten(2).transpose(1, 2)  # (B, T - 1, D)
        class_token = self.class_token.expand(x.shape[0], -1, -1)  # (B, 1, D)
        x = torch.cat([class_token, x], dim=1)  # (B, T, D)
        x = self.dropout(x + self.positions)
        for block in self.blocks:
            x = block(x)
        return self.dense(self.norm(x)[:, 0])
