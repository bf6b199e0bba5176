"""A sum, a mean or another reduction that PyTorch leaves out: what it goes on with is broadcast, and nothing stops."""

from collections import Counter
from collections.abc import Iterator

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place, written

KINDS = ("sum", "mean", "max", "min", "prod", "logsumexp")
IN_TORCH = {"max": "amax", "min": "amin"}
CALLS = 24  # of PyTorch's, behind each of which a reduction is tried
TRIED = 60


def of_missing_reductions(at: Situation) -> Iterator[Candidate]:
    """A reduction of which Keras makes more than PyTorch, behind each of PyTorch's calls."""
    counts = [Counter(event.name for event in events) for events in at.unlike]
    lacking = [kind for kind in KINDS if counts[0][kind] > counts[1][kind]]
    tried = 0
    for event in at.unlike[1][:CALLS] if lacking else ():
        value = at.values[1].get(event.outputs[0]) if event.outputs else None
        if value is None or value.dtype.kind != "f" or value.ndim < 2 or event.family == "shape":
            continue
        for kind in lacking:
            mine = next(each for each in at.unlike[0] if each.name == kind)
            for axis in range(value.ndim - 1, 0, -1):
                for kept in (True, False):
                    tried += 1
                    if value.shape[axis] < 2 or tried > TRIED:
                        continue
                    line = f"torch.{IN_TORCH.get(kind, kind)}(x, dim={axis}, keepdim={kept})"
                    fix = InTorch.of([line], event, behind=True)
                    says = f"Keras computes {written(mine)}{place(mine)}, and PyTorch no such {kind} of what "
                    says += f"{written(event)}{place(event)} gives"
                    yield Candidate(f"missing_{kind}", says, fix.edits, torch=fix)
