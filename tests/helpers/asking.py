"""Which tests of a file ask for a fixture: it measures what the chosen ones need, and no more."""

import pytest


def items(request: pytest.FixtureRequest, fixture: str) -> list[pytest.Item]:
    """The chosen tests of the file in which `request` is made that take this fixture, by themselves or by another."""
    return [each for each in request.session.items if each.path == request.path and fixture in each.fixturenames]
