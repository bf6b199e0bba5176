"""Detection, by numbers: suppression, anchors and the detectors, against independent referees and the decks' figures.

PyTorch's side is held against torchvision, TensorFlow and NumPy; the ladder has shown that Keras gives the same.
"""

import numpy as np
import pytest
import torch

from compare.worker import pictures
from keras_impl import train as keras_train
from tests.helpers.beside import learn_alike
from tests.helpers.refusals import refused_alike
from tests.helpers.slides import outputs, run
from torch_impl import train
from torch_impl.exercises.detection import anchors, nms
from torch_impl.models.detection import faster_rcnn, ssd, tiny_yolo_v3
from twin import boxes, data, metrics
from twin.batches import drawn
from twin.catalogue import find
from twin.data import crowd_cells, crowd_defaults, crowd_priors, crowd_regions, crowds, poses
from twin.errors import TwinError

WRONG = {  # what each detector refuses
    "yolo_v1": [{"image_shape": (56, 48, 1)}, {"grid": 5}, {"image_shape": (48, 48)}, {"num_classes": 1}],
    "yolo_v3": [{"image_shape": (44, 48, 1)}, {"image_shape": (48, 48)}, {"num_classes": 0}],
    "tiny_yolo_v3": [{"image_shape": (44, 48, 1)}, {"image_shape": (48, 48)}, {"num_classes": 0}],
    "ssd": [{"image_shape": (48, 44, 1)}, {"image_shape": (48, 48)}, {"num_classes": 0}],
    "faster_rcnn": [
        {"image_shape": (46, 48, 1)},
        {"image_shape": (48, 48)},
        {"num_classes": 0},
        {"proposals": 101},
        {"candidates": 577},
    ],
    "mask_rcnn": [{"image_shape": (44, 48, 1)}, {"image_shape": (48, 48)}, {"num_classes": 0}, {"proposals": 0}],
}
DEFAULTS = {key: find("ssd").data_options[key] for key in ("maps", "scales", "ratios")}
REGIONS = {key: find("faster_rcnn").small.arguments[key] for key in ("areas", "ratios")}
MASK_ANCHORS = np.concatenate(
    [
        crowd_regions.grid_anchors((side, side), (48, 48), area, find("mask_rcnn").small.arguments["ratios"])
        for side, area in ((12, (10,)), (6, (16,)), (3, (24,)))
    ]
)
PRIORS = {name: find(name).data_options for name in ("tiny_yolo_v3", "yolo_v3")}
TARGETS = {
    "ssd": lambda scenes: crowd_defaults.matched(scenes, crowd_defaults.default_boxes(**DEFAULTS)),
    "yolo_v1": lambda scenes: crowd_cells.cells(scenes, 6),
    "faster_rcnn": lambda scenes: (
        scenes | crowd_regions.assigned(scenes, crowd_regions.grid_anchors((12, 12), (48, 48), **REGIONS))
    ),
    "mask_rcnn": lambda scenes: scenes | crowd_regions.assigned(scenes, MASK_ANCHORS),
    **{
        name: lambda scenes, each=each: crowd_priors.assigned(scenes, each["grids"], each["anchors"])
        for name, each in PRIORS.items()
    },
}


def said_by_cells(model, batch):
    """The grid of a first YOLO that says what its targets say, in its second box."""
    here = (batch["cell_classes"] >= 0).float()[..., None]
    kinds = here * torch.nn.functional.one_hot(batch["cell_classes"].clamp(min=0), model.num_classes)
    box = torch.cat([batch["cell_boxes"], here], dim=-1)
    boxes, confidence, classes = model.parts(torch.cat([0 * box, box, kinds], dim=-1))
    scores = confidence[..., None] * classes[..., None, :]
    return {"boxes": model.place(boxes).reshape(len(box), -1, 4), "scores": scores.reshape(len(box), -1, 3)}


