"""The page where a reader draws a digit, and LeNet of both frameworks answers: in the browser, without a network.

The models are ONNX files of `twin export`, the runtime is onnxruntime-web as npm installs it. A page that lies on a
disk may load scripts and nothing else, so both become scripts: bytes in base64, the WebAssembly compressed before.
"""

import base64
import gzip
import json
from pathlib import Path

import numpy as np

from compare.engines.engine import ENGINES, Engine
from twin.catalogue import TWINS
from twin.data import digits
from twin.errors import TwinError

TWIN = TWINS["lenet"]
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"  # in the npm package's folder dist
INSTALL = "npm install --ignore-scripts onnxruntime-web"
EXPORT = "twin export lenet --to onnx --engine torch --engine keras-jax --trained --save FOLDER"


def scripts(models: Path, package: Path) -> dict[str, str]:
    """Name -> text of the scripts that the page loads: the runtime, and the models with pictures to pick.

    Args:
        models: folder with the files that `twin export` wrote.
        package: folder of the npm package onnxruntime-web.

    Raises:
        TwinError: when one of them has not what it should.
    """
    return {"draw_runtime.js": runtime(package), "draw_models.js": _models(models)}


def found_in(models: Path) -> list[tuple[Engine, Path]]:
    """Each engine whose file lies in the folder, with the file.

    Raises:
        TwinError: when one of the frameworks has none.
    """
    named = {engine: models / f"{TWIN.name}-{name}-onnx.onnx" for name, engine in ENGINES.items()}
    found = [(engine, file) for engine, file in named.items() if file.is_file()]
    if {engine.side for engine, _ in found} != {"keras", "torch"}:
        raise TwinError(
            f"--draw {models}: expected {TWIN.name}-torch-onnx.onnx and the same of an engine of Keras; "
            f"write them by: {EXPORT}"
        )
    return sorted(found, key=lambda each: each[0].side)  # Keras on the left


def runtime(package: Path) -> str:
    """The script that holds onnxruntime-web: its module as RUNTIME, its WebAssembly as WASM."""
    content = []
    for name in (SCRIPT, WASM):
        try:
            content.append((package / "dist" / name).read_bytes())
        except OSError as error:
            raise TwinError(f"--runtime {package}: no dist/{name} in it; get it by: {INSTALL}") from error
    script, wasm = content
    return (
        f"const RUNTIME = {json.dumps(script.decode())};\nconst WASM = {json.dumps(_base64(gzip.compress(wasm, 9)))};\n"
    )


def _models(models: Path) -> str:
    data = digits.load().test
    first = {int(label): picture for label, picture in zip(data["y"][::-1], data["x"][::-1], strict=True)}
    channels_last = {"keras": True, "torch": False}
    content = {
        "MODELS": [
            {"engine": engine.name, "channelsLast": channels_last[engine.side], "file": _base64(file.read_bytes())}
            for engine, file in found_in(models)
        ],
        "PICTURES": [np.rint(first[digit] * 16).astype(int).ravel().tolist() for digit in sorted(first)],
    }
    return "".join(f"const {name} = {json.dumps(value, separators=(',', ':'))};\n" for name, value in content.items())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
