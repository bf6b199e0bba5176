"""Keras's side of the glossary (twin/glossary.py): a function per entry, in its order.

`model` is Sequential: Dense(4) with ReLU and Dense(2), with the same weights on both sides and zero biases. `x` is
(8, 3), `y` its targets (8, 2), `labels` its classes (8,), `image` (B, H, W, C), `folder` an empty one.
"""

import inspect
import tempfile

import keras
import numpy as np
from keras import layers, ops

from keras_impl.backend import BACKEND, value_and_gradients
from keras_impl.train import to_tensor
from twin.glossary import ENTRIES
from twin.glossary import inputs as given


def tensor(x):
    t = ops.convert_to_tensor(ops.convert_to_numpy(x))
    return t + 1


def axis(x):
    return ops.mean(x, axis=1)


def numpy(x):
    array = ops.convert_to_numpy(x)
    return array.cumsum()


def channels(image):
    batch, height, width, depth = image.shape
    return batch, height, width, depth


def layer(model):
    last = model.layers[-1]
    return isinstance(last, layers.Layer), isinstance(model, layers.Layer)


def dense(x):
    units = layers.Dense(5)
    return units(x).shape


def kernel(model):
    first = model.layers[0]
    return first.kernel


def convolution(image):
    conv = layers.Conv2D(8, 3)
    return conv(image).shape


def padding(image):
    conv = layers.Conv2D(8, 3, padding="same")
    return conv(image).shape


def pooling(image):
    return layers.MaxPooling2D(2)(image)


def global_pooling(image):
    return layers.GlobalAveragePooling2D()(image)


def flatten(image):
    return layers.Flatten()(image)


def activation(x):
    layer = layers.Dense(3, activation="relu", kernel_initializer="identity")
    return layer(x)


def embedding(labels):
    table = layers.Embedding(input_dim=2, output_dim=5)
    return table(labels).shape


def mask(x):
    steps = ops.reshape(x, (2, 4, 3))
    return layers.GlobalAveragePooling1D()(steps, mask=ops.array([[True, True, False, False]] * 2))


def recurrent(x):
    every = layers.LSTM(5, return_sequences=True)(x[None])
    return every.shape


def bidirectional(x):
    every = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x[None])
    return every.shape


def attention(x):
    tokens = x[None, :, None]  # (B, T, heads, D)
    return ops.dot_product_attention(tokens, tokens, tokens)[0, :, 0]


def ctc(x):
    logits, labels = x[None], ops.array([[1, 2]])  # (B, T, classes) and (B, S)
    return keras.losses.ctc(labels, logits)[0]


def dropout(x):
    kept = layers.Dropout(0.5)(ops.ones((100, 100)), training=True)
    return ops.max(kept)


def sequential(x):
    model = keras.Sequential([layers.Dense(4, "relu"), layers.Dense(2)])
    return model(x).shape


def functional(x):
    inputs = keras.Input((3,))
    outputs = layers.Concatenate()([inputs, layers.ReLU()(inputs)])
    return keras.Model(inputs, outputs)(x)


def subclass(x):
    class Twice(keras.Model):
        def call(self, x):
            return 2 * x

    return Twice()(x)


def custom_layer(x):
    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[-1:], initializer="ones")

        def call(self, x):
            return self.scale * x

    return Scale()(x)


def initializer(x):
    layer = layers.Dense(2, kernel_initializer="ones", bias_initializer="zeros")
    return layer(x)


def summary(model):
    model.summary()
    return model.count_params()


def trainable(model):
    model.layers[0].trainable = False
    return len(model.trainable_weights)


def statistics(x):
    norm = layers.BatchNormalization(momentum=0.9)
    norm(x, training=True)
    return norm.moving_mean


def transfer(model, x):
    backbone = keras.Sequential(model.layers[:-1])
    return backbone(x)


def hook(model, x):
    inner = keras.Model(model.inputs, model.layers[0].output)
    return inner(x)


def transposed(image):
    twice = layers.Conv2DTranspose(8, 2, strides=2)
    return twice(image).shape


def unpooling(image):
    pooled = layers.MaxPooling2D(2)(image)
    spread = layers.UpSampling2D(2)(pooled)
    return ops.where(image == spread, spread, 0.0)


def iou(boxes):
    return keras.utils.bounding_boxes.compute_iou(boxes, boxes, "xyxy")


def nms(boxes):
    overlaps = ops.convert_to_numpy(iou(boxes))  # boxes come best first
    kept = []
    for number, row in enumerate(overlaps):
        if not (row[kept] > 0.5).any():
            kept.append(number)
    return ops.take(boxes, kept, axis=0)


def anchor():
    y, x = ops.meshgrid(ops.arange(0.5, 2), ops.arange(0.5, 3), indexing="ij")
    centres = ops.reshape(ops.stack([x, y, x, y], axis=-1), (-1, 4))
    return centres + ops.convert_to_tensor([-2.0, -1.0, 2.0, 1.0])


