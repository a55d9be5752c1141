"""Contracts in the ledger: an entry of one account in one contract, composed step by step.

What a position is worth is truetape/contracts.py's business, funding truetape/funding.py's. Contracts move between the
client and the other side; money between the client and the clearing house. A client's money is rounded down (against
it), the clearing house's side half to even, so that equal and opposite positions cancel there exactly; what is between
them is in `house:rounding`.
"""

from typing import Final

from msgspec import Struct, field

from services.clearing.booking import ledger, positions
from truetape import funding
from truetape.contracts import (
    Contract,
    Delivery,
    deliver_future,
    deliver_option,
    exercise,
    exercised_notional,
    intrinsic,
    notional,
    value,
)
from truetape.messages import (
    ContractBooking,
    ContractEvent,
    ContractTerms,
    EntryBooked,
    EntryKind,
    Line,
    Meta,
    Position,
)
from truetape.money import divide, fits, portion

HOUSE: Final = "house:clearing"
"""The clearing house: other side of every client's contracts but those that a venue's mirror has, and of its money."""
ROUNDING: Final = "house:rounding"
FEES: Final = "house:fees"
START: Final = "0"
PAYOFF_FEE_E8: Final = 12_500_000
"""A settlement fee takes at most so much of an option's payoff (Deribit: 12.5 %)."""


class ContractRefused(ledger.LedgerError):
    """An input about a contract that cannot be booked as it stands."""


class Held(Struct, array_like=True, gc=False):
    """What is kept of a position in contracts beside its quantity, cost and profit."""

    settled_e8: int = 0
    """Of its realised profit, what was paid in cash."""
    funding_index_e18: str = START
    """Funding index up to which it has paid or received."""


class Draft(Struct):
    """An entry in the making."""

    account_id: str
    instrument_id: str
    terms: ContractTerms
    before: Position
    position: Position
    settled_e8: int
    index_e18: int
    counterparty: str = ""
    paid_e8: int = 0
    lines: list[Line] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> str:
        """The client's ledger account."""
        return ledger.client(self.account_id)


def draft(account_id: str, instrument_id: str, terms: ContractTerms, position: Position | None, held: Held) -> Draft:
    """Nothing has happened yet."""
    before = position or positions.flat(instrument_id)
    return Draft(
        account_id, instrument_id, terms, before, before, held.settled_e8, int(held.funding_index_e18),
        numbers={"multiplier_e8": terms.multiplier_e8}, ids={"kind": terms.kind},
    )  # fmt: skip


def contract(terms: ContractTerms) -> Contract:
    """What a position is worth: of an option its premium, which is quoted in the settlement asset."""
    return Contract("LINEAR" if terms.kind == "OPTION" else terms.style, terms.multiplier_e8)


def entry(
    made: Draft, meta: Meta, entry_id: str, event: ContractEvent, kind: EntryKind, rule: str, transacted_at_us: int,
    *, order_id: str | None = None, execution_id: str | None = None, filled_e8: int = 0, fact_id: str = "",
    corrects: str | None = None, external_reference: str | None = None,
) -> EntryBooked:  # fmt: skip
    """The entry that a draft has become."""
    before, after = made.before, made.position
    return EntryBooked(
        meta=meta, entry_id=entry_id, account_id=made.account_id, kind=kind, rule=rule, lines=tuple(made.lines),
        realised_e8=after.realised_e8 - before.realised_e8, filled_e8=filled_e8, transacted_at_us=transacted_at_us,
        order_id=order_id, execution_id=execution_id, corrects=corrects, external_reference=external_reference,
        position=after,
        contract=ContractBooking(
            event=event, instrument_id=made.instrument_id, settlement_asset=made.terms.settlement_asset,
            counterparty=made.counterparty, fact_id=fact_id, quantity_e8=after.quantity_e8 - before.quantity_e8,
            paid_e8=made.paid_e8, settled_e8=fits(made.settled_e8), funding_index_e18=str(made.index_e18),
            numbers=made.numbers, ids=made.ids,
        ),
    )  # fmt: skip


