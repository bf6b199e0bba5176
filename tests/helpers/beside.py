"""Both sides of a twin in this process, with the same weights. Keras's backend is chosen by who imports this first."""

import numpy as np
import pytest

from keras_impl import train as keras_train
from torch_impl import train as torch_train
from twin.catalogue import find
from twin.crossing import Crossing


def losses_and_gradients(name, batch):
    """Each loss by name, and the gradients under PyTorch names, of a batch in NumPy: PyTorch's, then Keras's."""
    twin = find(name)
    arguments = twin.ladder_arguments("small")
    native, ours = (train.build(twin, arguments) for train in (torch_train, keras_train))
    cross = Crossing("keras", keras_train.describe(ours), torch_train.describe(native), twin)
    keras_train.load_weights(ours, cross.out(torch_train.dump_weights(native)))
    losses, gradients = keras_train.loss_and_gradients(ours, batch)
    return torch_train.loss_and_gradients(native, batch), (losses, cross.back(gradients))


def learn_alike(name, batch):
    """The losses of a batch: finite, at least 0 and the same on both sides, and so are the gradients.

    Gradients need not be the same where rounding switches activations, as the twin's tolerance then says.
    """
    (losses, gradients), (keras_losses, keras_gradients) = losses_and_gradients(name, batch)
    assert keras_losses == {key: pytest.approx(value, rel=1e-5, abs=1e-7) for key, value in losses.items()}
    assert min(losses.values()) >= 0
    whole = np.sqrt(sum(np.square(array).sum() for array in gradients.values()))
    assert np.isfinite(whole)
    assert all(np.isfinite(array).all() for array in keras_gradients.values())
    if "gradients" not in find(name).tolerances:
        for key, array in gradients.items():
            far = np.linalg.norm(keras_gradients[key] - array)
            assert far <= 1e-3 * max(np.linalg.norm(array), 1e-3 * whole), key
    return losses
