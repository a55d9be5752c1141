"""The ledger: what lines an entry has, that they sum to zero, and how they move balances."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from services.clearing.booking import positions
from truetape.errors import TruetapeError
from truetape.ids import MIRRORS
from truetape.messages import EntryBooked, Fees, Line, Liquidity, Meta, OrderFilled, Position, TransferTerms
from truetape.money import MAX_E8, fits, from_e8, notional, portion

ROUNDING_MAX_E8: Final = 100
"""How far a venue's quote amount may be from price times quantity: what rounding to six decimals explains."""

Balances = dict[str, dict[str, int]]
"""Balance in 1e-8 by ledger account and asset."""
_NONE: Final[dict[str, int]] = {}


class LedgerError(TruetapeError):
    """The ledger refuses an input; it is parked and its account halted."""


class EntryRepeated(LedgerError):
    """A fill or transfer that is booked already."""


class AccountHalted(LedgerError):
    """An earlier input of the account was parked; this one must wait behind it."""


class QuoteContradicted(LedgerError):
    """A venue's quote amount that rounding cannot explain."""


class NotCorrectable(LedgerError):
    """An entry that is itself a correction."""


def client(account_id: str) -> str:
    """The ledger account of a client."""
    return "client:" + account_id


def client_quote_e8(fill: OrderFilled) -> int:
    """What the client pays or gets, before fees: price times quantity, rounded against the client.

    Raises QuoteContradicted when the venue's own amount is further away than rounding explains.
    """
    amount_e8 = notional(fill.price_e8, fill.quantity_e8, "up" if fill.side == "BUY" else "down")
    if abs(amount_e8 - fill.quote_amount_e8) > ROUNDING_MAX_E8:
        said, price, quantity, made = map(from_e8, (fill.quote_amount_e8, fill.price_e8, fill.quantity_e8, amount_e8))
        raise QuoteContradicted(
            f"{fill.execution_id}: {fill.venue} says quote amount {said}, but price {price} times quantity {quantity} "
            f"is {made}; ask the venue which is right"
        )
    return amount_e8


def house_fee_e8(amount_e8: int, fees: Fees, liquidity: Liquidity) -> int:
    """The house's fee on a client's quote amount, rounded up: against the client, also when the rate is a rebate."""
    rate_e8 = fees.maker_rate_e8 if liquidity == "MAKER" else fees.taker_rate_e8
    return portion(amount_e8, rate_e8, "up") if rate_e8 else 0


@lru_cache(maxsize=1024)
def trade_rule(liquidity: Liquidity, fees: Fees) -> str:
    """Names the rule of a trade with the fee rate that it saw."""
    rate_e8 = fees.maker_rate_e8 if liquidity == "MAKER" else fees.taker_rate_e8
    return f"trade, {liquidity} fee {rate_e8}e-8 rounded up"


def trade_lines(fill: OrderFilled, quote_e8: int, fee_e8: int) -> tuple[Line, ...]:
    """The lines of a fill: the client's base and quote first, then the venue's, rounding, venue's fee, house's fee.

    The client moves quote_e8, the venue's mirror the venue's own amount; the difference is house:rounding's.
    """
    whom, venue = client(fill.account_id), "venue:" + fill.venue
    base_e8 = fill.quantity_e8 if fill.side == "BUY" else -fill.quantity_e8
    paid_e8, mirrored_e8 = (-quote_e8, fill.quote_amount_e8) if base_e8 > 0 else (quote_e8, -fill.quote_amount_e8)
    lines = [
        Line(whom, fill.base, base_e8, "principal"),
        Line(whom, fill.quote, paid_e8, "principal"),
        Line(venue, fill.base, -base_e8, "principal"),
        Line(venue, fill.quote, mirrored_e8, "principal"),
    ]
    if remainder_e8 := -paid_e8 - mirrored_e8:
        lines.append(Line("house:rounding", fill.quote, remainder_e8, "rounding"))
    if fill.fee_e8:
        lines.append(Line(whom, fill.fee_asset, -fill.fee_e8, "venue_fee"))
        lines.append(Line(venue, fill.fee_asset, fill.fee_e8, "venue_fee"))
    if fee_e8:
        lines.append(Line(whom, fill.quote, -fee_e8, "house_fee"))
        lines.append(Line("house:fees", fill.quote, fee_e8, "house_fee"))
    return tuple(lines)


