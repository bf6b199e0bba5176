"""A worker whose timed calls take a tenth longer than they need: a slowdown that the bench must find."""

import sys
import time
from typing import Any

from compare.worker.serve import serve
from compare.worker.timing import Timing

SHARE = 0.1


class SlowedTiming(Timing):
    """Waits, spinning, for a tenth of the time of each call after it."""

    def warm_up(self, *args: Any, **fields: Any) -> dict[str, Any]:
        answer = super().warm_up(*args, **fields)
        self.watch.calls = {quantity: _slowed(call) for quantity, call in self.watch.calls.items()}
        return answer


def _slowed(call: Any) -> Any:
    def slower() -> Any:
        start = time.perf_counter()
        result = call()
        until = start + (1 + SHARE) * (time.perf_counter() - start)
        while time.perf_counter() < until:
            pass
        return result

    return slower


if __name__ == "__main__":
    serve(sys.argv[1], SlowedTiming)