def said_by_priors(model, batch):
    """What a later YOLO finds whose numbers say what its targets say."""
    sure = lambda condition: 40.0 * condition.float() - 20.0  # as a logit
    kinds = sure(torch.arange(model.num_classes) == batch["labels"][..., None])
    places, sizes = batch["offsets"][..., :2].clamp(1e-6, 1 - 1e-6).logit(), batch["offsets"][..., 2:]
    raw = torch.cat([places, sizes, sure(batch["objectness"] == 1)[..., None], kinds], dim=-1)
    grids = find("tiny_yolo_v3").data_options["grids"]
    parts = raw.split([side * side * len(each) for side, each in zip(grids, model.anchors, strict=True)], dim=1)
    pairs = zip(parts, grids, strict=True)
    maps = [part.reshape(len(raw), side, side, -1).permute(0, 3, 1, 2) for part, side in pairs]
    return tiny_yolo_v3.detect(maps, model.anchors)


def said_by_defaults(model, batch):
    """What SSD finds whose offsets and classes are its targets."""
    logits = 40.0 * torch.nn.functional.one_hot(batch["labels"], 1 + model.num_classes)
    boxes = anchors.decode(batch["offsets"] * torch.tensor(ssd.VARIANCES), model.anchors)
    return {"boxes": boxes, "scores": torch.softmax(logits, dim=-1)[..., 1:]}


def said_by_regions(model, batch):
    """What Faster R-CNN finds whose two stages say what their targets say."""
    sure = 40.0 * torch.nn.functional.one_hot((batch["anchor_labels"] == 1).long(), 2)
    proposals = faster_rcnn.propose(sure, batch["anchor_offsets"], model.anchors, *model.chosen)
    rois, labels, offsets, _, _ = faster_rcnn.regions(batch, proposals, 28)  # all of the true boxes and proposals
    assert (faster_rcnn.overlaps(batch["boxes"], proposals).amax(-1)[batch["classes"] >= 0] > 0.99).all()
    boxes = anchors.decode(offsets * torch.tensor(ssd.VARIANCES), rois)
    return {"boxes": boxes, "scores": torch.nn.functional.one_hot(labels, 1 + 3)[..., 1:].float()}


SAID = {
    "faster_rcnn": said_by_regions,
    "mask_rcnn": said_by_regions,
    "yolo_v1": said_by_cells,
    "ssd": said_by_defaults,
    **dict.fromkeys(PRIORS, said_by_priors),
}

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


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_fast_suppression_is_that_of_the_metric_and_removes_no_less(seed, threshold):
    places, scores = crowd(seed)
    order, stays = nms.suppress_fast(torch.tensor(places), torch.tensor(scores), threshold)
    fast = order[stays].tolist()
    assert fast == boxes.suppress_fast(places, scores, threshold).tolist()
    assert set(fast) <= set(boxes.suppress(places, scores, threshold).tolist())
    iou = boxes.overlaps(places, places)
    assert set(fast) == {box for box in range(60) if not (iou[scores > scores[box], box] > threshold).any()}


def test_a_box_that_went_removes_others_in_fast_suppression_only():
    out = outputs("nms")
    assert set(out["kept"]) - set(out["kept_fast"]) == {12}
    assert 7 not in out["kept"]  # which overlaps it, and went itself


def test_soft_suppression_removes_nothing():
    out = outputs("nms")
    assert sorted(out["soft_order"]) == list(range(13))
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


# Detectors


def started(name, **changes):
    """The twin's PyTorch model at its small size, as it was drawn, in inference mode."""
    twin = find(name)
    return train.build(twin, {**twin.small.arguments, **changes}).model.eval()


def arrays_of(name, arguments, rows=6):
    """The first rows of a twin's data, and what a training step draws for them."""
    twin, rng = find(name), np.random.default_rng(0)
    arrays = {key: array[:rows] for key, array in data.load(twin.data, twin.data_options).train.items()}
    return arrays | {wanted.name: drawn(wanted, rows, arguments, rng) for wanted in twin.draws}


def batch_of(name, rows=6):
    """The same as tensors, for the twin's small size."""
    twin = find(name)
    arrays = arrays_of(name, twin.small.arguments, rows)
    return {key: train.to_tensor(array, layout=twin.layout(key)) for key, array in arrays.items()}


@pytest.mark.parametrize("name", WRONG)
def test_sizes_that_a_detector_cannot_take_are_told_alike(name):
    for changes in WRONG[name]:
        refused_alike(name, {**find(name).small.arguments, **changes})


@pytest.mark.parametrize("name", WRONG)
def test_the_published_size_has_its_count(name):
    twin = find(name)
    with torch.device("meta"):
        model = getattr(train.load_module(twin), twin.model)(**twin.paper_size.arguments)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == twin.paper_size.parameters


