"""Fixtures that many tests share, and that end after the last of them: idle servers take up to half a core."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Final, TypeVar

import pytest

T = TypeVar("T")
SHARED: Final = ("stack", "system", "desk", "house")
"""Their names: servers alone, the whole system, the gateway's tests', the clearing house's."""
_running: dict[str, ExitStack] = {}


def uses(item: pytest.Item, name: str) -> bool:
    """Whether a test needs this fixture, itself or through others."""
    return name in getattr(item, "fixturenames", ())


def gathered(items: list[pytest.Item]) -> None:
    """Order the tests so that those who share a fixture come one after the other."""
    for name in SHARED:
        users = [item for item in items if uses(item, name)]
        if users:
            first = items.index(users[0])
            rest = [item for item in items[first:] if not uses(item, name)]
            items[first:] = users + rest


def until_unused(name: str, opened: AbstractContextManager[T]) -> Iterator[T]:
    """What a session-wide fixture yields: what was opened, until no later test needs it."""
    assert name in SHARED
    with ExitStack() as held:
        _running[name] = held
        yield held.enter_context(opened)


def end_unused(next_item: pytest.Item | None) -> None:
    """Close what no later test needs, when next_item is the next one."""
    for name in SHARED:
        if name in _running and not (next_item is not None and uses(next_item, name)):
            _running.pop(name).close()
