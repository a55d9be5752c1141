"""Trades of two, in the ledger: what a side tells is compared at the trade's home; once both agree and the house's
limits allow it, one record novates the trade, and each leg is booked in its own account's partition.

The record is the intent and the legs are its effects, as a venue order is of `OrderRouted`: `BookTrade` commands under
ids made of the trade (services/clearing/session.py sends them), asked for again until each partition has confirmed.
Asking twice books once, since an entry's id is its leg's. Until then the trade stays at home with what it waits for.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, to_builtins

from services.clearing import affirmation, contracts, novation, trades
from services.clearing.affirmation import Trade, capture, home_id, trade_id
from services.clearing.state import TRADES_KEPT, UNLISTED, Captured, State
from truetape.contracts import notional
from truetape.errors import TruetapeError
from truetape.messages import (
    BookTrade,
    ClearingRefused,
    ConfirmLeg,
    EndTrade,
    EntryBooked,
    LegConfirmed,
    LegsAskedAgain,
    TellTrade,
    TradeChanged,
    TradeLeg,
    TradeTerms,
)
from truetape.money import ONE_E8
from truetape.service import Input, Tables, Tick
from truetape.transitions import CLOCK, HOUSE, NotLegal

AFFIRM_WITHIN_US: Final = 30 * 60 * 1_000_000
"""How long two sides have to agree."""
ASK_AGAIN_US: Final = 5_000_000
"""After how long a leg that nobody has confirmed is asked for again; twice as long each time."""
DOUBLED_MAX: Final = 9
"""How often that time doubles: to 43 minutes. A leg that its partition refuses for good must not fill the tape."""
NOVATION: Final = "novation"
"""Who asks for a leg, followed by trade and home: the entry keeps it, so that its partition knows whom to tell."""
OPEN: Final = ("ALLEGED", "MISMATCHED")


def tell(state: State, given: Input, command: TellTrade) -> TradeChanged | ClearingRefused:
    """One side's view: alleged, contradicted, or affirmed and thereby novated or refused, all in one record."""
    terms = command.terms
    if command.account_id != home_id(terms):
        return _no(given, command, f"the home of this trade is {home_id(terms)}: send it under that account")
    if trade_id(terms) in state.traded.ids:
        return _no(given, command, f"trade {trade_id(terms)} has ended; a new trade needs another identifier")
    known = state.trades.get(trade_id(terms))
    try:
        told = capture(known.trade if known else None, terms, command.party_id, given.at_us, AFFIRM_WITHIN_US)
        legs: tuple[TradeLeg, ...] = ()
        if told.state == "AFFIRMED":
            told, legs = _accepted(state, given, told)
    except TruetapeError as error:
        return _no(given, command, str(error))
    return _changed(given, told, command.account_id, command.command_id, command.requested_by, legs)


def _accepted(state: State, given: Input, told: Trade) -> tuple[Trade, tuple[TradeLeg, ...]]:
    """An affirmed trade is novated, or stays bilateral with the reason."""
    if (reason := next(_objections(state, given.tables, told.terms, given.at_us), None)) is not None:
        return affirmation.end(told, "refuse", HOUSE, given.at_us, reason), ()
    split = novation.novate(told.terms, _multiplier_e8(given.tables, told.terms))
    legs = tuple(
        TradeLeg(
            leg.leg_id, leg.account_id, leg.instrument_id, "BUY" if leg.quantity_e8 > 0 else "SELL",
            abs(leg.quantity_e8), told.terms.price_e8,
        )
        for leg in split.opens
    )  # fmt: skip
    return affirmation.end(told, "novate", HOUSE, given.at_us), legs


def _multiplier_e8(tables: Tables, terms: TradeTerms) -> int:
    contract = tables.reference.instruments[terms.instrument_id].contract
    assert contract is not None, "checked"
    return contract.multiplier_e8


def _objections(state: State, tables: Tables, terms: TradeTerms, at_us: int) -> Iterator[str]:
    """Why the house does not step between, most basic first; nothing when it does. What a partition would refuse to
    book must be found here, before the trade is novated.
    """
    reference, parties = tables.reference, (terms.buyer_id, terms.seller_id)
    instrument = reference.instruments.get(terms.instrument_id)
    if unknown := [party for party in parties if party not in reference.accounts]:
        yield f"account {unknown[0]} is not open"
    if instrument is None or (contract := instrument.contract) is None:
        yield f"{terms.instrument_id} is no contract of the reference data"
        return
    ended = state.contracts.get(terms.instrument_id, UNLISTED).ended is not None
    if ended or not instrument.tradable or (contract.expires_at_us is not None and at_us >= contract.expires_at_us):
        yield f"{terms.instrument_id} is not traded any more"
    if terms.quantity_e8 % instrument.lot_e8:
        yield f"quantity is no multiple of {instrument.lot_e8}e-8"
    if terms.price_e8 <= 0 and not contract.signed_price:
        yield "price must be above zero"
        return
    if halted := [party for party in parties if reference.trading_state_of(party) != "ACTIVE"]:
        yield f"account {halted[0]} may not trade now"
    size_e8 = notional(contracts.contract(contract), terms.quantity_e8, terms.price_e8)
    for party in parties:
        if size_e8 > (most_e8 := reference.limits_of(party).max_order_notional_e8):
            yield f"notional {size_e8}e-8 is above the limit of {party}, {most_e8}e-8"
    yield from _off_market(tables, terms, contract.mark_max_age_us, at_us)


