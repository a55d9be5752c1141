"""Liquidation as events: the account's own orders first, then one order at a time of the least that restores margin,
through risk and router like any other order; fees to the insurance fund, and losses from it.

    CANCELLING   risk closes the account to its own orders and cancels those that are open
    SELLING      an order is on the tape, and is sent to risk once its record is in place
    WAITING      what became of the order is known, and all its fills are booked: the next margin run goes on

Risk says when nothing of the account is open or uncleared any more (`quiet_for`), and no step begins before. So an
order whose outcome at a venue is UNKNOWN holds the liquidation, and nothing is sold twice. Orders have ids of the
liquidation and the step: one that is sent again, after a crash or because nobody answered, is the same order.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.across.parcels import INSURANCE
from services.clearing.booking import contracts, ledger
from services.clearing.booking.contracts import ContractRefused
from services.clearing.closeout import auction, closing, deleveraging
from services.clearing.closeout.closing import Books
from services.clearing.defaults import default, insurance, porting, seizure
from services.clearing.margining import margin
from services.clearing.margining.watch import GOOD, HandedOver, Liquidation, Outcome, ask
from services.clearing.state import State
from truetape import ids, liquidation
from truetape.contracts import value
from truetape.default import plan
from truetape.liquidation import CLIENT_ORDER_PREFIX, KEY
from truetape.margin.account import AssetMargin
from truetape.messages import (
    ContractEvent,
    DeleveragingChanged,
    EntryBooked,
    Line,
    LiquidationChanged,
    LiquidationEnded,
    OrderRejected,
    ReviewMargin,
    RoundRequested,
    SubmitOrder,
)
from truetape.money import from_e8
from truetape.service import Input

RETRY_US: Final = 60_000_000
"""After how long an account whose liquidation was given up, and that nobody has taken over, is tried again."""


def begins(state: State, given: Input, account_id: str, found: AssetMargin) -> bool:
    """Whether an account has to be liquidated: below maintenance, or all that it has is sold anyway and there is
    something; not already, and not given up just now."""
    defaulted, asset = closes(state, account_id, found.asset), found.asset
    sells_out = _sells_out(state, account_id, asset) and any(default.open_positions(state, given, account_id, asset))
    if defaulted:
        needed = sells_out or default.collateral_left(state, given, state.defaults[account_id])
    else:
        needed = sells_out or found.maintenance_excess_e8 < 0
    return needed and may_begin(state, account_id, given.at_us, defaulted or sells_out)


def may_begin(state: State, account_id: str, at_us: int, defaulted: bool) -> bool:
    """Whether nothing else closes the account, and what was given up was not given up just now."""
    watch = state.watch
    if account_id in watch.liquidations or any(sold.account_id == account_id for sold in state.auctions.values()):
        return False  # It is being auctioned: one of both at a time.
    given_up = watch.handed_over.get(account_id)
    if given_up is None or at_us >= given_up.at_us + RETRY_US:
        return True
    return defaulted and given_up.outcome == "BANKRUPT"


def closes(state: State, account_id: str, asset: str) -> bool:
    """Whether an account's default waits for all its positions in an asset to be closed."""
    known = state.defaults.get(account_id)
    return known is not None and known.state == "DECLARED" and known.asset == asset


def _sells_out(state: State, account_id: str, asset: str) -> bool:
    """Whether all that an account holds in an asset is sold, whatever its margin: in default, or a client that no
    member takes over."""
    return closes(state, account_id, asset) or porting.closed_out(state, account_id)


def loss_id(state: State, one: Liquidation) -> str:
    """Under which name the insurance fund is asked for what it loses: its default's, once that is declared."""
    return state.defaults[one.account_id].default_id if closes(state, one.account_id, one.asset) else one.liquidation_id


def backing_id(state: State, one: Liquidation) -> str:
    """Under which name the insurance fund is asked before what is left is bankrupt or deleveraged."""
    return f"{loss_id(state, one)}/deleveraging"


def asks_again(one: Liquidation, at_us: int) -> bool:
    """Whether risk has been silent for too long."""
    return one.state != "WAITING" and pursuit.overdue(one.at_us, one.asked, at_us)


# -- decisions ---------------------------------------------------------------------------------------------------------


def begin(state: State, given: Input, asked: ReviewMargin, found: AssetMargin) -> LiquidationChanged | None:
    """An account is below its maintenance need: its own orders are cancelled first."""
    if not begins(state, given, asked.account_id, found):
        return None
    one = Liquidation(
        ids.liquidation_id(asked.account_id, found.asset, asked.run_id), asked.account_id, found.asset, "CANCELLING",
        given.at_us,
    )  # fmt: skip
    return _changed(given, one, "CANCELLING", "below the maintenance need", found=found)


