"""The contract world in distress: prices jump, accounts have thin margin and short terms, books are thin; members pay
their calls or do not, bid at auctions, and share a clearing fund. Processes die before they tell what they decided.

`python -m tests.simulation.simulate --world distress --seed N` repeats a run and says what happened.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from types import ModuleType
from typing import Any, ClassVar, Final
from unittest import mock

from services.clearing.closeout import auction, closing, liquidations, quote
from services.clearing.defaults import default
from services.clearing.otc import multilateral
from tests.simulation import compressions, distress_rare
from tests.simulation.cluster import QUIET_SECONDS, Broken
from tests.simulation.compressions import Compressions
from tests.simulation.contracts import ContractSystem
from tests.simulation.derivatives import ASSET
from tests.simulation.distress_invariants import DISTRESS
from tests.simulation.distress_members import Members
from tests.simulation.loop import Process
from tests.simulation.node import Node
from tests.simulation.reference import ACCOUNTS, PARTITIONS, VENUE
from tests.simulation.swarm import MS, SECOND, Plan
from tests.simulation.venue import Shock
from truetape import ids, liquidation
from truetape import messages as m
from truetape.margin.auction import AuctionParameters
from truetape.money import ONE_E8
from truetape.runner import Runner
from truetape.service import Effects
from truetape.topics import CLEARING_ENTRIES

SMALL_RETRY_US: Final = 8 * SECOND
SMALL_ALARM_ASKED: Final = 2
SMALL_PATIENCE_SECONDS: Final = 5.0
SMALL_AUCTION: Final = AuctionParameters(fast_seconds=3.0, slow_seconds=6.0, insolvent_seconds=4.0)
PERILS: Final = (
    m.MarginRun, m.MarginCallChanged, m.LiquidationChanged, m.LiquidationEnded, m.AuctionChanged, m.ParcelAnswered,
    m.DeleveragingChanged, m.DefaultChanged, m.RoundOpened, m.RoundAnswered, m.RoundDecided, m.RoundSettling,
    m.RoundSettled, m.RoundConfirmed, m.CompressionChanged,
)  # fmt: skip
"""Records of clearing before whose effects its process may die."""
SELDOM: Final = (m.AuctionChanged, m.ParcelAnswered, m.RoundOpened, m.RoundAnswered, m.RoundDecided, m.RoundSettled,
                  m.CompressionChanged)  # fmt: skip
"""Those that are few: it dies there as much more often."""
UNDECIDED: Final = ("DECLARED", "LOSS_FIXED", "RECOVERING")
"""States in which a default waits for something."""
THIN: Final[dict[str, Any]] = {"depth_orders": 3, "touch_lots": 60, "size_lots": 8}
"""Of the generated flow: so little is there that a liquidation takes several orders, or finds nobody."""


@dataclass(frozen=True)
class Distress:
    """What is drawn for one run beside its plan."""

    shocks: tuple[Shock, ...]
    terms: m.CallTerms
    cash_e8: Mapping[str, int]
    """What an account keeps of its money."""
    leverage: Mapping[str, float]
    """Notional of what the desk gives an account, as a multiple of its money; negative: sold."""
    shares_e8: Mapping[str, int]
    """Of the clearing fund, by member."""
    capital_e8: int
    insurance_e8: int
    thin: bool
    peril: float
    """How often clearing's process dies right after a record about margin, auctions or rounds."""
    cut: float
    """How often the router loses the venue while a liquidation's order is out."""


def distress_of(seed: int, plan: Plan, wall_ms: int) -> Distress:
    """The same seed gives the same distress, for ever."""
    draw = Random(seed ^ 0xD157)
    shocks = [_shock(draw, wall_ms, draw.uniform(11.0, 22.0))]
    if draw.random() < 0.5:
        shocks.append(_shock(draw, wall_ms, draw.uniform(20.0, 44.0)))
    if draw.random() < 0.4:
        first = shocks[0]
        shocks.append(Shock(first.from_ms + draw.randint(5_000, 15_000), 2_000, first.factor ** -draw.uniform(0.4, 1)))
    terms = m.CallTerms(draw.randint(3, 9) * SECOND, draw.randint(1, 8) * SECOND, 5 * 10**7, ONE_E8)
    rich = draw.choice(list(ACCOUNTS))
    cash_e8 = {name: draw.randint(4_000, 20_000) * ONE_E8 for name in ACCOUNTS if name != rich}
    leverage = {name: draw.choice((-1, 1, 1)) * draw.uniform(6.0, 15.0) for name in cash_e8 if draw.random() < 0.85}
    funded = draw.random() < 0.75
    shares_e8 = {
        name: draw.randint(200, 4_000) * ONE_E8 + draw.randrange(100) for name in ACCOUNTS if draw.random() < 0.75
    }
    faulty = plan.kind not in ("calm", "one fault")
    return Distress(
        tuple(shocks), terms, cash_e8, leverage, shares_e8 if funded else {},
        draw.randint(100, 2_000) * ONE_E8 if funded and draw.random() < 0.8 else 0,
        draw.randint(20, 900) * ONE_E8 if draw.random() < 0.5 else 0, draw.random() < 0.7,
        draw.choice((0.0, 0.02, 0.08)) if faulty else 0.0, draw.choice((0.0, 0.2)) if faulty else 0.0,
    )  # fmt: skip


