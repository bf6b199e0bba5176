"""One PyTorch call with another of the choices that it offers: a direction, a rounding, a side, another function."""

from collections.abc import Iterator
from typing import NamedTuple

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.words import argument, assigned, name_of, place, written
from twin.trace import Edit, Event


class Choice(NamedTuple):
    """An argument of some calls, and what it may be.

    Args:
        calls: names of PyTorch functions.
        argument: its name.
        options: its values as code.
        cause: the name of the cause where another value makes both sides agree.
        says: what the argument decides.
    """

    calls: tuple[str, ...]
    argument: str
    options: tuple[str, ...]
    cause: str
    says: str


DEVIATIONS = ("std", "var", "std_mean", "var_mean")
CHOICES = (
    Choice(("sort", "argsort"), "descending", ("True", "False"), "sort_order", "The order of sorting"),
    Choice(("topk",), "largest", ("True", "False"), "sort_order", "Which end of the order is taken"),
    Choice(("searchsorted", "bucketize"), "right", ("True", "False"), "search_side", "The side of equal values"),
    Choice(("grid_sample",), "padding_mode", ("'zeros'", "'border'", "'reflection'"), "grid_padding_mode",
           "What is read beyond a picture's border"),
    Choice(("grid_sample", "affine_grid"), "align_corners", ("True", "False"), "align_corners",
           "Whether -1 and 1 are centres or edges of the outermost pixels"),
    Choice(("grid_sample",), "mode", ("'bilinear'", "'nearest'"), "interpolation", "What is read between pixels"),
    Choice(("div",), "rounding_mode", ("None", "'floor'", "'trunc'"), "rounding", "How a quotient is rounded"),
    Choice(("norm", "vector_norm", "cdist", "pairwise_distance", "normalize"), "p", ("1", "2"), "norm_order",
           "The order of the norm"),
    Choice(("norm", "vector_norm"), "ord", ("1", "2", "float('inf')"), "norm_order", "The order of the norm"),
    Choice(("scatter_reduce",), "reduce", ("'sum'", "'mean'", "'amax'", "'amin'"),
           "segment_reduction", "What is made of all values that go to one place"),
    Choice(("scatter_reduce",), "include_self", ("True", "False"), "segment_reduction",
           "Whether what stands in a place counts too"),
    Choice(("conv1d", "conv2d", "conv3d"), "padding", ("0", "'same'"), "conv_padding", "What a convolution pads with"),
    Choice(DEVIATIONS, "unbiased", ("True",), "std_ddof", "The divisor, n - 1 or n"),
    Choice(DEVIATIONS, "correction", ("1",), "std_ddof", "The divisor, n - 1 or n"),
)  # fmt: skip

# Functions of the same arguments, of which each may stand where another is meant.
FUNCTIONS = (
    (("fmod", "remainder"), "remainder_sign", "The sign of a remainder"),
    (("floor", "ceil", "round", "trunc"), "rounding", "How a value is rounded"),
    (("tril", "triu"), "mask_triangle", "Which triangle stays"),
    (("sin", "cos"), "sine_for_cosine", "Sine and cosine"),
    (("amax", "amin"), "max_for_min", "Which end is taken"),
    (("argmax", "argmin"), "max_for_min", "Which end is taken"),
    (("maximum", "minimum"), "max_for_min", "Which of two is taken"),
    (("lt", "le"), "comparison_of_equals", "What a comparison says of equal values"),
    (("gt", "ge"), "comparison_of_equals", "What a comparison says of equal values"),
)

# Code of a call's arguments, by their names, and of its result `x`.
CODES = (
    ("cumsum", "x - input", "running_sum", "Whether a running sum counts its own place"),
    ("cumsum", "torch.cumsum(input.flip(dim), dim).flip(dim)", "running_sum", "At which end a running sum begins"),
    ("cumprod", "x / input", "running_product", "Whether a running product counts its own place"),
    ("lerp", "torch.lerp(end, input, weight)", "operand_order", "To which of two values the weight belongs"),
    ("atan2", "torch.atan2(other, input)", "operand_order", "The two operands"),
    ("fmod", "torch.fmod(other, input)", "operand_order", "The two operands"),
    ("remainder", "torch.remainder(other, input)", "operand_order", "The two operands"),
)

CAUSES = {each.cause for each in CHOICES} | {cause for _, cause, _ in FUNCTIONS} | {cause for _, _, cause, _ in CODES}


def of_choices(event: Event) -> Iterator[Candidate]:
    """What the call would be with each other choice."""
    name = name_of(event).strip("_")
    for choice in CHOICES:
        own = argument(event.text, choice.argument)
        for option in choice.options if name in choice.calls else ():
            if option != own:
                yield changed(choice.cause, choice.says, event, {choice.argument: option})
    for names, cause, says in FUNCTIONS:
        for other in names if name in names else ():
            if other != name:
                yield _in_its_place(cause, says, event, f"torch.{other}", {"function": other})
    for called, code, cause, says in CODES:
        if name == called:
            yield _in_its_place(cause, says, event, code, {"after": code})


def changed(cause: str, says: str, event: Event, expressions: dict[str, str]) -> Candidate:
    """A call with other arguments."""
    fix = InTorch.otherwise(event, expressions)
    says = f"{says}: {written(event)}{place(event)}; with {assigned(expressions)} both agree"
    return Candidate(cause, says, fix.edits, torch=fix)


def _in_its_place(cause: str, says: str, event: Event, code: str, more: Edit) -> Candidate:
    """Another function of the same arguments."""
    edits: list[Edit] = [{"event": event.index, "do": "arguments", "expressions": {}, **more}]
    says = f"{says}: {written(event)}{place(event)}; with {code} in its place both agree"
    return Candidate(cause, says, edits, torch=InTorch(f"{code} in place of {written(event)}", edits))
