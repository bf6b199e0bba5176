"""A worker that is no more than a shell: it answers each request with the next of the lines that it is told."""

from dataclasses import dataclass, replace
from pathlib import Path

from compare.engines.engine import ENGINES, Engine


@dataclass(frozen=True)
class Told(Engine):
    """An engine whose worker runs a line of shell."""

    script: str = ""

    def command(self) -> list[str]:
        return ["sh", "-c", self.script]


def told(script: str) -> Told:
    """An engine in native PyTorch's place whose worker is that script."""
    return Told(**vars(replace(ENGINES["torch"], module="tests.helpers.told_worker")), script=script)


def answering(folder: Path, *answers: bytes) -> Told:
    """An engine whose worker reads a request for each of the answers, writes it, and then waits to be killed."""
    parts = []
    for number, answer in enumerate(answers):
        file = folder / f"answer-{number}"
        file.write_bytes(answer)
        parts.append(f"read -r request; cat '{file}'")
    return told("; ".join([*parts, "sleep 600"]))
