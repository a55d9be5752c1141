"""What must hold for contracts: positions follow what entries move, profit is paid once, and a fact reaches everybody
whom it concerns, once, in order and before anything else."""

from collections.abc import Callable, Iterator

from truetape import messages as m
from truetape.audit.margin_rules import MARGIN
from truetape.audit.round_rules import ROUND

Expect = Callable[..., None]
Key = tuple[str, str]
"""(account, instrument)."""
DUE = "due"
MOVES = ("RENAME", "CONTRACT_SIZE")
ENDS = ("EXPIRY", "DELISTING", *MOVES)
PROFIT = frozenset({"variation_margin", "premium", "exercise"})
"""Purposes of the lines by which profit and premium are paid."""


class ContractRules:
    """Contracts of one partition. It shares positions and balances with the ledger's rules."""

    def __init__(self, expect: Expect, positions: dict[Key, m.Position], balances: dict[str, dict[str, int]]) -> None:
        self._expect, self._positions, self._balances = expect, positions, balances
        self._settled: dict[Key, int] = {}
        self._ended: dict[str, m.ContractFact] = {}
        self._waiting: list[str] = []
        """Names of the parts of a fact that must be answered next."""

    def taken(self, where: str, event: m.ContractFactTaken) -> None:
        """A fact that counts from here on."""
        fact, name = event.fact, event.fact.instrument_id
        self._expect(not self._waiting, "a fact is applied before anything else", where, "", [], self._waiting)
        concerned = () if fact.kind == "FUNDING" else tuple(self._concerned(fact))
        self._expect(concerned == event.due, "a fact concerns who holds its contract", where, "", concerned, event.due)
        ended = self._ended.get(name)
        self._expect(ended is None, "an ended contract has no facts", where, "", None, fact.fact_id)
        if fact.kind in ENDS:
            self._ended[name] = fact
        self._waiting = list(_names(fact, event.due))

    def _concerned(self, fact: m.ContractFact) -> Iterator[str]:
        name = fact.instrument_id
        for account, instrument in sorted(key for key in self._positions if key[1] == name):
            held = self._positions[account, instrument]
            if held.quantity_e8 or held.realised_e8 != self._settled.get((account, instrument), 0):
                yield from (account,) * (2 if fact.kind in MOVES else 1)
        if fact.kind in ENDS and self._mirrored(name):
            yield ""

    def _mirrored(self, name: str) -> bool:
        """Whether mirrors have contracts of this name."""
        return any(
            amounts.get(name, 0)
            for account, amounts in self._balances.items()
            if not account.startswith("client:") and account != "house:clearing"
        )

    def answered(self, where: str, meta: m.Meta, account: str) -> None:
        """Any entry or parked input: while a fact is being applied, it must be the next part of it."""
        due = meta.cause.source == DUE and not meta.cause.id.startswith((MARGIN, ROUND))
        says = meta.cause.id if due else ""
        wanted = self._waiting.pop(0) if self._waiting else ""
        self._expect(says == wanted, "a fact is applied before anything else", where, account, wanted, says)

    def booked(self, where: str, entry: m.EntryBooked, contract: m.ContractBooking) -> None:
        """An entry that moves contracts, or pays for them."""
        account, key = entry.account_id, (entry.account_id, contract.instrument_id)
        client = f"client:{account}"
        if not contract.instrument_id or entry.position is None:
            return
        before = self._positions.get(key) or m.Position(contract.instrument_id, 0, 0, 0)
        lines = [line for line in entry.lines if line.account == client and line.asset == contract.instrument_id]
        moved_e8 = sum(line.amount_e8 for line in lines)
        self._expect(moved_e8 == contract.quantity_e8, "an entry moves its contracts", where, account, moved_e8,
                     contract.quantity_e8)  # fmt: skip
        right = m.Position(
            contract.instrument_id, before.quantity_e8 + moved_e8,
            before.cost_e8 + contract.paid_e8 + entry.realised_e8, before.realised_e8 + entry.realised_e8,
        )  # fmt: skip
        self._expect(right == entry.position, "positions follow fills", where, account, right, entry.position)
        if "long_e8" in contract.numbers:
            both_e8 = contract.numbers["long_e8"] + contract.numbers["short_e8"]
            self._expect(both_e8 == entry.position.quantity_e8, "both sides are the position", where, account,
                         entry.position.quantity_e8, both_e8)  # fmt: skip
        self._paid(where, entry, contract, client)
        self._settled[key] = contract.settled_e8
        self._follow(entry, contract, entry.position)

    def _paid(self, where: str, entry: m.EntryBooked, contract: m.ContractBooking, client: str) -> None:
        """Profit is paid once: what an option's change was worth, or what of a future's profit was not paid before."""
        paid = dict.fromkeys((client, "house:rounding"), 0)
        for line in entry.lines:
            if line.purpose in PROFIT and line.account in paid:
                paid[line.account] += line.amount_e8
        if contract.ids.get("kind") == "OPTION":
            moves = contract.event in MOVES
            wanted = 0 if moves else -contract.paid_e8
            self._expect(paid[client] == wanted, "profit is paid once", where, entry.account_id, wanted, paid[client])
            return
        before = self._settled.get((entry.account_id, contract.instrument_id), 0)
        wanted = contract.settled_e8 - before
        exact = sum(paid.values())
        self._expect(exact == wanted, "profit is paid once", where, entry.account_id, wanted, exact)

    def _moving(self, fact_id: str) -> list[str]:
        """The contract that a fact ended: its mirrors move with its positions."""
        return [name for name, fact in self._ended.items() if fact.fact_id == fact_id]

    def _follow(self, entry: m.EntryBooked, contract: m.ContractBooking, after: m.Position) -> None:
        """A trade from before the end that came after it: the end applies to it too."""
        fact = self._ended.get(contract.instrument_id)
        due = entry.meta.cause.source == DUE and "parcel_id" not in contract.ids
        if fact is None or (due and contract.fact_id in ("", fact.fact_id)):
            return
        if after.quantity_e8 or after.realised_e8 != contract.settled_e8:
            whose = (entry.account_id,) * (2 if fact.kind in MOVES else 1)
            names = {contract.instrument_id, *self._moving(contract.fact_id)}
            whose += ("",) if any(map(self._mirrored, names)) else ()
            self._waiting += [f"{name}/{entry.entry_id}" for name in _names(fact, whose)]


def _names(fact: m.ContractFact, due: tuple[str, ...]) -> Iterator[str]:
    """How the parts of a fact are called."""
    for place, account in enumerate(due):
        name = f"{fact.fact_id}/{account}"
        if fact.kind in MOVES and account:
            into_new = due[place + 1 : place + 2] == (account,)
            name += f"/{fact.ids['new_instrument_id'] if into_new else fact.instrument_id}"
        yield name
