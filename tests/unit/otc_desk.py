"""Clearing and risk together: one partition of each by hand, or all of them on a simulated cluster, killed at will."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from services.clearing.core import SERVICE
from services.clearing.session import Session
from services.risk.account import State as RiskState
from services.risk.core import SERVICE as RISK
from tests.unit.contract_desk import E8, START_US, future, instrument, option, terms
from tests.unit.contract_desk import Desk as ContractDesk
from tests.unit.desk import some_meta
from truetape import ids, snapshots
from truetape import messages as m
from truetape.audit.archive import Seen
from truetape.audit.killswitch import KillSwitch
from truetape.audit.merge import Given
from truetape.audit.order_rules import OrderRules
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.runner import Runner
from truetape.service import Input, Tick
from truetape.settings import Settings
from truetape.simbroker import SimBroker
from truetape.tape import Reader
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    MARKET_MARKS,
    ORDERS_DECISIONS,
    PARTITIONS,
    REFERENCE_EVENTS,
)

PERP = instrument("BTC-USDT-PERP", terms())
"""0.01 BTC a contract; initial margin 10 %."""
INVERSE = instrument("BTC-USD-INV", terms(style="INVERSE", multiplier_e8=7 * E8, settlement_asset="BTC"))
"""7 USD a contract: costs do not divide."""
CALL = instrument("BTC-USDT-20261225-60000-C", option("CALL", 60_000))
FUTURE = instrument("ETH-USDT-20261225", future())
FUNDS = {"USDT": 100_000 * E8, "BTC": 10 * E8}
TRADE = m.TradeTerms("UTI-1", "ann", "bob", "BTC-USDT-PERP", 3 * E8, 60_000 * E8, "2026-11-26")
LIMITS = m.Limits(10**7 * E8, 100, 1_000, 10**7, 60_000_000)


def mark(price: int, at_us: int, name: str = "BTC-USDT-PERP") -> m.MarkPublished:
    return m.MarkPublished(some_meta(at_us), name, price * E8, price * E8, price * E8, "alpha", 7, at_us, 0)


def tell(party: str, number: int = 1, **changes: Any) -> m.TellTrade:
    """One side's view of TRADE, or of what differs from it."""
    view = replace(TRADE, **changes)
    return m.TellTrade(
        f"tell-{view.reference}-{party}-{number}", min(view.buyer_id, view.seller_id), party, view, "key"
    )


