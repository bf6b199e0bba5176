"""The pictures on the pages: kept, small, of twins that exist, and none without a reason."""

import base64
import io

import numpy as np
import pytest

from compare.reading import drawn
from compare.record.results import Boxes, Labels, Picture, Predictions
from twin.catalogue import TWINS

Image = pytest.importorskip("PIL.Image")
EXERCISES = {
    "feature_maps",
    "edge_filters",
    "nms",
    "anchors",
    "attention",
    "augmentation",
    "q_learning",
    "inductive_biases",
}
# Metrics of models whose answer can be seen: pictures, masks, boxes, joints, what is looked at, what is done.
SEEN = {
    "detected_joints",
    "frechet_distance",
    "localization_accuracy",
    "mean_average_precision",
    "mean_mask_average_precision",
    "mean_mask_iou",
    "mean_return",
    "phone_error_rate",
    "reconstruction_error",
}


def without():
    """Twins that need no picture, each with the reason."""
    for name, twin in TWINS.items():
        if twin.kind == "exercise" and name not in EXERCISES:
            yield name, "computes numbers, and draws nothing"
        elif twin.kind == "model" and twin.metric.name not in SEEN:
            yield name, f"its answer is a class, a word or a number, which {twin.metric.name} counts"


@pytest.mark.long
def test_every_twin_has_its_picture_or_a_reason_for_none():
    assert {name for name in TWINS if name not in drawn.every()} <= set(dict(without())), "run: make pictures"


def test_a_picture_is_small_and_is_what_the_list_says():
    assert {path.name for path in drawn.FOLDER.glob("*.webp")} == {each.file for each in drawn.every().values()}
    for name, each in drawn.every().items():
        file = drawn.FOLDER / each.file
        assert file.stat().st_size <= drawn.MOST, name
        with Image.open(file) as picture:
            assert (picture.width, picture.height) == (each.width, each.height), name
            assert picture.width <= drawn.WIDTH
            assert np.asarray(picture.convert("L")).std() > 2, f"{name}: nothing can be seen"
        assert each.captions, name


@pytest.mark.slow  # writes a site
def test_a_page_shows_its_picture(folder):
    name, picture = next(iter(drawn.every().items()))
    assert (folder / "pictures" / picture.file).read_bytes() == (drawn.FOLDER / picture.file).read_bytes()
    for place, root in (("", ""), ("ko/", "../")):
        text = (folder / f"{place}{name}.html").read_text(encoding="utf-8")
        assert f'<img src="{root}pictures/{picture.file}"' in text
        assert text.count("<img") == 1
    assert "<img" not in (folder / "tensors.html").read_text(encoding="utf-8")


def strip(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_strips_stand_below_each_other_with_what_was_predicted(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    grey = np.full((32, 131), 90, np.uint8)
    pictures = [Picture("output", "model", strip(grey + 100)), Picture("input", "data", strip(grey))]
    found = Predictions(4, pictures, [32, 32], Labels([1, 2, 3, 4], [1, 2, 3, 9]))
    made = drawn.keep("some", drawn.of_predictions(found), found)
    assert made.captions == ["input", "output"]
    assert (made.true, made.predicted) == ([1, 2, 3, 4], [1, 2, 3, 9])
    assert (made.width, made.height) == (131 * 4, 2 * 32 * 4 + drawn.SPACE)
    with Image.open(tmp_path / "some.webp") as picture:
        column = [picture.convert("L").getpixel((9, y)) for y in (9, 32 * 4 + 3, 32 * 4 + drawn.SPACE + 9)]
    assert column == [90, 255, 190]


def test_a_strip_that_is_too_wide_is_cut_between_two_of_its_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    wide = np.tile(np.full((96, 97), 90, np.uint8), (1, 8))[:, :-1]
    wide[:, 96::97] = 255  # the gaps
    found = Predictions(8, [Picture("true boxes", "data", strip(wide))], [96, 96])
    made = drawn.keep("some", drawn.of_predictions(found), found)
    assert (made.width, made.height) == (5 * 97 - 1, 96)


def test_boxes_are_drawn_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    black = strip(np.zeros((32, 65), np.uint8))
    boxes = Boxes([[0.25, 0.25, 0.75, 0.75]] * 2, [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]])
    ((caption, image),) = drawn.of_predictions(Predictions(2, [Picture("input", "data", black)], [32, 32], None, boxes))
    assert "orange" in caption
    assert image.size == (130, 64)
    assert image.getpixel((16, 40)) == drawn.COLOURS["true"]  # the left edge of the first picture's
    assert image.getpixel((0, 10)) == drawn.COLOURS["predicted"]
    assert image.getpixel((66 + 16, 20)) == drawn.COLOURS["true"]  # and of the second's


@pytest.mark.slow  # a picture is written again and again
def test_a_noisy_picture_loses_detail_until_it_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (400, 560, 3), np.uint8)
    made = drawn.keep("noise", [("noise", Image.fromarray(noise))])
    assert (tmp_path / "noise.webp").stat().st_size <= drawn.MOST
    assert made.width < 560
