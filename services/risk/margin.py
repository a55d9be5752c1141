"""Margin before the trade: what an order in a contract may need, and what the account has against it.

Of the flat schedule (`truetape.margin.flat`) initial margin is that of the worst position that fills of the open orders
can make, in whatever order they come. An order holds its fee and the loss between its limit and the mark besides; an
option that is bought costs its premium. Of a margin class a model bounds what fills can do (`floors_e8`): what
all open orders can cost is in the need, and an order holds only what it pays in cash. So no fill of an accepted order
leaves less equity than margin at that mark. Rounding is up, against the account.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec.structs import replace

from services.risk.account import Account
from truetape import contracts
from truetape.contracts import Contract as Payoff
from truetape.errors import ContractError, MoneyError
from truetape.margin import flat
from truetape.margin.account import Parts, class_of, counted, divided, posted_for, shared, terms_of
from truetape.margin.classed import Coin, Held, OpenOrder
from truetape.margin.published import Published
from truetape.margin.quoted import payoff
from truetape.margin.shelf import book_of
from truetape.messages import ContractTerms, Instrument, OrderMargin, Side
from truetape.money import MAX_E8, ONE_E8, divide

NOTHING: Final = Held(0, 0, 0)
NO_LESS: Final[Mapping[str, int]] = MappingProxyType({})


class Standing(NamedTuple):
    """An account in one settlement asset."""

    equity_e8: int
    """Balance, profit not yet paid, what positions gained or lost since their cost, and collateral."""
    required_e8: int
    """Initial margin of the worst positions that open orders can make; of models also what those orders can cost."""
    gains_e8: int
    """What of the equity is profit not yet paid: it margins contracts, and can be neither withdrawn nor spent."""
    reserved_e8: int
    """What withdrawals and orders hold that is not in required_e8."""
    cash_e8: int
    """What may be spent at most: the balance less all that is reserved."""
    models: tuple[str, ...] = ()
    """Margin classes of models that said so."""
    adds_e8: int = 0
    """What one more order would add to required_e8."""

    @property
    def excess_e8(self) -> int:
        """What may still be needed as margin."""
        return self.equity_e8 - self.required_e8 - self.reserved_e8

    @property
    def spendable_e8(self) -> int:
        """What may leave."""
        return min(self.excess_e8 - self.gains_e8, self.cash_e8)


def standing(
    account: Account, asset: str, seen: Published, less: Mapping[str, int] = NO_LESS, more: OpenOrder | None = None
) -> Standing:
    """Equity and margin of all positions that settle in an asset, with what open orders can make of them.

    `less` is what goes away of other assets, by asset: those may back this one. `more` is one more order, of a margin
    class. Raises MarginError.
    """
    parts = divided(_positions(account, more), seen).get(asset, Parts({}, {}))
    taken, collateral_e8 = _collateral(account, asset, parts, seen, less)
    profit_e8, required_e8 = _flat(account, parts.flat, seen)
    held_e8 = adds_e8 = 0
    models = []
    for name, positions in sorted(parts.classed.items()):
        coins = taken.get(name, [])
        book = book_of(seen.reference.margin_classes[name], positions, seen, coins)
        orders = _open_orders(account, positions, seen)
        count = len(orders)
        orders += [more] if more is not None and more.name in positions else []
        floor_e8, after_e8 = book.floors_e8(positions, coins, orders, [count, len(orders)])
        gains_e8 = book.gains_e8(positions)
        coins_e8 = sum(coin.worth_e8 for coin in coins)
        profit_e8, collateral_e8 = profit_e8 + gains_e8, collateral_e8 + coins_e8
        required_e8 += gains_e8 + coins_e8 - floor_e8
        adds_e8 += max(floor_e8 - after_e8, 0)
        held_e8 += _held_by_orders(account, asset, positions)
        models.append(name)
    balance_e8, reserved_e8 = account.balances.get(asset, 0), account.reserved.get(asset, 0)
    equity_e8 = balance_e8 + profit_e8 + collateral_e8
    cash_e8 = balance_e8 - reserved_e8
    profit_e8 = max(profit_e8, 0)
    return Standing(equity_e8, required_e8, profit_e8, reserved_e8 - held_e8, cash_e8, tuple(models), adds_e8)


def free_e8(account: Account, asset: str, seen: Published, spends: bool) -> int:
    """What an account may still commit in an asset; `spends` leaves profit not yet paid and collateral out. Raises
    MarginError."""
    if spends and not holds_contracts(account):
        return account.balances.get(asset, 0) - account.reserved.get(asset, 0)
    found = standing(account, asset, seen)
    return found.spendable_e8 if spends else found.excess_e8


def holds_contracts(account: Account) -> bool:
    """Whether an account has contracts, or orders that may give it some."""
    return bool(account.contracts) or any(one.contract for one in account.reservations.values())


def backed(account: Account, asset: str, used_e8: int, seen: Published) -> bool:
    """Whether contracts that this asset backs as collateral keep their margin when so much of it is used.

    Raises MarginError.
    """
    terms = seen.reference.collateral.get(asset)
    if terms is None or not holds_contracts(account):
        return True
    after = standing(account, terms.counts_for, seen, {asset: used_e8})
    return after.excess_e8 >= min(standing(account, terms.counts_for, seen).excess_e8, 0)


def _positions(account: Account, more: OpenOrder | None = None) -> dict[str, Held]:
    """All contracts that are held or that orders may fill."""
    if not account.reservations and more is None:
        return account.contracts
    ordered = {one.instrument_id: NOTHING for one in account.reservations.values() if one.contract}
    if more is not None:
        ordered[more.name] = NOTHING
    return ordered | account.contracts


def _flat(account: Account, positions: Mapping[str, Held], seen: Published) -> tuple[int, int]:
    """Profit, and margin of the worst positions, by the flat schedule."""
    profit_e8 = required_e8 = 0
    for name, held in positions.items():
        terms = terms_of(name, seen)
        required_e8 += exposed_margin_e8(exposure(account, name), terms, name, seen)
        profit_e8 += held.unpaid_e8 + flat.gain_e8(terms, name, held.quantity_e8, held.cost_e8, seen)
    return profit_e8, required_e8


def _collateral(
    account: Account, asset: str, parts: Parts, seen: Published, less: Mapping[str, int]
) -> tuple[dict[str, list[Coin]], int]:
    """What portfolio models take of it, by class, and what the rest counts for."""

    def left_e8(name: str) -> int:
        own = account.balances.get(name, 0) - account.reserved.get(name, 0)
        if own > 0 and any(terms_of(one, seen).settlement_asset == name for one in _positions(account)):
            own = min(own, _unbacked_e8(account, name, seen))
        return own - less.get(name, 0)

    posted = posted_for(asset, left_e8, seen)
    taken, rest = shared(posted, parts, seen)
    return taken, sum(one.counted_e8 for one in counted(rest))


def _unbacked_e8(account: Account, asset: str, seen: Published) -> int:
    """What is free of an asset by itself, whatever backs it."""
    alone = seen._replace(reference=replace(seen.reference, collateral={}))
    return free_e8(account, asset, alone, spends=True)


def _open_orders(account: Account, positions: Mapping[str, Held], seen: Published) -> list[OpenOrder]:
    """What orders in these contracts may still fill, in the order of their acceptance."""
    found = []
    for _, one in sorted(account.reservations.items(), key=lambda item: (item[1].number, item[0])):
        left_e8 = one.quantity_e8 - one.cleared_e8
        if one.contract and left_e8 > 0 and one.instrument_id in positions:
            signed_e8, terms = left_e8 if one.buys else -left_e8, terms_of(one.instrument_id, seen)
            found.append(_open_order(one.instrument_id, terms, signed_e8, one.limit_price_e8, one.fee_rate_e8))
    return found


def _open_order(name: str, terms: ContractTerms, signed_e8: int, limit_e8: int, rate_e8: int) -> OpenOrder:
    unit_e8 = _unit_cost_e8(terms, False, limit_e8, rate_e8)
    return OpenOrder(name, signed_e8, limit_e8, divide(unit_e8 * abs(signed_e8), ONE_E8, "up")[0])


def _held_by_orders(account: Account, asset: str, positions: Mapping[str, Held]) -> int:
    """What orders in these contracts hold: the model's need has their cost already."""
    return sum(
        one.reserved_e8
        for one in account.reservations.values()
        if one.contract and one.asset == asset and one.instrument_id in positions
    )


