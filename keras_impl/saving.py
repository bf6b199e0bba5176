"""How a Keras twin is saved: a `.keras` file holds what its constructor was given beside its weights."""

import functools
import inspect
from typing import Any, TypeVar

import keras

Model = TypeVar("Model", bound=type[keras.Model])


def serializable(model: Model) -> Model:
    """Class decorator: Keras saves the model as `.keras`, and `keras.saving.load_model` makes it again.

    Keras by itself remembers the arguments of a layer, but not those of a subclass of `keras.Model`, whose `__new__`
    does not hand them on (Keras 3.15): `save` refuses the model, or writes the defaults if every argument has one. A
    Keras user writes `get_config` in each class; here it is written once.

    Args:
        model: a class whose constructor takes numbers, strings, None, and tuples of them.
    """
    initialize = model.__init__
    signature = inspect.signature(initialize)

    @functools.wraps(initialize)
    def remember(self, *args, **kwargs):
        initialize(self, *args, **kwargs)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        self.constructor_arguments = tuple(bound.arguments.items())[1:]  # of the class itself: set after its parent's

    def get_config(self):
        return dict(self.constructor_arguments)

    def from_config(cls, config, custom_objects=None):
        return cls(**{name: _with_tuples(value) for name, value in config.items()})

    model.__init__ = remember
    model.get_config = get_config
    model.from_config = classmethod(from_config)
    return keras.saving.register_keras_serializable(package="twins")(model)


def _with_tuples(value: Any) -> Any:
    """The file is JSON, which has no tuples."""
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
