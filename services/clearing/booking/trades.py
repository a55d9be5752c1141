"""Trades in contracts: a venue's fill, one side of a trade with the clearing house, and taking an entry back."""

from typing import Any, Final

from services.clearing.across.pursuit import whose
from services.clearing.booking import contracts, ledger, positions, volume
from services.clearing.booking.contracts import HOUSE, ContractRefused, Draft, Held
from services.clearing.state import UNKNOWN, UNLISTED, State
from truetape import funding
from truetape.codec import decode
from truetape.errors import MoneyError, SchemaError, TruetapeError
from truetape.messages import (
    BookTrade,
    ClearingRefusal,
    ClearingRefused,
    ContractEvent,
    ContractTerms,
    CorrectEntry,
    EntryBooked,
    Fees,
    Line,
    Liquidity,
    OrderFilled,
)
from truetape.money import divide, from_e8
from truetape.reference import Reference
from truetape.service import Input

DETAIL_MAX: Final = 1_000
REASON_MAX: Final = 500
FUNDING: Final = "funding"
"""Purpose of lines that a reversal leaves alone: they were due on the position before the trade."""
MOVED: Final[dict[str, ContractEvent]] = {"GIVE_UP": "GIVE_UP", "TAKE_UP": "TAKE_UP", "ALLOCATION": "ALLOCATION"}
"""Events of legs that move between accounts."""
_NEVER: Final = Held()


class ContractUnknown(ContractRefused):
    """A fill in an instrument that the reference data does not know, and that is no spot pair."""


class TradeAfterExpiry(ContractRefused):
    """A fill that was made after its contract had ended."""


def terms_of(fill: OrderFilled, reference: Reference) -> ContractTerms | None:
    """The terms of a fill's contract; None for spot. Raises ContractUnknown rather than take one for the other."""
    instrument = reference.instruments.get(fill.instrument_id)
    if instrument is not None:
        return instrument.contract
    if fill.instrument_id != f"{fill.base}-{fill.quote}":
        raise ContractUnknown(f"{fill.instrument_id} is not in the reference data: define it, then release the input")
    return None


def draft_of(state: State, account_id: str, instrument_id: str, terms: ContractTerms, index_e18: int) -> Draft:
    """An account's position in a contract as it stands, its funding paid up to this index."""
    account = state.accounts.get(account_id, UNKNOWN)
    held, position = account.contracts.get(instrument_id), account.positions.get(instrument_id)
    made = contracts.draft(account_id, instrument_id, terms, position, held or _NEVER)
    contracts.accrue(made, index_e18)
    return made


def held_e8(state: State, account_id: str, instrument_id: str) -> int:
    """Contracts that an account holds now, signed."""
    held = state.accounts.get(account_id, UNKNOWN).positions.get(instrument_id)
    return held.quantity_e8 if held is not None else 0


def index_of(state: State, instrument_id: str) -> int:
    """The funding index of a contract now, in units of 1e-18 of the settlement asset per contract."""
    return int(state.contracts.get(instrument_id, UNLISTED).funding_index_e18)


def fill_of_contract(state: State, given: Input, fill: OrderFilled, terms: ContractTerms) -> EntryBooked:
    """The entry of a venue's fill: contracts against the venue's mirror, money against the clearing house."""
    sign = 1 if fill.side == "BUY" else -1
    assert fill.quantity_e8 > 0, "a fill has a quantity"
    if terms.expires_at_us is not None and fill.transacted_at_us > terms.expires_at_us:
        raise TradeAfterExpiry(f"{fill.execution_id}: {fill.instrument_id} expired before it; ask the venue to bust it")
    _assert_price(fill.price_e8, terms)
    venue, fees = "venue:" + fill.venue, fees_of(state, given, fill.account_id)
    made = draft_of(state, fill.account_id, fill.instrument_id, terms, index_of(state, fill.instrument_id))
    contracts.trade(made, sign * fill.quantity_e8, fill.price_e8, venue)
    contracts.charge_venue(made, venue, fill.fee_asset, fill.fee_e8)
    contracts.charge(made, fill.quantity_e8, fill.price_e8, rate_e8(fees, fill.liquidity))
    made.ids["liquidity"] = fill.liquidity
    if fill.position_effect:
        made.ids["position_effect"] = fill.position_effect
    entry = contracts.entry(
        made, given.meta(fill.order_id), fill.execution_id, "TRADE", "TRADE", ledger.trade_rule(fill.liquidity, fees),
        fill.transacted_at_us, order_id=fill.order_id, execution_id=fill.execution_id, filled_e8=fill.quantity_e8,
    )  # fmt: skip
    return checked(state, entry)


