"""The whole system with contracts beside spot: a perpetual, a dated future and an option at the exchange, trades with
the house and of two, facts and busts, under one seed's faults. The dated ones expire in the middle of the run."""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar, Final

from tests.simulation import settlement
from tests.simulation.cluster import Broken
from tests.simulation.contract_clients import ContractClients, Operator
from tests.simulation.contract_invariants import CONTRACTS, HOUSE_PURPOSES
from tests.simulation.contract_rare import met
from tests.simulation.derivatives import Listed, listed
from tests.simulation.reference import PARTITIONS
from tests.simulation.settlement import Settlement
from tests.simulation.swarm import SECOND
from tests.simulation.system import System
from truetape import messages as m
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, MARKET_MARKS

BY_PRICING: Final = "facts made by pricing"
EXPIRES_US: Final = (25 * SECOND, 42 * SECOND)
"""When, of virtual time."""
PRICING_US: Final = 6 * SECOND
"""So long after the end an operator waits for pricing to publish it."""
PATIENT: Final = frozenset({"COMPRESSION_REST"})
"""Kinds of rounds that wait for somebody's money, as long as it takes."""
DESK: Final = 0.8
"""What the desk does, for each thing that clients do."""


class ContractSystem(System):
    """One run of everything, with contracts."""

    liquidation_fee_rate_e8: ClassVar[int] = 0
    house_purposes: ClassVar[Mapping[str, frozenset[str]]] = HOUSE_PURPOSES

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, verbose)
        self.clients: ContractClients = ContractClients(self.broker, self.chance, self.contracts, self.contract_mark_e8)
        self.operator = Operator(self)
        self.settlement = Settlement(self)

    def listed(self) -> dict[str, Listed]:
        self.expires_us = Random(self.seed ^ 0xDEB7).randint(*EXPIRES_US)
        return listed(self.broker.wall_us() + self.expires_us, self.liquidation_fee_rate_e8)

    def begin(self) -> None:
        super().begin()
        self.poisson(DESK * self.plan.orders_per_second, self._desk)
        self.poisson(settlement.OFTEN, self.settlement.act)
        self.later(self.expires_us - SECOND, self.operator.expire_early)
        self.later(self.expires_us + PRICING_US, self.operator.expire)

    def _desk(self) -> None:
        self.operator.act()
        self.work_comes()

    def contract_mark_e8(self, name: str) -> int:
        """The newest mark of a contract, on its tick."""
        one = self.contracts[name]
        mark_e8 = self.mark_e8(name) or int(one.first_price) * 10**8
        return mark_e8 // one.instrument.tick_e8 * one.instrument.tick_e8

    # -- the end ---------------------------------------------------------------------------------------------

    def still_missing(self) -> str:
        if missing := super().still_missing():
            return missing
        answered = {
            (e.meta.cause.partition, e.meta.cause.offset)
            for e in self.events(CLEARING_ENTRIES)
            if e.meta.cause.source == CLEARING_COMMANDS.name
        }
        if silent := self.operator.asked.keys() - answered:
            return f"{len(silent)} commands are not answered, {self.operator.asked[min(silent)]} among them"
        if self.operator.coming:
            return f"{self.operator.coming} facts have not come to their partitions"
        if open_ones := self.operator.unexpired():
            return f"not ended: {open_ones}"
        return self._unpriced() or self._unfinished()

    def _unpriced(self) -> str:
        """Facts made by pricing that not every partition has answered, or that pricing does not know to be sent."""
        told = Counter(map(told_fact, self.events(CLEARING_ENTRIES)))
        fixed = {event.fact.fact_id for event in self.priced(m.ContractFixed)}
        if silent := [name for name in sorted(fixed) if told[name] < PARTITIONS]:
            return f"not all partitions have answered {silent[:3]}"
        sent = {event.fact_id for event in self.priced(m.FactSent)}
        return "" if fixed <= sent else f"facts {sorted(fixed - sent)[:3]} are not known to be sent"

    def _unfinished(self) -> str:
        """Facts that are being applied, legs that are waited for, rounds and liquidations that have not ended."""
        for part, tape in self.tapes.items():
            if part.topic == CLEARING_ENTRIES.name:
                if tape.state.pending is not None:
                    return f"{part} is applying {tape.state.pending}"
                if waiting := [name for name, one in tape.state.trades.items() if one.waiting]:
                    return f"{part} waits for legs of {waiting}"
                rounds = (*tape.state.rounds.homed, *tape.state.rounds.here, *tape.state.requests)
                following = [n for n, one in tape.state.remainders.following.items() if one.terms.kind not in PATIENT]
                if going_on := [*rounds, *following, *tape.state.watch.liquidations]:
                    return f"{part} has not ended {going_on}"
        return ""

    def audit(self) -> None:
        super().audit()
        for name, invariant in CONTRACTS.items():
            for wrong in invariant(self.evidence, self):
                raise Broken(name, wrong)
        self.seen.update(met(self))
        self.seen[BY_PRICING] += len(self.priced(m.ContractFixed))

    def moved_e8(self) -> Counter[tuple[str, str]]:
        """Contracts that went from account to account in another way than by trades, by account and instrument."""
        return Counter()

    def priced(self, kind: type[Any]) -> list[Any]:
        """What pricing has written of a kind."""
        return [event for event in self.events(MARKET_MARKS) if isinstance(event, kind)]

    def answers(self, kind: type[Any]) -> list[Any]:
        """What clearing has written of a kind, partition by partition."""
        return [event for event in self.events(CLEARING_ENTRIES) if isinstance(event, kind)]

    def refused(self, command: type[Any]) -> dict[str, m.ClearingRefused]:
        """Commands of a kind that clearing has refused, but for those that it had answered before, by id."""
        return {
            event.command_id: event
            for event in self.answers(m.ClearingRefused)
            if event.command == command.__name__ and event.reason != "COMMAND_REPEATED"
        }


def told_fact(event: Any) -> str:
    """The fact that an answer of clearing is about; empty for other answers."""
    match event:
        case m.ContractFactTaken():
            return event.fact.fact_id
        case m.ClearingRefused(command="TakeContractFact"):
            return event.command_id
        case _:
            return ""