class Exposure(NamedTuple):
    """A position, and what open orders may still buy and sell of its contract."""

    held_e8: int
    buys_e8: int
    sells_e8: int

    def more(self, side: Side, quantity_e8: int) -> "Exposure":
        """With one more order."""
        if side == "BUY":
            return self._replace(buys_e8=self.buys_e8 + quantity_e8)
        return self._replace(sells_e8=self.sells_e8 + quantity_e8)

    @property
    def long_e8(self) -> int:
        """The longest position that fills can make."""
        return max(self.held_e8 + self.buys_e8, 0)

    @property
    def short_e8(self) -> int:
        """The shortest one, as a positive number."""
        return max(self.sells_e8 - self.held_e8, 0)


def exposure(account: Account, name: str) -> Exposure:
    """What an account holds of a contract, and what its open orders may still fill."""
    held = account.contracts.get(name)
    buys_e8 = sells_e8 = 0
    for one in account.reservations.values():
        if one.instrument_id == name:
            left_e8 = max(one.quantity_e8 - one.cleared_e8, 0)
            buys_e8, sells_e8 = (buys_e8 + left_e8, sells_e8) if one.buys else (buys_e8, sells_e8 + left_e8)
    return Exposure(held.quantity_e8 if held is not None else 0, buys_e8, sells_e8)


