"""What is saved and exported: Keras's side."""

import tempfile
from importlib.util import find_spec

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="differences")
class Scaled(keras.Model):
    """A model whose arguments all have defaults, and which hands the others on."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x


@keras.saving.register_keras_serializable(package="differences")
class Remembering(Scaled):
    """The same, with a config of its own."""

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def saved_default_arguments(x, factor):
    return _loaded(Scaled(factor=float(ops.convert_to_numpy(factor)[0])), x)


def saved_default_arguments_equal(x, factor):
    return _loaded(Remembering(factor=float(ops.convert_to_numpy(factor)[0])), x)


def exported_batch(x):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((3,)), layers.Rescaling(2.0)])
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        return tf.saved_model.load(folder).serve(x)


def openvino_precision(x, kernel):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(3, use_bias=False)])
    model.set_weights([ops.convert_to_numpy(kernel)])
    if find_spec("openvino") is None:
        return model(x)
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        model.export(f"{folder}/m.xml", format="openvino", verbose=False)
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        return openvino.compile_model(f"{folder}/m.xml", "CPU", exact)(ops.convert_to_numpy(x))[0]


def int8_scale(x, kernel, size):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(3, use_bias=False)])
    model.set_weights([ops.convert_to_numpy(kernel * size)])
    model.quantize("int8")
    return model(x) / size


def _loaded(model, x):
    """What the model says once it was saved and loaded."""
    model(x)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        return keras.saving.load_model(f"{folder}/model.keras")(x)
