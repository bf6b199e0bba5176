"""Trials of calls with other arguments: what would read beyond the end of its states is refused with words."""

import numpy as np
import pytest
import torch
from torch import nn

from torch_impl.tracing import Subject

pytestmark = pytest.mark.framework
VALUES = np.random.default_rng(0).standard_normal((3, 40, 6)).astype(np.float32)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(6, 8, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("changed", [{"batch_first": False}, {"bidirectional": False}, {"num_layers": 3}])
def test_a_recurrent_call_whose_states_do_not_fit_stops_with_words(kind, changed):
    torch.manual_seed(0)
    subject = Subject(Recurrent(kind), [VALUES])
    call = next(event for event in subject.trace([VALUES]).events if event.family in ("lstm", "gru", "rnn"))
    edit = {"event": call.index, "do": "arguments", "arguments": changed}
    assert "states" in subject.trace([VALUES], edits=[edit]).stopped
    same = {"event": call.index, "do": "arguments", "arguments": {"batch_first": True}}
    assert not subject.trace([VALUES], edits=[same]).stopped
