"""What constructors refuse: both sides say the same line. Keras's backend is chosen by who imports this first."""

import pytest

from keras_impl import train as keras_train
from torch_impl import train as torch_train
from twin.catalogue import find


def refused_alike(name, arguments):
    """The line in which both sides' models of a twin refuse arguments; it is the same on both."""
    texts = []
    for side in (keras_train, torch_train):
        constructor = getattr(side.load_module(find(name)), find(name).model)
        with pytest.raises(ValueError, match="Received: ") as error:
            constructor(**arguments)
        texts.append(str(error.value))
    assert texts[0] == texts[1]
    return texts[0]
