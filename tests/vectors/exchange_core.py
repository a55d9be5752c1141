"""exchange-core's risk cases, which are prose with numbers: run against Truetape's own risk and clearing.

XBT counts in satoshi (1e-8), ETH in szabo (1e-6); a lot is 100 000 szabo and a price step 10 satoshi a lot, as in
exchange-core's symbol ETH_XBT. The futures case is a perpetual of one USD a lot, between a maker and a taker.
"""

import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from services.clearing.core import SERVICE as CLEARING
from services.clearing.state import State as Books
from services.risk.account import State as Risk
from services.risk.core import SERVICE as RISK
from tests.unit.contract_desk import Desk as ContractDesk
from tests.unit.contract_desk import instrument
from tests.unit.contract_desk import terms as contract_terms
from tests.unit.desk import ANN, BOB, START_US, Desk, approved, fill, mark, some_meta, submit, tables, terms, transfer
from tests.vectors.compact import EXACT, label, listed, other_lists
from tests.vectors.frame import Case, Check, family
from truetape import messages as m
from truetape.money import ONE_E8, from_e8
from truetape.reference import NO_FEES
from truetape.service import Tables

LOT_SZABO: Final = 100_000
STEP_SATOSHI: Final = 10
SZABO_E8: Final = 100
"""A szabo in units of 1e-8 ETH; a satoshi is one unit of 1e-8 XBT."""
LOT_E8: Final = LOT_SZABO * SZABO_E8
LISTING: Final = m.Listing("alpha", "ETHXBT", 1, LOT_E8, LOT_E8, 1, 0, 0)
ETH_XBT: Final = m.Instrument(
    "ETH-XBT", "ETH", "XBT", 1, LOT_E8, LOT_E8, 10**9 * ONE_E8, 1, 10**9 * ONE_E8, True, (LISTING,)
)
NUMBER: Final = r"([\d,]+)"
BID: Final = re.compile(
    rf"XBT {NUMBER} sat cannot BID {NUMBER}x{NUMBER} .*={NUMBER}\); after \+{NUMBER} OK and balance={NUMBER}"
)
ASK: Final = re.compile(
    rf"ETH {NUMBER} szabo cannot ASK {NUMBER} lots .*; after \+{NUMBER} OK -> buyer ETH {NUMBER}, seller XBT {NUMBER}"
)
FEES: Final = re.compile(
    rf"margin fees maker {NUMBER} taker {NUMBER} per lot, {NUMBER} lots -> fees {NUMBER} JPY; .*; "
    rf"open interest {NUMBER}"
)


@family("exchange_core", EXACT)
def cases(directory: Path) -> Iterator[Case]:
    runs: tuple[tuple[re.Pattern[str], Callable[..., Iterator[Check]]], ...] = ((BID, bid), (ASK, ask), (FEES, fees))
    for where, index, said, _ in listed(directory, "exchange_core"):
        found = next(((run, match) for pattern, run in runs if (match := pattern.search(str(said)))), None)
        if found is None:
            yield Case(where + label(index, said), tuple, skip="prose that none of the written-out runs fits")
        else:
            numbers = [int(word.replace(",", "")) for word in found[1].groups()]
            yield Case(where + label(index, said), lambda run=found[0], numbers=numbers: run(*numbers))  # type: ignore[misc]
    yield from other_lists(directory, "exchange_core")


def lot_price_e8(price: int) -> int:
    """The price of one ETH in units of 1e-8 XBT, of so many steps a lot."""
    return price * STEP_SATOSHI * ONE_E8 // LOT_E8


def market(price: int) -> Tables:
    """ETH-XBT without fees, marked at a price."""
    known = tables(ETH_XBT, marks=(mark(from_e8(lot_price_e8(price)), instrument_id="ETH-XBT"),))
    known.reference.fees["*"] = NO_FEES
    return known


def credited(amount_e8: int, asset: str, number: int) -> m.EntryBooked:
    """A deposit, as clearing books it."""
    lines = (
        m.Line("client:" + ANN, asset, amount_e8, "deposit"),
        m.Line("venue:alpha", asset, -amount_e8, "deposit"),
    )
    return m.EntryBooked(
        meta=some_meta(), entry_id=f"d{number}", account_id=ANN, kind="DEPOSIT", rule="transfer", lines=lines,
        realised_e8=0, filled_e8=0, transacted_at_us=START_US,
    )  # fmt: skip


