"""Pre-trade checks: small functions in a fixed order of precedence; the first that finds something gives the reason.

Each returns the numbers that it saw when it refuses, else None. ORDER_CHECKS look at the order alone; then the order
is priced against the mark (MARK_CHECKS), and PRICE_CHECKS look at what it can cost. docs/risk.md lists them all.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from services.risk import credit, margin, sides
from services.risk.account import Account, messages_in_second
from services.risk.refusal import Numbers, Refusal, unmargined, unmarked
from truetape import halts
from truetape.errors import ContractError, MarginError, MarkWanted, MoneyError
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.messages import (
    Instrument,
    Limits,
    MarkPublished,
    MarkSeen,
    OrderMargin,
    OrderTerms,
    RejectReason,
)
from truetape.money import MAX_E8, ONE_E8, divide
from truetape.reference import EVERYBODY, Reference
from truetape.service import Input

COMMAND_LIFETIME_US: Final = 30_000_000
"""A submission decided later than this after the gateway had it is refused: the client was told 202 and may have acted
since; it must never trade by surprise. Longer than a takeover (session timeout and restore) takes."""

T = TypeVar("T")


class Asked(Struct, gc=False):
    """An order that is asked for, of a known account in a known instrument, and what is known about both."""

    order: OrderTerms
    instrument: Instrument
    account: Account
    limits: Limits
    reference: Reference
    mark: MarkPublished | None
    received_at_us: int
    at_us: int
    marks: Marks
    fee_rate_e8: int | None = None
    """Where that is known; else the dearest."""
    house: bool = False
    """Whether clearing asks for it, for the account's liquidation."""


class Priced(Struct, gc=False):
    """An order with the worst price at which it may fill, and the mark that it was held against."""

    asked: Asked
    mark: MarkSeen
    limit_price_e8: int
    fee_rate_e8: int
    notional_e8: int
    """Limit price times quantity."""
    cost_e8: int
    """What must be reserved: fee included for a buy, the quantity for a sell; margin and fees for a contract."""
    margin: OrderMargin | None = None
    """Of an order in a contract: how the cost is made up."""


def asked(
    order: OrderTerms, received_at_us: int, account: Account, given: Input, house: bool = False
) -> Asked | Refusal:
    """Look up what the checks need; refuses an unknown account or instrument."""
    reference = given.tables.reference
    if order.account_id not in reference.accounts:
        return Refusal("ACCOUNT_UNKNOWN", {"reference_offset": given.tables.reference_offset})
    instrument = reference.instruments.get(order.instrument_id)
    if instrument is None:
        return Refusal("INSTRUMENT_UNKNOWN", {"reference_offset": given.tables.reference_offset})
    return Asked(
        order, instrument, account, reference.limits_of(order.account_id), reference,
        given.tables.marks.newest.get(order.instrument_id), received_at_us, given.at_us, given.tables.marks,
        house=house,
    )  # fmt: skip


def examine(one: Asked) -> Priced | Refusal:
    """Run all checks in their order: the order with its price, or the first reason against it."""
    return examine_by(one, ORDER_CHECKS, PRICE_CHECKS)


def examine_by(one: Asked, order_checks: "Checks[Asked]", price_checks: "Checks[Priced]") -> Priced | Refusal:
    """The same by these checks, and those of the mark."""
    refusal = _first(order_checks, one)
    if refusal is not None:
        return refusal
    mark = one.mark
    seen = None if mark is None else MarkSeen(mark.price_e8, mark.meta.sequence, mark.meta.epoch, mark.observed_at_us)
    refusal = _first(MARK_CHECKS, one)
    if refusal is not None:
        return refusal._replace(mark=seen)
    assert seen is not None, "a missing mark is refused"
    try:
        priced = _price(one, seen) if one.instrument.contract is None else _price_contract(one, seen)
        refusal = _first(price_checks, priced)
    except MarkWanted as wanted:  # Of another position, or of an index: what is not known is not taken for zero.
        refusal = unmarked(wanted, one.limits.mark_max_age_us)
    except MarginError as error:
        refusal = unmargined(error)
    except (MoneyError, ContractError):
        refusal = Refusal("NUMBER_TOO_LARGE", {"quantity_e8": one.order.quantity_e8, "mark_e8": seen.price_e8})
    return priced if refusal is None else refusal._replace(mark=seen)


