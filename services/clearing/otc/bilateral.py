"""Trades of two, in the ledger: what a side tells is compared at the trade's home; once both agree and the house's
limits allow it, each account's partition is asked to reserve the margin of its leg; once both have, one record novates
the trade, and each leg is booked in its own account's partition (services/clearing/across/pursuit.py).

The records are the intent and what is asked of others is their effect, as a venue order is of `OrderRouted`. Until the
last answer the trade stays at home with what it waits for. No leg is booked before both accounts have said yes.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import to_builtins
from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.across.pursuit import Sent, Stage
from services.clearing.booking import contracts, trades
from services.clearing.otc import affirmation, moves, novation, uncleared
from services.clearing.otc.affirmation import Trade, capture, home_id, trade_id
from services.clearing.state import TRADES_KEPT, Captured, Move, State
from truetape.contracts import Contract, notional
from truetape.errors import TruetapeError
from truetape.messages import (
    ClearingRefused,
    ConfirmLeg,
    EndTrade,
    LegAnswered,
    LegConfirmed,
    LegsAskedAgain,
    MoveChanged,
    TellLeg,
    TellTrade,
    TradeChanged,
    TradeLeg,
    TradeTerms,
)
from truetape.money import ONE_E8, from_e8
from truetape.service import Input, Tables, Tick
from truetape.transitions import CLOCK, HOUSE, NotLegal

AFFIRM_WITHIN_US: Final = 30 * 60 * 1_000_000
"""How long two sides have to agree, and then how long their partitions have to reserve margin."""
OPEN: Final = ("ALLEGED", "MISMATCHED")
STAGES: Final[dict[str, Stage]] = {"AFFIRMED": "ASKING", "NOVATED": "BOOKING"}
Decided = TradeChanged | MoveChanged
Wrong = tuple[str, str]
"""Name of a reason, and what it says."""


def tell(state: State, given: Input, command: TellTrade) -> TradeChanged | ClearingRefused:
    """One side's view: alleged, contradicted, or affirmed; then its legs are asked for, or it is refused at once."""
    terms = command.terms
    if command.account_id != home_id(terms):
        return _no(given, command, f"the home of this trade is {home_id(terms)}: send it under that account")
    if trade_id(terms) in state.traded.ids:
        return _no(given, command, f"trade {trade_id(terms)} has ended; a new trade needs another identifier")
    known = state.trades.get(trade_id(terms))
    if known is not None and known.trade.state in OPEN and affirmation.expired(known.trade, given.at_us):
        detail = (
            f"trade {trade_id(terms)} had time until {known.trade.expires_at_us}; a new one needs another identifier"
        )
        return trades.refused(given, command.command_id, command.account_id, command, "DEADLINE_PASSED", detail)
    try:
        told = capture(known.trade if known else None, terms, command.party_id, given.at_us, AFFIRM_WITHIN_US)
        legs: tuple[TradeLeg, ...] = ()
        reason = ""
        if told.state == "AFFIRMED":
            told, legs, reason = _affirmed(state, given, told)
    except TruetapeError as error:
        return _no(given, command, str(error))
    return _changed(state, given, told, command.account_id, command.command_id, command.requested_by, legs, reason)


def _affirmed(state: State, given: Input, told: Trade) -> tuple[Trade, tuple[TradeLeg, ...], str]:
    """What is asked of the accounts of an affirmed trade; or it stays bilateral, as asked or with the reason."""
    if told.terms.clearing == "BILATERAL":
        return _kept(state, given, told)
    if wrong := next(_objections(state, given.tables, told.terms, given.at_us), None):
        return affirmation.end(told, "refuse", HOUSE, given.at_us, wrong[1]), (), wrong[0]
    split = novation.novate(told.terms, _contract(given.tables, told.terms))
    legs = tuple(
        TradeLeg(
            leg.leg_id, leg.account_id, leg.instrument_id, "BUY" if leg.quantity_e8 > 0 else "SELL",
            abs(leg.quantity_e8), told.terms.price_e8,
        )
        for leg in split.opens
    )  # fmt: skip
    return replace(told, expires_at_us=given.at_us + AFFIRM_WITHIN_US), legs, ""


def _kept(state: State, given: Input, told: Trade) -> tuple[Trade, tuple[TradeLeg, ...], str]:
    """Both want it to stay bilateral. Raises MoneyError where its cost does not fit."""
    wrong = next(uncleared.objections(state, given.tables.reference, told.terms, given.at_us), None)
    if wrong is None and len(state.uncleared.open) >= uncleared.OPEN_MAX:
        wrong = "TOO_MANY_TRADES", f"{uncleared.OPEN_MAX} bilateral trades are open here: compress them first"
    if wrong is not None:
        return affirmation.end(told, "refuse", HOUSE, given.at_us, wrong[1]), (), wrong[0]
    uncleared.cost_of(uncleared.contract_of(given.tables.reference, told.terms), told.terms)
    return told, (), ""


