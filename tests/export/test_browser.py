"""Exported files answer in Chromium, by onnxruntime-web and LiteRT.js, as they do in Python.

The packages are no part of the installation: npm install --ignore-scripts onnxruntime-web @litertjs/core, in the
project's folder.
"""

import base64
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.export.formats import litert, onnx
from compare.export.model import ordered
from compare.reading import draw
from compare.record.record import read_record
from tests.helpers.browser import browser, needs_chromium
from tests.helpers.command import twin
from twin.batches import make_batches, of_step
from twin.catalogue import TWINS
from twin.native import to_native
from twin.paths import ROOT

MODULES = ROOT / "node_modules"
NAMES = (
    "mlp", "lenet", "gru", "har_lstm", "har_conv1d", "autoencoder", "resnet", "squeeze_excite", "mbconv", "vit",
    "transformer", "fcn",
)  # fmt: skip
POOLED = ("resnet", "squeeze_excite", "fcn")
# Format -> engine -> twins.
FILES = {
    # ONNX Runtime refuses the pooling that jax2onnx writes, and jax2onnx the Transformer.
    "onnx": {"torch": NAMES, "keras-jax": [name for name in NAMES if name not in (*POOLED, "transformer")]},
    # LiteRT.js takes no int64, and no batch of any size, as Keras on TensorFlow writes it.
    "litert": {key: [name for name in NAMES if name != "transformer"] for key in ("torch", "keras-torch")},
}
CASES = {format: [(e, name) for e, names in FILES[format].items() for name in names] for format in FILES}
ROWS = 16  # of which there is a file where a format takes no batch of any size
LIMIT = 1e-5  # of the largest difference, beside outputs of about one
pytestmark = [pytest.mark.framework, pytest.mark.long, needs_chromium]
ONNX_TOOLS, LITERT_TOOLS = ("onnx", "onnxruntime", "onnxscript", "jax2onnx"), ("ai_edge_litert", "litert_torch")
ONNX_PAGE = """
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
  for (const [name, [type, shape, values]] of Object.entries(inputs))
    given[name] = new ort.Tensor(type, typed(type, values), shape);
  const found = await session.run(given);
  return session.outputNames.map(name => [name, found[name].dims.map(Number), Array.from(found[name].data)]);
}
"""
LITERT_PAGE = """
const runtime = (async () => {
  const litert = await import("@litertjs/core");
  await litert.loadLiteRt("/@litertjs/core/wasm/");
  return litert;
})();
async function answer(file, inputs) {
  const litert = await runtime, model = await litert.loadAndCompile(bytes(file), {accelerator: "wasm"});
  const given = {};
  for (const [name, [type, shape, values]] of Object.entries(inputs))
    given[name] = new litert.Tensor(typed(type, values), shape);
  const found = Object.entries(await model.run(given));
  return found.map(([name, each]) => [name, Array.from(each.type.layout.dimensions), Array.from(each.toTypedArray())]);
}
"""
COMMON = """
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const typed = (type, values) =>
  new {float32: Float32Array, int32: Int32Array, int64: BigInt64Array}[type](bytes(values).buffer);
"""


