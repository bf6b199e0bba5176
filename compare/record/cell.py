"""A cell: one measurement, and what became of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from twin.errors import AGREE, DIFFER, INCOMPLETE

Status = Literal[
    "not_run", "ok", "failed", "skipped", "unsupported", "timeout", "crashed", "oom_host", "oom_device", "unstable"
]


@dataclass
class Cell:
    """One measurement: what identifies it, and its result.

    Args:
        measure: 'check', 'bench' or 'train'.
        twin, engine, device, dtype, seed, size: what was measured.
        status: 'not_run' until it was.
        reason: one line, when the status is not 'ok'.
        result: what the measure found.
    """

    measure: str
    twin: str
    engine: str
    device: str
    dtype: str
    seed: int
    size: str
    status: Status = "not_run"
    reason: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the cell in a record."""
        return (self.measure, self.twin, self.engine, self.device, self.dtype, str(self.seed), self.size)

    def to_json(self) -> dict[str, Any]:
        """The cell with its result's fields beside its own."""
        fields = asdict(self)
        return {**{n: v for n, v in fields.items() if n != "result"}, **fields["result"]}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Cell":
        own = {n: fields[n] for n in Cell.__dataclass_fields__ if n != "result"}
        return Cell(**own, result={n: v for n, v in fields.items() if n not in own})


def exit_code(cells: Iterable[Cell]) -> int:
    """The command line's answer to these cells."""
    statuses = {cell.status for cell in cells}
    if "failed" in statuses:
        return DIFFER
    return AGREE if "ok" in statuses and statuses <= {"ok", "skipped"} else INCOMPLETE
