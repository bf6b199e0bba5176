"""Detection, by numbers: suppression, anchors and the detectors, against independent referees and the decks' figures.

PyTorch's side is held against torchvision, TensorFlow and NumPy; the ladder has shown that Keras gives the same.
"""

import numpy as np
import pytest
import torch

from tests.helpers.slides import outputs, run
from torch_impl.exercises.detection import nms
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
