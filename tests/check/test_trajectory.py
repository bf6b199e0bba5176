"""Which losses of a trajectory are compared, and with what limit."""

import numpy as np
import pytest

from compare.check import ladder
from compare.check.reference import Reference

STEPS = 20
LIMITS = ladder.Limits(exact=False, tolerances={})
SPREAD = 2.0 ** np.arange(STEPS) * 1e-7  # of native runs, which doubles with each step: 5e-2 after the last


def judged(apart):
    """The rung of a curve that is so far from the reference's at each step."""
    ref = Reference([], set(), {}, {}, {})
    ref.curve = [{"loss": 1.0}] * STEPS
    ref.native_curves = [[{"loss": 1.0 + spread} for spread in SPREAD]]
    return ladder.trajectory([{"loss": 1.0 + each} for each in apart], ref, LIMITS)


@pytest.mark.parametrize("times", [0.5, 1.6, 2.5])
def test_what_native_runs_do_themselves_is_no_fault_at_any_step(times):
    """Also where their spread nears the limit: Tiny YOLO was called different on a GPU at 1.6 times the spread."""
    rung = judged(times * SPREAD)
    assert (rung.status, rung.message) == ("ok", "14 steps compared")


@pytest.mark.parametrize("step", range(14))
def test_more_than_ten_times_the_spread_is_a_fault_at_every_step_that_is_compared(step):
    apart = np.zeros(STEPS)
    apart[step] = 20 * max(SPREAD[step], 4 * 2.0**-24)
    assert judged(apart).status == "failed"
