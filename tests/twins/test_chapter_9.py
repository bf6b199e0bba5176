"""Unsupervised and generative models, by numbers: what chapter 9's networks are said to do, and against what.

PyTorch's side is held against independent referees: scikit-learn, PyTorch's DCGAN tutorial, counts from the papers. The
ladder has shown that Keras gives the same.
"""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from torch import nn

from torch_impl import train
from torch_impl.models.generative import dcgan, pretraining, rbm, stacked_autoencoder
from twin import data, metrics
from twin.catalogue import find
from twin.data import digits


def quiet(epoch, losses):
    """Who trains need not say so."""


def rows_of(name):
    twin = find(name)
    return data.load(twin.data, twin.data_options)


def started(name, seed=0):
    """A run of the small size, as it was drawn."""
    twin = find(name)
    return train.build(twin, dict(twin.small.arguments), seed=seed)


@cache
def trained(name, seed=0):
    """The same, after the catalogue's training."""
    run, rows = started(name, seed), rows_of(name).train
    train.prepare(run, steps=1)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(rows["x"])) for _ in range(run.twin.epochs)]
    train.fit(run, rows, orders, quiet)
    return run


def measured(run):
    """The twin's metric on the test part."""
    metric = getattr(metrics, run.twin.metric.name)
    return metric(lambda x: train.predict(run, x), rows_of(run.twin.name).test)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def paper_model(name):
    twin = find(name)
    with torch.device("meta"):
        return getattr(train.load_module(twin), twin.model)(**twin.paper_size.arguments)


# Autoencoder


def principal_components(code):
    """The test error of the best linear code of that length."""
    flat = digits.load(flat=True)
    pca = PCA(code).fit(flat.train["x"])
    return float(((pca.inverse_transform(pca.transform(flat.test["x"])) - flat.test["x"]) ** 2).mean())


def test_a_nonlinear_code_says_more_than_principal_components_of_the_same_length():
    run = trained("autoencoder")
    assert measured(run) < 0.65 * principal_components(run.twin.small.arguments["latent_dim"])


