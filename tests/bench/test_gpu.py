"""The state of a GPU."""

import pytest

from compare.bench import gpu
from twin.errors import INCOMPLETE, TwinError


class Card:
    """A driver that lists a foreign process for so many questions."""

    def __init__(self, questions):
        self.questions = questions

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, card):
        self.questions -= 1
        return [type("Process", (), {"pid": 4711, "usedGpuMemory": 3 << 30})] if self.questions >= 0 else []


def test_a_gpu_in_use_is_refused_and_one_that_becomes_free_is_not(monkeypatch):
    monkeypatch.setattr(gpu, "TIMEOUT", 0.3)
    monkeypatch.setattr(gpu, "_driver", lambda: Card(1))
    gpu.check_free("cuda")
    busy = Card(10**6)
    monkeypatch.setattr(gpu, "_driver", lambda: busy)
    with pytest.raises(TwinError, match=r"process 4711 .* 3.0 GiB") as caught:
        gpu.check_free("cuda")
    assert caught.value.exit_code == INCOMPLETE
    gpu.check_free("cpu")