def exposed_margin_e8(exposed: Exposure, terms: ContractTerms, name: str, seen: Published) -> int:
    """Initial margin of the worst position that fills can make. Raises MarkWanted."""
    shorter = terms.kind == "OPTION" or exposed.short_e8 > exposed.long_e8
    worst_e8 = -exposed.short_e8 if shorter else exposed.long_e8
    return flat.need_e8(terms, name, worst_e8, terms.initial_rate_e8, seen)


def order_margin(
    account: Account, instrument: Instrument, side: Side, quantity_e8: int, limit_e8: int, rate_e8: int, seen: Published
) -> OrderMargin:
    """What an order needs, from its worst fills. Raises MarginError and MoneyError."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    named, asset = class_of(terms, seen), terms.settlement_asset
    cost_e8 = _unit_cost_e8(terms, terms.kind == "OPTION" and side == "BUY", limit_e8, rate_e8)
    if named is None:
        found = standing(account, asset, seen)
        exposed = exposure(account, name)
        before_e8 = exposed_margin_e8(exposed, terms, name, seen)
        adds_e8 = exposed_margin_e8(exposed.more(side, quantity_e8), terms, name, seen) - before_e8
        cost_e8 += _slip_e8(terms, side, limit_e8, seen.mark_e8(name, terms))
    else:
        signed_e8 = quantity_e8 if side == "BUY" else -quantity_e8
        more = _open_order(name, terms, signed_e8, limit_e8, rate_e8)
        found = standing(account, asset, seen, more=more)
        adds_e8 = found.adds_e8
    return OrderMargin(
        unit_cost_e8=cost_e8,
        adds_e8=adds_e8,
        required_e8=found.required_e8,
        equity_e8=found.equity_e8,
        reserved_e8=found.reserved_e8,
        model=f"{named.name} ({named.model}, version {named.version})" if named is not None else "",
    )


def only_reduces(
    made: OrderMargin, account: Account, instrument: Instrument, side: Side, quantity_e8: int, limit_e8: int,
    rate_e8: int, seen: Published,
) -> bool:  # fmt: skip
    """Whether an order passes even where margin is short, since it only reduces. Raises MarginError.

    Flat: it adds no margin, whatever is filled first, and frees at least what it can cost. By a model: the positions
    alone are short of margin, and filled it leaves them no shorter; halfway they are better still, since what a model
    leaves is concave.
    """
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    if quantity_e8 > reducible_e8(account, name, side):
        return False
    if not made.model:
        unit_e8 = flat.unit_e8(terms, name, terms.initial_rate_e8, seen)
        return not made.adds_e8 and terms.kind != "OPTION" and made.unit_cost_e8 <= unit_e8
    bare = replace(account, reservations={}, reserved={})
    short_e8 = standing(bare, terms.settlement_asset, seen).excess_e8
    if short_e8 >= 0:
        return False
    after = _filled(bare, name, terms, side, quantity_e8, limit_e8, rate_e8)
    return standing(after, terms.settlement_asset, seen).excess_e8 >= short_e8


def _filled(
    account: Account, name: str, terms: ContractTerms, side: Side, quantity_e8: int, limit_e8: int, rate_e8: int
) -> Account:
    """The account after such a fill."""
    signed_e8, held = quantity_e8 if side == "BUY" else -quantity_e8, account.contracts.get(name, NOTHING)
    paid_e8 = contracts.value(payoff(terms), signed_e8, limit_e8, "up")
    spent_e8 = divide(_unit_cost_e8(terms, False, limit_e8, rate_e8) * quantity_e8, ONE_E8, "up")[0]
    spent_e8 += paid_e8 if terms.kind == "OPTION" else 0
    after = Held(held.quantity_e8 + signed_e8, held.cost_e8 + paid_e8, held.unpaid_e8)
    asset = terms.settlement_asset
    balances = account.balances | {asset: account.balances.get(asset, 0) - spent_e8}
    return replace(account, contracts=account.contracts | {name: after}, balances=balances)


def limit_notional_e8(terms: ContractTerms, quantity_e8: int, price_e8: int) -> int:
    """What limits on an order's notional count: the quote asset, of a quanto contract the settlement asset."""
    if terms.style == "INVERSE" and terms.kind != "OPTION":
        return divide(quantity_e8 * terms.multiplier_e8, ONE_E8, "up")[0]
    return flat.worth_e8(terms, quantity_e8, price_e8)


