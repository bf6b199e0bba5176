"""What `twin verify` decides before it starts a worker: backend, inputs, and what its own failure looks like."""

import json

import numpy as np
import pytest

from compare.cli import main
from compare.cli.commands import verify as command
from compare.verify import run as examination
from compare.verify.given import from_file
from compare.verify.verdict import Finding, Verdict
from compare.worker import user_code
from twin.errors import TwinError


@pytest.mark.parametrize(
    ("variable", "config", "code", "backend"),
    [
        ("jax", "tensorflow", "import torch\n", "jax"),
        ("", "tensorflow", "import jax\n", "tensorflow"),
        ("", "", "import keras\nfrom jax import numpy\n", "jax"),
        ("", "", "import keras\nimport tensorflow as tf\n", "tensorflow"),
        ("", "", "import keras\n", "torch"),
        ("", "openvino", "# import jax\nimport keras\n", "torch"),
    ],
)
def test_the_backend_follows_the_users_settings_then_the_models_file(
    tmp_path, monkeypatch, variable, config, code, backend
):
    monkeypatch.setenv("KERAS_BACKEND", variable)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if config:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": config}))
    (tmp_path / "model.py").write_text(code)
    assert command._backend(f"{tmp_path}/model.py:make") == backend


def test_our_own_failure_is_one_line_with_a_place():
    try:
        raise KeyError("a\nb")
    except KeyError as error:
        told = command._own_failure(error)
    assert "\n" not in told
    assert "KeyError at test_command.py:" in told
    assert "nothing was found out" in told


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.float32(1)])
def test_data_without_rows_is_no_agreement(tmp_path, array):
    np.savez(tmp_path / "data.npz", x=array)
    with pytest.raises(TwinError, match="x has no rows"):
        from_file(tmp_path / "data.npz")


def test_an_own_loss_without_targets_is_said_before_anything_is_built():
    request = examination.Request("a.py:b", "c.py:d", shapes=[(3,)], loss=["a.py:f", "c.py:g"])
    with pytest.raises(TwinError, match="which targets"):
        examination.examine(request, None, None, lambda word: None)


def test_the_verdict_is_told_before_its_page_is_written(monkeypatch, capsys):
    """A page that cannot be written takes nothing away."""
    monkeypatch.setattr(examination, "verify", lambda *_: Verdict("agree", rungs={"weights": 0.0}))
    monkeypatch.setattr("sys.argv", ["twin", "verify", __file__, __file__, "--input", "3", "--html", "/dev/null/page"])
    monkeypatch.setattr("compare.engines.engine.Engine.missing", lambda engine: ())
    assert main.run() == 2
    told = capsys.readouterr()
    assert "agree" in told.out
    assert "cannot write /dev/null/page" in told.err


def test_a_layer_that_one_side_alone_has_stands_without_a_slash():
    assert Finding("structure", "bn1", "", "only Keras has it").line().startswith("bn1: first difference")
    assert Finding("forward", "head", "head", "far").line().startswith("head: first difference")
    assert Finding("forward", "a", "b", "far").line().startswith("a / b: first difference")
    assert Finding("weights", "", "", "far").line().startswith("the models: first difference")


def test_the_names_that_a_file_offers_are_not_what_it_imports(tmp_path):
    (tmp_path / "m.py").write_text("import json\nimport os.path as p\n\ndef make():\n    pass\n")
    with pytest.raises(TwinError, match=r"unknown name in .*m\.py: 'made'; did you mean make\?"):
        user_code.find(f"{tmp_path}/m.py:made")
    with pytest.raises(TwinError, match=r"'other'; known: make$"):
        user_code.find(f"{tmp_path}/m.py:other")
