"""Deleveraging as events: what no venue and no bidder takes is closed against holders of the other side.

    RANKING   a round asks all partitions who holds the other side, and home puts them in one order (ranking.py)
    CLOSING   each holder's part is asked for as a parcel that takes no more than he holds then; as each answers, the
              account's own side is booked for just that much, so both sides sum to zero to the unit
    ENDED     CLOSED: nothing is left; LEFT: nobody who may be asked holds the other side any more

What was not there any more (a holder has closed himself meanwhile) is asked for again by another ranking. The account
is under liquidation all the while: risk takes no order and no leg of it, and none is open, so nothing else closes it.
First holders in profit give up their gain at the bankruptcy price. What is left of an account in default is then torn
up: all holders lose contracts in proportion, at the mark, and the loss goes the way of the waterfall.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from services.clearing.across import parcels, pursuit
from services.clearing.booking import contracts, trades
from services.clearing.closeout import auction, closing
from services.clearing.closeout.closing import Books
from services.clearing.closeout.ranking import LEFT, PRO_RATA, RANKED, chosen
from services.clearing.defaults.waterfalls import HOME, terms_of
from services.clearing.margining.watch import Liquidation
from services.clearing.state import UNLISTED, Booking, State
from truetape import ids
from truetape.contracts import value
from truetape.margin.account import AssetMargin
from truetape.messages import (
    AuctionChanged,
    CancelAllOrders,
    ContractEvent,
    DeleveragingChanged,
    DeleveragingPart,
    OpenRound,
    Parcel,
    ParcelAnswered,
    ParcelsAskedAgain,
    RoundSettling,
    RoundTerms,
    TellParcel,
)
from truetape.money import ONE_E8, from_e8
from truetape.service import Input
from truetape.transitions import CLOCK, LEDGER, Action, Transitions

TURNS_MAX: Final = 10
"""Rankings of one deleveraging: what the last of them leaves stays with the account."""
ANSWER_WITHIN_US: Final = 60_000_000
"""How long a holder's partition may close his part at the price of the ranking."""
EVENTS: Final[Mapping[str, ContractEvent]] = {RANKED: "AUTO_DELEVERAGING", PRO_RATA: "TEAR_UP"}
CLEARING: Final = "clearing"
TRANSITIONS: Final = Transitions(
    "RANKING",
    {
        "decide": Action((LEDGER,), {"RANKING": "CLOSING"}, "all partitions have answered: each part is asked for"),
        "take": Action((LEDGER,), {"CLOSING": "CLOSING"}, "a holder's part is closed: the account's side is booked"),
        "refuse": Action((LEDGER,), {"CLOSING": "CLOSING"}, "it is not: nothing held any more, a halt, or too late"),
        "rank_again": Action((CLOCK,), {"CLOSING": "RANKING"}, "all have answered and something is left"),
        "end": Action((CLOCK,), {"RANKING": "ENDED", "CLOSING": "ENDED"}, "CLOSED, or LEFT: nobody is left to ask"),
    },
)  # fmt: skip


# -- how it begins -----------------------------------------------------------------------------------------------------


def begun(state: State, given: Input, one: Liquidation, books: Books, found: AssetMargin) -> DeleveragingChanged | None:
    """The next position of a liquidation that is closed against its other side; None when all were tried, or while a
    trade of the account is under way elsewhere. Raises MarginError where the margin cannot be said."""
    if any(leg.account_id == one.account_id for leg in state.legs.asked.values()):
        return None
    for method in (RANKED, PRO_RATA) if books.defaulted else (RANKED,):
        for name, held in sorted(books.held.items()):
            terms = terms_of(given, name)
            if not held.quantity_e8 or terms is None or terms.settlement_asset != one.asset:
                continue
            if f"{method}/{name}" in one.deleveraged or state.contracts.get(name, UNLISTED).ended is not None:
                continue
            return _first(given, one, books, found, method, name)
    return None


