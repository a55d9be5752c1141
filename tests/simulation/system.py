"""The whole system under one seed's faults: the real services between clients and a venue, and what must hold.

`make simulate SEED=n` repeats a run and says what happened.
"""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar, Final

from services.clearing.core import SERVICE as CLEARING
from services.gateway.core import SERVICE as GATEWAY
from services.pricing.core import SERVICE as PRICING
from services.reconciler.core import SERVICE as RECONCILER
from services.risk.core import SERVICE as RISK
from services.router.core import SERVICE as ROUTER
from tests.simulation import loop, rare
from tests.simulation.clients import Clients, funds_e8
from tests.simulation.cluster import SETTINGS, Broken, Cluster
from tests.simulation.derivatives import Listed
from tests.simulation.evidence import Evidence
from tests.simulation.invariants import ALWAYS, IN_THE_END
from tests.simulation.market import Market
from tests.simulation.node import Node
from tests.simulation.reference import ACCOUNTS, BTC, PARTITIONS, ReferenceData
from tests.simulation.sessions import venue_effects
from tests.simulation.swarm import SECOND, plan_of
from tests.simulation.tape import Tape
from truetape import messages as m
from truetape.audit import OpenView
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.runner import Runner
from truetape.service import Effects, Service
from truetape.settings import Settings
from truetape.topics import MARKET_MARKS, RECONCILIATION_BREAKS, Topic

HALTS_PER_SECOND: Final = 0.03
FIRST_PRICE_E8: Final = 60_000 * ONE_E8
HASH_US: Final = 10 * SECOND
"""Between two notes of what each partition holds."""
LOOK_BACK: Final = 12
"""So many marks back a contract's newest one is looked for."""
CLOSE_US: Final = 3 * SECOND
"""How long after the end of trouble the venue ends what is still open."""


def cut(topic: Topic) -> Topic:
    """The topic with few partitions owned; the cluster has all of them."""
    return replace(topic, partitions=min(topic.partitions, PARTITIONS))


def small(service: Service[Any]) -> Service[Any]:
    """The service with few partitions."""
    return replace(service, owns=cut(service.owns), inputs=tuple(map(cut, service.inputs)))


