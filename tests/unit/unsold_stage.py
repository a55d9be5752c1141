"""Clearing and risk in all eight partitions with their real decisions, and venues that take what a test lets them.

Records go from one service to the other at once and in order, as their topics keep them; commands go over the wire of
`rounds_stage`, where they may be lost, doubled and reordered, and processes die.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from services.clearing.closeout import deleveraging
from services.risk.core import SERVICE as RISK
from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.desk import some_meta
from tests.unit.rounds_stage import PERP, Stage
from truetape import ids
from truetape import messages as m
from truetape.audit.merge import Given
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.service import Input, Tick
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    PARTITIONS,
)

AGE_US = 10**15
"""Marks that never grow old, where a test is not about that."""
LIMITS = m.Limits(10**9 * E8, 50, 10**6, 10**7, AGE_US)
OWN_PERP = instrument(PERP, terms(mark_max_age_us=AGE_US))


class Unsold(Stage):
    """A market that stands still until a mark moves; `appetite` says how much of an order a venue fills."""

    def __init__(self, *known: m.Instrument) -> None:
        super().__init__(*known or (OWN_PERP,))
        self.tables.reference.limits["*"] = LIMITS
        self.appetite: Callable[[m.OrderTerms], int] = lambda order: 0
        self.risks = [RISK.initial() for _ in range(PARTITIONS)]
        self.decided: list[list[Any]] = [[] for _ in range(PARTITIONS)]
        self._read = [0] * PARTITIONS
        self._executed = [0] * PARTITIONS

    # -- in --------------------------------------------------------------------------------------------------

    def give(self, number: int, message: Any, topic: str = CLEARING_COMMANDS.name, act: bool = True) -> Any:
        """One input of clearing, and what risk and the venues make of its records."""
        answer = super().give(number, message, topic, act)
        self._pump(number)
        return answer

    def _pump(self, number: int) -> None:
        at = self.partitions[number]
        while self._read[number] < len(at.events):
            event = at.events[self._read[number]]
            self._read[number] += 1
            self._risk(number, event, CLEARING_ENTRIES.name, self._read[number])

    def _risk(self, number: int, message: Any, topic: str, offset: int) -> None:
        """An input of risk; its record goes to clearing and, when an order is accepted, to the venues."""
        made = self.decided[number]
        cause = m.Cause(topic, number, offset, "")
        given = Input(message, cause, self.now_us, ORDERS_DECISIONS.name, 1, len(made) + 1, self.tables, number)
        event: Any = RISK.decide(self.risks[number], given)
        if event is None:
            return
        assert decode(encode(event)) == event
        self.risks[number] = RISK.evolve(self.risks[number], event)
        made.append(event)
        self.partitions[number].rules.take(Given(Part(ORDERS_DECISIONS.name, number), self._number + 1, event, True))
        self.give(number, event, ORDERS_DECISIONS.name)
        if isinstance(event, m.OrderAccepted):
            self._trade(number, event.order)

    def _trade(self, number: int, order: m.OrderTerms) -> None:
        """What a venue makes of an immediate order: a fill at its limit, and the end of the rest."""
        if order.time_in_force != "IOC":
            return
        filled_e8 = min(self.appetite(order), order.quantity_e8)
        if filled_e8:
            self._execution(number, fill_of(self, order, filled_e8))
        if filled_e8 < order.quantity_e8:
            self._execution(
                number, m.OrderExpired(some_meta(), order.order_id, order.account_id, 1, "alpha", filled_e8, "IOC")
            )

    def _execution(self, number: int, event: Any) -> None:
        self._executed[number] += 1
        place = m.Meta(1, self._executed[number], m.Cause("venue:alpha", number, -1, "x"), self.now_us, "e", "o")
        event = replace(event, meta=place)
        given = Given(Part(ORDERS_EXECUTIONS.name, number), self._number + 1, event, True)
        self.partitions[number].rules.take(given)
        self.give(number, event, ORDERS_EXECUTIONS.name)
        self._risk(number, event, ORDERS_EXECUTIONS.name, self._executed[number])

    def deliver(self, index: int, act: bool = True) -> None:
        """One command of the wire arrives: at risk, or at clearing."""
        part, value = self.wire[index]
        if part.topic != ORDERS_COMMANDS.name:
            super().deliver(index, act)
            return
        self.wire.pop(index)
        if part.partition not in self.lose:
            self._number += 1
            self._risk(part.partition, decode(value), part.topic, self._number)

    def submit(self, account_id: str, side: m.Side, contracts: int, price: int, name: str = PERP) -> Any:
        """An account's own order, which rests at a venue that does not fill it."""
        key = f"o{self._number}"
        order = m.OrderTerms(
            ids.order_id(account_id, key), account_id, key, name, side, "LIMIT", "GTC", False, contracts * E8,
            price * E8,
        )  # fmt: skip
        number = ids.partition_of(account_id, PARTITIONS)
        self._number += 1
        self._risk(number, m.SubmitOrder(order, "key", self.now_us), ORDERS_COMMANDS.name, self._number)
        return self.decided[number][-1]

    def cancelled(self, accepted: m.OrderAccepted) -> None:
        """A venue says that an order that rested has ended."""
        order = accepted.order
        number = ids.partition_of(order.account_id, PARTITIONS)
        gone = m.OrderCancelled(some_meta(), order.order_id, order.account_id, 1, "alpha", 0, "REQUESTED")
        self._execution(number, gone)

    def filled(self, accepted: m.OrderAccepted) -> None:
        """A venue fills an order that rested."""
        number = ids.partition_of(accepted.order.account_id, PARTITIONS)
        self._execution(number, fill_of(self, accepted.order, accepted.order.quantity_e8))

    def mark(self, price: float, name: str = PERP) -> None:
        """A mark moves, everywhere at once."""
        price_e8 = round(price * E8)
        self.tables.marks.newest[name] = m.MarkPublished(
            some_meta(self.now_us), name, price_e8, price_e8, price_e8, "alpha", 7, self.now_us, 0
        )

    def pass_time(self, seconds: int, step: float = 20.0) -> None:
        """Time passes in large steps, and all commands arrive."""
        for _ in range(int(seconds / step)):
            self.now_us += int(step * 1_000_000)
            self.run(1)

    def until(self, done: Callable[[], bool], seconds: int = 3_000) -> None:
        """Time passes until something has happened."""
        for _ in range(seconds // 10):
            if done():
                return
            self.pass_time(10, 10)
        raise AssertionError("it has not happened")

    def ended(self, number: int, event: m.DefaultChanged) -> None:
        """Risk says itself whether an account's orders have ended."""

    # -- what came out ---------------------------------------------------------------------------------------

    def held(self, account_id: str, name: str = PERP) -> float:
        """Contracts."""
        held = self.of(account_id).state.accounts[account_id].positions.get(name)
        return held.quantity_e8 / E8 if held is not None else 0.0

    def in_house(self, name: str = PERP) -> int:
        """Contracts of the clearing house over all partitions."""
        return sum(at.state.balances.get("house:clearing", {}).get(name, 0) for at in self.partitions)

    def changes(self) -> list[m.DeleveragingChanged]:
        """The life of all deleveragings."""
        return self.events(m.DeleveragingChanged)

    def parts(self, change: str = "TAKEN") -> list[tuple[str, int, float, float]]:
        """Holder, rank, contracts and money of what was decided or taken."""
        return [
            (part.account_id, part.rank, part.quantity_e8 / E8, part.paid_e8 / E8)
            for event in self.changes()
            if event.change == change
            for part in event.parts
        ]

    def outcomes(self) -> list[str]:
        """How liquidations, auctions and deleveragings have ended, and the states of defaults, in order of a home."""
        found = []
        for at in self.partitions:
            for event in at.events:
                match event:
                    case m.LiquidationEnded():
                        found.append(f"liquidation {event.outcome}")
                    case m.AuctionChanged() if event.state == "ENDED":
                        found.append(f"auction {event.change}")
                    case m.DeleveragingChanged() if event.state == "ENDED":
                        found.append(f"{event.method} {event.change}")
                    case m.DefaultChanged():
                        found.append(f"default {event.state}")
                    case _:
                        pass
        return list(dict.fromkeys(found))

    def settled(self) -> bool:
        """Nothing runs or waits anywhere."""
        return self.done() and not any(
            at.state.deleveragings.running or at.state.parcels.asked or at.state.auctions for at in self.partitions
        )

    def check(self) -> None:
        """Beside the books of each partition: risk's replay is its state, and it knows every position as it is."""
        super().check()
        for number, at in enumerate(self.partitions):
            again = RISK.initial()
            for event in self.decided[number]:
                again = RISK.evolve(again, decode(encode(event)))
            assert again == self.risks[number]
            for account_id, account in at.state.accounts.items():
                for name in account.contracts:
                    held = account.positions[name]
                    known = self.risks[number].accounts[account_id].contracts.get(name)
                    assert (known.quantity_e8 if known is not None else 0) == held.quantity_e8
                cash = at.state.balances.get(f"client:{account_id}", {}).get("USDT", 0)
                assert self.risks[number].accounts[account_id].balances.get("USDT", 0) == cash


def fill_of(stage: Unsold, order: m.OrderTerms, quantity_e8: int) -> m.OrderFilled:
    """A venue's fill of an order at its limit."""
    one = stage.tables.reference.instruments[order.instrument_id]
    assert order.price_e8 is not None, "it has a limit"
    return m.OrderFilled(
        meta=some_meta(), order_id=order.order_id, account_id=order.account_id, leg=1, venue="alpha",
        instrument_id=order.instrument_id, base=one.base, quote=one.quote, side=order.side,
        execution_id=f"alpha:{order.order_id}", venue_order_id="1", quantity_e8=quantity_e8, price_e8=order.price_e8,
        quote_amount_e8=quantity_e8 * order.price_e8 // E8, cumulative_quantity_e8=quantity_e8,
        leaves_quantity_e8=order.quantity_e8 - quantity_e8, fee_asset="USDT", fee_e8=0, liquidity="TAKER",
        status="FILLED" if quantity_e8 == order.quantity_e8 else "PARTIALLY_FILLED", transacted_at_us=stage.now_us,
        source="STREAM",
    )  # fmt: skip


__all__ = ["AGE_US", "PERP", "Tick", "Unsold", "deleveraging"]
