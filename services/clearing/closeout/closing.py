"""The next order of a liquidation: what to sell, how much of it, and how low.

The bound starts near the mark and widens with every order that sold nothing: from dYdX's fillable price (near the mark
while the account just fails, further as it gets worse) to the bankruptcy price, at which the position's share of what
the account and the insurance fund have is used up (truetape/liquidation.py). It never passes the collar.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from msgspec import Struct

from services.clearing.booking import contracts, positions
from services.clearing.margining import margin
from services.clearing.margining.watch import Liquidation
from truetape import liquidation
from truetape.contracts import Contract, notional, value
from truetape.default import plan
from truetape.default.plan import Closing, Holding
from truetape.margin import flat
from truetape.margin.account import AssetMargin, Held, assess
from truetape.margin.published import Published
from truetape.messages import CallTerms, ContractTerms, Instrument, Limits, Position, RejectReason
from truetape.money import ONE_E8, divide, portion
from truetape.reference import Reference

LADDER: Final = 4
"""Orders in a row that may sell nothing: the last is at the bankruptcy price."""
REFUSED_MAX: Final = 4
"""Orders in a row that risk may refuse, for a reason that stays, before what they were for is given up."""
PASSING: Final[tuple[RejectReason, ...]] = (
    "MARK_MISSING", "MARK_STALE", "PRICE_OUTSIDE_COLLAR", "TRADING_REDUCING", "COMMAND_EXPIRED",
)  # fmt: skip
"""Reasons that pass by themselves: risk has no fresh mark, another one than clearing, not yet the newest position, or
was away. The next order is made anew."""
PASSING_US: Final = 60_000_000
"""How long risk may refuse orders in a row for such reasons."""


class Books(NamedTuple):
    """An account as it stands, and what may be used for it."""

    account_id: str
    balances: Mapping[str, int]
    held: Mapping[str, Held]
    asset: str
    fund_e8: int
    """What the insurance fund has in the asset."""
    seen: Published
    terms: CallTerms
    defaulted: bool = False
    """Whether everything is closed, since the account is in default: the loss is the house's, and waiting costs."""

    @property
    def limits(self) -> Limits:
        """The account's pre-trade limits: orders of a liquidation keep within them."""
        return self.seen.reference.limits_of(self.account_id)


class Priced(Struct, frozen=True):
    """A position that may be sold, with its bounds."""

    holding: Holding
    terms: ContractTerms
    bankruptcy_price_e8: int
    taker_rate_e8: int

    def fee_e8(self, quantity_e8: int, price_e8: int) -> int:
        """The liquidation fee of a fill."""
        return liquidation_fee_e8(self.terms, quantity_e8, price_e8, self.bankruptcy_price_e8)


class Next(NamedTuple):
    """What to send: a closing at its limit price, and what it does to the excess over the level."""

    priced: Priced
    quantity_e8: int
    before_e8: int
    after_e8: int


def liquidation_fee_e8(terms: ContractTerms, quantity_e8: int, price_e8: int, bankruptcy_price_e8: int) -> int:
    """The fee on a fill of signed quantity (negative: sold), for the insurance fund: the contract's rate of the
    notional, but at most what was got beyond the bankruptcy price; never below zero."""
    of = contracts.contract(terms)
    got_e8 = value(of, -quantity_e8, price_e8, "down")
    beyond_e8 = got_e8 - value(of, -quantity_e8, bankruptcy_price_e8, "up")
    rate_e8 = portion(notional(of, quantity_e8, price_e8), terms.liquidation_fee_rate_e8, "down")
    return max(0, min(beyond_e8, rate_e8))


def next_order(books: Books, found: AssetMargin, attempt: int) -> Next | None:
    """The least that restores margin at this rung of the ladder, as one order; None when nothing helps.

    Raises MarginError where a position cannot be valued.
    """
    able = {one.holding.instrument_id: one for one in _priced(books, found, attempt)}
    excess = _Excess(books, able)
    if books.defaulted:
        return _all_of_one(able, excess)
    made = plan.plan([one.holding for one in able.values()], excess, rounds=1)
    if not made.closings:
        return None
    closing = made.closings[0]
    first_e8 = plan.cut(closing.quantity_e8, closing.holding)[0]
    return _cut(able, excess, closing, first_e8, made.before_e8)


