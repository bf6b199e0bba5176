"""Vision transformer: a picture is a sentence of patches.

Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale" (2021),
section 3.1 and table 1. The picture is cut into square patches, and one linear map makes each of them a token.
The rest is a transformer encoder: attention lets every patch look at every other, near or far, while a
convolution looks only at its neighbourhood. A learned class token is put before the others, and the output layer
reads its last value. With patches of 16 at 224x224, dim 768 and depth 12 this is ViT-B/16.

Departures: the head is one dense layer, as in the paper's fine-tuning; its pre-training head has a hidden layer.
Dropout acts after the position embedding, after attention and in the MLP, and not on the attention weights.

Slides: deck A, as a Keras example; deck E, the last step of its history, there with queries, keys and values in
one layer without bias.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Every token gathers from all tokens, weighted by how well its query fits their keys.

    Args:
        dim: channels of a token.
        heads: number of attention heads; divides `dim`.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.projection = nn.Linear(dim, dim)

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
        dim: channels of a token.
        heads: number of attention heads.
        mlp_dim: hidden units of the MLP.
        dropout: dropout rate.
    """

    def __init__(self, dim, heads, mlp_dim, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.dense1 = nn.Linear(dim, mlp_dim)
        self.dense2 = nn.Linear(mlp_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        """(B, T, D) tokens to (B, T, D)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        hidden = F.gelu(self.dense1(self.norm2(x)), approximate="none")  # (B, T, mlp_dim)
        return x + self.dropout(self.dense2(self.dropout(hidden)))


class ViT(nn.Module):
    """Patches to tokens, encoder blocks, and a dense layer on the class token.

    Args:
        image_shape: height, width and channels; height and width divisible by the patch.
        patch_size: height and width of a patch.
        dim: channels of a token.
        depth: number of encoder blocks.
        heads: number of attention heads.
        mlp_dim: hidden units of the blocks' MLPs.
        dropout: dropout rate.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, patch_size, dim, depth, heads, mlp_dim, dropout, num_classes):
        super().__init__()
        num_tokens = 1 + (image_shape[0] // patch_size) * (image_shape[1] // patch_size)
        self.patch_embedding = nn.Conv2d(image_shape[-1], dim, kernel_size=patch_size, stride=patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, num_tokens, dim))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(EncoderBlock(dim, heads, mlp_dim, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = self.patch_embedding(x)  # (B, D, H / patch_size, W / patch_size)
        x = x.flatten(2).transpose(1, 2)  # (B, T - 1, D)
        cls_token = self.cls_token.expand(x.shape[0], -1, -1)  # (B, 1, D)
        x = torch.cat([cls_token, x], dim=1)  # (B, T, D)
        x = self.dropout(x + self.pos_embedding)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])
