"""What the slides print: the exercises are held against it."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.slides import VALID_ON_THE_SLIDE, outputs, run
from torch_impl import train
from twin.catalogue import TWINS, find

BY_HAND = [
    twin.name
    for twin in TWINS.values()
    if twin.kind == "exercise" and '_by_hand"' in Path(train.load_module(twin).__file__).read_text(encoding="utf-8")
]


# The exercises


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_equals_framework(name):
    out = outputs(name)
    hands = [key for key in out if key.endswith("_by_hand")]
    for key in hands:
        stem = key.removesuffix("_by_hand")
        other = out.get(f"{stem}_framework", out.get(f"{stem}_automatic"))
        np.testing.assert_allclose(out[key], other, rtol=1e-13, atol=1e-15, err_msg=key)
    assert hands


def test_autograd_product_draws_what_the_slide_draws():
    generator = np.random.RandomState(0)
    for name in "xyz":
        np.testing.assert_allclose(find("autograd_product").literals[name], generator.randn(3, 4), atol=5e-9)


def test_autograd_polynomial():
    out = outputs("autograd_polynomial")
    np.testing.assert_array_equal(out["q"], [-12, 65])
    np.testing.assert_array_equal(out["a_automatic"], [9 * 2**2, 9 * 3**2])
    np.testing.assert_array_equal(out["b_automatic"], [-2 * 6, -2 * 4])


def test_backprop_step_lowers_the_loss():
    out = outputs("backprop_by_hand")
    assert out["loss_after_step"] < 0.9 * out["loss"]


def test_conv2d_of_the_slides():
    out = outputs("conv2d_by_hand")
    np.testing.assert_array_equal(out["valid_by_hand"], VALID_ON_THE_SLIDE)
    np.testing.assert_array_equal(out["same_by_hand"][1:4, 1:4], VALID_ON_THE_SLIDE)
    np.testing.assert_array_equal(out["stride_2_by_hand"], VALID_ON_THE_SLIDE[::2, ::2])
    one_place = run("conv2d_by_hand", image=np.eye(3))["valid_by_hand"]  # the page on grey pictures
    np.testing.assert_array_equal(one_place, [[3]])


def test_pooling_of_the_slides():
    out = outputs("pooling")
    np.testing.assert_array_equal(out["max_framework"][0, ..., 0], [[253, 251], [236, 169]])
    np.testing.assert_array_equal(out["average_framework"][0, ..., 0], [[141, 161], [193.25, 106.25]])
    left_out, counted = out["padding_left_out_framework"][0, ..., 0], out["padding_counted_framework"][0, ..., 0]
    cells = np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]])  # of each window, those inside the image
    np.testing.assert_allclose(left_out * cells, counted * 9)


def test_why_deep_counts_of_the_slides():
    out = outputs("why_deep")
    np.testing.assert_array_equal(out["large_parameters"][0], [25, 49])
    np.testing.assert_array_equal(out["small_parameters"][0], [18, 27])
    np.testing.assert_array_equal(out["large_field"], [[5, 7], [5, 7]])
    np.testing.assert_array_equal(out["small_field"], out["large_field"])


def test_box_metrics_areas():
    out = run(
        "box_metrics",
        truth_boxes=((0.0, 0.0, 4.0, 4.0),), truth_image=(0,), truth_class=(0,), classes=(0,),
        boxes=((2.0, 0.0, 4.0, 8.0),), box_image=(0,), box_class=(0,), score=(0.9,),
    )  # fmt: skip
    assert (out["area_precision"].item(), out["area_recall"].item(), out["iou"].item()) == (0.5, 0.5, 8 / 24)


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_box_metrics_equals_pycocotools(seed):
    inputs = dict(find("box_metrics").literals) if seed is None else crowded_scenes(seed)
    expected = coco(**inputs)
    out = run("box_metrics", **inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(out[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


def crowded_scenes(seed):
    """Objects that overlap, found roughly, twice, under the wrong class or not at all."""
    rng = np.random.default_rng(seed)
    objects, per_object = 18, 4
    corner = rng.uniform(0, 40, (objects, 2))
    truth_boxes = np.concatenate([corner, corner + rng.uniform(20, 60, (objects, 2))], axis=1)
    truth_image, truth_class = rng.integers(0, 4, objects), np.arange(objects) % 3
    wrong = rng.random(objects * per_object) < 0.15
    return {
        "classes": np.arange(3),
        "truth_boxes": truth_boxes,
        "truth_image": truth_image,
        "truth_class": truth_class,
        "boxes": np.repeat(truth_boxes, per_object, 0) + rng.normal(0, 3, (objects * per_object, 4)),
        "box_image": np.repeat(truth_image, per_object),
        "box_class": np.where(wrong, rng.integers(0, 3, wrong.size), np.repeat(truth_class, per_object)),
        "score": rng.permutation(objects * per_object) / 100 + 0.05,
    }


def coco(classes, truth_boxes, truth_image, truth_class, boxes, box_image, box_class, score, thresholds=()):
    """The same figures from the reference implementation."""
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entries(corners, images, kinds):
        sizes = np.asarray(corners, float)[:, 2:] - np.asarray(corners, float)[:, :2]
        for index, (corner, size) in enumerate(zip(np.asarray(corners, float), sizes, strict=True)):
            box = [*corner[:2].tolist(), *size.tolist()]
            yield {
                "id": index + 1, "image_id": int(images[index]), "category_id": int(kinds[index]),
                "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            }  # fmt: skip

    images = sorted({*map(int, truth_image), *map(int, box_image)})
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in images],
        "categories": [{"id": int(kind)} for kind in classes],
        "annotations": list(entries(truth_boxes, truth_image, truth_class)),
    }
    truth.createIndex()
    found = COCO()
    annotations = entries(boxes, box_image, box_class)
    found.dataset = truth.dataset | {
        "annotations": [entry | {"score": float(s)} for entry, s in zip(annotations, score, strict=True)]
    }
    found.createIndex()

    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    ap = evaluation.eval["precision"][:, :, :, 0, 2].mean(1)  # (T, R, K, area, boxes) to (T, K)
    return {
        "ap": ap,
        "ap_per_class": ap.mean(0),
        "map": evaluation.stats[0],
        "ap50": evaluation.stats[1],
        "ar": evaluation.stats[8],
    }
