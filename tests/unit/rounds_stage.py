"""Clearing's eight partitions with their real session and nothing else: commands may be lost, doubled and reordered,
and any partition may be killed after any record, before or after its effects."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.across.parcels import INSURANCE
from services.clearing.booking.ledger import trial_balance
from services.clearing.core import SERVICE
from services.clearing.defaults import default
from services.clearing.defaults.waterfalls import CAPITAL, FUND, HOME
from services.clearing.session import Session
from services.clearing.state import State
from tests.unit.contract_desk import E8, START_US, instrument, terms
from tests.unit.desk import some_meta
from truetape import ids, snapshots
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.merge import Given
from truetape.codec import decode, encode
from truetape.default import withdrawal
from truetape.errors import TruetapeError
from truetape.happenings import Part
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import DUE, Input, Tables, Tick
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, ORDERS_DECISIONS, PARTITIONS

PERP = "BTC-USDT-PERP"
MEMBERS = ("ann", "bob", "cat", "dan", "eve")
SECOND_US = 1_000_000
Network = Callable[[list[tuple[Part, bytes]]], list[tuple[Part, bytes]]]


class Partition:
    """One partition: what it has decided, and what it remembers of it."""

    def __init__(self, number: int, tables: Tables) -> None:
        self.number, self.tables = number, tables
        self.state, self.events = State(), list[Any]()
        self.sent: list[tuple[Part, bytes]] = []
        self.findings = Findings()
        self.rules = LedgerRules(self.findings)
        self.session = self._new()

    def _new(self) -> Session:
        session = Session(lambda part, _, value, __, ___: self.sent.append((part, value)))
        session.resume(self.number, self.state)
        return session

    def restart(self) -> None:
        """Only the tape is left; the new process takes up what is waited for."""
        state = State()
        for event in self.events:
            state = SERVICE.evolve(state, decode(encode(event)))
        self.state = msgspec.msgpack.decode(snapshots.pack(state), type=State)
        self.session = self._new()

    def decide(self, message: Any, cause: m.Cause, at_us: int) -> Any:
        """One input as the loop takes it: its event, or what sets it aside."""
        owns, sequence = CLEARING_ENTRIES.name, len(self.events) + 1
        given = Input(message, cause, at_us, owns, 1, sequence, self.tables, self.number)
        try:
            event: Any = SERVICE.decide(self.state, given)
        except (TruetapeError, AssertionError) as error:
            account = str(getattr(message, "account_id", ""))
            aside = cause.source in (DUE, ORDERS_DECISIONS.name)
            reason = f"{type(error).__name__}: {error}"
            event = m.InputParked(given.meta(account), account, reason, aside and bool(account), encode(message))
        if event is not None:
            assert decode(encode(event)) == event
            self.state = SERVICE.evolve(self.state, event)
            self.events.append(event)
            self.rules.take(Given(Part(owns, self.number), sequence, event, True))
        return event


class Stage:
    """All partitions, with a network between them."""

    def __init__(self, *known: m.Instrument) -> None:
        reference = Reference()
        for one in known or (instrument(PERP, terms()),):
            reference.instruments[one.instrument_id] = one
        for name in MEMBERS:
            reference.accounts[name] = name
        self.tables = Tables(reference, Marks())
        self.partitions = [Partition(number, self.tables) for number in range(PARTITIONS)]
        self.wire: list[tuple[Part, bytes]] = []
        self.now_us, self._number = START_US, 0
        self.lose: set[int] = set()
        """Partitions that hear no command."""

    def of(self, key: str) -> Partition:
        """The partition of an account or home."""
        return self.partitions[ids.partition_of(key, PARTITIONS)]

    # -- in --------------------------------------------------------------------------------------------------

    def give(self, number: int, message: Any, topic: str = CLEARING_COMMANDS.name, act: bool = True) -> Any:
        """One input and all that it makes due; its effects go onto the wire, unless the process dies before."""
        self._number += 1
        self.now_us += 1
        at, before = self.partitions[number], len(self.partitions[number].events)
        answer = at.decide(message, m.Cause(topic, number, self._number, ""), self.now_us)
        while (asked := SERVICE.due(at.state)) is not None:
            at.decide(asked[1], m.Cause(DUE, number, -1, asked[0]), self.now_us)
            assert SERVICE.due(at.state) != asked, "what is due is answered"
        made = at.events[before:]
        for event in made if act else ():
            at.session.act(number, event)
        self.collect()
        for event in made:
            self.quiet(number, event)
        return answer

    def quiet(self, number: int, event: Any) -> None:
        """Risk says that an account that is liquidated or in default has no open order."""
        if isinstance(event, m.LiquidationChanged) and event.state == "CANCELLING":
            found = event.liquidation_id
            told = m.CancelRequested(some_meta(), found, event.account_id, (), found, found)
            self.give(number, told, ORDERS_DECISIONS.name)
        if isinstance(event, m.DefaultChanged) and event.state == "DECLARED" and not event.quiet:
            self.ended(number, event)

    def ended(self, number: int, event: m.DefaultChanged) -> None:
        """Risk says that all orders of an account in default have ended."""
        name = default.orders_of(event.default_id)
        told = m.CancelRequested(some_meta(), name, event.account_id, (), "", name)
        rules = self.partitions[number].rules
        rules.take(Given(Part(ORDERS_DECISIONS.name, number), self._number + 1, told, True))
        self.give(number, told, ORDERS_DECISIONS.name)

    def collect(self) -> None:
        """What the sessions have sent is on the wire."""
        for at in self.partitions:
            self.wire += at.sent
            at.sent.clear()

    def command(self, command: Any) -> Any:
        """A command of an operator."""
        return self.give(ids.partition_of(command.account_id, PARTITIONS), command)

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes for all."""
        self.now_us += int(seconds * SECOND_US)
        for number in range(PARTITIONS):
            self.give(number, Tick(self.now_us), "timer")

    def deliver(self, index: int, act: bool = True) -> None:
        """One command of the wire arrives."""
        part, value = self.wire.pop(index)
        if part.topic == CLEARING_COMMANDS.name and part.partition not in self.lose:
            self.give(part.partition, decode(value), act=act)

    def run(self, seconds: int = 30) -> None:
        """Everything arrives, and time passes."""
        for _ in range(seconds):
            while self.wire:
                self.deliver(0)
            self.tick()

    # -- what members do -------------------------------------------------------------------------------------

    def deposit(self, account_id: str, amount: int, asset: str = "USDT") -> Any:
        """Cash of a client; a withdrawal when negative."""
        name = f"d{self._number}"
        moved = m.TransferTerms(ids.transfer_id(account_id, name), account_id, asset, amount * E8, "bank:main", name)
        approved = m.TransferApproved(some_meta(), moved)
        at = self.of(account_id)
        at.rules.take(Given(Part(ORDERS_DECISIONS.name, at.number), self._number + 1, approved, True))
        return self.give(at.number, approved, ORDERS_DECISIONS.name)

    def fund(self, account_id: str, amount: int, purpose: str = "FUND", /, **changes: Any) -> Any:
        """Into the fund, the house's capital, or against an assessment."""
        command = m.MoveFund(
            f"m{self._number}", account_id, "USDT", amount * E8, "bank:main", purpose, "desk", "as agreed"
        )
        return self.command(replace(command, **changes))

    def taken(self, account_id: str, amount: int, purpose: str = "FUND", /, **changes: Any) -> str:
        """Out of it: why it was refused by this partition or by all; empty when it was paid."""
        asked = self.fund(account_id, -amount, purpose, **changes)
        if isinstance(asked, m.ClearingRefused):
            return asked.detail
        self.run(5)
        [found, *_] = [one for one in self.events(m.RoundSettling) if one.round.round_id == asked.round.round_id]
        return withdrawal.refusal(found.outcome)

    def insure(self, amount: int) -> Any:
        """Into the insurance fund."""
        return self.fund(INSURANCE, amount, "INSURANCE")

    def capital(self, amount: int) -> Any:
        """The house's own."""
        return self.fund(CAPITAL, amount, "CAPITAL")

    def trade(self, account_id: str, side: m.Side, contracts: int, price: int, name: str = PERP) -> Any:
        """One side of a trade with the house."""
        key = f"t{self._number}"
        return self.command(
            m.BookTrade(key, account_id, key, name, side, contracts * E8, price * E8, "TAKER", self.now_us, "desk", "")
        )

    def lose_money(self, account_id: str, amount: int) -> None:
        """A round trip in contracts of 0.01 that costs so much, won by nobody yet: it stays with the house."""
        self.trade(account_id, "BUY", 100, 60_000)
        self.trade(account_id, "SELL", 100, 60_000 - amount)

    def declare(self, account_id: str, /, **changes: Any) -> Any:
        """The house's word."""
        command = m.DeclareDefault(f"x{self._number}", account_id, "USDT", "did not pay", "desk")
        return self.command(replace(command, **changes))

    # -- what came out ---------------------------------------------------------------------------------------

    def balance(self, name: str, asset: str = "USDT") -> int:
        """A ledger account over all partitions, in whole units."""
        total = sum(at.state.balances.get(name, {}).get(asset, 0) for at in self.partitions)
        assert total % E8 == 0, total
        return total // E8

    def cash(self, account_id: str) -> int:
        return self.balance(f"client:{account_id}")

    def share(self, account_id: str) -> int:
        return self.balance(FUND + account_id)

    def open_loss(self) -> int:
        """What nobody has borne."""
        return -self.balance(HOME)

    def default(self, account_id: str) -> m.DefaultChanged:
        """How a default stands."""
        return self.of(account_id).state.defaults[account_id]

    def steps(self, account_id: str) -> list[tuple[str, str, int]]:
        """Who bears what."""
        return [(one.layer, one.payer_id, one.amount_e8 // E8) for one in self.default(account_id).steps]

    def events(self, kind: type) -> list[Any]:
        return [event for at in self.partitions for event in at.events if isinstance(event, kind)]

    def entries(self) -> dict[str, tuple[tuple[str, str, int], ...]]:
        """All entries of rounds, by id."""
        return {
            one.entry_id: tuple((line.account, line.asset, line.amount_e8) for line in one.lines)
            for one in self.events(m.EntryBooked)
            if one.contract is not None and "round_id" in one.contract.ids
        }

    def books(self) -> dict[str, dict[str, int]]:
        """All balances of all partitions."""
        found: dict[str, dict[str, int]] = {}
        for at in self.partitions:
            for name, amounts in at.state.balances.items():
                for asset, amount_e8 in amounts.items():
                    found.setdefault(name, {})[asset] = found.get(name, {}).get(asset, 0) + amount_e8
        return found

    def check(self) -> None:
        """Every partition sums to zero, its audit finds nothing, and its tape replayed is its state."""
        for at in self.partitions:
            assert at.findings.kept == [], at.findings.kept
            assert not any(trial_balance(at.state.balances).values())
            replayed = State()
            for event in at.events:
                replayed = SERVICE.evolve(replayed, decode(encode(event)))
            assert snapshots.digest(replayed) == snapshots.digest(at.state)

    def done(self) -> bool:
        """No round runs anywhere."""
        return not any(
            at.state.rounds.queue or at.state.rounds.here or at.state.remainders.following for at in self.partitions
        )


class Marked(Stage):
    """Marks are seen anew each second, at the prices as they stand."""

    prices: dict[str, int]
    """By instrument, in its quote currency; set before the first tick."""

    def refresh(self) -> None:
        """The marks, seen now."""
        for name, price in self.prices.items():
            price_e8 = price * E8
            self.tables.marks.newest[name] = m.MarkPublished(
                some_meta(self.now_us), name, price_e8, price_e8, price_e8, "alpha", 7, self.now_us, 0
            )

    def tick(self, seconds: float = 1.0) -> None:
        self.now_us += int(seconds * SECOND_US)
        self.refresh()
        super().tick(0)


def members(stage: Stage, shares: Iterable[tuple[str, int]], capital: int = 0) -> None:
    """Shares of the fund and the house's capital."""
    for name, amount in shares:
        stage.fund(name, amount)
    if capital:
        stage.capital(capital)


def disturb(stage: Stage, data: st.DataObject, faults: int = 1) -> None:
    """Commands come in any order, twice or never; processes die before or after their effects."""
    for _ in range(faults):
        what = data.draw(st.sampled_from(("deliver", "deliver", "deliver", "double", "lose", "die", "restart", "tick")))
        if what == "tick" or not stage.wire:
            stage.tick(data.draw(st.sampled_from((0.5, 6.0))))
            continue
        index, number = data.draw(st.integers(0, len(stage.wire) - 1)), data.draw(st.integers(0, PARTITIONS - 1))
        if what == "lose":
            stage.wire.pop(index)
        elif what == "double":
            stage.wire.append(stage.wire[index])
        elif what != "restart":
            number = stage.wire[index][0].partition % PARTITIONS
            stage.deliver(index, act=what != "die")
        if what in ("die", "restart"):
            stage.partitions[number].restart()
            stage.collect()


def kill_all_after(stage: Stage, commands: int) -> None:
    """So many commands arrive, in order; then every process dies and is started again."""
    for _ in range(commands):
        stage.deliver(0) if stage.wire else stage.tick()
    for at in stage.partitions:
        at.restart()
    stage.collect()
