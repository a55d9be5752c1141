"""Execution ids that are settled: there are as many as fills, so their numbers are kept as compressed bitmaps."""

from typing import Final

from pyroaring import BitMap64

_NONE: Final = BitMap64()


class Matched:
    """A set of execution ids "venue:symbol:number:side". Numbers that come nearly one after the other take a few bits
    each; those more than 65 536 apart a hundred bytes, and then there are few."""

    def __init__(self) -> None:
        self._numbers: dict[str, BitMap64] = {}
        self._others: dict[str, None] = {}
        """Ids of venues whose trade ids are no numbers."""

    def add(self, execution_id: str) -> None:
        """One more; again changes nothing."""
        split = _split(execution_id)
        if split is None:
            self._others[execution_id] = None
            return
        of, number = split
        if of not in self._numbers:
            self._numbers[of] = BitMap64()
        self._numbers[of].add(number)

    def __contains__(self, execution_id: str) -> bool:
        split = _split(execution_id)
        if split is None:
            return execution_id in self._others
        return split[1] in self._numbers.get(split[0], _NONE)

    def __len__(self) -> int:
        return len(self._others) + sum(map(len, self._numbers.values()))


def _split(execution_id: str) -> tuple[str, int] | None:
    """("venue:symbol:side", number), None where there is no number of 63 bits."""
    head, _, side = execution_id.rpartition(":")
    name, _, number = head.rpartition(":")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18 or (number[0] == "0" and number != "0"):
        return None
    return f"{name}:{side}", int(number)
