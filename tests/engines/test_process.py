"""A worker from outside: how it starts, what it leaves behind, and how it ends."""

from dataclasses import replace

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.process import Worker, WorkerFailed
from compare.engines.session import Session
from twin import data
from twin.catalogue import find

pytestmark = pytest.mark.framework


def test_killing_a_worker_ends_its_whole_group(fresh):
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    worker.kill()
    worker.close()
    worker.close()
    assert worker.process.returncode is not None


def test_a_workers_temporary_files_go_with_it_and_no_compiler_finds_its_earlier_work(fresh, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    said = worker.ask(dict, "surroundings", 60)
    assert said == {"temporary": str(worker.folder), "caches": []}
    assert worker.log.parent == worker.folder
    assert worker.folder.is_dir()
    worker.close()
    assert not worker.folder.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_tells_what_leaves_each_layer(engine):
    """What locates a first difference, and shows where a transformer looks; the last layer gives the model's answer."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    twin = find("mlp")
    batch = {"x": data.load(twin.data, twin.data_options).test["x"][:4]}
    session = Session(Worker(ENGINES[engine]), 60)
    try:
        session.greet("cpu")
        model = session.build(twin.name, twin.small.arguments)
        inside, outputs = model.activations(batch), model.forward(batch)
        assert len(inside.order) > 1
        # The same float32 arithmetic on logits of about 1, which a compiled forward rounds otherwise: a few ulps, 1e-7.
        np.testing.assert_allclose(inside.arrays[f"{inside.order[-1]}/out"], outputs["y"], rtol=1e-5, atol=1e-6)
    finally:
        session.close()


def test_a_worker_that_cannot_start_says_so():
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.no_such_module"))
    with pytest.raises(WorkerFailed, match=r"exit code 1.*no_such_module"):
        Session(worker, 30).greet("cpu")