class OtcDesk(ContractDesk):
    """One partition of clearing and of risk; commands of clearing's own go round until nothing is left to say."""

    def __init__(self, *known: m.Instrument, funds: dict[str, int] | None = None, fees: m.Fees | None = None) -> None:
        super().__init__(*(known or (PERP, INVERSE, CALL, FUTURE)), fees=fees)
        self.risk, self.decisions = RiskState(), list[Any]()
        self._orders = OrderRules(self.findings, Seen(), KillSwitch())
        self.sent: list[Any] = []
        self.answers: list[Any] = []
        self.held_back: set[str] = set()
        """Types of commands that are lost."""
        self._session = Session(self._append)
        self._session.resume(0, self.state)
        for account_id in (*self.reference.accounts, "dan"):
            self.reference.accounts[account_id] = account_id
        self.reference.limits["*"] = LIMITS
        for name, price in (("BTC-USDT-PERP", 60_000), ("BTC-USD-INV", 60_000), (CALL.instrument_id, 2_000)):
            self.tables.marks.newest[name] = mark(price, START_US, name)
        self.tables.marks.newest["BTC-USDT"] = mark(60_000, START_US, "BTC-USDT")
        for account_id in self.reference.accounts:
            self.fund(account_id, FUNDS if funds is None else funds)

    def fund(self, account_id: str, funds: dict[str, int]) -> None:
        """Deposits, as risk approves them."""
        for asset, amount_e8 in funds.items():
            self._numbers += 1
            name = f"{self._numbers:032x}"
            deposit = m.TransferTerms(name, account_id, asset, amount_e8, "bank:settlement", name)
            self.approve(m.TransferApproved(some_meta(), deposit))

    def _append(self, part: Part, key: bytes, value: bytes, headers: Any, token: Any) -> None:
        command: Any = decode(value)
        if type(command).__name__ not in self.held_back:
            self.sent.append(command)

    def take(self, message: Any, cause: m.Cause) -> Any:
        """Decide one input and all that follows from it anywhere; returns the answer to the input itself."""
        before = len(self.events)
        self._take(message, cause)
        while self.sent:
            self._numbers += 1
            self._take(self.sent.pop(0), m.Cause("clearing.commands", 0, self._numbers, ""))
        return self.events[before] if len(self.events) > before else None

    def _take(self, message: Any, cause: m.Cause) -> None:
        answer = self._decide(message, cause)
        while (asked := SERVICE.due(self.state)) is not None:
            self._decide(asked[1], m.Cause("due", 0, -1, asked[0]))
        if answer is not None:
            self._session._waiting[0] = self.state
            self._session.act(0, answer)

    def _decide(self, message: Any, cause: m.Cause) -> Any:
        self.now_us += 1
        given = Input(message, cause, self.now_us, "clearing.entries", 1, len(self.events) + 1, self.tables, 0)
        event = SERVICE.decide(self.state, given)
        if event is None:
            return None
        assert decode(encode(event)) == event
        self.state = SERVICE.evolve(self.state, event)
        self.events.append(event)
        self._judge(event)
        self._ask_risk(event)
        return event

    def _ask_risk(self, event: Any) -> Any:
        """Risk hears every entry, and clearing what risk says of legs."""
        cause = m.Cause("clearing.entries", 0, len(self.events), "")
        decision = self.decide_risk(event, cause)
        if isinstance(decision, m.LegAssessed):
            self._numbers += 1
            self._take(decision, m.Cause("orders.decisions", 0, self._numbers, ""))
        return decision

    def decide_risk(self, message: Any, cause: m.Cause | None = None) -> Any:
        """One input of risk."""
        where = cause or m.Cause("orders.commands", 0, len(self.decisions), "")
        given = Input(message, where, self.now_us, "orders.decisions", 1, len(self.decisions) + 1, self.tables, 0)
        decision = RISK.decide(self.risk, given)
        if decision is not None:
            assert decode(encode(decision)) == decision
            self.risk = RISK.evolve(self.risk, decision)
            self.decisions.append(decision)
            self._orders.take(Given(Part("orders.decisions", 0), len(self.decisions), decision, True))
        return decision

    def trade_of_two(self, reference: str = "UTI-1", **changes: Any) -> Any:
        """Both sides tell the same; returns the newest record about the trade."""
        view = replace(TRADE, reference=reference, **changes)
        for party in (view.buyer_id, view.seller_id):
            self.command(tell(party, reference=reference, **changes))
        return self.newest(m.TradeChanged)

    def newest(self, kind: Any) -> Any:
        """The newest event of a type."""
        return next(one for one in reversed(self.events) if isinstance(one, kind))

    def leg(self, account_id: str) -> Any:
        """The only open leg of an account."""
        [found] = self.state.legs.open[account_id].values()
        return found

    def tick(self, at_us: int) -> Any:
        """The clock says so, until it has to do with trades; margin has its own business with it."""
        self.now_us = at_us
        for _ in range(5):
            self._numbers += 1
            answer = self.take(Tick(at_us), m.Cause("timer", 0, -1, str(self._numbers)))
            if answer is None or type(answer).__name__ not in ("MarginRun", "MarginCallChanged"):
                break
        return answer

    def check(self) -> None:
        """Nothing is wrong, nothing is waited for, and nothing stays reserved."""
        credit = {name: {"reserved": one.reserved} for name, one in self.risk.accounts.items()}
        self._orders.end("at the end", len(self.decisions), credit)
        super().check()
        replayed = RiskState()
        for decision in self.decisions:
            replayed = RISK.evolve(replayed, decode(encode(decision)))
        assert replayed == self.risk
        for account_id, account in self.risk.accounts.items():
            assert account.reservations == {} and account.reserved == {}, account_id
        for name in self.known:
            assert self.cash("house:clearing", name) == 0, "the house is flat"
        assert self.state.legs.asked == {} and not self.state.moves


