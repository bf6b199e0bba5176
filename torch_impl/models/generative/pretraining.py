"""Unsupervised pre-training: layers that learned to reconstruct many pictures learn to classify from few labels.

Erhan, Bengio, Courville, Manzagol, Vincent and Bengio, "Why does unsupervised pre-training help deep learning?"
(2010), sections 3 and 6. If most pictures have no label, each layer is first trained as a denoising autoencoder of
the output of the layer below, on all pictures. Then the decoders are left out, a classifier is put on top, and the
network is trained on the few pictures that have labels. The deeper the network, the more it gains over random initial
weights.

Departures: dropout as the corruption, which also divides what it keeps by 1 - rate; the squared error with linear
decoders in place of the cross-entropy, since codes of tanh go from -1 to 1; Adam.

Slides: deck C, "Stacked autoencoder: unsupervised pre-training", which reuses the lower layers of the autoencoder.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl import train
from torch_impl.models.generative.stacked_autoencoder import reconstruct
from twin import data
from twin.spec import Phase


class DenoisingLayer(nn.Module):
    """A layer of the network, with the noise and the decoder by which it is pre-trained.

    Args:
        inputs: width of what it sees.
        units: width of its code.
        corruption_level: share of the inputs that are set to 0 in training.
    """

    def __init__(self, inputs, units, corruption_level):
        super().__init__()
        self.dropout = nn.Dropout(corruption_level)
        self.encoder = nn.Linear(inputs, units)
        self.decoder = nn.Linear(units, inputs)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, inputs) rows, corrupted in training, to their reconstructions (B, inputs)."""
        x = self.dropout(x)
        return self.decoder(self.encode(x))

    def encode(self, x):
        """(B, inputs) rows to (B, units) codes."""
        return torch.tanh(self.encoder(x))


class Features(nn.Module):
    """The layers that are pre-trained, one on the other.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of each layer.
        depth: number of layers.
        corruption_level: share of a layer's inputs that are set to 0 while it is pre-trained.
    """

    def __init__(self, num_pixels, hidden_dim, depth, corruption_level):
        super().__init__()
        widths = [num_pixels, *[hidden_dim] * (depth - 1)]
        self.blocks = nn.ModuleList(DenoisingLayer(inputs, hidden_dim, corruption_level) for inputs in widths)

    def forward(self, x):
        """(B, num_pixels) pictures to (B, hidden_dim) codes."""
        for block in self.blocks:
            x = block.encode(x)
        return x


class PretrainedClassifier(nn.Module):
    """Pre-trained layers and a classifier on top.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of each layer.
        depth: number of layers.
        num_classes: width of the output.
        corruption_level: share of a layer's inputs that are set to 0 while it is pre-trained.
    """

    def __init__(self, num_pixels, hidden_dim, depth, num_classes, corruption_level):
        super().__init__()
        self.features = Features(num_pixels, hidden_dim, depth, corruption_level)
        self.head = nn.Linear(hidden_dim, num_classes)

    def forward(self, x):
        """(B, num_pixels) pictures to (B, num_classes) logits."""
        return self.head(self.features(x))


def reconstruction_loss(model, batch):
    """The sum of what each layer loses of its own inputs; no layer learns for the one above."""
    x, loss = batch["x"], 0.0
    for block in model.features.blocks:
        loss += torch.mean((block(x) - x) ** 2)
        x = block.encode(x).detach()
    return loss


def classification_loss(model, batch):
    """Cross-entropy on the labels; the decoders have no part in it."""
    return F.cross_entropy(model(batch["x"]), batch["y"])


PHASES = (Phase("features", loss=reconstruction_loss), Phase("", loss=classification_loss))


def fit(run, epochs, report):
    """An eighth of the epochs for each layer, on all pictures without their labels; the rest on the labelled ones."""
    codes = train.to_tensors(run, data.load("digits", {"flat": True}).train)["x"]
    labelled = train.to_tensors(run, data.load(run.twin.data, run.twin.data_options).train)
    rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    each, start = epochs // 8, 0

    for block in run.model.features.blocks:
        reconstruct(block, codes, rate, batch_size, range(start, start + each), report)
        codes = block.encode(codes).detach()
        start += each
    classify(run.model, labelled, rate, batch_size, range(start, epochs), report)


def classify(model, rows, rate, batch_size, epochs, report):
    """Train a model for some epochs to tell the labels."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    model.train()
    for epoch in epochs:  # differs: PyTorch's loop is written out
        total = 0.0
        for chosen in torch.randperm(len(rows["y"])).split(batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(rows["x"][chosen]), rows["y"][chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(chosen)
        report(epoch, {"loss": float(total) / len(rows["y"])})
