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

import keras
from keras import layers

from keras_impl.exercises.sequences.attention import sinusoid
from keras_impl.saving import serializable


class Attention(layers.Layer):
    """Every token of one sequence gathers from those of another, as far as the mask lets it.

    Args:
        dim: channels of a token.
        heads: number of attention patterns side by side; divides dim.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query = layers.Dense(dim)
        self.key = layers.Dense(dim)
        self.value = layers.Dense(dim)
        self.projection = layers.Dense(dim)

    def call(self, x, memory, mask):
        """(B, T, D) tokens, (B, S, D) ones to look at, and a mask (B or 1, 1, T or 1, S) to (B, T, D)."""
        D = x.shape[-1]
        query = keras.ops.reshape(self.query(x), (-1, x.shape[1], self.heads, D // self.heads))  # (B, T, heads, d)
        key = keras.ops.reshape(self.key(memory), (-1, memory.shape[1], self.heads, D // self.heads))
        value = keras.ops.reshape(self.value(memory), (-1, memory.shape[1], self.heads, D // self.heads))
        x = keras.ops.dot_product_attention(query, key, value, mask=mask)  # (B, T, heads, d)
        return self.projection(keras.ops.reshape(x, (-1, x.shape[1], D)))


class EncoderLayer(layers.Layer):
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
        self.norm1 = layers.LayerNormalization(epsilon=1e-5)
        self.dense1 = layers.Dense(mlp_dim)
        self.dense2 = layers.Dense(dim)
        self.norm2 = layers.LayerNormalization(epsilon=1e-5)
        self.dropout = layers.Dropout(dropout)

    def call(self, x, mask):
        """(B, S, D) tokens and the mask of those that count to (B, S, D)."""
        x = self.norm1(x + self.dropout(self.attention(x, x, mask)))
        hidden = keras.ops.relu(self.dense1(x))  # (B, S, mlp_dim)
        return self.norm2(x + self.dropout(self.dense2(hidden)))


class DecoderLayer(layers.Layer):
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
        self.norm1 = layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = Attention(dim, heads)
        self.norm2 = layers.LayerNormalization(epsilon=1e-5)
        self.dense1 = layers.Dense(mlp_dim)
        self.dense2 = layers.Dense(dim)
        self.norm3 = layers.LayerNormalization(epsilon=1e-5)
        self.dropout = layers.Dropout(dropout)

    def call(self, x, memory, causal, mask):
        """(B, T, D) tokens written, (B, S, D) tokens read, and the masks of both to (B, T, D)."""
        x = self.norm1(x + self.dropout(self.attention(x, x, causal)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, mask)))
        hidden = keras.ops.relu(self.dense1(x))  # (B, T, mlp_dim)
        return self.norm3(x + self.dropout(self.dense2(hidden)))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class Transformer(keras.Model):
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
        normal = keras.initializers.RandomNormal(stddev=dim**-0.5)  # differs: Keras takes it as an argument
        self.embedding = layers.Embedding(num_tokens, dim, embeddings_initializer=normal)
        self.dropout = layers.Dropout(dropout)
        self.encoder = [EncoderLayer(dim, heads, mlp_dim, dropout) for _ in range(depth)]
        self.decoder = [DecoderLayer(dim, heads, mlp_dim, dropout) for _ in range(depth)]
        source, target = (keras.Input((length,), dtype="int32") for length in lengths)  # differs: Keras builds by shape
        self({"source": source, "target": target})  # differs: Keras creates its weights when it first sees a shape

    def call(self, inputs, training=None):  # differs: Keras packs inputs and passes the mode in
        """(B, S) tokens to read and (B, T) tokens written so far to (B, T, num_tokens) logits of the next."""
        source, target = inputs["source"], inputs["target"]  # differs: Keras packs inputs
        mask = keras.ops.expand_dims(source != 0, (1, 2))  # (B, 1, 1, S)
        steps = keras.ops.arange(target.shape[1])
        causal = keras.ops.expand_dims(steps[:, None] >= steps, (0, 1))  # (1, 1, T, T)

        memory = self.dropout(self.embed(source), training=training)
        for layer in self.encoder:
            memory = layer(memory, mask, training=training)  # (B, S, D)

        x = self.dropout(self.embed(target), training=training)
        for layer in self.decoder:
            x = layer(x, memory, causal, mask, training=training)  # (B, T, D)
        return keras.ops.matmul(x, keras.ops.transpose(self.embedding.embeddings))

    def embed(self, tokens):
        """(B, T) tokens to (B, T, D): their rows of the table, as long as the waves that say where they stand."""
        x = self.embedding(tokens)
        T, D = x.shape[1:]
        return x * D**0.5 + sinusoid(T, D)

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy with smoothed labels, mean over the tokens (B, T) that are no padding."""
        logs = keras.ops.log_softmax(y_pred, axis=-1)  # differs: Keras smooths one-hot labels only
        right = keras.ops.take_along_axis(logs, y[..., None], axis=-1)[..., 0]  # differs: written out by hand
        spread = keras.ops.mean(logs, axis=-1)  # differs: written out by hand
        losses = -(1 - self.smoothing) * right - self.smoothing * spread  # differs: written out by hand
        counts = keras.ops.cast(y != 0, losses.dtype)  # differs: keras.losses divides by all tokens, padding too
        return keras.ops.sum(losses * counts) / keras.ops.sum(counts)