def book(state: State, given: Input, command: BookTrade) -> EntryBooked | ClearingRefused:
    """One side of a trade with the clearing house. The same trade id is booked once."""
    account = state.accounts.get(command.account_id, UNKNOWN)
    instrument = given.tables.reference.instruments.get(command.instrument_id)

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return refused(given, command.command_id, command.account_id, command, reason, detail)

    if command.trade_id in account.fills.ids:
        return no("COMMAND_REPEATED", f"trade {command.trade_id} is booked already")
    if command.account_id not in given.tables.reference.accounts:
        return no("ACCOUNT_UNKNOWN", "open the account first")
    if command.account_id in state.halted:
        return no("ACCOUNT_HALTED", f"see `truetape parked --account {command.account_id}`")
    if command.account_id in state.deleveragings.running:
        return no("STATE_WRONG", "its positions are being deleveraged: holders were asked for all of them")
    if instrument is None:
        return no("INSTRUMENT_UNKNOWN", "define it first")
    if (terms := instrument.contract) is None:
        return no("NOT_A_CONTRACT", "spot trades with the clearing house are deposits and withdrawals")
    ended_us = terms.expires_at_us
    late = ended_us is not None and command.transacted_at_us > ended_us
    reserved = command.trade_id in state.legs.asked  # Decided before the end: the end applies to it too.
    if not reserved and (late or state.contracts.get(command.instrument_id, UNLISTED).ended is not None):
        return no("CONTRACT_EXPIRED", "it has ended")
    if command.quantity_e8 <= 0:
        return no("NUMBERS_WRONG", "quantity must be above zero; the side says which way")
    try:
        _assert_price(command.price_e8, terms)
        return _booked(state, given, command, terms)
    except MoneyError as error:
        return no("AMOUNT_TOO_LARGE", str(error))
    except TruetapeError as error:
        return no("PRICE_OUT_OF_RANGE", str(error))


def _booked(state: State, given: Input, command: BookTrade, terms: ContractTerms) -> EntryBooked:
    sign = 1 if command.side == "BUY" else -1
    fees = fees_of(state, given, command.account_id)
    index_e18 = index_of(state, command.instrument_id)
    made = draft_of(state, command.account_id, command.instrument_id, terms, index_e18)
    made.ids |= {"reference": command.reference, "requested_by": command.requested_by, "liquidity": command.liquidity}
    event = MOVED.get(command.event)
    if event is None:
        contracts.trade(made, sign * command.quantity_e8, command.price_e8, HOUSE)
        contracts.charge(made, command.quantity_e8, command.price_e8, rate_e8(fees, command.liquidity))
        rule = ledger.trade_rule(command.liquidity, fees)
    else:
        assert command.cost_e8 is not None, "a leg that moves has its cost"
        contracts.move_leg(made, sign * command.quantity_e8, command.price_e8, command.cost_e8)
        made.ids["closes"] = command.closes
        rule = "moved at its cost, no fee"
    entry = contracts.entry(
        made, given.meta(command.command_id), command.trade_id, event or "TRADE", "TRADE", rule,
        command.transacted_at_us, filled_e8=command.quantity_e8, external_reference=command.reference or None,
    )  # fmt: skip
    return checked(state, entry)


def fees_of(state: State, given: Input, account_id: str) -> Fees:
    """The rates that an account meets now: its tier's, by what it traded."""
    volumes = state.accounts.get(account_id, UNKNOWN).volumes
    return volume.fees_now(given.tables.reference.fees_of(account_id), volumes, given.at_us)


def rate_e8(fees: Fees, liquidity: Liquidity) -> int:
    """The house's rate; negative is a rebate."""
    return fees.maker_rate_e8 if liquidity == "MAKER" else fees.taker_rate_e8


def checked(state: State, entry: EntryBooked) -> EntryBooked:
    """The entry, when it sums to zero and its balances fit. Raises MoneyError."""
    ledger.assert_balanced(entry.lines)
    ledger.assert_fitting(state.balances, entry.lines)
    return entry


def _assert_price(price_e8: int, terms: ContractTerms) -> None:
    if price_e8 <= 0 and not terms.signed_price:
        raise ContractRefused(f"price {from_e8(price_e8)} is not above zero, which this contract does not allow")


# -- corrections ------------------------------------------------------------------------------------------------------


def correct(state: State, given: Input, command: CorrectEntry) -> EntryBooked | ClearingRefused:
    """Take an entry back by one that names it; once, and only an entry that this ledger remembers."""
    account = state.accounts.get(command.account_id, UNKNOWN)

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return refused(given, command.command_id, command.account_id, command, reason, detail)

    if not 1 <= len(command.reason.strip()) <= REASON_MAX:
        return no("REASON_MISSING", f"say why in 1 to {REASON_MAX} characters: it stands on the tape for ever")
    if f"correction:{command.entry_id}" in account.fills.ids:
        return no("ENTRY_CORRECTED", "it is taken back already")
    if command.entry_id not in account.fills.ids and command.entry_id not in account.transfers.ids:
        return no("ENTRY_UNKNOWN", "it is none of the entries that are remembered of the account")
    if command.account_id in state.halted:
        return no("ACCOUNT_HALTED", f"see `truetape parked --account {command.account_id}`")
    if command.account_id in state.deleveragings.running:
        return no("STATE_WRONG", "its positions are being deleveraged: correct it after that")
    try:
        entry = decode(command.entry)
    except SchemaError as error:
        return no("ENTRY_DIFFERENT", str(error))
    told = (command.entry_id, command.account_id)
    if not isinstance(entry, EntryBooked) or (entry.entry_id, entry.account_id) != told:
        return no("ENTRY_DIFFERENT", "its bytes are another entry's")
    try:
        return checked(state, _reversed(state, given, command, entry))
    except TruetapeError as error:
        return no("UNSUPPORTED", str(error))