def test_a_linear_autoencoder_finds_principal_components():
    flat = digits.load(flat=True)
    x, test = (torch.from_numpy(part["x"]).double() for part in (flat.train, flat.test))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 64)).double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=400, tolerance_change=0, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = ((model(x) - x) ** 2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        assert ((model(test) - test) ** 2).mean().item() == pytest.approx(principal_components(8), rel=0.01)


def test_the_published_autoencoder_has_the_widths_of_the_papers_figure():
    widths = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
    assert parameters(paper_model("autoencoder")) == sum(before * after + after for before, after in pairwise(widths))


def test_erratum_c_autoencoder_is_no_generator():
    run = trained("autoencoder")
    test = rows_of("autoencoder").test
    x = torch.from_numpy(test["x"])
    with torch.no_grad():
        codes = run.model.encode(x)
        drawn = torch.randn(codes.shape, generator=torch.Generator().manual_seed(0))
        shuffled = torch.stack([column[torch.randperm(len(column))] for column in codes.T], dim=1)
        pictures = {name: run.model.decode(code).numpy() for name, code in (("own", codes), ("drawn", drawn))}
        pictures["shuffled"] = run.model.decode(shuffled).numpy()
    far = {
        name: metrics.frechet_distance(lambda _, y=y: {"y": y}, {"x": x, "real": x.numpy()})
        for name, y in pictures.items()
    }
    assert far["drawn"] > 10 * far["own"]
    assert far["shuffled"] > 2 * far["own"]  # even codes whose every value occurs, but not together


# Stacked autoencoder


def test_the_second_layer_learns_without_the_first():
    run = started("stacked_autoencoder")
    x = torch.from_numpy(rows_of("stacked_autoencoder").train["x"])
    before = [parameter.detach().clone() for parameter in run.model.layer1.parameters()]
    with torch.no_grad():
        codes = run.model.layer1.encode(x)
    stacked_autoencoder.reconstruct(run.model.layer2, codes, 1e-2, 32, range(1), quiet)
    assert all(map(torch.equal, before, run.model.layer1.parameters()))


def test_layers_that_learned_alone_are_a_better_start_than_random_weights():
    layered, at_once = trained("stacked_autoencoder"), started("stacked_autoencoder")
    x = torch.from_numpy(rows_of("stacked_autoencoder").train["x"])
    together = at_once.twin.epochs // 3  # as long as the layers learned together
    stacked_autoencoder.reconstruct(at_once.model, x, 1e-2, 32, range(together), quiet)
    assert measured(layered) < 0.7 * measured(at_once)
    assert measured(layered) < principal_components(16)


# Pre-training


def test_pre_training_helps_where_labels_are_few():
    gains = []
    for seed in (0, 1):
        scratch = started("pretraining", seed)
        labelled = train.to_tensors(scratch, rows_of("pretraining").train)
        pretraining.classify(scratch.model, labelled, 2e-3, 32, range(60), quiet)
        gains.append(measured(trained("pretraining", seed)) - measured(scratch))
    assert np.mean(gains) > 0.05


def test_fifty_labels_are_five_of_each_digit_and_none_of_a_test_picture():
    few = rows_of("pretraining")
    assert np.bincount(few.train["y"]).tolist() == [5] * 10
    everything = digits.load(flat=True)
    known = {row.tobytes() for row in everything.train["x"]}
    assert all(row.tobytes() in known for row in few.train["x"])
    assert few.test["x"] is not few.train["x"]


def test_labels_do_not_move_the_decoders():
    run = started("pretraining")
    batch = train.to_tensors(run, rows_of("pretraining").train)
    pretraining.classification_loss(run.model, batch).backward()
    moved = {name for name, parameter in run.model.named_parameters() if parameter.grad is not None}
    assert {name for name, _ in run.model.named_parameters()} - moved == {
        f"features.blocks.{number}.decoder.{kind}" for number in range(5) for kind in ("weight", "bias")
    }


# Restricted Boltzmann machines and the deep belief network


def test_a_machine_sees_what_scikit_learns_machine_sees():
    model = rbm.RBM(64, 32).double()
    referee = BernoulliRBM(32)
    referee.components_ = model.weight.detach().numpy().T
    referee.intercept_hidden_ = np.linspace(-1, 1, 32)
    with torch.no_grad():
        model.hidden_bias.copy_(torch.from_numpy(referee.intercept_hidden_))
        x = rows_of("dbn").test["x"].astype(np.float64)
        np.testing.assert_allclose(model.hidden_probs(torch.from_numpy(x)), referee.transform(x), rtol=1e-12)


class MeanField(BernoulliRBM):
    """scikit-learn's machine with what ours departs from: the reconstruction is probabilities, not drawn pixels."""

    def _sample_visibles(self, h, rng):
        return expit(h @ self.components_ + self.intercept_visible_)


def test_an_update_is_scikit_learns():
    """One step of contrastive divergence by both, from the same weights, pictures and hidden states."""
    x, rng = rows_of("dbn").test["x"][:50].astype(np.float64), np.random.default_rng(0)
    model, draws = rbm.RBM(64, 32).double(), rng.random((50, 32))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(0.3 * rng.standard_normal(parameter.shape)))
        batch = {"x": torch.from_numpy(x), "hidden_uniform": torch.from_numpy(draws)}
        _, gradients = rbm.contrastive_divergence(model, batch)

    referee = MeanField(32, learning_rate=0.1)
    before = {
        "weight": model.weight.detach().numpy().T.copy(),
        "hidden_bias": model.hidden_bias.detach().numpy().copy(),
        "visible_bias": model.visible_bias.detach().numpy().copy(),
    }
    names = {"weight": "components_", "hidden_bias": "intercept_hidden_", "visible_bias": "intercept_visible_"}
    for name, theirs in names.items():
        setattr(referee, theirs, before[name].copy())
    referee.h_samples_ = (draws < referee._mean_hiddens(x)).astype(float)  # of these pictures: CD, not persistent
    referee._fit(x, np.random.RandomState(0))
    for name, theirs in names.items():
        moved = (getattr(referee, theirs) - before[name]) / 0.1
        np.testing.assert_allclose(moved.T if name == "weight" else moved, -gradients[name].numpy(), atol=1e-12)


