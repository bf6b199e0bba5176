"""The page where a reader draws a digit; without the npm package, on a runtime that is made here."""

import numpy as np
import pytest

from compare.reading import draw, site
from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations
from tests.helpers.command import twin
from twin.catalogue import TWINS
from twin.data import digits
from twin.errors import TwinError
from twin.paths import ROOT

pytestmark = pytest.mark.slow

# Answers with the sum of what lies in each tenth of its input, so that both models' layouts give the same.
STAND_IN = """
export const env = {wasm: {}};
export class Tensor { constructor(type, data, dims) { Object.assign(this, {type, data, dims}); } }
export class InferenceSession {
  static async create(file) {
    if (new TextDecoder().decode(env.wasm.wasmBinary) !== "wasm") throw new Error("no runtime");
    if (new TextDecoder().decode(file) === "damaged") throw new Error("no model");
    return Object.assign(new InferenceSession(), {inputNames: ["x"], outputNames: ["y"]});
  }
  async run({x}) {
    globalThis.given = Array.from(x.data);
    const data = new Float32Array(10);
    x.data.forEach((value, place) => { data[Math.floor(place / 103)] += value; });
    return {y: {data, dims: x.dims}};
  }
}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folders of models and of a package."""
    folder = tmp_path_factory.mktemp("draw")
    (folder / "dist").mkdir()
    (folder / "dist" / draw.SCRIPT).write_text(STAND_IN)
    (folder / "dist" / draw.WASM).write_bytes(b"wasm")
    for engine in ("torch", "keras-jax"):
        (folder / f"lenet-{engine}-onnx.onnx").write_bytes(engine.encode())
    return folder


@pytest.fixture(scope="module")
def page(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    site.build(out, twins=[TWINS["lenet"]], drawing=(place, place))
    return out / "draw.html"


def test_the_site_has_the_page_only_where_it_is_asked_for(page, tmp_path):
    site.build(tmp_path, twins=[TWINS["lenet"]])
    names = {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in page.parent.iterdir()} - names == {
        "draw.html",
        "draw.js",
        "draw_models.js",
        "draw_runtime.js",
    }
    assert "draw.html" not in (tmp_path / "index.html").read_text()
    assert 'href="draw.html"' in (page.parent / "index.html").read_text()


def test_what_the_folders_lack_is_said_with_the_command_that_makes_it(place, tmp_path):
    with pytest.raises(TwinError, match=r"expected lenet-torch-onnx.onnx.*twin export lenet --to onnx"):
        draw.scripts(tmp_path, place)
    with pytest.raises(TwinError, match=r"no dist/ort.wasm.*npm install --ignore-scripts onnxruntime-web"):
        draw.scripts(place, tmp_path)


def test_both_options_go_together(tmp_path):
    answer = twin("site", "out", "--draw", tmp_path, cwd=tmp_path)
    assert answer.returncode == 2
    assert "--draw and --runtime go together" in answer.stderr


@pytest.fixture(scope="module")
def driver(page):
    with browser(1280) as driver:
        driver.set_script_timeout(60)
        driver.get(page.as_uri())
        driver.execute_async_script("ready.then(arguments[0])")
        yield driver


@needs_chromium
def test_the_page_has_no_complaint_and_is_accessible(driver):
    assert driver.find_element("id", "answer").text == "Draw a digit."
    assert complaints(driver) == []
    assert overflow(driver) <= 0
    assert violations(driver) == []


@needs_chromium
def test_the_page_fits_a_phone(page):
    with browser(390) as driver:
        driver.get(page.as_uri())
        assert overflow(driver) <= 0
        assert driver.find_element("id", "search").size["width"] >= 60


@needs_chromium
def test_a_picture_is_enlarged_as_the_data_is_and_both_models_answer(driver):
    data = digits.load(size=32).test
    seven = next(x for x, y in zip(data["x"], data["y"], strict=True) if y == 7)
    given = driver.execute_async_script("pick(PICTURES[7]).then(() => arguments[0](given))")
    assert np.abs(np.array(given) - seven.ravel()).max() < 1e-6
    words = driver.find_element("id", "answer").text
    assert words.startswith("keras-jax: ")
    assert "torch: " in words
    assert "Their logits are 0 apart at most." in words
    assert len(driver.find_elements("css selector", "#shares meter")) == 20


@needs_chromium
def test_a_drawing_fills_its_box(driver):
    from selenium.webdriver import ActionChains

    canvas = driver.find_element("id", "drawing")
    driver.execute_script("given = null")
    ActionChains(driver).move_to_element_with_offset(canvas, 0, -60).click_and_hold().move_by_offset(
        0, 120
    ).release().perform()
    driver.execute_async_script("setTimeout(arguments[0], 300)")
    ink = np.array(driver.execute_script("return given")).reshape(32, 32)
    assert ink[:, 14:18].min() > 0.4  # a stroke from top to bottom in the middle
    assert ink[:, :8].max() == ink[:, 24:].max() == 0


@needs_chromium
def test_a_model_that_is_damaged_is_said(place, tmp_path):
    (tmp_path / "models").mkdir()
    for engine in ("torch", "keras-jax"):
        (tmp_path / "models" / f"lenet-{engine}-onnx.onnx").write_bytes(b"damaged")
    site.build(tmp_path / "out", twins=[TWINS["lenet"]], drawing=(tmp_path / "models", place))
    with browser() as driver:
        driver.set_script_timeout(60)
        driver.get((tmp_path / "out" / "draw.html").as_uri())
        driver.execute_async_script("ready.then(arguments[0])")
        assert driver.find_element("id", "answer").text == "The runtime could not be loaded: no model"


PACKAGE = ROOT / "node_modules" / "onnxruntime-web"


@needs_chromium
@pytest.mark.skipif(not PACKAGE.is_dir(), reason="npm install --ignore-scripts onnxruntime-web")
def test_the_real_runtime_answers_as_numpy_does(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.random.default_rng(0).standard_normal((1024, 10)).astype(np.float32) / 32
    for engine, shape in {"torch": ["b", 1, 32, 32], "keras-jax": ["b", 32, 32, 1]}.items():
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "kernel"], ["y"])],
            "lenet",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 10])],
            [numpy_helper.from_array(kernel, "kernel")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(model, tmp_path / f"lenet-{engine}-onnx.onnx")
    site.build(tmp_path / "out", twins=[TWINS["lenet"]], drawing=(tmp_path, PACKAGE))
    assert (tmp_path / "out" / "draw_runtime.js").stat().st_size < 6e6
    data = digits.load(size=32).test
    seven = next(x for x, y in zip(data["x"], data["y"], strict=True) if y == 7)
    with browser() as driver:
        driver.set_script_timeout(120)
        driver.get((tmp_path / "out" / "draw.html").as_uri())
        driver.execute_async_script("ready.then(arguments[0])")
        found = driver.execute_async_script("logits(PICTURES[7]).then(arguments[0])")
        assert complaints(driver) == []
    assert np.abs(np.array(found) - seven.ravel() @ kernel).max() < 1e-5
