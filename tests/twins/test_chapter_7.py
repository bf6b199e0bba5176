"""Detection, by numbers: suppression, anchors and the detectors, against independent referees and the decks' figures.

PyTorch's side is held against torchvision, TensorFlow and NumPy; the ladder has shown that Keras gives the same.
"""

import numpy as np
import pytest
import torch

from tests.helpers.slides import outputs, run
from torch_impl.exercises.detection import anchors, nms
from twin import boxes
from twin.catalogue import find

# Suppression


def crowd(seed, count=60):
    """Boxes that overlap, and scores of which no two are equal."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 40, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 25, (count, 2))], axis=1), rng.permutation(count) / count + 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_suppression_is_that_of_tensorflow_and_of_the_metric(seed, threshold):
    places, scores = crowd(seed)
    order, stays = nms.suppress(torch.tensor(places), torch.tensor(scores), threshold)
    assert order[stays].tolist() == boxes.suppress(places, scores, threshold).tolist()
    tf = pytest.importorskip("tensorflow")
    kept = tf.image.non_max_suppression(places[:, [1, 0, 3, 2]].astype(np.float32), scores, 60, threshold)
    assert order[stays].tolist() == kept.numpy().tolist()


@pytest.mark.parametrize("seed", range(4))
def test_soft_suppression_is_that_of_tensorflow(seed):
    tf = pytest.importorskip("tensorflow")
    places, scores = crowd(seed, 20)
    order, softened = nms.soften(torch.tensor(places), torch.tensor(scores), 0.5)
    kept, expected = tf.image.non_max_suppression_with_scores(  # which divides by twice its sigma
        places[:, [1, 0, 3, 2]].astype(np.float32), scores.astype(np.float32), 20, 1.0, soft_nms_sigma=0.25
    )
    assert order.tolist() == kept.numpy().tolist()
    np.testing.assert_allclose(softened, expected.numpy(), rtol=1e-5)


def test_an_overlap_of_exactly_the_threshold_stays_and_of_equal_scores_the_first():
    out, given = outputs("nms"), find("nms").literals
    assert boxes.overlaps(*(np.array(given["boxes"][:2], float)[[at]] for at in (0, 1))) == 0.5
    assert {0, 1, 2} <= set(out["kept"])
    assert given["scores"][2] == given["scores"][3]
    assert 3 not in out["kept"]
    assert 1 not in run("nms", threshold=49)["kept"]


def test_classes_do_not_remove_each_other():
    out, given = outputs("nms"), find("nms").literals
    places, scores, classes = (np.array(given[name], float) for name in ("boxes", "scores", "classes"))
    by_class = [np.flatnonzero(classes == kind) for kind in range(3)]
    kept = np.concatenate([each[boxes.suppress(places[each], scores[each])] for each in by_class])
    assert set(out["kept_by_class"]) == set(kept) > set(out["kept"])


def test_soft_suppression_removes_nothing():
    out = outputs("nms")
    assert sorted(out["soft_order"]) == list(range(12))
    assert (out["soft_scores"] > 0).all()
    assert (np.diff(out["soft_scores"]) <= 0).all()


# Anchors


def test_ssd300_has_torchvisions_default_boxes():
    centres, sizes = (array.numpy() for array in anchors.centred(torch.from_numpy(outputs("anchors")["ssd300"])))
    assert len(centres) == 8732
    found = np.concatenate([centres, sizes], axis=1)
    first = [(0.1, 0.1), (0.1414, 0.1414), (0.1414, 0.0707), (0.0707, 0.1414)]  # DefaultBoxGenerator, torchvision 0.28
    np.testing.assert_allclose(found[:4], [(0.0132, 0.0132, *size) for size in first], atol=5e-5)
    last = [(0.9, 0.9), (0.9836, 0.9836), (1.2728, 0.6364), (0.6364, 1.2728)]
    np.testing.assert_allclose(found[-4:], [(0.5, 0.5, *size) for size in last], atol=5e-5)
    np.testing.assert_allclose(found.sum(0), (4366.0, 4366.0, 1516.8484, 1516.8484), atol=1e-3)
    np.testing.assert_allclose((found**2).sum(0), (2908.1667, 2908.1667, 409.7651, 409.7651), atol=1e-3)


def test_the_nine_anchors_of_faster_rcnn_are_torchvisions():
    expected = [  # AnchorGenerator.generate_anchors, torchvision 0.28, which rounds
        (-91, -45, 91, 45), (-181, -91, 181, 91), (-362, -181, 362, 181), (-64, -64, 64, 64), (-128, -128, 128, 128),
        (-256, -256, 256, 256), (-45, -91, 45, 91), (-91, -181, 91, 181), (-181, -362, 181, 362),
    ]  # fmt: skip
    np.testing.assert_array_equal(outputs("anchors")["scales_and_ratios"].round(), expected)


def test_matching_and_offsets_are_those_of_the_data():
    out = outputs("anchors")
    true = np.array(find("anchors").literals["boxes"]) / 100
    assert out["matched"].tolist() == boxes.match(out["anchors"], true).tolist()
    there = out["matched"] >= 0
    offsets = boxes.encode(true[out["matched"][there]], out["anchors"][there])
    np.testing.assert_allclose(out["offsets"][there], offsets, rtol=1e-12)
    np.testing.assert_allclose(out["decoded"][there], true[out["matched"][there]], rtol=1e-12)
    assert not out["offsets"][~there].any()


def test_kmeans_centres_fit_better_than_their_start_and_are_the_means_of_their_boxes():
    out, sizes = outputs("anchors"), np.array(find("anchors").literals["sizes"], float)
    assert out["kmeans_iou"] > out["start_iou"] + 0.15
    shared = np.minimum(sizes[:, None], out["kmeans"]).prod(-1)
    nearest = (shared / (sizes.prod(-1)[:, None] + out["kmeans"].prod(-1) - shared)).argmax(1)
    for kind, centre in enumerate(out["kmeans"]):
        np.testing.assert_allclose(sizes[nearest == kind].mean(0), centre, rtol=1e-12)


def test_each_size_of_box_goes_to_a_stride_of_the_decks_configuration():
    by_area = np.argsort(np.array(find("anchors").literals["sizes"]).prod(1), kind="stable")
    strides = outputs("anchors")["stride"][by_area]
    assert set(strides) == {8, 16, 32}
    assert strides[0] == 8
    assert strides[-1] == 32
    assert np.corrcoef(np.arange(len(strides)), strides)[0, 1] > 0.8


def test_erratum_a_each_true_box_has_its_default_box():
    out, true = outputs("anchors"), np.array(find("anchors").literals["boxes"]) / 100
    best = boxes.overlaps(out["anchors"], true).max(0)
    assert best.min() < 0.5  # one of them overlaps none by half, and is matched all the same
    assert set(out["matched"]) == {-1, 0, 1, 2, 3}
    assert (out["matched"] == best.argmin()).sum() == 1