def test_a_belief_network_classifies_as_well_as_scikit_learns_stack():
    rows = rows_of("dbn")
    machines = [BernoulliRBM(units, learning_rate=0.06, n_iter=15, random_state=0) for units in (64, 64, 128)]
    referee = make_pipeline(*machines, LogisticRegression(max_iter=1000)).fit(rows.train["x"], rows.train["y"])
    assert measured(trained("dbn")) > referee.score(rows.test["x"], rows.test["y"])


def test_hardly_any_gradient_reaches_the_lowest_of_random_layers_and_they_learn_less():
    run, rows = started("dbn"), rows_of("dbn").train
    _, gradients = train.loss_and_gradients(replace(run, phases=run.phases[-1:]), {n: a[:64] for n, a in rows.items()})
    norms = [np.linalg.norm(gradients[name]) for name in ("rbm1.weight", "rbm3.weight", "head.weight")]
    assert norms[0] < 0.05 * norms[1] < 0.05 * norms[2]

    rng = np.random.default_rng(0)
    orders = {epoch: rng.permutation(len(rows["x"])) for epoch in range(30)}  # as many as after the machines
    train.fit_phase(run, run.phases[-1], rows, orders, quiet)
    assert measured(run) < measured(trained("dbn")) - 0.3


def test_a_belief_network_is_an_autoencoder_too():
    twin, rows = find("dbn"), rows_of("dbn")
    run = train.build(twin, dict(twin.small.arguments))
    rng = np.random.default_rng(0)
    orders = {epoch: rng.permutation(len(rows.train["x"])) for epoch in range(10)}
    for phase in run.phases[:-1]:
        train.fit_phase(run, phase, rows.train, orders, quiet)
    x = torch.from_numpy(rows.test["x"])
    with torch.no_grad():
        error = ((run.model.decode(run.model.encode(x)) - x) ** 2).mean()
    assert error < 0.6 * x.var(0, correction=0).mean()


def test_the_weights_of_the_published_belief_network():
    model = paper_model("dbn")
    weights = sum(parameter.numel() for parameter in model.parameters() if parameter.ndim == 2)
    assert weights == 784 * 500 + 500 * 500 + (500 + 10) * 2000  # 1.7 million, as the paper says


@pytest.mark.parametrize("half", ["both", "positive"])
def test_erratum_c_rbm_learning_is_no_minimum_of_energy(half):
    twin, rows = find("rbm"), data.load("binary_digits").train["x"]
    torch.manual_seed(0)
    model = rbm.RBM(**twin.small.arguments)
    x = torch.from_numpy(rows)
    norms = []
    with torch.no_grad():
        for _ in range(400):
            hidden = model.hidden_probs(x)
            update = x.T @ hidden / len(x)
            if half == "both":
                back = model.visible_probs((torch.rand_like(hidden) < hidden).to(hidden.dtype))
                update -= back.T @ model.hidden_probs(back) / len(x)
            model.weight += 0.1 * update
            norms.append(model.weight.norm().item())
    grown = norms[399] - norms[199]
    energy_alone = half == "positive"
    assert (grown > 0.9 * (norms[199] - norms[0])) == energy_alone


# DCGAN


