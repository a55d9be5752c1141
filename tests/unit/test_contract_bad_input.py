"""What bad input about contracts gets, through the services in their real run loop: parked or refused by name, the
account halted where order matters, nothing lost, and nobody else touched."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.unit.contract_desk import E8, future, instrument, terms
from tests.unit.desk import ANN, BOB
from tests.unit.test_contract_stage import CONTRACT, PERP, ContractStage
from truetape import messages as m
from truetape.audit.live import Silent
from truetape.codec import encode
from truetape.happenings import Part
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    PARTITIONS,
    REFERENCE_COMMANDS,
    REFERENCE_EVENTS,
)

FUTURE, POWER = "BTC-USDT-20261225", "PWR-USDT-PERP"
HOUR_US = 3_600_000_000
MARGIN_RUNS = (m.MarginRun, m.MarginCallChanged, m.LiquidationChanged)


class LedgerStage(ContractStage):
    """The stage without a router: a test writes its records."""

    def __init__(self) -> None:
        super().__init__()
        self.runners.pop("router").log.close()
        self._began, self._count = set[int](), 0
        self.expiry_us = self.broker.wall_us() + HOUR_US
        self.define(CONTRACT)
        self.define(instrument(FUTURE, future(expires_at_us=self.expiry_us)))
        self.define(instrument(POWER, terms(signed_price=True)))

    def ask_those(self, names: list[str]) -> Any:
        """What each of the services says, but the router, which is not there."""
        silent = {"router": Silent("router", "not there")}
        return {**self.ask([name for name in names if name not in silent]), **silent}

    def wrong(self) -> list[Any]:
        """What the audit finds wrong with the ledger; that nobody accepted the orders of these fills, it says too."""
        found = self.audit(self.ask_those).differences
        return [one for one in found if one.where.startswith("clearing.entries")]

    def define(self, one: m.Instrument) -> Any:
        """Ask for an instrument; the answer."""
        self._count += 1
        command = m.SetInstrument(f"i-{self._count}", "test", one)
        self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))
        self.settle()
        return self.messages(Part(REFERENCE_EVENTS.name, 0))[-1]

    def fill(self, account: str, side: m.Side, contracts: int, price: int, name: str = PERP, **changes: Any) -> Any:
        """A venue's fill, and what the ledger answers; price in whole units."""
        self._count += 1
        part, now_us = Part(ORDERS_EXECUTIONS.name, self.partition(account)), self.broker.wall_us()
        if part.partition not in self._began:
            self._began.add(part.partition)
            cause = m.Cause("group", part.partition, -1, "test")
            self.broker.produce(part, b"", encode(m.Began(m.Meta(1_000, 0, cause, now_us, "began", ""), "test")))
            self._sequences = getattr(self, "_sequences", {}) | {part.partition: 0}
        self._sequences[part.partition] += 1
        cause = m.Cause("venue:alpha", part.partition, -1, f"r-{self._count}")
        fill = m.OrderFilled(
            leaves_quantity_e8=0,
            meta=m.Meta(1_000, self._sequences[part.partition], cause, now_us, f"e-{self._count}", "o"),
            order_id=f"{self._count:032x}", account_id=account, leg=1, venue="alpha", venue_order_id="1",
            execution_id=f"alpha:{self._count}", instrument_id=name, base=name.partition("-")[0], quote="USDT",
            side=side, quantity_e8=contracts * E8, price_e8=price * E8, quote_amount_e8=0,
            cumulative_quantity_e8=contracts * E8, fee_asset="USDT", fee_e8=0, liquidity="TAKER", status="FILLED",
            transacted_at_us=now_us, source="STREAM",
        )  # fmt: skip
        self.broker.produce(part, account.encode(), encode(msgspec.structs.replace(fill, **changes)))
        self.settle()
        return self.answered(account)[-1]

    def send(self, account: str, command: Any) -> Any:
        """A command to the ledger, and its answer."""
        part = Part(CLEARING_COMMANDS.name, self.partition(account))
        self.broker.produce(part, account.encode(), encode(command))
        self.settle()
        return self.answered(account)[-1]

    def answered(self, account: str) -> list[Any]:
        """What is on the ledger's partition of an account, but for what margin runs have said meanwhile."""
        return [one for one in self.entries(account) if not isinstance(one, MARGIN_RUNS)]

    def entries(self, account: str) -> list[Any]:
        """Everything on the ledger's partition of an account."""
        return self.messages(Part(CLEARING_ENTRIES.name, self.partition(account)))

    def held(self, account: str, name: str = PERP) -> int:
        """Contracts that an account has by the ledger's entries, in whole ones."""
        moved = [e.contract.quantity_e8 for e in self.entries(account)
                 if isinstance(e, m.EntryBooked) and e.contract and e.contract.instrument_id == name
                 and e.account_id == account]  # fmt: skip
        return sum(moved) // E8