def _all_of_one(able: Mapping[str, Priced], excess: "_Excess") -> Next | None:
    """The first position that can be sold, all of it in as many orders as that takes."""
    for _, one in sorted(able.items()):
        size_e8 = abs(one.holding.quantity_e8)
        if size_e8 >= one.holding.min_quantity_e8:
            before_e8 = excess({name: each.holding.quantity_e8 for name, each in able.items()})
            first_e8 = plan.cut(size_e8, one.holding)[0]
            return _cut(able, excess, Closing(one.holding, size_e8), first_e8, before_e8)
    return None


def _cut(able: Mapping[str, Priced], excess: "_Excess", closing: Closing, quantity_e8: int, before_e8: int) -> Next:
    """The first order of a closing. A part of it may help less than the whole, and still must not harm."""
    quantities = {name: one.holding.quantity_e8 for name, one in able.items()}
    held_e8 = closing.holding.quantity_e8
    quantities[closing.holding.instrument_id] = held_e8 - (quantity_e8 if held_e8 > 0 else -quantity_e8)
    return Next(able[closing.holding.instrument_id], quantity_e8, before_e8, excess(quantities))


class _Excess:
    """Equity over the level to be restored, when some quantities were closed at their limit prices, fees paid."""

    def __init__(self, books: Books, able: Mapping[str, Priced]) -> None:
        self._books, self._able = books, able

    def __call__(self, quantities: Mapping[str, int]) -> int:
        balances, held = dict(self._books.balances), dict(self._books.held)
        for name, quantity_e8 in quantities.items():
            if quantity_e8 != held[name].quantity_e8:
                self._close(balances, held, name, quantity_e8 - held[name].quantity_e8)
        found = assess(balances, held, self._books.seen).get(self._books.asset)
        if found is None:
            return balances.get(self._books.asset, 0)
        return found.equity_e8 - margin.level_e8(found, self._books.terms)

    def _close(self, balances: dict[str, int], held: dict[str, Held], name: str, change_e8: int) -> None:
        """A trade at the limit price: an option's premium is paid at once, a future's profit waits."""
        one, before = self._able[name], held[name]
        of, price_e8 = contracts.contract(one.terms), one.holding.limit_price_e8
        asset = self._books.asset
        worth_e8 = value(of, change_e8, price_e8, "up")
        after = positions.trade(Position(name, before.quantity_e8, before.cost_e8, 0), change_e8, worth_e8)
        fee_e8 = portion(notional(of, change_e8, price_e8), one.taker_rate_e8, "up") + one.fee_e8(change_e8, price_e8)
        option = one.terms.kind == "OPTION"
        balances[asset] = balances.get(asset, 0) - fee_e8 - (worth_e8 if option else 0)
        gained_e8 = 0 if option else after.realised_e8
        held[name] = Held(after.quantity_e8, after.cost_e8, before.unpaid_e8 + gained_e8)


# -- bounds ------------------------------------------------------------------------------------------------------------


def _priced(books: Books, found: AssetMargin, attempt: int) -> Iterator[Priced]:
    """The account's positions in the asset that can be sold, with their prices at this rung."""
    reference = books.seen.reference
    for name in sorted(books.held):
        instrument = reference.instruments[name]
        terms = instrument.contract
        held = books.held[name]
        if terms is None or terms.settlement_asset != books.asset or not held.quantity_e8 or not instrument.tradable:
            continue
        if name not in books.seen.marks.newest:
            continue
        share_e8 = _maintenance_e8(books, name, held, found)
        prices = _prices(books, found, instrument, held, share_e8, attempt)
        if prices is not None and (holding := _holding(books, instrument, held, prices[0])) is not None:
            yield Priced(holding, terms, prices[1], taker_rate_e8(reference, books.account_id, instrument))


def _maintenance_e8(books: Books, name: str, held: Held, found: AssetMargin) -> int:
    """A position's maintenance need by itself: its share of what is left is in proportion to it."""
    alone = assess({}, {name: held}, books.seen)[books.asset].maintenance_e8
    return min(alone, found.maintenance_e8)


