"""Contracts through all services on the simulated broker: orders, fills, funding, settlement, the end; audited by both
audits; and a fact that a crash cuts at every place is applied to everybody exactly once."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.clearing.core import SERVICE as CLEARING
from services.pricing.tops import Top, TopsSeen
from tests.unit.audit_stage import ONE_VENUE, Stage, Tape
from tests.unit.contract_desk import E8, HOUR_US, terms
from tests.unit.desk import ANN, BOB
from tests.unit.test_books import opinion
from truetape import ids
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.log import Part
from truetape.money import to_e8
from truetape.runner import Runner
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, PARTITIONS, REFERENCE_COMMANDS
from truetape.venue.book import BookView

PERP = "BTC-USDT-PERP"
LISTING = msgspec.structs.replace(ONE_VENUE.listings[0], symbol="BTCPERP", lot_e8=E8 // 10)
CONTRACT = msgspec.structs.replace(
    ONE_VENUE, instrument_id=PERP, contract=terms(), lot_e8=E8 // 10, min_quantity_e8=E8 // 10,
    max_quantity_e8=1_000 * E8, listings=(LISTING,),
)  # fmt: skip


class ContractStage(Stage):
    """The stage, with a perpetual at the venue."""

    def perpetual(self, tradable: bool = True) -> None:
        """Define it, or change whether it trades."""
        book = BookView("alpha", "BTCPERP", 7, 1 << 62, ((to_e8("59999"), to_e8("50")),), ((to_e8("60001"), 50 * E8),))
        self.runners["router"].tables.views["alpha", "BTCPERP"] = book
        one = msgspec.structs.replace(CONTRACT, tradable=tradable)
        command = m.SetInstrument(f"perp-{tradable}", "test", one)
        self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))
        self.settle()
        top = Top("alpha", to_e8("59999"), to_e8("60001"), 7, self.broker.wall_us())
        self.runners["pricing"].offer(0, "books", f"perp{self.broker.wall_us()}", TopsSeen(PERP, (top,), 0))
        self.settle()

    def contract_order(self, account: str, side: m.Side, quantity: str, price: str) -> str:
        """An order in the perpetual."""
        name = f"p-{account}-{side}-{self.broker.wall_us()}"
        order_id = ids.order_id(account, name)
        order = m.OrderTerms(
            order_id, account, name, PERP, side, "LIMIT", "GTC", False, to_e8(quantity), to_e8(price)
        )  # fmt: skip
        self.command(account, m.SubmitOrder(order, "key", self.broker.wall_us()))
        return order_id

    def fact(self, kind: m.ContractFactKind, price: str, **numbers: int) -> None:
        """A fact, to every partition, as an operator sends it."""
        now_us = self.broker.wall_us()
        fact = m.ContractFact(f"{kind}-{now_us}", kind, PERP, now_us, now_us, "test", to_e8(price), numbers)
        for partition in range(PARTITIONS):
            self.broker.produce(Part(CLEARING_COMMANDS.name, partition), b"", encode(m.TakeContractFact(fact)))
        self.settle()


@pytest.fixture(scope="module")
def stage() -> Iterator[ContractStage]:
    """A day: spot as ever, and a perpetual from its first trade to its delisting."""
    found = ContractStage()
    found.trade()
    found.venue.appetite = lambda leg: leg.quantity_e8
    found.perpetual()
    found.contract_order(ANN, "BUY", "1.1", "60001")
    found.contract_order(BOB, "SELL", "2", "59999")
    found.settle()
    found.fact("FUNDING", "60000", rate_e18=10**14, elapsed_us=HOUR_US)
    found.fact("SETTLEMENT_PRICE", "60500")
    found.perpetual()
    found.contract_order(ANN, "SELL", "2", "59999")
    found.settle()
    found.fact("FUNDING", "60000", rate_e18=-(10**14), elapsed_us=1_000)
    found.perpetual(tradable=False)
    found.fact("DELISTING", "61000")
    found.keep_snapshots()
    yield found


def entries(of: Tape) -> list[m.EntryBooked]:
    found = []
    for partition in range(PARTITIONS):
        for event in of.messages(Part(CLEARING_ENTRIES.name, partition)):
            if isinstance(event, m.EntryBooked) and event.contract is not None:
                found.append(event)
    return found


def test_both_audits_agree_and_nothing_is_left(stage: ContractStage) -> None:
    kinds = [entry.contract.event for entry in entries(stage) if entry.contract is not None]
    assert {"TRADE", "VARIATION_MARGIN", "DELISTING"} == set(kinds)
    assert kinds.count("TRADE") >= 8, "the venue fills in parts"
    report = stage.audit(stage.ask)
    assert report.differences == []
    assert report.equal
    second = opinion(stage.copy())
    assert (second.equal, second.differences) == (True, [])
    left: dict[str, int] = {}
    for entry in entries(stage):
        for line in entry.lines:
            if line.asset == PERP:
                left[line.account] = left.get(line.account, 0) + line.amount_e8
    assert {account: e8 for account, e8 in left.items() if e8} == {}


def test_profit_is_what_prices_say(stage: ContractStage) -> None:
    held: dict[str, m.Position] = {}
    for entry in entries(stage):
        if entry.position is not None:
            held[entry.account_id] = entry.position
    ann = (60_500 - 60_001) * 110 + (59_999 - 60_500) * 110 + (59_999 - 61_000) * 90
    bob = (59_999 - 61_000) * 200
    assert (held[ANN].realised_e8, held[BOB].realised_e8) == (ann * E8 // 10_000, bob * E8 // 10_000)
    assert held[ANN].quantity_e8 == held[BOB].quantity_e8 == 0


def test_a_fact_that_a_crash_cuts_is_applied_once_to_everybody(stage: ContractStage) -> None:
    """The tape is cut behind each record of each fact; who takes over books the same entries, under the same ids."""
    cuts = 0
    for partition in range(PARTITIONS):
        part = Part(CLEARING_ENTRIES.name, partition)
        whole = stage.messages(part)
        for index, event in enumerate(whole):
            if not isinstance(event, m.ContractFactTaken):
                continue
            for more in range(len(event.due)):
                cuts += 1
                after = resumed(stage, part, index + 1 + more)
                wanted = [stripped(one) for one in whole[index + 1 + more : index + 1 + len(event.due)]]
                assert [stripped(one) for one in after[: len(wanted)]] == wanted
    assert cuts >= 6


def resumed(stage: ContractStage, part: Part, length: int) -> list[Any]:
    """What a new owner of the partition writes when its tape ends there."""
    copied = stage.copy()
    del copied.broker.partition(part)._records[length:]
    for name in list(copied.broker._partitions):
        if name.topic == "clearing.snapshots":
            copied.broker.partition(name)._records.clear()
    runner: Runner[Any] = Runner(CLEARING, copied.broker.log("clearing"), copied.settings)
    runner.start()
    for _ in range(60):
        copied.broker.advance(5_000)
        runner.turn(0.0)
    found = [decode(record.value or b"") for record in copied.broker.records(part)][length:]
    return [event for event in found if not isinstance(event, m.Began)]


def stripped(event: Any) -> Any:
    """The event without what a new owner decides anew: when, and in which epoch."""
    meta = msgspec.structs.replace(event.meta, epoch=0, sequence=0, decided_at_us=0)
    return msgspec.structs.replace(event, meta=meta)
