"""Parcels: what a decision of one partition makes accounts of other partitions get and give, all of it or none.

An auction or a deleveraging has a home; who takes part of it lives in a partition of his own. The home asks that
partition to take a parcel (`TakeParcel`); there one record takes it, after a look at the account's margin with it, or
refuses it (`ParcelAnswered`), and its entries follow at once, before any other input. The home is told (`TellParcel`)
and books the other side by its own record. The other side of everything is `house:clearing`, so that each partition's
entries sum to zero, and both together leave it flat. A parcel is taken once, whoever asks how often.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.booking import contracts, ledger, positions, trades
from services.clearing.booking.contracts import HOUSE, Draft
from services.clearing.closeout import ranking
from services.clearing.defaults.waterfalls import in_default
from services.clearing.margining import drafted
from services.clearing.margining.margin import seen_by
from services.clearing.state import (
    PARCELS_KEPT,
    UNLISTED,
    Asked,
    Booking,
    Parcels,
    Pursued,
    State,
)
from truetape import ids
from truetape.errors import MarginError, TruetapeError
from truetape.messages import (
    BookLeg,
    ClearingRefused,
    ContractEvent,
    EntryBooked,
    Line,
    Parcel,
    ParcelAnswered,
    ParcelLeg,
    ParcelsAskedAgain,
    TakeParcel,
    TellParcel,
)
from truetape.money import fits, from_e8
from truetape.service import DUE, Input

INSURANCE: Final = "house:insurance"
"""The insurance fund: the sum of its balances over all partitions."""
DUE_PREFIX: Final = "parcel:"
DOUBLED_MAX: Final = 5
"""How often the time to the next asking doubles: to 160 seconds. It may wait for no more than its partition."""
TAKEN: Final = "TAKEN"
REFUSED: Final = "REFUSED"
_EVENTS: Final[dict[str, ContractEvent]] = {
    "AUCTION_TRANSFER": "AUCTION_TRANSFER",
    "AUTO_DELEVERAGING": "AUTO_DELEVERAGING",
    "TEAR_UP": "TEAR_UP",
    "INSURANCE_FUND": "INSURANCE_FUND",
}
_RULES: Final = {"AUCTION": "auction", "DELEVERAGING": "ADL", "PARTIAL_TEAR_UP": "torn up pro rata"}
_PURPOSES: Final = {"AUCTION": "auction", "DELEVERAGING": "deleveraging", "PARTIAL_TEAR_UP": "tear_up"}


def contract_leg(instrument_id: str, asset: str, quantity_e8: int, price_e8: int, event: ContractEvent) -> ParcelLeg:
    """Contracts at a price, against the clearing house."""
    return ParcelLeg(instrument_id, asset, quantity_e8, price_e8, 0, "", HOUSE, event)


def money_leg(asset: str, amount_e8: int, ledger_account: str, other: str, event: ContractEvent) -> ParcelLeg:
    """Money that a ledger account gets from another; negative: gives."""
    return ParcelLeg("", asset, 0, 0, amount_e8, ledger_account, other, event)


def mirrored(legs: Iterable[ParcelLeg]) -> list[ParcelLeg]:
    """The other side of contracts; money is the home's own business."""
    return [replace(leg, quantity_e8=-leg.quantity_e8) for leg in legs if leg.instrument_id]


# -- in the partition of who gets it -----------------------------------------------------------------------------------


