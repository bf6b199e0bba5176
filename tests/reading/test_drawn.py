"""The pictures on the pages: one of every twin, kept, small; and exercises' show what they compute."""

import base64
import io

import numpy as np
import pytest

from compare.reading import drawings, drawn
from compare.record.results import Boxes, Labels, Picture, Predictions
from twin.batches import exercise_inputs
from twin.catalogue import TWINS

Image = pytest.importorskip("PIL.Image")
EXERCISES = [twin.name for twin in TWINS.values() if twin.kind == "exercise"]
# Of each exercise, an output that its picture shows: a wrong value there changes the picture.
SHOWN = {
    "tensors": "row_added_framework",
    "autograd_product": "product_x_automatic",
    "autograd_polynomial": "a_automatic",
    "backprop_by_hand": "w1_automatic",
    "train_loop": "fit_losses",
    "model_styles": "stateless",
    "conv2d_by_hand": "valid_framework",
    "conv_shapes": "conv1d_stride1_dilation1_valid_zeros",
    "pooling": "padding_left_out_framework",
    "feature_maps": "picture_digit_conv1",
    "edge_filters": "picture_canny",
    "why_deep": "small_parameters",
    "augmentation": "rotated",
    "schedules": "cosine_per_step",
    "custom_dataset": "folder_labels_0",
    "initializers": "he_normal",
    "attention": "causal_weights",
    "box_metrics": "map",
    "nms": "kept",
    "anchors": "kmeans",
    "q_learning": "learned",
    "inductive_biases": "burst_graph_permuted",
}
PLACES = {"attention": 6 * 48}  # of the wrong value, where it is not the first: the second row of the batch
LONG = ("train_loop", "custom_dataset")  # seconds


def test_every_twin_has_its_picture():
    assert [name for name in TWINS if name not in drawn.every()] == [], "run: make pictures"


@pytest.mark.framework
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in EXERCISES]
)
def test_an_exercises_picture_shows_what_it_computes(name):
    from torch_impl.train import exercise

    found = {}

    def run(given):
        key = tuple(array.tobytes() for array in given.values())
        if key not in found:  # once for both pictures
            found[key] = exercise(TWINS[name], given)
        return dict(found[key])

    def run_wrongly(given):
        right = run(given)
        wrong = right[SHOWN[name]].copy()
        wrong.flat[PLACES.get(name, 0)] += wrong.dtype.type(1)
        return right | {SHOWN[name]: wrong}

    given = exercise_inputs(TWINS[name])
    caption, picture = drawings.draw(name, run, given)
    assert drawn.every()[name].captions == [caption], "run: make pictures"
    assert picture.width <= drawn.WIDTH
    _, other = drawings.draw(name, run_wrongly, given)
    assert other.size != picture.size or (np.asarray(other) != np.asarray(picture)).any()


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


def test_wide_pictures_of_a_strip_stand_below_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "FOLDER", tmp_path)
    maps = np.repeat(np.arange(8, dtype=np.uint8) * 20, 129)[:-1] * np.ones((8, 1), np.uint8)
    found = Predictions(8, [Picture("input", "data", strip(maps))], [8, 128])
    made = drawn.keep("maps", drawn.of_predictions(found), found)
    assert (made.width, made.height) == (128 * 4, (8 * 9 - 1) * 4)
    with Image.open(tmp_path / "maps.webp") as picture:
        assert [picture.convert("L").getpixel((9, 36 * row)) for row in range(8)] == [20 * row for row in range(8)]


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
    monkeypatch.setattr(drawn, "WIDTH", 140)
    monkeypatch.setattr(drawn, "MOST", 2000)
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), np.uint8)
    made = drawn.keep("noise", [("noise", Image.fromarray(noise))])
    assert (tmp_path / "noise.webp").stat().st_size <= drawn.MOST
    assert made.width < drawn.WIDTH
