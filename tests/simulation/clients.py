"""Clients of the simulated system: what they ask for, again when they are impatient, and what they were told."""

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.reference import ACCOUNTS, BTC, VENUE
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.simbroker import SimBroker
from truetape.topics import ORDERS_COMMANDS

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence

TICK_E8: Final = 10**6
FUNDS: Final = {"USDT": 200_000 * ONE_E8, "BTC": 3 * ONE_E8}
"""What every client begins with, at the venue; one of them with a twentieth of it."""
MISTYPED: Final = 0.05
"""Share of the prices that are far off."""
POOR: Final = "tom"


def funds_e8(account: str) -> dict[str, int]:
    """What a client begins with, by asset."""
    return {asset: amount_e8 // (20 if account == POOR else 1) for asset, amount_e8 in FUNDS.items()}


class Clients:
    """Ask for orders, cancels and transfers, straight on the bus."""

    def __init__(self, broker: SimBroker, chance: Random) -> None:
        self._broker, self._chance = broker, chance
        self.orders: list[m.OrderTerms] = []
        self.cancels: list[str] = []
        self.transfers: list[m.TransferTerms] = []
        self._count = 0

    def fund(self) -> None:
        """Everybody begins with some money and some coins."""
        for account in ACCOUNTS:
            for asset, amount_e8 in funds_e8(account).items():
                self.transfer(account, asset, amount_e8, f"venue:{VENUE}")

    def act(self, price_e8: int) -> None:
        """One client does something."""
        account, kind = self._chance.choice(list(ACCOUNTS)), self._chance.random()
        mine = [order for order in self.orders if order.account_id == account]
        if kind < 0.6 or not mine:
            for _ in range(self._chance.randint(2, 6) if self._chance.random() < 0.2 else 1):
                self.order(account, price_e8)
        elif kind < 0.7:
            self._submit(self._chance.choice(mine[-5:]))
        elif kind < 0.88:
            self._cancel(account, self._chance.choice(mine[-8:]).order_id)
        elif kind < 0.94:
            cancel = m.CancelAllOrders(command_id=self._id(), account_id=account, key_id="key", received_at_us=0)
            self._ask(account, cancel)
        elif kind < 0.96:
            again = self._chance.choice([one for one in self.transfers if one.account_id == account])
            self._transfer(again)
        else:
            amount = self._chance.choice([self._chance.randint(-50_000, 50_000), -1_000_000])
            self.transfer(account, "USDT", (amount or 1) * ONE_E8)

    def order(self, account: str, mark_e8: int) -> None:
        """An order near the mark."""
        self._order(account, BTC.instrument_id, mark_e8, TICK_E8, 10_000, (1, 8_000))

    def _order(
        self, account: str, instrument_id: str, mark_e8: int, tick_e8: int, lot_e8: int, lots: tuple[int, int]
    ) -> None:
        """An order for some lots within fifty ticks of the mark, unless it is mistyped."""
        market = self._chance.random() < 0.25
        side: m.Side = self._chance.choice(["BUY", "SELL"])
        price_e8 = mark_e8 // tick_e8 * tick_e8 + self._chance.randint(-50, 50) * tick_e8
        if self._chance.random() < MISTYPED:
            price_e8 = price_e8 * self._chance.randint(50, 150) // 100 // tick_e8 * tick_e8
        in_force: m.TimeInForce = "IOC" if market else self._chance.choice(["GTC", "GTC", "GTC", "IOC", "FOK"])
        client_order_id = self._id()
        order = m.OrderTerms(
            ids.order_id(account, client_order_id), account, client_order_id, instrument_id, side,
            "MARKET" if market else "LIMIT", in_force, False, self._chance.randint(*lots) * lot_e8,
            None if market else price_e8,
        )  # fmt: skip
        self.orders.append(order)
        self._submit(order)

    def transfer(self, account: str, asset: str, amount_e8: int, location: str = "bank:settlement") -> None:
        """A deposit, or a withdrawal when negative."""
        reference = self._id()
        transfer_id = ids.transfer_id(account, reference)
        terms = m.TransferTerms(transfer_id, account, asset, amount_e8, location, reference)
        self.transfers.append(terms)
        self._transfer(terms)

    def arrived(self) -> list[m.OrderTerms]:
        """Orders whose command stands on the bus."""
        return self.orders

    def untrue(self, found: "Evidence") -> Iterator[str]:
        """What a client was told that the tape does not say."""
        yield from ()

    def _submit(self, order: m.OrderTerms) -> None:
        self._ask(order.account_id, m.SubmitOrder(order, "key", self._broker.wall_us()))

    def _transfer(self, terms: m.TransferTerms) -> None:
        self._ask(terms.account_id, m.RequestTransfer(terms, "key", self._broker.wall_us()))

    def _cancel(self, account: str, order_id: str) -> None:
        command_id = self._id()
        self.cancels.append(command_id)
        self._ask(account, m.CancelOrder(command_id, account, order_id, "key", 0))

    def _id(self) -> str:
        self._count += 1
        return f"c{self._count}"

    def _ask(self, account: str, message: Any) -> None:
        self._broker.produce(Part(ORDERS_COMMANDS.name, ACCOUNTS[account]), account.encode(), encode(message))
