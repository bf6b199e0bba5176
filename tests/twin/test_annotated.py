"""COCO's, VOC's and KITTI's folders: small ones of the same form are read right, and damaged ones refused in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.loaders import break_file, refusal
from twin import data, metrics
from twin.data import coco, crowd_defaults, crowd_masks, kitti, pascal_voc

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def save(path: Path, width: int, height: int, colour=COLOURS[0]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if isinstance(colour, tuple) else "L", (width, height), colour).save(path)


# COCO


def content() -> dict:
    """Two pictures; one has a dog, a crowd and a cat that leaves it, the other nothing."""
    triangle = [[10, 5, 30, 5, 10, 25]]
    square = [[30, 30, 60, 30, 60, 60, 30, 60]]
    return {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 40, "height": 40},
            {"id": 3, "file_name": "a.png", "width": 40, "height": 50},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 18, "bbox": [10, 5, 20, 20], "segmentation": triangle},
            {"id": 2, "image_id": 3, "category_id": 18, "bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {}},
            {"id": 3, "image_id": 3, "category_id": 17, "bbox": [30, 30, 30, 30], "segmentation": square},
            {"id": 4, "image_id": 7, "category_id": 17, "bbox": [3, 3, 0.2, 8], "segmentation": square},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
    }


def coco_folder(root: Path, changed: dict | None = None) -> str:
    save(root / "val2017" / "a.png", 40, 50)
    save(root / "val2017" / "b.png", 40, 40, 90)  # grey, as some of COCO's are
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(changed or content()), encoding="utf-8")
    return str(root)


def test_coco_gives_boxes_masks_and_classes_of_resized_pictures(tmp_path):
    options = {"root": coco_folder(tmp_path), "size": 20, "masks": True, "test_share": 0}
    found = data.load("coco", options)
    part = found.train
    assert found.provenance.endswith("2 pictures with 2 objects of 2 classes; 1 smaller than a pixel left out")
    a, b = np.argsort(part["classes"][:, 0])[::-1]  # `split` shuffles
    np.testing.assert_allclose(part["boxes"][a], [(0.25, 0.1, 0.75, 0.5), (0.75, 0.6, 1, 1)], atol=1e-6)
    assert part["classes"].tolist() == [[1, 0], [-1, -1]] if a == 0 else [[-1, -1], [1, 0]]
    assert (part["boxes"][b] == -1).all()
    np.testing.assert_allclose(part["x"][a, 3, 3], np.array(COLOURS[0]) / 255, atol=1e-6)
    np.testing.assert_allclose(part["x"][b, 3, 3], 90 / 255, atol=1e-6)
    dog, cat = part["masks"][a, ..., 0], part["masks"][a, ..., 1]
    assert dog.sum() == pytest.approx(0.5 * 10 * 8, abs=8)  # half of its box
    assert dog[2:4, 5:8].all()
    assert not dog[8:, 10:].any()
    assert cat[13:, 16:].all()
    assert not cat[:11].any()


def test_a_detector_that_finds_cocos_objects_is_judged_to_find_them(tmp_path):
    part = data.load("coco", {"root": coco_folder(tmp_path), "size": 20, "masks": True, "test_share": 0}).train
    said = {"boxes": part["boxes"], "scores": np.eye(2)[part["classes"]] * (part["classes"] >= 0)[..., None]}
    assert metrics.mean_average_precision(lambda given: said, part) == pytest.approx(1)
    assert metrics.mean_mask_average_precision(lambda given: {**said, "masks": part["masks"]}, part) == pytest.approx(1)


def test_what_detectors_learn_is_made_of_a_folder_as_of_drawn_scenes(tmp_path):
    part = data.load("coco", {"root": coco_folder(tmp_path), "size": 20, "masks": True, "test_share": 0}).train
    anchors = crowd_masks.anchor_boxes((4, 2), (0.4, 0.6))
    targets = crowd_defaults.matched(part, anchors)
    assert set(targets["labels"].ravel()) == {0, 1, 2}  # ground, cat, dog
    assert crowd_masks.matched(part, anchors, reduction=2, positives=4)["shapes"].shape == (2, 10, 10, 4)


def test_cocos_classes_can_be_chosen_and_ordered(tmp_path):
    root = coco_folder(tmp_path)
    part = data.load("coco", {"root": root, "size": 8, "only": ("dog",), "test_share": 0}).train
    assert sorted(part["classes"].ravel()) == [-1, 0]
    assert data.load("coco", {"root": root, "size": 8, "count": 1, "test_share": 0}).train["x"].shape == (1, 8, 8, 3)


def changed(where: str, row: int, **values) -> dict:
    out = content()
    out[where][row] |= values
    return out


DAMAGED = {
    "no list": ({"images": [], "annotations": []}, "lacks one of these lists"),
    "another form": ([1, 2], "lacks one of these lists"),
    "no picture": ({"images": [], "annotations": [], "categories": []}, "has no picture with its description"),
    "an id": (changed("images", 0, id="x"), "id is x; expected a whole number of at least 0"),
    "a width": (changed("images", 0, width=0), "width is 0; expected a whole number of at least 1"),
    "another size": (changed("images", 0, width=41), "b.png: is 40x40, but its description says 41x40"),
    "a way out": (changed("images", 0, file_name="../b.png"), "names the picture '../b.png'; expected a file within"),
    "an absolute name": (changed("images", 0, file_name="/etc/hosts"), "expected a file within"),
    "a lost picture": (changed("images", 0, file_name="c.png"), "c.png, which is not there"),
    "a lost image": (changed("annotations", 0, image_id=9), "annotation 1: its image 9 or its category 18 is not in"),
    "a lost category": (changed("annotations", 0, category_id=9), "its category 9 is not in the file"),
    "a short box": (changed("annotations", 0, bbox=[1, 2, 3]), "annotation 1: its bbox is [1, 2, 3]; expected left"),
    "a box of words": (changed("annotations", 0, bbox=[1, 2, 3, "4"]), "annotation 1: its bbox is"),
    "an inverted box": (changed("annotations", 0, bbox=[9, 9, -5, 3]), "annotation 1: its box (9.0, 9.0, 4.0, 12.0)"),
    "a short outline": (changed("annotations", 0, segmentation=[[1, 2, 3, 4]]), "its outline has 4 numbers; expected"),
    "run lengths": (changed("annotations", 0, segmentation={"counts": [1]}), "segmentation is no list of polygons"),
    "no outline": (changed("annotations", 0, segmentation=[]), "has no outline; expected polygons"),
}


@pytest.mark.parametrize(("damaged", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_instances_file_is_one_line(damaged, words, tmp_path):
    root = coco_folder(tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(damaged), encoding="utf-8")
    message = refusal(coco.load, root, size=20, masks=True, test_share=0)
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot read"),
        ('{"images": [1e999]}', "no number that can be measured"),
        ("[" * 100_000, "nested too deep"),
    ],
    ids=["cut", "infinite", "deep"],
)
def test_a_text_that_is_no_json_is_one_line(text, words, tmp_path):
    root = coco_folder(tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").write_text(text, encoding="utf-8")
    assert words in refusal(coco.load, root, size=20)


def test_what_is_asked_of_a_folder_is_checked(tmp_path):
    root = coco_folder(tmp_path)
    assert "instances_val2014.json: No such file" in refusal(coco.load, root, part="val2014")
    assert "has no class 'cow'; it has cat, dog" in refusal(coco.load, root, only=("cow",))
    assert "expected a size and a `most` of at least 1" in refusal(coco.load, root, size=0)
    assert "count must be from 1 to 2" in refusal(coco.load, root, count=3)
    assert "has 2 objects, the padding holds 1" in refusal(coco.load, root, size=8, most=1)
    assert "need 23 GiB, more than 8; take fewer" in refusal(coco.load, root, size=32_000)
    break_file(tmp_path / "val2017" / "a.png")
    assert "a.png: cannot be read as a picture" in refusal(coco.load, root, size=8)


def test_an_outline_far_outside_takes_no_memory(tmp_path):
    far = changed("annotations", 0, segmentation=[[0, 0, 1e9, 0, 1e9, 1e9, 0, 1e9]])
    part = data.load("coco", {"root": coco_folder(tmp_path, far), "size": 20, "masks": True, "test_share": 0}).train
    assert part["masks"].sum(axis=(1, 2)).max() == 400


# Pascal VOC


def described(name="a.png", width=40, objects="") -> str:
    size = f"<size><width>{width}</width><height>20</height><depth>3</depth></size>"
    return f"<annotation><folder>VOC</folder><filename>{name}</filename>{size}{objects}</annotation>"


def thing(name="dog", box=(1, 1, 20, 10), difficult=0) -> str:
    sides = "".join(f"<{n}>{value}</{n}>" for n, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"


def voc_folder(root: Path, text: str) -> str:
    save(root / "JPEGImages" / "a.png", 40, 20)
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_text(text, encoding="utf-8")
    return str(root)


def test_voc_counts_pixels_from_one_and_leaves_difficult_objects_out(tmp_path):
    root = voc_folder(
        tmp_path, described(objects=thing() + thing("cat", difficult=1) + thing("person", (31, 6, 40, 20)))
    )
    part = data.load("pascal_voc", {"root": root, "size": 10, "test_share": 0}).train
    np.testing.assert_allclose(part["boxes"][0], [(0, 0, 0.5, 0.5), (0.75, 0.25, 1, 1)], atol=1e-6)
    assert [pascal_voc.CLASSES[kind] for kind in part["classes"][0]] == ["dog", "person"]
    assert len(pascal_voc.CLASSES) == 20
    only = data.load("pascal_voc", {"root": root, "size": 10, "only": ("person",), "test_share": 0}).train
    assert only["classes"].tolist() == [[0]]


def test_vocs_lists_name_a_part(tmp_path):
    root = voc_folder(tmp_path, described(objects=thing()))
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    listed = tmp_path / "ImageSets" / "Main" / "train.txt"
    listed.write_text("a\n", encoding="utf-8")
    assert data.load("pascal_voc", {"root": root, "part": "train", "size": 8, "test_share": 0}).train["x"].shape[0] == 1
    assert "val.txt; expected a part that is there: train" in refusal(pascal_voc.load, root, part="val")
    listed.write_text("a\n../b\n", encoding="utf-8")
    assert "expected a file within" in refusal(pascal_voc.load, root, part="train")


ENTITIES = "<!DOCTYPE a [" + '<!ENTITY b "xxxxxxxxxx">' + '<!ENTITY c "' + "&b;" * 10 + '">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no element found"),
        (described()[:-5], "expected an `annotation`"),
        (ENTITIES + described("&c;"), "declares a document type"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]>' + described("&b;"), "declares a document type"),
        (described("../a.png"), "expected a file within"),
        (described("c.png"), "which is not there"),
        (described(width="wide"), "size/width is 'wide'; expected a number"),
        (described(width="inf"), "expected whole pixels"),
        (described(width=41), "a.png: is 40x20, but its description says 41x20"),
        (described(objects=thing("unicorn")), "object 1: is called 'unicorn'; expected one of aeroplane"),
        (described(objects=thing(box=("", 1, 2, 3))), "bndbox/xmin is ''; expected a number"),
        (described(objects=thing(box=("nan", 1, 2, 3))), "object 1: its box (nan, 0.0, 2.0, 3.0) is not finite"),
        (described(objects=thing() + thing(box=(9, 1, 2, 3))), "object 2: its box (8.0, 0.0, 2.0, 3.0)"),
        (" " * (pascal_voc.MOST + 1), "larger than 4 MiB"),
    ],
)
def test_a_damaged_description_is_one_line(text, words, tmp_path):
    message = refusal(pascal_voc.load, voc_folder(tmp_path, text), size=8, test_share=0)
    assert words in message
    assert "\n" not in message


def test_a_folder_that_is_not_vocs_is_one_line(tmp_path):
    assert "Annotations: no such folder" in refusal(pascal_voc.load, str(tmp_path))
    (tmp_path / "Annotations").mkdir()
    assert "has no picture with its description" in refusal(pascal_voc.load, str(tmp_path))


# KITTI

AXES = "0 -1 0 0 0 0 -1 0 1 0 0 0"  # the camera looks along the sensor's first axis; its axes go right, down, ahead
RECTIFY = "1 0 0 0 1 0 0 0 1"
CAR = "Car 0.00 0 -1.5 100 100 200 200 1.5 1.6 4.0 -2.0 1.7 12.0 0.0"  # 2 m left of the camera, 12 m ahead


def kitti_folder(root: Path, label=CAR, points=None, calib=None) -> str:
    """Four sweeps of one car, its points on its left side."""
    for folder in ("velodyne", "label_2", "calib"):
        (root / folder).mkdir()
    along, up = np.linspace(11.3, 12.7, 20), np.linspace(-1.6, -0.3, 20)
    car = np.stack([along, np.full(20, 3.9), up, np.full(20, 0.5)], axis=1)  # a length of 4 m lies across, turn 0
    away = np.array([[30.0, 2, -1, 0.1], [12, 2, 0.4, 0.1]])
    for number in range(4):
        name = f"{number:06}"
        cloud = np.concatenate([car, away]) if points is None else points
        cloud.astype("<f4").tofile(root / "velodyne" / f"{name}.bin")
        (root / "label_2" / f"{name}.txt").write_text(f"{label}\nDontCare -1 -1 -10 1 1 2 2 -1 -1 -1 -1 -1 -1 -1\n")
        text = f"P0: 1 2\nR0_rect: {RECTIFY}\nTr_velo_to_cam: {AXES}\n" if calib is None else calib
        (root / "calib" / f"{name}.txt").write_text(text)
    return str(root)


def test_kitti_cuts_road_users_out_of_sweeps(tmp_path):
    found = data.load("kitti", {"root": kitti_folder(tmp_path), "points": 16, "test_share": 0.25})
    assert found.train["x"].shape == (3, 16, 3)
    assert found.test["y"].tolist() == [0]
    assert found.provenance.endswith("4 sweeps with 4 road users")
    assert abs(found.train["x"][..., 1]).max() < 1e-5  # all on one side of the car
    assert np.ptp(found.train["x"][..., 0]) > 1


def test_a_box_turns_as_the_benchmark_says():
    turn, add = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], float), np.zeros(3)
    ahead = np.array([[12.0, 0, -1]]) + np.array([[x, y, 0] for x in (-1.2, 0, 1.2) for y in (-1.2, 0, 1.2)])
    box = np.array([1.5, 1.6, 4.0, 0, 1.7, 12, 0])
    across = kitti.within(ahead, box, turn, add).reshape(3, 3)
    np.testing.assert_array_equal(across, [[False] * 3, [True] * 3, [False] * 3])  # its length lies across the road
    box[-1] = np.pi / 2
    np.testing.assert_array_equal(kitti.within(ahead, box, turn, add).reshape(3, 3), across.T)
    box[-1] = np.pi / 4  # its front turns towards the sensor, to the right
    slanted = kitti.within(ahead, box, turn, add).reshape(3, 3)
    np.testing.assert_array_equal(slanted, np.eye(3, dtype=bool))
    low, high = kitti.within(np.array([[12.0, 0, -1.69], [12, 0, -0.1]]), box, turn, add)
    assert low
    assert not high


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": CAR + " 0.9 1"}, ".txt, line 1: has 17 fields; expected 15"),
        ({"label": CAR.replace("4.0", "four")}, "line 1 is '1.5 1.6 four"),
        ({"label": CAR.replace("1.5 1.6", "0 1.6")}, "expected sides above 0"),
        ({"label": CAR.replace("12.0", "nan")}, "expected 7 finite numbers"),
        ({"label": CAR.replace("Car", "Tram")}, "none has a Car, Pedestrian, Cyclist with 8 points or more"),
        ({"points": np.zeros(7)}, "has 28 bytes; expected four float32 for each point"),
        ({"points": np.full((2, 4), np.nan)}, ".bin: point 0 is not finite"),
        ({"points": np.zeros((0, 4))}, "with 8 points or more"),
        ({"calib": "R0_rect: 1 2 3"}, "R0_rect is '1 2 3'; expected 9 finite numbers"),
        ({"calib": f"R0_rect: {RECTIFY}"}, "Tr_velo_to_cam is ''; expected 12 finite numbers"),
    ],
)
def test_a_damaged_sweep_label_or_calibration_is_one_line(changes, words, tmp_path):
    message = refusal(kitti.load, kitti_folder(tmp_path, **changes), test_share=0.25)
    assert words in message  # of whichever sweep comes first


def test_a_folder_that_is_not_kittis_is_one_line(tmp_path, monkeypatch):
    assert "label_2: has 0 labels; expected at least one" in refusal(kitti.load, str(tmp_path))
    root = kitti_folder(tmp_path)
    assert "count from 1 to that; received 5" in refusal(kitti.load, root, count=5)
    assert "expected at least 1 of points and a test_share between 0 and 1" in refusal(kitti.load, root, points=0)
    monkeypatch.setattr(kitti, "MOST", 16)
    assert "bytes; expected four float32 for each point" in refusal(kitti.load, root)
    for path in (tmp_path / "velodyne").iterdir():
        path.unlink()
    assert ".bin: No such file or directory; expected a sweep" in refusal(kitti.load, root)
