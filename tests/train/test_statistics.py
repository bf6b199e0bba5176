"""Running statistics after a pass that fails: `twin export` and the ladder go on with the same model."""

import importlib

import numpy as np
import pytest

from tests.helpers.faulty_export import batch_of
from twin.catalogue import TWINS

pytestmark = pytest.mark.framework


@pytest.mark.parametrize(("side", "method"), [("torch", "forward"), ("keras", "call")])
def test_a_pass_in_training_that_fails_leaves_running_statistics_as_they_were(side, method, monkeypatch):
    twin = TWINS["lidar_objects"]  # its norms are counted before the last layer
    train = importlib.import_module(f"{side}_impl.train")
    run = train.build(twin, twin.ladder_arguments("small"))
    before = train.dump_weights(run)

    def refused(*_, **__):
        raise ValueError("expected more than 1 value per channel when training")

    monkeypatch.setattr(run.model.out, method, refused)
    with pytest.raises(ValueError, match="more than 1 value"):
        train.forward(run, batch_of(run), training=True)
    after = train.dump_weights(run)
    assert all(np.array_equal(after[name], before[name]) for name in before)