def _price_contract(one: Asked, mark: MarkSeen) -> Priced:
    """Raises MarkWanted, MoneyError, ContractError."""
    order, terms = one.order, one.instrument.contract
    assert terms is not None, "it is a contract"
    price_e8 = limit_price_e8(one, mark.price_e8)
    dearest_e8 = credit.fee_rate_e8(one.reference.fees_of(order.account_id), one.instrument)
    rate_e8 = dearest_e8 if one.fee_rate_e8 is None else one.fee_rate_e8
    held = margin.order_margin(
        one.account, one.instrument, order.side, order.quantity_e8, price_e8, rate_e8, _seen(one)
    )
    notional_e8 = margin.limit_notional_e8(terms, order.quantity_e8, price_e8)
    cost_e8 = credit.times_e8(order.quantity_e8, held.unit_cost_e8)
    return Priced(one, mark, price_e8, rate_e8, notional_e8, cost_e8, held)


def _seen(one: Asked) -> Published:
    return Published(one.marks, one.reference, one.at_us, one.limits.mark_max_age_us)


def _price(one: Asked, mark: MarkSeen) -> Priced:
    quantity_e8, price_e8 = one.order.quantity_e8, limit_price_e8(one, mark.price_e8)
    rate_e8 = credit.fee_rate_e8(one.reference.fees_of(one.order.account_id), one.instrument)
    cost_e8 = credit.cost_e8(one.order.side == "BUY", quantity_e8, price_e8, rate_e8)
    return Priced(one, mark, price_e8, rate_e8, credit.notional_e8(price_e8, quantity_e8), cost_e8)


def _first(checks: "Checks[T]", subject: T) -> Refusal | None:
    for reason, check in checks:
        numbers = check(subject)
        if numbers is not None:
            return Refusal(reason, numbers)
    return None


# -- the order alone -----------------------------------------------------------------------------------------------


def command_expired(one: Asked) -> Numbers | None:
    """Decided more than 30 s after the gateway had it."""
    age_us = one.at_us - one.received_at_us
    return {"age_us": age_us, "lifetime_us": COMMAND_LIFETIME_US} if age_us > COMMAND_LIFETIME_US else None


def message_rate_exceeded(one: Asked) -> Numbers | None:
    """The account's commands of this second have reached its limit; cancels count, and pass. Not of a liquidation."""
    if one.house:
        return None
    count, limit = messages_in_second(one.account, one.at_us), one.limits.max_messages_per_second
    return {"messages": count, "limit": limit} if count >= limit else None


def trading_halted(one: Asked) -> Numbers | None:
    """The kill switch of the account or of everybody is HALTED."""
    states = one.reference.trading_states
    account, everybody = states.get(one.order.account_id) == "HALTED", states.get(EVERYBODY) == "HALTED"
    return {"account_halted": int(account), "everybody_halted": int(everybody)} if account or everybody else None


def ledger_halted(one: Asked) -> Numbers | None:
    """Clearing has parked an input of the account: until that is resolved, its books are behind its trades."""
    # Positions of who is in default are closed.
    closing = one.house and one.account.halted_by.startswith(halts.DEFAULT)
    return {"ledger_halted": 1} if one.account.halted_by and not closing else None


def liquidated(one: Asked) -> Numbers | None:
    """The account is being liquidated, and the order is its own; or it is the liquidation's, and would not only reduce
    what the account holds, or the liquidation is over."""
    order, running = one.order, bool(one.account.liquidation_id)
    if not one.house:
        return {"liquidation": 1} if running else None
    held_e8 = 0
    if running and one.instrument.contract is not None:
        held_e8 = margin.reducible_e8(one.account, order.instrument_id, order.side)
    elif running and order.side == "SELL":  # Collateral of an account in default.
        held_e8 = credit.available_e8(one.account, one.instrument.base)
    return None if order.quantity_e8 <= held_e8 else {"quantity_e8": order.quantity_e8, "held_e8": held_e8}


def trading_reducing(one: Asked) -> Numbers | None:
    """The kill switch of either is REDUCING, or the account's member is in default and it has no other one yet; and the
    order is not a sell of what the account holds free, and does not only reduce a contract that it holds."""
    order, ported = one.order, bool(one.account.porting_id)
    if not ported and one.reference.trading_state_of(order.account_id) != "REDUCING":
        return None
    held_e8 = credit.available_e8(one.account, one.instrument.base)
    sells = order.side == "SELL"
    if one.instrument.contract is not None:
        held_e8 = margin.reducible_e8(one.account, order.instrument_id, order.side)
        if order.quantity_e8 <= held_e8:
            return None
    elif sells and order.quantity_e8 <= held_e8:
        return None
    seen = {"sells": int(sells), "quantity_e8": order.quantity_e8, "held_e8": held_e8}
    return seen | ({"member_in_default": 1} if ported else {})


