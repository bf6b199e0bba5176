"""What the NVIDIA driver says of the device that is timed: who else computes on it, how warm and how fast it is."""

import functools
from typing import Any

from compare.process import WorkerFailed


def check_free(device: str, ours: set[int]) -> None:
    """Refuse to time on a GPU that another process computes on.

    Args:
        device: 'cpu' or 'cuda'.
        ours: the processes that may.

    Raises:
        WorkerFailed: naming the other process.
    """
    if device != "cuda" or _driver() is None:
        return
    driver = _driver()
    others = [p for p in driver.nvmlDeviceGetComputeRunningProcesses(_card(driver)) if p.pid not in ours]
    if others:
        gib = (others[0].usedGpuMemory or 0) / 2**30
        raise WorkerFailed(
            "failed",
            f"process {others[0].pid} computes on the GPU too, with {gib:.1f} GiB: times would be its as much as ours; "
            "end it, or choose another card with CUDA_VISIBLE_DEVICES",
        )


def state(device: str) -> dict[str, Any]:
    """Clock (MHz), temperature (degrees Celsius) and power (W) of the GPU; nothing on a CPU or without a driver."""
    if device != "cuda" or (driver := _driver()) is None:
        return {}
    card = _card(driver)
    return {
        "gpu": {
            "clock_mhz": driver.nvmlDeviceGetClockInfo(card, driver.NVML_CLOCK_SM),
            "celsius": driver.nvmlDeviceGetTemperature(card, driver.NVML_TEMPERATURE_GPU),
            "watts": driver.nvmlDeviceGetPowerUsage(card) / 1000,
        }
    }


def _card(driver: Any) -> Any:
    return driver.nvmlDeviceGetHandleByIndex(0)


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