def transfer_lines(terms: TransferTerms) -> tuple[Line, ...]:
    """The lines of a deposit (positive) or withdrawal (negative): client against the mirror where it moved."""
    assert terms.location.startswith(MIRRORS), f"{terms.location} is no mirror of an account outside"
    assert terms.amount_e8 != 0, "a transfer moves something"
    purpose = "deposit" if terms.amount_e8 > 0 else "withdrawal"
    return (
        Line(client(terms.account_id), terms.asset, terms.amount_e8, purpose),
        Line(terms.location, terms.asset, -terms.amount_e8, purpose),
    )


def assert_balanced(lines: Iterable[Line]) -> None:
    """Lines sum to zero per asset: asserted when an entry is built and again when it is folded."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.asset] = sums.get(line.asset, 0) + line.amount_e8
    assert not any(sums.values()), f"entry does not sum to zero: {sums}"


def assert_fitting(balances: Balances, lines: tuple[Line, ...]) -> None:
    """Raises MoneyError when a balance would pass 64 bits."""
    for line in lines:
        if abs(balances.get(line.account, _NONE).get(line.asset, 0)) + abs(line.amount_e8) > MAX_E8 // 16:
            break
    else:
        return
    touched = {line.account: dict(balances.get(line.account, _NONE)) for line in lines}
    post(touched, lines)
    for assets in touched.values():
        for amount_e8 in assets.values():
            fits(amount_e8)


def post(balances: Balances, lines: Iterable[Line]) -> None:
    """Move balances by lines."""
    for line in lines:
        assets = balances.get(line.account)
        if assets is None:
            assets = balances[line.account] = {}
        assets[line.asset] = assets.get(line.asset, 0) + line.amount_e8


def book(balances: Balances, lines: Iterable[Line]) -> None:
    """Move balances by an entry's lines, asserting in the same walk that they sum to zero per asset. Whoever hears
    that they do not must forget these balances: they are moved already."""
    sums: dict[str, int] = {}
    for line in lines:
        account, asset, amount_e8 = line.account, line.asset, line.amount_e8
        assets = balances.get(account)
        if assets is None:
            assets = balances[account] = {}
        assets[asset] = assets.get(asset, 0) + amount_e8
        sums[asset] = sums.get(asset, 0) + amount_e8
    assert not any(sums.values()), f"entry does not sum to zero: {sums}"


def trial_balance(balances: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The sum of all ledger accounts per asset: zero for each, else the ledger is broken."""
    sums: dict[str, int] = {}
    for assets in balances.values():
        for asset, amount_e8 in assets.items():
            sums[asset] = sums.get(asset, 0) + amount_e8
    return sums


def reversal(entry: EntryBooked, position: Position | None, meta: Meta) -> EntryBooked:
    """The entry that reverses another: every line negated, under an id that names what it corrects.

    `position` is the client's position now, when the entry is a trade. Its order's reservation stays as it is: what
    was cleared was cleared. Raises NotCorrectable for a correction: book the right entry instead.
    """
    if entry.kind == "CORRECTION":
        raise NotCorrectable(f"{entry.entry_id} corrects {entry.corrects}; book what is right as a new entry")
    lines = tuple(Line(line.account, line.asset, -line.amount_e8, line.purpose) for line in entry.lines)
    assert_balanced(lines)
    after = _position_without(entry, position)
    return EntryBooked(
        meta=meta,
        entry_id="correction:" + entry.entry_id,
        account_id=entry.account_id,
        kind="CORRECTION",
        rule="reversal",
        lines=lines,
        realised_e8=after.realised_e8 - position.realised_e8 if after and position else 0,
        filled_e8=0,
        transacted_at_us=meta.decided_at_us,
        order_id=entry.order_id,
        corrects=entry.entry_id,
        external_reference=entry.external_reference,
        position=after,
    )


def _position_without(entry: EntryBooked, position: Position | None) -> Position | None:
    if entry.kind != "TRADE":
        return None
    assert position is not None, "a trade left a position"
    base, quote = entry.lines[:2]
    return positions.undo(position, base.amount_e8, -quote.amount_e8, entry.realised_e8)