@pytest.mark.parametrize("name", WRONG)
def test_pictures_without_an_object_teach_both_sides_the_same(name):
    batch = arrays_of(name, find(name).ladder_arguments("small"))
    scenes = {"boxes": np.full((6, 4, 4), -1.0, np.float32), "classes": np.full((6, 4), -1, np.int32)}
    losses = learn_alike(name, batch | TARGETS[name](scenes))
    if name == "ssd":  # section 2.2: as many of the ground as of objects
        assert losses == {"loss": 0}


@pytest.mark.parametrize("name", WRONG)
def test_targets_decoded_are_the_true_boxes(name):
    """What the data asks for is what a model that says it would find."""
    twin, batch = find(name), batch_of(name)
    found = SAID[name](started(name), batch)
    rows = {key: array[:6] for key, array in data.load(twin.data, twin.data_options).train.items()}
    said = {key: tensor.detach().numpy() for key, tensor in found.items()}
    assert metrics.mean_average_precision(lambda given: said, rows) > 0.99


# YOLO, first version


def test_yolo_v1_gives_98_boxes_in_1470_numbers():
    arguments = find("yolo_v1").paper_size.arguments
    small = {"image_shape": (14, 14, 3), "features": ("M",), "last_channels": 2, "hidden_dim": 4}
    out = started("yolo_v1", **(dict(arguments) | small))(torch.zeros(1, 3, 14, 14))
    assert out["grid"].shape == (1, 7, 7, 30)
    assert out["grid"].numel() == 1470
    assert out["boxes"].shape == (1, 98, 4)


def test_yolo_v1s_loss_is_the_papers_sum():
    model, batch = started("yolo_v1"), batch_of("yolo_v1", 2)
    out = model(batch["x"])
    total = 0
    for row, line, column in np.ndindex(2, 6, 6):
        numbers = out["grid"][row, line, column].tolist()
        classes = numbers[10:]
        kind = batch["cell_classes"][row, line, column].item()
        x, y, root_w, root_h = batch["cell_boxes"][row, line, column].tolist()
        ious, each = [], [numbers[:5], numbers[5:10]]
        for px, py, rw, rh, _ in each:
            left, right = max(px / 6 - rw**2 / 2, x / 6 - root_w**2 / 2), min(px / 6 + rw**2 / 2, x / 6 + root_w**2 / 2)
            top, bottom = max(py / 6 - rh**2 / 2, y / 6 - root_h**2 / 2), min(py / 6 + rh**2 / 2, y / 6 + root_h**2 / 2)
            shared = max(right - left, 0) * max(bottom - top, 0)
            ious.append(shared / max(rw**2 * rh**2 + root_w**2 * root_h**2 - shared, 1e-9))
        for number, (px, py, rw, rh, confidence) in enumerate(each):
            if kind >= 0 and number == int(np.argmax(ious)):
                total += 5 * ((px - x) ** 2 + (py - y) ** 2 + (rw - root_w) ** 2 + (rh - root_h) ** 2)
                total += (confidence - ious[number]) ** 2
            else:
                total += 0.5 * confidence**2
        if kind >= 0:
            total += sum((p - (number == kind)) ** 2 for number, p in enumerate(classes))
    assert model.compute_loss(None, batch, out).item() == pytest.approx(total / 2, rel=1e-4)


def test_erratum_c_yolos_box_is_regressed_not_weighted():
    model, x = started("yolo_v1"), batch_of("yolo_v1")["x"]
    before = model(x)
    with torch.no_grad():
        numbers = model.dense2.bias.view(6, 6, 13)
        numbers[..., 10:] += 0.3  # the classes' probabilities
    after = model(x)
    assert torch.equal(before["boxes"], after["boxes"])
    assert not torch.equal(before["scores"], after["scores"])


# YOLO, from version 2 on


