"""Execution ids that are settled: eight bytes each, since there are as many as fills."""

from array import array
from bisect import bisect_left


class Matched:
    """A set of execution ids "venue:symbol:number:side". They come nearly in order, so sorted arrays do."""

    def __init__(self) -> None:
        self._numbers: dict[str, array[int]] = {}
        self._others: dict[str, None] = {}
        """Ids of venues whose trade ids are no numbers."""

    def add(self, execution_id: str) -> None:
        """One more; again changes nothing."""
        if execution_id in self:
            return
        split = _split(execution_id)
        if split is None:
            self._others[execution_id] = None
            return
        of, number = split
        numbers = self._numbers.setdefault(of, array("q"))
        numbers.insert(bisect_left(numbers, number), number)

    def __contains__(self, execution_id: str) -> bool:
        split = _split(execution_id)
        if split is None:
            return execution_id in self._others
        numbers = self._numbers.get(split[0])
        if numbers is None:
            return False
        at = bisect_left(numbers, split[1])
        return at < len(numbers) and numbers[at] == split[1]

    def __len__(self) -> int:
        return len(self._others) + sum(map(len, self._numbers.values()))


def _split(execution_id: str) -> tuple[str, int] | None:
    """("venue:symbol:side", number), None where there is no number of 63 bits."""
    head, _, side = execution_id.rpartition(":")
    name, _, number = head.rpartition(":")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18 or (number[0] == "0" and number != "0"):
        return None
    return f"{name}:{side}", int(number)
