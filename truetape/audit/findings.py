"""Rules that do not hold: all are counted, the first of each kind are shown."""

from collections import Counter
from collections.abc import Iterable

from truetape.audit.difference import Check, Difference, shown

SHOWN_EACH = 20


class Findings:
    """Collects differences."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kept: list[Difference] = []
        self.checked: Counter[str] = Counter()
        """How often each rule was applied."""

    def expect(self, holds: bool, rule: str, where: str, account_id: str, tape: object, other: object) -> None:
        """One application of a rule; when it does not hold, what the rest of the tape says and what is found."""
        self.checked[rule] += 1
        if not holds:
            self.add(Difference("invariant", where, account_id, rule, shown(tape), shown(other)))

    def add(self, difference: Difference) -> None:
        """One difference."""
        kind = difference.what if difference.check == "invariant" else difference.check
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_EACH:
            self.kept.append(difference)

    def add_all(self, check: Check, differences: Iterable[Difference]) -> int:
        """Differences of one comparison; returns how many."""
        before = self.total
        for difference in differences:
            assert difference.check == check
            self.add(difference)
        return self.total - before

    @property
    def total(self) -> int:
        """How many there are in all."""
        return self.counts.total()
