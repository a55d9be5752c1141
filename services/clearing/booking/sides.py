"""Long and short sides of accounts whose terms ask for it, in the ledger: cut from its own entries (truetape/cuts.py).

The net position at average cost stays the book that pays cash and margin. An entry of such an account says beside it
how its position is cut from here on: which terms, contracts long and short, and the profit that this cut realised.
Terms that change hold for what is opened after the position was closed.
"""

from typing import Final

from msgspec.structs import replace

from services.clearing.booking import trades
from services.clearing.state import TRANSFERS_KEPT, UNKNOWN, Account, State
from truetape import cuts
from truetape.messages import (
    AccountTerms,
    ClearingRefusal,
    ClearingRefused,
    CloseOut,
    ContractFactTaken,
    EntryBooked,
    SidesClosedOut,
)
from truetape.money import from_e8
from truetape.service import Input

DEFAULT: Final = AccountTerms("NETTING", "AVERAGE")


def told(state: State, given: Input, entry: EntryBooked) -> EntryBooked:
    """The entry with what it does to its account's cut, if the account has one. Raises MoneyError."""
    booked = entry.contract
    if booked is None or entry.position is None or not booked.instrument_id:
        return entry
    account, reference = state.accounts.get(entry.account_id, UNKNOWN), given.tables.reference
    known, terms = account.cuts.get(booked.instrument_id), reference.account_terms.get(entry.account_id)
    instrument = reference.instruments.get(booked.instrument_id)
    if (terms is None and known is None) or instrument is None or instrument.contract is None:
        return entry
    said, position = terms or DEFAULT, account.positions.get(booked.instrument_id)
    before = cuts.before(known, said.positions, said.costs, position)
    ids = {"positions": before.positions, "costs": before.costs, "style": instrument.contract.style}
    if instrument.contract.kind == "OPTION":
        ids["style"] = "LINEAR"
    marked = replace(booked, ids=booked.ids | ids)
    after = cuts.copied(before)
    cuts.follow(after, entry.entry_id, marked, entry.position.quantity_e8)
    numbers = {
        "cut_realised_e8": after.realised_e8 - before.realised_e8, "long_e8": after.long_e8,
        "short_e8": after.short_e8,
    }  # fmt: skip
    return replace(entry, contract=replace(marked, numbers=marked.numbers | numbers))


def follow(account: Account, entry: EntryBooked) -> None:
    """An entry is booked; its account's position is still as before."""
    booked = entry.contract
    if booked is None or entry.position is None or "positions" not in booked.ids:
        return
    name, terms = booked.instrument_id, booked.ids
    cut = cuts.before(account.cuts.get(name), terms["positions"], terms["costs"], account.positions.get(name))
    cuts.follow(cut, entry.entry_id, booked, entry.position.quantity_e8)
    account.cuts[name] = cut


def close_out(state: State, given: Input, command: CloseOut) -> SidesClosedOut | ClearingRefused:
    """Close long contracts against short ones: no money moves, since the net position stays as it is."""
    account = state.accounts.get(command.account_id, UNKNOWN)
    cut = account.cuts.get(command.instrument_id)

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    if command.command_id in account.transfers.ids:
        return no("COMMAND_REPEATED", "it is done already")
    if command.account_id in state.halted:
        return no("ACCOUNT_HALTED", f"see `truetape parked --account {command.account_id}`")
    most_e8 = cuts.closable(cut) if cut is not None else 0
    if cut is None or not 0 < command.quantity_e8 <= most_e8:
        return no("NUMBERS_WRONG", f"the account has {from_e8(most_e8)} contracts on both sides: close at most so many")
    after = cuts.copied(cut)
    realised_e8 = cuts.close_out(after, command.quantity_e8)
    return SidesClosedOut(
        given.meta(command.command_id), command.command_id, command.account_id, command.instrument_id,
        command.quantity_e8, command.requested_by, realised_e8, after.long_e8, after.short_e8,
    )  # fmt: skip


def closed_out(state: State, event: SidesClosedOut) -> None:
    """Both sides are smaller."""
    account = state.accounts[event.account_id]
    cuts.close_out(account.cuts[event.instrument_id], event.quantity_e8)
    account.transfers.add(event.command_id, TRANSFERS_KEPT)


def ended(state: State, event: ContractFactTaken) -> None:
    """The contract has ended: both sides are closed against each other, and the entries to come close what is left."""
    for account_id in sorted(state.accounts):
        cut = state.accounts[account_id].cuts.get(event.fact.instrument_id)
        if cut is not None and (size_e8 := cuts.closable(cut)):
            cuts.close_out(cut, size_e8)
