"""What must hold for payments of a day and for compressed legs, from the records alone: a netting run pays, asset by
asset, all that entries have made fall due on its value date and no run has netted before it, and nothing else; and a
compression of legs ends what is open, and changes nothing but gross notional."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from msgspec import Struct

from truetape import calendars, ids
from truetape import messages as m
from truetape.cuts import ENDS
from truetape.topics import PARTITIONS

Expect = Callable[..., None]
OWED: Final = frozenset(
    {
        "compression", "exercise", "funding", "house_fee", "liquidation_fee", "premium", "settlement_fee",
        "variation_margin",
    }
)  # fmt: skip
"""Purposes of lines that are due between an account and the house."""
TRADED_THERE: Final = frozenset({"premium", "exercise"})
"""Of what a venue trades these are owed to the venue."""
HOMES: Final = ("NOVATION:", "GIVE_UP:", "ALLOCATION:")
"""How the request of a leg begins whose home is a trade or a move."""
DAYS_KNOWN: Final = 64
"""Of an account so many value dates are told apart; what is older falls on the oldest of them."""
OLDER, OLDER_DAY = "payment:", "value_day"
"""In the outcome of a compression that an older version has decided: what it pays, and when. It booked no entries."""

Legs = dict[str, tuple[str, int, int]]
"""Contract, signed quantity and cost of what is open, by leg."""


class Sum(Struct):
    """What is due of an asset on a value date."""

    received_e8: int = 0
    paid_e8: int = 0
    parts: dict[str, int] = {}
    lines: int = 0

    def add(self, purpose: str, amount_e8: int) -> None:
        """One more line."""
        self.received_e8, self.paid_e8 = self.received_e8 + max(amount_e8, 0), self.paid_e8 - min(amount_e8, 0)
        self.parts[purpose] = self.parts.get(purpose, 0) + amount_e8
        self.lines += 1

    def told(self) -> tuple[int, int, int, dict[str, int], int]:
        """As an instruction says it."""
        return self.received_e8 - self.paid_e8, self.received_e8, self.paid_e8, self.parts, self.lines


class Dues(Struct):
    """Of one account."""

    open: dict[tuple[str, str], Sum] = {}
    """By value date and asset, what no run has netted."""
    runs: dict[str, int] = {}
    """By value date, the number of its last run that netted something."""
    newest: dict[str, str] = {}
    """By asset, the newest date that is netted; under "" the newest of all that was over by then."""

    def free(self, asset: str) -> str:
        """The first day after all that is netted of an asset; empty before any is."""
        last = max(self.newest.get("", ""), self.newest.get(asset, ""))
        return (date.fromisoformat(last) + calendars.DAY).isoformat() if last else ""

    def owe(self, day: str, asset: str, purpose: str, amount_e8: int) -> None:
        """Something falls due."""
        oldest = min(self.runs) if len(self.runs) == DAYS_KNOWN else ""
        self.open.setdefault((max(day, oldest), asset), Sum()).add(purpose, amount_e8)

    def next_run(self, day: str, asset: str) -> int:
        """Number of the next run that nets something of an asset on a date."""
        return self.runs.get(day, int(day <= self.newest.get(asset, ""))) + 1


class PaymentRules:
    """Payments and legs of one partition's accounts."""

    def __init__(self, expect: Expect) -> None:
        self._expect = expect
        self._dues: dict[str, Dues] = {}
        self._legs: dict[str, Legs] = {}
        """Open legs by account."""
        self._over: set[str] = set()
        """Contracts that have ended."""
        self._rules: dict[type, Callable[[str, Any], None]] = {
            m.EntryBooked: self._booked,
            m.PaymentsNetted: self._netted,
            m.LegsCompressed: self._compressed,
            m.ContractFactTaken: self._ended,
            m.RoundSettling: self._settling,
        }

    def take(self, where: str, event: Any) -> None:
        """One accepted record of the journal."""
        if (rule := self._rules.get(type(event))) is not None:
            rule(where, event)

    # -- payments --------------------------------------------------------------------------------------------

    def _booked(self, _: str, entry: m.EntryBooked) -> None:
        if entry.contract is None:
            return
        self._opened(entry, entry.contract)
        said = entry.contract.ids.get("value_date", "")
        for line in due_lines(entry, entry.contract):
            dues = self._dues.setdefault(entry.account_id, Dues())
            day = said or max(calendars.day_of(entry.meta.decided_at_us), dues.free(line.asset))
            dues.owe(day, line.asset, line.purpose, line.amount_e8)

    def _settling(self, _: str, event: m.RoundSettling) -> None:
        if OLDER_DAY not in event.outcome:
            return
        day = (calendars.EPOCH + event.outcome[OLDER_DAY] * calendars.DAY).isoformat()
        for name, amount_e8 in event.outcome.items():
            account = name.removeprefix(OLDER)
            if name.startswith(OLDER) and ids.partition_of(account, PARTITIONS) == event.partition:
                dues, asset = self._dues.setdefault(account, Dues()), event.round.ids["settlement_asset"]
                dues.owe(max(day, dues.free(asset)), asset, "compression", amount_e8)

    def _netted(self, where: str, event: m.PaymentsNetted) -> None:
        account, day = event.account_id, event.value_date
        dues = self._dues.setdefault(account, Dues())
        due = {asset: one for (at, asset), one in dues.open.items() if at == day}
        wanted = {asset: one.told() for asset, one in sorted(due.items())}
        told = {
            one.asset: (one.amount_e8, one.received_e8, one.paid_e8, one.parts, one.payments)
            for one in event.instructions
        }
        self._expect(told == wanted, "netting pays what is due, once", where, account, wanted, told)
        once = len(told) == len(event.instructions)
        self._expect(once, "an asset is netted once in a run", where, account, len(told), len(event.instructions))
        runs = {asset: dues.next_run(day, asset) for asset in told}
        names = {asset: ids.instruction_id(account, asset, day, run) for asset, run in runs.items()}
        says = {one.asset: one.instruction_id for one in event.instructions}
        self._expect(names == says, "an instruction has the id of its run", where, account, names, says)
        for asset in due:
            del dues.open[day, asset]
        if due:
            dues.runs[day] = max([dues.runs.get(day, 0) + 1, *runs.values()])
        if len(dues.runs) > DAYS_KNOWN:
            del dues.runs[min(dues.runs)]
        over = ("",) if day < calendars.day_of(event.meta.decided_at_us) else ()
        for asset in (*told, *over):
            dues.newest[asset] = max(day, dues.newest.get(asset, ""))

    # -- legs ------------------------------------------------------------------------------------------------

    def _opened(self, entry: m.EntryBooked, booked: m.ContractBooking) -> None:
        """An entry opens a leg, ends one, or takes one back."""
        legs = self._legs.setdefault(entry.account_id, {})
        if entry.kind == "CORRECTION":
            legs.pop(entry.corrects or "", None)
        elif not booked.ids.get("requested_by", "").startswith(HOMES):
            return
        elif closes := booked.ids.get("closes", ""):
            legs.pop(closes, None)
        elif booked.instrument_id not in self._over:
            legs[entry.entry_id] = booked.instrument_id, booked.quantity_e8, booked.paid_e8

    def _ended(self, _: str, event: m.ContractFactTaken) -> None:
        if event.fact.kind not in ENDS:
            return
        self._over.add(event.fact.instrument_id)
        for legs in self._legs.values():
            for leg_id in [one for one, leg in legs.items() if leg[0] == event.fact.instrument_id]:
                del legs[leg_id]

    def _compressed(self, where: str, event: m.LegsCompressed) -> None:
        account, known = event.account_id, self._legs.setdefault(event.account_id, {})
        ended, left = ({leg.leg_id: shown(leg) for leg in legs} for legs in (event.ended, event.left))
        are_open = {name: known[name] for name in ended if name in known}
        self._expect(are_open == ended, "only open legs are compressed", where, account, are_open, ended)
        every = [*event.ended, *event.left]
        own = all((leg.account_id, leg.instrument_id) == (account, event.instrument_id) for leg in every)
        right = own and len(ended) + len(left) == len(every)
        self._expect(right, "one account's legs of a contract are compressed, each once", where, account, "", every)
        before, after = summed(are_open), summed(left)
        same = before[0] == after[0] and before[1] == after[1] + event.ended_cost_e8
        self._expect(same, "compression keeps every net position", where, account, before, (after, event.ended_cost_e8))
        wanted = (before[0], before[1], before[2], after[2])
        says = (event.net_quantity_e8, event.net_cost_e8, event.gross_before_e8, event.gross_after_e8)
        self._expect(says == wanted, "compression says what it changes", where, account, wanted, says)
        less = after[2] == abs(after[0]) and len(left) <= 1
        self._expect(less, "of compressed legs the net is left", where, account, abs(after[0]), after[2])
        for name in ended:
            known.pop(name, None)
        known |= left


def due_lines(entry: m.EntryBooked, booked: m.ContractBooking) -> Iterator[m.Line]:
    """What an entry makes due between its account and the house."""
    if not entry.account_id or not (booked.instrument_id or "value_date" in booked.ids):
        return
    elsewhere = TRADED_THERE if booked.counterparty.startswith("venue:") else frozenset[str]()
    for line in entry.lines:
        if line.account == f"client:{entry.account_id}" and line.purpose in OWED - elsewhere:
            yield line


def shown(leg: m.TradeLeg) -> tuple[str, int, int]:
    """Contract, signed quantity and cost of a leg."""
    return leg.instrument_id, leg.quantity_e8 if leg.side == "BUY" else -leg.quantity_e8, leg.cost_e8 or 0


def summed(legs: Legs) -> tuple[int, int, int]:
    """Net quantity, net cost and gross quantity."""
    quantities = [quantity_e8 for _, quantity_e8, _ in legs.values()]
    return sum(quantities), sum(cost_e8 for _, _, cost_e8 in legs.values()), sum(map(abs, quantities))