def _contract(tables: Tables, terms: TradeTerms) -> Contract:
    contract = tables.reference.instruments[terms.instrument_id].contract
    assert contract is not None, "checked"
    return contracts.contract(contract)


def _objections(state: State, tables: Tables, terms: TradeTerms, at_us: int) -> Iterator[Wrong]:
    """Why the house does not step between, most basic first; nothing when it does. What a partition would refuse to
    book must be found here, before the trade is novated. Margin is asked of each account's partition.
    """
    reference, parties = tables.reference, (terms.buyer_id, terms.seller_id)
    yield from uncleared.objections(state, reference, terms, at_us)
    instrument = reference.instruments.get(terms.instrument_id)
    if instrument is None or (contract := instrument.contract) is None:
        return
    if not instrument.tradable:
        yield "CONTRACT_EXPIRED", f"{terms.instrument_id} is not traded any more"
    if terms.price_e8 <= 0 and not contract.signed_price:
        return
    if halted := [party for party in parties if reference.trading_state_of(party) != "ACTIVE"]:
        yield "TRADING_HALTED", f"account {halted[0]} may not trade now"
    size_e8 = notional(contracts.contract(contract), terms.quantity_e8, terms.price_e8)
    for party in parties:
        if size_e8 > (most_e8 := reference.limits_of(party).max_order_notional_e8):
            detail = f"notional {from_e8(size_e8)} is above the limit of {party}, {from_e8(most_e8)}"
            yield "NOTIONAL_ABOVE_LIMIT", detail
    yield from _off_market(tables, terms, contract.mark_max_age_us, at_us)


def _off_market(tables: Tables, terms: TradeTerms, age_max_us: int, at_us: int) -> Iterator[Wrong]:
    """A price far from the mark moves wealth between the sides. No mark is no price: nothing is accepted."""
    mark = tables.marks.newest.get(terms.instrument_id)
    if mark is None or at_us - mark.observed_at_us > age_max_us:
        name = "MARK_MISSING" if mark is None else "MARK_STALE"
        yield name, f"{terms.instrument_id} has no mark that is fresh enough to compare the price with"
        return
    rate_e8 = min(tables.reference.limits_of(party).collar_rate_e8 for party in (terms.buyer_id, terms.seller_id))
    if abs(terms.price_e8 - mark.price_e8) * ONE_E8 > abs(mark.price_e8) * rate_e8:
        price, at = from_e8(terms.price_e8), from_e8(mark.price_e8)
        detail = f"price {price} is outside the collar around the mark, {at}"
        yield "PRICE_OUTSIDE_COLLAR", detail


def end(state: State, given: Input, command: EndTrade) -> TradeChanged | ClearingRefused:
    """A side withdraws what it told, or rejects what the other told."""
    known = state.trades.get(command.trade_id)
    if known is None or known.trade.state not in OPEN:
        return _no(given, command, f"trade {command.trade_id} is not open")
    try:
        ended = affirmation.end(
            known.trade, command.action.lower(), command.party_id, given.at_us, command.reason[: trades.REASON_MAX]
        )
    except NotLegal as error:
        return _no(given, command, str(error))
    return _changed(state, given, ended, command.account_id, command.command_id, command.requested_by)


def tell_leg(
    state: State, given: Input, command: TellLeg
) -> TradeChanged | MoveChanged | LegAnswered | LegConfirmed | None:
    """A party's partition says how its leg stands; nothing when that is known."""
    known = _pursued(state, command.trade_id)
    if known is None or command.leg_id not in known.waiting:
        return None
    if isinstance(known, Move):
        return moves.tell(state, given, known, command)
    if known.stage == "RELEASING":
        return pursuit.let_go(given, known, command)
    if known.stage == "BOOKING":
        return None
    if command.state != "RESERVED":
        ended = affirmation.end(known.trade, "refuse", HOUSE, given.at_us, command.detail)
        others = tuple(leg for leg in known.legs if leg.leg_id != command.leg_id)
        return _changed(state, given, ended, known.home_id, legs=others, reason=command.reason or command.state)
    if len(known.waiting) > 1:
        return pursuit.answered(given, known, command)
    novated = affirmation.end(known.trade, "novate", HOUSE, given.at_us)
    return _changed(state, given, novated, known.home_id, legs=known.legs)


def confirm(state: State, given: Input, command: ConfirmLeg) -> LegConfirmed | None:
    """A partition has booked its leg; nothing when that is known."""
    known = _pursued(state, command.trade_id)
    if known is None or command.leg_id not in known.waiting or known.stage != "BOOKING":
        return None
    return pursuit.confirmed(given, known, command.trade_id, command.leg_id)


