"""The whole system with a perpetual: trades through the house, facts and busts under one seed's faults.

A system of its own, so that the seeds of the other one keep their course. The contract settles in an asset that nobody
deposits: what every account has of it is what contracts paid.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from tests.simulation.cluster import Broken
from tests.simulation.evidence import Evidence, told
from tests.simulation.invariants import ALWAYS, IN_THE_END
from tests.simulation.reference import ACCOUNTS, BTC, PARTITIONS
from tests.simulation.system import System
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, MARKET_MARKS

Wrong = Iterator[str]
APPLIED: Final = "parts of facts applied"
HOUR_US: Final = 3_600_000_000
SECOND_US: Final = 1_000_000
BY_PRICING: Final = "settlement prices fixed by pricing"
ASSET: Final = "EUR"
PERP: Final = replace(
    BTC, instrument_id="BTC-USDT-PERP", listings=(), lot_e8=ONE_E8, min_quantity_e8=ONE_E8,
    contract=m.ContractTerms(
        kind="PERPETUAL", style="QUANTO", multiplier_e8=1_237, settlement_asset=ASSET, index="BTC-USDT",
        delivery="CASH", margin_class="flat", initial_rate_e8=10**7, maintenance_rate_e8=10**6,
        funding_cap_rate_e8=10**6, funding_interval_us=8 * HOUR_US, settlement_fee_rate_e8=0, liquidation_fee_rate_e8=0,
        mark_max_age_us=60_000_000, fixing_window_us=5 * SECOND_US, settlement_interval_us=15 * SECOND_US,
        funding_step_us=20 * SECOND_US,
    ),
)  # fmt: skip
"""Settled by pricing every 15 s at the mean of its index; its funding is missing, since nobody makes its mark."""


class ContractSystem(System):
    """One run of everything, with contracts in place of orders."""

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, verbose)
        self.reference.append(m.InstrumentSet(self.reference._meta(), "perp", "x", PERP))
        self.commands: list[Any] = []
        self._count = 0

    def begin(self) -> None:
        self.market.start()
        self.clients.fund()
        self.poisson(2 * self.plan.orders_per_second, self._act)

    def _act(self) -> None:
        """Somebody trades, a fact is published (now and then twice), a trade is busted."""
        kind = self.chance.random()
        if kind < 0.65:
            self._trade()
        elif kind < 0.95:
            self._fact("FUNDING" if kind < 0.85 else "SETTLEMENT_PRICE")
        else:
            self._bust()
        self.work_comes()

    def _trade(self) -> None:
        buyer, seller = self.chance.sample(list(ACCOUNTS), 2)
        contracts, price_e8 = self.chance.randint(1, 9), self._price_e8()
        self._count += 1
        sides: tuple[tuple[str, m.Side], ...] = ((buyer, "BUY"), (seller, "SELL"))
        for account, side in sides:
            command = m.BookTrade(
                f"c-{self._count}-{side}", account, f"t-{self._count}/{side}", PERP.instrument_id, side,
                contracts * ONE_E8, price_e8, "TAKER", self.broker.wall_us(), "simulated", f"t-{self._count}",
            )  # fmt: skip
            self._ask(ACCOUNTS[account], account, command)

    def _fact(self, kind: m.ContractFactKind) -> None:
        self._count += 1
        now_us, numbers = self.broker.wall_us(), dict[str, int]()
        if kind == "FUNDING":
            numbers = {"rate_e18": self.chance.randint(-(10**15), 10**15), "elapsed_us": HOUR_US}
        fact = m.ContractFact(
            f"f-{self._count}", kind, PERP.instrument_id, now_us + self._count, now_us + self._count, "simulated",
            self._price_e8(), numbers,
        )  # fmt: skip
        for _ in range(1 + (self.chance.random() < 0.2)):
            for partition in range(PARTITIONS):
                self._ask(partition, "", m.TakeContractFact(fact))

    def _bust(self) -> None:
        trades = [e for _, e in self.evidence.entries if e.contract is not None and e.contract.event == "TRADE"]
        if trades:
            entry = self.chance.choice(trades[-20:])
            self._count += 1
            command = m.CorrectEntry(
                f"c-{self._count}", entry.account_id, entry.entry_id, encode(entry), True, "simulated", "busted"
            )
            self._ask(ACCOUNTS[entry.account_id], entry.account_id, command)

    def _price_e8(self) -> int:
        return self.chance.randint(50_000, 70_000) * ONE_E8 + self.chance.randint(0, 99) * 10**6

    def _ask(self, partition: int, key: str, command: Any) -> None:
        self.commands.append(command)
        self.broker.produce(Part(CLEARING_COMMANDS.name, partition), key.encode(), encode(command))

    def priced(self, kind: type[Any]) -> list[Any]:
        """Events of pricing of a kind."""
        return [event for event in self.events(MARKET_MARKS) if isinstance(event, kind)]

    def still_missing(self) -> str:
        if missing := super().still_missing():
            return missing
        answers = [e for e in self.events(CLEARING_ENTRIES) if e.meta.cause.source == CLEARING_COMMANDS.name]
        answered = sum(not by_pricing(e) for e in answers)
        if answered != len(self.commands):
            return f"{answered} of {len(self.commands)} commands are answered"
        fixed = {e.fact.fact_id for e in self.priced(m.ContractFixed)}
        told = Counter(told_fact(e) for e in answers if by_pricing(e))
        if silent := [name for name in sorted(fixed) if told[name] < PARTITIONS]:
            return f"not all partitions have answered {silent[:3]}"
        sent = {e.fact_id for e in self.priced(m.FactSent)}
        return "" if fixed <= sent else f"facts {sorted(fixed - sent)[:3]} are not known to be sent"

    def audit(self) -> None:
        self.evidence.complete()
        self._check(ALWAYS)
        self._check({name: IN_THE_END[name] for name in KEPT})
        for name, invariant in CONTRACTS.items():
            for wrong in invariant(self.evidence, self):
                raise Broken(name, wrong)
        self.seen[BY_PRICING] += len(self.priced(m.ContractFixed))
        self.seen[APPLIED] += sum(len(event.due) for event in self.evidence.events(m.ContractFactTaken))


def by_pricing(event: Any) -> bool:
    """Whether an answer of clearing is to a fact that pricing made."""
    return told_fact(event).startswith("settlement_price:")


def told_fact(event: Any) -> str:
    """The fact that an answer of clearing is about; empty for other answers."""
    match event:
        case m.ContractFactTaken():
            return event.fact.fact_id
        case m.ClearingRefused(command="TakeContractFact"):
            return event.command_id
        case _:
            return ""


# -- invariants -------------------------------------------------------------------------------------------------------


def both_audits_agree(found: Evidence, _: ContractSystem) -> Wrong:
    """No rule of the audit is broken: positions follow entries, profit is paid once, a fact reaches everybody once."""
    yield from map(told, found.report.differences)


def trades_are_booked_once(found: Evidence, system: ContractSystem) -> Wrong:
    """Each side of each trade is one entry, and each bust that was taken one correction."""
    wanted = {one.trade_id for one in system.commands if isinstance(one, m.BookTrade)}
    booked = Counter(e.entry_id for _, e in found.entries if e.contract is not None and e.contract.event == "TRADE")
    if booked != Counter(wanted):
        yield f"not once: {booked - Counter(wanted)} {Counter(wanted) - booked}"
    corrected = Counter(e.corrects for _, e in found.entries if e.kind == "CORRECTION")
    if twice := [name for name, count in corrected.items() if count > 1]:
        yield f"taken back twice: {twice}"


def positions_are_the_sum_of_trades(found: Evidence, system: ContractSystem) -> Wrong:
    """What an account holds is what it traded, less what was busted; and all of it sums to zero with the house."""
    held: Counter[str] = Counter()
    trades = {one.trade_id: one for one in system.commands if isinstance(one, m.BookTrade)}
    busted = {e.corrects for _, e in found.entries if e.kind == "CORRECTION"}
    for name, trade in trades.items():
        if name not in busted:
            held[trade.account_id] += trade.quantity_e8 if trade.side == "BUY" else -trade.quantity_e8
    for account in ACCOUNTS:
        said = found.balances()[f"client:{account}"][PERP.instrument_id]
        if said != held[account]:
            yield f"{account} traded {held[account]} and holds {said}"


def facts_reach_every_partition_once(found: Evidence, system: ContractSystem) -> Wrong:
    """Each fact is taken once by each partition, or refused because a later one is there; all its parts are booked."""
    taken = Counter((e.fact.fact_id, e.meta.cause.partition) for e in found.events(m.ContractFactTaken))
    refused = {(e.command_id, e.meta.cause.partition) for e in found.events(m.ClearingRefused)
               if e.reason == "OUT_OF_ORDER"}  # fmt: skip
    made = {event.fact.fact_id for event in system.priced(m.ContractFixed)}
    for fact_id in made | {one.fact.fact_id for one in system.commands if isinstance(one, m.TakeContractFact)}:
        for partition in range(PARTITIONS):
            if taken[fact_id, partition] != ((fact_id, partition) not in refused):
                yield f"{fact_id} was taken {taken[fact_id, partition]} times by partition {partition}"
    parts = Counter((e.contract.fact_id, e.account_id) for _, e in found.entries if e.contract and e.contract.fact_id)
    due = Counter((e.fact.fact_id, account) for e in found.events(m.ContractFactTaken) for account in e.due)
    if parts != due:
        yield f"due and not booked: {due - parts}, booked and not due: {parts - due}"


def what_is_due_is_made_or_missing_once(_: Evidence, system: ContractSystem) -> Wrong:
    """Everything that pricing said to be due is answered by one record, a fact or its absence, and by its own alone."""
    due = Counter((one.instrument_id, one.kind, one.effective_at_us)
                  for event in system.priced(m.FixingsDue) for one in event.due)  # fmt: skip
    answered = Counter(
        (e.instrument_id, e.fact.kind, e.fact.effective_at_us) for e in system.priced(m.ContractFixed)
    ) + Counter((e.instrument_id, e.kind, e.effective_at_us) for e in system.priced(m.FixingMissing))
    if due != answered or any(count > 1 for count in due.values()):
        yield f"due and not answered: {due - answered}, answered and not due: {answered - due}"


def money_only_changes_hands(found: Evidence, _: ContractSystem) -> Wrong:
    """What contracts paid sums to zero over clients and house, and rounding never makes money for the clients as a
    whole once nobody holds anything."""
    balances = found.balances()
    total = sum(assets[ASSET] for assets in balances.values())
    if total:
        yield f"{total} {ASSET} came from nowhere"


CONTRACTS: Final[Mapping[str, Callable[[Evidence, ContractSystem], Wrong]]] = {
    one.__name__.replace("_", " "): one
    for one in (
        both_audits_agree,
        trades_are_booked_once,
        positions_are_the_sum_of_trades,
        facts_reach_every_partition_once,
        what_is_due_is_made_or_missing_once,
        money_only_changes_hands,
    )
}
KEPT: Final = (
    "sequences have no gap", "snapshot and tail are full replay", "rebuilt state is live state",
    "breaks are the real differences", "old tapes are prefixes",
)  # fmt: skip
"""Invariants of the other system that hold here as they stand."""