def bid(held: int, price: int, lots: int, needed: int, added: int, left: int) -> Iterator[Check]:
    """A purchase that the balance cannot pay, and can after a deposit."""
    desk = Desk(RISK, market(price))
    desk.give(credited(held, "XBT", 1))
    yield from ordered(desk, "BUY", lots, price, "1", "OrderRejected")
    desk.give(credited(added, "XBT", 2))
    accepted = yield from ordered(desk, "BUY", lots, price, "2", "OrderAccepted")
    if isinstance(accepted, m.OrderAccepted):
        yield Check("needed", needed, accepted.reserved_e8)
        yield Check("balance", left, held + added - accepted.reserved_e8)


def ask(held: int, lots: int, added: int, bought: int, received: int) -> Iterator[Check]:
    """A sale that the balance cannot deliver, and can after a deposit; then both sides' books after the fill."""
    price = received // (lots * STEP_SATOSHI)
    desk = Desk(RISK, market(price))
    desk.give(credited(held * SZABO_E8, "ETH", 1))
    yield from ordered(desk, "SELL", lots, price, "1", "OrderRejected")
    desk.give(credited(added * SZABO_E8, "ETH", 2))
    yield from ordered(desk, "SELL", lots, price, "2", "OrderAccepted")
    books = Desk(CLEARING, market(price))
    traded(books, lots, price)
    yield Check("buyer ETH", bought * SZABO_E8, books.state.balances[f"client:{ANN}"]["ETH"])
    yield Check("seller XBT", received, books.state.balances[f"client:{BOB}"]["XBT"])


def ordered(
    desk: Desk[Risk], side: m.Side, lots: int, price: int, name: str, outcome: str
) -> Generator[Check, None, Any]:
    """Submit an order, check what risk says, and return that."""
    order = terms(side, from_e8(lots * LOT_E8), from_e8(lot_price_e8(price)), name, instrument_id="ETH-XBT")
    event = desk.give(submit(order))
    yield Check(f"order {name}", outcome, type(event).__name__)
    return event


def traded(books: Desk[Books], lots: int, price: int) -> None:
    """Ann buys from Bob at the venue."""
    sides: tuple[tuple[m.Side, str], ...] = (("BUY", ANN), ("SELL", BOB))
    for side, account_id in sides:
        bought = fill(side, from_e8(lots * LOT_E8), from_e8(lot_price_e8(price)), account_id, account_id=account_id)
        books.give(replace(bought, instrument_id="ETH-XBT", base="ETH", quote="XBT", fee_asset="XBT"))


USD_JPY: Final = instrument("USD-JPY-PERP", contract_terms(settlement_asset="JPY", multiplier_e8=ONE_E8))


def fees(maker: int, taker: int, lots: int, charged: int, open_interest: int) -> Iterator[Check]:
    """Fees of both sides of a futures trade of so many lots, the clients' sum, and who is open."""
    books = ContractDesk(USD_JPY)
    deposit = 1_000_000
    sides: tuple[tuple[m.Side, str, m.Liquidity, int], ...] = (
        ("BUY", ANN, "TAKER", taker), ("SELL", BOB, "MAKER", maker),
    )  # fmt: skip
    for _, account_id, _, _ in sides:
        books.approve(approved(transfer(str(deposit), "JPY", account_id, account_id)))
    for side, account_id, liquidity, per_lot in sides:
        fee_e8 = per_lot * lots * ONE_E8
        books.fill(
            account_id, side, lots, 100, USD_JPY.instrument_id, fee_asset="JPY", fee_e8=fee_e8, liquidity=liquidity
        )
    held = {account_id: books.state.balances[f"client:{account_id}"] for _, account_id, _, _ in sides}
    clients_e8 = sum(balances["JPY"] for balances in held.values())
    open_e8 = sum(max(balances[USD_JPY.instrument_id], 0) for balances in held.values())
    yield Check("fees", charged * ONE_E8, 2 * deposit * ONE_E8 - clients_e8)
    yield Check("open interest", open_interest * ONE_E8, open_e8)
