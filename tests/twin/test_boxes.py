"""Boxes, scenes of several objects, and average precision by COCO's own evaluation."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from compare.worker import pictures
from twin import boxes, data, metrics
from twin.boxes import PADDING
from twin.catalogue import find
from twin.data import crowds
from twin.errors import TwinError
from twin.spec import Metric

SCENES = {"train_count": 40, "test_count": 40, "only": (0, 1, 2)}
GOOD = ((0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 1.0, 1.0))


@pytest.fixture(scope="module")
def scenes():
    return data.load("crowds", SCENES | {"masks": True})


def objects(*places, kinds=(0, 1)):
    return {"boxes": np.array([places], np.float32), "classes": np.array([kinds], np.int32), "num_classes": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (objects(GOOD[0], (0.5, 0.5, 0.4, 0.8)), r"object 1: box \(0.5, 0.5, 0.4, 0.8\) is inverted"),
        (objects(GOOD[0], (0.5, 0.5, 0.5, 0.8)), r"object 1: box \(0.5, 0.5, 0.5, 0.8\) is empty"),
        (objects((-0.1, 0.2, 0.5, 0.6), GOOD[1]), "object 0: box .* leaves the picture"),
        (objects(GOOD[0], (10, 20, 30, 40)), "object 1: box .* leaves the picture; give shares"),
        (objects((0.1, np.nan, 0.5, 0.6), GOOD[1]), "object 0: box .*nan.* is not finite"),
        (objects(*GOOD, kinds=(0, 3)), "object 1: class 3 is no class from 0 to 2"),
        (objects(*GOOD, kinds=(0, -2)), "object 1: class -2 is no class"),
        (objects(*GOOD, kinds=(PADDING, 1)), "object 1: class 1 stands behind padding"),
        (objects(*GOOD) | {"classes": np.zeros((1, 3), int)}, r"expected boxes \(N, M, 4\)"),
        (objects(*GOOD) | {"masks": np.ones((1, 8, 8, 3))}, r"expected masks \(1, H, W, 2\), .*\(1, 8, 8, 3\)"),
        (objects(*GOOD) | {"masks": np.zeros((1, 8, 8, 2))}, "object 0: .*without a pixel"),
    ],
)
def test_wrong_objects_are_one_clear_line(changes, message):
    with pytest.raises(TwinError, match=message) as error:
        boxes.check(**changes)
    assert "\n" not in str(error.value)


def test_more_objects_than_the_padding_holds_are_one_clear_line():
    with pytest.raises(TwinError, match="picture 1 has 2 objects, the padding holds 1: give `most` a larger number"):
        boxes.padded([np.array(GOOD[:1]), np.array(GOOD)], [np.array([0]), np.array([0, 1])], 1, 2)


def test_a_picture_without_an_object_is_right():
    out = boxes.padded([np.zeros((0, 4)), np.array(GOOD)], [np.zeros(0, int), np.array([0, 1])], 3, 2)
    assert (out["classes"][0] == PADDING).all()
    assert out["classes"][1].tolist() == [0, 1, PADDING]
    assert (boxes.match(np.array(GOOD), np.zeros((0, 4))) == -1).all()


@pytest.mark.parametrize("options", [{"size": 30}, {"size": 20}, {"most": 0}])
def test_scenes_that_cannot_be_made_are_one_clear_line(options):
    with pytest.raises(TwinError, match="received"):
        crowds.load(**options)


def test_each_box_is_the_smallest_that_holds_its_mask(scenes):
    part = scenes.train
    there = part["classes"] != PADDING
    assert set(there.sum(1)) == {1, 2, 3, 4}
    for row, number in np.argwhere(there):
        mask = part["masks"][row, ..., number]
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        edges = np.array([across[0], down[0], across[-1] + 1, down[-1] + 1]) / 48
        np.testing.assert_allclose(part["boxes"][row, number], edges, atol=1e-6)
    assert part["masks"].sum(-1).max() == 1  # no pixel belongs to two digits
    assert not part["masks"].transpose(0, 3, 1, 2)[~there].any()


def test_scenes_with_masks_are_the_same_scenes(scenes):
    without = data.load("crowds", SCENES).train
    assert all(np.array_equal(without[name], scenes.train[name]) for name in without)


def test_offsets_there_and_back_and_the_paper_formulas():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.5, (2, 6, 2))
    true, anchors = np.concatenate([low, low + rng.uniform(0.1, 0.5, low.shape)], axis=-1)
    x, y, w, h = boxes.encode(true, anchors).T
    wa, ha = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    np.testing.assert_allclose(np.exp(w) * wa, true[:, 2] - true[:, 0])
    np.testing.assert_allclose(x * wa + anchors[:, 0] + wa / 2, (true[:, 0] + true[:, 2]) / 2)
    np.testing.assert_allclose(y * ha + anchors[:, 1] + ha / 2, (true[:, 1] + true[:, 3]) / 2)
    np.testing.assert_allclose(np.exp(h) * ha, true[:, 3] - true[:, 1])


def test_each_box_gets_an_anchor_even_below_the_threshold_and_no_two_the_same():
    anchors = np.array([(0, 0, 4, 4), (4, 0, 8, 4), (20, 20, 24, 24)], float)
    true = np.array([(0, 0, 4, 3), (3, 0, 5, 2), (0, 1, 4, 4)], float)  # the second overlaps none by half
    assert boxes.match(anchors, true).tolist() == [0, 1, 2]
    assert boxes.match(anchors, true[:1]).tolist() == [0, -1, -1]
    assert boxes.match(anchors, true[1:2]).tolist() == [0, -1, -1]  # at an IoU of 1/9


def perfect(part, classes=3, masks=False):
    """What a detector without a fault would give."""
    scores = np.eye(classes + 1)[part["classes"]][..., :classes] * 0.9
    out = {"boxes": part["boxes"], "scores": scores}
    return out | ({"masks": part["masks"].astype(np.float32)} if masks else {})


def test_the_truth_scores_one_and_nothing_scores_zero(scenes):
    part = scenes.test
    found = perfect(part, masks=True)
    assert metrics.mean_average_precision(lambda given: found, part) == pytest.approx(1)
    assert metrics.mean_mask_average_precision(lambda given: found, part) == pytest.approx(1)
    for nothing in (0, np.nan):
        blank = found | {"scores": found["scores"] * nothing}
        assert metrics.mean_average_precision(lambda given, found=blank: found, part) == 0


@pytest.mark.parametrize(
    ("spoil", "low", "high"),
    [
        (lambda out: out | {"boxes": out["boxes"] + 0.15}, 0, 0.35),
        (lambda out: out | {"boxes": out["boxes"] + 0.01}, 0.95, 1),
        (lambda out: out | {"scores": np.roll(out["scores"], 1, -1)}, 0, 0.01),
        (lambda out: {name: array[:, :1] for name, array in out.items()}, 0.2, 0.6),  # one object a scene
        (lambda out: {name: np.repeat(array, 2, 1) for name, array in out.items()}, 1, 1),  # found twice: suppressed
    ],
    ids=["moved far", "moved little", "other class", "first only", "twice"],
)
def test_average_precision_sees_what_is_wrong(scenes, spoil, low, high):
    found = spoil(perfect(scenes.test))
    assert low <= metrics.mean_average_precision(lambda given: found, scenes.test) <= high + 1e-9


def test_masks_are_judged_by_their_pixels(scenes):
    found = perfect(scenes.test, masks=True)
    half = found | {"masks": found["masks"] * (np.arange(48) % 2)[:, None]}  # every other column: an IoU of about 0.5
    assert metrics.mean_mask_average_precision(lambda given: half, scenes.test) < 0.7
    assert metrics.mean_average_precision(lambda given: half, scenes.test) == pytest.approx(1)


def test_boxes_of_each_class_are_taken_by_class(scenes):
    found = perfect(scenes.test)
    by_class = np.repeat(found["boxes"][:, :, None], 3, 2)
    by_class[..., 0, :] = np.where(scenes.test["classes"][..., None] == 0, by_class[..., 0, :], 0.5)
    assert metrics.mean_average_precision(lambda given: found | {"boxes": by_class}, scenes.test) == pytest.approx(1)


def test_boxes_are_drawn_on_the_scenes(scenes):
    twin = replace(find("localizer"), metric=Metric("mean_average_precision", target=0.8, chance=0.0, margin=0.08))
    found = perfect(scenes.test)
    drawn = pictures.of_predictions(twin, scenes.test, found)
    strips = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each["png"])))) for each in drawn["pictures"]]
    assert [each["of"] for each in drawn["pictures"]] == ["data", "model"]
    assert drawn["tile"] == [96, 96]
    np.testing.assert_array_equal(*strips)  # a detector without a fault
    blank = pictures.of_predictions(twin, scenes.test, found | {"scores": found["scores"] * 0})
    assert blank["pictures"][0]["png"] == drawn["pictures"][0]["png"] != blank["pictures"][1]["png"]