def _prices(
    books: Books, found: AssetMargin, instrument: Instrument, held: Held, maintenance_e8: int, attempt: int
) -> tuple[int, int] | None:
    """The limit at this rung and the bankruptcy price, on ticks; None where nothing may be lost any more."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    mark_e8 = books.seen.mark_e8(name, terms)
    if books.defaulted:  # Down to the collar, and without a fee: what the account cannot pay, others do.
        return stepped_e8(books.limits, held.quantity_e8, mark_e8, instrument.tick_e8, attempt), mark_e8
    most_e8, least_e8 = slacks_e8(found, books.fund_e8, terms, held, mark_e8, maintenance_e8)
    if most_e8 < 0:
        return None
    slack_e8 = least_e8 + (most_e8 - least_e8) * min(attempt, LADDER - 1) // (LADDER - 1)
    limit_e8 = price_e8(terms, held.quantity_e8, mark_e8, slack_e8, instrument.tick_e8)
    edge_e8 = _collar_e8(books.limits, held.quantity_e8, mark_e8, instrument.tick_e8)
    bounded_e8 = max(limit_e8, edge_e8) if held.quantity_e8 > 0 else min(limit_e8, edge_e8)
    if bounded_e8 <= 0 and not terms.signed_price:
        bounded_e8 = instrument.tick_e8
    return bounded_e8, price_e8(terms, held.quantity_e8, mark_e8, most_e8, instrument.tick_e8)


def stepped_e8(limits: Limits, quantity_e8: int, mark_e8: int, tick_e8: int, attempt: int) -> int:
    """The limit at this rung for what must go whatever it brings: in four steps from the mark to the collar, each on a
    tick inside."""
    edge_e8 = _collar_e8(limits, quantity_e8, mark_e8, tick_e8)
    exact = Fraction(mark_e8 + (edge_e8 - mark_e8) * min(attempt + 1, LADDER) // LADDER)
    found_e8 = _on_tick_e8(quantity_e8 > 0, exact, tick_e8)
    return max(found_e8, tick_e8) if mark_e8 > 0 else found_e8


def bankruptcy_price_e8(books: Books, found: AssetMargin, name: str) -> int:
    """The price at which closing all of a position uses up its share of what account and insurance fund have; to the
    last unit, since no venue's tick bounds it. Raises MarginError."""
    held, terms = books.held[name], books.seen.terms_of(name)
    assert terms is not None, "it is a contract"
    mark_e8 = books.seen.mark_e8(name, terms)
    share_e8 = _maintenance_e8(books, name, held, found)
    most_e8, _ = slacks_e8(found, books.fund_e8, terms, held, mark_e8, share_e8)
    return price_e8(terms, held.quantity_e8, mark_e8, most_e8, 1)


def slacks_e8(
    found: AssetMargin, fund_e8: int, terms: ContractTerms, held: Held, mark_e8: int, maintenance_e8: int
) -> tuple[int, int]:
    """What closing all of a position may cost against its mark: at most, at the bankruptcy price; and at the fillable
    price. What the fund has counts as the account's."""
    if found.maintenance_e8 <= 0:  # Nothing that is held needs margin: sell for what the mark says, less all there is.
        most_e8 = found.equity_e8 + fund_e8
        return most_e8, min(most_e8, 0)
    worth_e8 = value(contracts.contract(terms), held.quantity_e8, mark_e8, "down")
    standing = liquidation.Standing(found.equity_e8 + fund_e8, found.maintenance_e8)
    most_e8 = worth_e8 - liquidation.bankruptcy_value(standing, -worth_e8, -maintenance_e8)
    own = liquidation.Standing(found.equity_e8, found.maintenance_e8)
    fillable = liquidation.fillable_price(own, worth_e8, maintenance_e8, held.quantity_e8)
    least_e8 = worth_e8 - int(fillable * held.quantity_e8)
    return most_e8, min(most_e8, least_e8)


