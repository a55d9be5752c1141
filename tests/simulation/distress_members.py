"""Members in distress and the house beside them: who pays a call, in time, late, in part or not at all; who disputes
it; who bids at an auction; what is put into the clearing fund, and what comes back after a default."""

from typing import TYPE_CHECKING, Any, Final

from services.clearing.across.parcels import INSURANCE
from services.clearing.defaults.waterfalls import CAPITAL
from tests.simulation.cluster import QUIET_SECONDS
from tests.simulation.contract_clients import AGAIN
from tests.simulation.derivatives import ASSET, FUTURE, PERP
from tests.simulation.reference import ACCOUNTS
from tests.simulation.swarm import SECOND
from truetape import ids
from truetape import messages as m
from truetape.money import ONE_E8
from truetape.topics import CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.distress import DistressSystem

BANK: Final = "bank:settlement"
DRAIN_US: Final = 4 * SECOND
STRETCH_US: Final = (6 * SECOND, 10 * SECOND)
BID: Final = 0.7
"""How often somebody bids when an auction says something new."""
RECOVER: Final = 0.5
"""How often a defaulter has a payment in flight."""


class Members:
    """Everybody who answers what clearing says."""

    def __init__(self, system: "DistressSystem") -> None:
        self._system, self._chance = system, system.chance
        self._read = dict.fromkeys(range(2), 0)
        self._count = 0
        self.in_flight = 0
        """Payments of defaulters that arrive once they are due, also when faults have stopped by then."""

    def begin(self) -> None:
        """Most money leaves, what is left is stretched; the fund is paid in."""
        system = self._system
        system.later(DRAIN_US, self._drain)
        for name in sorted(system.distress.leverage):
            system.later(self._chance.randint(*STRETCH_US), lambda who=name: self._stretch(who))  # type: ignore[misc]
        for name, amount_e8 in system.distress.shares_e8.items():
            self._fund(name, "FUND", amount_e8)
        if system.distress.capital_e8:
            self._fund(CAPITAL, "CAPITAL", system.distress.capital_e8)
        if system.distress.insurance_e8:
            self._fund(INSURANCE, "INSURANCE", system.distress.insurance_e8)
        system.poisson(0.06, self._desk)

    def _drain(self) -> None:
        for name, amount_e8 in self._system.distress.cash_e8.items():
            if (more_e8 := self._system.cash_e8(name) - amount_e8) > 0:
                self._system.clients.transfer(name, ASSET, -more_e8, BANK)

    def _stretch(self, name: str) -> None:
        """The desk gives an account a position that its money hardly carries; somebody else has the other side."""
        system, leverage = self._system, self._system.distress.leverage[name]
        one = system.contracts[self._chance.choice((PERP, PERP, FUTURE))]
        mark_e8 = system.contract_mark_e8(one.instrument.instrument_id)
        unit_e8 = mark_e8 * one.terms.multiplier_e8 // ONE_E8
        lots = int(abs(leverage) * max(system.cash_e8(name), 0) / max(unit_e8, 1))
        other = self._chance.choice([each for each in ACCOUNTS if each not in system.distress.leverage] or ["leo"])
        if not lots or other == name:
            return
        buyer, seller = (name, other) if leverage > 0 else (other, name)
        system.operator.trade(buyer, seller, one, lots * one.instrument.lot_e8, mark_e8)

    # -- the house -------------------------------------------------------------------------------------------

    def _desk(self) -> None:
        """Now and then the house auctions an account, declares a default, or somebody wants his share back."""
        draw, who = self._chance.random(), self._chance.choice(list(ACCOUNTS))
        if draw < 0.4:
            self._fund(who, "FUND", -self._chance.randint(1, 300) * ONE_E8)
        elif draw < 0.6:
            self._fund(who, "FUND", self._chance.randint(1, 300) * ONE_E8)
        elif draw < 0.9:
            forced, insurance_e8 = self._chance.random() < 0.5, self._chance.choice((0, 50, 5_000)) * ONE_E8
            self._ask(who, m.StartAuction(self._name("start"), who, ASSET, forced, insurance_e8, "simulated", "desk"))
        else:
            self._ask(who, m.DeclareDefault(self._name("default"), who, ASSET, "simulated", "desk"))

    def _fund(self, name: str, purpose: str, amount_e8: int) -> None:
        command = m.MoveFund(self._name("fund"), name, ASSET, amount_e8, BANK, purpose, "desk", "simulated")
        for _ in range(1 + (self._chance.random() < AGAIN)):
            self._ask(name, command)

    # -- what members answer ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Answer what has come since the last look."""
        for partition in self._read:
            found = self._system.tape(CLEARING_ENTRIES, partition).found
            new, self._read[partition] = found[self._read[partition] :], len(found)
            for _, event in new:
                self._hear(event)

    def _hear(self, event: Any) -> None:
        match event:
            case m.DefaultChanged(state="COVERED" | "UNCOVERED", recovered_e8=0):
                self._come_back(event)
            case _ if not self._system.troubled:
                pass  # Faults have stopped, and so has the market: what is open comes to its end.
            case m.MarginCallChanged(action="call"):
                self._called(event)
            case m.MarginCallChanged(state="DISPUTED"):
                self._decide(event)
            case m.AuctionChanged(state="RUNNING") if self._chance.random() < BID:
                self._bid(event)
            case _:
                pass

    def _called(self, call: m.MarginCallChanged) -> None:
        """In time, late, in part, twice, with an argument, or not at all."""
        draw, left_us = self._chance.random(), call.due_at_us - call.called_at_us
        if self._chance.random() < 0.4:
            action = self._chance.choice(("acknowledge", "dispute"))
            self._act(call, action, "member", self._chance.randint(0, left_us))
        if draw < 0.45:
            after_us = int(left_us * self._chance.uniform(0.1, 0.8))
            self._pay(call.account_id, call.amount_e8, after_us)
        elif draw < 0.6:
            self._pay(call.account_id, call.amount_e8, left_us + self._chance.randint(0, call.grace_us + 2 * SECOND))
        elif draw < 0.75:
            half_e8 = call.amount_e8 // 2
            self._pay(call.account_id, max(half_e8, 1), left_us // 3)
            if draw < 0.68:
                self._pay(call.account_id, call.amount_e8 - half_e8, left_us // 2)
        elif draw < 0.8:
            self._act(call, "declare_default", "house", left_us + call.grace_us // 2)

    def _decide(self, call: m.MarginCallChanged) -> None:
        action = self._chance.choice(("reject_dispute", "uphold_dispute"))
        self._act(call, action, "house", self._chance.randint(0, 2 * SECOND))

    def _act(self, call: m.MarginCallChanged, action: str, actor: str, after_us: int) -> None:
        command = m.ActOnCall(self._name("act"), call.account_id, call.call_id, action, actor, "simulated", actor)
        for _ in range(1 + (self._chance.random() < AGAIN)):
            self._system.later(after_us, lambda: self._ask(call.account_id, command))

    def _pay(self, account: str, amount_e8: int, after_us: int) -> None:
        self._system.later(after_us, lambda: self._transfer(account, amount_e8))

    def _transfer(self, account: str, amount_e8: int) -> None:
        if self._system.troubled:
            self._system.clients.transfer(account, ASSET, amount_e8, BANK)

    def _bid(self, event: m.AuctionChanged) -> None:
        bidder = self._chance.choice([name for name in ACCOUNTS if name != event.account_id])
        wanted_e8 = self._chance.choice((ONE_E8, ONE_E8, self._chance.randint(1, ONE_E8)))
        command = m.BidAuction(self._name("bid"), event.account_id, event.auction_id, bidder, wanted_e8, bidder)
        for _ in range(1 + (self._chance.random() < AGAIN)):
            after_us = self._chance.randint(0, 6 * SECOND)
            self._system.later(after_us, lambda: self._ask(event.account_id, command))

    def _come_back(self, event: m.DefaultChanged) -> None:
        """A payment that was in flight arrives; members pay what they were assessed for."""
        lost_e8 = event.uncovered_e8 + sum(step.amount_e8 for step in event.steps)
        if self._chance.random() < RECOVER and self._waited_for():
            amount_e8 = max(1, lost_e8 * self._chance.choice((1, 3, 10, 15)) // 10)
            after_us = self._chance.randint(0, 4 * SECOND)
            self.in_flight += 1
            self._system.later(after_us, lambda: self._arrive(event.account_id, amount_e8))
        for step in event.steps:
            if step.layer == "ASSESSMENTS":
                self._system.later(SECOND, lambda of=step: self._fund(of.payer_id, "ASSESSMENT", of.amount_e8))  # type: ignore[misc]

    def _waited_for(self) -> bool:
        """Whether a payment that begins now arrives and is shared out before the run must end."""
        since_us = self._system.calm_since_us
        return since_us is None or self._system.broker.now_us < since_us + QUIET_SECONDS * SECOND // 2

    def _arrive(self, account: str, amount_e8: int) -> None:
        self.in_flight -= 1
        self._system.clients.transfer(account, ASSET, amount_e8, BANK)

    # -- commands --------------------------------------------------------------------------------------------

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}-m{self._count}"

    def _ask(self, account: str, command: Any) -> None:
        if self._system.troubled:
            self._system.operator.ask(ids.partition_of(account, 8), account, command)
