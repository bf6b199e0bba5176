"""What the names of layers say: the words and numbers of a path."""

import re
from collections.abc import Sequence

SAME_WORD = {
    "weight": "kernel", "weights": "kernel", "w": "kernel", "gamma": "scale", "beta": "shift", "b": "bias",
    "var": "variance", "ih": "kernel", "hh": "recurrent", "h2h": "recurrent", "x2h": "kernel", "q": "query", "k": "key",
    "v": "value", "o": "output", "out": "output", "proj": "output", "emb": "embedding", "embed": "embedding",
    "embeddings": "embedding", "fc": "dense", "linear": "dense", "lin": "dense", "bn": "norm", "ln": "norm",
    "batchnorm": "norm", "layernorm": "norm", "pos": "position", "positions": "position", "tok": "token",
    "cls": "class", "attn": "attention", "enc": "encoder", "dec": "decoder", "normalization": "norm", "std": "variance",
    "re": "real", "im": "imag", "imaginary": "imag",
}  # fmt: skip


EMPTY_WORDS = {"layer", "layers", "model", "net", "module", "module_list", "self", "running", "moving", "array"}

# What weight normalization calls a gain and a direction in PyTorch: its newer form, and the one before.
PARAMETRIZED = (
    (r"\bparametrizations\.weight\.original0\b|\bweight_g\b", "g"),
    (r"\bparametrizations\.weight\.original1\b|\bweight_v\b", "v"),
)
ADDED, MULTIPLIED = {"bias", "shift"}, {"g", "gain", "scale"}  # by what the name says

KINDS = {"proj", "projection", "dense", "linear", "fc"}  # behind another word, as in `value_proj`, it says nothing


def alike(one: tuple[str, str], other: tuple[str, str]) -> float:
    """How much two layers' names say the same, between 0 and 2; each is a path and a kind."""
    mine, theirs = words(*one), words(*other)
    if mine and _plain(one[0]) == _plain(other[0]):
        return 2.0
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


def told(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> bool:
    """Whether names say by themselves who the partner of each of two layers is, as `gate` and `filter` do.

    Args:
        one, other: Keras's layer and PyTorch's, each a path and a kind.
    """
    found = [
        [{word for word in words(*each) if word.isalpha() and len(word) > 1} for each in pair] for pair in (one, other)
    ]
    own = [pair[0] & pair[1] for pair in found]
    return bool(own[0] - found[1][0] - found[1][1] and own[1] - found[0][0] - found[0][1])


def words(path: str, kind: str) -> set[str]:
    """The words and numbers of a path; a name that Keras made up (`dense_3`) says nothing."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    found: set[str] = set()
    for piece in _said(path).split("."):
        if re.fullmatch(
            rf"({snake}|conv\dd|dense|batch_normalization|layer_normalization|embedding|lstm|gru)_\d+", piece
        ):
            continue
        said = re.findall(r"[A-Za-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", piece))
        if len(said) > 1 and said[-1].lower() in KINDS:
            said.pop()
        for word in said:
            word = re.sub(r"(?<=[a-z]{2}[^aisu])s$", "", word.lower())  # stages are a stage's
            word = SAME_WORD.get(word, word)
            if word not in EMPTY_WORDS:
                found.add(word)
    return found


def role_of(path: str, role: str) -> str:
    """An array's role; of an array by itself what its last name says: that of a `weight` is the kernel's."""
    last = _said(path).rpartition(".")[2].lower()
    return role if role != "array" else SAME_WORD.get(last, last)


def opposed(one: str, other: str) -> bool:
    """Whether one role is that of an array which is added, and the other that of a factor."""
    return {one, other} & ADDED != set() and {one, other} & MULTIPLIED != set()


def _said(path: str) -> str:
    for written, meant in PARAMETRIZED:
        path = re.sub(written, meant, path)
    return path


def _plain(path: str) -> str:
    return path.lower().replace("_", "").removeprefix("module.")