def _first(
    given: Input, one: Liquidation, books: Books, found: AssetMargin, method: str, name: str
) -> DeleveragingChanged:
    terms = terms_of(given, name)
    assert terms is not None, "it is a contract"
    mark = books.seen.newest(name)
    mark_e8, quantity_e8 = books.seen.mark_e8(name, terms), books.held[name].quantity_e8
    price_e8 = closing.bankruptcy_price_e8(books, found, name) if method == RANKED else mark_e8
    deleveraging_id = ids.leg_id("deleveraging", f"{one.liquidation_id}/{name}/{method}")
    numbers = {
        "equity_e8": found.equity_e8, "maintenance_e8": found.maintenance_e8, "fund_e8": books.fund_e8,
        "lot_e8": given.tables.reference.instruments[name].lot_e8,
    }  # fmt: skip
    return DeleveragingChanged(
        meta=given.meta(deleveraging_id), account_id=one.account_id, deleveraging_id=deleveraging_id,
        liquidation_id=one.liquidation_id, asset=one.asset, instrument_id=name, method=method, state="RANKING",
        change="BEGUN", price_e8=price_e8, mark_e8=mark_e8, quantity_e8=quantity_e8, left_e8=quantity_e8,
        round_id=_round_id(deleveraging_id, method, 1), turn=1, attempt=0, parts=(), legs=(),
        detail="neither a venue nor a bidder takes it", numbers=numbers,
        ids={"mark": f"{mark.meta.epoch}/{mark.meta.sequence} at {mark.observed_at_us}"},
    )  # fmt: skip


def _round_id(deleveraging_id: str, method: str, turn: int) -> str:
    return f"{deleveraging_id}/{method}/{turn}"


# -- what time does ----------------------------------------------------------------------------------------------------


def tick(state: State, given: Input) -> DeleveragingChanged | ParcelsAskedAgain | None:
    """The next step of a deleveraging of this partition, one at a time."""
    for _, known in sorted(state.deleveragings.running.items()):
        found = _heard(state, given, known) if known.state == "RANKING" else _closed(state, given, known)
        if found is not None:
            return found
    return None


def _heard(state: State, given: Input, known: DeleveragingChanged) -> DeleveragingChanged | None:
    """What the ranking has come to; until then the round is asked for once more, as its home may not know of it."""
    outcome = state.deleveragings.outcomes.get(known.round_id)
    if outcome is not None and held_of(state, known) != known.quantity_e8:
        return _again(state, given, known)  # Its contract has ended, or moved into another one.
    if outcome is None:
        if not pursuit.overdue(known.meta.decided_at_us, known.attempt, given.at_us):
            return None
        return _after(given, known, change="ASKED", attempt=known.attempt + 1)
    parts = tuple(
        DeleveragingPart(
            ids.parcel_id(known.round_id, one.account_id), one.account_id, one.rank, one.numbers["quantity_e8"],
            one.numbers["paid_e8"], one.numbers,
        )
        for one in chosen(outcome)
    )  # fmt: skip
    if not parts:
        return _end(state, given, known, "nobody who may be asked holds the other side")
    detail = f"{len(parts)} holders of the other side, {from_e8(outcome[LEFT])} contracts beyond them"
    return _after(given, known, state="CLOSING", change="DECIDED", parts=parts, detail=detail)


def _closed(state: State, given: Input, known: DeleveragingChanged) -> DeleveragingChanged | ParcelsAskedAgain | None:
    """All parts are answered: the end, or another ranking for what is left."""
    name = known.deleveraging_id
    if name in state.parcels.pursued:
        if (attempt := parcels.overdue(state, name, given.at_us)) is None:
            return None
        return ParcelsAskedAgain(given.meta(name), known.account_id, name, attempt)
    if known.account_id in state.halted:
        return None  # What is parked of it may close a part: nobody is asked for that twice.
    return _again(state, given, known)


