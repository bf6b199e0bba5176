"""What a PyTorch model does to one input, call by call, and what it would do with one call changed.

keras_impl/tracing.py writes the same down for Keras. Every function that PyTorch dispatches passes through a
`TorchFunctionMode`, with the arguments that count, whether a module or the user's own line calls it: a BatchNorm2d
arrives as `torch.nn.functional.batch_norm(..., eps=1e-05)`. So one mechanism sees modules and functions, and can
repeat the pass with other arguments, other inputs or other outputs at any call.
"""

import ast
import inspect
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, resolve_name

from torch_impl.cuts import without
from torch_impl.draws import Fixed
from torch_impl.inventory import leaves
from twin.bridge import Leaf
from twin.trace import LARGEST_CONSTANT, Cut, Edit, Event, Trace, in_words
from twin.trace import by_name as outputs_by_name

CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
RECURRENT_CALLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
RECURRENT = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
REDUCING = ("input", "dim", "keepdim")
ARGUMENTS = {  # of functions whose signature Python cannot read
    **{f"conv{n}d": CONV for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": TRANSPOSED for n in (1, 2, 3)},
    "linear": ("input", "weight", "bias"),
    **dict.fromkeys(RECURRENT_CALLS, RECURRENT),
    **{
        f"avg_pool{n}d": ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        for n in (1, 2, 3)
    },
    **{f"max_pool{n}d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode") for n in (1, 2, 3)},
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "gelu": ("input", "approximate"),
    "scaled_dot_product_attention": ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale"),
    **dict.fromkeys(("sum", "mean", "amax", "amin", "max", "min", "prod", "logsumexp", "argmax", "argmin"), REDUCING),
    **dict.fromkeys(("std", "var", "std_mean", "var_mean"), ("input", "dim", "unbiased", "keepdim")),
    "cosine_similarity": ("x1", "x2", "dim", "eps"),
    "pairwise_distance": ("x1", "x2", "p", "eps", "keepdim"),
    **dict.fromkeys(("tril", "triu"), ("input", "diagonal")),
    **dict.fromkeys(("cumsum", "cumprod", "squeeze", "unsqueeze"), ("input", "dim")),
    **dict.fromkeys(("cat", "concat", "stack"), ("tensors", "dim")),
    **dict.fromkeys(("sub", "__sub__", "div", "__truediv__", "matmul", "__matmul__", "pow"), ("input", "other")),
    **dict.fromkeys(("fmod", "remainder", "atan2", "maximum", "minimum", "lt", "le", "gt", "ge"), ("input", "other")),
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "sin", "cos"), ("input",)),
    **dict.fromkeys(("sort", "argsort"), ("input", "dim", "descending")),
    "topk": ("input", "k", "dim", "largest", "sorted"),
    "searchsorted": ("sorted_sequence", "input"),
    "bucketize": ("input", "boundaries"),
    "lerp": ("input", "end", "weight"),
    "scatter_reduce": ("input", "dim", "index", "src", "reduce"),
    "norm": ("input", "p", "dim", "keepdim"),
    "median": ("input",),
    "clamp": ("input", "min", "max"),
    "chunk": ("input", "chunks", "dim"),
    "split": ("tensor", "split_size", "dim"),
    "roll": ("input", "shifts", "dims"),
    "gather": ("input", "dim", "index"),
    "take_along_dim": ("input", "indices", "dim"),
    "masked_fill": ("input", "mask", "value"),
    "where": ("condition", "input", "other"),
    **{f"{way}fft": ("input", "n", "dim", "norm") for way in ("", "i", "r", "ir", "h", "ih")},
    **{f"{way}fft{n}": ("input", "s", "dim", "norm") for way in ("", "i", "r", "ir") for n in ("2", "n")},
}
METHOD = type(torch.Tensor.sum)  # takes its first argument by its place
IN_PLACE = r"\w*[a-z0-9]_|__(i(add|sub|mul|truediv|pow|and|or)|setitem)__"  # names of what changes its first argument
SEVERAL = {"flip": "dims", "repeat": "sizes"}  # whose positional arguments after the first are one
ACTIVATIONS = {
    "relu", "relu6", "gelu", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "sigmoid", "tanh", "softplus",
    "softsign", "softmax", "log_softmax", "logsigmoid", "hardtanh", "hardsigmoid", "hardswish", "prelu", "glu",
}  # fmt: skip
SHAPES = {
    "view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim", "swapaxes", "squeeze", "unsqueeze",
    "contiguous", "clone", "to", "float", "double", "view_as", "reshape_as", "T", "mT", "chunk", "split", "unbind",
    "detach", "alias", "expand", "expand_as", "type", "cpu",
}  # fmt: skip
QUESTIONS = {  # about a tensor, which compute nothing
    "dim", "ndim", "ndimension", "size", "shape", "numel", "nelement", "stride", "dtype", "device", "layout",
    "is_nested", "is_contiguous", "is_floating_point", "is_complex", "is_sparse", "is_cuda", "is_quantized",
    "requires_grad", "grad_fn",
    "is_leaf", "get_device", "element_size", "data_ptr", "item", "tolist", "equal", "allclose", "is_same_size",
    "__len__", "__bool__", "__float__", "__int__", "__index__", "__repr__", "__format__", "__iter__", "__contains__",
}  # fmt: skip
OPS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add", "__mul__": "multiply", "__rmul__": "multiply",
    "__imul__": "multiply", "mul": "multiply", "__sub__": "subtract", "sub": "subtract", "__truediv__": "divide",
    "div": "divide", "cat": "concatenate", "concat": "concatenate", "__matmul__": "matmul", "bmm": "matmul",
    "__getitem__": "getitem", "__setitem__": "slice_update", "amax": "max", "__pow__": "power", "pow": "power",
    "__neg__": "negative", "neg": "negative",
}  # fmt: skip


