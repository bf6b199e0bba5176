"""Video vision transformer: a clip is a sentence of tubelets, joined across space and time by attention.

Arnab, Dehghani, Heigold, Sun, Lucic and Schmid, "ViViT: a video vision transformer" (2021), section 3.2 (tubelet
embedding) and section 3.3, model 1. A tubelet is a patch that lasts a few frames; one linear map makes it a token,
which is the convolution of ViT with one axis more. A learned position is added to each token, a class token is put
before them, and the rest is the encoder of ViT: every tubelet looks at every other, at any place of any frame. With
tubelets of 2x16x16, 32 frames of 224x224, `dim` 768 and depth 12 this is ViViT-B/16x2.

Departures: the tubelets' kernel is drawn as Keras draws it, where the paper starts from ViT's weights in its middle
frame; GELU is exact, where public code takes the tanh form; dropout as in ViT's file, whose blocks are used.

Slides: deck E, "ViT" for video, the step after space-time maps. A token is not a whole picture turned into a
position: it is a patch, and the position is added. Without it the encoder could not tell a clip from one with its
tubelets shuffled.
"""

import torch
from torch import nn

from torch_impl.models.classification.vit import EncoderBlock
from twin.shapes import check_clips


class VideoViT(nn.Module):
    """Tubelets to tokens, encoder blocks, and a dense layer on the class token.

    Args:
        clip_shape: frames, height, width and channels; the first three divisible by the tubelet.
        tubelet_size: frames, height and width of a tubelet.
        dim: channels of a token.
        depth: number of encoder blocks.
        heads: number of attention heads.
        mlp_dim: hidden units of the blocks' MLPs.
        dropout: dropout rate.
        num_classes: width of the output.
    """

    def __init__(self, clip_shape, tubelet_size, dim, depth, heads, mlp_dim, dropout, num_classes):
        check_clips(clip_shape, num_classes, multiples=tubelet_size)
        super().__init__()
        along = [side // part for side, part in zip(clip_shape[:3], tubelet_size, strict=True)]
        num_tokens = 1 + along[0] * along[1] * along[2]
        self.tubelet_embedding = nn.Conv3d(clip_shape[-1], dim, kernel_size=tubelet_size, stride=tubelet_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, num_tokens, dim))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(EncoderBlock(dim, heads, mlp_dim, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, T, H, W) clips to (B, num_classes) logits."""
        x = self.tubelet_embedding(x)  # (B, D, T / t, H / h, W / w)
        x = x.flatten(2).transpose(1, 2)  # (B, tokens, D)
        cls_token = self.cls_token.expand(x.shape[0], -1, -1)  # (B, 1, D)
        x = torch.cat([cls_token, x], dim=1)  # (B, 1 + tokens, D)
        x = self.dropout(x + self.pos_embedding)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])