def ask_again(state: State, given: Input, asked: ReviewMargin) -> LiquidationChanged | None:
    """The same once more: risk answers what it has answered before. Nothing ends it but an answer, so after a while
    the record says what to look at."""
    one = state.watch.liquidations.get(asked.account_id)
    if one is None or not asks_again(one, given.at_us):
        return None
    again = _changed(given, one, one.state, "asked again")
    return replace(again, asked=one.asked + 1, detail=alarm(one, one.asked + 1) or again.detail)


def alarm(one: Liquidation, asked: int) -> str:
    """What an operator has to look at, once the same was asked for so often; empty before."""
    if asked < liquidation.ALARM_ASKED:
        return ""
    if one.state == "SELLING" and one.order is not None:
        what = f"the outcome of order {one.order.order_id} is not known"
    else:
        what = "its own orders have not ended"
    return f"{what} after {asked} questions: nothing is sold before; look at the venue and at risk (docs/routing.md)"


def step(
    state: State, given: Input, asked: ReviewMargin, margins: Mapping[str, AssetMargin]
) -> LiquidationChanged | LiquidationEnded | DeleveragingChanged | EntryBooked | RoundRequested | None:
    """The next order, or the end; instead of an end without result what nobody buys is deleveraged."""
    one, found = state.watch.liquidations.get(asked.account_id), margins.get(asked.asset)
    if one is None or one.state != "WAITING" or asked.account_id in state.deleveragings.running:
        return None
    if insurance.waits(state, loss_id(state, one)) or insurance.waits(state, backing_id(state, one)):
        return None
    books = _books(state, given, one)
    equity_e8 = found.equity_e8 if found is not None else books.balances.get(one.asset, 0)
    if not closing.sellable(books):
        seized = _collateral_of(given, one, books, margins) if books.defaulted else None
        return seized or _all_sold(state, given, one, found, equity_e8)
    assert found is not None, "something is held"
    if found.maintenance_excess_e8 >= 0 and not books.defaulted:
        return _ended(given, one, "RESTORED", found, equity_e8, "margin is there again")
    tries = one.attempt < closing.LADDER and not closing.refused_for_good(one, given.at_us)
    planned = closing.next_order(books, found, one.attempt) if tries else None
    if planned is not None:
        return _ordered(state, given, one, found, planned)
    bankrupt = found.equity_e8 + books.fund_e8 < 0 and not books.defaulted  # Its default comes first.
    tried = one.auctioned or not auction.anybody(given, one.account_id)
    taken = deleveraging.begun(state, given, one, books, found) if tried and not bankrupt else None
    backed = _backed(state, given, one, books, found) if taken is not None or (bankrupt and tries) else None
    return backed or taken or _unsold(given, one, found, bankrupt)


def _backed(state: State, given: Input, one: Liquidation, books: Books, found: AssetMargin) -> RoundRequested | None:
    """Before an account is called bankrupt, and before holders give up gains, all parts of the insurance fund are asked
    once for what this partition's lacks: the bankruptcy price counts all that the fund has."""
    lacks_e8 = -(found.equity_e8 + books.fund_e8)
    if lacks_e8 <= 0:
        return None
    return insurance.ask(state, given, backing_id(state, one), one.account_id, one.asset, lacks_e8, "FUND")


def _unsold(given: Input, one: Liquidation, found: AssetMargin, bankrupt: bool) -> LiquidationEnded:
    """What neither a venue nor a holder of the other side has taken."""
    if one.attempt >= closing.LADDER:
        return _ended(given, one, "UNSOLD", found, found.equity_e8, "no venue takes it down to the bankruptcy price")
    if closing.refused_for_good(one, given.at_us):
        detail = f"risk refused {one.refused + one.put_off} orders in a row"
        return _ended(given, one, "UNSOLD", found, found.equity_e8, detail)
    outcome: Outcome = "BANKRUPT" if bankrupt else "UNSELLABLE"
    return _ended(given, one, outcome, found, found.equity_e8, "for auction and default")


