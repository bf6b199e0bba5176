"""What is saved and exported."""

from twin.differences.row import Drawn, Row

ROWS = (
    Row(
        name="saved_default_arguments",
        title="Arguments of a saved model",
        keras="A subclass of `keras.Model` whose arguments all have defaults is saved with the defaults, not with what "
        "it was given, and loads so without a word. One with an argument that has none is refused. A layer is saved "
        "with what it was given.",
        torch="A state dict has no arguments; the code that makes the model again gives them.",
        source="keras/src/models/model.py, Model.__new__, which hands no arguments on; keras/src/ops/operation.py, "
        "Operation.__new__, which would keep them",
        remedy="A `get_config` of your own that returns the arguments.",
        hides="The defaults.",
        gap=4.0,
        kind="bug",
        inputs={"x": [1.0, 2.0], "factor": [3.0]},
        hiding={"factor": [1.0]},
    ),
    Row(
        name="exported_batch",
        title="The batch of an exported model",
        keras="On TensorFlow `model.export` writes a SavedModel for batches of any size. (On the PyTorch backend "
        '`format="torch"` fixes it at one row, as PyTorch does.)',
        torch="`torch.export.export` takes every size of its example for a constant; what was exported with one row "
        "refuses two, shown here as -1. `torch.onnx.export` writes a file all the same where the model's code fixes "
        "the batch, as `len(x)` does: it takes the sizes that `torch.export` suggests, without a word.",
        source="keras/src/export/export_utils.py, get_input_signature; torch/export/__init__.py, dynamic_shapes; "
        "torch/onnx/_internal/exporter/_capture_strategies.py, refine_dynamic_shapes_from_suggested_fixes",
        remedy='`dynamic_shapes={"x": {0: torch.export.Dim("batch")}}`, an example of two rows or more, `x.shape[0]` '
        "and not `len(x)`; for ONNX, `torch.onnx.export` of what `torch.export.export` returned.",
        hides="As many rows as the example has.",
        gap={"tensorflow": 13.0},
        inputs={"x": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]},
        hiding={"x": [[1.0, 2.0, 3.0]]},
    ),
    Row(
        name="openvino_precision",
        title="Weights in an OpenVINO file",
        keras='`model.export("m.xml", format="openvino")` keeps them in float32.',
        torch="`openvino.save_model(model, ...)` rounds them to float16 unless told not to. (Without OpenVINO this row "
        "rounds them itself.)",
        source="keras/src/export/openvino.py, ov.serialize; openvino.save_model of OpenVINO 2026.4, compress_to_fp16",
        remedy="`openvino.save_model(model, path, compress_to_fp16=False)`.",
        hides="Weights that float16 holds exactly.",
        gap={"tensorflow": 0.0015},
        inputs={"x": Drawn((1, 64)), "kernel": Drawn((64, 3))},
        hiding={"kernel": [[0.5, -0.25, 1.0]] * 64},
        band=0.05,
    ),
    Row(
        name="int8_scale",
        title="Scales of int8 weights",
        keras='`model.quantize("int8")` gives the weights of each output a scale of their own.',
        torch="`quantize_dynamic` of ONNX Runtime, on the file that `torch.onnx.export` wrote, gives a matrix one "
        "scale: an output whose weights are small beside another's loses them. (Without ONNX Runtime this row rounds "
        "the weights itself.)",
        source="keras/src/layers/core/dense.py, Dense._int8_build; ONNX Runtime, quantize_dynamic",
        remedy="`quantize_dynamic(file, quantized, per_channel=True)`. Both round what comes in, each its own way, so "
        "that a hundredth remains.",
        hides="Outputs whose weights are of the same size.",
        gap=5.38,
        inputs={"x": Drawn((16, 64)), "kernel": Drawn((64, 3)), "size": [30.0, 1.0, 0.5]},
        hiding={"size": [1.0, 1.0, 1.0]},
        limit=0.02,
        band=0.05,
    ),
)
