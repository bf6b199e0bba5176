"""Where the suite's own files are. A twin's files lie where its name and chapter say, on both sides."""

from pathlib import Path

from twin.catalogue import chapter_of
from twin.spec import Twin

ROOT = Path(__file__).resolve().parent.parent


def path_of(side: str, twin: Twin) -> str:
    """A side's file of a twin, from the root of the suite: `torch_impl/models/classification/lenet.py`."""
    return f"{side}_impl/{twin.kind}s/{chapter_of(twin.name).slug}/{twin.name}.py"


def module_of(side: str, twin: Twin) -> str:
    """The same file as a module to import: `torch_impl.models.classification.lenet`."""
    return path_of(side, twin).removesuffix(".py").replace("/", ".")


def source(side: str, twin: Twin) -> str:
    """The text of a side's file of a twin."""
    return (ROOT / path_of(side, twin)).read_text(encoding="utf-8")