def test_a_cells_centre_never_leaves_it_and_its_box_grows_from_the_anchor():
    shapes = (((0.2, 0.4),), ((0.1, 0.1), (0.3, 0.1)))
    far = [torch.full((1, 6, 2, 2), 9.0), torch.full((1, 12, 4, 4), -9.0)]
    out = tiny_yolo_v3.detect(far, shapes)
    centres, sizes = anchors.centred(out["boxes"])
    assert out["boxes"].shape == (1, 4 + 32, 4)
    np.testing.assert_allclose(centres[0, :4], [(0.5, 0.5), (1, 0.5), (0.5, 1), (1, 1)], atol=1e-3)
    np.testing.assert_allclose(centres[0, 4:8], [(0, 0), (0, 0), (0.25, 0), (0.25, 0)], atol=1e-3)
    still = tiny_yolo_v3.detect([torch.zeros(1, 6, 2, 2), torch.zeros(1, 12, 4, 4)], shapes)
    _, sizes = anchors.centred(still["boxes"])
    np.testing.assert_allclose(sizes[0, [0, 4, 5]], [(0.2, 0.4), (0.1, 0.1), (0.3, 0.1)], rtol=1e-5)
    assert torch.allclose(still["scores"], torch.tensor(0.25))


def test_yolos_loss_by_hand():
    raw = torch.tensor([[[0.3, -0.2, 0.1, 0.4, 1.2, -0.5], [0, 0, 0, 0, 0.7, 3], [0, 0, 0, 0, 5, 5]]])
    y = {
        "offsets": torch.tensor([[[0.6, 0.5, 0, 0.2], [0, 0, 0, 0], [0, 0, 0, 0]]]),
        "objectness": torch.tensor([[1, 0, -1]]),
        "labels": torch.tensor([[0, -1, -1]]),
    }
    sigmoid = lambda t: 1 / (1 + np.exp(-t))
    expected = (sigmoid(0.3) - 0.6) ** 2 + (sigmoid(-0.2) - 0.5) ** 2 + 0.1**2 + 0.2**2
    expected += -np.log(sigmoid(1.2)) - np.log(sigmoid(-0.5)) - np.log(1 - sigmoid(0.7))
    assert tiny_yolo_v3.yolo_loss(y, raw).item() == pytest.approx(expected, rel=1e-5)


def test_the_coarse_grids_last_pooling_keeps_its_size_and_looks_right_and_below():
    model, x = started("tiny_yolo_v3"), torch.randn(1, 1, 48, 48)
    seen = []
    model.deep2.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.deep1.register_forward_hook(lambda module, inputs, out: seen.append(out))
    model(x)
    before, after = (each[0] for each in seen)
    assert before.shape == after.shape
    assert (before < 0).any()  # so that a padding of zeros would show
    assert torch.equal(after[:, -1, -1], before[:, -1, -1])
    assert torch.equal(after[:, 0, 0], before[:, :2, :2].amax((1, 2)))


def test_erratum_a_predefined_shapes_are_not_those_of_the_98_boxes():
    first = find("yolo_v1").paper_size.arguments
    assert 7 * 7 * first["boxes_per_cell"] == 98
    assert "anchors" not in first  # version 1 has none
    tiny = find("tiny_yolo_v3").paper_size.arguments["anchors"]
    assert sum(side * side * len(each) for side, each in zip((13, 26), tiny, strict=True)) == 2535
    large = find("yolo_v3").paper_size.arguments["anchors"]
    assert sum(side * side * len(each) for side, each in zip((13, 26, 52), large, strict=True)) == 10_647
    moved = torch.zeros(1, 6, 1, 1)
    moved[0, 0] = 2.0
    out = [tiny_yolo_v3.detect([raw], (((0.2, 0.4),),))["boxes"] for raw in (torch.zeros(1, 6, 1, 1), moved)]
    assert (out[1] - out[0])[0, 0, 0] > 0.3  # the box is not bound to the middle of its cell


def test_erratum_a_boxes_below_a_half_train_the_confidence():
    model, batch = started("tiny_yolo_v3"), batch_of("tiny_yolo_v3")
    raw = model(batch["x"])["raw"].detach().requires_grad_()
    tiny_yolo_v3.yolo_loss(batch, raw).backward()
    background = batch["objectness"] == 0
    assert background.float().mean() > 0.9
    assert (raw.grad[background][:, 4] > 0).all()
    assert not raw.grad[background][:, :4].any()


# SSD