def _off_market(tables: Tables, terms: TradeTerms, age_max_us: int, at_us: int) -> Iterator[str]:
    """A price far from the mark moves wealth between the sides. No mark is no price: nothing is accepted."""
    mark = tables.marks.newest.get(terms.instrument_id)
    if mark is None or at_us - mark.observed_at_us > age_max_us:
        yield f"{terms.instrument_id} has no mark that is fresh enough to compare the price with"
        return
    rate_e8 = min(tables.reference.limits_of(party).collar_rate_e8 for party in (terms.buyer_id, terms.seller_id))
    if abs(terms.price_e8 - mark.price_e8) * ONE_E8 > abs(mark.price_e8) * rate_e8:
        yield f"price {terms.price_e8}e-8 is outside the collar around the mark, {mark.price_e8}e-8"


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
    return _changed(given, ended, command.account_id, command.command_id, command.requested_by)


def confirm(state: State, given: Input, command: ConfirmLeg) -> LegConfirmed | None:
    """A partition has booked its leg; nothing when that is known."""
    known = state.trades.get(command.trade_id)
    if known is None or command.leg_id not in known.waiting:
        return None
    left = len(known.waiting) - 1
    return LegConfirmed(given.meta(command.trade_id), command.account_id, command.trade_id, command.leg_id, left)


def tick(state: State, given: Input, _: Tick) -> TradeChanged | LegsAskedAgain | None:
    """What time does to the trades of this home, one at a time: a time-out, or asking once more for a leg."""
    for name, known in sorted(state.trades.items()):
        if affirmation.expired(known.trade, given.at_us):
            return _changed(given, affirmation.end(known.trade, "pass_deadline", CLOCK, given.at_us), known.home_id)
        patience_us = ASK_AGAIN_US << min(known.attempts, DOUBLED_MAX)
        if known.waiting and given.at_us >= known.asked_at_us + patience_us:
            return LegsAskedAgain(given.meta(name), known.home_id, name, known.attempts + 1)
    return None


def _changed(
    given: Input, trade: Trade, home: str, command_id: str = "", by: str = "", legs: tuple[TradeLeg, ...] = ()
) -> TradeChanged:
    return TradeChanged(
        given.meta(trade.trade_id), command_id, home, trade.trade_id, trade.first_id, trade.actor, trade.state,
        dict(trade.views), trade.differences, trade.expires_at_us, legs, trade.detail, by,
    )  # fmt: skip


def _no(given: Input, command: TellTrade | EndTrade, detail: str) -> ClearingRefused:
    return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: TradeChanged) -> None:
    """A trade as it is now; what has ended is remembered by its id."""
    at_us = event.meta.decided_at_us
    trade = Trade(
        event.trade_id, event.first_id, event.views, event.state, event.expires_at_us, event.actor, at_us,
        event.differences, event.detail,
    )  # fmt: skip
    if event.state in OPEN or event.legs:
        waiting = {leg.leg_id: leg for leg in event.legs}
        state.trades[event.trade_id] = Captured(trade, event.account_id, waiting, at_us)
    else:
        _forget(state, event.trade_id)


def confirmed(state: State, event: LegConfirmed) -> None:
    """One leg less to wait for; without any the trade is done."""
    known = state.trades[event.trade_id]
    del known.waiting[event.leg_id]
    assert len(known.waiting) == event.left, "each leg is confirmed once"
    if not known.waiting:
        _forget(state, event.trade_id)


def asked_again(state: State, event: LegsAskedAgain) -> None:
    """When it was asked last, and how often."""
    known = state.trades[event.trade_id]
    known.asked_at_us, known.attempts = event.meta.decided_at_us, event.attempt


def _forget(state: State, name: str) -> None:
    state.trades.pop(name, None)
    state.traded.add(name, TRADES_KEPT)


# -- effects: commands that follow records -----------------------------------------------------------------------------


class Sent(Struct, frozen=True):
    """A command for some account's partition."""

    account_id: str
    command: BookTrade | ConfirmLeg


def legs_asked(known: Captured) -> list[Sent]:
    """The commands that book what a novated trade still waits for."""
    terms, name = known.trade.terms, known.trade.trade_id
    return [
        Sent(
            leg.account_id,
            BookTrade(
                leg.leg_id, leg.account_id, leg.leg_id, leg.instrument_id, leg.side, leg.quantity_e8, leg.price_e8,
                "TAKER", known.trade.acted_at_us, f"{NOVATION}:{name}:{known.home_id}", terms.reference,
            ),
        )
        for _, leg in sorted(known.waiting.items())
    ]  # fmt: skip


def told_home(event: EntryBooked | ClearingRefused) -> Sent | None:
    """What a partition tells a trade's home after it has booked a leg, or has refused to book it a second time."""
    if isinstance(event, ClearingRefused):
        asked = event.requested_by if event.reason == "COMMAND_REPEATED" and event.command == "BookTrade" else ""
        leg_id = event.command_id
    else:
        asked, leg_id = event.contract.ids.get("requested_by", "") if event.contract else "", event.entry_id
    kind, _, rest = asked.partition(":")
    name, _, home = rest.partition(":")
    return Sent(home, ConfirmLeg(f"confirm:{leg_id}", home, name, leg_id)) if kind == NOVATION and home else None


def known_after(event: TradeChanged) -> Captured:
    """A trade as a record has left it."""
    state = State()
    changed(state, event)
    return state.trades[event.trade_id]


def shown(known: Captured) -> dict[str, object]:
    """What an operator sees of a trade."""
    return {
        "trade_id": known.trade.trade_id, "state": known.trade.state, "first_id": known.trade.first_id,
        "expires_at_us": known.trade.expires_at_us, "waiting": sorted(known.waiting),
        "differences": [to_builtins(one) for one in known.trade.differences],
    }  # fmt: skip