def _collateral_of(
    given: Input, one: Liquidation, books: Books, margins: Mapping[str, AssetMargin]
) -> LiquidationChanged | LiquidationEnded | EntryBooked | None:
    """The next order for collateral of an account in default, or the house takes it; None when nothing is missing."""
    missing_e8 = seizure.short_e8(books, found := margins.get(one.asset))
    have = seizure.posted(books.balances, one.asset, given.tables.reference.collateral, margins) if missing_e8 else []
    for terms, free_e8 in have:
        offered = seizure.offer(books, one, terms, free_e8, missing_e8)
        if offered is not None:
            return _offered(given, one, offered, missing_e8)
        taken = seizure.seized(given, books, one, terms, free_e8, missing_e8)
        if taken is not None:
            return taken
    if not have:
        return None
    names = ", ".join(terms.asset for terms, _ in have)
    return _ended(given, one, "UNSELLABLE", found, -missing_e8, f"no fresh mark of its collateral: {names}")


def _offered(given: Input, one: Liquidation, offered: seizure.Offer, missing_e8: int) -> LiquidationChanged:
    name = f"{CLIENT_ORDER_PREFIX}{one.liquidation_id}-{one.step + 1}"
    order = plan.order(one.account_id, name, offered.holding, offered.quantity_e8)
    return LiquidationChanged(
        meta=given.meta(one.liquidation_id), account_id=one.account_id, liquidation_id=one.liquidation_id,
        asset=one.asset, state="SELLING", step=one.step + 1, attempt=offered.attempt, order=order,
        bankruptcy_price_e8=0, excess_e8=-missing_e8, planned_e8=0, detail="collateral", seen=None,
    )  # fmt: skip


def _ordered(
    state: State, given: Input, one: Liquidation, found: AssetMargin, planned: closing.Next
) -> LiquidationChanged:
    name, holding = f"{CLIENT_ORDER_PREFIX}{one.liquidation_id}-{one.step + 1}", planned.priced.holding
    cut = state.accounts[one.account_id].cuts.get(holding.instrument_id)
    effect = "CLOSE" if cut is not None and cut.positions == "HEDGING" else ""
    order = plan.order(one.account_id, name, holding, planned.quantity_e8, effect)
    return LiquidationChanged(
        meta=given.meta(one.liquidation_id), account_id=one.account_id, liquidation_id=one.liquidation_id,
        asset=one.asset, state="SELLING", step=one.step + 1, attempt=one.attempt, order=order,
        bankruptcy_price_e8=planned.priced.bankruptcy_price_e8, excess_e8=planned.before_e8,
        planned_e8=planned.after_e8, detail="", seen=margin.evidence(found),
    )  # fmt: skip


def _all_sold(
    state: State, given: Input, one: Liquidation, found: AssetMargin | None, equity_e8: int
) -> LiquidationEnded | EntryBooked | RoundRequested:
    """Nothing is held any more: what is missing to zero is the insurance fund's as far as it reaches, this partition's
    part first, then the others'."""
    if equity_e8 < 0 and (posted := _collateral(state, given, one)):
        return _ended(given, one, "LOSS", found, equity_e8, f"its {posted} comes first: for default")
    fund_e8 = insurance.free_e8(state, one.asset)
    if equity_e8 < 0 and fund_e8:
        return _covered(given, one, min(-equity_e8, fund_e8))
    if equity_e8 < 0:
        asked = insurance.ask(state, given, loss_id(state, one), one.account_id, one.asset, -equity_e8, "ACCOUNT")
        if asked is not None:
            return asked
        return _ended(given, one, "LOSS", found, equity_e8, "the insurance fund has nothing left")
    return _ended(given, one, "COVERED" if one.covered_e8 else "RESTORED", found, equity_e8, "all is sold")


def _collateral(state: State, given: Input, one: Liquidation) -> str:
    """Assets of the account that count as collateral: they pay before the fund does."""
    balances, counted = state.balances.get(ledger.client(one.account_id), {}), given.tables.reference.collateral
    return ", ".join(sorted(asset for asset in counted if asset != one.asset and balances.get(asset, 0) > 0))


def _books(state: State, given: Input, one: Liquidation) -> Books:
    return Books(
        one.account_id, state.balances.get(ledger.client(one.account_id), {}),
        margin.held_by(state, state.accounts[one.account_id]), one.asset,
        insurance.free_e8(state, one.asset), margin.seen_by(given),
        given.tables.reference.call_terms_of(one.account_id),
        _sells_out(state, one.account_id, one.asset),
    )  # fmt: skip


