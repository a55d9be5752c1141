"""Records that another service must answer, each once and in their order."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Unanswered(Generic[T]):
    """Records by offset that still await their answer."""

    def __init__(self) -> None:
        self._waiting: dict[int, T] = {}

    def add(self, offset: int, record: T) -> None:
        """A record that must be answered."""
        self._waiting[offset] = record

    def answer(self, offset: int) -> tuple[T | None, list[tuple[int, T]]]:
        """The record at this offset is answered now: it, or None when none waits there; and those passed over."""
        skipped = []
        while self._waiting and (first := next(iter(self._waiting))) < offset:
            skipped.append((first, self._waiting.pop(first)))
        return self._waiting.pop(offset, None), skipped

    def __iter__(self) -> Iterator[tuple[int, T]]:
        yield from self._waiting.items()

    def __len__(self) -> int:
        return len(self._waiting)
