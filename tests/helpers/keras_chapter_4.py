"""Run by test_chapter_4.py on each Keras backend: what chapter 4 says of Keras alone, measured, as one line of JSON."""

import json

import keras
import numpy as np
from keras import layers, ops

from keras_impl import train
from keras_impl.exercises.training import augmentation, initializers
from keras_impl.models.training.transfer_learning import TransferNet
from twin.batches import exercise_inputs
from twin.catalogue import find

GIVEN = exercise_inputs(find("augmentation"))
PICTURES = GIVEN["pictures"]
HEIGHT, WIDTH = PICTURES.shape[1:3]


def fresh():
    """The pictures as a tensor that nobody else has."""
    return ops.convert_to_tensor(PICTURES.copy())


def layers_with_the_same_draw():
    """How far Keras's own layers are from the exercise, with the same draw."""
    given = {name: train.to_tensor(GIVEN[name]) for name in ("pictures", "shift", "zoom")}
    still = 0 * given["shift"]

    def gap(layer, transformation, matrix, shift):
        ours = augmentation.moved(fresh(), augmentation.about_middle(fresh(), matrix, shift))
        return float(ops.max(ops.abs(layer.transform_images(fresh(), transformation) - ours)))

    black = {"fill_mode": "constant", "fill_value": 0.0}
    rotation, translation = layers.RandomRotation(0.1, seed=0, **black), layers.RandomTranslation(0.1, 0.1, **black)
    turned = rotation.get_random_transformation(fresh())
    shifted = {"translations": ops.flip(given["shift"], axis=1), "input_shape": PICTURES.shape}
    zoom = given["zoom"][:, None]
    zoomed = {"height_zoom": zoom, "width_zoom": zoom, "input_shape": PICTURES.shape}
    none = augmentation.zoomed(ops.ones_like(given["zoom"]))
    return {
        "rotated": gap(rotation, turned, augmentation.rotated(turned["angle"]), still),
        "shifted": gap(translation, shifted, none, given["shift"]),
        "zoomed": gap(layers.RandomZoom(0.1, **black), zoomed, augmentation.zoomed(given["zoom"]), still),
    }


def crop_places():
    """How many places a random crop takes in a batch of equal pictures, and in 20 batches."""
    ramp = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(1, HEIGHT, WIDTH, 1).repeat(8, axis=0)
    crop = layers.RandomCrop(10, 10, seed=0)
    corners = [ops.convert_to_numpy(crop(ramp, training=True))[:, 0, 0, 0] for _ in range(20)]
    return max(len(set(batch.tolist())) for batch in corners), len({batch[0] for batch in corners})


def brightness_kept_its_input():
    pictures = fresh()
    layers.RandomBrightness((0.1, 0.2), (0, 1), seed=0)(pictures, training=True)
    return bool(np.array_equal(ops.convert_to_numpy(pictures), PICTURES))


def blur_by_default():
    """How far a blur without data_format is from one of channels that are said to be last."""
    said = ops.image.gaussian_blur(fresh(), data_format="channels_last")
    return float(ops.max(ops.abs(ops.image.gaussian_blur(fresh()) - said)))


def rate_after(schedule, steps):
    weight = keras.Variable([0.0])
    optimizer = keras.optimizers.SGD(schedule)
    for _ in range(steps):
        optimizer.apply([ops.ones(1)], [weight])
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def statistics_move(frozen):
    """Whether `fit` moves the statistics of features that are frozen, and of those that are not."""
    model = TransferNet((24, 24, 1), 4, 2)
    model.freeze(frozen)
    model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = statistics(model)
    random = np.random.default_rng(0)
    model.fit(random.random((32, 24, 24, 1), np.float32), random.integers(0, 2, 32), verbose=0)
    return not all(np.array_equal(old, new) for old, new in zip(before, statistics(model), strict=True))


def statistics(model):
    norms = [block for block in model.base.blocks if isinstance(block, layers.BatchNormalization)]
    return [ops.convert_to_numpy(v).copy() for norm in norms for v in (norm.moving_mean, norm.moving_variance)]


def frozen_training_is_inference():
    model, x = TransferNet((24, 24, 1), 4, 2), np.random.default_rng(0).random((8, 24, 24, 1), np.float32)
    answers = [ops.convert_to_numpy(model(x, training=training)) for training in (True, False)]
    return bool(np.array_equal(*answers))


class Recorded(keras.utils.PyDataset):
    """Batches that write down their numbers as they are asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def __len__(self):
        return 11

    def __getitem__(self, index):
        self.asked.append(index)
        return np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32)


def batches_asked_for():
    keras.utils.set_random_seed(0)
    model, batches = keras.Sequential([keras.Input((1,)), layers.Dense(1)]), Recorded()
    model.compile(optimizer="sgd", loss="mse")
    model.build((None, 1))
    model.fit(batches, epochs=1, shuffle=True, verbose=0)
    return batches.asked[-11:]  # before, Keras looks at a batch or two, to see what they are


of_a_batch, of_batches = crop_places()
decay, cosine = keras.optimizers.schedules.ExponentialDecay, keras.optimizers.schedules.CosineDecay
print(
    json.dumps(
        {
            "backend": keras.backend.backend(),
            "layers": layers_with_the_same_draw(),
            "crop_places_of_a_batch": of_a_batch,
            "crop_places_of_batches": of_batches,
            "brightness_kept_its_input": brightness_kept_its_input(),
            "blur_by_default": blur_by_default(),
            "rate_after_10_steps": rate_after(decay(0.1, decay_steps=1, decay_rate=0.9), 10),
            "rate_past_the_end": rate_after(cosine(0.1, decay_steps=4), 6),
            "explained": [int(found) for found in initializers.explained(144, 32)],
            "statistics_move": {"frozen": statistics_move(True), "tuned": statistics_move(False)},
            "frozen_training_is_inference": frozen_training_is_inference(),
            "batches_asked_for": batches_asked_for(),
        }
    )
)
