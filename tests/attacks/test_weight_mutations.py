"""Files of weights of every kind, damaged: read, or refused in one line, and the worker lives on."""

import numpy as np
import pytest

from compare.engines import answers
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from tests.helpers import mutations
from twin.errors import TwinError
from twin.untrusted import npz

MODELS = """
def keras_model():
    import keras
    layers = [keras.layers.Dense(40, name="dense"), keras.layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.save({folder!r} + "/sound.keras")
    return model

def torch_model():
    from torch import nn
    return nn.Sequential(nn.Linear(3, 40), nn.Linear(40, 2))
"""
SEEDS = 20
KINDS = {"keras-torch": (".weights.h5", ".keras", ".safetensors"), "torch": (".pt", ".safetensors")}


def damaged(sound, seed):
    """Every other file has damage in its first or last bytes, where a format has what it is steered by."""
    if seed % 2:
        return mutations.of_bytes(sound, seed)
    ends = min(len(sound) // 2, 600)
    if seed % 4:
        return mutations.of_bytes(sound[:ends], seed) + sound[ends:]
    return sound[:-ends] + mutations.of_bytes(sound[-ends:], seed)


@pytest.mark.framework
@pytest.mark.long
@pytest.mark.parametrize("engine", KINDS)
def test_no_mutation_of_a_file_of_weights_ends_its_worker(engine, tmp_path):
    (tmp_path / "models.py").write_text(MODELS.format(folder=str(tmp_path)))
    side, inputs = ENGINES[engine].side, {"0": np.zeros((2, 3), np.float32)}
    pool = Pool(Settings())
    session = pool.start(ENGINES[engine], "cpu")
    told = []

    def read(file):
        session.ask(answers.Nothing, "read_weights", file=str(file))

    try:
        session.ask(answers.Built, "open", {"inputs": inputs}, model=f"{tmp_path}/models.py:{side}_model", kwargs={})
        for suffix in KINDS[engine]:
            sound, file = tmp_path / f"sound{suffix}", tmp_path / f"damaged{suffix}"
            if not sound.exists():
                session.ask(answers.Nothing, "save_weights", file=str(sound))
            read(sound)
            for seed in range(SEEDS):
                file.write_bytes(damaged(sound.read_bytes(), seed))
                try:
                    read(file)
                except WorkerFailed as failure:
                    told.append((suffix, seed, failure.alive, failure.reason))
    finally:
        pool.close()
    assert [each for each in told if not each[2]] == []
    assert [each for each in told if not each[3].startswith(("--weights", str(tmp_path), "cannot read"))] == []
    assert [each for each in told if "\n" in each[3] or len(each[3]) > 600] == []
    assert len(told) > SEEDS * len(KINDS[engine]) / 4


def test_no_mutation_of_an_npz_file_gets_through(tmp_path):
    np.savez(tmp_path / "sound.npz", x=np.ones((4, 3), np.float32), y=np.arange(4))
    sound, told = (tmp_path / "sound.npz").read_bytes(), []
    for seed in range(SEEDS * 2):
        (tmp_path / "damaged.npz").write_bytes(damaged(sound, seed))
        try:
            assert isinstance(npz(tmp_path / "damaged.npz"), dict)
        except TwinError as error:
            told.append(str(error))
    assert [each for each in told if "\n" in each or len(each) > 500] == []
    assert len(told) > SEEDS / 2