@pytest.fixture(scope="module")
def shared() -> Iterator[LedgerStage]:
    """For what is refused and changes nothing."""
    stage = LedgerStage()
    assert isinstance(stage.fill(ANN, "BUY", 3, 60_000), m.EntryBooked)
    yield stage
    assert stage.held(ANN) == 3 and stage.held(BOB) == 0, "nothing that was refused has changed anything"
    assert stage.wrong() == []


# -- fills: they have happened, so they are parked and their account is halted -----------------------------------------


@pytest.mark.parametrize(
    ("name", "price", "changes", "error"),
    [
        # contract       price     what is wrong with the fill                      named
        ("DOGE-USDT-PERP", 60_000, {}, "ContractUnknown"),
        (FUTURE, 60_000, {"transacted_at_us": 2**62}, "TradeAfterExpiry"),
        (PERP, 0, {}, "ContractRefused: price 0 is not"),
        (PERP, -5, {}, "ContractRefused: price -5"),
        (PERP, 60_000, {"execution_id": "alpha:known"}, "EntryRepeated"),
        (PERP, 10**10, {"quantity_e8": 2**62}, "MoneyError"),
        (PERP, 60_000, {"quantity_e8": 0}, "AssertionError: a fill has a quantity"),
    ],
)
def test_a_bad_fill_is_parked_its_account_halted_and_nothing_lost(
    name: str, price: int, changes: dict[str, Any], error: str
) -> None:
    stage = LedgerStage()
    stage.fill(ANN, "BUY", 1, 60_000, execution_id="alpha:known")
    parked = stage.fill(ANN, "BUY", 2, price, name, **changes)
    assert isinstance(parked, m.InputParked)
    assert (parked.reason.startswith(error), parked.halts_account, parked.account_id) == (True, True, ANN)
    behind = stage.fill(ANN, "SELL", 4, 60_000)
    assert behind.reason.startswith("AccountHalted"), "nothing overtakes it"
    assert isinstance(stage.fill(BOB, "SELL", 5, 60_000), m.EntryBooked), "others go on"
    halted = [e for e in stage.messages(Part(ORDERS_DECISIONS.name, stage.partition(ANN)))
              if isinstance(e, m.AccountHalted)]  # fmt: skip
    assert [event.account_id for event in halted] == [ANN], "risk takes no order of it"
    dismissed = stage.send(ANN, m.DismissParked("d-1", ANN, parked.meta.event_id, "op", "it is none of ours"))
    assert isinstance(dismissed, m.ParkedDismissed)
    booked = stage.send(ANN, m.ReleaseParked("d-2", ANN, behind.meta.event_id, "op"))
    assert isinstance(booked, m.EntryBooked)
    assert (stage.held(ANN), stage.held(BOB)) == (1 - 4, -5)
    assert stage.wrong() == []


