"""Given, when, then for pure cores: a partition of one service in memory, and messages with short names."""

from typing import Any, Generic, TypeVar

import msgspec
from hypothesis import HealthCheck, settings

from truetape import ids, snapshots
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.marks import Marks
from truetape.money import notional, to_e8
from truetape.reference import Reference
from truetape.service import Input, Service, Tables

S = TypeVar("S")
START_US = 1_700_000_000_000_000
ANN, BOB = "ann", "bob"
LAW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How a property is tried on a machine that may be busy."""
ALPHA = m.Listing("alpha", "BTCUSDT", to_e8("0.01"), to_e8("0.00001"), to_e8("0.00001"), to_e8("5"), 75_000, 100_000)
BETA = m.Listing("beta", "BTCUSDT", to_e8("0.01"), to_e8("0.00001"), to_e8("0.00001"), to_e8("5"), 50_000, 150_000)
BTC = m.Instrument(
    "BTC-USDT", "BTC", "USDT", to_e8("0.01"), to_e8("0.0001"), to_e8("0.0001"), to_e8("100"), to_e8("10"),
    to_e8("2000000"), True, (ALPHA, BETA),
)  # fmt: skip
FEES = m.Fees(50_000, 100_000)
"""The house takes 0.05 % of makers and 0.1 % of takers."""
LIMITS = m.Limits(to_e8("1000000"), 5, 1_000, 10**7, 5_000_000)
"""1 000 000 USDT an order, 5 open orders, 1 000 messages a second, 10 % collar, marks of 5 s."""


def some_meta(at_us: int = START_US, offset: int = 0, topic: str = "elsewhere") -> m.Meta:
    """Meta of a record that some other service wrote."""
    cause = m.Cause(topic, 0, offset, "")
    return m.Meta(1, offset + 1, cause, at_us, ids.event_id("x", cause), "")


def mark(price: str, at_us: int = START_US, instrument_id: str = "BTC-USDT") -> m.MarkPublished:
    """A mark seen at at_us."""
    price_e8 = to_e8(price)
    return m.MarkPublished(some_meta(at_us), instrument_id, price_e8, price_e8, price_e8, "alpha", 7, at_us, 0)


def tables(*instruments: m.Instrument, marks: tuple[m.MarkPublished, ...] = ()) -> Tables:
    """Two accounts, the instruments (BTC-USDT when none is named), a mark of 60 000."""
    known = {one.instrument_id: one for one in instruments or (BTC,)}
    reference = Reference(instruments=known, accounts={ANN: "Ann", BOB: "Bob"}, limits={"*": LIMITS}, fees={"*": FEES})
    newest = {one.instrument_id: one for one in marks or (mark("60000"),)}
    return Tables(reference, Marks(newest), reference_offset=11)


def terms(
    side: m.Side,
    quantity: str,
    price: str | None,
    client_order_id: str = "1",
    account_id: str = ANN,
    instrument_id: str = "BTC-USDT",
    **changes: Any,
) -> m.OrderTerms:
    """An order; a market order (IOC) when it has no price."""
    order_type: m.OrderType = "LIMIT" if price is not None else "MARKET"
    in_force: m.TimeInForce = "GTC" if price is not None else "IOC"
    order = m.OrderTerms(
        ids.order_id(account_id, client_order_id), account_id, client_order_id, instrument_id, side, order_type,
        in_force, False, to_e8(quantity), None if price is None else to_e8(price),
    )  # fmt: skip
    return msgspec.structs.replace(order, **changes)


def submit(order: m.OrderTerms, received_at_us: int = START_US) -> m.SubmitOrder:
    """The command."""
    return m.SubmitOrder(order, "key", received_at_us)


def transfer(
    amount: str, asset: str = "USDT", reference: str = "1", account_id: str = ANN, location: str = "venue:alpha"
) -> m.TransferTerms:
    """A deposit, or a withdrawal when negative."""
    return m.TransferTerms(
        ids.transfer_id(account_id, reference), account_id, asset, to_e8(amount), location, reference
    )


def request(asked: m.TransferTerms) -> m.RequestTransfer:
    """The command."""
    return m.RequestTransfer(asked, "key", START_US)


def approved(asked: m.TransferTerms) -> m.TransferApproved:
    """As risk approves it."""
    return m.TransferApproved(some_meta(), asked)


def fill(
    side: m.Side,
    quantity: str,
    price: str,
    execution: str = "1",
    order_id: str = "o",
    account_id: str = ANN,
    fee: str = "0",
    fee_asset: str = "USDT",
    quote: str | None = None,
    **changes: Any,
) -> m.OrderFilled:
    """A fill at alpha whose quote amount is exact (half to even) unless it is given."""
    quantity_e8, price_e8 = to_e8(quantity), to_e8(price)
    quote_e8 = notional(price_e8, quantity_e8, "half_even") if quote is None else to_e8(quote)
    filled = m.OrderFilled(
        some_meta(), order_id, account_id, 0, "alpha", "BTC-USDT", "BTC", "USDT", side, f"alpha:BTCUSDT:{execution}",
        "v1", quantity_e8, price_e8, quote_e8, quantity_e8, 0, fee_asset, to_e8(fee), "TAKER", "FILLED", START_US,
        "stream",
    )  # fmt: skip
    return msgspec.structs.replace(filled, **changes)


def rows(table: str) -> list[tuple[str, ...]]:
    """The cells of a table in text, without its head."""
    return [tuple(part.strip() for part in row.split("|")) for row in table.strip().splitlines()[1:]]


class Desk(Generic[S]):
    """One partition of one service: gives inputs, keeps the events, can fold them again."""

    def __init__(self, service: Service[S], using: Tables | None = None) -> None:
        self.service, self.tables = service, using or tables()
        self.state: S = service.initial()
        self.events: list[Any] = []
        self.at_us = START_US
        self._given = 0

    def give(self, message: Any) -> Any:
        """Decide one input and evolve its event, which must survive the wire; None when it changes nothing."""
        cause = m.Cause("inputs", 0, self._given, "")
        self._given += 1
        event = self.service.decide(
            self.state,
            Input(message, cause, self.at_us, self.service.owns.name, 1, len(self.events) + 1, self.tables),
        )
        return None if event is None else self.keep(event)

    def keep(self, event: Any) -> Any:
        """Evolve an own event."""
        assert decode(encode(event)) == event
        self.state = self.service.evolve(self.state, event)
        self.events.append(event)
        return event

    def park(self, account_id: str, halts_account: bool = True, given: bytes | None = None) -> str:
        """What the loop writes when an input was set aside; the event's id."""
        name = f"parked-{len(self.events)}"
        place = m.Meta(1, len(self.events) + 1, m.Cause("inputs", 0, self._given, ""), self.at_us, name, "")
        self.keep(m.InputParked(place, account_id, "broken", halts_account, given))
        return name

    def digest(self) -> str:
        """Of the state as it is."""
        return snapshots.digest(self.state)

    def replayed(self, through_snapshot_at: int | None = None) -> str:
        """Digest of the fold of all events; with a snapshot written and read after so many of them."""
        state: S = self.service.initial()
        for count, event in enumerate(self.events):
            if count == through_snapshot_at:
                state = msgspec.msgpack.decode(snapshots.pack(state), type=self.service.state_type)
            state = self.service.evolve(state, event)
        return snapshots.digest(state)