def price_e8(terms: ContractTerms, quantity_e8: int, mark_e8: int, slack_e8: int, tick_e8: int) -> int:
    """The price at which closing all of a position costs a slack against its mark, on the tick that costs less."""
    of = contracts.contract(terms)
    if of.payoff == "INVERSE":
        exact = _inverse(of, quantity_e8, mark_e8, slack_e8)
    else:
        exact = mark_e8 - Fraction(slack_e8 * ONE_E8 * ONE_E8, quantity_e8 * of.multiplier_e8)
    found_e8 = _on_tick_e8(quantity_e8 > 0, exact, tick_e8)
    return found_e8 if terms.signed_price else max(found_e8, tick_e8)


def _on_tick_e8(sells: bool, exact: Fraction, tick_e8: int) -> int:
    """The tick next to a price that costs less: above it for a sale, below it for a purchase."""
    ticks = exact / tick_e8
    return (-(-ticks // 1) if sells else ticks // 1) * tick_e8


def _inverse(of: Contract, quantity_e8: int, mark_e8: int, slack_e8: int) -> Fraction:
    """1 / price = 1 / mark + slack / (quantity x multiplier): where nothing bounds it, ten times the mark."""
    per_price = Fraction(1, mark_e8) + Fraction(slack_e8, quantity_e8 * of.multiplier_e8)
    return 1 / per_price if per_price * 10 * mark_e8 > 1 else Fraction(10 * mark_e8)


def _collar_e8(limits: Limits, quantity_e8: int, mark_e8: int, tick_e8: int) -> int:
    """The furthest price that risk takes (services/risk/checks.py collar_e8), on the tick inside."""
    width_e8 = divide(abs(mark_e8) * limits.collar_rate_e8, ONE_E8, "down")[0]
    if quantity_e8 > 0:
        return -(-(mark_e8 - width_e8) // tick_e8) * tick_e8
    return (mark_e8 + width_e8) // tick_e8 * tick_e8


def _holding(books: Books, instrument: Instrument, held: Held, limit_e8: int) -> Holding | None:
    """How much one order may have: within the instrument's bounds and the account's largest order."""
    terms = instrument.contract
    assert terms is not None, "it is a contract"
    mark_e8 = books.seen.newest(instrument.instrument_id).price_e8
    high_e8, low_e8 = (_size_e8(terms, price) for price in (max(mark_e8, limit_e8), min(mark_e8, limit_e8)))
    most_e8 = min(instrument.max_notional_e8, books.limits.max_order_notional_e8)
    largest_e8 = min(instrument.max_quantity_e8, most_e8 * ONE_E8 // max(high_e8, 1))
    smallest_e8 = max(instrument.min_quantity_e8, -(-instrument.min_notional_e8 * ONE_E8 // max(low_e8, 1)))
    if largest_e8 < max(smallest_e8, instrument.lot_e8):
        return None
    return Holding(instrument.instrument_id, held.quantity_e8, instrument.lot_e8, limit_e8, largest_e8, smallest_e8)


def _size_e8(terms: ContractTerms, price: int) -> int:
    """Notional of one contract as limits on orders count it (services/risk/margin.py limit_notional_e8)."""
    if terms.style == "INVERSE" and terms.kind != "OPTION":
        return terms.multiplier_e8
    return flat.worth_e8(terms, ONE_E8, abs(price))


def refused_for_good(one: Liquidation, at_us: int) -> bool:
    """Whether what risk has refused in a row is tried no more."""
    waited = one.put_off >= REFUSED_MAX and at_us >= one.put_off_since_us + PASSING_US
    return waited or one.refused >= REFUSED_MAX


def taker_rate_e8(reference: Reference, account_id: str, instrument: Instrument) -> int:
    """The highest rate that a fill can cost: the house's and the dearest venue's."""
    venues_e8 = max((listing.taker_rate_e8 for listing in instrument.listings), default=0)
    return max(reference.fees_of(account_id).taker_rate_e8, 0) + max(venues_e8, 0)


def sellable(books: Books) -> bool:
    """Whether anything in the asset is held at all."""
    for name, held in books.held.items():
        terms = books.seen.terms_of(name)
        if held.quantity_e8 and terms is not None and terms.settlement_asset == books.asset:
            return True
    return False