def seed(number: int) -> None:
    """Seed all that a user's own model may draw its first weights from."""
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


class Subject:
    """A PyTorch model under examination.

    Args:
        model: any module.
        inputs: one input of each kind, which builds what is not built yet.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[np.ndarray]):
        self.model = model
        if any(isinstance(module, nn.modules.lazy.LazyModuleMixin) for module in model.modules()):
            with torch.no_grad():
                model(*map(to_tensor, inputs))
        named = leaves(model)
        self.found = [leaf for leaf, _ in named]
        self.state = {leaf.full(name): tensor for leaf, own in named for name, tensor in own.items()}
        self.owners = {id(tensor): leaf.path for leaf, own in named for tensor in own.values()}
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.modules = dict(model.named_modules())
        self.own = {path for path, module in self.modules.items() if not any(module.children())}

    def leaves(self) -> list[Leaf]:
        """The layers that own weights, by attribute path."""
        return self.found

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set weights from arrays under PyTorch's names; those not given stay."""
        with torch.no_grad():
            for name, array in arrays.items():
                value = torch.from_numpy(np.ascontiguousarray(array))
                self.state[name].copy_(value.reshape(self.state[name].shape) if value.numel() == 1 else value)

    def dump(self) -> dict[str, np.ndarray]:
        """Every weight under its PyTorch name."""
        return {name: _array(tensor) for name, tensor in self.state.items()}

    def trace(
        self,
        inputs: Sequence[np.ndarray],
        training: bool = False,
        edits: Sequence[Edit] = (),
        arrays: Mapping[str, np.ndarray] | None = None,
        keep: Sequence[int] | None = None,
        masks: bool = False,
    ) -> Trace:
        """Run the model once and write down every call.

        Args:
            inputs: in PyTorch's layout.
            training: the mode; running statistics are put back afterwards.
            edits: calls to carry out differently: {"event": index, "do": ...} with "skip" (the output is the input),
                "arguments" (a dictionary of changed ones, and `expressions`: code of the call's arguments; `function`:
                another of torch's that takes them), "exchange" (two of several results, by their `places`), "function"
                (by its name in torch.nn.functional or torch), "pad" (in the order of torch.nn.functional.pad, and its
                `mode`), "crop" (so much off each spatial axis), "scale", "reverse", "batch_second" (attention whose
                first axis is the batch), "state" (of a recurrent layer, in `arrays` under INDEX/state/PLACE), "input",
                "constant" or "output" (other values, in `arrays` under INDEX/input/PLACE and so on), "wire" (what this
                pass has `from` that number on goes into the place `slot`), "code" (lines to
                run in place of the call, each with what the one before gives as `x`; a module gets the arrays of the
                module that makes the call; with "after", behind the call).
            arrays: values for the edits.
            keep: numbers of the values to return; all by default.
            masks: let dropout drop.
        """
        tensors = [to_tensor(array) for array in inputs]
        recorder = _Recorder(self, tensors, edits, arrays or {}, keep)
        stopped, outputs = "", {}
        hooks = [
            nn.modules.module.register_module_forward_pre_hook(recorder.enter),
            nn.modules.module.register_module_forward_hook(recorder.leave, always_call=True),
        ]
        torch.manual_seed(0)
        try:
            with self._unchanged(training), torch.no_grad(), Fixed(masks), recorder:
                returned = self.model(*tensors)
            outputs = {name: recorder.number(tensor) for name, tensor in by_name(returned).items()}
        except Exception as error:  # the user's own code: how far it came is worth knowing
            stopped = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        finally:
            for hook in hooks:
                hook.remove()
        return Trace(
            tuple(recorder.events),
            recorder.values,
            outputs,
            stopped,
            recorder.computed,
            recorder.constants,
            recorder.written,
        )

    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> dict[str, np.ndarray]:
        """What the model returns.

        Args:
            inputs: in PyTorch's layout.
            training: the mode.
            masks: let dropout drop; else it passes everything on. What is drawn is known either way.
        """
        with self._unchanged(training), torch.no_grad(), Fixed(masks):
            returned = self.model(*map(to_tensor, inputs))
            return {name: _array(tensor) for name, tensor in by_name(returned).items()}

    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]:
        """What dropout would drop in a mode, in the order of execution: rate, number of draws, of values."""
        with self._unchanged(training), torch.no_grad(), Fixed() as fixed:
            self.model(*map(to_tensor, inputs))
            return list(fixed.dropped)

    def gradients(
        self,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[str, np.ndarray],
        training: bool,
        masks: bool = False,
        uncut: Sequence[int] = (),
    ) -> dict[str, np.ndarray]:
        """The gradient of sum(output * cotangent) by every weight that requires one; draws known, nothing dropped.

        Without the `cuts` of the numbers in `uncut`.
        """
        self.model.zero_grad()
        with self._unchanged(training):
            with Fixed(masks), without(uncut, [], _where) if uncut else nullcontext():
                outputs = by_name(self.model(*map(to_tensor, inputs)))
            total = sum((outputs[name] * torch.from_numpy(array)).sum() for name, array in cotangents.items())
            if torch.is_tensor(total) and total.requires_grad:
                total.backward()
            wanted = {name: tensor for name, tensor in self.state.items() if tensor.requires_grad}
            found = {
                name: _array(torch.zeros_like(tensor) if tensor.grad is None else tensor.grad)
                for name, tensor in wanted.items()
            }
        self.model.zero_grad()
        return found

    def cuts(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> list[Cut]:
        """What stops a gradient in a pass, or computes one by hand, in the order of execution."""
        met: list[Cut] = []
        with self._unchanged(training), Fixed(masks), without((), met, _where):
            self.model(*map(to_tensor, inputs))
        return met

    def statistics(
        self,
        inputs: Sequence[np.ndarray],
        masks: bool = False,
        training: bool = True,
        momenta: Mapping[str, float] | None = None,
    ) -> dict[str, np.ndarray]:
        """What is not trained after one pass, such as running statistics; it is put back afterwards.

        Args:
            inputs: in PyTorch's layout.
            masks: let dropout drop; else it passes everything on.
            training: the mode.
            momenta: of some norms, by path, in place of their own.
        """
        changed: dict[str, Any] = {path: self.modules[path] for path in momenta or {}}
        own = {path: module.momentum for path, module in changed.items()}
        try:
            for path, module in changed.items():
                module.momentum = (momenta or {})[path]
            with self._unchanged(training):
                with torch.no_grad(), Fixed(masks):
                    self.model(*map(to_tensor, inputs))
                now = dict(self.model.named_buffers(remove_duplicate=False))  # a pass may put others in their place
                fixed = {name: tensor for name, tensor in self.state.items() if not tensor.requires_grad}
                return {name: _array(now.get(name, tensor)) for name, tensor in fixed.items()}
        finally:
            for path, module in changed.items():
                module.momentum = own[path]

    @contextmanager
    def _unchanged(self, training: bool) -> Iterator[None]:
        """Change to that mode for a while; put the mode and the running statistics back, and every other buffer."""
        held = [
            (module._buffers, name, buffer, None if buffer is None else buffer.clone())
            for module in self.modules.values()
            for name, buffer in module._buffers.items()
        ]
        before = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        mode = self.model.training
        self.model.train(training)
        try:
            yield
        finally:
            with torch.no_grad():
                for place, name, buffer, value in held:
                    place[name] = buffer  # itself: a pass may put another in its place
                    if buffer is not None and value is not None:
                        buffer.copy_(value)
            self.model.load_state_dict(before)
            self.model.train(mode)


class _Recorder(TorchFunctionMode):
    """Writes down each function call, and carries out the edited ones differently."""

    def __init__(self, subject, tensors, edits, arrays, keep):
        super().__init__()
        self.subject, self.arrays = subject, arrays
        self.keep = None if keep is None else set(keep)
        self.edits: dict[int, list[Edit]] = {}
        for edit in edits:
            self.edits.setdefault(edit["event"], []).append(edit)
        self.events: list[Event] = []
        self.values: dict[int, np.ndarray] = {}
        self.computed: dict[int, np.ndarray] = {}
        self.constants: dict[int, np.ndarray] = {}
        self.numbers: dict[int, int] = {}
        self.tensors: dict[int, torch.Tensor] = {}  # by number; a freed tensor's id would be given to another
        self.alive: list[torch.Tensor] = []  # so would that of one that takes a value's place
        self.count = 0
        self.written: dict[str, str] = {}  # arrays that the pass changes in place, and where
        self.names = {id(tensor): name for name, tensor in subject.state.items()}
        self.stack: list[str] = []
        for tensor in tensors:
            self._new(tensor)

    def enter(self, module: nn.Module, inputs: Any) -> None:
        self.stack.append(self.subject.paths.get(id(module), ""))

    def leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        self.stack.pop()

    def number(self, tensor: torch.Tensor) -> int:
        """A tensor's number; one that no recorded call made is a value of its own."""
        return self.numbers[id(tensor)] if id(tensor) in self.numbers else self._new(tensor)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = (resolve_name(function) or getattr(function, "__name__", "")).removesuffix(".__get__")
        short = name.rsplit(".", 1)[-1]
        given = [value for value in _flat((args, kwargs)) if torch.is_tensor(value)]
        owned = [self.subject.owners[id(value)] for value in given if id(value) in self.subject.owners]
        flowing = [value for value in given if id(value) in self.numbers]
        if short in QUESTIONS or not (flowing or owned):
            return function(*args, **kwargs)
        if given and id(given[0]) in self.names and re.fullmatch(IN_PLACE, short):
            self.written.setdefault(self.names[id(given[0])], _where())
        index = len(self.events)
        edits = self.edits.get(index, ())
        loose = [
            value for value in given
            if id(value) not in self.numbers and not (id(value) in self.subject.owners and value.requires_grad)
        ]  # fmt: skip
        constants = self._constants(loose) if self.keep is None else ()
        path = self.stack[-1] if self.stack else ""
        module = self.subject.modules.get(path)
        others = self._other_constants(index, loose)
        wired = {
            id(flowing[edit["slot"]]): self.tensors[edit["from"]] for edit in edits
            if edit["do"] == "wire" and edit["slot"] < len(flowing) and edit["from"] in self.tensors
        }  # fmt: skip
        flowing = [wired.get(id(each), each) for each in flowing]
        if others or wired:
            args, kwargs = _swap((args, kwargs), {**others, **wired})
        if short == "__setitem__":
            out = _written_into(function, short, args, kwargs, edits, self.arrays, index, flowing, module)
        else:
            out = _carry_out(function, short, args, kwargs, edits, self.arrays, index, flowing, module)
        results = [value for value in _flat(out) if torch.is_tensor(value)]
        if not results or not any(value.is_floating_point() or value.ndim for value in results):
            return out
        inputs = tuple(self.numbers[id(value)] for value in flowing)
        family, settings, text = describe(short, args, kwargs)
        if path in self.subject.own and family not in ("op", "shape") and type(module).__module__.startswith("torch."):
            text = written(module)
        place = tuple(self._new(value) for value in results)
        self.events.append(
            Event(
                index,
                family,
                settings,
                name,
                path,
                _where(),
                owned[0] if owned else "",
                inputs,
                place,
                text,
                path in self.subject.own,
                constants,
            )
        )
        for slot, value in enumerate(results):
            if f"{index}/output/{slot}" in self.arrays and any(edit["do"] == "output" for edit in edits):
                out = self._force(out, value, place[slot], self.arrays[f"{index}/output/{slot}"])
        return out

    def _constants(self, tensors: Sequence[torch.Tensor]) -> tuple[int, ...]:
        """Numbers of a call's arrays that are neither weights nor made of the model's inputs."""
        found = []
        for tensor in tensors:
            if _is_kept(tensor):
                self.constants[len(self.constants)] = _array(tensor)
                found.append(len(self.constants) - 1)
        return tuple(found)

    def _other_constants(self, index: int, tensors: Sequence[torch.Tensor]) -> dict[int, torch.Tensor]:
        """What takes the place of a call's constants; places count those that are kept."""
        kept = list(filter(_is_kept, tensors))
        return {
            id(tensor): torch.from_numpy(np.ascontiguousarray(self.arrays[key])).to(tensor.dtype)
            for place, tensor in enumerate(kept)
            if (key := f"{index}/constant/{place}") in self.arrays
        }

    def _force(self, out: Any, value: torch.Tensor, number: int, array: np.ndarray) -> Any:
        """Let another value flow on; what was computed is kept beside it."""
        wanted = torch.from_numpy(np.ascontiguousarray(array)).to(value.dtype)
        if number in self.values:
            self.computed[number], self.values[number] = self.values[number], _array(wanted)
        if wanted.shape == value.shape:
            value.copy_(wanted)
            return out
        self.numbers[id(wanted)] = number
        self.alive.append(wanted)
        return wanted if out is value else out

    def _new(self, tensor: torch.Tensor) -> int:
        number, self.count = self.count, self.count + 1
        self.numbers[id(tensor)] = number
        self.tensors[number] = tensor
        if self.keep is None or number in self.keep:
            self.values[number] = _array(tensor)
        return number


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A copy of the values; those that NumPy has no type for, such as bfloat16, as float32."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4 and tensor.dtype is not torch.float16:
        tensor = tensor.float()
    return tensor.numpy().copy()


def _is_kept(tensor: torch.Tensor) -> bool:
    """Whether a constant is written down: NumPy has arrays of its kind, and it is not too large."""
    usual = tensor.layout == torch.strided and not tensor.is_complex()
    return bool(usual and tensor.ndim and tensor.numel() <= LARGEST_CONSTANT)


def _carry_out(function, short, args, kwargs, edits, arrays, index, flowing, module):
    """The call with its edits."""
    after: list[Callable[[Any], Any]] = []
    for edit in edits:
        do = edit["do"]
        if do == "skip":
            function, args, kwargs = torch.clone, flowing[:1], {}
        elif do == "function":
            function = getattr(F, edit["name"], None) or getattr(torch, edit["name"])
            args, kwargs = flowing[:1], edit.get("arguments", {})
        elif do == "arguments":
            bound = bind(short, function, args, kwargs)
            given = edit.get("arguments", {})
            changed = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
            scope = {"torch": torch, **bound}
            changed |= {name: eval(code, {}, scope) for name, code in edit.get("expressions", {}).items()}
            bound |= changed
            if edit.get("after"):
                after.append(partial(_evaluated, edit["after"], scope))
            function = getattr(torch, edit["function"]) if "function" in edit else function
            args = (bound.pop(next(iter(bound))),) if isinstance(function, METHOD) else ()
            kwargs = bound
        elif do == "pad":
            mode = edit.get("mode", "constant")
            filled = {"value": edit.get("value", 0.0)} if mode == "constant" else {}
            padded = F.pad(flowing[0], edit["pad"], mode=mode, **filled)
            args, kwargs = _swap((args, kwargs), {id(flowing[0]): padded})
        elif do == "input":
            forced = {
                id(tensor): torch.from_numpy(np.ascontiguousarray(arrays[key])).to(tensor.dtype)
                for place, tensor in enumerate(flowing)
                if (key := f"{index}/input/{place}") in arrays
            }
            args, kwargs = _swap((args, kwargs), forced)
            flowing = [forced.get(id(tensor), tensor) for tensor in flowing]
        elif do == "batch_second":
            turned = {id(each): each.transpose(0, 1) for each in flowing if each.ndim == 3}
            args, kwargs = _swap((args, kwargs), turned)
            after.append(_batch_first)
        elif do == "exchange":
            after.append(partial(_exchanged, places=edit["places"]))
        elif do == "scale":
            after.append(partial(torch.mul, other=edit["by"]))
        elif do == "crop":
            after.append(partial(_crop, crop=edit["crop"]))
        elif do == "state":
            keys = sorted(key for key in arrays if key.startswith(f"{index}/state/"))
            given = [torch.from_numpy(np.ascontiguousarray(arrays[key])) for key in keys]
            args = (args[0], tuple(given) if len(given) > 1 else given[0], *args[2:])
        elif do == "code" and edit.get("after"):
            after.append(partial(_run_code, edit["code"], None))
        elif do == "code":
            function, args, kwargs = partial(_run_code, edit["code"], module), flowing, {}
        elif do == "reverse":
            args, kwargs = _swap((args, kwargs), {id(flowing[0]): flowing[0].flip(edit["axis"])})
    if short in RECURRENT_CALLS and not isinstance(function, partial):
        _fits_state(bind(short, function, args, kwargs))
    out = function(*args, **kwargs)
    for change in after:
        out = change(out)
    return out


def _fits_state(given: Mapping[str, Any]) -> None:
    """Refuse a recurrent call whose states have another batch, or other layers: it would read beyond their end."""
    values, states = given.get("input"), given.get("hx")
    states = states if isinstance(states, (list, tuple)) else [states]
    if not torch.is_tensor(values) or values.ndim != 3 or not all(map(torch.is_tensor, states)):
        return
    batch = values.shape[0 if given.get("batch_first") else 1]
    wanted = int(given.get("num_layers", 1)) * (2 if given.get("bidirectional") else 1), batch
    for state in states:
        if tuple(state.shape[:2]) != wanted:
            raise ValueError(f"states {tuple(state.shape[:2])}, where the call has {wanted} of layers and rows")


def _written_into(function, short, args, kwargs, edits, arrays, index, flowing, module):
    """A value written into a part of another, `x[:, :n] = y`: what `x` is from then on, which its name goes on with."""
    target = args[0]

    def write(into: torch.Tensor, *rest: Any) -> torch.Tensor:
        function(into, *rest)
        return into

    out = _carry_out(write, short, args, kwargs, edits, arrays, index, flowing, module)
    return out if out is target else target.copy_(out)


def _batch_first(out: Any) -> Any:
    """An attention's output with its first two axes exchanged; its weights stay."""
    return (out[0].transpose(0, 1), *out[1:]) if isinstance(out, tuple) else out.transpose(0, 1)


def _run_code(lines: Sequence[str], module: nn.Module | None, *given: torch.Tensor) -> Any:
    """What lines of code make of tensors, called x, y and z; a module takes over the arrays of another."""
    values: tuple[Any, ...] = given
    for line in lines:
        found = eval(line, {"torch": torch}, dict(zip("xyz", values, strict=False)))
        if isinstance(found, nn.Module):
            if module is not None and any(True for _ in found.state_dict()):
                found.load_state_dict(module.state_dict())
            found.train(module.training if module is not None else False)
            state = values[1:] if len(values) != 3 else (values[1:],)
            found = found(values[0], *state)
            found = tuple(_flat(found)) if isinstance(found, tuple) else found
        values = (found, *values[1:])
    return values[0]


def _evaluated(code: str, scope: Mapping[str, Any], out: Any) -> Any:
    """Code of a call's result `x` and of its arguments."""
    return eval(code, {}, {**scope, "x": out})


def _exchanged(out: Any, places: Sequence[int]) -> Any:
    """Several results of a call, two of them exchanged; places count the tensors."""
    tensors = [value for value in _flat(out) if torch.is_tensor(value)]
    one, other = (tensors[place] for place in places)
    if one.shape != other.shape:  # oneDNN's recurrent layers would read beyond the end of the smaller one
        raise ValueError(f"shapes {tuple(one.shape)} and {tuple(other.shape)}")
    return _swap(out, {id(one): other, id(other): one})


def _crop(out: torch.Tensor, crop: Sequence[Sequence[int]]) -> torch.Tensor:
    """Cut so much off the spatial axes; a negative number adds zeros."""
    return F.pad(out, [-side for axis in reversed(crop) for side in axis])


def bind(short: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments by name."""
    if short in SEVERAL:
        rest = args[1] if len(args) == 2 and isinstance(args[1], tuple | list) else args[1:]
        return {"input": args[0], **({SEVERAL[short]: tuple(rest)} if rest else {}), **kwargs}
    if short not in ARGUMENTS:
        try:
            return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            return dict(kwargs)
    return dict(zip(ARGUMENTS[short], args, strict=False)) | dict(kwargs)


def describe(short: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    """A call's family, its settings in the words of twin.trace, and the call as one would write it."""
    name = short.rstrip("_") if not short.startswith("__") else short
    function = getattr(F, name, None) or getattr(torch, name, None)
    bound = bind(name, function, args, kwargs)
    shown = {n: v for n, v in bound.items() if not any(map(torch.is_tensor, _flat(v))) and v is not None}
    text = f"{name}({', '.join(f'{n}={v!r}' for n, v in shown.items())})"
    x = next((value for value in args if torch.is_tensor(value)), None)
    dims = max(x.ndim - 2, 0) if x is not None else 0
    if name.startswith("conv_transpose"):
        pads, extra = _each(bound.get("padding", 0), dims), _each(bound.get("output_padding", 0), dims)
        crop = [[p, p - e] for p, e in zip(pads, extra, strict=True)]
        return "conv_transpose", _spatial(bound, dims) | {"crop": crop}, text
    if name.startswith("conv") and name[4:5].isdigit():
        return "conv", _spatial(bound, dims) | {"pads": _pads(bound, x, dims)}, text
    if name in ("linear", "addmm"):
        return "dense", {}, text
    if name == "batch_norm":
        settings = {"epsilon": bound.get("eps", 1e-5), "keep": 1 - bound.get("momentum", 0.1)}
        return "batch_norm", settings | {"training": bool(bound.get("training", False))}, text
    if name in ("layer_norm", "group_norm", "rms_norm"):
        groups = {"groups": bound["num_groups"]} if name == "group_norm" else {}
        return name, {"epsilon": bound.get("eps") or 1e-5, **groups}, text
    if name == "embedding":
        return "embedding", {}, text
    if name in RECURRENT_CALLS:
        packed = isinstance(args[3] if len(args) > 3 else None, list)
        if packed:  # the sizes of the batches come second, and there is no batch_first
            bound = dict(zip(("input", "batch_sizes", *RECURRENT[1:8]), args, strict=False))
        settings = {"reverse": False, "bidirectional": bool(bound["bidirectional"]), "packed": packed}
        settings["batch_first"] = packed or bool(bound["batch_first"])
        settings["layers"] = int(bound["num_layers"])
        if name.startswith("rnn"):
            settings["activation"] = name[4:]
        return name.split("_")[0], settings, text
    if name in ("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"):
        window = _each(bound["kernel_size"], dims)
        both = [[p, p] for p in _each(bound.get("padding", 0), dims)]
        settings = {"kind": "max" if name.startswith("max") else "mean", "window": window, "pads": both}
        settings |= {"strides": _each(bound.get("stride") or window, dims), "ceil": bool(bound.get("ceil_mode", False))}
        if settings["kind"] == "mean":
            settings["counts_pads"] = bool(bound.get("count_include_pad", True))
        return "pool", settings, text
    if name in ACTIVATIONS:
        return "activation", {"name": name, **_options(name, bound)}, text
    if "dropout" in name:
        settings = {"rate": bound.get("p", 0.5), "active": bool(bound.get("training", bound.get("train", True)))}
        return "dropout", settings, text
    if name == "interpolate":
        return "resize", {"mode": bound.get("mode", "nearest"), "align_corners": bool(bound.get("align_corners"))}, text
    if name in ("multi_head_attention_forward", "scaled_dot_product_attention"):
        heads = {"heads": bound["num_heads"]} if "num_heads" in bound else {}
        return "attention", heads, text
    if name in SHAPES:
        return "shape", {"name": name}, text
    return "op", {"name": OPS.get(short, OPS.get(name, name))}, text


def written(module: nn.Module | None) -> str:
    """One of PyTorch's own modules as one writes it: what its `repr` has, without what is the default."""
    text = repr(module)
    try:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        usual = {name: each.default for name, each in inspect.signature(type(module)).parameters.items()}
        call.keywords = [
            word for word in call.keywords
            if word.arg not in usual or ast.literal_eval(word.value) != usual[word.arg]
        ]  # fmt: skip
        return ast.unparse(call)
    except (AssertionError, SyntaxError, ValueError):  # a `repr` that is not code
        return text.splitlines()[0]


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """An input as PyTorch takes it: whole numbers as int64."""
    tensor = torch.from_numpy(np.array(array))
    return tensor.long() if array.dtype.kind in "iu" else tensor


def by_name(returned: Any) -> dict[str, torch.Tensor]:
    """A model's outputs by name."""
    return outputs_by_name(returned, torch.is_tensor)


def _spatial(bound: Mapping[str, Any], dims: int) -> dict[str, Any]:
    settings = {"strides": _each(bound.get("stride", 1), dims), "dilation": _each(bound.get("dilation", 1), dims)}
    return settings | {"groups": bound.get("groups", 1)}


def _pads(bound: Mapping[str, Any], x: torch.Tensor | None, dims: int) -> list[list[int]]:
    padding = bound.get("padding", 0)
    if padding == "valid":
        return [[0, 0]] * dims
    if padding == "same":  # only with stride 1; an even kernel's odd pixel goes to the end
        reach = [
            d * (k - 1) for d, k in zip(_each(bound.get("dilation", 1), dims), bound["weight"].shape[2:], strict=True)
        ]
        return [[r // 2, r - r // 2] for r in reach]
    return [[p, p] for p in _each(padding, dims)]


def _options(name: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    if name == "gelu":
        return {"approximate": bound.get("approximate", "none") == "tanh"}
    if name == "leaky_relu":
        return {"slope": bound.get("negative_slope", 0.01)}
    if name in ("elu", "celu"):
        return {"alpha": bound.get("alpha", 1.0)}
    if name in ("softmax", "log_softmax"):
        return {"axis": bound.get("dim", -1)}
    return {}


def _each(value: Any, dims: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return [int(v) for v in (values if len(values) == dims else values[:1] * dims)]


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list | tuple):
        return [leaf for value in values for leaf in _flat(value)]
    if isinstance(values, Mapping):
        return [leaf for value in values.values() for leaf in _flat(value)]
    return [values]


def _swap(values: Any, new: Mapping[int, torch.Tensor]) -> Any:
    """The same arguments with some tensors replaced."""
    if torch.is_tensor(values):
        return new.get(id(values), values)
    if isinstance(values, tuple):
        return tuple(_swap(value, new) for value in values)
    if isinstance(values, list):
        return [_swap(value, new) for value in values]
    return {k: _swap(v, new) for k, v in values.items()} if isinstance(values, dict) else values


def _where() -> str:
    """File and line of the user's code that made the call."""
    frame: FrameType | None = sys._getframe(2)
    here, library = Path(__file__), str(Path(torch.__file__).parent)
    own = str(here), str(here.with_name("criteria.py")), str(here.with_name("cuts.py"))
    while frame and (frame.f_code.co_filename in own or frame.f_code.co_filename.startswith(library)):
        if frame.f_code.co_filename == own[0] and frame.f_code.co_name in ("trace", "cuts"):
            return ""
        frame = frame.f_back
    return in_words(frame) if frame else ""