@pytest.mark.parametrize("price", [0, -5])
def test_a_price_of_zero_or_below_is_booked_where_the_product_allows_it(price: int) -> None:
    stage = LedgerStage()
    entry = stage.fill(ANN, "BUY", 2, price, POWER)
    assert isinstance(entry, m.EntryBooked) and entry.position is not None
    assert (entry.position.quantity_e8, entry.position.cost_e8) == (2 * E8, 2 * price * E8 // 100)
    assert stage.wrong() == []


def test_fills_out_of_their_order_are_booked_as_they_come_to_the_same_position() -> None:
    positions = set()
    for order in ([0, 1, 2], [2, 0, 1]):
        stage = LedgerStage()
        start_us = stage.broker.wall_us()
        for place in order:
            side: m.Side = "SELL" if place == 1 else "BUY"
            stage.fill(ANN, side, place + 1, 60_000 + place, transacted_at_us=start_us + place)
        held = stage.entries(ANN)[-1].position
        positions.add((held.quantity_e8, held.cost_e8 - held.realised_e8))
        assert stage.wrong() == []
    assert len(positions) == 1, "average cost may differ in what is realised when, never in what was paid"


def test_a_fact_that_one_account_cannot_bear_halts_that_account_alone() -> None:
    stage = LedgerStage()
    stage.fill(ANN, "BUY", 3, 60_000)
    stage.fill(BOB, "BUY", 60_000_000_000, 1, quantity_e8=6 * 10**18)
    stage.fact("SETTLEMENT_PRICE", "61000")
    parked = [e for e in stage.entries(BOB) if isinstance(e, m.InputParked)]
    assert [(event.account_id, event.halts_account) for event in parked] == [(BOB, True)]
    assert parked[0].reason.startswith("MoneyError")
    assert stage.entries(ANN)[-1].contract.event == "VARIATION_MARGIN"


# -- commands: refused by name, and nothing is halted ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instrument_id": "DOGE-USDT-PERP"}, "INSTRUMENT_UNKNOWN"),
        ({"instrument_id": "BTC-USDT"}, "NOT_A_CONTRACT"),
        ({"account_id": "nobody"}, "ACCOUNT_UNKNOWN"),
        ({"instrument_id": FUTURE, "transacted_at_us": 2**62}, "CONTRACT_EXPIRED"),
        ({"price_e8": 0}, "PRICE_OUT_OF_RANGE"),
        ({"price_e8": -1}, "PRICE_OUT_OF_RANGE"),
        ({"quantity_e8": 0}, "NUMBERS_WRONG"),
        ({"quantity_e8": 2**62, "price_e8": 2**62}, "AMOUNT_TOO_LARGE"),
    ],
)
def test_a_bad_trade_is_refused(shared: LedgerStage, changes: dict[str, Any], reason: str) -> None:
    good = m.BookTrade("c-1", BOB, "t-1", PERP, "BUY", E8, 60_000 * E8, "TAKER", 1, "op", "")
    command = msgspec.structs.replace(good, **changes)
    answer = shared.send(command.account_id, command)
    assert (type(answer), getattr(answer, "reason", answer)) == (m.ClearingRefused, reason)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("SETTLEMENT_PRICE", {"instrument_id": "DOGE-USDT-PERP"}, "INSTRUMENT_UNKNOWN"),
        ("SETTLEMENT_PRICE", {"price_e8": None}, "PRICE_MISSING"),
        ("SETTLEMENT_PRICE", {"price_e8": 0}, "PRICE_OUT_OF_RANGE"),
        ("SETTLEMENT_PRICE", {"observed_at_us": 1}, "TOO_OLD"),
        ("FUNDING", {"numbers": {"rate_e18": 10**18, "elapsed_us": 1}}, "RATE_OUT_OF_RANGE"),
        ("FUNDING", {"numbers": {"rate_e18": 1, "elapsed_us": 2**62}}, "RATE_OUT_OF_RANGE"),
        ("FUNDING", {"numbers": {}}, "NUMBERS_WRONG"),
        ("EXPIRY", {"instrument_id": FUTURE}, "NUMBERS_WRONG"),
    ],
)
def test_a_bad_fact_is_refused_everywhere(
    shared: LedgerStage, kind: m.ContractFactKind, changes: dict[str, Any], reason: str
) -> None:
    now_us = shared.broker.wall_us()
    good = m.ContractFact(f"f-{now_us}", kind, PERP, now_us, now_us, "op", 60_000 * E8, {}, {})
    fact = msgspec.structs.replace(good, **changes)
    for partition in range(PARTITIONS):
        shared.broker.produce(Part(CLEARING_COMMANDS.name, partition), b"", encode(m.TakeContractFact(fact)))
    shared.settle()
    answers = [shared.messages(Part(CLEARING_ENTRIES.name, partition))[-1] for partition in range(PARTITIONS)]
    assert {(type(one), one.reason) for one in answers} == {(m.ClearingRefused, reason)}


def test_a_fact_from_before_the_newest_is_refused(shared: LedgerStage) -> None:
    now_us = shared.broker.wall_us()
    for name, at_us, reason in (
        ("s-1", now_us, None),
        ("s-0", now_us - 1, "OUT_OF_ORDER"),
        ("s-1", now_us, "COMMAND_REPEATED"),
    ):
        fact = m.ContractFact(name, "SETTLEMENT_PRICE", PERP, at_us, at_us, "op", 60_000 * E8, {}, {})
        answer = shared.send(BOB, m.TakeContractFact(fact))
        assert getattr(answer, "reason", None) == reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"multiplier_e8": 1}, "multiplier of a contract is fixed"),
        ({"style": "QUANTO", "settlement_asset": "EUR"}, "style of a contract is fixed"),
        ({"index": "ETH-USDT"}, "index of a contract is fixed"),
        ({"signed_price": True}, "signed_price of a contract is fixed"),
    ],
)
def test_a_contract_does_not_change_under_its_holders(shared: LedgerStage, changes: dict[str, Any], says: str) -> None:
    assert CONTRACT.contract is not None
    changed = msgspec.structs.replace(CONTRACT, contract=msgspec.structs.replace(CONTRACT.contract, **changes))
    answer = shared.define(changed)
    assert isinstance(answer, m.ReferenceRejected) and says in answer.reason


def test_an_order_in_what_nobody_knows_or_what_has_expired_is_refused(shared: LedgerStage) -> None:
    """Before any venue hears of it; so no fill comes of it that the ledger would have to park."""
    shared.mark()
    for name, reason in (("DOGE-USDT-PERP", "INSTRUMENT_UNKNOWN"), (FUTURE, "INSTRUMENT_NOT_TRADABLE")):
        if name == FUTURE:
            shared.broker.advance(shared.expiry_us - shared.broker.wall_us())
            shared.settle()
        order = m.OrderTerms(name.rjust(32, "0").lower(), ANN, f"o-{name}", name, "BUY", "LIMIT", "GTC", False, E8, E8)
        shared.command(ANN, m.SubmitOrder(order, "key", shared.broker.wall_us()))
        shared.settle()
        answer = shared.messages(Part(ORDERS_DECISIONS.name, shared.partition(ANN)))[-1]
        assert (type(answer), answer.reason) == (m.OrderRejected, reason)