def instrument_not_tradable(one: Asked) -> Numbers | None:
    """The instrument takes no new orders now, has no tick or lot, or is a contract that has expired."""
    tradable, tick_e8, lot_e8 = one.instrument.tradable, one.instrument.tick_e8, one.instrument.lot_e8
    ends_us = one.instrument.contract.expires_at_us if one.instrument.contract is not None else None
    expired = ends_us is not None and one.at_us >= ends_us
    if tradable and tick_e8 > 0 and lot_e8 > 0 and not expired:
        return None
    return {"tradable": int(tradable), "tick_e8": tick_e8, "lot_e8": lot_e8} | ({"expired": 1} if expired else {})


def price_missing(one: Asked) -> Numbers | None:
    """A limit order without a price."""
    return {"price_given": 0} if one.order.price_e8 is None and one.order.order_type == "LIMIT" else None


def price_not_allowed(one: Asked) -> Numbers | None:
    """A market order with a price."""
    price_e8 = one.order.price_e8
    return {"price_e8": price_e8} if price_e8 is not None and one.order.order_type == "MARKET" else None


def terms_incompatible(one: Asked) -> Numbers | None:
    """Post-only with market, IOC or FOK, which only take; or a market order that is good till cancelled."""
    order = one.order
    market, rests = order.order_type == "MARKET", order.time_in_force == "GTC"
    if (order.post_only and (market or not rests)) or (market and rests):
        return {"market": int(market), "good_till_cancelled": int(rests), "post_only": int(order.post_only)}
    return None


def quantity_not_positive(one: Asked) -> Numbers | None:
    """Zero or less."""
    return {"quantity_e8": one.order.quantity_e8} if one.order.quantity_e8 <= 0 else None


def price_not_positive(one: Asked) -> Numbers | None:
    """Zero or less."""
    price_e8, terms = one.order.price_e8, one.instrument.contract
    if terms is not None and terms.signed_price:
        return None
    return {"price_e8": price_e8} if price_e8 is not None and price_e8 <= 0 else None


def number_too_large(one: Asked) -> Numbers | None:
    """Price times quantity is beyond 64 bits; of a contract its notional by its own terms."""
    price_e8, quantity_e8 = one.order.price_e8, one.order.quantity_e8
    if price_e8 is None or margin.notional_fits(one.instrument.contract, quantity_e8, price_e8):
        return None
    return {"price_e8": price_e8, "quantity_e8": quantity_e8}


def price_off_tick(one: Asked) -> Numbers | None:
    """Not a multiple of the instrument's tick."""
    price_e8, tick_e8 = one.order.price_e8, one.instrument.tick_e8
    return {"price_e8": price_e8, "tick_e8": tick_e8} if price_e8 is not None and price_e8 % tick_e8 else None


def quantity_off_lot(one: Asked) -> Numbers | None:
    """Not a multiple of the instrument's lot."""
    quantity_e8, lot_e8 = one.order.quantity_e8, one.instrument.lot_e8
    return {"quantity_e8": quantity_e8, "lot_e8": lot_e8} if quantity_e8 % lot_e8 else None


def quantity_below_minimum(one: Asked) -> Numbers | None:
    """Smaller than the instrument allows."""
    quantity_e8, least_e8 = one.order.quantity_e8, one.instrument.min_quantity_e8
    return {"quantity_e8": quantity_e8, "minimum_e8": least_e8} if quantity_e8 < least_e8 else None


def quantity_above_maximum(one: Asked) -> Numbers | None:
    """Larger than the instrument allows."""
    quantity_e8, most_e8 = one.order.quantity_e8, one.instrument.max_quantity_e8
    return {"quantity_e8": quantity_e8, "maximum_e8": most_e8} if quantity_e8 > most_e8 else None


def too_many_open_orders(one: Asked) -> Numbers | None:
    """The account has as many open orders as it may."""
    count, limit = one.account.open_orders, one.limits.max_open_orders
    return {"open_orders": count, "limit": limit} if count >= limit else None


