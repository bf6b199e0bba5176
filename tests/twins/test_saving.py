"""Every model twin is written to the files of its framework and read again, and is then the same."""

import functools
import json

import pytest

from tests.helpers import aside
from twin.catalogue import CHAPTERS, TWINS

MODELS = [name for name, twin in TWINS.items() if twin.kind == "model"]
# Of each chapter the first that is small on Keras; a file of each is written on every engine by `make test-long`.
QUICK = {twins[0] for each in CHAPTERS.values() if (twins := [t.name for t in each if t.name in MODELS])}
pytestmark = pytest.mark.framework


@functools.cache
def differences(engine: str, names: tuple[str, ...]) -> dict[str, list[str]]:
    """What is not the same after reading, of each of the twins."""
    lines = aside.run(engine, "-m", "tests.helpers.saved", engine, *names).splitlines()
    return {line["twin"]: line["differences"] for line in map(json.loads, lines)}


def cases():
    """Every model on every engine; in `make test` those that are quick, natively and on one of Keras's backends."""
    for name in MODELS:
        for engine in ("torch", "keras-torch", "keras-jax", "keras-tensorflow"):
            quick = name in QUICK and engine in ("torch", "keras-torch")
            yield pytest.param(engine, name, marks=[] if quick else [pytest.mark.long], id=f"{name}-{engine}")


@pytest.mark.parametrize(("engine", "name"), [*cases()])
def test_a_saved_twin_is_the_same_after_loading(engine, name, request):
    selected = [
        item.callspec.params
        for item in request.session.items
        if item.originalname == request.node.originalname and item.path == request.node.path
    ]
    names = tuple(each["name"] for each in selected if each["engine"] == engine)
    assert differences(engine, names)[name] == []


@pytest.mark.parametrize("engine", ["torch", "keras-torch"])
def test_what_a_file_lost_is_seen(engine):
    found = "\n".join(differences(engine, ("--damaged", "mlp"))["mlp"])
    assert "weights: " in found
    assert "outputs: " in found
    assert engine == "torch" or "optimizer: " in found