def heard(state: State, given: Input, event: default.Quiet) -> LiquidationChanged | None:
    """Risk says that nothing of the account is open or uncleared: the step is over."""
    one = state.watch.liquidations.get(event.account_id) if event.quiet_for else None
    if one is None or one.liquidation_id != event.quiet_for or one.state == "WAITING":
        return None
    if one.state == "CANCELLING":
        return _changed(given, one, "WAITING", "its own orders have ended")
    sold = f"{from_e8(one.sold_e8)} sold" if one.sold_e8 else "nothing sold"
    return _changed(given, one, "WAITING", sold, attempt=0 if one.sold_e8 else one.attempt + 1)


def refused(state: State, given: Input, event: OrderRejected) -> LiquidationChanged | None:
    """Risk has refused the order of a liquidation: the next one is no cheaper, as no venue was asked."""
    one = state.watch.liquidations.get(event.order.account_id)
    if one is None or one.state != "SELLING" or one.order is None or one.order.order_id != event.order.order_id:
        return None
    return replace(_changed(given, one, "WAITING", f"risk refused it: {event.reason}"), refusal=event.reason)


def _changed(
    given: Input, one: Liquidation, state: str, detail: str, *, attempt: int | None = None,
    found: AssetMargin | None = None,
) -> LiquidationChanged:  # fmt: skip
    return LiquidationChanged(
        meta=given.meta(one.liquidation_id), account_id=one.account_id, liquidation_id=one.liquidation_id,
        asset=one.asset, state=state, step=one.step, attempt=one.attempt if attempt is None else attempt,
        order=one.order, bankruptcy_price_e8=one.bankruptcy_price_e8, excess_e8=0, planned_e8=0, detail=detail,
        seen=margin.evidence(found) if found is not None else None,
    )  # fmt: skip


def _ended(
    given: Input, one: Liquidation, outcome: Outcome, found: AssetMargin | None, equity_e8: int, detail: str
) -> LiquidationEnded:
    return LiquidationEnded(
        given.meta(one.liquidation_id), one.account_id, one.liquidation_id, one.asset, outcome, one.step, one.fees_e8,
        one.covered_e8, max(-equity_e8, 0), detail, margin.evidence(found) if found is not None else None,
    )  # fmt: skip


# -- money -------------------------------------------------------------------------------------------------------------


def fee(state: State, given: Input, asked: ReviewMargin) -> EntryBooked | None:
    """The fee on what the last order sold, to the insurance fund; none in a default, where others bear the loss."""
    one = state.watch.liquidations.get(asked.account_id)
    if one is None or one.order is None or not one.fills or closes(state, one.account_id, one.asset):
        return None
    instrument = given.tables.reference.instruments.get(one.order.instrument_id)
    if instrument is None or instrument.contract is None:
        raise ContractRefused(f"{one.order.instrument_id} is no contract of the reference data any more")
    terms, bankruptcy_e8 = instrument.contract, one.bankruptcy_price_e8
    fee_e8 = sum(closing.liquidation_fee_e8(terms, sold, at, bankruptcy_e8) for sold, at in one.fills)
    if not fee_e8:
        return None
    numbers = {
        "fee_rate_e8": terms.liquidation_fee_rate_e8, "bankruptcy_price_e8": bankruptcy_e8, "sold_e8": one.sold_e8,
        "worth_e8": sum(abs(value(contracts.contract(terms), sold, at, "down")) for sold, at in one.fills),
    }  # fmt: skip
    return _moved(given, one, "LIQUIDATION_FEE", "liquidation_fee", -fee_e8, "liquidation fee", numbers)


def _covered(given: Input, one: Liquidation, amount_e8: int) -> EntryBooked:
    """The insurance fund pays what is missing to zero."""
    numbers = {"covered_e8": amount_e8}
    return _moved(given, one, "INSURANCE_FUND", "insurance", amount_e8, "loss beyond the account's money", numbers)


