"""Damaged files: seeded mutations of a JSON value and of bytes."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

# What is put in the place of a value.
STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -0.0, 0.5, 1e308, -1e308, 1e-320, float("inf"), float("nan"),
    "", "ok", "failed", "check", "torch", "x" * 5000, "\x1b]0;x\x07", "=1+1", "<script>x</script>", "\u202e", "\ud800",
    "a\nb|c", [], [[]], {}, {"": None}, [None], ["x"], {"step": []}, {"step": {}},
]  # fmt: skip


def of_json(value: Any, seed: int) -> Any:
    """The value with one to three places changed: another value, a missing one, a further one, or one from elsewhere.

    Half of the seeds put only values of the same type in, which a schema alone does not refuse.
    """
    rng, out = random.Random(seed), copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(out))
        if not places:
            break
        inside, key = rng.choice(places)
        what = rng.randrange(5)
        if seed % 2:
            inside[key] = _alike(inside[key], rng)
        elif what == 0:
            del inside[key]
        elif what == 1:
            other, at = rng.choice(places)
            inside[key] = copy.deepcopy(other[at]) if at in other or isinstance(other, list) else None
        elif what == 2 and isinstance(inside, list):
            inside.insert(key, copy.deepcopy(inside[key]))
        else:
            inside[key] = copy.deepcopy(rng.choice(STRANGE))
    return out


def of_bytes(content: bytes, seed: int) -> bytes:
    """The bytes with a few flipped, a part cut out or repeated, or the end cut off."""
    rng, out = random.Random(seed), bytearray(content)
    at = rng.randrange(len(out))
    length = rng.randint(1, max(1, len(out) // 10))
    match rng.randrange(4):
        case 0:
            for _ in range(rng.randint(1, 8)):
                out[rng.randrange(len(out))] = rng.randrange(256)
        case 1:
            del out[at : at + length]
        case 2:
            out[at:at] = out[at : at + length]
        case 3:
            del out[at:]
    return bytes(out)


def text_of(value: Any) -> str:
    """JSON with what Python's reader takes and the standard does not: Infinity, lone surrogates, long numbers."""
    return json.dumps(value)


def _alike(value: Any, rng: random.Random) -> Any:
    if isinstance(value, list | dict):
        kept = [each for each in value if rng.random() < 0.5]
        return kept if isinstance(value, list) else {name: value[name] for name in kept}
    kinds = (int, float) if isinstance(value, float) else type(value)
    return copy.deepcopy(rng.choice([value, *(each for each in STRANGE if isinstance(each, kinds))]))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within with every key of it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in list(items):
        yield value, key
        yield from _places(each)