def _shock(draw: Random, wall_ms: int, after_seconds: float) -> Shock:
    size, over_ms = draw.uniform(0.04, 0.24), int(10 ** draw.uniform(2.3, 3.8))
    return Shock(wall_ms + int(after_seconds * 1_000), over_ms, 1 + draw.choice((-1, -1, 1)) * size)


class DistressSystem(ContractSystem):
    """One run of everything, with contracts, in distress."""

    liquidation_fee_rate_e8: ClassVar[int] = 3 * 10**6
    house_purposes: ClassVar[Mapping[str, frozenset[str]]] = {
        **ContractSystem.house_purposes,
        "house:clearing": ContractSystem.house_purposes["house:clearing"] | {"auction", "deleveraging", "tear_up"},
        "house:insurance": frozenset({"liquidation_fee", "insurance", "insurance_fund", "auction", "deleveraging"}),
        "house:default": frozenset(
            {"insurance", "defaulter_margin", "defaulter_fund", "house_capital", "mutual_fund", "assessment", "haircut",
             "variation_margin_haircut", "tear_up", "house_transfer"}
        ),
        "house:capital": frozenset({"house_capital", "house_transfer"}),
        "house:collateral": frozenset({"collateral"}),
        "house:compression": frozenset({"compression"}),
    }  # fmt: skip

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, verbose)
        self.distress = distress_of(seed, self.plan, self.broker.wall_us() // MS)
        thin = THIN if self.distress.thin else {}
        self.market.venue.options = replace(self.market.venue.options, shocks=self.distress.shocks, **thin)
        self.members = Members(self)
        self.compressions = Compressions(self)
        self.selling = False
        """Whether a liquidation or a default went on when the time of quiet was over."""
        self.reference.append(m.CallTermsSet(self.reference.next_meta(), "k", "x", "*", self.distress.terms))
        self.say(str(self.distress))

    def run(self) -> None:
        with small_bounds():
            super().run()

    def begin(self) -> None:
        super().begin()
        self.members.begin()
        self.poisson(compressions.OFTEN, self.compressions.act)

    def effects(self, node: Node, simulated: Process, runner: Runner[Any]) -> Effects:
        right = super().effects(node, simulated, runner)
        return Perilous(right, node, self) if node.service == "clearing" else right

    def look(self) -> None:
        super().look()
        self.members.look()
        self.compressions.look()

    def quiet(self) -> None:
        super().quiet()
        self.market.venue.deepen()

    # -- what happens just then ------------------------------------------------------------------------------

    def peril(self, node: Node, event: Any) -> None:
        """A record is in place, and nobody was told yet what follows from it."""
        if not self.troubled:
            return
        often = 3 if isinstance(event, SELDOM) else 1
        if isinstance(event, PERILS) and self.chance.random() < often * self.distress.peril and node.log is not None:
            self.seen[f"dies after {type(event).__name__}"] += 1
            node.log.fuse, node.log.blow = self.chance.randrange(3), node._kill
        if getattr(event, "state", "") == "SELLING" and self.chance.random() < self.distress.cut:
            self.cut_router()

    def cut_router(self) -> None:
        """The routers lose the venue, in one direction or both."""
        for one in self.nodes:
            if one.service == "router":
                for_us = int(10 ** self.chance.uniform(5.5, 6.8))
                self.market.network.cut(one.name, VENUE, for_us, both=self.chance.random() < 0.5)

    # -- the end ---------------------------------------------------------------------------------------------

    def quiet_seconds(self) -> int:
        """Twice as long for a liquidation: it outlasts for a minute what puts it off (`closing.PASSING_US`), an auction
        that nobody bid at may come before it, and the rounds of its default after it."""
        parts = (self.tape(CLEARING_ENTRIES, partition).state for partition in range(PARTITIONS))
        self.selling |= any(
            state.watch.liquidations or any(one.state in UNDECIDED for one in default.kept(state)) for state in parts
        )
        return 2 * QUIET_SECONDS if self.selling else QUIET_SECONDS

    def _unfinished(self) -> str:
        """Besides: payments in flight, defaults that have not come to their loss, calls without an end, parcels without
        an answer."""
        if missing := super()._unfinished():
            return missing
        if self.members.in_flight:
            return f"{self.members.in_flight} payments of defaulters have not arrived"
        for partition in range(PARTITIONS):
            state = self.tape(CLEARING_ENTRIES, partition).state
            if open_ones := [one.default_id for one in default.kept(state) if one.state in UNDECIDED]:
                return f"defaults {open_ones} have not come to their end"
            if state.compressions.open:
                return f"compressions {sorted(state.compressions.open)} have not ended"
            if calls := [one for one in state.watch.calls.values() if one.state != "DEFAULT"]:
                return f"calls without an end: {calls}"
            if (
                state.parcels.asked
                or state.parcels.booking
                or state.auctions
                or state.watch.due
                or state.deleveragings.running
            ):
                return f"parcels, auctions and decisions: {state.parcels} {state.auctions} {state.watch.due}"
        return ""

    def audit(self) -> None:
        super().audit()
        for name, invariant in DISTRESS.items():
            for wrong in invariant(self.evidence, self):
                raise Broken(name, wrong)
        self.seen.update(distress_rare.met(self))

    def may_owe(self, account: str, asset: str) -> bool:
        """Losses of contracts are paid in the settlement asset: whoever has less than nothing of it is watched."""
        if asset != ASSET or account not in ACCOUNTS:
            return False
        state = self.tape(CLEARING_ENTRIES, ACCOUNTS[account]).state
        watch, held = state.watch, state.accounts[account].positions
        called = any(one.account_id == account for one in watch.calls.values())
        contracts = any(held[name].quantity_e8 for name in held if name in self.contracts)
        return contracts or called or account in watch.handed_over or account in state.defaults

    def moved_e8(self) -> Counter[tuple[str, str]]:
        """Contracts that changed hands at an auction or by deleveraging, by account and instrument."""
        found: Counter[tuple[str, str]] = Counter()
        for event in self.answers(m.AuctionChanged):
            if event.change == "TAKEN" and event.bid is not None:
                for leg in event.bid.legs:
                    found[event.bid.bidder_id, leg.instrument_id] += leg.quantity_e8
                    found[event.account_id, leg.instrument_id] -= leg.quantity_e8
        for event in self.answers(m.DeleveragingChanged):
            for part in event.parts if event.change == "TAKEN" else ():
                found[part.account_id, event.instrument_id] += part.quantity_e8
                found[event.account_id, event.instrument_id] -= part.quantity_e8
        return found

    def cash_e8(self, account: str) -> int:
        """What an account has of the settlement asset, as far as the tape was read."""
        state = self.tape(CLEARING_ENTRIES, ACCOUNTS[account]).state
        held: int = state.balances.get(f"client:{account}", {}).get(ASSET, 0)
        return held


class Perilous:
    """Effects of clearing in a process that may die before it has told anybody."""

    def __init__(self, right: Effects, node: Node, system: DistressSystem) -> None:
        self._right, self._node, self._system = right, node, system

    def act(self, partition: int, event: Any) -> None:
        """What follows from a record."""
        self._system.peril(self._node, event)
        self._right.act(partition, event)

    def resume(self, partition: int, state: Any) -> None:
        """The partition is this process's."""
        self._right.resume(partition, state)

    def release(self, partition: int) -> None:
        """It is another one's."""
        self._right.release(partition)


@contextmanager
def small_bounds() -> Iterator[None]:
    """Two partitions for whoever counts them, and times that fit into a minute."""
    right = ids.partition_of
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(ids, "partition_of", partial(_few, right)))
        for module in counting_partitions():
            stack.enter_context(mock.patch.object(module, "PARTITIONS", PARTITIONS))
        stack.enter_context(mock.patch.object(liquidations, "RETRY_US", SMALL_RETRY_US))
        stack.enter_context(mock.patch.object(closing, "PASSING_US", SMALL_RETRY_US))
        stack.enter_context(mock.patch.object(liquidation, "ALARM_ASKED", SMALL_ALARM_ASKED))
        stack.enter_context(mock.patch.object(auction, "PATIENCE_SECONDS", SMALL_PATIENCE_SECONDS))
        longest_us = multilateral.WITHIN_US[1]
        stack.enter_context(mock.patch.object(multilateral, "WITHIN_US", (compressions.SHORTEST_US, longest_us)))
        for module in (auction, quote):
            stack.enter_context(mock.patch.object(module, "PARAMETERS", SMALL_AUCTION))
        yield


def _few(right: Callable[[str, int], int], key: str, count: int) -> int:
    return right(key, min(count, PARTITIONS))


def counting_partitions() -> list[ModuleType]:
    """Modules of clearing and the audit that know how many partitions there are."""
    return [
        module for name, module in sorted(sys.modules.items())
        if name.startswith(("services.clearing.", "truetape.audit.round_rules")) and hasattr(module, "PARTITIONS")
    ]  # fmt: skip
