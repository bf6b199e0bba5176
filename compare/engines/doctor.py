"""`twin doctor`: what is installed, and which engines really come up."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from compare.engines.engine import ENGINES, Engine
from compare.engines.process import Worker, WorkerFailed
from compare.engines.session import Session
from compare.record.machine import Machine
from compare.record.schema import to_plain
from twin.table import filled, fitted


def examine(
    pythons: dict[str, str], device: str, timeout: float = 120.0, on_engine: Callable[[str], object] = str
) -> dict[str, Any]:
    """Start every engine, and let it compute something.

    Args:
        pythons: engine name -> interpreter.
        device: 'cpu' or 'cuda'.
        timeout: seconds per engine.
        on_engine: called with what is done next, in words.
    """
    engines = [replace(e, python=pythons.get(e.name, e.python)) for e in ENGINES.values()]
    found = {}
    for number, engine in enumerate(engines, 1):
        on_engine(f"engine {number} of {len(engines)}: starting {engine.name}")
        found[engine.name] = _examine(engine, device, timeout)
    return {"machine": to_plain(Machine.here()), "engines": found}


def _examine(engine: Engine, device: str, timeout: float) -> dict[str, Any]:
    if missing := engine.missing():
        return {
            "works": False,
            "reason": f"{' and '.join(missing)} not installed; try: pip install 'twin-suite[{engine.name}]'",
        }
    start = time.monotonic()
    try:
        session = Session(Worker(engine, device), timeout)
        try:
            session.greet(device)
        finally:
            session.close()
    except WorkerFailed as failure:
        return {"works": False, "reason": failure.reason}
    seconds = round(time.monotonic() - start, 1)
    return {"works": True, "seconds": seconds, "python": engine.python, **asdict(session.hello)}


def table(found: dict[str, Any]) -> str:
    """The findings for a terminal."""
    host = found["machine"]
    rows = []
    for name, engine in found["engines"].items():
        versions = {n: v for n, v in engine.get("versions", {}).items() if n not in ("python", "numpy")}
        says = ", ".join(f"{n} {v}" for n, v in versions.items()) if engine["works"] else engine["reason"]
        rows.append([name, "works" if engine["works"] else "no", engine.get("device", ""), says])
    heads = ["engine", "", "device", "versions"]
    machine = f"{host['processor']}, {host['cores']} cores, {host['memory_gib']} GiB, Python {host['python']}"
    return "\n\n".join([filled(machine), fitted(rows, heads, ("left",) * 4)])
