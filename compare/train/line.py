"""`twin line`: the five networks of the slides' line of progress, trained on the same pictures."""

from collections.abc import Iterable, Sequence

from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import WorkerFailed
from compare.record.measurement import trainings_of
from compare.record.record import RunRecord
from compare.train import run as training
from twin.catalogue.line import TRAININGS
from twin.data import fashion_mnist
from twin.errors import INCOMPLETE, TwinError, unknown
from twin.spec import Twin

DEFAULT_ENGINES = ("torch", "keras-jax")


def choose_data(wanted: str | None) -> str:
    """The data set to train on: the wanted one, else Fashion-MNIST where it is installed, else the digits.

    Raises:
        TwinError: when another one is wanted, or Fashion-MNIST and its files are not here.
    """
    if wanted not in (None, *TRAININGS):
        raise unknown("data set", str(wanted), TRAININGS)
    if wanted == "digits":
        return wanted
    try:
        fashion_mnist.SOURCE.locate(download=False)
    except TwinError:
        if wanted:
            raise
        return "digits"
    return "fashion_mnist"


def choose_engines(installed: Sequence[Engine]) -> list[Engine]:
    """One engine of each framework where both are installed, else whatever is."""
    chosen = [engine for engine in installed if engine.name in DEFAULT_ENGINES]
    return chosen if len(chosen) == len(DEFAULT_ENGINES) else list(installed)


def run(
    record: RunRecord,
    twins: Sequence[Twin],
    engines: Iterable[Engine],
    settings: Settings,
    epochs: int | None,
    progress: Progress,
) -> None:
    """Count the twins' multiply-adds, then train every measurement of the record that was not.

    Args:
        record: planned measurements.
        twins: the line's variants of them.
        engines: those that the measurements name.
        settings: how.
        epochs: instead of the line's own number.
        progress: called with a measurement and a word on what happens to it.

    Raises:
        TwinError: when native PyTorch, which counts and draws the initial weights, is missing or does not start.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    engines = list(engines)
    native = next((engine for engine in engines if engine.name == REFERENCE), ENGINES[REFERENCE])
    if native.missing():
        raise TwinError(
            "native PyTorch counts the multiply-adds and draws the weights that all start from; "
            "try: pip install 'twin-suite[torch]'"
        )
    counts = multiply_adds(twins, native, settings)
    options = training.Options(epochs, variants={twin.name: twin for twin in twins})
    try:
        training.run(record, engines, settings, options, progress)
    finally:
        for measurement in trainings_of(record.measurements):
            if measurement.result:
                measurement.result.multiply_adds = counts[measurement.twin]
        record.save()


def multiply_adds(twins: Iterable[Twin], native: Engine, settings: Settings) -> dict[str, int]:
    """Name -> multiply-adds of one picture in inference; the same on every engine, since the layers are.

    Raises:
        TwinError: when the worker fails.
    """
    found = {}
    pool = Pool(settings)

    def count_all() -> None:
        session = pool.start(native, settings.device)
        for twin in twins:
            model = session.build(twin.name, twin.small.arguments)
            found[twin.name] = model.multiply_adds(twin.small.arguments["image_shape"])

    try:
        pool.run([count_all])
    except WorkerFailed as failure:
        raise TwinError(f"{native.name}: {failure.reason}; see twin doctor", INCOMPLETE) from failure
    return found
