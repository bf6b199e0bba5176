"""Stacked autoencoder: one layer learns at a time, and then all learn together.

Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks" (2007), section 4. The first
layer is trained as an autoencoder of the pictures, and its decoder is set aside; the second as an autoencoder of the
first one's codes, which are computed once. Then the two encoders and the two decoders are put one on the other, and
the whole learns to reconstruct the pictures. Each of the small trainings is easier than that of the deep network, and
they leave it at a better place to start from than random weights are.

Departures: the squared error in place of the cross-entropy; the decoders have weights of their own, where the paper
has the encoder's, transposed.

Slides: deck C, "Stacked autoencoder" and "Training, one layer at a time".
"""

import torch
from torch import nn

from torch_impl import train
from twin import data
from twin.spec import Phase


class AutoencoderLayer(nn.Module):
    """One layer of the encoder and its counterpart in the decoder: an autoencoder by itself.

    Args:
        inputs: width of what it encodes.
        units: width of its code.
    """

    def __init__(self, inputs, units):
        super().__init__()
        self.encoder = nn.Linear(inputs, units)
        self.decoder = nn.Linear(units, inputs)

    def forward(self, x):
        """(B, inputs) rows in [0, 1] to their reconstructions (B, inputs)."""
        return self.decode(self.encode(x))

    def encode(self, x):
        """(B, inputs) rows to (B, units) codes in [0, 1]."""
        return torch.sigmoid(self.encoder(x))

    def decode(self, code):
        """(B, units) codes to (B, inputs) rows in [0, 1]."""
        return torch.sigmoid(self.decoder(code))


class StackedAutoencoder(nn.Module):
    """Two autoencoders, the second within the first.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of the first one's code.
        latent_dim: width of the second one's code.
    """

    def __init__(self, num_pixels, hidden_dim, latent_dim):
        super().__init__()
        self.layer1 = AutoencoderLayer(num_pixels, hidden_dim)
        self.layer2 = AutoencoderLayer(hidden_dim, latent_dim)

    def forward(self, x):
        """(B, num_pixels) pictures in [0, 1] to their reconstructions (B, num_pixels)."""
        return self.decode(self.encode(x))

    def encode(self, x):
        """(B, num_pixels) pictures to (B, latent_dim) codes."""
        return self.layer2.encode(self.layer1.encode(x))

    def decode(self, code):
        """(B, latent_dim) codes to (B, num_pixels) pictures."""
        return self.layer1.decode(self.layer2.decode(code))


def layer1_loss(model, batch):
    """What the first layer alone makes of the pictures."""
    return torch.mean((model.layer1(batch["x"]) - batch["x"]) ** 2)


def layer2_loss(model, batch):
    """What the second layer alone makes of the first one's codes; the first is not trained here."""
    with torch.no_grad():  # differs: torch stops gradients by not recording
        codes = model.layer1.encode(batch["x"])
    return torch.mean((model.layer2(codes) - codes) ** 2)


def whole_loss(model, batch):
    """What all layers together make of the pictures."""
    return torch.mean((model(batch["x"]) - batch["x"]) ** 2)


PHASES = (Phase("layer1", loss=layer1_loss), Phase("layer2", loss=layer2_loss), Phase("", loss=whole_loss))


def fit(run, epochs, report):
    """A third of the epochs: the first layer; a third: the second, on codes that are computed once; the rest: all."""
    x = train.to_tensors(run, data.load(run.twin.data, run.twin.data_options).train)["x"]
    rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    first, second = epochs // 3, epochs * 2 // 3

    reconstruct(run.model.layer1, x, rate, batch_size, range(first), report)
    with torch.no_grad():  # differs: torch would record the pass for its gradients
        codes = run.model.layer1.encode(x)
    reconstruct(run.model.layer2, codes, rate, batch_size, range(first, second), report)
    reconstruct(run.model, x, rate, batch_size, range(second, epochs), report)


def reconstruct(model, rows, rate, batch_size, epochs, report):
    """Train a model for some epochs to give back its inputs."""
    optimizer, criterion = torch.optim.Adam(model.parameters(), rate), nn.MSELoss()
    model.train()
    for epoch in epochs:  # differs: PyTorch's loop is written out
        total = 0.0
        for chosen in torch.randperm(len(rows)).split(batch_size):
            optimizer.zero_grad()
            loss = criterion(model(rows[chosen]), rows[chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(chosen)
        report(epoch, {"loss": float(total) / len(rows)})
