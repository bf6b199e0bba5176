"""The catalogue: names, reasons and targets."""

import pytest

from twin.catalogue import CHAPTERS, TWINS, find
from twin.errors import TwinError


def test_names_are_unique_and_chapters_in_order():
    names = [twin.name for twins in CHAPTERS.values() for twin in twins]
    assert len(names) == len(set(names)) == len(TWINS)
    numbers = [chapter.number for chapter in CHAPTERS]
    assert numbers == sorted(numbers)


def test_a_departure_states_its_reason(twin):
    for difference in twin.differences:
        assert len(difference.reason) > 20
    for tolerance in twin.tolerances.values():
        assert len(tolerance.reason) > 20


def test_a_model_declares_what_it_must_reach(twin):
    if twin.kind == "model":
        assert twin.metric is not None
        assert twin.metric.target != twin.metric.chance
        assert twin.small.parameters > 0


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(TwinError, match="did you mean lenet"):
        find("lenett")
    with pytest.raises(TwinError, match="did you mean resnet_style, resnet, resnet50"):
        find("resne")
