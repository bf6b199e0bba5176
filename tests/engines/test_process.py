"""A worker from outside: how it starts, what it leaves behind, and how it ends."""

from dataclasses import replace

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.process import Worker, WorkerFailed
from twin import arrays, data
from twin.catalogue import find

pytestmark = pytest.mark.framework


def test_killing_a_worker_ends_its_whole_group():
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    worker.kill()
    worker.close()
    worker.close()
    assert worker.process.returncode is not None


def test_a_workers_temporary_files_go_with_it_and_no_compiler_finds_its_earlier_work(monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    said = worker.ask("surroundings", 60)
    assert said == {"temporary": str(worker.folder), "caches": []}
    assert worker.log.parent == worker.folder
    assert worker.folder.is_dir()
    worker.close()
    assert not worker.folder.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_tells_what_leaves_each_layer(engine, tmp_path):
    """What locates a first difference, and shows where a transformer looks; the last layer gives the model's answer."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    twin, out = find("mlp"), str(tmp_path / "out")
    rows = data.load(twin.data, twin.data_options).test["x"][:4]
    arrays.write(tmp_path / "batch", {"x": rows})
    worker = Worker(ENGINES[engine])
    try:
        worker.ask("hello", 60, device="cpu")
        worker.ask("build", 60, twin=twin.name, arguments=dict(twin.small.arguments), dtype="float32", seed=0)
        answer = worker.ask("activations", 60, batch=str(tmp_path / "batch"), training=False, out=out)
        inside = arrays.read(out)
        worker.ask("forward", 60, batch=str(tmp_path / "batch"), training=False, out=out)
        assert len(answer["order"]) > 1
        # The same float32 arithmetic on logits of about 1, which a compiled forward rounds otherwise: a few ulps, 1e-7.
        np.testing.assert_allclose(inside[f"{answer['order'][-1]}/out"], arrays.read(out)["y"], rtol=1e-5, atol=1e-6)
    finally:
        worker.close()


def test_a_worker_that_cannot_start_says_so():
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.no_such_module"))
    with pytest.raises(WorkerFailed, match=r"exit code 1.*no_such_module"):
        worker.ask("hello", 30, device="cpu")