def money_entry(
    meta: Meta, entry_id: str, account_id: str, event: ContractEvent, asset: str, counterparty: str,
    lines: tuple[Line, ...], rule: str, at_us: int, *, numbers: dict[str, int], ids: dict[str, str],
    external_reference: str | None = None,
) -> EntryBooked:  # fmt: skip
    """The entry of money that moves without any contract. Its lines have to sum to zero."""
    ledger.assert_balanced(lines)
    booking = ContractBooking(
        event=event, instrument_id="", settlement_asset=asset, counterparty=counterparty, fact_id="", quantity_e8=0,
        paid_e8=0, settled_e8=0, funding_index_e18=START, numbers=numbers, ids=ids,
    )  # fmt: skip
    return EntryBooked(
        meta=meta, entry_id=entry_id, account_id=account_id, kind="TRANSFER", rule=rule, lines=lines, realised_e8=0,
        filled_e8=0, transacted_at_us=at_us, external_reference=external_reference, contract=booking,
    )  # fmt: skip


# -- steps ------------------------------------------------------------------------------------------------------------


def accrue(made: Draft, index_e18: int) -> None:
    """Pay or receive funding on the position as it is, up to this index."""
    quantity_e8, moved_e18 = made.position.quantity_e8, index_e18 - made.index_e18
    if quantity_e8 and moved_e18:
        amount_e8 = funding.payment(quantity_e8, made.index_e18, index_e18)
        made.numbers["funding_e8"] = made.numbers.get("funding_e8", 0) + amount_e8
        pay(made, amount_e8, divide(-quantity_e8 * moved_e18, funding.ONE_E18, "half_even")[0], "funding")
    made.index_e18 = index_e18


def trade(made: Draft, quantity_e8: int, price_e8: int, counterparty: str) -> None:
    """Contracts change hands: an option's premium at once, a future's profit when it is settled."""
    made.counterparty = counterparty
    made.numbers |= {"price_e8": price_e8, "quantity_e8": quantity_e8}
    _hand_over(made, quantity_e8, "principal")
    worth_e8 = value(contract(made.terms), quantity_e8, price_e8, "half_even")
    if made.terms.kind == "OPTION":
        received_e8 = value(contract(made.terms), -quantity_e8, price_e8, "down")
        made.numbers["premium_e8"] = worth_e8
        pay(made, received_e8, -worth_e8, "premium", counterparty)
        _change(made, quantity_e8, -received_e8)
        made.settled_e8 = made.position.realised_e8
    else:
        _change(made, quantity_e8, worth_e8)


def move_leg(made: Draft, quantity_e8: int, price_e8: int, cost_e8: int) -> None:
    """A leg comes from another account, or goes to one, at its own cost: nothing is rounded and no fee is due."""
    made.counterparty = HOUSE
    made.numbers |= {"price_e8": price_e8, "quantity_e8": quantity_e8, "cost_e8": cost_e8}
    _hand_over(made, quantity_e8, "principal")
    if made.terms.kind == "OPTION":
        pay(made, -cost_e8, -cost_e8, "premium")
    _change(made, quantity_e8, cost_e8)
    if made.terms.kind == "OPTION":
        made.settled_e8 = made.position.realised_e8


def charge_venue(made: Draft, venue: str, asset: str, fee_e8: int) -> None:
    """The venue's fee, as it says."""
    if fee_e8:
        made.lines += [Line(made.client, asset, -fee_e8, "venue_fee"), Line(venue, asset, fee_e8, "venue_fee")]


def charge(made: Draft, quantity_e8: int, price_e8: int, rate_e8: int) -> None:
    """The house's fee on a trade: on its notional in the settlement asset, an option's on its premium; rounded up."""
    size_e8 = notional(contract(made.terms), quantity_e8, price_e8)
    made.numbers |= {"fee_rate_e8": rate_e8, "notional_e8": size_e8}
    fee_e8 = portion(size_e8, rate_e8, "up")
    _charge(made, fee_e8, "house_fee")


