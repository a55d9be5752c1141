"""What must hold for the journal: entries sum to zero, each fill is booked once and as the venue told it, positions
and credit follow the entries."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from truetape import messages as m
from truetape.audit.answers import Unanswered
from truetape.audit.contract_rules import DUE, ContractRules
from truetape.audit.default_rules import DefaultRules
from truetape.audit.findings import Findings
from truetape.audit.membership import Membership
from truetape.audit.merge import Given
from truetape.audit.parcel_rules import ParcelRules
from truetape.audit.payment_rules import PaymentRules
from truetape.audit.porting_rules import PortingRules
from truetape.audit.round_rules import RoundRules
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

Amounts = dict[str, int]


class Parked(NamedTuple):
    """An input that was set aside."""

    where: str
    account_id: str
    what: str
    """What the books lack; empty when they lack nothing."""
    reason: str
    record: Any
    """The fill, transfer or entry; None when it was something else."""


class LedgerRules:
    """The journal of one partition, with the fills and transfers that it answers and the credit that follows it."""

    def __init__(self, findings: Findings, members: Membership | None = None) -> None:
        self._expect, members = findings.expect, members or Membership()
        self.balances: dict[str, Amounts] = {}
        """Account -> asset -> amount, from the lines alone."""
        self.positions: dict[tuple[str, str], m.Position] = {}
        self.fills: Unanswered[m.OrderFilled] = Unanswered()
        self.transfers: Unanswered[m.TransferApproved] = Unanswered()
        self.entries: Unanswered[m.EntryBooked] = Unanswered()
        self._closed_out: dict[int, m.SidesClosedOut] = {}
        """By offset: risk may say how many contracts are left on each side."""
        self._contracts = ContractRules(findings.expect, self.positions, self.balances)
        self._rounds = RoundRules(findings.expect, members)
        self._portings = PortingRules(findings.expect, self.positions, members)
        self._parcels = ParcelRules(findings.expect, self.balances)
        self._defaults = DefaultRules(findings.expect, self.balances)
        self._payments = PaymentRules(findings.expect)
        self.parked: dict[str, Parked] = {}
        """What is set aside and not resolved, by InputParked."""
        self._behind: dict[str, list[str]] = {}
        """The same of halted accounts: InputParked by account, oldest first."""

    def take(self, given: Given) -> None:
        """One accepted record of the decisions, executions or entries, after its causes."""
        where = f"{given.part}@{given.offset}"
        if given.part.topic == CLEARING_ENTRIES.name and not isinstance(given.message, m.Began):
            self._rounds.take(where, given.message)
            self._payments.take(where, given.message)
        self._portings.take(where, given.message)
        self._defaults.take(where, given.message)
        match given.message:
            case m.OrderFilled() as fill:
                self.fills.add(given.offset, fill)
            case m.TransferApproved() as approved:
                self.transfers.add(given.offset, approved)
            case m.EntryBooked() as entry:
                self._booked(where, given.offset, entry)
            case m.SidesClosedOut() as closed_out:
                self._closed_out[given.offset] = closed_out
            case m.CreditUpdated() as credit:
                self._credited(where, credit)
            case m.InputParked() as parked:
                self._parked(where, parked)
            case m.ContractFactTaken() as taken:
                self._contracts.taken(where, taken)
            case m.ParcelAnswered() as answered:
                self._parcels.taken(where, answered)
            case m.AuctionChanged() as changed:
                self._parcels.decided(where, changed)
            case m.DeleveragingChanged() as closed:
                self._parcels.deleveraged(where, closed)
            case m.ParkedDismissed() as dismissed:
                self._resolve(where, dismissed.account_id, dismissed.release)

    def end(self, where: str) -> None:
        """At the end: everything that was ever booked is zero per asset."""
        self._portings.end(where)
        total: Amounts = {}
        for balances in self.balances.values():
            add(total, balances.items())
        for asset, amount_e8 in total.items():
            self._expect(amount_e8 == 0, "all balances are zero", f"{where} {asset}", "", 0, amount_e8)
        for parked in self.parked.values():
            if parked.what:
                says = f"parked: {parked.reason}"
                self._expect(False, "nothing is set aside", parked.where, parked.account_id, parked.what, says)

    # -- entries ---------------------------------------------------------------------------------------------

    def _booked(self, where: str, offset: int, entry: m.EntryBooked) -> None:
        sums = summed(entry.lines)
        flat = not any(sums.values())
        self._expect(flat, "an entry sums to zero per asset", where, entry.account_id, "0 of each asset", sums)
        if not self._parcels.answered(where, entry.meta, entry.account_id, entry):
            self._contracts.answered(where, entry.meta, entry.account_id)
        for line in entry.lines:
            add(self.balances.setdefault(line.account, {}), [(line.asset, line.amount_e8)])
        if entry.contract is not None:
            self._contracts.booked(where, entry, entry.contract)
        if entry.account_id:  # The house's own change nobody's credit.
            self.entries.add(offset, entry)
        cause = entry.meta.cause
        if entry.kind == "CORRECTION":
            self._expect(
                entry.corrects is not None, "a correction names its entry", where, entry.account_id, "an entry", None
            )
            self._set_position(entry)
        elif entry.release is not None:
            self._released(where, entry, entry.release)
        else:
            self._next(where, entry, cause)

    def _next(self, where: str, entry: m.EntryBooked, cause: m.Cause) -> None:
        """An entry that answers the next fill or transfer: nothing of its account may be parked before it."""
        ahead = self._behind.get(entry.account_id, [])
        self._expect(not ahead, "nothing overtakes what is parked", where, entry.account_id, ahead, entry.entry_id)
        if cause.source == ORDERS_EXECUTIONS.name:
            fill = self._answer(where, self.fills, cause.offset, "booked")
            self._trade(where, entry, fill)
        elif cause.source == ORDERS_DECISIONS.name:
            approved = self._answer(where, self.transfers, cause.offset, "booked")
            self._transfer(where, entry, approved)
        elif entry.contract is not None and cause.source in (CLEARING_COMMANDS.name, DUE):
            self._set_position(entry)
        else:
            self._expect(False, "an entry has a fill or transfer", where, entry.account_id, "one of them", cause.source)

    def _released(self, where: str, entry: m.EntryBooked, release: m.Release) -> None:
        """An entry that an operator asked for: of the oldest input that is set aside of its account."""
        oldest = next(iter(self._behind.get(entry.account_id, [])), None)
        right = release.parked_event_id == oldest
        self._expect(right, "what is parked keeps its order", where, entry.account_id, oldest, release.parked_event_id)
        parked = self._resolve(where, entry.account_id, release)
        record = parked.record if parked is not None else None
        if isinstance(record, m.TransferApproved):
            self._transfer(where, entry, record)
        elif entry.contract is not None and (
            entry.contract.fact_id or {"round_id", "parcel_id"} & entry.contract.ids.keys()
        ):
            self._set_position(entry)
        else:
            self._trade(where, entry, record if isinstance(record, m.OrderFilled) else None)

    def _resolve(self, where: str, account_id: str, release: m.Release) -> "Parked | None":
        """An input is no longer set aside: booked, or dismissed by a named operator with a reason."""
        parked = self.parked.pop(release.parked_event_id, None)
        queue = self._behind.get(account_id, [])
        known = parked is not None and release.parked_event_id in queue
        if known:
            queue.remove(release.parked_event_id)
        left = len(queue) if known else "a parked input"
        says = release.left if known else release.parked_event_id
        self._expect(left == says, "what is parked is resolved once", where, account_id, left, says)
        return parked

    def _trade(self, where: str, entry: m.EntryBooked, fill: m.OrderFilled | None) -> None:
        if fill is None:
            execution = entry.execution_id
            self._expect(False, "a fill is booked once", where, entry.account_id, "no fill to book", execution)
            return
        account = fill.account_id
        right = (entry.account_id, entry.execution_id, entry.filled_e8) == (
            account, fill.execution_id, fill.quantity_e8,
        )  # fmt: skip
        told = f"{entry.account_id} {entry.execution_id} {entry.filled_e8}"
        expected = f"{account} {fill.execution_id} {fill.quantity_e8}"
        self._expect(right, "an entry books its fill", where, account, expected, told)
        mirror = summed(line for line in entry.lines if line.account == f"venue:{fill.venue}")
        got = received(fill) if entry.contract is None else received_contracts(fill, entry.contract)
        wanted = {asset: -amount_e8 for asset, amount_e8 in got.items()}
        booked = {asset: amount_e8 for asset, amount_e8 in mirror.items() if amount_e8}
        same = booked == {asset: amount_e8 for asset, amount_e8 in wanted.items() if amount_e8}
        self._expect(same, "the mirror follows the venue", where, account, wanted, mirror)
        if entry.contract is None:
            self._position(where, entry, fill)
        else:
            self._set_position(entry)

    def _position(self, where: str, entry: m.EntryBooked, fill: m.OrderFilled) -> None:
        """Cost less realised profit is what was paid, whatever the rounding: so it needs no second calculation."""
        account = entry.account_id
        before = self.positions.get((account, fill.instrument_id)) or m.Position(fill.instrument_id, 0, 0, 0)
        client = f"client:{account}"
        principal = summed(line for line in entry.lines if line.account == client and line.purpose == "principal")
        right = m.Position(
            fill.instrument_id,
            before.quantity_e8 + principal.get(fill.base, 0),
            before.cost_e8 - principal.get(fill.quote, 0) + entry.realised_e8,
            before.realised_e8 + entry.realised_e8,
        )
        self._expect(right == entry.position, "positions follow fills", where, account, right, entry.position)
        self._set_position(entry)

    def _set_position(self, entry: m.EntryBooked) -> None:
        if entry.position is not None:
            self.positions[entry.account_id, entry.position.instrument_id] = entry.position

    def _transfer(self, where: str, entry: m.EntryBooked, approved: m.TransferApproved | None) -> None:
        if approved is None:
            self._expect(False, "a transfer is booked once", where, entry.account_id, "no transfer to book", entry.kind)
            return
        terms = approved.transfer
        wanted = {
            f"client:{terms.account_id}": {terms.asset: terms.amount_e8},
            terms.location: {terms.asset: -terms.amount_e8},
        }
        booked: dict[str, Amounts] = {}
        for line in entry.lines:
            add(booked.setdefault(line.account, {}), [(line.asset, line.amount_e8)])
        self._expect(booked == wanted, "an entry books its transfer", where, terms.account_id, wanted, booked)

    # -- credit and parked inputs ----------------------------------------------------------------------------

    def _credited(self, where: str, credit: m.CreditUpdated) -> None:
        if credit.meta.cause.source != CLEARING_ENTRIES.name:
            return
        if (closed := self._closed_out.pop(credit.meta.cause.offset, None)) is not None:
            right = credit.entry_id == closed.command_id and credit.changes == ()
            self._expect(
                right, "closing sides out moves no credit", where, credit.account_id, "nothing", credit.changes
            )
            return
        entry = self._answer(where, self.entries, credit.meta.cause.offset, "credited")
        wanted: Any = "an entry"
        right = entry is not None and entry.entry_id == credit.entry_id
        if entry is not None:
            client = f"client:{entry.account_id}"
            wanted = {a: e8 for a, e8 in summed(x for x in entry.lines if x.account == client).items() if e8}
            right = right and wanted == {change.asset: change.amount_e8 for change in credit.changes}
        self._expect(right, "credit follows entries", where, credit.account_id, wanted, credit.changes)

    def _parked(self, where: str, parked: m.InputParked) -> None:
        """A fill, transfer or entry that was set aside is missing in the books until it is booked or dismissed."""
        cause = parked.meta.cause
        waiting: Unanswered[Any] | None = None
        if cause.source == ORDERS_EXECUTIONS.name and where.startswith(CLEARING_ENTRIES.name):
            waiting = self.fills
        elif cause.source == ORDERS_DECISIONS.name and where.startswith(CLEARING_ENTRIES.name):
            waiting = self.transfers
        elif cause.source == CLEARING_ENTRIES.name:
            waiting = self.entries
        what, record = "", None
        if waiting is not None and (record := self._answer(where, waiting, cause.offset, "answered")) is not None:
            what = f"{type(record).__name__} of {cause.source}/{cause.partition}@{cause.offset}"
        elif cause.source == DUE:
            if not self._parcels.answered(where, parked.meta, parked.account_id, None):
                self._contracts.answered(where, parked.meta, parked.account_id)
            what = f"what was due: {cause.id}"
        elif cause.source.startswith("venue:"):  # It may be a fill that the books lack.
            what = f"report {cause.id} of {cause.source}"
        self.parked[parked.meta.event_id] = Parked(where, parked.account_id, what, parked.reason, record)
        if parked.halts_account:
            self._behind.setdefault(parked.account_id, []).append(parked.meta.event_id)

    def _answer(self, where: str, waiting: Unanswered[Any], offset: int, word: str) -> Any:
        found, skipped = waiting.answer(offset)
        for at, record in skipped:
            what = f"{type(record).__name__} at offset {at}"
            account = getattr(record, "account_id", "") or record.transfer.account_id
            self._expect(False, f"nothing is left out when {word}", where, account, what, "passed over")
        return found


def received(fill: m.OrderFilled) -> Amounts:
    """What the venue's account got by a fill, per asset."""
    sign = 1 if fill.side == "BUY" else -1
    found: Amounts = {}
    add(found, [(fill.base, sign * fill.quantity_e8), (fill.quote, -sign * fill.quote_amount_e8)])
    add(found, [(fill.fee_asset, -fill.fee_e8)] if fill.fee_e8 else [])
    return found


def received_contracts(fill: m.OrderFilled, contract: m.ContractBooking) -> Amounts:
    """The same of a fill in contracts: contracts, the venue's fee, and an option's premium as the entry has it."""
    sign = 1 if fill.side == "BUY" else -1
    found: Amounts = {}
    add(found, [(contract.instrument_id, sign * fill.quantity_e8)])
    add(found, [(fill.fee_asset, -fill.fee_e8)] if fill.fee_e8 else [])
    add(found, [(contract.settlement_asset, -contract.numbers.get("premium_e8", 0))])
    return found


def summed(lines: Iterable[m.Line]) -> Amounts:
    """Sum of lines per asset."""
    found: Amounts = {}
    add(found, ((line.asset, line.amount_e8) for line in lines))
    return found


def add(amounts: Amounts, changes: Iterable[tuple[str, int]]) -> None:
    """Add changes to amounts, in place."""
    for asset, amount_e8 in changes:
        amounts[asset] = amounts.get(asset, 0) + amount_e8
