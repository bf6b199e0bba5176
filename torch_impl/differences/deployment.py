"""What is saved and exported: PyTorch's side."""

import tempfile
from importlib.util import find_spec

import torch
from torch import nn

from torch_impl.differences import with_weights


class Scaled(nn.Module):
    """A model with an argument."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def saved_default_arguments(x, factor):
    with tempfile.TemporaryDirectory() as folder:
        torch.save(Scaled(factor=float(factor[0])).state_dict(), f"{folder}/model.pt")
        model = Scaled(factor=float(factor[0]))
        model.load_state_dict(torch.load(f"{folder}/model.pt", weights_only=True))
        return model(x)


def exported_batch(x):
    program = torch.export.export(Scaled(2.0), (x[:1],))
    try:
        return program.module()(x)
    except Exception:
        return torch.full_like(x, -1.0)


def exported_batch_equal(x):
    example = torch.ones(2, 3)
    program = torch.export.export(Scaled(2.0), (example,), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    return program.module()(x)


def openvino_precision(x, kernel):
    return _through_openvino(x, kernel, {})


def openvino_precision_equal(x, kernel):
    return _through_openvino(x, kernel, {"compress_to_fp16": False})


def _through_openvino(x, kernel, how):
    model = with_weights(nn.Linear(64, 3, bias=False), weight=kernel)
    if find_spec("openvino") is None:
        return (model if how else model.half().float())(x).detach()
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        converted = openvino.convert_model(torch.export.export(model.eval(), (x,)))
        openvino.save_model(converted, f"{folder}/m.xml", **how)
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        return openvino.compile_model(f"{folder}/m.xml", "CPU", exact)(x.numpy())[0]


def int8_scale(x, kernel, size):
    return _in_int8(x, kernel * size[:, None], {}) / size


def int8_scale_equal(x, kernel, size):
    return _in_int8(x, kernel * size[:, None], {"per_channel": True}) / size


def _in_int8(x, kernel, how):
    if find_spec("onnxruntime") is None or find_spec("onnxscript") is None:
        scale = (kernel.abs().amax(1, keepdim=True) if how else kernel.abs().amax()) / 127
        return x @ ((kernel / scale).round() * scale).T
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic

    model = with_weights(nn.Linear(64, 3, bias=False), weight=kernel)
    with tempfile.TemporaryDirectory() as folder:
        torch.onnx.export(model.eval(), (x,), f"{folder}/m.onnx", verbose=False)
        quantize_dynamic(f"{folder}/m.onnx", f"{folder}/int8.onnx", **how)
        session = onnxruntime.InferenceSession(f"{folder}/int8.onnx")
        (given,) = session.get_inputs()
        return torch.from_numpy(session.run(None, {given.name: x.numpy()})[0])