def take(state: State, given: Input, command: TakeParcel) -> ParcelAnswered:
    """Take a parcel whole (a forced one as far as the position reaches), or refuse it by name; once."""
    parcel = command.parcel
    if (known := state.parcels.answered.get(parcel.parcel_id)) is not None:
        return replace(known, meta=given.meta(parcel.parcel_id), command_id=command.command_id, repeated=True)
    reason, detail = _objection(state, given, parcel)
    if not reason and parcel.forced:
        parcel = replace(parcel, legs=_within(state, parcel))
        reason = "" if parcel.legs else "NOTHING_HELD"
    numbers: dict[str, int] = {}
    names: dict[str, str] = {}
    if not reason and not parcel.forced:
        try:
            reason, detail, numbers, names = _margin(state, given, parcel)
        except MarginError as error:
            reason, detail = "MARK_MISSING", str(error)
        except TruetapeError as error:
            reason, detail = "AMOUNT_TOO_LARGE", str(error)
    return ParcelAnswered(
        given.meta(parcel.parcel_id), command.command_id, command.account_id, parcel, REFUSED if reason else TAKEN,
        False, reason, detail[: trades.DETAIL_MAX], numbers, names,
    )  # fmt: skip


def _objection(state: State, given: Input, parcel: Parcel) -> tuple[str, str]:
    """What is against it before any number is looked at; empty when nothing is."""
    who, reference = parcel.account_id, given.tables.reference
    if who not in reference.accounts:
        return "ACCOUNT_UNKNOWN", f"account {who} is not open"
    if who in state.halted:
        return "ACCOUNT_HALTED", f"see `truetape parked --account {who}`"
    if given.at_us > parcel.expires_at_us:
        return "DEADLINE_PASSED", f"it could be had until {parcel.expires_at_us}"
    if parcel.forced and (why := ranking.busy(state, who)):
        return "ACCOUNT_BUSY", why
    if reference.trading_state_of(who) != "ACTIVE" and not parcel.forced:
        return "ACCOUNT_HALTED", f"account {who} may not trade now"
    if not parcel.forced and (who in state.watch.liquidations or in_default(state, who)):
        return "ACCOUNT_HALTED", f"account {who} is being liquidated or in default, and takes no new risk"
    if not parcel.forced and who in state.portings.open:
        return "ACCOUNT_HALTED", f"the member of account {who} is in default: it only reduces until it has another"
    for leg in parcel.legs:
        instrument = reference.instruments.get(leg.instrument_id) if leg.instrument_id else None
        if leg.instrument_id and (instrument is None or instrument.contract is None):
            return "NOT_A_CONTRACT", f"{leg.instrument_id} is no contract of the reference data here"
        if state.contracts.get(leg.instrument_id, UNLISTED).ended is not None:
            return "CONTRACT_EXPIRED", f"{leg.instrument_id} has ended"
    return "", ""


def _within(state: State, parcel: Parcel) -> tuple[ParcelLeg, ...]:
    """Legs that only reduce: each cut to the position that is there."""
    found = []
    for leg in parcel.legs:
        held_e8 = trades.held_e8(state, parcel.account_id, leg.instrument_id)
        if quantity_e8 := positions.reducing_e8(held_e8, leg.quantity_e8):
            found.append(replace(leg, quantity_e8=quantity_e8))
    return tuple(found)


def _margin(state: State, given: Input, parcel: Parcel) -> tuple[str, str, dict[str, int], dict[str, str]]:
    """The account's margin with the parcel: it must reach what new risk needs. Raises MarginError and MoneyError."""
    made, who = drafted.drafts(state, given, parcel.account_id), ledger.client(parcel.account_id)
    for leg in parcel.legs:
        if leg.instrument_id:
            made[leg.instrument_id] = draft = made.get(leg.instrument_id) or _draft(state, given, parcel, leg)
            contracts.trade(draft, leg.quantity_e8, leg.price_e8, HOUSE)
    cash = drafted.balances(state, parcel.account_id, made)
    for leg in parcel.legs:
        if leg.ledger == who:
            cash[leg.asset] = fits(cash.get(leg.asset, 0) + leg.amount_e8)
    seen = seen_by(given)
    numbers: dict[str, int] = {}
    names: dict[str, str] = {}
    for asset, margin in drafted.assessed(cash, made, seen).items():
        numbers |= {
            f"equity_e8:{asset}": margin.equity_e8,
            f"initial_e8:{asset}": margin.initial_e8,
        }
        names[f"models:{asset}"] = ",".join(margin.models)
        names |= {f"mark:{one.instrument_id}": f"{one.epoch}/{one.sequence}" for one in margin.marks}
        if margin.initial_excess_e8 < 0:
            have, need = from_e8(margin.equity_e8), from_e8(margin.initial_e8)
            detail = f"with it the account would have {have} {asset} and need {need}"
            return "INSUFFICIENT_MARGIN", detail, numbers, names
    return "", "", numbers, names