def needs(package, *tools):
    """Marks of a test that takes an npm package and packages of Python."""
    return [
        pytest.mark.skipif(not (MODULES / package).is_dir(), reason=f"npm install --ignore-scripts {package}"),
        pytest.mark.skipif(not all(map(find_spec, tools)), reason=f"needs {', '.join(tools)}"),
    ]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Format -> the folder with its files, and what the command that wrote them says against each."""

    @functools.cache
    def of(format):
        folder, reasons = tmp_path_factory.mktemp(format), {}
        for engine, names in FILES[format].items():
            out = folder / engine
            twin("export", *names, "--to", format, "--engine", engine, "--save", folder, "--out", out, timeout=3000)
            (path,) = out.glob("export-*.json")
            for each in read_record(path).measurements:
                reasons[engine, each.twin] = "" if each.status == "ok" else f"{each.status}: {each.reason}"
        return folder, reasons

    return of


@pytest.fixture(scope="module")
def onnx_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "runtime.js").write_text(draw.runtime(MODULES / "onnxruntime-web"))
    (folder / "page.html").write_text(
        '<meta charset="utf-8"><title>ONNX</title><script src="runtime.js"></script>'
        f"<script>{COMMON}{ONNX_PAGE}</script>"
    )
    with browser() as driver:
        driver.set_script_timeout(120)
        driver.get((folder / "page.html").as_uri())
        yield driver


@pytest.fixture(scope="module")
def litert_page():
    """A page of a server, because LiteRT.js fetches its WebAssembly."""
    text = (
        '<meta charset="utf-8"><title>LiteRT</title><script type="importmap">{"imports": {'
        '"@litertjs/core": "/@litertjs/core/dist/index.js", '
        '"@litertjs/wasm-utils": "/@litertjs/wasm-utils/dist/index.js"}}</script>'
        f"<body><script>{COMMON}{LITERT_PAGE}</script></body>"
    )

    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".wasm": "application/wasm"}

        def do_GET(self):
            if self.path == "/page.html":
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(text.encode())
            else:
                super().do_GET()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=MODULES)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser() as driver:
            driver.set_script_timeout(120)
            driver.get(f"http://127.0.0.1:{server.server_port}/page.html")
            yield driver
        server.shutdown()


def batch_of(name, engine):
    """Rows that the export did not see, as the engine's model takes them."""
    batches = make_batches(TWINS[name], TWINS[name].ladder_arguments("small"), "small", np.random.default_rng(1))
    batch = {key: array[:ROWS] for key, array in of_step(batches).items()}
    return to_native(TWINS[name], ENGINES[engine].side, batch)


def answers_as(expected, given, file, driver):
    """Hold what the page says of a file to what Python said of it: name -> array."""
    inputs = {
        name: [array.dtype.name, list(array.shape), base64.b64encode(array.tobytes()).decode()]
        for name, array in given.items()
    }
    model = base64.b64encode(file.read_bytes()).decode()
    found = driver.execute_async_script(
        "answer(arguments[0], arguments[1]).then(arguments[2], error => arguments[2](String(error)))", model, inputs
    )
    assert not isinstance(found, str), found
    found = {name: np.reshape(values, shape) for name, shape, values in found}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert np.abs(found[name] - array).max() <= LIMIT * max(1.0, float(np.abs(array).max()))


class TestOnnx:
    pytestmark = needs("onnxruntime-web", *ONNX_TOOLS)

    @pytest.mark.parametrize(("engine", "name"), CASES["onnx"])
    def test_a_twin_answers_in_the_browser_as_in_python(self, engine, name, exported, onnx_page):
        import onnxruntime

        folder, reasons = exported("onnx")
        assert reasons[engine, name] == ""
        file = folder / f"{name}-{engine}-onnx.onnx"
        inputs = batch_of(name, engine)
        names = [each.name for each in onnxruntime.InferenceSession(file).get_inputs()]
        answers_as(onnx.load(file, name)(inputs), ordered(inputs, names), file, onnx_page)


class TestLiteRT:
    pytestmark = needs("@litertjs/core", *LITERT_TOOLS)

    @pytest.mark.parametrize(("engine", "name"), CASES["litert"])
    def test_a_twin_answers_in_the_browser_as_in_python(self, engine, name, exported, litert_page, monkeypatch):
        from ai_edge_litert.interpreter import Interpreter

        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        folder, reasons = exported("litert")
        assert reasons[engine, name] == ""
        file = folder / f"{name}-{engine}-litert-{ROWS}.tflite"
        inputs = batch_of(name, engine)
        signatures = Interpreter(model_path=str(file)).get_signature_list()
        names = next(iter(signatures.values()))["inputs"]
        answers_as(litert.load(file, name)(inputs), ordered(inputs, names), file, litert_page)