def test_ssds_default_boxes_are_those_of_its_data_and_of_the_exercise():
    np.testing.assert_allclose(started("ssd").anchors, crowd_defaults.default_boxes(**DEFAULTS), atol=1e-6)
    paper = find("ssd").paper_size.arguments
    boxes_at_300 = crowd_defaults.default_boxes((38, 19, 10, 5, 3, 1), paper["scales"], paper["ratios"])
    assert boxes_at_300.shape == (8732, 4)
    np.testing.assert_allclose(outputs("anchors")["ssd300"], boxes_at_300, atol=1e-12)


def test_ssd_takes_three_negatives_for_each_match_and_the_hardest():
    model, batch = started("ssd"), batch_of("ssd")
    out = {key: tensor.detach() for key, tensor in model(batch["x"]).items()}
    logits = out["logits"].requires_grad_()
    loss = model.compute_loss(None, batch, out | {"logits": logits})
    loss.backward()
    learning = logits.grad.abs().sum(-1) > 0
    matched = batch["labels"] > 0
    assert learning[matched].all()
    assert torch.equal((learning & ~matched).sum(1), 3 * matched.sum(1))
    ground = torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch["labels"], reduction="none").detach()
    for row in range(len(ground)):
        taken, left = learning[row] & ~matched[row], ~learning[row]
        assert ground[row][taken].min() >= ground[row][left].max()
    offsets = torch.nn.functional.smooth_l1_loss(out["offsets"][matched], batch["offsets"][matched], reduction="sum")
    expected = (offsets + ground[learning].sum()) / matched.sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_first_maps_features_have_one_length():
    norm = ssd.L2Norm(4, 20.0)
    out = norm(torch.randn(2, 4, 3, 3))
    np.testing.assert_allclose(out.square().sum(1).sqrt().detach(), 20.0, rtol=1e-5)
    zeros = torch.zeros(1, 4, 1, 1, requires_grad=True)
    norm(zeros).sum().backward()
    assert torch.isfinite(zeros.grad).all()


def test_erratum_a_six_maps_of_one_network():
    paper = find("ssd").paper_size.arguments
    with torch.device("meta"):
        model = ssd.SSD(**paper)
        seen = []
        for head in model.loc:
            head.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[1:])))
        model(torch.zeros(1, 3, 300, 300))
    assert seen == [(512, 38, 38), (1024, 19, 19), (512, 10, 10), (256, 5, 5), (256, 3, 3), (256, 1, 1)]
    assert len(model.convs) + len(model.conv5) == 13  # one VGG, and its tenth convolution gives the first map
    assert len(model.convs) == 10


def test_yolo_v3_has_75_convolutions_three_grids_and_255_outputs_a_cell():
    paper = find("yolo_v3").paper_size.arguments
    with torch.device("meta"):
        model = train.load_module(find("yolo_v3")).YOLOv3(**paper)
        seen = []
        for neck in model.necks:
            neck.grid.register_forward_hook(lambda module, inputs, out: seen.append(tuple(out.shape[1:])))
        model(torch.zeros(1, 3, 416, 416))
    assert seen == [(255, 13, 13), (255, 26, 26), (255, 52, 52)]
    assert sum(isinstance(module, torch.nn.Conv2d) for module in model.modules()) == 75
    trunk = [model.conv, *model.stages]
    assert sum(p.numel() for part in trunk for p in part.parameters()) == 40_584_928  # Darknet-53, table 1


# Two stages


def aligned_by_hand(features, box, size):
    """RoIAlign as torchvision's CPU code has it (aligned=True, sampling_ratio=2), sample by sample: (size, size, C)."""
    height, width = features.shape[:2]
    left, top, right, bottom = np.array(box) * (width, height, width, height) - 0.5
    out = np.zeros((size, size, features.shape[2]))
    for line, column, down, across in np.ndindex(size, size, 2, 2):
        y = top + (line + (down + 0.5) / 2) * (bottom - top) / size
        x = left + (column + (across + 0.5) / 2) * (right - left) / size
        y, x = max(y, 0), max(x, 0)
        y0, x0 = min(int(y), height - 1), min(int(x), width - 1)
        y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
        dy, dx = (y - y0 if y1 > y0 else 0), (x - x0 if x1 > x0 else 0)
        upper = (1 - dx) * features[y0, x0] + dx * features[y0, x1]
        lower = (1 - dx) * features[y1, x0] + dx * features[y1, x1]
        out[line, column] += ((1 - dy) * upper + dy * lower) / 4
    return out


