"""One entry judged by itself, in plain Python integers: what it must say of its fill or transfer, field by field.

docs/ledger.md is the rule book; nothing here is taken from services/clearing. The columns (trades.py) only find the
entries that deserve this look.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from truetape import messages as m

ONE_E8 = 100_000_000
QUOTE_MAX_E8 = 100
"""A venue's quote amount may be as far from price times quantity: rounding to six decimals explains that."""
RULE = re.compile(r"trade, (MAKER|TAKER) fee (-?[0-9]+)e-8 rounded up")
Wrong = tuple[str, object, object]
"""(field, what it must be, what the entry says)."""


class Fill(NamedTuple):
    """What of a fill its entry depends on."""

    account_id: str
    venue: str
    instrument_id: str
    base: str
    quote: str
    sign: int
    """1 for a buy, -1 for a sell."""
    quantity_e8: int
    price_e8: int
    quote_amount_e8: int
    fee_asset: str
    fee_e8: int
    liquidity: str


class Holding(NamedTuple):
    """A position: signed quantity, signed cost of what is open, profit realised so far."""

    quantity_e8: int = 0
    cost_e8: int = 0
    realised_e8: int = 0


FLAT = Holding()


def principal_e8(fill: Fill) -> int:
    """The client's quote amount, signed: a buyer pays rounded up, a seller gets rounded down."""
    exact = fill.price_e8 * fill.quantity_e8
    return -exact // ONE_E8 if fill.sign > 0 else exact // ONE_E8


def after(held: Holding, quantity_e8: int, paid_e8: int) -> Holding:
    """Average cost: adding adds the cost, reducing takes its share out (half to even) and realises the rest; through
    zero it is closed, and opened with what is left."""
    left = held.quantity_e8 + quantity_e8
    if held.quantity_e8 * quantity_e8 >= 0:
        return Holding(left, held.cost_e8 + paid_e8, held.realised_e8)
    if abs(quantity_e8) <= abs(held.quantity_e8):
        out = nearest(held.cost_e8 * abs(quantity_e8), abs(held.quantity_e8))
        return Holding(left, held.cost_e8 - out, held.realised_e8 - paid_e8 - out)
    closing = nearest(paid_e8 * abs(held.quantity_e8), abs(quantity_e8))
    return Holding(left, paid_e8 - closing, held.realised_e8 - closing - held.cost_e8)


def nearest(numerator: int, divisor: int) -> int:
    """The nearest quotient, ties to the even one."""
    below, rest = divmod(numerator, divisor)
    return below + (2 * rest > divisor or (2 * rest == divisor and below % 2 == 1))


def undone(held: Holding, quantity_e8: int, paid_e8: int, realised_e8: int) -> Holding:
    """The position without one trade; cost that is left without quantity is realised."""
    left, cost_e8 = held.quantity_e8 - quantity_e8, held.cost_e8 - paid_e8 - realised_e8
    if left:
        return Holding(left, cost_e8, held.realised_e8 - realised_e8)
    return Holding(0, 0, held.realised_e8 - realised_e8 - cost_e8)


def trade(entry: m.EntryBooked, fill: Fill, held: Holding, rates: Iterable[int]) -> Iterator[Wrong]:
    """What is wrong with an entry that books this fill on this position; `rates` are the fee rates ever in force."""
    yield from _differ(
        {"account_id": fill.account_id, "kind": "TRADE", "filled_e8": fill.quantity_e8},
        {"account_id": entry.account_id, "kind": entry.kind, "filled_e8": entry.filled_e8},
    )
    ruled = RULE.fullmatch(entry.rule)
    if ruled is None or ruled[1] != fill.liquidity or int(ruled[2]) not in set(rates):
        yield "rule", f"{fill.liquidity} fee at one of {sorted(set(rates))}", entry.rule
    quote_e8 = principal_e8(fill)
    if abs(abs(quote_e8) - fill.quote_amount_e8) > QUOTE_MAX_E8:
        yield "quote amount of the fill", abs(quote_e8), fill.quote_amount_e8
    yield from lines(entry, _trade_lines(fill, quote_e8, int(ruled[2]) if ruled else 0))
    new = after(held, fill.sign * fill.quantity_e8, -quote_e8)
    yield from position(entry, fill.instrument_id, new, new.realised_e8 - held.realised_e8)