class World:
    """Clearing and risk on a simulated cluster of all partitions; either process may be killed."""

    def __init__(self, seed: int, *accounts: str, funds: dict[str, int] | None = None) -> None:
        self.broker, self.accounts = SimBroker(seed), accounts
        self._runners: dict[str, Runner[Any]] = {}
        self.lose = 0
        self._write(
            REFERENCE_EVENTS,
            m.InstrumentSet(some_meta(), "k", "x", PERP), m.LimitsSet(some_meta(), "k", "x", "*", LIMITS),
            *(m.AccountOpened(some_meta(), "k", "x", name, name) for name in accounts),
        )  # fmt: skip
        self._write(MARKET_MARKS, mark(60_000, self.broker.wall_us()))
        self.start("clearing")
        self.start("risk")
        self.run(5)
        for number, name in enumerate(accounts):
            for asset, amount_e8 in (FUNDS if funds is None else funds).items():
                transfer = m.TransferTerms(f"{number:032x}", name, asset, amount_e8, "bank:settlement", f"d{number}")
                self.send(m.RequestTransfer(transfer, "k", self.broker.wall_us()), "orders.commands", name)
                break
        self.run(3)

    def _write(self, topic: Any, *events: Any) -> None:
        cause = m.Cause("test", 0, -1, "1")
        self.broker.produce(Part(topic.name, 0), b"", encode(m.Began(m.Meta(1, 0, cause, 0, "b", ""), "0")))
        for sequence, event in enumerate(events, 1):
            meta = m.Meta(1, sequence, cause, 0, f"{topic.name}-{sequence}", "")
            self.broker.produce(Part(topic.name, 0), b"", encode(replace(event, meta=meta)))

    def start(self, name: str) -> None:
        """A new process; the one before is dead."""
        if name in self._runners:
            self._runners[name].log.crash()  # type: ignore[attr-defined]
        configured = Settings(instance="0", snapshot_every_records=3, snapshot_every_seconds=1)
        service: Any = SERVICE if name == "clearing" else RISK
        runner: Runner[Any] = Runner(service, self.broker.log(f"{name}0"), configured)
        if name == "clearing":
            runner.effects = Session(self._appending(runner))
        runner.start()
        self._runners[name] = runner

    def _appending(self, runner: Runner[Any]) -> Any:
        def append(part: Part, key: bytes, value: bytes, headers: Any, token: Any) -> None:
            if self.lose > 0:
                self.lose -= 1
            else:
                runner.log.append(part, key, value, headers, token)

        return append

    def send(self, command: Any, topic: str = CLEARING_COMMANDS.name, account_id: str = "") -> None:
        name = account_id or command.account_id
        self.broker.produce(Part(topic, ids.partition_of(name, PARTITIONS)), name.encode(), encode(command))

    def turn(self) -> None:
        self.broker.advance(20_000)
        for runner in self._runners.values():
            runner.turn(0.0)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.02)):
            self.turn()

    def tape(self, account_id: str, topic: str = CLEARING_ENTRIES.name) -> Iterator[Any]:
        """What counts on an account's partition."""
        part = Part(topic, ids.partition_of(account_id, PARTITIONS))
        reader = Reader(*part)
        for record in self.broker.records(part):
            message: Any = decode(record.value or b"")
            if reader.accept(message, record.offset):
                yield message

    def state(self, account_id: str, name: str = "clearing") -> Any:
        return self._runners[name]._owned[ids.partition_of(account_id, PARTITIONS)].state

    def legs(self, account_id: str) -> list[m.EntryBooked]:
        """Entries in the contract of an account."""
        found = (one for one in self.tape(account_id) if isinstance(one, m.EntryBooked))
        return [one for one in found if one.account_id == account_id and one.contract is not None]

    def check(self) -> None:
        """Every leg is booked once, after it was reserved; nothing is waited for or reserved; replay is live."""
        held = 0
        for account_id in self.accounts:
            seen: list[str] = []
            for one in self.tape(account_id):
                if isinstance(one, m.LegChanged) and one.state == "RESERVED":
                    seen.append(one.leg.leg_id)
                if isinstance(one, m.EntryBooked) and one.contract is not None:
                    assert one.entry_id in seen, "no leg is booked that was not reserved"
            booked = [one.entry_id for one in self.legs(account_id)]
            assert len(booked) == len(set(booked))
            state, risk = self.state(account_id), self.state(account_id, "risk")
            assert state.trades == {} and state.moves == {} and state.legs.asked == {}
            assert all(not one.reservations and not one.reserved for one in risk.accounts.values())
            held += sum(one.contract.quantity_e8 for one in self.legs(account_id) if one.contract is not None)
            self._replay(account_id, SERVICE, CLEARING_ENTRIES.name, state)
            self._replay(account_id, RISK, ORDERS_DECISIONS.name, risk)
        assert held == 0, "the house is flat"

    def _replay(self, account_id: str, service: Any, topic: str, state: Any) -> None:
        folded = service.initial()
        for one in self.tape(account_id, topic):
            folded = folded if isinstance(one, m.Began) else service.evolve(folded, one)
        assert snapshots.digest(folded) == snapshots.digest(state), f"replay of {topic} is live"
