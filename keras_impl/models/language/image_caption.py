"""Neural image caption (NIC): a convolutional network sees, and an LSTM says what it sees, word by word.

Vinyals, Toshev, Bengio and Erhan, "Show and tell: a neural image caption generator" (2015), section 3. The encoder
makes a picture one vector, which the LSTM reads once, as if it were the word before the first. From then on it reads
the word that was said last and gives the logits of the next. In training these words are the true ones (teacher
forcing), and the loss is the mean over all words, the end among them; in use each is the one that fits best, or the
sentence is the best of several that are carried along (beam search), as `twin.decoding` does.

The words' vectors are a matrix times one-hot vectors, as in the paper's equation 11, and no Embedding layer: for such a
layer Keras on TensorFlow hands Adam a list of the rows that occurred, and where a word occurs twice Adam's second
moment adds the squares of its gradients in place of squaring their sum (`twin differences adam_embedding`).

The LSTM's forget gates begin with a bias of 1 (Jozefowicz et al., 2015): the picture is read once, and needed last.

Departures: three convolutions with batch normalization in place of a GoogLeNet that was trained on ImageNet, and they
learn with the rest; a vector of 96 values and 96 units, where the paper has 512 of each; no dropout.

Slides: deck D, "Image captioning", NIC: the encoder is a CNN, the decoder an RNN.
"""

import keras
from keras import layers, ops

from keras_impl.models.classification.resnet_style import batch_norm
from keras_impl.saving import serializable
from twin.shapes import check_shapes


class Encoder(keras.Model):
    """Three times convolution, batch normalization, ReLU and pooling, and a dense layer that keeps what is where.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution; each of the others doubles them.
        embed_dim: length of the vector.
    """

    def __init__(self, image_shape, width, embed_dim):
        super().__init__()
        self.conv1 = layers.Conv2D(width, kernel_size=3, padding="same", use_bias=False)
        self.bn1 = batch_norm(width)
        self.conv2 = layers.Conv2D(2 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn2 = batch_norm(2 * width)
        self.conv3 = layers.Conv2D(4 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn3 = batch_norm(4 * width)
        self.pool = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(embed_dim)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, embed_dim) vectors."""
        x = self.pool(ops.relu(self.bn1(self.conv1(x), training=training)))  # (B, H / 2, W / 2, width)
        x = self.pool(ops.relu(self.bn2(self.conv2(x), training=training)))  # (B, H / 4, W / 4, 2 * width)
        x = self.pool(ops.relu(self.bn3(self.conv3(x), training=training)))  # (B, H / 8, W / 8, 4 * width)
        return self.dense(self.flatten(x))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ImageCaption(keras.Model):
    """An encoder, a table of words, an LSTM, and a dense layer that gives the logits of the next word.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the encoder's first convolution.
        vocab_size: rows of the table; 0 is padding.
        embed_dim: length of a word's vector and of the picture's.
        hidden_size: width of the LSTM's output and of its cell state.
    """

    def __init__(self, image_shape, width, vocab_size, embed_dim, hidden_size):
        super().__init__()
        check_shapes(image_shape, vocab_size, smallest=8, multiple=8)
        self.vocab_size = vocab_size
        self.encoder = Encoder(image_shape, width, embed_dim)
        self.embedding = layers.Dense(embed_dim, use_bias=False)
        self.lstm = layers.LSTM(hidden_size, return_sequences=True)
        self.head = layers.Dense(vocab_size)
        given = {"image": keras.Input(image_shape), "tokens": keras.Input((None,), dtype="int32")}
        self(given)  # differs: Keras creates its weights when it first sees a shape

    def call(self, inputs, training=None):  # differs: Keras packs inputs, and passes the mode in
        """(B, H, W, C) images and the (B, T) words before each word to (B, T, vocab_size) logits of that word."""
        image, tokens = inputs["image"], inputs["tokens"]  # differs: PyTorch takes them by name
        seen = self.encoder(image, training=training)[:, None]  # (B, 1, embed_dim)
        words = ops.one_hot(tokens, self.vocab_size)  # (B, T, vocab_size)
        x = ops.concatenate([seen, self.embedding(words)], axis=1)  # (B, T + 1, embed_dim)
        x = self.lstm(x)  # differs: PyTorch returns the states too; (B, T + 1, hidden_size)
        return self.head(x[:, 1:])

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy, mean over the words (B, T) that are no padding."""
        losses = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)  # (B, T)
        counts = ops.cast(ops.not_equal(y, 0), losses.dtype)  # differs: keras.losses divides by all words, padding too
        return ops.sum(losses * counts) / ops.sum(counts)