def tick(state: State, given: Input, _: Tick) -> Decided | LegsAskedAgain | None:
    """What time does to the trades of this home, one at a time: a time-out, or asking once more for a leg."""
    for name, known in _all(state):
        if (ended := _expired(state, given, known)) is not None:
            return ended
        if known.impatient(given.at_us):
            return pursuit.again(given, known, name)
    return None


def _expired(state: State, given: Input, known: Captured | Move) -> Decided | None:
    if isinstance(known, Move):
        return moves.expire(given, known)
    if not affirmation.expired(known.trade, given.at_us):
        return None
    legs = known.legs if known.stage == "ASKING" else ()
    ended = affirmation.end(known.trade, "pass_deadline", CLOCK, given.at_us)
    return _changed(state, given, ended, known.home_id, legs=legs, reason="DEADLINE_PASSED")


def _all(state: State) -> list[tuple[str, Captured | Move]]:
    found: list[tuple[str, Captured | Move]] = [*state.trades.items(), *state.moves.items()]
    return sorted(found, key=lambda one: one[0])


def _pursued(state: State, name: str) -> Captured | Move | None:
    return state.trades.get(name) or state.moves.get(name)


def _changed(
    state: State, given: Input, trade: Trade, home: str, command_id: str = "", by: str = "",
    legs: tuple[TradeLeg, ...] = (), reason: str = "",
) -> TradeChanged:  # fmt: skip
    return TradeChanged(
        given.meta(trade.trade_id), command_id, home, trade.trade_id, trade.first_id, trade.actor, trade.state,
        dict(trade.views), trade.differences, trade.expires_at_us, legs, trade.detail, by, reason,
        uncleared.kept(state, given, trade),
    )  # fmt: skip


def _no(given: Input, command: TellTrade | EndTrade, detail: str) -> ClearingRefused:
    return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: TradeChanged) -> None:
    """A trade as it is now; what has ended and waits for nothing is remembered by its id."""
    uncleared.captured(state, event)
    if event.state in OPEN or event.legs:
        state.trades[event.trade_id] = known_after(event)
    else:
        _forget(state, event.trade_id)


def known_after(event: TradeChanged) -> Captured:
    """A trade as a record has left it."""
    at_us = event.meta.decided_at_us
    trade = Trade(
        event.trade_id, event.first_id, event.views, event.state, event.expires_at_us, event.actor, at_us,
        event.differences, event.detail,
    )  # fmt: skip
    found = Captured(home_id=event.account_id, trade=trade)
    found.pursue(STAGES.get(event.state, "RELEASING"), event.legs, at_us)
    return found


def answered(state: State, event: LegAnswered | LegConfirmed) -> None:
    """One leg less to wait for; when that was the last one to be booked or let go, the trade is done."""
    known = _pursued(state, event.trade_id)
    assert known is not None, "a trade that is known"
    if not pursuit.take(known, event):
        return
    if isinstance(known, Move):
        moves.forget(state, event.trade_id)
    else:
        _forget(state, event.trade_id)


def asked_again(state: State, event: LegsAskedAgain) -> None:
    """When it was asked last, and how often."""
    known = _pursued(state, event.trade_id)
    assert known is not None, "a trade that is known"
    pursuit.take_again(known, event)


def _forget(state: State, name: str) -> None:
    state.trades.pop(name, None)
    state.traded.add(name, TRADES_KEPT)


# -- effects: commands that follow records -----------------------------------------------------------------------------


def commands_after(state: State | None, event: Decided | LegsAskedAgain) -> list[Sent]:
    """What follows from a decision of this home, or from its patience; `state` is what its partition has now."""
    match event:
        case TradeChanged():
            known: Captured | Move | None = known_after(event)
        case MoveChanged():
            known = moves.known_after(event)
        case LegsAskedAgain():
            known = _pursued(state, event.trade_id) if state is not None else None
    return pursuit.asked(known, known.brief) if known is not None else []


def commands_left(state: State) -> list[Sent]:
    """All that the trades of this home still wait for."""
    return [sent for _, known in _all(state) for sent in pursuit.asked(known, known.brief)]


def shown(known: Captured) -> dict[str, object]:
    """What an operator sees of a trade."""
    waits = sorted({leg.account_id for leg in known.waiting.values()})
    low, high = affirmation.key(known.trade.terms)[1:]
    if known.trade.state in OPEN:
        waits = [high if known.trade.first_id == low else low] if known.trade.state == "ALLEGED" else [low, high]
    return {
        "trade_id": known.trade.trade_id, "kind": pursuit.NOVATION, "state": known.trade.state,
        "first_id": known.trade.first_id, "expires_at_us": known.trade.expires_at_us, "waiting": sorted(known.waiting),
        "parties": [low, high], "waits_for": waits, "stage": known.stage if known.waiting else "",
        "differences": [to_builtins(one) for one in known.trade.differences],
    }  # fmt: skip
