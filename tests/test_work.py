"""Which trainings are long is told from the catalogue, the measured shapes and the twins' own files."""

from tests.helpers import work
from twin.catalogue import TWINS

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]


def test_what_takes_other_data_than_its_entry_names_is_long_however_little_is_estimated():
    found = {twin.name for twin in MODELS if work.is_long(twin) and not work.is_heavy(twin)}
    assert found == {"pretraining", "transfer_learning", "dqn", "policy_search"}


def test_make_test_trains_twins_of_each_kind():
    quick = {twin.name for twin in MODELS if not work.is_long(twin)}
    assert {"lenet", "gru", "conv3d", "rbm", "dbn", "gan", "graph_network"} <= quick, "without labels and in stages too"
    assert not {"googlenet", "yolo_v3"} & quick