def settle(made: Draft, price_e8: int) -> None:
    """Variation margin: all profit up to this price is paid, and the position's cost is what it is worth at it."""
    assert made.terms.kind != "OPTION", "options pay their premium at once and have no variation margin"
    quantity_e8 = made.position.quantity_e8
    made.numbers["price_e8"] = price_e8
    worth_e8 = value(contract(made.terms), quantity_e8, price_e8, "half_even")
    against_e8 = value(contract(made.terms), quantity_e8, price_e8, "down")
    realised_e8 = made.position.realised_e8 + worth_e8 - made.position.cost_e8
    made.position = Position(made.instrument_id, quantity_e8, worth_e8, fits(realised_e8))
    due_e8 = realised_e8 - made.settled_e8
    pay(made, due_e8 - (worth_e8 - against_e8), due_e8, "variation_margin")
    made.settled_e8 = realised_e8


def close(made: Draft, price_e8: int, purpose: str) -> None:
    """Futures end at this price: all profit is paid, and they go to the clearing house."""
    settle(made, price_e8)
    _give_back(made, made.position.cost_e8, purpose)


def exercise_option(made: Draft, price_e8: int) -> None:
    """An option expires: in the money it pays its intrinsic value in cash, else nothing. European, automatic."""
    terms, quantity_e8 = made.terms, made.position.quantity_e8
    assert terms.option_type is not None and terms.strike_e8 is not None, "it is an option"
    paying = Contract(terms.style, terms.multiplier_e8)
    received_e8, exact_e8 = (
        exercise(paying, terms.option_type, terms.strike_e8, price_e8, quantity_e8, rounding)
        for rounding in ("down", "half_even")
    )
    made.numbers |= {"price_e8": price_e8, "strike_e8": terms.strike_e8, "payoff_e8": received_e8}
    pay(made, received_e8, exact_e8, "exercise")
    _give_back(made, received_e8, "expiry")
    made.settled_e8 = made.position.realised_e8


def exercise_part(made: Draft, quantity_e8: int, price_e8: int, counterparty: str) -> None:
    """Some contracts of an option end before their expiry for what they are worth now; signed as they change hands."""
    terms = made.terms
    assert terms.option_type is not None and terms.strike_e8 is not None, "it is an option"
    paying = Contract(terms.style, terms.multiplier_e8)
    received_e8, exact_e8 = (
        exercise(paying, terms.option_type, terms.strike_e8, price_e8, -quantity_e8, rounding)
        for rounding in ("down", "half_even")
    )
    made.counterparty = counterparty
    made.numbers |= {"price_e8": price_e8, "strike_e8": terms.strike_e8, "payoff_e8": received_e8}
    pay(made, received_e8, exact_e8, "exercise", counterparty)
    _hand_over(made, quantity_e8, "principal")
    _change(made, quantity_e8, -received_e8)
    made.settled_e8 = made.position.realised_e8


def in_the_money(terms: ContractTerms, price_e8: int) -> bool:
    """Whether exercising an option is worth something."""
    assert terms.option_type is not None and terms.strike_e8 is not None, "it is an option"
    return intrinsic(terms.option_type, terms.strike_e8, price_e8) > 0


def lapse(made: Draft, price_e8: int) -> None:
    """An option's contracts end without money: it was delivered, or is worth nothing."""
    made.numbers["price_e8"] = price_e8
    _give_back(made, 0, "expiry")
    made.settled_e8 = made.position.realised_e8


def sell_back(made: Draft, price_e8: int) -> None:
    """An option ends at a price before its expiry: its holder gets the premium, who sold it pays."""
    quantity_e8 = made.position.quantity_e8
    made.numbers["price_e8"] = price_e8
    received_e8, exact_e8 = (
        value(contract(made.terms), quantity_e8, price_e8, rounding) for rounding in ("down", "half_even")
    )
    pay(made, received_e8, exact_e8, "premium")
    _give_back(made, received_e8, "delisting")
    made.settled_e8 = made.position.realised_e8


def move_in(made: Draft, quantity_e8: int, cost_e8: int, purpose: str) -> None:
    """Contracts that another contract's position became, at that position's cost."""
    made.counterparty = HOUSE
    if quantity_e8:
        _hand_over(made, quantity_e8, purpose)
        _change(made, quantity_e8, cost_e8)


def move_out(made: Draft, purpose: str) -> None:
    """Contracts end at their cost: nothing more is paid for them."""
    _give_back(made, made.position.cost_e8, purpose)