class System(Cluster):
    """One run of everything."""

    services: ClassVar = (small(RISK), small(ROUTER), small(CLEARING), PRICING, RECONCILER)
    most: ClassVar = {"pricing": 1, "reconciler": 1, "router": 2}
    """Services of one partition need no second instance, and a third router would only keep connections."""
    audited: ClassVar = (GATEWAY,)
    """Services whose topics are on the tape although their loop does not run here."""
    audit_settings = SETTINGS

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, plan_of(seed), verbose)
        total: Counter[str] = Counter()
        for account in ACCOUNTS:
            total.update(funds_e8(account))
        self.contracts = self.listed()
        self.market = Market(self, total, tuple(self.contracts.values()))
        self.settings: Settings = SETTINGS.model_copy(update={"venues": self.market.settings()})
        self.reference = ReferenceData(self.broker, [one.instrument for one in self.contracts.values()])
        self.clients = Clients(self.broker, self.chance)
        self.evidence = Evidence(self)
        self._hashed = 0

    def listed(self) -> dict[str, Listed]:
        """Contracts that trade beside spot, by instrument."""
        return {}

    def begin(self) -> None:
        self.market.start()
        self.clients.fund()
        self.poisson(self.plan.orders_per_second, self._act)
        self.poisson(HALTS_PER_SECOND, self._halt)

    def effects(self, node: Node, simulated: loop.Process, runner: Runner[Any]) -> Effects:
        return venue_effects(simulated, runner, self.market.network, runner.settings, PARTITIONS)

    # -- the clients and the operator ------------------------------------------------------------------------

    def price_e8(self) -> int:
        """The newest mark."""
        return self.mark_e8(BTC.instrument_id) or FIRST_PRICE_E8

    def mark_e8(self, instrument_id: str) -> int:
        """The newest mark of an instrument; 0 when it has none, or when pricing has begun anew since."""
        for _, event in reversed(self.tape(MARKET_MARKS, 0).found[-LOOK_BACK:]):
            if not isinstance(event, m.MarkPublished):
                break
            if event.instrument_id == instrument_id:
                return event.price_e8
        return 0

    def _act(self) -> None:
        self.clients.act(self.price_e8())
        self.work_comes()

    def _halt(self) -> None:
        """Somebody moves the kill switch, and moves it back."""
        whom: str = self.chance.choice([*ACCOUNTS, "*"])
        state: m.TradingState = self.chance.choice(["HALTED", "REDUCING"])
        self.say(f"{whom} {state}")
        self.reference.switch(whom, state)
        self.later(self.chance.randint(SECOND, 6 * SECOND), lambda: self.reference.switch(whom, "ACTIVE"))

    # -- the end ---------------------------------------------------------------------------------------------

    def quiet(self) -> None:
        self.market.heal()
        self.later(CLOSE_US, self.market.close)

    def still_missing(self) -> str:
        """Every command answered, every order ended, every fill booked and matched, every reservation gone."""
        if open_orders := self.market.open_orders():
            return f"the venue has open orders {sorted(open_orders)[:3]}"
        if self.evidence.open_orders:
            return f"orders {sorted(self.evidence.open_orders)[:3]} have not ended"
        for account, credit in self.evidence.credit().items():
            if credit.reservations or credit.withdrawals:
                return f"{account} still has reservations {credit.reservations} {credit.withdrawals}"
        if silent := [one.order_id for one in self.clients.arrived() if not self.evidence.decided[one.order_id]]:
            return f"orders without a decision: {silent[:3]}"
        fills, booked = len(self.market.venue.fills()), len(self.evidence.trades)
        if fills > booked:
            return f"{booked} of {fills} fills are booked"
        return self._unreconciled(fills)

    def _unreconciled(self, fills: int) -> str:
        """What the reconciler has not said yet."""
        told = [one for one in self.tape(RECONCILIATION_BREAKS, 0).events() if not isinstance(one, m.InputParked)]
        if not told or told[-1].fills_matched != fills or told[-1].pending:
            return f"the reconciler says {told[-1:]}, there are {fills} fills"
        breaks = {(one.break_class, one.key) for one in self.open_breaks()}
        expected = self.real_differences()
        return "" if breaks == expected else f"open breaks {breaks}, real differences {expected}"

    def open_breaks(self) -> list[m.Break]:
        """What the reconciler's tape says is open."""
        return list(self.tape(RECONCILIATION_BREAKS, 0).state.breaks.values())

    def real_differences(self) -> set[tuple[str, str]]:
        """Class and key of what truly differs between the books and the venue."""
        return {("BALANCE", "USDT")} if self.market.gift_e8 else set()

    def may_owe(self, account: str, asset: str) -> bool:
        """Whether an account may have less than nothing of an asset."""
        return False

    def tape(self, topic: Topic, partition: int) -> Tape:
        """One partition of an owned topic as far as it was read."""
        return self.tapes[Part(topic.name, partition)]

    def events(self, topic: Topic) -> list[Any]:
        """All accepted events of an owned topic, partition by partition."""
        return [e for p in range(cut(topic).partitions) for e in self.tapes[Part(topic.name, p)].events()]

    def views(self) -> dict[str, OpenView]:
        """Views to be audited."""
        return {}

    # -- what must hold --------------------------------------------------------------------------------------

    def read_on(self) -> None:
        self.evidence.read_on()

    def look(self) -> None:
        self._check(ALWAYS)
        if self.broker.now_us // HASH_US > self._hashed:
            self._hashed += 1
            self.evidence.note_hashes()

    def audit(self) -> None:
        self.evidence.complete()
        self._check(ALWAYS)
        self._check(IN_THE_END)
        self.seen.update(rare.met(self))

    def _check(self, invariants: Any) -> None:
        for name, invariant in invariants.items():
            for wrong in invariant(self.evidence):
                raise Broken(name, wrong)
