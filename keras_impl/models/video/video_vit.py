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

import keras
from keras import layers

from keras_impl.models.classification.vit import EncoderBlock
from keras_impl.saving import serializable
from twin.shapes import check_clips


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class VideoViT(keras.Model):
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
        normal = keras.initializers.RandomNormal(stddev=0.02)  # differs: Keras takes initial values as an initializer
        self.tubelet_embedding = layers.Conv3D(dim, kernel_size=tubelet_size, strides=tubelet_size)
        self.cls_token = self.add_weight(shape=(1, 1, dim), initializer="zeros", name="cls_token")
        self.pos_embedding = self.add_weight(shape=(1, num_tokens, dim), initializer=normal, name="pos_embedding")
        self.dropout = layers.Dropout(dropout)
        self.blocks = [EncoderBlock(dim, heads, mlp_dim, dropout) for _ in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.head = layers.Dense(num_classes)
        self(keras.Input(clip_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, T, H, W, C) clips to (B, num_classes) logits."""
        x = self.tubelet_embedding(x)  # (B, T / t, H / h, W / w, D)
        x = keras.ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3], x.shape[4]))  # (B, tokens, D)
        cls_token = keras.ops.broadcast_to(self.cls_token, (keras.ops.shape(x)[0], 1, x.shape[2]))  # (B, 1, D)
        x = keras.ops.concatenate([cls_token, x], axis=1)  # (B, 1 + tokens, D)
        x = self.dropout(x + self.pos_embedding, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(self.norm(x)[:, 0])