# -- the mark ------------------------------------------------------------------------------------------------------


def mark_missing(one: Asked) -> Numbers | None:
    """The instrument never had a mark, so nothing bounds the price."""
    return {"marks": 0} if one.mark is None else None


def mark_stale(one: Asked) -> Numbers | None:
    """The mark is older than the account's limit; one from the future is as doubtful."""
    assert one.mark is not None, "mark_missing comes first"
    age_us, most_us = one.at_us - one.mark.observed_at_us, one.limits.mark_max_age_us
    return {"age_us": age_us, "max_age_us": most_us} if abs(age_us) > most_us else None


# -- what it can cost ----------------------------------------------------------------------------------------------


def limit_price_e8(one: Asked, mark_e8: int) -> int:
    """The worst price at which it may fill: its own, or for a market order the collar's edge, on a tick inside."""
    if one.order.price_e8 is not None:
        return one.order.price_e8
    tick_e8, edge_e8 = one.instrument.tick_e8, collar_e8(one, mark_e8)
    inside_e8 = edge_e8 // tick_e8 * tick_e8 if one.order.side == "BUY" else -(-edge_e8 // tick_e8) * tick_e8
    terms = one.instrument.contract
    return inside_e8 if terms is not None and terms.signed_price else max(inside_e8, tick_e8)


def collar_e8(one: Asked, mark_e8: int) -> int:
    """The furthest price on the harmful side of the mark: above it for a buy, below it for a sell."""
    width_e8 = divide(abs(mark_e8) * one.limits.collar_rate_e8, ONE_E8, "down")[0]
    return mark_e8 + width_e8 if one.order.side == "BUY" else mark_e8 - width_e8


def price_outside_collar(one: Priced) -> Numbers | None:
    """A buy above the collar or a sell below it. A passive price, however far away, harms nobody and passes."""
    edge_e8 = collar_e8(one.asked, one.mark.price_e8)
    buys = one.asked.order.side == "BUY"
    if one.limit_price_e8 <= edge_e8 if buys else one.limit_price_e8 >= edge_e8:
        return None
    return {"price_e8": one.limit_price_e8, "edge_e8": edge_e8, "mark_e8": one.mark.price_e8}


def cost_too_large(one: Priced) -> Numbers | None:
    """What it can cost, fee included, or what the account would then hold, is beyond 64 bits."""
    order, instrument = one.asked.order, one.asked.instrument
    if max(one.limit_price_e8, one.notional_e8, one.cost_e8) > MAX_E8:
        return {"quantity_e8": order.quantity_e8, "mark_e8": one.mark.price_e8, "fee_rate_e8": one.fee_rate_e8}
    if instrument.contract is not None:
        held = one.asked.account.contracts.get(order.instrument_id)
        held_e8 = abs(held.quantity_e8) if held is not None else 0
        too_many = held_e8 + order.quantity_e8 > MAX_E8
        return {"held_e8": held_e8, "gained_e8": order.quantity_e8} if too_many else None
    buys = order.side == "BUY"
    held_e8 = one.asked.account.balances.get(instrument.base if buys else instrument.quote, 0)
    gained_e8 = order.quantity_e8 if buys else one.notional_e8
    return {"held_e8": held_e8, "gained_e8": gained_e8} if held_e8 + gained_e8 > MAX_E8 else None


def notional_below_minimum(one: Priced) -> Numbers | None:
    """Limit price times quantity is less than the instrument allows."""
    least_e8 = one.asked.instrument.min_notional_e8
    return {"notional_e8": one.notional_e8, "minimum_e8": least_e8} if one.notional_e8 < least_e8 else None


def notional_above_maximum(one: Priced) -> Numbers | None:
    """Limit price times quantity is more than the instrument allows."""
    most_e8 = one.asked.instrument.max_notional_e8
    return {"notional_e8": one.notional_e8, "maximum_e8": most_e8} if one.notional_e8 > most_e8 else None


def notional_above_limit(one: Priced) -> Numbers | None:
    """Limit price times quantity is more than the account's largest order."""
    most_e8 = one.asked.limits.max_order_notional_e8
    return {"notional_e8": one.notional_e8, "limit_e8": most_e8} if one.notional_e8 > most_e8 else None


