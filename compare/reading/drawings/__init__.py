"""What each exercise computes, as one picture: a module for each chapter, in it a function for each exercise.

A function takes `run`, which runs the exercise on named arrays, and `given`, the exercise's own inputs. It returns the
picture with a caption. Pictures hold numbers, formulas and names from the code; words stand in the caption, which has
its translation.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from twin.bridge import Arrays
from twin.catalogue import chapter_of

if TYPE_CHECKING:
    from PIL.Image import Image

Run = Callable[[Mapping], Arrays]


def draw(exercise: str, run: Run, given: Arrays) -> tuple[str, "Image"]:
    """A caption, and an exercise's picture.

    Args:
        exercise: its name in the catalogue.
        run: named inputs to named outputs, on any engine.
        given: the inputs of the catalogue.
    """
    import matplotlib

    from compare.reading.drawings.canvas import SETTINGS

    chapter = import_module(f"{__name__}.{chapter_of(exercise).slug}")
    with matplotlib.rc_context(SETTINGS):
        return getattr(chapter, exercise)(run, given)
