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

import keras
from keras import layers

from keras_impl.saving import serializable


class Attention(layers.Layer):
    """Every token gathers from all tokens, weighted by how well its query fits their keys.

    Args:
        dim: channels of a token.
        heads: number of attention heads; divides `dim`.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query = layers.Dense(dim)
        self.key = layers.Dense(dim)
        self.value = layers.Dense(dim)
        self.projection = layers.Dense(dim)

    def call(self, x):
        """(B, T, D) tokens to (B, T, D)."""
        _, T, D = x.shape
        by_head = (-1, T, self.heads, D // self.heads)  # differs: PyTorch attends with the heads before T
        query = keras.ops.reshape(self.query(x), by_head)  # (B, T, heads, D / heads)
        key = keras.ops.reshape(self.key(x), by_head)
        value = keras.ops.reshape(self.value(x), by_head)
        x = keras.ops.dot_product_attention(query, key, value)  # (B, T, heads, D / heads)
        return self.projection(keras.ops.reshape(x, (-1, T, D)))


class EncoderBlock(layers.Layer):
    """Attention between the tokens, then an MLP on each; both normalize first and add to their input.

    Args:
        dim: channels of a token.
        heads: number of attention heads.
        mlp_dim: hidden units of the MLP.
        dropout: dropout rate.
    """

    def __init__(self, dim, heads, mlp_dim, dropout):
        super().__init__()
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.attention = Attention(dim, heads)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dense1 = layers.Dense(mlp_dim)
        self.dense2 = layers.Dense(dim)
        self.dropout = layers.Dropout(dropout)

    def call(self, x):
        """(B, T, D) tokens to (B, T, D)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        hidden = keras.ops.gelu(self.dense1(self.norm2(x)), approximate=False)  # (B, T, mlp_dim)
        return x + self.dropout(self.dense2(self.dropout(hidden)))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ViT(keras.Model):
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
        normal = keras.initializers.RandomNormal(stddev=0.02)  # differs: Keras takes initial values as an initializer
        self.patch_embedding = layers.Conv2D(dim, kernel_size=patch_size, strides=patch_size)
        self.cls_token = self.add_weight(shape=(1, 1, dim), initializer="zeros", name="cls_token")
        self.pos_embedding = self.add_weight(shape=(1, num_tokens, dim), initializer=normal, name="pos_embedding")
        self.dropout = layers.Dropout(dropout)
        self.blocks = [EncoderBlock(dim, heads, mlp_dim, dropout) for _ in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.head = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = self.patch_embedding(x)  # (B, H / patch_size, W / patch_size, D)
        x = keras.ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))  # (B, T - 1, D)
        cls_token = keras.ops.broadcast_to(self.cls_token, (keras.ops.shape(x)[0], 1, x.shape[2]))  # (B, 1, D)
        x = keras.ops.concatenate([cls_token, x], axis=1)  # (B, T, D)
        x = self.dropout(x + self.pos_embedding, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(self.norm(x)[:, 0])
