"""The register of bilateral trades: what two accounts agreed and the clearing house does not stand between.

A trade is here because both asked for it (`TradeTerms.clearing` BILATERAL), because the house would not step between,
or because a compression left it. It is outside of the ledger: no balance, no margin and no settlement of the house
knows it. It ends when both parties say so, by compression, or with its contract.

An option's premium is paid when it is traded, so an option here carries no cost; a future's cost is what its profit is
counted from when it ends.
"""

from collections.abc import Iterator
from typing import Final

from services.clearing.booking import contracts, trades
from services.clearing.otc.affirmation import Trade
from services.clearing.state import UNLISTED, State
from truetape.contracts import value
from truetape.cuts import ENDS
from truetape.errors import TruetapeError
from truetape.messages import (
    BilateralChanged,
    BilateralTrade,
    ClearingRefused,
    ContractFactTaken,
    ContractTerms,
    EndBilateral,
    TradeChanged,
    TradeTerms,
)
from truetape.money import from_e8
from truetape.reference import Reference
from truetape.service import Input

OPEN_MAX: Final = 100_000
"""Open bilateral trades of one partition's homes; then compression is due."""
TERMINATING: Final = "TERMINATING"
TERMINATED: Final = "TERMINATED"


def kept(state: State, given: Input, trade: Trade) -> BilateralTrade | None:
    """A trade as it stays between its parties; None where they did not agree, or it is cleared, or cannot be kept."""
    terms, agreed = trade.terms, len(trade.views) == 2 and not trade.differences
    asked = trade.state == "AFFIRMED" and terms.clearing == "BILATERAL"
    if not agreed or not (asked or trade.state in ("REFUSED", "EXPIRED")):
        return None
    full = len(state.uncleared.open) >= OPEN_MAX
    if full or next(objections(state, given.tables.reference, terms, given.at_us), None) is not None:
        return None
    try:
        cost_e8 = cost_of(contract_of(given.tables.reference, terms), terms)
    except TruetapeError:
        return None
    return BilateralTrade(
        trade.trade_id, min(terms.buyer_id, terms.seller_id), terms.buyer_id, terms.seller_id, terms.instrument_id,
        terms.quantity_e8, terms.price_e8, cost_e8, terms.reference, "BILATERAL" if asked else "REFUSED",
    )  # fmt: skip


def cost_of(contract: ContractTerms, terms: TradeTerms) -> int:
    """What the buyer pays in all. Raises MoneyError and ContractError."""
    if contract.kind == "OPTION":
        return 0
    return value(contracts.contract(contract), terms.quantity_e8, terms.price_e8, "half_even")


def contract_of(reference: Reference, terms: TradeTerms) -> ContractTerms:
    """The contract of a trade that has no objection."""
    contract = reference.instruments[terms.instrument_id].contract
    assert contract is not None, "checked"
    return contract


def objections(state: State, reference: Reference, terms: TradeTerms, at_us: int) -> Iterator[tuple[str, str]]:
    """Why a trade cannot even stay bilateral: name of the reason, and what it says."""
    parties, instrument = (terms.buyer_id, terms.seller_id), reference.instruments.get(terms.instrument_id)
    if unknown := [party for party in parties if party not in reference.accounts]:
        yield "ACCOUNT_UNKNOWN", f"account {unknown[0]} is not open"
    if instrument is None or (contract := instrument.contract) is None:
        yield "NOT_A_CONTRACT", f"{terms.instrument_id} is no contract of the reference data"
        return
    ended = state.contracts.get(terms.instrument_id, UNLISTED).ended is not None
    if ended or (contract.expires_at_us is not None and at_us >= contract.expires_at_us):
        yield "CONTRACT_EXPIRED", f"{terms.instrument_id} is not traded any more"
    if terms.quantity_e8 % instrument.lot_e8:
        yield "QUANTITY_OFF_LOT", f"quantity is no multiple of {from_e8(instrument.lot_e8)}"
    if terms.price_e8 <= 0 and not contract.signed_price:
        yield "PRICE_NOT_POSITIVE", "price must be above zero"


def end(state: State, given: Input, command: EndBilateral) -> BilateralChanged | ClearingRefused:
    """One party wants to end a trade before its time; the second word for it ends it."""
    trade = state.uncleared.open.get(command.trade_id)

    def no(detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)

    if trade is None or trade.home_id != command.account_id:
        return no(f"{command.trade_id} is no bilateral trade that is open")
    if command.party_id not in (trade.buyer_id, trade.seller_id):
        return no(f"{command.party_id} is no party to trade {command.trade_id}")
    if run := state.uncleared.held.get(command.trade_id, ""):
        return no(f"compression {run} asks its participants about it: answer that first")
    asked = state.uncleared.leaving.get(command.trade_id, "")
    if asked == command.party_id:
        return no("the other party has not said so yet")
    return BilateralChanged(
        given.meta(trade.trade_id), command.command_id, trade.home_id, trade, TERMINATED if asked else TERMINATING,
        command.party_id, command.reason[: trades.REASON_MAX], command.requested_by,
    )  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def captured(state: State, event: TradeChanged) -> None:
    """A trade that stays between its parties is open from here on."""
    if event.bilateral is not None:
        state.uncleared.open[event.trade_id] = event.bilateral


def changed(state: State, event: BilateralChanged) -> None:
    """One party wants to end it, or it has ended."""
    book, name = state.uncleared, event.trade.trade_id
    if event.state == TERMINATING:
        book.leaving[name] = event.party_id
    else:
        del book.open[name]
        book.leaving.pop(name, None)


def ended(state: State, event: ContractFactTaken) -> None:
    """A contract ends, and its bilateral trades with it; those that a compression holds once that is decided."""
    if event.fact.kind in ENDS:
        drop(state, event.fact.instrument_id)


def drop(state: State, instrument_id: str) -> None:
    """Forget the trades of a contract that is over."""
    book = state.uncleared
    for name in [one.trade_id for one in book.open.values() if one.instrument_id == instrument_id]:
        if name not in book.held:
            del book.open[name]
            book.leaving.pop(name, None)


def shown(state: State) -> Iterator[tuple[str, dict[str, object]]]:
    """What an operator sees: home, and each trade that is open there."""
    book = state.uncleared
    for name, one in sorted(book.open.items()):
        yield one.home_id, {
            "trade_id": name, "kind": one.origin, "buyer_id": one.buyer_id, "seller_id": one.seller_id,
            "instrument_id": one.instrument_id, "quantity_e8": one.quantity_e8, "price_e8": one.price_e8,
            "cost_e8": one.cost_e8, "reference": one.reference, "leaving": book.leaving.get(name, ""),
            "held_by": book.held.get(name, ""),
        }  # fmt: skip
