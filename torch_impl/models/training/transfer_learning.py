"""Transfer learning: what a network learned on many pictures serves it on few of another kind.

Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?" (2014), sections 2 and 4.
The first layers of a network find edges, spots and textures whatever it was trained for. So they are trained where
pictures abound (the source), frozen, and given a new head that learns from few pictures (the target); at last
everything is tuned, with small steps. Here the source is which of eight pictures a patch is from, and the target is
whether one of 40 pictures shows a face: frozen features that were never trained get much less of it right.

Departures: three small convolutions in place of AlexNet's eight layers.

To freeze is not the same in the two frameworks. In Keras, `trainable = False` also puts BatchNorm into inference
mode, so that its statistics stay. In PyTorch, `requires_grad_(False)` only stops the gradients: without `eval()` a
frozen BatchNorm goes on to normalize by the batch, and moves its statistics to the target's.

Slides: deck B, "Transfer learning", "Pre-training" and "Fine-tuning"; deck C, VGG16 as what one transfers from.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl import train
from twin import data
from twin.data.textures import PICTURES
from twin.spec import Phase


class Features(nn.Module):
    """Three times convolution, BatchNorm, ReLU and pooling, and then global average pooling.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution; each of the others doubles them.
    """

    def __init__(self, image_shape, width):
        super().__init__()
        self.blocks = nn.ModuleList()
        in_channels = image_shape[-1]  # differs: torch's layers ask for their inputs' sizes
        for channels in (width, 2 * width, 4 * width):
            self.blocks.append(nn.Conv2d(in_channels, channels, kernel_size=3, padding="same", bias=False))
            self.blocks.append(nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1))
            self.blocks.append(nn.ReLU())
            self.blocks.append(nn.MaxPool2d(2))
            in_channels = channels  # differs: torch's layers ask for their inputs' sizes

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, 4 * width) features."""
        for block in self.blocks:
            x = block(x)
        return torch.mean(x, dim=(2, 3))


class TransferNet(nn.Module):
    """Features that may be frozen, and a head.

    Args:
        image_shape: height, width and channels; height and width divisible by eight.
        width: channels of the first convolution.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, num_classes):
        super().__init__()
        self.base = Features(image_shape, width)
        self.head = nn.Linear(4 * width, num_classes)
        self.freeze(True)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        if self.frozen:
            self.base.eval()  # differs: what has no gradients is still in training mode
        return self.head(self.base(x))

    def freeze(self, frozen):
        """Whether the features stay as they are, with the statistics that they normalize by."""
        self.base.requires_grad_(not frozen)
        self.frozen = frozen  # differs: torch's mode does not follow from what trains


def head_loss(model, batch):
    """Cross-entropy on the target, while the features are frozen."""
    return F.cross_entropy(model(batch["x"]), batch["y"])


PHASES = (Phase("head", loss=head_loss),)


def fit(run, epochs, report):
    """A tenth of the epochs: the features, on the source; six tenths: the head, on the target; the rest: both."""
    source = train.to_tensors(run, data.load("textures").train)
    target = train.to_tensors(run, data.load(run.twin.data, run.twin.data_options).train)
    learning_rate, batch_size = run.twin.optimizer.learning_rate, run.twin.batch_size
    first, second = epochs // 10, epochs * 7 // 10

    run.model.freeze(False)
    pretrained = nn.Sequential(run.model.base, nn.Linear(run.model.head.in_features, len(PICTURES)).to(run.device))
    learn(pretrained, source, learning_rate, batch_size, range(first), report)
    run.model.freeze(True)
    learn(run.model, target, 10 * learning_rate, batch_size, range(first, second), report)
    run.model.freeze(False)
    learn(run.model, target, learning_rate / 10, batch_size, range(second, epochs), report)


def learn(model, rows, learning_rate, batch_size, epochs, report):
    """Train what is not frozen of a model for some epochs."""
    # differs: torch's optimizer is told what it trains
    optimizer = torch.optim.Adam(
        [parameter for parameter in model.parameters() if parameter.requires_grad], learning_rate
    )
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