def proposal(boxes):
    scores = ops.convert_to_tensor([0.1, 0.9, 0.3, 0.7])
    _, places = ops.top_k(scores, 2)
    return ops.take(boxes, places, axis=0)


def roi_pooling(image):
    region = image[:, 1:6, 0:3]
    return layers.AdaptiveMaxPooling2D(2)(region)


def roi_align(image):
    places = ops.convert_to_tensor([[1.5, 2.25], [0.0, 1.5]])  # rows, then columns
    return ops.image.map_coordinates(image[0, :, :, 0], places, order=1)


def prototype(image):
    coefficients = ops.convert_to_tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]])
    masks = ops.einsum("bhwk,nk->bhwn", image, coefficients)
    return ops.sigmoid(masks)


def box_loss(x):
    distance = keras.losses.Huber(delta=1.0)
    return distance(ops.zeros_like(x), x)


def policy_gradient(x, labels):
    log_p = ops.log_softmax(x)
    taken = ops.take_along_axis(log_p, labels[:, None], axis=1)  # instead of random.categorical(x, 1)
    return -ops.mean(taken)


def message_passing(x):
    sender, receiver = ops.convert_to_tensor([0, 1, 4]), ops.convert_to_tensor([2, 2, 0])
    return ops.segment_sum(ops.take(x, sender, axis=0), receiver, num_segments=8)


def compile(model, x, y):
    model.compile(optimizer="sgd", loss="mse")
    return model.train_on_batch(x, y)


def fit(model, x, y):
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return model.get_weights()[0]


def train_step(model, x, y):
    optimizer, weights = keras.optimizers.SGD(0.1), model.trainable_variables
    loss = lambda: ops.mean((model(x, training=True) - y) ** 2)
    optimizer.apply(value_and_gradients(loss, weights)[1], weights)
    return model(x)


def gradient(model, x, y):
    loss = lambda: ops.mean((model(x) - y) ** 2)
    _, gradients = value_and_gradients(loss, model.trainable_variables)
    return gradients[0]


def loss(model, x, labels):
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return cross_entropy(labels, model(x))


def optimizer(model, x, y):
    model.compile(keras.optimizers.Adam(learning_rate=0.01, epsilon=1e-8), "mse")
    model.train_on_batch(x, y)
    return model.get_weights()[2]


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    return [float(rate(step)) for step in range(3)]


def epoch(model, x, y):
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=3, batch_size=4, verbose=0)
    return model.optimizer.iterations


def regularizer(x, y):
    layer = layers.Dense(2, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.01))
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(x, y)
    return layer.kernel


def clipping(model, x, y):
    model.compile(keras.optimizers.SGD(0.1, global_clipnorm=0.5), "mse")
    model.train_on_batch(x, y)
    return model.get_weights()[0]


def training_flag(x):
    layer = layers.Dropout(0.5)
    return layer(x, training=False)


def callback(model, x, y):
    seen = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=3, verbose=0, callbacks=[note])
    return seen


def metric(model, x, labels):
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state(labels, model(x))
    return accuracy.result()


def evaluate(model, x, y):
    model.compile(loss="mse")
    return model.evaluate(x, y, batch_size=4, verbose=0)


def predict(model, x):
    return model.predict(x, verbose=0)


def dataset(x, y):
    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return x[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]

    return Rows()[1][0]


def loader(model, x, y):
    model.compile("sgd", "mse")
    history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    return history.history["loss"][0]


def weights(model):
    hidden, _, output, _ = model.get_weights()
    return hidden @ output


def save(model, x, folder):
    model.save(f"{folder}/model.keras")
    return keras.models.load_model(f"{folder}/model.keras")(x)


def export(model, x, folder):
    model.export(folder, verbose=False)
    return layers.TFSMLayer(folder, call_endpoint="serve")(x)


def device(x):
    with keras.device("cpu"):
        return x + 1


def precision(x):
    layer = layers.Dense(2, dtype="mixed_bfloat16")
    return keras.backend.standardize_dtype(layer(x).dtype) == "bfloat16", layer.kernel.dtype == "float32"


def seed():
    keras.utils.set_random_seed(1)
    first = keras.random.normal((3,))
    keras.utils.set_random_seed(1)
    return keras.random.normal((3,)) == first


def make_model(hidden, output):
    """The model that the functions are given."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    model.set_weights([hidden, np.zeros(4), output, np.zeros(2)])
    return model


def answers() -> dict[str, np.ndarray]:
    """What each entry's lines give on this backend."""
    arrays = given()
    found = {}
    for name, entry in ENTRIES.items():
        if entry.backends and BACKEND not in entry.backends:
            continue
        with tempfile.TemporaryDirectory(prefix="twin-") as folder:
            offered = {
                **{each: to_tensor(array) for each, array in arrays.items()},
                "model": make_model(arrays["hidden"], arrays["output"]),
                "folder": folder,
            }
            function = globals()[name]
            got = function(**{each: offered[each] for each in inspect.signature(function).parameters})
            found[name] = np.asarray(ops.convert_to_numpy(got))
    return found
