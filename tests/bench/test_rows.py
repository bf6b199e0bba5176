"""The rows that a bench trains on at a published size."""

import numpy as np
import pytest
import torch

from compare.bench.run import rows_of
from torch_impl import train
from twin.batches import drawn
from twin.catalogue import TWINS, find

pytestmark = pytest.mark.framework

ROWS = 2
CTC = {"crnn", "lip_reading"}  # PyTorch computes its loss only where there are numbers
REGIONS = {"faster_rcnn", "mask_rcnn"}  # what a step draws for each anchor has the small size
STAGES = {"dbn"}  # its steps begin with a stage
PUBLISHED = [name for name, twin in TWINS.items() if twin.paper_size and name not in CTC | REGIONS | STAGES]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_step_of_the_published_size_takes_its_targets(name):
    twin, rng = find(name), np.random.default_rng(0)
    arguments = dict(twin.paper_size.arguments)
    rows = rows_of(twin, arguments, "paper", ROWS, rng)
    batch = {key: array[:ROWS] for key, array in rows.items()}
    batch |= {wanted.name: drawn(wanted, ROWS, arguments, rng) for wanted in twin.draws}
    with torch.device("meta"):  # shapes without numbers: millions of parameters cost nothing
        run = train.build(twin, arguments, device="meta")
    tensors = train.to_tensors(run, batch)
    for phase in run.phases:
        losses = phase.loss(run.model, tensors)
        losses = losses.values() if isinstance(losses, dict) else [losses]
        assert all(loss.shape == () for loss in losses)


def test_proposals_stay_boxes_where_pictures_are_noise():
    twin = find("fast_rcnn")
    rows = rows_of(twin, dict(twin.paper_size.arguments), "paper", ROWS, np.random.default_rng(0))
    boxes = rows["proposals"]
    assert rows["x"].shape[1:] == twin.paper_size.arguments["image_shape"]
    assert (boxes[..., 2:] >= boxes[..., :2]).all()
    assert boxes.min() >= 0
