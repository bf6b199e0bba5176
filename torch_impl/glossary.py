"""PyTorch's side of the glossary (twin/glossary.py): a function per entry, in its order.

`model` is Sequential: Linear(3, 4), ReLU and Linear(4, 2), with the same weights on both sides and zero biases. `x` is
(8, 3), `y` its targets (8, 2), `labels` its classes (8,), `image` (B, C, H, W), `folder` an empty one.
"""

import inspect
import tempfile

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from torch_impl.train import to_array, to_tensor
from twin.glossary import ENTRIES
from twin.glossary import inputs as given
from twin.spec import Layout


def tensor(x):
    t = torch.from_numpy(x.numpy())
    return t + 1


def axis(x):
    return torch.mean(x, dim=1)


def numpy(x):
    array = x.detach().cpu().numpy()
    return array.cumsum()


def channels(image):
    batch, depth, height, width = image.shape
    return batch, height, width, depth


def layer(model):
    last = model[-1]
    return isinstance(last, nn.Module), isinstance(model, nn.Module)


def dense(x):
    units = nn.Linear(3, 5)
    return units(x).shape


def kernel(model):
    first = model[0]
    return first.weight.T


def convolution(image):
    conv = nn.Conv2d(3, 8, 3)
    return conv(image).permute(0, 2, 3, 1).shape


def padding(image):
    conv = nn.Conv2d(3, 8, 3, padding=1)
    return conv(image).permute(0, 2, 3, 1).shape


def pooling(image):
    return nn.MaxPool2d(2)(image)


def global_pooling(image):
    return nn.AdaptiveAvgPool2d(1)(image).flatten(1)


def flatten(image):
    return nn.Flatten()(image.permute(0, 2, 3, 1))


def activation(x):
    layer = nn.Linear(3, 3)
    nn.init.eye_(layer.weight), nn.init.zeros_(layer.bias)
    return torch.relu(layer(x))


def embedding(labels):
    table = nn.Embedding(num_embeddings=2, embedding_dim=5)
    return table(labels).shape


def mask(x):
    steps, kept = x.reshape(2, 4, 3), torch.tensor([1.0, 1.0, 0.0, 0.0])
    return (steps * kept[:, None]).sum(1) / kept.sum()


def recurrent(x):
    every, (_h, _c) = nn.LSTM(3, 5, batch_first=True)(x[None])
    return every.shape


def bidirectional(x):
    every, _ = nn.LSTM(3, 5, batch_first=True, bidirectional=True)(x[None])
    return every.shape


def attention(x):
    tokens = x[None, None]  # (B, heads, T, D)
    return F.scaled_dot_product_attention(tokens, tokens, tokens)[0, 0]


def ctc(x):
    logs, labels = F.log_softmax(x[:, None], dim=-1), torch.tensor([[1, 2]])  # (T, B, classes) and (B, S)
    return F.ctc_loss(logs, labels, (len(x),), (2,), reduction="none")[0]


def dropout(x):
    kept = nn.Dropout(0.5)(torch.ones(100, 100))
    return kept.max()


def sequential(x):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return model(x).shape


def functional(x):
    class Joined(nn.Module):
        def forward(self, x):
            return torch.cat([x, torch.relu(x)], dim=-1)

    return Joined()(x)


def subclass(x):
    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x

    return Twice()(x)


def custom_layer(x):
    class Scale(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(width))

        def forward(self, x):
            return self.scale * x

    return Scale(3)(x)


def initializer(x):
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    return layer(x)


def summary(model):
    print(model)
    return sum(p.numel() for p in model.parameters())


def trainable(model):
    model[0].requires_grad_(False)
    return len([p for p in model.parameters() if p.requires_grad])


def statistics(x):
    norm = nn.BatchNorm1d(3, momentum=0.1)
    norm(x)
    return norm.running_mean


def transfer(model, x):
    backbone = nn.Sequential(*list(model.children())[:-1])
    return backbone(x)


def hook(model, x):
    seen = []
    model[1].register_forward_hook(lambda module, args, output: seen.append(output))
    model(x)
    return seen[0]


def transposed(image):
    twice = nn.ConvTranspose2d(3, 8, 2, stride=2)
    batch, depth, height, width = twice(image).shape
    return batch, height, width, depth


def unpooling(image):
    pooled, places = F.max_pool2d(image, 2, return_indices=True)
    return F.max_unpool2d(pooled, places, 2)


def iou(boxes):
    low = torch.maximum(boxes[:, None, :2], boxes[:, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return shared / (area[:, None] + area - shared)


def nms(boxes):
    overlaps = iou(boxes)  # boxes come best first
    kept = []
    for number, row in enumerate(overlaps):
        if not (row[kept] > 0.5).any():
            kept.append(number)
    return boxes[kept]


def anchor():
    y, x = torch.meshgrid(torch.arange(0.5, 2), torch.arange(0.5, 3), indexing="ij")
    centres = torch.stack([x, y, x, y], dim=-1).reshape(-1, 4)
    return centres + torch.tensor([-2.0, -1.0, 2.0, 1.0])


def proposal(boxes):
    scores = torch.tensor([0.1, 0.9, 0.3, 0.7])
    _, places = torch.topk(scores, 2)
    return boxes[places]


def roi_pooling(image):
    region = image[:, :, 1:6, 0:3]
    return nn.AdaptiveMaxPool2d(2)(region)


def roi_align(image):
    places = torch.tensor([[0.0, 1.5], [1.5, 2.25]])  # columns and rows, in pixels
    size = torch.tensor([4.0, 6.0])
    grid = 2 * (places.T + 0.5) / size - 1
    return F.grid_sample(image[:1, :1], grid[None, None], align_corners=False)[0, 0, 0]


def prototype(image):
    coefficients = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]])
    masks = torch.einsum("bkhw,nk->bnhw", image, coefficients)
    return torch.sigmoid(masks)


