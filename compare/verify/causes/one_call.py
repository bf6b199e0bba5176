"""One call left out, added, or put in place of another."""

from collections.abc import Iterator

from compare.verify.causes.candidate import Candidate, InKeras, InTorch
from compare.verify.causes.settings import unlike_arguments
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import acts, changed, in_keras, in_torch, kind_of, place, written
from twin.trace import Edit, Event


def without(at: Situation) -> Iterator[Candidate]:
    """PyTorch's call left out."""
    torch = at.torch
    if torch is None:
        return
    skip: list[Edit] = [{"event": torch.index, "do": "skip"}]
    cause, says = f"extra_{kind_in_words(torch)}", f"PyTorch {acts(torch)} here{place(torch)}, Keras does not"
    fix = InTorch(f"take {written(torch)}{place(torch)} out", skip)
    keras = None
    if at.entering[0] is not None and at.entering[1] is not None:
        keras = InKeras([in_keras(torch)], [at.entering[0]], at.entering[1], f"add {in_keras(torch)}")
    if at.follows and at.layer is not None:
        cause, says = "order", f"PyTorch applies {written(torch)} before {at.layer.leaf}, Keras after it"
        moved = InTorch.of([changed("torch", torch)], at.layer, [torch], behind=True)
        fix = InTorch(f"move {written(torch)} behind {at.layer.leaf}", moved.edits)
        keras = None
    if torch.family == "dropout":
        cause, says = "dropout_mode", f"PyTorch drops values here in a mode in which Keras does not{place(torch)}"
        fix, keras = InTorch("torch.nn.functional.dropout(x, p, training=self.training)", skip), None
    yield Candidate(cause, says, skip, torch=fix, keras=keras)


def missing(at: Situation) -> Iterator[Candidate]:
    """Keras's call added to PyTorch's pass."""
    for each in at.replacements if at.keras is not None else ():
        if not each.instead and at.keras is not None:
            says = f"Keras {acts(at.keras)} here{place(at.keras)}, PyTorch does not"
            fix = InTorch.of([in_torch(at.keras)], each.event, behind=True)
            fix = InTorch(f"add {in_torch(at.keras)}", fix.edits)
            keras: InKeras | None = InKeras(["x"], (), at.entering[1], f"take {written(at.keras)} out")
            cause = f"missing_{kind_in_words(at.keras)}"
            if at.precedes and at.layer is not None:
                cause, keras = "order", None
                says = f"Keras applies {written(at.keras)} before {at.layer.leaf}, PyTorch after it"
            yield Candidate(cause, says, *each.edits(), fix, keras)


def instead(at: Situation) -> Iterator[Candidate]:
    """Keras's call in place of PyTorch's."""
    keras, torch = at.keras, at.torch
    if keras is None or torch is None:
        return
    same_name = keras.settings.get("name") == torch.settings.get("name")
    says = f"Keras {acts(keras)}{place(keras)}, PyTorch {acts(torch)}{place(torch)}"
    fix, other = InTorch.of([in_torch(keras)], torch), InKeras([in_keras(torch)])
    cause = at.miswired or other_in_words(keras, torch)
    if keras.family == torch.family and not at.miswired:
        cause = {"activation": "wrong_activation", "pool": "pooling", "resize": "resize"}.get(keras.family, cause)
        if same_name and keras.family == "op":
            cause = unlike_arguments(str(keras.settings["name"]), torch)
        if same_name and keras.settings.get("name") == "concatenate":
            cause, says = "operand_order", f"The parts of {written(torch)}{place(torch)} stand in another order"
            fix = InTorch.of([f"torch.cat((y, x), {written(torch).removeprefix('cat(').removesuffix(')')})"], torch)
            other = InKeras(["keras.ops.concatenate((y, x), axis=-1)"])
    for each in at.replacements:
        if each.instead:
            yield Candidate(cause, says, *each.edits(), fix, other)


def kind_in_words(event: Event) -> str:
    """What a call does, for a cause's name: a product with a number is a scale."""
    return "scale" if kind_of(event) in ("multiply", "divide") and len(event.inputs) == 1 else kind_of(event)


def other_in_words(keras: Event, torch: Event) -> str:
    """The name of a cause of which only the place is known: what one side has as a layer, the other by hand."""
    if "Bidirectional" in keras.call:
        return "bidirectional_merge"
    names = kind_of(keras), kind_of(torch)
    if all("pool" in name for name in names):
        return "pooling"
    if torch.leaf and not torch.inputs:
        name = names[1].strip("_")
        return name if name.startswith("weight") else f"weight_{name}"
    if names[0] == names[1]:
        return unlike_arguments(names[0], torch)
    return f"{kind_in_words(torch)}_for_{kind_in_words(keras)}"
