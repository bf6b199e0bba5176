"""`twin weights`."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from compare.cli import options
from compare.cli.arguments import json_object, keras_engine, pairs, shape
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import PORT
from compare.cli.progress import working
from twin.catalogue import find
from twin.errors import AGREE, DIFFER, TwinError

GROUP = PORT
EXAMPLES = (
    "twin weights resnet50 --from a.pt --to b.weights.h5",
    "twin weights lenet --size small --from a.pt --to b.pt",
)


# Long: an option has one line of the signature.
def weights(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A twin; see `twin list`. Or give --keras and --torch.")
    ] = None,
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="What to read. Required.", show_default=False)
    ] = Path(),
    target: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="What to write. Required.", show_default=False)
    ] = Path(),
    layout: Annotated[
        Literal["twin", "applications", "torchvision"], typer.Option(help="Whose names the written file has.")
    ] = "twin",
    size: options.SizeName = "paper",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    keras: Annotated[str | None, typer.Option(metavar="FILE.py:CALLABLE", help="Your own model, with --torch.")] = None,
    torch: Annotated[str | None, typer.Option(metavar="FILE.py:CALLABLE", help="The same in PyTorch.")] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="SHAPE", help="Input of your own model: 32,32,3; repeat for several."),
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--input-dtype", metavar="float|int", help="Of each --input, in their order.")
    ] = None,
    kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of both callables.")] = "{}",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="KERAS=TORCH", help="Two layers that belong together; repeat for several."),
    ] = None,
    backend: options.KerasEngine = "torch",
    python: options.Pythons = None,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
) -> None:
    """Convert weights between Keras and PyTorch, and prove that both models then compute the same."""
    from compare.engines import engine as engines
    from compare.engines.pool import Settings
    from compare.verify import text
    from compare.weights import run as crossing

    if (name is None) == (keras is None) or (keras is None) != (torch is None):
        raise TwinError("whose weights? name a twin, or give both --keras and --torch")
    if source == Path() or target == Path():
        raise TwinError("from where to where? give --from FILE and --to FILE")
    crossing.check_paths(source, target, force)
    chosen = engines.choose([keras_engine(backend or "torch"), "torch"], engines.parse_pythons(python or []))
    settings = Settings("cpu", os.cpu_count() or 1, 1, timeout)
    if name is not None:
        with working(f"converting and comparing the weights of {name}"):
            found: Any = crossing.of_twin(find(name), size, source, target, layout, chosen, settings)
    else:
        request = _request(keras, torch, shapes, kinds, kwargs, mapping)
        with working("converting and comparing the weights"):
            found = crossing.of_pair(request, source, target, chosen, settings)
    read = [source, target, *(Path(each.rpartition(":")[0]) for each in (keras, torch) if each)]
    agrees = isinstance(found, crossing.Crossing) and found.agrees
    answer(found.to_json(), found.text() if isinstance(found, crossing.Crossing) else text.text(found), as_json, read)
    if name is not None:
        say_next(*(("show", name) if agrees else ("check", name, "--size", size)))
    else:
        more = ("--weights", target) if agrees else ()
        say_next(*_verifying(request), *more)
    raise typer.Exit(AGREE if agrees else DIFFER)


def _verifying(request: Any) -> list[str]:
    """The words of `twin verify` of the same pair."""
    shapes = [",".join(map(str, each)) for each in request.shapes]
    mapped = [f"{keras}={torch}" for keras, torch in request.pairs.items()]
    kwargs = [json.dumps(request.keras_kwargs)] if request.keras_kwargs else []
    words = ["verify", request.keras, request.torch]
    options = (("--input", shapes), ("--input-dtype", request.kinds), ("--map", mapped), ("--kwargs", kwargs))
    return [*words, *(word for option, values in options for value in values for word in (option, value))]


def _request(
    keras: str | None,
    torch: str | None,
    shapes: list[str] | None,
    kinds: list[str] | None,
    kwargs: str,
    mapping: list[str] | None,
) -> Any:
    """What to compare of a pair of one's own."""
    from compare.verify import run as examination

    if not shapes:
        raise TwinError("which inputs? give --input SHAPE, such as --input 32,32,3")
    both, inputs = json_object("--kwargs", kwargs), [shape("--input", each) for each in shapes]
    return examination.Request(keras or "", torch or "", both, both, inputs, kinds or [], pairs=pairs(mapping or []))
