"""Bounded memory of ids: the newest, in a ring. Nothing depends on the order of dict keys, which snapshots sort."""

from msgspec import Struct


class Recent(Struct, array_like=True):
    """The ids added last, oldest overwritten first."""

    ring: list[str] = []
    added: int = 0
    """How many were ever added; the next one goes to slot added % kept."""

    def add(self, name: str, kept: int) -> str | None:
        """Remember an id among the `kept` newest; returns the one that is forgotten for it."""
        slot = self.added % kept
        self.added += 1
        if slot == len(self.ring):
            self.ring.append(name)
            return None
        forgotten, self.ring[slot] = self.ring[slot], name
        return forgotten