def _draft(state: State, given: Input, parcel: Parcel, leg: ParcelLeg) -> Draft:
    instrument = given.tables.reference.instruments[leg.instrument_id]
    assert instrument.contract is not None, "checked"
    index_e18 = trades.index_of(state, leg.instrument_id)
    return trades.draft_of(state, parcel.account_id, leg.instrument_id, instrument.contract, index_e18)


# -- booking, on both sides --------------------------------------------------------------------------------------------


def due(state: State) -> tuple[str, BookLeg] | None:
    """The next leg of the parcel that is being booked, under an id of its own."""
    if (booking := state.parcels.booking) is None:
        return None
    asked = BookLeg(
        booking.account_id, booking.parcel_id, booking.home_id, booking.kind, booking.done,
        booking.legs[booking.done], booking.decided_at_us,
    )  # fmt: skip
    return f"{DUE_PREFIX}{entry_id(asked)}", asked


def entry_id(asked: BookLeg) -> str:
    """The parcel and the leg's place in it."""
    return f"{asked.parcel_id}/{asked.number}"


def book_next(state: State, given: Input, asked: BookLeg) -> EntryBooked | ClearingRefused:
    """The leg that is due; behind what is parked of the account it is parked too. Raises LedgerError or MoneyError."""
    if given.cause.source != DUE:
        detail = "clearing books parcels by itself, once they are taken"
        return trades.refused(given, entry_id(asked), asked.account_id, asked, "UNSUPPORTED", detail)
    if asked.account_id in state.halted:
        raise ledger.AccountHalted(f"account {asked.account_id} is halted: the leg waits behind what is parked")
    return book(state, given, asked)


def book(state: State, given: Input, asked: BookLeg) -> EntryBooked:
    """The entry of one leg. Raises LedgerError or MoneyError: then it is parked."""
    leg = asked.leg
    names = {"parcel_id": asked.parcel_id, "home_id": asked.home_id}
    if not leg.instrument_id:
        return trades.checked(state, _money(given, asked, names))
    instrument = given.tables.reference.instruments.get(leg.instrument_id)
    if instrument is None or instrument.contract is None:
        raise contracts.ContractRefused(f"{leg.instrument_id} is no contract of the reference data any more")
    index_e18 = trades.index_of(state, leg.instrument_id)
    made = trades.draft_of(state, asked.account_id, leg.instrument_id, instrument.contract, index_e18)
    contracts.trade(made, leg.quantity_e8, leg.price_e8, HOUSE)
    made.ids |= names
    made.numbers |= leg.numbers
    entry = contracts.entry(
        made, given.meta(asked.parcel_id), entry_id(asked), _EVENTS[leg.event], "TRANSFER", _RULES[asked.kind],
        asked.decided_at_us, external_reference=asked.parcel_id,
    )  # fmt: skip
    return trades.checked(state, entry)


def _money(given: Input, asked: BookLeg, names: dict[str, str]) -> EntryBooked:
    leg, purpose = asked.leg, _PURPOSES[asked.kind]
    lines = (
        Line(leg.ledger, leg.asset, leg.amount_e8, purpose),
        Line(leg.other, leg.asset, -leg.amount_e8, purpose),
    )
    return contracts.money_entry(
        given.meta(asked.parcel_id), entry_id(asked), asked.account_id, _EVENTS[leg.event], leg.asset, leg.other, lines,
        _RULES[asked.kind], asked.decided_at_us, numbers={"amount_e8": leg.amount_e8}, ids=names,
        external_reference=asked.parcel_id,
    )  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def begin_booking(state: State, booking: Booking) -> None:
    """Its entries are due, before anything else."""
    assert state.parcels.booking is None, "one parcel is booked at a time"
    if booking.legs:
        state.parcels.booking = booking