def _again(state: State, given: Input, known: DeleveragingChanged) -> DeleveragingChanged:
    """Another ranking for what is held now, or the end."""
    held_e8, turn = held_of(state, known), known.turn + 1
    if not held_e8 or known.turn >= TURNS_MAX:
        return _end(state, given, known, f"after {known.turn} rankings")
    return _after(
        given, known, state="RANKING", change="AGAIN", quantity_e8=held_e8, left_e8=held_e8, turn=turn,
        round_id=_round_id(known.deleveraging_id, known.method, turn),
    )  # fmt: skip


def held_of(state: State, known: DeleveragingChanged) -> int:
    """What the account still holds of the contract, on the side that is closed."""
    held_e8 = trades.held_e8(state, known.account_id, known.instrument_id)
    return held_e8 if held_e8 * known.quantity_e8 > 0 else 0


def _end(state: State, given: Input, known: DeleveragingChanged, detail: str) -> DeleveragingChanged:
    left_e8 = held_of(state, known)
    change = "LEFT" if left_e8 else "CLOSED"
    return _after(given, known, state="ENDED", change=change, left_e8=left_e8, detail=detail)


def _after(given: Input, known: DeleveragingChanged, **changes: Any) -> DeleveragingChanged:
    """The record of its next state; parts, legs and detail are of this change alone."""
    fresh: dict[str, Any] = {"parts": (), "legs": (), "detail": "", "attempt": 0}
    return replace(known, meta=given.meta(known.deleveraging_id), **(fresh | changes))


# -- answers -----------------------------------------------------------------------------------------------------------


def answered(state: State, given: Input, command: TellParcel) -> AuctionChanged | DeleveragingChanged | None:
    """A partition has answered a parcel of an auction or a deleveraging; nothing when that is known."""
    asked = state.parcels.asked.get(command.parcel_id)
    if asked is None:
        return None
    if asked.subject_id in state.auctions:
        return auction.told(state, given, command)
    return _told(state, given, command, asked.parcel)


def _told(state: State, given: Input, command: TellParcel, asked: Parcel) -> DeleveragingChanged:
    """The account's own side of what a holder has closed: as much, the other way, at the same price."""
    known = state.deleveragings.running[asked.home_id]
    part = state.deleveragings.parts[command.parcel_id]
    if command.state != parcels.TAKEN:
        none = replace(part, quantity_e8=0, paid_e8=0)
        return _after(given, known, change="REFUSED", parts=(none,), detail=f"{command.reason}: {command.detail}")
    (leg,) = command.legs
    terms = terms_of(given, known.instrument_id)
    if terms is None:
        raise contracts.ContractRefused(f"{known.instrument_id} is no contract of the reference data any more")
    paid_e8 = -value(contracts.contract(terms), leg.quantity_e8, leg.price_e8, "half_even")
    taken = replace(part, quantity_e8=leg.quantity_e8, paid_e8=paid_e8)
    assert 0 < abs(leg.quantity_e8) <= abs(part.quantity_e8), "nobody closes more than he was asked for"
    return _after(
        given, known, change="TAKEN", parts=(taken,), legs=tuple(parcels.mirrored(command.legs)),
        left_e8=known.left_e8 - leg.quantity_e8,
    )  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: DeleveragingChanged) -> None:
    """A deleveraging as it is now: its parcels are waited for or answered, what the account gives is booked next."""
    book, at_us = state.deleveragings, event.meta.decided_at_us
    before = book.running.get(event.account_id)
    if before is not None and event.change in ("DECIDED", "AGAIN", "CLOSED", "LEFT"):
        book.outcomes.pop(before.round_id, None)
    book.running[event.account_id] = replace(event, parts=(), legs=())
    if event.change == "DECIDED":
        book.parts = {part.parcel_id: part for part in event.parts} | book.parts
        parcels.ask(state.parcels, event.deleveraging_id, _parcels(event), at_us)
    elif event.change in ("TAKEN", "REFUSED"):
        (part,) = event.parts
        del book.parts[part.parcel_id]
        parcels.close(state.parcels, part.parcel_id)
        who, name = event.account_id, f"{part.parcel_id}:home"
        parcels.begin_booking(state, Booking(name, who, who, event.method, event.legs, at_us))
    elif event.state == "ENDED":
        del book.running[event.account_id]
        if (one := state.watch.liquidations.get(event.account_id)) is not None:
            one.deleveraged.append(f"{event.method}/{event.instrument_id}")


