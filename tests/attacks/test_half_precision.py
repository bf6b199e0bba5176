"""Models and weights in less than float32: compared where float32 holds their values, else refused in one line."""

import numpy as np
import pytest

from compare.engines import answers
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed

pytestmark = pytest.mark.framework

KERAS = """
import keras

def make(policy="float32"):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense", dtype=policy)])

def within(policy):
    inner = make(policy)
    return keras.Sequential([keras.Input((3,)), inner, keras.layers.Activation("linear", dtype="float32")])

def quantized():
    model = make()
    model.quantize("float8")
    return model
"""
TORCH = """
import torch
from torch import nn

def make(kind="float32"):
    return nn.Linear(3, 2).to(getattr(torch, kind))

def within(kind):
    return nn.Sequential(nn.Linear(3, 2), make(kind))

def float8():
    model = make()
    model.weight = nn.Parameter(model.weight.data.to(torch.float8_e4m3fn), requires_grad=False)
    return model

class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(3, 2)

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.dense(x)

def save(path):
    torch.save({"weight": torch.full((2, 3), 1.5, dtype=torch.bfloat16), "bias": torch.zeros(2)}, f"{path}/half.pt")
    torch.save({"weight": torch.ones(2, 3).to(torch.float8_e5m2), "bias": torch.zeros(2)}, f"{path}/eighth.pt")
    return make()
"""
REFUSED = {
    "keras-torch": [
        ("make", {"policy": "bfloat16"}, "bfloat16"),
        ("make", {"policy": "float16"}, "float16"),
        ("make", {"policy": "mixed_bfloat16"}, "bfloat16"),
        ("make", {"policy": "mixed_float16"}, "float16"),
        ("within", {"policy": "mixed_bfloat16"}, "bfloat16"),
        ("quantized", {}, "float8"),
    ],
    "torch": [
        ("make", {"kind": "bfloat16"}, "bfloat16"),
        ("make", {"kind": "float16"}, "float16"),
        ("within", {"kind": "bfloat16"}, "bfloat16"),
        ("float8", {}, "float8_e4m3fn"),
    ],
}


@pytest.fixture(params=REFUSED)
def opened(request, tmp_path):
    """Opens a model in a worker of one side, and the worker."""
    (tmp_path / "models.py").write_text(KERAS if request.param == "keras-torch" else TORCH)
    pool = Pool(Settings())
    session = pool.start(ENGINES[request.param], "cpu")
    inputs = {"0": np.ones((2, 3), np.float32)}

    def open_model(name, kwargs):
        reference = f"{tmp_path}/models.py:{name}"
        return session.ask(answers.Built, "open", {"inputs": inputs}, model=reference, kwargs=kwargs)

    yield request.param, open_model, session
    pool.close()


def test_half_precision_is_refused_or_read(opened, tmp_path):
    engine, open_model, session = opened
    told = {}
    for name, kwargs, kind in REFUSED[engine]:
        try:
            open_model(name, kwargs)
            told[name, kind] = "opened"
        except WorkerFailed as failure:
            told[name, kind] = failure.reason
    for (_, kind), reason in told.items():
        assert f"is a model in {kind}" in reason, told
        assert len(reason.splitlines()) == 1
    for double in ({"policy": "float64"}, {"kind": "float64"}):
        if (engine == "torch") == ("kind" in double):
            assert open_model("make", double).leaves
    if engine == "torch":
        fields = {"method": "outputs", "fields": {"training": False}}
        open_model("Autocast", {})
        found = session.ask_for_arrays("examine", {"inputs": {"0": np.ones((2, 3), np.float32)}}, **fields)
        assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
        open_model("save", {"path": str(tmp_path)})
        session.ask(answers.Nothing, "read_weights", file=f"{tmp_path}/half.pt")
        weights = session.ask_for_arrays("examine", method="dump", fields={})
        assert np.unique(weights["weight"]).tolist() == [1.5]
        with pytest.raises(WorkerFailed, match=r"eighth\.pt: tensors of torch\.float\d.* cannot be read as arrays"):
            session.ask(answers.Nothing, "read_weights", file=f"{tmp_path}/eighth.pt")
