"""`twin weights`: names of public implementations, files of every kind, and what is said when something is amiss."""

import json
import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from compare.cli import app as cli
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination
from compare.weights import run as weights
from tests.helpers import torchvision_models
from tests.helpers.command import TWIN
from torch_impl import train
from torch_impl.describe import leaves
from twin.batches import perturb_constants
from twin.catalogue import find
from twin.errors import TwinError
from twin.layouts import LAYOUTS

ROOT = Path(__file__).parents[2]
TORCHVISION = {name: layout for name, known in LAYOUTS.items() for layout in known if layout.name == "torchvision"}
ODD = {"image_shape": (33, 33, 1), "num_classes": 10}  # odd sides are padded alike by torchvision and TensorFlow


def arguments_of(name):
    twin = find(name)
    return {**twin.paper_size.arguments, **ODD} if name == "efficientnet_b0" else dict(twin.small.arguments)


def torchvision(name):
    """torchvision's counterpart of the twin with perturbed weights, and its state dict as arrays."""
    torch.manual_seed(0)
    model = torchvision_models.make(name, arguments_of(name)).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)  # from PyTorch's own start, the picture fades on its way
    state = {key: value for key, value in model.state_dict().items() if "num_batches_tracked" not in key}
    arrays = perturb_constants({key: value.numpy().copy() for key, value in state.items()}, np.random.default_rng(1))
    for key, tensor in state.items():
        tensor.copy_(torch.from_numpy(arrays[key]))
    return model, arrays


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_twin_with_torchvision_weights_answers_as_torchvision_does(name):
    model, arrays = torchvision(name)
    run = train.build(find(name), arguments_of(name))
    own = TORCHVISION[name].to_twin(arrays, arguments_of(name))
    assert {key: a.shape for key, a in own.items()} == {k: a.shape for k, a in train.dump_weights(run).items()}
    train.load_weights(run, own)
    x = np.random.default_rng(2).normal(0, 10, (2, *arguments_of(name)["image_shape"])).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x).movedim(-1, 1)).numpy()
    assert np.linalg.norm(expected[0] - expected[1]) > 1e-2 * np.linalg.norm(expected)  # the picture matters
    got = train.forward(run, {"x": x})["y"]
    assert np.linalg.norm(got - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_names_there_and_back(name):
    arrays = torchvision(name)[1]
    layout, arguments = TORCHVISION[name], arguments_of(name)
    back = layout.from_twin(layout.to_twin(arrays, arguments), arguments)
    assert back.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_allclose(back[key], array, rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layer_of_the_published_size_has_one_name(name):
    twin = find(name)
    with torch.device("meta"):
        model = getattr(train.load_module(twin), twin.model)(**twin.paper_size.arguments)
    for layout in LAYOUTS[name]:
        paths = layout.paths(twin.paper_size.arguments)
        assert len(set(paths.values())) == len(paths)
        assert paths.keys() == {leaf.path for leaf in leaves(model, "")}


def test_names_from_before_torchvision_renamed_its_mlp_are_read():
    arrays = torchvision("vit")[1]
    old = {
        key.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): a for key, a in arrays.items()
    }
    assert old.keys() != arrays.keys()
    layout, arguments = TORCHVISION["vit"], arguments_of("vit")
    assert layout.to_twin(old, arguments).keys() == layout.to_twin(arrays, arguments).keys()


@pytest.fixture(scope="module")
def sessions():
    """One worker per side for all the files."""
    pool = Pool(Settings())
    yield {ENGINES[name].side: pool.start(ENGINES[name], "cpu") for name in ("keras-torch", "torch")}
    pool.close()


@pytest.fixture
def convert(sessions, tmp_path):
    """Convert between files of a folder of the test's own."""

    def crossing(name, source, target, layout="twin", size="small", arguments=None):
        files = tmp_path / source, tmp_path / target
        return weights.convert(find(name), size, *files, layout, sessions, arguments)

    return crossing


@pytest.mark.parametrize("name", ["vgg16", "vit"])
def test_a_state_dict_of_torchvision_to_keras_and_back(name, convert, tmp_path):
    model, arrays = torchvision(name)
    torch.save(model.state_dict(), tmp_path / "a.pth")
    for names in (
        ("a.pth", "b.weights.h5"),
        ("b.weights.h5", "c.safetensors"),
        ("c.safetensors", "d.pth", "torchvision"),
    ):
        crossing = convert(name, *names)
        assert crossing.agrees, crossing.text()
    found = torch.load(tmp_path / "d.pth", weights_only=True)
    assert found.keys() == model.state_dict().keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key].numpy(), array, err_msg=key)


