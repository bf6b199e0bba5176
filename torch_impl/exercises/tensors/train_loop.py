"""A whole training, written out: data set, loader, model, schedule, train, evaluate, monitor, save and load.

Everything that decides about the outcome comes in as data (the pictures, the first weights, the order of the rows in
each epoch), so that the two frameworks go the same way step by step. Keras has this loop ready as `fit`, which finds
the same losses to the last digit: nothing else happens inside it. PyTorch leaves the loop to its user.

Robbins and Monro, "A stochastic approximation method" (1951): steps along noisy gradients, ever smaller. Here the rate
is halved after each epoch, which is exact in binary numbers, so that the rates too can be compared to the last digit.
Keras states that per step (so many to a halving), PyTorch per call of `schedule.step()`, once an epoch.

Departures from the slides: plain SGD instead of Adam, because the frameworks add Adam's epsilon at different places;
cross-entropy instead of the squared error, because digits are classes; tanh between the two dense layers.

Slides: deck E, the steps of a training from "Custom Dataset" to "Train & evaluate"; homework 1 (saving, monitoring).
"""

import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

BATCH = 32  # 400 rows make twelve batches and a last one of 16
RATE = 0.5
DECAY = 0.5


class Digits(Dataset):  # differs: PyTorch's data set hands out single rows; Keras's, batches
    """Rows of tensors."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class Orders(Sampler):  # differs: in PyTorch a sampler says which row is next, and the DataLoader makes batches
    """The rows in the order of the epoch."""

    def __init__(self, orders):
        self.orders, self.epoch = orders, 0

    def __len__(self):
        return self.orders.shape[1]

    def __iter__(self):
        return iter(self.orders[self.epoch].tolist())


class Network(nn.Module):
    """Two dense layers.

    Args:
        pixels: width of the input.
        hidden: units of the first layer.
        num_classes: width of the output.
    """

    def __init__(self, pixels, hidden, num_classes):
        super().__init__()
        self.dense1 = nn.Linear(pixels, hidden)
        self.dense2 = nn.Linear(hidden, num_classes)

    def forward(self, x):
        """(B, pixels) to (B, num_classes) logits."""
        return self.dense2(torch.tanh(self.dense1(x)))


def run(x, y, x_test, y_test, w1, b1, w2, b2, orders):
    """(N, 64) pictures, labels, (64, 32) and (32, 10) weights and (epochs, N) orders to the course of the training."""
    loader = DataLoader(Digits(x, y), batch_size=BATCH, sampler=Orders(orders))
    model = start(w1, b1, w2, b2)
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    history = train(model, loader, optimizer, len(orders), x_test, y_test)
    logits = model(x_test)

    loaded = start(*(torch.zeros_like(weight) for weight in (w1, b1, w2, b2)))
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "digits.pt")
        loaded.load_state_dict(torch.load(Path(folder) / "digits.pt", weights_only=True))

    fitted = start(w1, b1, w2, b2)
    return {
        **{name: torch.tensor(values, dtype=x.dtype) for name, values in history.items()},
        "fit_losses": torch.tensor(fit(fitted, x, y, orders), dtype=x.dtype),
        "fit_logits": fitted(x_test),
        "logits": logits,
        "logits_after_loading": loaded(x_test),
    }


def start(w1, b1, w2, b2):
    """A network with the given weights, (in, out) as Keras keeps them."""
    model = Network(*w1.shape, w2.shape[1]).to(w1.dtype)
    # differs: torch keeps weights by name, (out, in)
    model.load_state_dict({"dense1.weight": w1.T, "dense1.bias": b1, "dense2.weight": w2.T, "dense2.bias": b2})
    return model


def train(model, loader, optimizer, epochs, x_test, y_test):
    """Train so many epochs; return what a monitor would draw: losses, rates, and accuracies on the test rows."""
    loss_of = nn.CrossEntropyLoss()
    # differs: torch's schedule stands beside the optimizer
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=DECAY)

    def step(batch):
        """One update: the loss before it, and the rate that it was taken with."""
        inputs, target = batch
        rate = schedule.get_last_lr()[0]
        optimizer.zero_grad()  # differs: torch adds gradients up until told to stop
        # Step 1, the loss of the batch.
        loss = loss_of(model(inputs), target)
        # Step 2, the gradients.
        loss.backward()  # differs: torch leaves gradients in the parameters
        # Step 3, the weights move against them.
        optimizer.step()
        return loss.detach(), rate

    history = {"losses": [], "rates": [], "epoch_losses": [], "accuracies": []}
    for epoch in range(epochs):
        loader.sampler.epoch = epoch
        model.train()  # differs: torch's mode is set beforehand; a sum is enough for the mean
        total = 0.0
        # Every batch of the epoch, in its order.
        for inputs, target in loader:
            loss, rate = step((inputs, target))
            total += loss * len(target)  # the last batch is smaller and counts less
            history["losses"].append(loss)
            history["rates"].append(rate)
        schedule.step()  # differs: torch's schedule is told when an epoch ends

        # How good is it now, on rows that it has not seen?
        model.eval()  # differs: torch's mode and the recording are set beforehand
        with torch.no_grad():
            hits = torch.argmax(model(x_test), dim=-1) == y_test
        history["epoch_losses"].append(total / len(loader.dataset))
        history["accuracies"].append(torch.mean(hits.to(x_test.dtype)))
        report(epoch, history)
    return history


def fit(model, x, y, orders):
    """The same by what is ready, one mean loss an epoch: Keras's `fit`; PyTorch has none, and so the bare loop."""
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=DECAY)
    losses = []
    for order in orders:  # differs: PyTorch's loop is written out
        total = 0.0
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        schedule.step()
        losses.append(total / len(x))
    return losses


def report(epoch, history):
    """Progress, a line an epoch; TensorBoard or Weights & Biases would take the same numbers."""
    loss, accuracy, rate = (float(history[name][-1]) for name in ("epoch_losses", "accuracies", "rates"))
    print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.3f}, rate {rate:g}")