def notional_fits(terms: ContractTerms | None, quantity_e8: int, price_e8: int) -> bool:
    """Whether what an order is worth fits into 64 bits: of spot (no terms) in the quote asset, of a contract in the
    settlement asset and as limits count it. An inverse contract at a price of zero or below is worth nothing known."""
    if terms is None:
        return abs(price_e8) * quantity_e8 <= MAX_E8 * ONE_E8
    try:
        contracts.notional(payoff(terms), quantity_e8, price_e8)
        return limit_notional_e8(terms, quantity_e8, price_e8) <= MAX_E8
    except (MoneyError, ContractError):
        return False


def reducible_e8(account: Account, name: str, side: Side) -> int:
    """Contracts that an order on this side would only reduce, and that no open order is going to."""
    held_e8, buys_e8, sells_e8 = exposure(account, name)
    return max(held_e8 - sells_e8, 0) if side == "SELL" else max(-held_e8 - buys_e8, 0)


def _slip_e8(terms: ContractTerms, side: Side, limit_e8: int, mark_e8: int) -> int:
    """Loss of one contract that is filled at its limit, against the mark; an option's premium is a cost of its own."""
    if terms.kind == "OPTION":
        lost_e8 = flat.worth_e8(terms, ONE_E8, mark_e8) - flat.worth_e8(terms, ONE_E8, limit_e8)
        return max(lost_e8, 0) if side == "SELL" else 0
    signed_e8 = ONE_E8 if side == "BUY" else -ONE_E8
    return max(-contracts.profit(Payoff(terms.style, terms.multiplier_e8), signed_e8, limit_e8, mark_e8, "down"), 0)


def _unit_cost_e8(terms: ContractTerms, bought_option: bool, limit_e8: int, rate_e8: int) -> int:
    size_e8 = contracts.notional(payoff(terms), ONE_E8, limit_e8)
    fee_e8 = divide(size_e8 * rate_e8, ONE_E8, "up")[0]
    return fee_e8 + (size_e8 if bought_option else 0)