@pytest.mark.parametrize(("name", "make"), [("efficientnet_b0", "EfficientNetB0"), ("resnet", "ResNet50")])
def test_a_file_of_keras_applications_to_pytorch_and_back(name, make, convert, tmp_path):
    keras.utils.set_random_seed(0)
    size = {"image_shape": (32, 32, 3), "num_classes": 10}
    model = getattr(keras.applications, make)(
        weights=None, input_shape=size["image_shape"], classes=10, classifier_activation=None
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        for weight in layer.weights if layer.name != "normalization" else ():
            weight.assign(perturb_constants({"": keras.ops.convert_to_numpy(weight.value)}, rng)[""])
    model.save_weights(tmp_path / "a.weights.h5")
    there = convert(name, "a.weights.h5", "b.pth", size="paper", arguments=size)
    back = convert(name, "b.pth", "c.weights.h5", "applications", "paper", size)
    assert there.agrees, there.text()
    assert back.agrees, back.text()
    assert there.kinds[0] == back.kinds[1] == f"Keras weights of keras.applications' {make}"


def test_a_conversion_that_changes_the_answers_is_not_kept(convert, tmp_path, monkeypatch):
    torch.save(torchvision("vit")[0].state_dict(), tmp_path / "a.pth")
    right = weights._Converter.carried

    def wrong(self, read, side):
        found = right(self, read, side)
        return found | {"head.kernel": found["head.kernel"] * 1.001}

    monkeypatch.setattr(weights._Converter, "carried", wrong)
    crossing = convert("vit", "a.pth", "b.weights.h5")
    assert not crossing.agrees
    assert crossing.to_json()["verdict"] == "differ"
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_names_that_do_not_fit_are_listed(convert, tmp_path):
    arrays = torchvision("vgg16")[1]
    arrays["extra.weight"] = arrays.pop("classifier.6.bias")
    save_file(arrays, tmp_path / "a.safetensors")
    with pytest.raises(TwinError, match=r"only in .*a\.safetensors: extra\.weight; only in vgg16 .*: dense3\.bias"):
        convert("vgg16", "a.safetensors", "b.weights.h5")


def test_resnet50_of_torchvision_is_not_taken_for_the_resnet_of_the_paper(convert, tmp_path):
    torch.save(torchvision("resnet50")[0].state_dict(), tmp_path / "a.pth")
    with pytest.raises(TwinError, match=r"the names are those of torchvision's resnet50, which is the twin resnet50"):
        convert("resnet", "a.pth", "b.weights.h5")


def test_a_pickle_that_runs_code_is_refused(convert, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"dense1.weight": Harmful()}, tmp_path / "a.pt")
    with pytest.raises(TwinError, match="can run code"):
        convert("mlp", "a.pt", "b.weights.h5")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_keras_file_is_one_clear_line(convert, tmp_path):
    (tmp_path / "a.weights.h5").write_bytes(b"nothing")
    with pytest.raises(TwinError, match="expected weights that Keras saved"):
        convert("mlp", "a.weights.h5", "b.pt")


PAIR = """
import {0}


def make():
    return {1}
"""
KERAS = (
    "keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3, activation='relu', name='conv'), "
    "keras.layers.Flatten(), keras.layers.Dense(5, name='head')])"
)
TORCH = "torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 5))"


@pytest.mark.parametrize("activation", ["ReLU", "Sigmoid"])
def test_a_pair_of_the_users_own_crosses_if_it_agrees(activation, sessions, tmp_path):
    (tmp_path / "mine.py").write_text(PAIR.format("keras", KERAS))
    (tmp_path / "theirs.py").write_text(PAIR.format("torch", TORCH.replace("ReLU", activation)))
    state = eval(TORCH).state_dict()
    torch.save(state, tmp_path / "a.pt")
    request = examination.Request(f"{tmp_path}/mine.py:make", f"{tmp_path}/theirs.py:make", shapes=[(6, 6, 3)])
    found = weights.convert_pair(request, tmp_path / "a.pt", tmp_path / "b.weights.h5", sessions)
    if activation == "Sigmoid":
        assert found.verdict == "differ"
        assert not (tmp_path / "b.weights.h5").exists()
        return
    assert found.agrees
    model = eval(KERAS)
    model.load_weights(tmp_path / "b.weights.h5")
    np.testing.assert_array_equal(model.get_layer("head").bias.numpy(), state["3.bias"].numpy())


def run(*arguments, cwd):
    """The command line in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*TWIN, "weights", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=cwd, env=env)


def test_the_command_writes_a_checked_file(tmp_path):
    mlp = train.build(find("mlp"), dict(find("mlp").small.arguments))
    torch.save(mlp.model.state_dict(), tmp_path / "a.pt")
    (tmp_path / "b.safetensors").write_text("old")
    options = "mlp", "--size", "small", "--from", "a.pt", "--to", "b.safetensors"
    refused = run(*options, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give --force" in refused.stderr
    answer = run(*options, "--force", "--json", "-", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["verdict"], found["distance"]) == ("agree", 0.0)
    for name, array in load_file(tmp_path / "b.safetensors").items():
        np.testing.assert_array_equal(array, mlp.model.state_dict()[name].numpy())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "whose weights?"),
        (["lenet", "--keras", "m.py:f", "--torch", "n.py:f"], "whose weights?"),
        (["--keras", "m.py:f"], "whose weights?"),
        (["lenet"], "from where to where?"),
        (["lenet", "--from", "none.pt", "--to", "b.pt"], "--from none.pt: no such file"),
        (["lenet", "--from", "a.pt", "--to", "b.onnx"], "--to b.onnx: expected a file that ends in"),
        (["lenet", "--from", "a.pt", "--to", "none/b.pt"], "no folder none"),
        (["lenett", "--from", "a.pt", "--to", "b.pt"], "did you mean lenet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_told_before_anything_starts(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.pt").touch()
    with pytest.raises(TwinError) as error:
        cli.app(["weights", *arguments], standalone_mode=False)
    assert says in str(error.value)
    assert (error.value.exit_code, str(error.value).count("\n")) == (2, 0)


@pytest.mark.parametrize(
    ("name", "layout", "target", "says"),
    [
        ("lenet", "torchvision", "b.pt", "unknown layout of lenet 'torchvision'"),
        ("resnet50", "applications", "b.weights.h5", "unknown layout of resnet50 'applications'"),
        ("vit", "torchvision", "b.weights.h5", "expected .pt, .pth or .safetensors"),
        ("vgg16", "applications", "b.pt", "expected .weights.h5"),
    ],
)
def test_a_layout_that_cannot_be_written_is_refused(name, layout, target, says):
    with pytest.raises(TwinError, match=says):
        weights.convert(find(name), "small", Path("a.pt"), Path(target), layout, {}, 1)
