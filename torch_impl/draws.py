"""Random numbers of a PyTorch model under control: dropout lets everything pass, and draws are known beforehand.

keras_impl/draws.py does the same for Keras, with the same numbers.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from twin.draws import Draws

LIKE = {"randn_like": "normal", "rand_like": "uniform"}
SHAPED = {"randn": "normal", "rand": "uniform"}
DROPOUTS = ("dropout", "alpha_dropout", "feature_alpha_dropout")
FEATURES = ("dropout1d", "dropout2d", "dropout3d", "feature_dropout")


class Fixed(TorchFunctionMode):
    """Within it every draw gives the numbers of twin.draws; `dropped` has what dropout would drop, in order.

    Args:
        masks: let dropout drop what those numbers say; else it drops nothing.
    """

    def __init__(self, masks: bool = False) -> None:
        super().__init__()
        self.masks = masks
        self.draws = Draws(channels_second=True)
        self.dropped: list[dict[str, Any]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "").rstrip("_")
        if name in (*DROPOUTS, *FEATURES):
            return self._dropout(name, args, kwargs)
        if name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and len(args) >= 9:
            return function(*self._recurrent(args), **kwargs)
        if name == "multi_head_attention_forward":
            return function(*args, **{**kwargs, **self._attention(args, kwargs)})
        if name == "scaled_dot_product_attention":
            return self._scaled(function, args, kwargs)
        if name in LIKE:
            return self._give(LIKE[name], args[0].shape, args[0].dtype)
        if name in SHAPED:
            shape = kwargs.get("size", args)
            shape = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
            return self._give(SHAPED[name], shape, kwargs.get("dtype"))
        return self._in_place(function, name, args, kwargs)

    def _in_place(self, function: Any, name: str, args: Any, kwargs: Any) -> Any:
        """`x.normal_()`, `x.uniform_()`, `x.bernoulli_(p)`, `torch.bernoulli(p)`, `torch.normal(mean, std)`."""
        x = args[0] if args else None
        if name == "normal" and torch.is_tensor(x) and function.__name__ == "normal_":
            mean, std = kwargs.get("mean", args[1] if len(args) > 1 else 0), kwargs.get("std", (*args, 1, 1)[2])
            return x.copy_(mean + (std if len(args) > 2 or "std" in kwargs else 1) * self._give("normal", x.shape))
        if name == "normal" and torch.is_tensor(x):
            std = kwargs.get("std", args[1] if len(args) > 1 else 1.0)
            return x + std * self._give("normal", x.shape)
        if name == "uniform" and torch.is_tensor(x):
            low, high = (*args[1:], *(0.0, 1.0)[len(args) - 1 :])[:2]
            return x.copy_(low + (high - low) * self._give("uniform", x.shape))
        if name == "bernoulli" and torch.is_tensor(x):
            return self._bernoulli(function, x, args, kwargs)
        return function(*args, **kwargs)

    def _bernoulli(self, function: Any, x: torch.Tensor, args: Any, kwargs: Any) -> torch.Tensor:
        keep = kwargs.get("p", args[1] if len(args) > 1 else x if function.__name__ == "bernoulli" else 0.5)
        drawn = (self._give("uniform", x.shape) >= 1 - keep).to(x.dtype)
        return x.copy_(drawn) if function.__name__ == "bernoulli_" else drawn

    def _give(self, kind: str, shape: Any, dtype: Any = None) -> torch.Tensor:
        made = torch.from_numpy(self.draws.give(kind, tuple(int(side) for side in shape)))
        return made.to(dtype) if dtype is not None else made

    def _note(self, rate: float, draws: int, of: int) -> None:
        if rate > 0:
            self.dropped.append({"rate": float(rate), "draws": int(draws), "of": int(of)})

    def _dropout(self, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        x: torch.Tensor = args[0] if args else kwargs["input"]
        rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        active = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
        draws = math.prod(x.shape[:2]) if name in FEATURES else x.numel()
        self._note(rate if active else 0.0, draws, x.numel())
        if not self.masks or not active or not rate:
            return x
        shape = (*x.shape[:2], *[1] * (x.ndim - 2)) if name in FEATURES else x.shape
        return x * (self._give("uniform", shape) >= rate).to(x.dtype) / (1 - rate)

    def _recurrent(self, args: Any) -> tuple[Any, ...]:
        """The arguments of torch.lstm and its like without dropout between the layers."""
        packed = isinstance(args[3], list)
        place = 6 if packed else 5
        if args[place] and args[place + 1]:
            width = args[place - 3][1].shape[1] * (2 if args[place + 2] else 1)
            for _ in range(int(args[place - 1]) - 1):
                count = args[0][..., 0].numel() * width
                self._note(args[place], count, count)
        return (*args[:place], 0.0, *args[place + 1 :])

    def _attention(self, args: Any, kwargs: Any) -> dict[str, Any]:
        """The arguments of multi_head_attention_forward without dropout; they are positional up to `training`."""
        names = (
            "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k",
            "bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training",
        )  # fmt: skip
        given = dict(zip(names, args, strict=False)) | kwargs
        query, key = given["query"], given["key"]
        rows = query.shape[1] if query.ndim == 3 else 1
        count = rows * given["num_heads"] * query.shape[0] * key.shape[0]
        self._note(given["dropout_p"] if given.get("training", True) else 0.0, count, count)
        return {"training": False}

    def _scaled(self, function: Any, args: Any, kwargs: Any) -> torch.Tensor:
        given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p"), args, strict=False)) | kwargs
        query, key, rate = given["query"], given["key"], given.get("dropout_p", 0.0)
        kwargs = {name: value for name, value in kwargs.items() if name != "dropout_p"}
        count = math.prod(query.shape[:-1]) * key.shape[-2]
        self._note(rate, count, count)
        args = (*args[:4], 0.0, *args[5:]) if len(args) > 4 else args
        return function(*args, **kwargs)
