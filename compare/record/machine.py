"""What the figures of a record depend on: the machine, and the suite's own code."""

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from twin.paths import ROOT

PRECISION = {"NVIDIA_TF32_OVERRIDE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}  # no TF32 in any engine


@dataclass
class Gpu:
    """A card, and the version of its kernel driver."""

    name: str
    driver: str | None = None


@dataclass
class Machine:
    """What the figures of a record depend on; None where nobody says.

    Args:
        system, processor, python: as they name themselves.
        cores: of the machine; `usable_cores` those that this process may have.
        memory_gib: of the machine.
        governor: how the processor's clock is governed.
        gpu: known once an engine computes on it.
    """

    system: str | None = None
    processor: str | None = None
    cores: int | None = None
    memory_gib: float | None = None
    python: str | None = None
    usable_cores: int | None = None
    governor: str | None = None
    gpu: Gpu | None = None

    @staticmethod
    def here() -> "Machine":
        """This machine."""
        affinity = getattr(os, "sched_getaffinity", None)
        try:
            governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
        except OSError:
            governor = None
        return Machine(
            system=platform.platform(),
            processor=_processor(),
            cores=os.cpu_count(),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            python=platform.python_version(),
            usable_cores=len(affinity(0)) if affinity else None,
            governor=governor,
        )


def code_version() -> str:
    """A digest of the suite's own source files."""
    digest = hashlib.sha256()
    for folder in ("twin", "keras_impl", "torch_impl", "compare"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def gpu_driver() -> str | None:
    """The version of NVIDIA's kernel driver, as the kernel tells it."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return None
    return next((word for word in words if word[0].isdigit() and "." in word), None)