def box_loss(x):
    distance = nn.SmoothL1Loss(beta=1.0)
    return distance(x, torch.zeros_like(x))


def policy_gradient(x, labels):
    policy = torch.distributions.Categorical(logits=x)
    taken = policy.log_prob(labels)  # instead of policy.sample()
    return -taken.mean()


def message_passing(x):
    sender, receiver = torch.tensor([0, 1, 4]), torch.tensor([2, 2, 0])
    return torch.zeros(8, 3).index_add(0, receiver, x[sender])


def compile(model, x, y):
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.01), nn.MSELoss()
    loss = criterion(model(x), y)
    loss.backward(), optimizer.step()
    return loss


def fit(model, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        for rows, targets in DataLoader(TensorDataset(x, y), batch_size=4):
            optimizer.zero_grad()
            F.mse_loss(model(rows), targets).backward()
            optimizer.step()
    return model[0].weight.T


def train_step(model, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.mean((model(x) - y) ** 2).backward()
    optimizer.step()
    return model(x)


def gradient(model, x, y):
    loss = torch.mean((model(x) - y) ** 2)
    loss.backward()
    return model[0].weight.grad.T


def loss(model, x, labels):
    return F.cross_entropy(model(x), labels)


def optimizer(model, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-8)
    F.mse_loss(model(x), y).backward()
    optimizer.step()
    return model[2].weight.T


def schedule():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler, rates = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5), []
    for _ in range(3):
        rates += scheduler.get_last_lr()
        optimizer.step(), scheduler.step()
    return rates


def epoch(model, x, y):
    steps = 0
    for _epoch in range(3):
        for _batch in DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True):
            steps += 1
    return steps


def regularizer(x, y):
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.02)
    F.mse_loss(layer(x), y).backward()
    optimizer.step()
    return layer.weight.T


def clipping(model, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    F.mse_loss(model(x), y).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    return model[0].weight.T


def training_flag(x):
    layer = nn.Dropout(0.5).eval()
    return layer(x)


def callback(model, x, y):
    optimizer, seen = torch.optim.SGD(model.parameters(), lr=0.01), []
    for epoch in range(3):
        F.mse_loss(model(x), y).backward(), optimizer.step(), optimizer.zero_grad()
        seen += [epoch]
    return seen


def metric(model, x, labels):
    hits = model(x).argmax(dim=-1) == labels
    return hits.float().mean()


def evaluate(model, x, y):
    model.eval()
    with torch.inference_mode():
        losses = [F.mse_loss(model(rows), t) for rows, t in DataLoader(TensorDataset(x, y), batch_size=4)]
    return sum(losses) / len(losses)


def predict(model, x):
    model.eval()
    with torch.inference_mode():
        return model(x)


def dataset(x, y):
    class Rows(Dataset):
        def __len__(self):
            return len(x)

        def __getitem__(self, index):
            return x[index], y[index]

    return torch.stack([Rows()[index][0] for index in range(4, 8)])


def loader(model, x, y):
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.01), []
    for rows, targets in DataLoader(TensorDataset(x, y), batch_size=4):
        optimizer.zero_grad()
        losses.append(F.mse_loss(model(rows), targets))
        losses[-1].backward()
        optimizer.step()
    return sum(losses) / len(losses)


def weights(model):
    named = model.state_dict()
    return named["0.weight"].T @ named["2.weight"].T


def save(model, x, folder):
    torch.save(model.state_dict(), f"{folder}/model.pt")
    model.load_state_dict(torch.load(f"{folder}/model.pt", weights_only=True))
    return model(x)


def export(model, x, folder):
    torch.export.save(torch.export.export(model, (x,)), f"{folder}/model.pt2")
    return torch.export.load(f"{folder}/model.pt2").module()(x)


def device(x):
    return x.to("cpu") + 1


def precision(x):
    layer = nn.Linear(3, 2)
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x).dtype == torch.bfloat16, layer.weight.dtype == torch.float32


def seed():
    torch.manual_seed(1)
    first = torch.randn(3)
    torch.manual_seed(1)
    return torch.randn(3) == first


def make_model(hidden, output):
    """The model that the functions are given."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    named = {"0.weight": hidden.T, "0.bias": np.zeros(4), "2.weight": output.T, "2.bias": np.zeros(2)}
    model.load_state_dict({name: torch.tensor(np.asarray(array)) for name, array in named.items()})
    return model


def answers() -> dict[str, np.ndarray]:
    """What each entry's lines give; images with their channels last."""
    arrays = given()
    layouts: dict[int, Layout] = {4: "images"}
    found = {}
    for name in ENTRIES:
        with tempfile.TemporaryDirectory(prefix="twin-") as folder:
            offered = {
                **{each: to_tensor(array, layout=layouts.get(array.ndim, "as is")) for each, array in arrays.items()},
                "model": make_model(arrays["hidden"], arrays["output"]),
                "folder": folder,
            }
            function = globals()[name]
            got = function(**{each: offered[each] for each in inspect.signature(function).parameters})
            found[name] = (
                to_array(got, layouts.get(got.ndim, "as is")) if isinstance(got, torch.Tensor) else np.asarray(got)
            )
    return found
