"""What holds for all tests: a property is true or false, however busy the machine is.

Its cases are the same in every run, so that a verdict belongs to the change and not to the draw.
`pytest --hypothesis-profile anew` draws others; what it finds becomes an `@example`.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("anew", ANY_SPEED, print_blob=True)
settings.register_profile("same", ANY_SPEED, derandomize=True)
settings.load_profile("same")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is collected to itself: tests and modules stay to the end.

    Python's collector of cycles went through them again and again: a third of the time of the
    collection, and a sixteenth of that of the tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