def deliver(made: Draft, base: str, quote: str, price_e8: int, balances: dict[str, int]) -> bool:
    """Physical delivery: the underlying against its price, when the account has what it must give; whether it had.

    A future delivers at the settlement price after its last variation margin, an option at its strike. `balances` are
    those before the entry; what it has paid or received so far, that profit and its fee, counts.
    """
    given = _delivery(made, price_e8)
    has = {asset: balances.get(asset, 0) + _so_far(made, asset) for asset in (base, quote)}
    short = [
        (asset, -amount_e8 - has[asset])
        for asset, amount_e8 in ((base, given.underlying_e8), (quote, given.quote_e8))
        if amount_e8 < 0 and has[asset] < -amount_e8
    ]
    if short:
        made.ids["short_asset"], made.numbers["short_e8"] = short[0]
        return False
    made.numbers |= {"underlying_e8": given.underlying_e8, "delivered_against_e8": given.quote_e8}
    for asset, amount_e8 in ((base, given.underlying_e8), (quote, given.quote_e8)):
        if amount_e8:
            made.lines += [Line(made.client, asset, amount_e8, "delivery"), Line(HOUSE, asset, -amount_e8, "delivery")]
    return True


def _so_far(made: Draft, asset: str) -> int:
    """What the entry has moved of an asset of the client's."""
    return sum(line.amount_e8 for line in made.lines if line.account == made.client and line.asset == asset)


def _delivery(made: Draft, price_e8: int) -> Delivery:
    terms, quantity_e8 = made.terms, made.position.quantity_e8
    of = Contract(terms.style, terms.multiplier_e8)
    if terms.option_type is None or terms.strike_e8 is None:
        return deliver_future(of, price_e8, quantity_e8)
    if intrinsic(terms.option_type, terms.strike_e8, price_e8) == 0:
        return Delivery(0, 0)
    return deliver_option(of, terms.option_type, terms.strike_e8, quantity_e8)


def charge_settlement(made: Draft, quantity_e8: int, price_e8: int) -> None:
    """The house's fee on what expires: on the notional, of an option at most PAYOFF_FEE_E8 of what it pays."""
    terms = made.terms
    if not terms.settlement_fee_rate_e8 or not quantity_e8:
        return
    sized = exercised_notional if terms.kind == "OPTION" else notional
    size_e8 = sized(Contract(terms.style, terms.multiplier_e8), quantity_e8, price_e8)
    fee_e8 = portion(size_e8, terms.settlement_fee_rate_e8, "up")
    if terms.kind == "OPTION":
        fee_e8 = min(fee_e8, portion(abs(made.numbers.get("payoff_e8", 0)), PAYOFF_FEE_E8, "down"))
    made.numbers["settlement_fee_e8"] = fee_e8
    _charge(made, fee_e8, "settlement_fee")


def _charge(made: Draft, fee_e8: int, purpose: str) -> None:
    if fee_e8:
        asset = made.terms.settlement_asset
        made.lines += [Line(made.client, asset, -fee_e8, purpose), Line(FEES, asset, fee_e8, purpose)]


def pay(made: Draft, amount_e8: int, exact_e8: int, purpose: str, other: str = HOUSE) -> None:
    """Money from the other side to the client, or back: the other side moves exact_e8, rounding has what is between."""
    asset = made.terms.settlement_asset
    for account, moved_e8 in ((made.client, amount_e8), (other, -exact_e8), (ROUNDING, exact_e8 - amount_e8)):
        if moved_e8:
            made.lines.append(Line(account, asset, fits(moved_e8), purpose))


def _hand_over(made: Draft, quantity_e8: int, purpose: str) -> None:
    made.lines += [
        Line(made.client, made.instrument_id, quantity_e8, purpose),
        Line(made.counterparty, made.instrument_id, -quantity_e8, purpose),
    ]


def _give_back(made: Draft, received_e8: int, purpose: str) -> None:
    quantity_e8 = made.position.quantity_e8
    if quantity_e8:
        made.counterparty = HOUSE
        _hand_over(made, -quantity_e8, purpose)
        _change(made, -quantity_e8, -received_e8)


def _change(made: Draft, quantity_e8: int, paid_e8: int) -> None:
    made.position = positions.trade(made.position, quantity_e8, paid_e8)
    made.paid_e8 += paid_e8