def insufficient_funds(one: Priced) -> Numbers | None:
    """What it can cost, fee included, is more than the account has free, or is collateral that margin needs. A
    liquidation's order passes."""
    if one.asked.house:
        return None
    account, order, instrument = one.asked.account, one.asked.order, one.asked.instrument
    asset, seen, made = credit.asset_of(order.side, instrument), _seen(one.asked), one.margin
    if made is not None and margin.only_reduces(
        made, account, instrument, order.side, order.quantity_e8, one.limit_price_e8, one.fee_rate_e8, seen
    ):
        return None
    needed_e8, available_e8 = _needed(one, asset, seen)
    if needed_e8 <= available_e8 and margin.backed(account, asset, needed_e8, seen):
        return None
    return {"needed_e8": needed_e8, "available_e8": available_e8, "reserved_e8": account.reserved.get(asset, 0)}


def _needed(one: Priced, asset: str, seen: Published) -> tuple[int, int]:
    """What an order needs of an asset, and what there is for it. Raises MarginError."""
    account, made, terms = one.asked.account, one.margin, one.asked.instrument.contract
    if made is None or terms is None:
        return one.cost_e8, margin.free_e8(account, asset, seen, spends=True)
    bought_option = terms.kind == "OPTION" and one.asked.order.side == "BUY"
    if not made.model:
        return one.cost_e8 + made.adds_e8, margin.free_e8(account, asset, seen, bought_option)
    cash_e8 = account.balances.get(asset, 0) - account.reserved.get(asset, 0)
    if bought_option and one.cost_e8 > cash_e8:  # A premium is paid in cash, whatever the option is worth as margin.
        return one.cost_e8, cash_e8
    return made.adds_e8, made.equity_e8 - made.required_e8 - made.reserved_e8


Checks = Sequence[tuple[RejectReason, Callable[[T], Numbers | None]]]
ORDER_CHECKS: Final[Checks[Asked]] = (
    ("COMMAND_EXPIRED", command_expired),
    ("MESSAGE_RATE_EXCEEDED", message_rate_exceeded),
    ("TRADING_HALTED", trading_halted),
    ("TRADING_HALTED", ledger_halted),
    ("TRADING_REDUCING", liquidated),
    ("TRADING_REDUCING", trading_reducing),
    ("INSTRUMENT_NOT_TRADABLE", instrument_not_tradable),
    ("PRICE_MISSING", price_missing),
    ("PRICE_NOT_ALLOWED", price_not_allowed),
    ("TERMS_INCOMPATIBLE", terms_incompatible),
    ("TERMS_INCOMPATIBLE", sides.position_effect_impossible),
    ("QUANTITY_NOT_POSITIVE", quantity_not_positive),
    ("PRICE_NOT_POSITIVE", price_not_positive),
    ("NUMBER_TOO_LARGE", number_too_large),
    ("PRICE_OFF_TICK", price_off_tick),
    ("QUANTITY_OFF_LOT", quantity_off_lot),
    ("QUANTITY_BELOW_MINIMUM", quantity_below_minimum),
    ("QUANTITY_ABOVE_MAXIMUM", quantity_above_maximum),
    ("TOO_MANY_OPEN_ORDERS", too_many_open_orders),
)
MARK_CHECKS: Final[Checks[Asked]] = (
    ("MARK_MISSING", mark_missing),
    ("MARK_STALE", mark_stale),
)
PRICE_CHECKS: Final[Checks[Priced]] = (
    ("PRICE_OUTSIDE_COLLAR", price_outside_collar),
    ("NUMBER_TOO_LARGE", cost_too_large),
    ("NOTIONAL_BELOW_MINIMUM", notional_below_minimum),
    ("NOTIONAL_ABOVE_MAXIMUM", notional_above_maximum),
    ("NOTIONAL_ABOVE_LIMIT", notional_above_limit),
    ("INSUFFICIENT_FUNDS", insufficient_funds),
)


def markdown() -> str:
    """The table of docs/risk.md: every check, in the order of precedence."""
    rows = [
        ("ACCOUNT_UNKNOWN", "The account is not in the reference data."),
        ("INSTRUMENT_UNKNOWN", "The instrument is not in the reference data."),
    ]
    for checks in (ORDER_CHECKS, MARK_CHECKS, PRICE_CHECKS):
        rows += [(reason, " ".join((check.__doc__ or "").split())) for reason, check in checks]
    body = "".join(f"| {number} | `{reason}` | {text} |\n" for number, (reason, text) in enumerate(rows, 1))
    return f"| | reason | when |\n|---|---|---|\n{body}"
