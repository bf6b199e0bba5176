"""What else a machine did while something was timed: other programs, heat, a battery, the host of a virtual machine.

A speed that was measured beside other work is worth less, and its reader cannot see that. So it is said before, when
one can still wait, and after, with what one can do. hyperfine and pyperf warn likewise.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

BUSY = 0.25  # cores that other programs use; below that, no timing of a step shows it
STOLEN = 0.02  # share of the time
SAMPLE = 0.5  # seconds
THROTTLED = "/sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count"
NAMED = 3  # programs


@dataclass
class Watch:
    """Looks at the machine now and again later.

    Args:
        began: the clock, the processor's busy seconds, our own, the host's, and how often heat slowed the clock.
    """

    began: tuple[float, float, float, float, int] = field(default_factory=lambda: _state())

    def before(self) -> list[str]:
        """What disturbs a timing that begins now: a sentence each, with what to do."""
        lines = []
        used = _others(SAMPLE)
        if (total := sum(used.values())) > BUSY:
            most = sorted(used.items(), key=lambda item: -item[1])[:NAMED]
            names = ", ".join(f"{name} {cores:.1f}" for name, cores in most)
            lines.append(
                f"Other programs use {total:.1f} of {os.cpu_count()} cores now ({names}): end them or wait, or the "
                "times will be too long and spread."
            )
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        if battery is not None and battery.power_plugged is False:
            lines.append("The machine runs on its battery, which slows the processor: plug it in.")
        return lines

    def after(self) -> list[str]:
        """What disturbed the timing since this watch began."""
        then, now = self.began, _state()
        seconds, busy, own, stolen = (b - a for a, b in zip(then[:4], now[:4], strict=True))
        lines = []
        others = (busy - own) / max(seconds, 1e-9)
        if others > BUSY:
            lines.append(
                f"Other programs used {others:.1f} of {os.cpu_count()} cores while this was timed: the times are too "
                "long and spread; time again when the machine is idle."
            )
        if stolen > STOLEN * seconds:
            lines.append(
                f"The host of this virtual machine took {stolen / seconds:.0%} of the time: others on it are busy."
            )
        if now[4] > then[4]:
            lines.append("The processor became too hot and slowed down: cool it, and time again.")
        return lines


def _state() -> tuple[float, float, float, float, int]:
    times, own = psutil.cpu_times(), os.times()
    busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system"))
    ours = own.user + own.system + own.children_user + own.children_system + _children()
    return time.monotonic(), busy, ours, getattr(times, "steal", 0.0), _throttled()


def _children() -> float:
    """Processor seconds of the workers that still run; those that have ended are in `os.times`."""
    seconds = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        seconds += times.user + times.system
    return seconds


def _throttled() -> int:
    count = 0
    for file in Path("/").glob(THROTTLED.lstrip("/")):
        try:
            count += int(file.read_text())
        except (OSError, ValueError):
            continue
    return count


def _others(seconds: float) -> dict[str, float]:
    """Program -> cores that it uses, over so many seconds; without this one."""
    processes = [each for each in psutil.process_iter(["name"]) if each.pid != os.getpid()]
    before: dict[psutil.Process, float] = {}
    for each in processes:
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        before[each] = times.user + times.system
    began = time.monotonic()
    time.sleep(seconds)
    length = time.monotonic() - began
    used: dict[str, float] = {}
    for each, earlier in before.items():
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        cores = (times.user + times.system - earlier) / length
        if cores >= 0.05:
            name = each.info["name"] or "?"
            used[name] = used.get(name, 0.0) + cores
    return used