def test_regions_are_aligned_as_by_hand_on_both_sides():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((2, 7, 9, 3))
    low = rng.uniform(0, 0.7, (2, 6, 2))
    places = np.concatenate([low, np.minimum(low + rng.uniform(0.05, 0.6, low.shape), 1)], axis=-1)
    places[0, :2] = [(0, 0, 1, 1), (0.3, 0.4, 0.3, 0.4)]  # the whole map, and a point
    native = faster_rcnn.roi_align(torch.tensor(features).permute(0, 3, 1, 2), torch.tensor(places), 4)
    given = (torch.tensor(array, dtype=torch.float32) for array in (features, places))
    ours = keras_train.load_module(find("faster_rcnn")).roi_align(*given, 4)
    for row, number in np.ndindex(2, 6):
        expected = aligned_by_hand(features[row], places[row, number], 4)
        np.testing.assert_allclose(native[row, number].permute(1, 2, 0), expected, atol=1e-12)
        np.testing.assert_allclose(ours[row, number], expected, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_boxes_of_a_batch_are_suppressed_as_those_of_one_picture(threshold):
    rows = [crowd(seed, 40) for seed in range(3)]
    sorted_boxes = np.stack([places[np.argsort(-scores)] for places, scores in rows])
    removed = faster_rcnn.suppressed(torch.tensor(sorted_boxes), threshold)
    for each, gone in zip(sorted_boxes, removed, strict=True):
        kept = boxes.suppress(each, -np.arange(40.0), threshold)
        assert np.flatnonzero(~gone).tolist() == kept.tolist()


def test_proposals_are_the_best_that_stay_and_then_the_best_of_the_others():
    model = started("faster_rcnn")
    logits, offsets = torch.randn(2, 576, 2), 0.1 * torch.randn(2, 576, 4)
    found = faster_rcnn.propose(logits, offsets, model.anchors, 100, 24)
    assert found.shape == (2, 24, 4)
    for row in range(2):
        scores = (logits[row, :, 1] - logits[row, :, 0]).numpy()
        best = np.argsort(-scores)[:100]
        places = anchors.decode(offsets[row], model.anchors).clamp(0, 1).numpy()[best]
        stays = boxes.suppress(places, scores[best], 0.7)
        order = [*stays, *(number for number in range(100) if number not in stays)][:24]
        np.testing.assert_array_equal(found[row], places[order])


def test_the_anchors_of_faster_rcnn_are_those_of_its_data():
    expected = crowd_regions.grid_anchors((12, 12), (48, 48), **REGIONS)
    np.testing.assert_allclose(started("faster_rcnn").anchors, expected, atol=1e-6)


def test_an_anchor_learns_from_seven_tenths_on_or_as_the_best_of_a_box_and_up_to_three_tenths_ground():
    part = crowds.load(only=(0, 1, 2), train_count=20, test_count=1).train
    places = crowd_regions.grid_anchors((12, 12), (48, 48), **REGIONS)
    found = crowd_regions.assigned(part, places)
    for row, labels in enumerate(found["anchor_labels"]):
        iou = boxes.overlaps(places, part["boxes"][row][part["classes"][row] >= 0].astype(float))
        best = (iou == iou.max(0)).any(1)
        assert (labels[best] == 1).all()
        assert ((labels[~best] == 1) == (iou.max(1)[~best] >= 0.7)).all()
        assert ((labels[~best] == 0) == (iou.max(1)[~best] < 0.3)).all()


def test_samples_are_up_to_a_share_of_objects_and_ground_for_the_rest():
    rng = np.random.default_rng(0)
    kinds = torch.tensor(rng.choice([1, 0, -1], (5, 60), p=[0.3, 0.6, 0.1]))
    kinds[0] = torch.where(kinds[0] == 1, 0, kinds[0])  # no object
    draws = torch.tensor(rng.random((5, 60)))
    chosen = faster_rcnn.sampled(kinds == 1, kinds == 0, draws, 16, 1 / 4).bool()
    assert chosen.sum(1).tolist() == [16] * 5
    assert (chosen & (kinds == 1)).sum(1).tolist() == [0, 4, 4, 4, 4]
    assert not (chosen & (kinds == -1)).any()
    for row in range(1, 5):
        of_objects = kinds[row] == 1
        assert draws[row][of_objects & chosen[row]].min() > draws[row][of_objects & ~chosen[row]].max()


def test_the_four_losses_are_logged_by_name_and_their_sum_is_trained():
    twin = find("faster_rcnn")
    rows = {key: array[:4] for key, array in data.load(twin.data, twin.data_options).train.items()}
    rng = np.random.default_rng(0)
    rows |= {wanted.name: drawn(wanted, 4, twin.small.arguments, rng) for wanted in twin.draws}
    for side in (keras_train, train):
        run = side.build(twin, dict(twin.small.arguments))
        side.prepare(run, 10)
        told = side.step(run, rows)
        assert list(told) == ["loss", "rpn_class", "rpn_box", "class", "box"]
        assert told["loss"] == pytest.approx(sum(told.values()) - told["loss"], rel=1e-6)
        again = side.step(run, rows)
        assert again["loss"] < told["loss"]


def test_no_gradient_goes_through_the_choice_or_the_edges_of_proposals():
    model, batch = started("faster_rcnn"), batch_of("faster_rcnn")
    losses = faster_rcnn.detection_losses(model, batch)
    (losses["class"] + losses["box"]).backward()
    assert all(parameter.grad is None for parameter in model.rpn.parameters())
    assert model.last_conv.weight.grad.abs().sum() > 0


def test_the_proposal_networks_output_layer_has_28_thousand_weights():
    with torch.device("meta"):
        rpn = faster_rcnn.RPN(512, 9)
    assert rpn.logits.weight.numel() + rpn.offsets.weight.numel() == 512 * (4 + 2) * 9 == 27_648  # section 3.1


def test_masks_are_cut_out_and_enlarged_to_where_they_were():
    part = crowds.load(only=(0, 1, 2), masks=True, train_count=6, test_count=1).train
    true = torch.tensor(part["masks"], dtype=torch.float64)
    places = torch.tensor(part["boxes"].clip(0), dtype=torch.float64)
    native, ours = (side.load_module(find("mask_rcnn")) for side in (train, keras_train))
    cut = faster_rcnn.roi_align(true.permute(0, 3, 1, 2), places, 28)  # (B, R, M, 28, 28)
    cut = torch.stack([cut[:, number, number] for number in range(4)], dim=1)  # of each box its own
    back = native.pasted(cut, places, (48, 48))
    np.testing.assert_allclose(ours.pasted(cut, places, (48, 48)).permute(0, 3, 1, 2), back, atol=1e-5)
    for row, number in np.argwhere(part["classes"] >= 0):
        found, wanted = back[row, number] >= 0.5, true[row, ..., number] > 0
        assert (found & wanted).sum() > 0.95 * (found | wanted).sum()
        left, top, right, bottom = (48 * places[row, number]).round().int().tolist()
        outside = back[row, number].clone()
        outside[top:bottom, left:right] = 0
        assert not outside.any()


@pytest.mark.long  # Keras builds its model on pictures of 448x448
def test_a_region_takes_its_features_from_the_map_of_its_size():
    arguments = {**find("mask_rcnn").paper_size.arguments, "width": 4, "channels": 8, "hidden_dim": 4}
    small = {"stages": (1, 1, 1, 1), "candidates": 8, "proposals": 4, "image_shape": (448, 448, 3)}
    for side in (train, keras_train):
        model = side.build(find("mask_rcnn"), {**arguments, **small}).model
        maps = [torch.full((1, 8, 4, 4) if side is train else (1, 4, 4, 8), float(level)) for level in range(5)]
        sides = torch.tensor([50.0, 111, 113, 223, 225, 447, 449]) / 448  # Lin et al. (2017), equation 1
        places = torch.stack([0 * sides, 0 * sides, sides, sides], dim=-1)[None]
        found = model.aligned(maps, places, 0).flatten(2).mean(-1)[0]
        assert found.tolist() == pytest.approx([0, 0, 1, 1, 2, 2, 3])


def test_the_masks_loss_is_the_cross_entropy_of_the_true_classs_masks_of_objects():
    module = train.load_module(find("mask_rcnn"))
    rng = np.random.default_rng(0)
    logits, true = torch.tensor(rng.standard_normal((2, 3, 4, 6, 6))), torch.tensor(rng.random((2, 2, 12, 12)) > 0.5)
    rois = torch.tensor([[(0, 0, 1, 1), (0.1, 0.2, 0.6, 0.9), (0.3, 0.3, 0.5, 0.5)]] * 2, dtype=torch.float64)
    labels, best = torch.tensor([[1, 3, 0], [2, 2, 1]]), torch.tensor([[0, 1, 0], [1, 0, 0]])
    counted = torch.tensor([[1.0, 1, 1], [1, 0, 1]], dtype=torch.float64)
    total = []
    for row, number in ((0, 0), (0, 1), (1, 0), (1, 2)):
        wanted = faster_rcnn.roi_align(true[[row]].double(), rois[row, [number]][None], 6)[0, 0, best[row, number]]
        share = 1 / (1 + torch.exp(-logits[row, number, labels[row, number]]))
        total.append(-(wanted * share.log() + (1 - wanted) * (1 - share).log()).mean())
    found = module.mask_loss(logits, true, rois, labels, counted, best)
    assert found.item() == pytest.approx(sum(total).item() / 4, rel=1e-9)


def test_frozen_batch_norms_stay_as_they_are_and_are_not_trained():
    twin = find("mask_rcnn")
    rows = {key: array[:4] for key, array in data.load(twin.data, twin.data_options).train.items()}
    rng = np.random.default_rng(0)
    rows |= {wanted.name: drawn(wanted, 4, twin.small.arguments, rng) for wanted in twin.draws}
    for side in (keras_train, train):
        run = side.build(twin, dict(twin.small.arguments))
        side.prepare(run, 10)
        before = side.dump_weights(run)
        told = side.step(run, rows)
        assert list(told) == ["loss", "rpn_class", "rpn_box", "class", "box", "mask"]
        after = side.dump_weights(run)
        still = {name for name in before if np.array_equal(before[name], after[name])}
        assert still == {name for name in before if "bn" in name}


# Poses


def test_joints_within_a_fifth_of_the_torso_are_detected():
    y = poses.load(train_count=1, test_count=6).test["y"]
    joints = y.reshape(6, 13, 2)
    torso = np.linalg.norm(joints[:, 1] - joints[:, 8], axis=-1)
    np.testing.assert_allclose(poses.torso(y), torso, rtol=1e-6)
    moved = joints.copy()
    moved[:, :3, 0] += 0.19 * torso[:, None]
    moved[:, 3:5, 1] += 0.21 * torso[:, None]
    assert metrics.detected_joints(lambda inputs: {"y": moved.reshape(6, 26)}, {"y": y}) == pytest.approx(11 / 13)


def test_the_mean_pose_is_the_chance_of_the_catalogue():
    parts = poses.load()
    mean = parts.train["y"].mean(0, keepdims=True).repeat(len(parts.test["y"]), 0)
    chance = metrics.detected_joints(lambda inputs: {"y": mean}, parts.test)
    assert chance == pytest.approx(find("keypoints").metric.chance, abs=0.01)


def test_the_joints_lie_on_the_figure_and_keep_off_the_sides():
    part = poses.load(train_count=200, test_count=1).train
    places = ((part["y"].reshape(200, 13, 2) + 0.5) * 32).astype(int)
    assert places.min() >= 2
    assert places.max() <= 30
    ink = part["x"][np.arange(200)[:, None], places[..., 1], places[..., 0], 0]
    assert (ink.mean(1) > part["x"].mean((1, 2, 3)) + 0.2).all()
    left, right = ink[:, 3::2].mean(), ink[:, 4::2].mean()
    assert left > right + 0.15  # the left is told from the right by its shade alone


@pytest.mark.parametrize("size", [20, 30])
def test_figures_of_a_size_that_cannot_be_drawn_are_one_line(size):
    with pytest.raises(TwinError, match=f"size must be a multiple of 8 and at least 24; received {size}"):
        poses.load(size=size)


def test_a_report_shows_the_joints_that_were_found():
    part = poses.load(train_count=1, test_count=8).test
    made = pictures.of_predictions(find("keypoints"), part, {"y": part["y"]})
    assert [(each["caption"], each["of"]) for each in made["pictures"]] == [
        ("true joints", "data"),
        ("joints found", "model"),
    ]
    assert made["pictures"][0]["png"] == made["pictures"][1]["png"]
    assert made["tile"] == [64, 64]