def applied(state: State) -> None:
    """A leg is booked, or set aside: the next one."""
    booking = state.parcels.booking
    assert booking is not None, "something was due"
    booking.done += 1
    if booking.done == len(booking.legs):
        state.parcels.booking = None


def answered(state: State, event: ParcelAnswered) -> None:
    """It is taken or refused for good; what is taken is booked next."""
    if event.repeated:
        return
    parcel, parcels = event.parcel, state.parcels
    parcels.answered[parcel.parcel_id] = event
    if (forgotten := parcels.recent.add(parcel.parcel_id, PARCELS_KEPT)) is not None:
        del parcels.answered[forgotten]
    if event.state == TAKEN:
        at_us = event.meta.decided_at_us
        begin_booking(
            state, Booking(parcel.parcel_id, parcel.account_id, parcel.home_id, parcel.kind, parcel.legs, at_us)
        )


def ask(parcels: Parcels, subject_id: str, found: Iterable[Parcel], at_us: int) -> None:
    """The home waits for these parcels."""
    for parcel in found:
        parcels.asked[parcel.parcel_id] = Asked(parcel, subject_id)
        parcels.pursued[subject_id] = Pursued(at_us)


def close(parcels: Parcels, parcel_id: str) -> None:
    """The home has its answer."""
    closed = parcels.asked.pop(parcel_id)
    if all(one.subject_id != closed.subject_id for one in parcels.asked.values()):
        del parcels.pursued[closed.subject_id]


def asked_again(state: State, event: ParcelsAskedAgain) -> None:
    """When it was asked last, and how often."""
    state.parcels.pursued[event.subject_id] = Pursued(event.meta.decided_at_us, event.attempt)


# -- pursuit -----------------------------------------------------------------------------------------------------------


def overdue(state: State, subject_id: str, at_us: int) -> int | None:
    """The number of the next asking, when it is time for it."""
    known = state.parcels.pursued.get(subject_id)
    if known is None or not pursuit.overdue(known.asked_at_us, known.attempts, at_us, DOUBLED_MAX):
        return None
    return known.attempts + 1


class Sent(Struct, frozen=True):
    """A command for some account's partition, or for a named one."""

    account_id: str
    command: TakeParcel | TellParcel


def asked_of(state: State, subject_id: str = "") -> Iterator[Sent]:
    """The commands for what is still waited for, of one auction or deleveraging or of all."""
    for name, one in sorted(state.parcels.asked.items()):
        if not subject_id or one.subject_id == subject_id:
            yield asked(one.parcel, name)


def asked(parcel: Parcel, name: str) -> Sent:
    """The command that asks for a parcel."""
    return Sent(parcel.account_id, TakeParcel(f"take:{name}", parcel.account_id, parcel))


def told(event: ParcelAnswered) -> Sent:
    """What a partition tells the home."""
    parcel = event.parcel
    legs = parcel.legs if event.state == TAKEN else ()
    command = TellParcel(
        f"tell:{parcel.parcel_id}", parcel.home_id, parcel.parcel_id, parcel.account_id, event.state, legs,
        event.reason, event.detail,
    )  # fmt: skip
    return Sent(parcel.home_id, command)


def parcel_of(
    subject_id: str, part: str, account_id: str, home_id: str, kind: str, legs: tuple[ParcelLeg, ...],
    expires_at_us: int, *, forced: bool = False,
) -> Parcel:  # fmt: skip
    """A parcel under an id made of what it is part of."""
    name = ids.parcel_id(subject_id, part)
    return Parcel(name, account_id, home_id, kind, forced, expires_at_us, legs)