def heard(state: State, event: RoundSettling) -> None:
    """A ranking of a deleveraging of this partition is decided."""
    known = state.deleveragings.running.get(event.round.ids.get("account_id", ""))
    if known is not None and known.round_id == event.round.round_id:
        state.deleveragings.outcomes[known.round_id] = dict(event.outcome)


# -- effects -----------------------------------------------------------------------------------------------------------


def _parcels(event: DeleveragingChanged) -> Iterator[Parcel]:
    """What each holder is asked for: it only reduces what he holds, whatever his margin is."""
    expires_at_us = event.meta.decided_at_us + ANSWER_WITHIN_US
    for part in event.parts:
        leg = parcels.contract_leg(
            event.instrument_id, event.asset, part.quantity_e8, event.price_e8, EVENTS[event.method]
        )
        told = {"rank": part.rank, **{name: part.numbers[name] for name in ("rate_e8",) if name in part.numbers}}
        yield parcels.parcel_of(
            event.round_id, part.account_id, part.account_id, event.account_id, event.method,
            (replace(leg, numbers=told),), expires_at_us, forced=True,
        )  # fmt: skip


def commands_after(event: DeleveragingChanged) -> Iterator[OpenRound | parcels.Sent]:
    """What follows from a record in place: a ranking is asked for, or each holder's part."""
    if event.state == "RANKING":
        yield _ranking(event)
    elif event.change == "DECIDED":
        for parcel in _parcels(event):
            yield parcels.asked(parcel, parcel.parcel_id)


def _ranking(event: DeleveragingChanged) -> OpenRound:
    numbers = {
        "quantity_e8": event.quantity_e8, "price_e8": event.price_e8, "mark_e8": event.mark_e8,
        "lot_e8": event.numbers.get("lot_e8", ONE_E8),
    }  # fmt: skip
    names = {
        "account_id": event.account_id, "instrument_id": event.instrument_id,
        "deleveraging_id": event.deleveraging_id,
    }  # fmt: skip
    return OpenRound(HOME, RoundTerms(event.round_id, event.method, HOME, event.asset, numbers, names, CLEARING))


def commands_left(state: State) -> Iterator[OpenRound]:
    """Rankings that a partition that was taken over still waits for; its parcels are asked for with all others."""
    for _, known in sorted(state.deleveragings.running.items()):
        if known.state == "RANKING":
            yield _ranking(known)


def cancelled(event: ParcelAnswered) -> CancelAllOrders | None:
    """A holder's open orders in a contract that was closed for him end: they were meant for what he held."""
    parcel = event.parcel
    if event.state != parcels.TAKEN or parcel.kind not in EVENTS:
        return None
    (leg,) = parcel.legs
    return CancelAllOrders(
        command_id=parcel.parcel_id, account_id=parcel.account_id, key_id=CLEARING,
        received_at_us=event.meta.decided_at_us, instrument_id=leg.instrument_id,
    )  # fmt: skip


def shown(known: DeleveragingChanged) -> dict[str, object]:
    """What an operator sees of a deleveraging."""
    return {
        "deleveraging_id": known.deleveraging_id, "instrument_id": known.instrument_id, "method": known.method,
        "state": known.state, "price_e8": known.price_e8, "quantity_e8": known.quantity_e8,
        "left_e8": known.left_e8, "turn": known.turn, "round_id": known.round_id,
    }  # fmt: skip


RULES: Final[dict[type, Callable[[State, Input, Any], Any]]] = {TellParcel: answered}
"""Which command leads to which record."""
FOLDS: Final[dict[type, Callable[[State, Any], None]]] = {DeleveragingChanged: changed}
"""What each record does to the state."""
