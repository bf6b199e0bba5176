"""What shapes a gradient beside the calls themselves: what stops one, and what computes one by hand.

All of it may be left out, one by one: outputs stay as they are, and gradients are then those of the calls.
"""

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

from twin.trace import Cut


class _Context:
    """What an autograd function's `forward` gets where its `backward` is never asked for."""

    needs_input_grad: tuple[bool, ...] = (True,) * 99

    def save_for_backward(self, *tensors: Any) -> None: ...
    def save_for_forward(self, *tensors: Any) -> None: ...
    def mark_dirty(self, *tensors: Any) -> None: ...
    def mark_non_differentiable(self, *tensors: Any) -> None: ...
    def set_materialize_grads(self, value: bool) -> None: ...


@contextmanager
def without(chosen: Collection[int], met: list[Cut], where: Callable[[], str]) -> Iterator[None]:
    """Within it those of the cuts do nothing whose numbers are chosen, in the order of execution.

    Args:
        chosen: the numbers.
        met: where every cut is written down.
        where: says which line of the user's code makes the call.
    """

    def left_out(word: str) -> bool:
        met.append(Cut(word, where()))
        return len(met) - 1 in chosen

    enter, apply = torch.no_grad.__enter__, torch.autograd.Function.__dict__["apply"]

    def entered(self: Any) -> None:
        if left_out("no_grad"):
            self.prev = torch.is_grad_enabled()
        else:
            enter(self)

    def applied(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls.__module__.startswith("torch.") or not left_out(f"backward of {cls.__name__}"):
            return apply.__get__(None, cls)(*args, **kwargs)
        takes_context = cls.setup_context is torch.autograd.Function.setup_context
        return cls.forward(*([_Context()] if takes_context else []), *args, **kwargs)

    changed: Any = torch.autograd.Function
    torch.no_grad.__enter__ = entered  # type: ignore[method-assign]
    changed.apply = classmethod(applied)
    try:
        with _Mode(left_out):
            yield
    finally:
        torch.no_grad.__enter__ = enter  # type: ignore[method-assign]
        changed.apply = apply


CUTTING = {
    "torch.Tensor.detach": "detach",
    "torch.Tensor.detach_": "detach",
    "torch.Tensor.data.__get__": "data",
}


class _Mode(TorchFunctionMode):
    """Sees the functions that are called on tensors."""

    def __init__(self, left_out: Callable[[str], bool]):
        super().__init__()
        self.left_out = left_out

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = resolve_name(function) or ""
        if name in CUTTING and self.left_out(CUTTING[name]):
            return args[0]
        if name == "torch.Tensor.register_hook" and self.left_out("register_hook"):
            return None
        if function is torch.autograd.grad:
            given = inspect.signature(function).bind(*args, **kwargs)
            if not given.arguments.get("create_graph") and self.left_out("autograd.grad without create_graph"):
                kwargs = {**given.arguments, "create_graph": True, "retain_graph": True}
                args = ()
        return function(*args, **kwargs)