def tutorial():
    """Generator and discriminator of PyTorch's DCGAN tutorial, for 64x64 colour pictures."""
    width, latent = 64, 100

    def up(before, after, *how):
        return [nn.ConvTranspose2d(before, after, 4, *how, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]

    def down(before, after):
        return [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]

    generator = nn.Sequential(
        *up(latent, 8 * width, 1, 0), *up(8 * width, 4 * width, 2, 1), *up(4 * width, 2 * width, 2, 1),
        *up(2 * width, width, 2, 1), nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), *down(width, 2 * width),
        *down(2 * width, 4 * width), *down(4 * width, 8 * width), nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False),
    )  # fmt: skip
    return generator, discriminator


def take_weights(ours, theirs):
    """Give our layers the tutorial's weights: the same layers of each kind, in the order of the forward pass."""
    kinds = nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d
    for kind in kinds:
        mine = [module for module in in_order(ours) if isinstance(module, kind)]
        other = [module for module in theirs if isinstance(module, kind)]
        for layer, source in zip(mine, other, strict=True):
            layer.load_state_dict(source.state_dict())


def in_order(player):
    ends = [getattr(player, name) for name in ("from_picture",) if hasattr(player, name)]
    return [
        *ends,
        *player.convs,
        *player.norms,
        player.to_picture if hasattr(player, "to_picture") else player.to_logit,
    ]


def test_the_tutorials_weights_give_the_tutorials_pictures_and_logits():
    torch.manual_seed(0)
    theirs = tutorial()
    ours = dcgan.DCGAN(latent_dim=100, width=64, image_shape=(64, 64, 3), slope=0.2)
    assert [parameters(player) for player in theirs] == [3_576_704, 2_765_568]
    z = torch.randn(4, 100)
    for training in (True, False):
        for mine, other in zip((ours.generator, ours.discriminator), theirs, strict=True):
            take_weights(mine, other)
            mine.train(training)
            other.train(training)
        with torch.no_grad():
            pictures = ours.generator(z)
            torch.testing.assert_close(pictures, theirs[0](z[:, :, None, None]))
            torch.testing.assert_close(ours.discriminator(pictures), theirs[1](pictures)[:, :, 0, 0])


def test_the_papers_generator_has_the_channels_of_its_figure():
    generator = paper_model("dcgan").generator
    assert [conv.out_channels for conv in generator.convs] == [1024, 512, 256, 128]
    assert generator.to_picture.out_channels == 3


def test_erratum_d_dcgan_keeps_a_matrix():
    generator = paper_model("dcgan").generator
    assert generator.convs[0].weight.numel() == 100 * 4 * 4 * 1024
    assert 0.12 < generator.convs[0].weight.numel() / parameters(generator) < 0.13
    small = started("dcgan").model.generator
    z = torch.randn(5, 16)
    with torch.no_grad():  # every latent value meets every place and channel: a matrix product
        product = z @ small.convs[0].weight.reshape(16, -1)
        torch.testing.assert_close(small.convs[0](z[:, :, None, None]).flatten(1), product)


def test_each_kind_of_picture_is_normalized_by_its_own_batch():
    model = started("dcgan").model.train()
    batch = {"x": torch.randn(8, 16), "real": torch.rand(8, 1, 16, 16)}
    torch.manual_seed(0)
    together = model.discriminator(torch.cat([batch["real"], model.generator(batch["x"])]))[:8]
    apart = model.discriminator(batch["real"])
    assert (together - apart).abs().max() > 1e-3 * apart.abs().max()
    expected = -nn.functional.logsigmoid(apart).mean()
    refused = -nn.functional.logsigmoid(-model.discriminator(model.generator(batch["x"]))).mean()
    torch.testing.assert_close(dcgan.discriminator_loss(model, batch), expected + refused)


@pytest.mark.parametrize("image_shape", [(24, 24, 1), (4, 4, 1), (16, 32, 1), (16, 16)])
def test_pictures_that_no_doubling_reaches_are_refused(image_shape):
    with pytest.raises(ValueError, match=r"Received: image_shape=\("):
        dcgan.DCGAN(latent_dim=4, width=4, image_shape=image_shape, slope=0.2)
