"""A learner's file in the place of a twin's own: put it there, take it away, say what of it ran."""

from dataclasses import dataclass
from typing import Any

from compare.worker.context import Context
from compare.worker.stand_in import StandIn
from twin import catalogue


@dataclass
class Learner:
    """Operations on what stands in; serve.py interrupts every operation that takes too long meanwhile."""

    context: Context

    def replace_module(
        self, twin: str, text: str, units: list[str] | None, owned: list[str], seconds: float
    ) -> dict[str, Any]:
        """Let a learner's file, or some methods of it in the twin's own, be the twin from here on; "" ends that."""
        context = self.context
        context.run = None
        if context.stand:
            context.stand.leave()
            context.stand = None
        own = context.train.load_module(catalogue.find(twin))
        if text:
            context.stand = StandIn(own, text, units, owned, seconds)
            with context.stand.in_time():
                context.stand.enter()
        return {}

    def ran(self) -> dict[str, Any]:
        """Which methods of the file that stands in were called."""
        assert self.context.stand, "nothing stands in"
        return {"ran": sorted(self.context.stand.ran)}
