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

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.models.classification.resnet_style import batch_norm
from twin.shapes import check_shapes


class Encoder(nn.Module):
    """Three times convolution, batch normalization, ReLU and pooling, and a dense layer that keeps what is where.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution; each of the others doubles them.
        embed_dim: length of the vector.
    """

    def __init__(self, image_shape, width, embed_dim):
        super().__init__()
        height, wide, channels = image_shape  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding="same", bias=False)
        self.bn1 = batch_norm(width)
        self.conv2 = nn.Conv2d(width, 2 * width, kernel_size=3, padding="same", bias=False)
        self.bn2 = batch_norm(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, kernel_size=3, padding="same", bias=False)
        self.bn3 = batch_norm(4 * width)
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(height // 8 * (wide // 8) * 4 * width, embed_dim)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, embed_dim) vectors."""
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))  # (B, width, H / 2, W / 2)
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))  # (B, 2 * width, H / 4, W / 4)
        x = self.pool(torch.relu(self.bn3(self.conv3(x))))  # (B, 4 * width, H / 8, W / 8)
        return self.dense(self.flatten(x))


class ImageCaption(nn.Module):
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
        self.embedding = nn.Linear(vocab_size, embed_dim, bias=False)
        self.lstm = nn.LSTM(embed_dim, hidden_size, batch_first=True)
        nn.init.ones_(self.lstm.bias_ih_l0[hidden_size : 2 * hidden_size])  # differs: Keras does so by itself
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, image, tokens):  # differs: Keras packs inputs, and passes the mode in
        """(B, C, H, W) images and the (B, T) words before each word to (B, T, vocab_size) logits of that word."""
        seen = self.encoder(image)[:, None]  # (B, 1, embed_dim)
        words = F.one_hot(tokens, self.vocab_size).to(seen.dtype)  # (B, T, vocab_size)
        x = torch.cat([seen, self.embedding(words)], dim=1)  # (B, T + 1, embed_dim)
        x, _ = self.lstm(x)  # differs: PyTorch returns the states too; (B, T + 1, hidden_size)
        return self.head(x[:, 1:])

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Cross-entropy, mean over the words (B, T) that are no padding."""
        return F.cross_entropy(y_pred.flatten(0, 1), y.flatten(), ignore_index=0)
