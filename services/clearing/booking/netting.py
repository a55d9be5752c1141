"""Payment netting: many obligations, one payment per participant, currency and value date, and the instructions that
settlement gets. Multilateral: the house stands between all, pays those with a claim and is paid by those who owe.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from truetape import ids

DAYS_KEPT: Final = 64
"""Value dates of an account whose number of runs is remembered."""


class Obligation(Struct, frozen=True):
    """What one participant owes another on a day."""

    obligation_id: str
    payer_id: str
    payee_id: str
    asset: str
    value_date: str
    """ISO 8601."""
    amount_e8: int
    """Positive."""


class Instruction(Struct, frozen=True):
    """One payment between a participant and the house, for settlement."""

    instruction_id: str
    """Made of participant, asset and date: netting again with the same obligations gives the same instruction."""
    participant_id: str
    asset: str
    value_date: str
    amount_e8: int
    """Positive: the house pays him. Negative: he pays the house. Zero: his obligations cancel out, and are settled."""
    obligations: tuple[str, ...]
    """All that this settles, in the order in which they came."""


class Netting(Struct, frozen=True):
    """The outcome of one run."""

    instructions: tuple[Instruction, ...]
    gross_e8: Mapping[str, int]
    """By asset, all obligations together."""
    net_e8: Mapping[str, int]
    """By asset, what really moves: all that the participants who owe pay to the house."""


def net(obligations: Sequence[Obligation]) -> Netting:
    """One instruction per participant, asset and value date that has any obligation. They sum to zero per asset and
    date, and each participant's sum is that of his obligations.
    """
    assert len({one.obligation_id for one in obligations}) == len(obligations), "an obligation is settled once"
    assert all(one.amount_e8 > 0 and one.payer_id != one.payee_id for one in obligations), "somebody owes something"
    sums: dict[tuple[str, str, str], int] = {}
    settled: dict[tuple[str, str, str], list[str]] = {}
    for one in obligations:
        for who, signed_e8 in ((one.payer_id, -one.amount_e8), (one.payee_id, one.amount_e8)):
            key = (one.value_date, one.asset, who)
            sums[key] = sums.get(key, 0) + signed_e8
            settled.setdefault(key, []).append(one.obligation_id)
    found = tuple(
        Instruction(ids.instruction_id(who, asset, day), who, asset, day, amount_e8, tuple(settled[day, asset, who]))
        for (day, asset, who), amount_e8 in sorted(sums.items())
    )
    assert not any(balances(found).values()), "the house is flat per asset and date"
    moved = ((one.asset, -one.amount_e8) for one in found if one.amount_e8 < 0)
    return Netting(found, _by_asset((one.asset, one.amount_e8) for one in obligations), _by_asset(moved))


def balances(instructions: Iterable[Instruction]) -> dict[tuple[str, str], int]:
    """What the house is left with per asset and value date: zero for each."""
    found: dict[tuple[str, str], int] = {}
    for one in instructions:
        key = (one.asset, one.value_date)
        found[key] = found.get(key, 0) + one.amount_e8
    return found


def _by_asset(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for asset, amount_e8 in amounts:
        found[asset] = found.get(asset, 0) + amount_e8
    return found


class Due(Struct, array_like=True):
    """What is owed for one purpose."""

    received_e8: int = 0
    paid_e8: int = 0
    """Positive."""
    lines: int = 0


Dues = dict[str, dict[str, Due]]
"""By asset and purpose."""


class Payments(Struct):
    """Of one account."""

    days: dict[str, Dues] = {}
    """By value date, what no run has netted."""
    netted: str = ""
    """The newest day that is over and netted."""
    until: dict[str, str] = {}
    """By asset, the newest value date that is netted: it may lie ahead."""
    runs: dict[str, int] = {}
    """By value date, the number of its last run that netted something: the newest ones of those dates."""

    def last(self, asset: str) -> str:
        """The newest value date of an asset that is netted."""
        return max(self.netted, self.until.get(asset, ""))

    def runs_of(self, day: str, asset: str) -> int:
        """The number of the last run of a value date of an asset. A date that was passed over counts as netted."""
        return self.runs.get(day, int(day <= self.until.get(asset, "")))

    def ran(self, day: str, run: int) -> None:
        """Something of a value date is netted once more, by a run of this number at most: no later one has it again."""
        self.runs[day] = max(self.runs.get(day, 0) + 1, run)
        if len(self.runs) > DAYS_KEPT:
            del self.runs[min(self.runs)]

    def oldest(self) -> str:
        """The oldest value date whose runs are known when some are forgotten: nothing falls before it any more."""
        return min(self.runs) if len(self.runs) == DAYS_KEPT else ""
