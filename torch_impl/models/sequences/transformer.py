"""Transformer: an encoder reads, a decoder writes, and both do it by attention alone.

Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, "Attention is all you need" (2017), section
3, figure 1 and table 3. Each token becomes a vector from a table, with a wave added that says where it stands. The
encoder's layers let every token of the source look at every other. The decoder's do so too, but only at what was
written before, and then look at the encoder's answer; the same table says how well each token would come next. In
training the right beginning is given (teacher forcing), so that all places are learned at once; in use each token is
written after the last, by the one that fits best or by the best of several beginnings (`twin.decoding`).

With `dim` 512, eight heads, six layers and `mlp_dim` 2048 this is the paper's base model: 44.1 million parameters in
the layers and 18.9 million in a table of 37,000 tokens, which makes 63.1 million; the paper prints 65, rounded, for a
table whose size it gives as about 37,000.

Departures: the layers' dense maps have biases, as public code has them; dropout acts where the paper says, not on the
weights of attention. The small size has one layer each and turns letters into phones.

Slides: deck A and deck E, figure 1 of the paper.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.sequences.attention import sinusoid


class Attention(nn.Module):
    """Every token of one sequence gathers from those of another, as far as the mask lets it.

    Args:
        dim: channels of a token.
        heads: number of attention patterns side by side; divides dim.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.projection = nn.Linear(dim, dim)

    def forward(self, x, memory, mask):
        """(B, T, D) tokens, (B, S, D) ones to look at, and a mask (B or 1, 1, T or 1, S) to (B, T, D)."""
        D = x.shape[-1]
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, T, d)
        key = self.key(memory).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        value = self.value(memory).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        x = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # (B, heads, T, d)
        return self.projection(x.transpose(1, 2).reshape(-1, x.shape[2], D))


class EncoderLayer(nn.Module):
    """Attention between the tokens, then an MLP on each; both add to their input and normalize the sum.

    Args:
        dim: channels of a token.
        heads: number of attention heads.
        mlp_dim: hidden units of the MLP.
        dropout: dropout rate.
    """

    def __init__(self, dim, heads, mlp_dim, dropout):
        super().__init__()
        self.attention = Attention(dim, heads)
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.dense1 = nn.Linear(dim, mlp_dim)
        self.dense2 = nn.Linear(mlp_dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        """(B, S, D) tokens and the mask of those that count to (B, S, D)."""
        x = self.norm1(x + self.dropout(self.attention(x, x, mask)))
        hidden = torch.relu(self.dense1(x))  # (B, S, mlp_dim)
        return self.norm2(x + self.dropout(self.dense2(hidden)))


class DecoderLayer(nn.Module):
    """Attention to what was written, attention to what was read, then an MLP on each token.

    Args:
        dim: channels of a token.
        heads: number of attention heads.
        mlp_dim: hidden units of the MLP.
        dropout: dropout rate.
    """

    def __init__(self, dim, heads, mlp_dim, dropout):
        super().__init__()
        self.attention = Attention(dim, heads)
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.cross_attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.dense1 = nn.Linear(dim, mlp_dim)
        self.dense2 = nn.Linear(mlp_dim, dim)
        self.norm3 = nn.LayerNorm(dim, eps=1e-5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, causal, mask):
        """(B, T, D) tokens written, (B, S, D) tokens read, and the masks of both to (B, T, D)."""
        x = self.norm1(x + self.dropout(self.attention(x, x, causal)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, mask)))
        hidden = torch.relu(self.dense1(x))  # (B, T, mlp_dim)
        return self.norm3(x + self.dropout(self.dense2(hidden)))


class Transformer(nn.Module):
    """A table of tokens, encoder layers on the source, decoder layers on what was written so far.

    Args:
        num_tokens: rows of the table; 0 is padding.
        lengths: of the source and of the target.
        dim: channels of a token.
        depth: number of encoder layers and of decoder layers.
        heads: number of attention heads.
        mlp_dim: hidden units of the layers' MLPs.
        dropout: dropout rate.
        smoothing: share of the right token's probability that the loss spreads over all tokens.
    """

    def __init__(self, num_tokens, lengths, dim, depth, heads, mlp_dim, dropout, smoothing):
        super().__init__()
        self.smoothing = smoothing
        self.embedding = nn.Embedding(num_tokens, dim)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(EncoderLayer(dim, heads, mlp_dim, dropout) for _ in range(depth))
        self.decoder = nn.ModuleList(DecoderLayer(dim, heads, mlp_dim, dropout) for _ in range(depth))
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # differs: Keras takes it as an argument
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself
                nn.init.zeros_(module.bias)

    def forward(self, source, target):  # differs: Keras packs inputs, and passes the mode in
        """(B, S) tokens to read and (B, T) tokens written so far to (B, T, num_tokens) logits of the next."""
        mask = (source != 0)[:, None, None]  # (B, 1, 1, S)
        steps = torch.arange(target.shape[1], device=target.device)
        causal = (steps[:, None] >= steps)[None, None]  # (1, 1, T, T)

        memory = self.dropout(self.embed(source))
        for layer in self.encoder:
            memory = layer(memory, mask)  # (B, S, D)

        x = self.dropout(self.embed(target))
        for layer in self.decoder:
            x = layer(x, memory, causal, mask)  # (B, T, D)
        return torch.matmul(x, self.embedding.weight.T)

    def embed(self, tokens):
        """(B, T) tokens to (B, T, D): their rows of the table, as long as the waves that say where they stand."""
        x = self.embedding(tokens)
        T, D = x.shape[1:]
        return x * D**0.5 + sinusoid(T, D).to(x)

    def compute_loss(self, x, y, y_pred):  # differs: this loop passes less
        """Cross-entropy with smoothed labels, mean over the tokens (B, T) that are no padding."""
        options = {"ignore_index": 0, "label_smoothing": self.smoothing}  # differs: keras.losses has neither
        return F.cross_entropy(y_pred.flatten(0, 1), y.flatten(), **options)