def _moved(
    given: Input, one: Liquidation, event: ContractEvent, purpose: str, amount_e8: int, rule: str,
    numbers: dict[str, int],
) -> EntryBooked:  # fmt: skip
    """Money between the account and the insurance fund; positive comes to the account."""
    lines = (
        Line(ledger.client(one.account_id), one.asset, amount_e8, purpose),
        Line(INSURANCE, one.asset, -amount_e8, purpose),
    )
    name = f"{one.liquidation_id}/{one.step}/{purpose}"
    if event == "INSURANCE_FUND" and one.covered_e8:  # The fund had too little, and has got more since.
        name += f"/{one.covered_e8}"
    return contracts.money_entry(
        given.meta(one.liquidation_id), name, one.account_id, event, one.asset, "", lines, rule, given.at_us,
        numbers=numbers, ids={"liquidation_id": one.liquidation_id},
    )  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: LiquidationChanged) -> None:
    """A liquidation as it is now."""
    watch, meta = state.watch, event.meta
    one = watch.liquidations.get(event.account_id)
    if one is None:
        one = watch.liquidations[event.account_id] = Liquidation(
            event.liquidation_id, event.account_id, event.asset, event.state, meta.decided_at_us
        )
        failed = watch.handed_over.pop(event.account_id, None)
        one.auctioned = failed is not None and (
            ids.auction_id(event.account_id, failed.liquidation_id) in state.auctioned.ids
        )
        return
    again = event.state == one.state and event.step == one.step
    one.asked, one.at_us = (one.asked + 1 if again else 0), meta.decided_at_us
    if event.state == "WAITING" and one.state == "SELLING":
        _answered(one, event)
    if event.state == "SELLING" and not again:
        if one.order is not None and event.order is not None and event.order.instrument_id != one.order.instrument_id:
            _taken(one)
        one.order, one.ordered_at_us, one.sold_e8, one.fills = event.order, meta.decided_at_us, 0, []
        one.bankruptcy_price_e8 = event.bankruptcy_price_e8
    one.state, one.step, one.attempt = event.state, event.step, event.attempt
    if event.state == "WAITING" and one.fills:
        ask(watch, f"{meta.epoch}.{meta.sequence}", event.account_id, event.asset, "FEE", "")


def _answered(one: Liquidation, event: LiquidationChanged) -> None:
    """How often in a row risk has refused its orders, and since when for a reason that passes."""
    if event.attempt != one.attempt or one.sold_e8:
        _taken(one)
    elif event.refusal not in closing.PASSING:
        one.refused += 1
    else:
        one.put_off_since_us = one.put_off_since_us if one.put_off else event.meta.decided_at_us
        one.put_off += 1


def _taken(one: Liquidation) -> None:
    """Risk has refused nothing since."""
    one.refused, one.put_off, one.put_off_since_us = 0, 0, 0


def ended(state: State, event: LiquidationEnded) -> None:
    """A liquidation is over; what it could not restore is for auction and default."""
    watch = state.watch
    del watch.liquidations[event.account_id]
    if event.outcome not in GOOD:
        watch.handed_over[event.account_id] = HandedOver(
            event.liquidation_id, event.asset, event.outcome, event.meta.decided_at_us, event.shortfall_e8
        )
    if event.outcome == "LOSS":
        run_id = f"{event.meta.epoch}.{event.meta.sequence}"
        reason = f"liquidation {event.liquidation_id}: {from_e8(event.shortfall_e8)} are missing to zero"
        ask(watch, run_id, event.account_id, event.asset, "DEFAULT", reason)


def booked(state: State, entry: EntryBooked) -> None:
    """A fill of the order that is out, or money between the account and the fund. Collateral pays no fee."""
    one = state.watch.liquidations.get(entry.account_id)
    if one is None:
        return
    if one.order is not None and entry.order_id == one.order.order_id and entry.kind == "TRADE":
        one.sold_e8 += entry.filled_e8
        if entry.contract is not None:
            numbers = entry.contract.numbers
            one.fills.append((numbers["quantity_e8"], numbers["price_e8"]))
    elif entry.contract is not None and "loss_id" in entry.contract.ids:
        one.covered_e8 += sum(line.amount_e8 for line in entry.lines if line.account == ledger.client(one.account_id))
    elif entry.contract is not None and entry.contract.ids.get("liquidation_id") == one.liquidation_id:
        if entry.contract.event == "LIQUIDATION_FEE":
            one.fees_e8 += -entry.lines[0].amount_e8
            one.fills = []
        elif entry.contract.event == "INSURANCE_FUND":
            one.covered_e8 += entry.lines[0].amount_e8


# -- effects -----------------------------------------------------------------------------------------------------------


def order_out(one: Liquidation) -> SubmitOrder | None:
    """The command for the order that is out. It keeps the time of its record: risk refuses one that comes too late."""
    if one.state != "SELLING" or one.order is None:
        return None
    return SubmitOrder(one.order, KEY, one.ordered_at_us)


def submitted(state: State, event: LiquidationChanged) -> SubmitOrder | None:
    """The command that follows a record; None when memory, which runs ahead, knows that it is answered."""
    one = state.watch.liquidations.get(event.account_id)
    if one is None or one.order is None or event.order is None or one.order.order_id != event.order.order_id:
        return None
    return order_out(one)
