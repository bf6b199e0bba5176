"""Exported files answer in Chromium, by onnxruntime-web, as they do in Python.

The package is no part of the installation: npm install --ignore-scripts onnxruntime-web, in the project's folder.
"""

import base64
from importlib.util import find_spec

import numpy as np
import pytest

from compare.export.formats import onnx
from compare.reading import draw
from compare.record.record import read_record
from tests.helpers.browser import browser, needs_chromium
from tests.helpers.command import twin
from twin.batches import make_batches
from twin.catalogue import TWINS
from twin.native import to_native
from twin.paths import ROOT

PACKAGE = ROOT / "node_modules" / "onnxruntime-web"
TOOLS = ("onnx", "onnxruntime", "onnxscript", "jax2onnx")
NAMES = (
    "mlp", "lenet", "gru", "har_lstm", "har_conv1d", "autoencoder", "resnet", "squeeze_excite", "mbconv", "vit",
    "transformer", "fcn",
)  # fmt: skip
ENGINES = {"torch": "torch", "keras-jax": "keras"}
LIMIT = 1e-5  # of the largest difference, beside outputs of about one
pytestmark = [
    pytest.mark.framework,
    pytest.mark.long,
    pytest.mark.skipif(not PACKAGE.is_dir(), reason="npm install --ignore-scripts onnxruntime-web"),
    pytest.mark.skipif(not all(map(find_spec, TOOLS)), reason="needs the extra export, and jax2onnx"),
    needs_chromium,
]
LOADER = """
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const runtime = (async () => {
  const stream = new Blob([bytes(WASM)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const wasm = await new Response(stream).arrayBuffer();
  const ort = await import(URL.createObjectURL(new Blob([RUNTIME], {type: "text/javascript"})));
  Object.assign(ort.env.wasm, {wasmBinary: wasm, numThreads: 1});
  return ort;
})();
async function answer(file, inputs) {
  const ort = await runtime, session = await ort.InferenceSession.create(bytes(file), {executionProviders: ["wasm"]});
  const given = {};
  for (const [name, [type, shape, data]] of Object.entries(inputs)) {
    const buffer = bytes(data).buffer;
    const values = {float32: Float32Array, int32: Int32Array, int64: BigInt64Array}[type];
    given[name] = new ort.Tensor(type, new values(buffer), shape);
  }
  const found = await session.run(given);
  return session.outputNames.map(name => [found[name].dims.map(Number), Array.from(found[name].data)]);
}
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder with the files, each compared with its model by the command that wrote it."""
    folder = tmp_path_factory.mktemp("exported")
    engines = [argument for engine in ENGINES for argument in ("--engine", engine)]
    answer = twin("export", *NAMES, "--to", "onnx", *engines, "--save", folder / "files", "--out", folder, timeout=1500)
    (path,) = folder.glob("export-*.json")
    bad = [(m.twin, m.engine, m.reason) for m in read_record(path).measurements if m.status != "ok"]
    assert not bad, answer.stderr
    return folder / "files"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "runtime.js").write_text(draw.runtime(PACKAGE))
    (folder / "page.html").write_text(
        f'<meta charset="utf-8"><title>Exports</title><script src="runtime.js"></script><script>{LOADER}</script>'
    )
    with browser() as driver:
        driver.set_script_timeout(120)
        driver.get((folder / "page.html").as_uri())
        yield driver


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_a_twin_answers_in_the_browser_as_in_python(name, engine, exported, driver):
    import onnxruntime

    file = exported / f"{name}-{engine}-onnx.onnx"
    batches = make_batches(
        TWINS[name], TWINS[name].ladder_arguments("small"), "small", np.random.default_rng(1)
    )  # not those of the export
    batch = {key.removeprefix("1/"): array[:4] for key, array in batches.items() if key.startswith("1/")}
    inputs = to_native(TWINS[name], ENGINES[engine], batch)
    names = [each.name for each in onnxruntime.InferenceSession(file).get_inputs()]
    given = {
        key: [array.dtype.name, list(array.shape), base64.b64encode(array.tobytes()).decode()]
        for key, array in onnx.ordered(inputs, names).items()
    }
    model = base64.b64encode(file.read_bytes()).decode()
    found = driver.execute_async_script(
        "answer(arguments[0], arguments[1]).then(arguments[2], error => arguments[2](String(error)))", model, given
    )
    assert not isinstance(found, str), found
    expected = onnx.load(file, name)(inputs)
    assert len(found) == len(expected)
    for (shape, values), array in zip(found, expected.values(), strict=True):
        assert tuple(shape) == array.shape
        assert np.abs(np.reshape(values, shape) - array).max() <= LIMIT * max(1.0, float(np.abs(array).max()))
