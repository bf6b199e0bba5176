"""What the NVIDIA driver says of the device that is timed: who else computes on it, how warm and how fast it is."""

import functools
import os
import time
from typing import Any

from compare.record.results import GpuState
from twin.errors import INCOMPLETE, TwinError

TIMEOUT = 5.0  # seconds


def check_free(device: str) -> None:
    """Refuse to time on a GPU that another process computes on; no worker of ours may be alive.

    Raises:
        TwinError: naming the other process.
    """
    if device != "cuda" or (driver := _driver()) is None:
        return
    deadline = time.monotonic() + TIMEOUT  # a worker that has just ended stays listed for a moment
    while others := driver.nvmlDeviceGetComputeRunningProcesses(_card(driver)):
        if time.monotonic() > deadline:
            gib = (others[0].usedGpuMemory or 0) / 2**30
            raise TwinError(
                f"--device cuda: process {others[0].pid} computes on this GPU too, with {gib:.1f} GiB: times would "
                "include its work; end it, or choose another card with CUDA_VISIBLE_DEVICES",
                INCOMPLETE,
            )
        time.sleep(0.2)


def state(device: str) -> GpuState | None:
    """Clock, temperature and power of the GPU; None on a CPU or without a driver."""
    if device != "cuda" or (driver := _driver()) is None:
        return None
    card = _card(driver)
    return GpuState(
        clock_mhz=driver.nvmlDeviceGetClockInfo(card, driver.NVML_CLOCK_SM),
        celsius=driver.nvmlDeviceGetTemperature(card, driver.NVML_TEMPERATURE_GPU),
        watts=driver.nvmlDeviceGetPowerUsage(card) / 1000,
    )


def _card(driver: Any) -> Any:
    """The first card that CUDA_VISIBLE_DEVICES names, by number or UUID; the first of all without it."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    return driver.nvmlDeviceGetHandleByIndex(int(first)) if first.isdigit() else driver.nvmlDeviceGetHandleByUUID(first)


@functools.cache
def _driver() -> Any:
    """NVIDIA's library, started; None where there is none, or nvidia-ml-py (the extra `gpu`) is not installed."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