def _trade_lines(fill: Fill, quote_e8: int, rate_e8: int) -> dict[tuple[str, str, str], int]:
    client, venue = f"client:{fill.account_id}", f"venue:{fill.venue}"
    base_e8, mirrored_e8 = fill.sign * fill.quantity_e8, fill.sign * fill.quote_amount_e8
    house_e8 = -(-abs(quote_e8) * rate_e8 // ONE_E8)
    wanted = {
        (client, fill.base, "principal"): base_e8,
        (client, fill.quote, "principal"): quote_e8,
        (venue, fill.base, "principal"): -base_e8,
        (venue, fill.quote, "principal"): mirrored_e8,
        ("house:rounding", fill.quote, "rounding"): -quote_e8 - mirrored_e8,
        (client, fill.fee_asset, "venue_fee"): -fill.fee_e8,
        (venue, fill.fee_asset, "venue_fee"): fill.fee_e8,
        (client, fill.quote, "house_fee"): -house_e8,
        ("house:fees", fill.quote, "house_fee"): house_e8,
    }
    return {key: amount_e8 for key, amount_e8 in wanted.items() if amount_e8}


def transfer(entry: m.EntryBooked, terms: m.TransferTerms) -> Iterator[Wrong]:
    """What is wrong with an entry that books this deposit or withdrawal."""
    kind = "DEPOSIT" if terms.amount_e8 > 0 else "WITHDRAWAL"
    yield from _differ(
        {"entry_id": terms.transfer_id, "account_id": terms.account_id, "kind": kind, "position": None},
        {"entry_id": entry.entry_id, "account_id": entry.account_id, "kind": entry.kind, "position": entry.position},
    )
    purpose = kind.lower()
    wanted = {
        (f"client:{terms.account_id}", terms.asset, purpose): terms.amount_e8,
        (terms.location, terms.asset, purpose): -terms.amount_e8,
    }
    yield from lines(entry, wanted)


def correction(entry: m.EntryBooked, corrected: m.EntryBooked, held: Holding) -> Iterator[Wrong]:
    """What is wrong with an entry that takes another one back."""
    if entry.account_id != corrected.account_id:
        yield "account_id", corrected.account_id, entry.account_id
    yield from lines(entry, {key: -amount_e8 for key, amount_e8 in _summed(corrected).items()})
    if corrected.kind == "TRADE" and corrected.position is not None:
        new = corrected_holding(corrected, held)
        yield from position(entry, corrected.position.instrument_id, new, new.realised_e8 - held.realised_e8)


def corrected_holding(corrected: m.EntryBooked, held: Holding) -> Holding:
    """The position once this trade is taken back."""
    base, quote = corrected.lines[:2]
    return undone(held, base.amount_e8, -quote.amount_e8, corrected.realised_e8)


def lines(entry: m.EntryBooked, wanted: dict[tuple[str, str, str], int]) -> Iterator[Wrong]:
    """Where an entry's lines differ from these, by ledger account, asset and purpose."""
    said = _summed(entry)
    for key in sorted(wanted.keys() | said.keys()):
        if wanted.get(key, 0) != said.get(key, 0):
            yield f"line {' '.join(key)}", wanted.get(key, "nothing"), said.get(key, "nothing")
    yield from summing(entry)


def summing(entry: m.EntryBooked) -> Iterator[Wrong]:
    """Assets and contracts whose lines do not sum to zero."""
    sums: dict[str, int] = {}
    for line in entry.lines:
        sums[line.asset] = sums.get(line.asset, 0) + line.amount_e8
    for asset, amount_e8 in sums.items():
        if amount_e8:
            yield f"sum of {asset}", 0, amount_e8


def _summed(entry: m.EntryBooked) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for line in entry.lines:
        key = (line.account, line.asset, line.purpose)
        found[key] = found.get(key, 0) + line.amount_e8
    return {key: amount_e8 for key, amount_e8 in found.items() if amount_e8}


def position(entry: m.EntryBooked, instrument_id: str, new: Holding, realised_e8: int) -> Iterator[Wrong]:
    """Where an entry's position differs from this one."""
    if entry.position is None:
        yield "position", new, "nothing"
        return
    said = entry.position
    yield from _differ(
        {"position.instrument_id": instrument_id, "realised_e8": realised_e8}
        | {f"position.{name}": value for name, value in new._asdict().items()},
        {
            "position.instrument_id": said.instrument_id, "realised_e8": entry.realised_e8,
            "position.quantity_e8": said.quantity_e8, "position.cost_e8": said.cost_e8,
            "position.realised_e8": said.realised_e8,
        },
    )  # fmt: skip


def _differ(wanted: dict[str, Any], said: dict[str, Any]) -> Iterator[Wrong]:
    for name, value in wanted.items():
        if said[name] != value:
            yield name, value, said[name]