def _reversed(state: State, given: Input, command: CorrectEntry, entry: EntryBooked) -> EntryBooked:
    if entry.contract is not None:
        return _reversed_contract(state, given, command, entry)
    account = state.accounts.get(command.account_id, UNKNOWN)
    held = account.positions.get(entry.position.instrument_id) if entry.position is not None else None
    return ledger.reversal(entry, held, given.meta(command.command_id))


def _reversed_contract(state: State, given: Input, command: CorrectEntry, entry: EntryBooked) -> EntryBooked:
    """A trade in contracts is undone as if it had never been: what it caused in funding since comes back too."""
    booked = entry.contract
    assert booked is not None
    instrument = given.tables.reference.instruments.get(booked.instrument_id)
    if booked.event != "TRADE" or instrument is None or instrument.contract is None:
        raise ledger.NotCorrectable(f"{entry.entry_id} books {booked.event}: only trades are taken back")
    if state.contracts.get(booked.instrument_id, UNLISTED).ended is not None:
        raise ledger.NotCorrectable(f"{booked.instrument_id} has ended: settle the difference by a transfer")
    _require_leg(state, entry)
    index_e18 = index_of(state, booked.instrument_id)
    made = draft_of(state, entry.account_id, booked.instrument_id, instrument.contract, index_e18)
    _give_funding_back(made, booked.quantity_e8, int(booked.funding_index_e18))
    made.lines += [
        Line(line.account, line.asset, -line.amount_e8, line.purpose) for line in entry.lines if line.purpose != FUNDING
    ]
    made.position = positions.undo(made.position, booked.quantity_e8, booked.paid_e8, entry.realised_e8)
    made.paid_e8, made.counterparty = -booked.paid_e8, booked.counterparty
    if instrument.contract.kind == "OPTION":
        made.settled_e8 = made.position.realised_e8
    made.ids |= {"reason": command.reason, "requested_by": command.requested_by}
    made.numbers |= {
        "notional_e8": -booked.numbers.get("notional_e8", 0), "traded_at_us": entry.meta.decided_at_us,
    }  # fmt: skip
    if effect := booked.ids.get("position_effect", ""):
        made.ids["position_effect"] = effect
    event: ContractEvent = "BUST" if command.busted else "CORRECTION"
    return contracts.entry(
        made, given.meta(command.command_id), f"correction:{entry.entry_id}", event, "CORRECTION", "reversal",
        given.at_us, order_id=entry.order_id, corrects=entry.entry_id, external_reference=entry.external_reference,
    )  # fmt: skip


def _require_leg(state: State, entry: EntryBooked) -> None:
    """Raises NotCorrectable when the entry's leg is not the account's any more, or about to leave it."""
    if entry.contract is None or whose(entry.contract.ids.get("requested_by", "")) is None:
        return
    if entry.entry_id not in state.legs.open.get(entry.account_id, {}):
        raise ledger.NotCorrectable(f"leg {entry.entry_id} was moved or compressed: book the reverse trade")
    if any(one.event.leg.leg_id == entry.entry_id for one in state.moves.values()):
        raise ledger.NotCorrectable(f"leg {entry.entry_id} is being moved: withdraw that first")


def _give_funding_back(made: Draft, quantity_e8: int, since_e18: int) -> None:
    """Funding that the trade's contracts have paid since: taken back, rounded down."""
    if moved_e18 := made.index_e18 - since_e18:
        amount_e8 = funding.payment(-quantity_e8, since_e18, made.index_e18)
        exact_e8 = divide(quantity_e8 * moved_e18, funding.ONE_E18, "half_even")[0]
        made.numbers["funding_returned_e8"] = amount_e8
        contracts.pay(made, amount_e8, exact_e8, FUNDING)


def refused(
    given: Input, command_id: str, account_id: str, command: Any, reason: ClearingRefusal, detail: str,
    numbers: dict[str, int] | None = None,
) -> ClearingRefused:  # fmt: skip
    """The answer to a command that changes nothing."""
    said = getattr(command, "requested_by", "") or getattr(getattr(command, "fact", None), "requested_by", "")
    return ClearingRefused(
        given.meta(command_id), command_id, account_id, type(command).__name__, said, reason, detail[:DETAIL_MAX],
        numbers or {},
    )  # fmt: skip
