"""All services with a perpetual, and accounts that come short of margin in it."""

from typing import Any

import msgspec

from services.clearing.session import Session
from services.pricing.tops import Top, TopsSeen
from tests.unit.audit_stage import TURN_US
from tests.unit.contract_desk import E8, terms
from tests.unit.desk import ANN
from tests.unit.test_contract_stage import CONTRACT, PERP, ContractStage
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import from_e8, to_e8
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS, REFERENCE_COMMANDS

KINDS = (m.MarginRun, m.MarginReviewed, m.MarginCallChanged, m.LiquidationChanged, m.LiquidationEnded, m.DefaultChanged)


class LiquidationStage(ContractStage):
    """Ann is long one contract of 0.01 BTC at 60 001, and has what is left of her money after a withdrawal."""

    def __init__(self, left: str, **changes: Any) -> None:
        super().__init__()
        runner = self.runners["clearing"]
        runner.effects = Session(runner.log.append)
        for partition, own in runner._owned.items():
            runner.effects.resume(partition, own.state)
        self.venue.appetite = lambda leg: leg.quantity_e8
        self._terms = terms(**({"liquidation_fee_rate_e8": E8 // 200} | changes))
        self.perpetual()
        self.price = "60000"
        self.contract_order(ANN, "BUY", "1", "60001")
        self.settle()
        self.transfer(ANN, "USDT", from_e8(to_e8(left) - self.cash(ANN)))
        self.settle()

    def perpetual(self, tradable: bool = True) -> None:
        """As the stage has it, with its own terms."""
        super().perpetual(tradable)
        one = msgspec.structs.replace(CONTRACT, contract=self._terms, tradable=tradable)
        self.set(m.SetInstrument(f"terms-{tradable}-{self.broker.wall_us()}", "test", one))

    def set(self, command: Any) -> None:
        """A command about reference data."""
        self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))
        self.settle()

    def cash(self, account: str, asset: str = "USDT") -> int:
        """What clearing's partition has of a client."""
        state = self.runners["clearing"]._owned[self.partition(account)].state
        return int(state.balances.get(f"client:{account}", {}).get(asset, 0))

    def fall(self, price: str) -> None:
        """The perpetual's mark moves, and stays there."""
        self.price = price
        self.remark()
        self.settle()

    def remark(self) -> None:
        """Pricing sees the same price again: marks stay fresh."""
        now_us, price_e8 = self.broker.wall_us(), to_e8(self.price)
        top = Top("alpha", price_e8 - E8, price_e8 + E8, 7, now_us)
        self.runners["pricing"].offer(0, "books", f"perp{now_us}", TopsSeen(PERP, (top,), 0))

    def wait(self, seconds: float) -> None:
        """Time passes; marks stay fresh."""
        for turn in range(int(seconds * 1_000_000 / TURN_US)):
            if turn % 100 == 0:
                self.remark()
            self.broker.advance(TURN_US)
            for runner in self.runners.values():
                if runner.log.busy_until_us <= self.broker.now_us:  # type: ignore[attr-defined]
                    runner.turn(0.0)

    def act(self, account: str, call_id: str, action: str, actor: str, reason: str = "") -> None:
        """Somebody acts on a call."""
        command = m.ActOnCall(f"{action}-{self.broker.wall_us()}", account, call_id, action, actor, reason, "test")
        part = Part(CLEARING_COMMANDS.name, ids.partition_of(account, CLEARING_COMMANDS.partitions))
        self.broker.produce(part, account.encode(), encode(command))
        self.settle()

    def told(self, account: str = ANN) -> list[Any]:
        """What clearing has said about margin in the account's partition."""
        return [event for event in self.entries(account) if isinstance(event, KINDS)]

    def entries(self, account: str = ANN) -> list[Any]:
        """The records of the account's partition."""
        return self.messages(Part(CLEARING_ENTRIES.name, self.partition(account)))

    def calls(self, account: str = ANN) -> list[m.MarginCallChanged]:
        """The life of the account's calls."""
        return [event for event in self.told(account) if isinstance(event, m.MarginCallChanged)]

    def orders(self, account: str = ANN) -> list[m.SubmitOrder]:
        """Orders that clearing sent."""
        part = Part(ORDERS_COMMANDS.name, self.partition(account))
        return [one for one in self.messages(part) if isinstance(one, m.SubmitOrder) and "liquid" in one.key_id]

    def decided(self, account: str, kind: type) -> list[Any]:
        """Risk's records of a kind."""
        part = Part(ORDERS_DECISIONS.name, self.partition(account))
        return [one for one in self.messages(part) if isinstance(one, kind)]

    def position(self, account: str = ANN) -> int:
        """Contracts that clearing has for an account."""
        state = self.runners["clearing"]._owned[self.partition(account)].state
        return int(state.accounts[account].positions[PERP].quantity_e8)
