"""What `twin port` and `twin path` print."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.engines.engine import FRAMEWORKS
from compare.port.check import Verdict
from compare.port.folder import default_folder, has_bodies, other, read_progress
from compare.port.hints import LEVELS
from twin.catalogue import CHAPTERS
from twin.errors import TwinError
from twin.spec import Twin
from twin.table import filled, fitted, table

WORDS = {
    "right": "right",
    "differs": "differs",
    "no answer": "no answer",
    "empty": "to write",
    "not run": "not checked",
}
STOPPED = re.compile(r"^(line \d+: )?(in [\w.]+: )?\w*(Error|Exception): ")


@dataclass(frozen=True)
class Step:
    """How far a twin of the course is ported.

    Args:
        chapter: its number.
        title: of the chapter.
        twin: its name; `about` its title.
        torch, keras: 'done', 'RIGHT of ALL' methods, or '' where it is not begun; by the framework it is written in.
    """

    chapter: int
    title: str
    twin: str
    about: str
    torch: str
    keras: str


def checked(twin: Twin, side: str, path: Path, verdicts: list[Verdict]) -> str:
    """The methods with their states, and the first thing that is not right."""
    rows = [(each.unit, WORDS[each.state]) for each in verdicts if each.unit]
    parts = [
        filled(f"{twin.name} in {FRAMEWORKS[side]}: {path}"),
        table(rows, ("method", "state")),
    ]
    wrong = next((each for each in verdicts if each.state in ("differs", "no answer")), None)
    empty = [each for each in verdicts if each.state == "empty"]
    if wrong:
        parts += _complaint(wrong, path, FRAMEWORKS[side])
    parts += [filled(f"{each.unit}: {note}") for each in verdicts if each.state == "right" for note in each.notes]
    unseen = [each.unit for each in verdicts if each.state == "not run"]
    if unseen:
        parts.append(filled(f"Nothing that the check does calls {', '.join(unseen)}: compare with --solution."))
    right = sum(each.state == "right" for each in verdicts)
    if wrong:
        return "\n\n".join(parts)
    if empty:
        parts.append(filled(f"{empty[0].message}; {right} of {len(rows)} are right, and none is wrong."))
    else:
        parts.append(filled(f"All is right: {twin.name} in {FRAMEWORKS[side]} agrees with {FRAMEWORKS[other(side)]}."))
    return "\n\n".join(parts)


def _complaint(wrong: Verdict, path: Path, framework: str) -> list[str]:
    """What differs, or what most likely stopped the code before what the framework said of it."""
    unit = wrong.unit or path.name
    if wrong.notes and STOPPED.search(wrong.message):
        first, *more = wrong.notes
        return [filled(f"{unit}: {first}"), *map(filled, more), filled(f"{framework} says: {wrong.message}")]
    return [filled(f"{unit}: {wrong.message}"), *map(filled, wrong.notes)]


def following(twin: Twin) -> Twin | None:
    """The twin that comes next in the course, and has something to write."""
    course = [each for twins in CHAPTERS.values() for each in twins if has_bodies(each)]
    after = course[course.index(twin) + 1 :] if twin in course else course
    return after[0] if after else None


def to_json(twin: Twin, side: str, path: Path, verdicts: list[Verdict]) -> dict[str, Any]:
    """The same for a program."""
    return {"twin": twin.name, "to": side, "file": str(path), "methods": [vars(each) for each in verdicts]}


def hinted(unit: str, level: int, lines: list[str]) -> str:
    """One hint."""
    parts = [f"{unit}, hint {level} of {LEVELS}", *(filled(line, "  ") for line in lines)]
    if level == LEVELS:
        parts.append(filled("There are no more hints; --solution shows the twin's own lines."))
    return "\n".join(parts)


def steps(folder: Path) -> list[Step]:
    """Every twin of the course with something to write, in its order.

    Raises:
        TwinError: when there is something else than a folder.
    """
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise TwinError(f"--in {folder}: this is no folder; give the folder that holds what you ported")
    found = []
    for chapter, twins in CHAPTERS.items():
        for twin in filter(has_bodies, twins):
            states = {side: _state(folder / default_folder(twin, side).name) for side in FRAMEWORKS}
            found.append(Step(chapter.number, chapter.title, twin.name, twin.title, states["torch"], states["keras"]))
    return found


def path(course: list[Step]) -> str:
    """The course as a table, and the next step."""
    rows: list[tuple[str, ...]] = []
    for number, title in dict.fromkeys((step.chapter, step.title) for step in course):
        rows.append((f"{number}", "", title.upper(), "", ""))
        own = [step for step in course if step.chapter == number]
        rows += [("", step.twin, step.about, step.torch or "-", step.keras or "-") for step in own]
    listed = fitted(rows, ("", "twin", "what it is", "to PyTorch", "to Keras"), ("left",) * 5)
    done = sum("done" in (step.torch, step.keras) for step in course)
    step = _next(course)
    if step is None:
        said = "That is the whole course."
    elif step.torch or step.keras:
        said = f"Next, go on with {step.twin}."
    else:
        said = f"Next, read {step.twin} in Keras and write it in PyTorch."
    return "\n".join([listed, "", filled(f"{done} of {len(course)} twins ported. {said}")])


def next_command(course: list[Step], folder: Path) -> tuple[str, ...]:
    """The words of the command that goes on with the course; none at its end."""
    step = _next(course)
    if step is None:
        return ()
    side = "keras" if step.keras and not step.torch else "torch"
    place = str(folder / f"{step.twin}-{side}")
    if step.torch or step.keras:
        return ("port", step.twin, "--check", place)
    return ("port", step.twin, "--to", "torch", *(() if folder == Path("port") else ("--out", place)))


def _next(course: list[Step]) -> Step | None:
    """What was begun comes before what was not; None at the end of the course."""
    left = [step for step in course if "done" not in (step.torch, step.keras)]
    return next((each for each in left if each.torch or each.keras), left[0] if left else None)


def _state(folder: Path) -> str:
    progress = read_progress(folder)
    if progress is None:
        return ""
    return "done" if progress.done else f"{progress.right} of {len(progress.states)}"
