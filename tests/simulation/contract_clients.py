"""Clients that trade contracts beside spot, and the desk of the house: trades with the clearing house, trades of two,
facts about contracts and busts, all by commands that come late, twice or out of order."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from services.clearing.otc.affirmation import home_id, trade_id
from tests.simulation.clients import Clients
from tests.simulation.derivatives import FUTURE, HOUR_US, OPTION, PERP, Listed
from tests.simulation.reference import ACCOUNTS, PARTITIONS
from tests.simulation.swarm import SECOND
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.simbroker import SimBroker
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem

SPOT: Final = 0.35
"""Share of the orders that are for spot."""
AGAIN: Final = 0.2
"""Share of the commands that come twice."""
LATE: Final = 0.3
"""Share of the facts that reach one partition seconds later than the other."""
BACKDATED: Final = 0.15
"""Share of the facts that hold from before the last one."""
BACK_US: Final = 5 * SECOND
RETRY_US: Final = 4 * SECOND
"""Between two looks of the operator at an expiry that not every partition has taken."""
HEDGE_LOTS: Final = 9
"""Most lots of a trade that does not ask for margin."""


class ContractClients(Clients):
    """Their orders are for any of the instruments."""

    def __init__(
        self, broker: SimBroker, chance: Random, contracts: dict[str, Listed], mark_e8: Callable[[str], int]
    ) -> None:
        super().__init__(broker, chance)
        self._contracts, self._mark_e8 = contracts, mark_e8

    def order(self, account: str, mark_e8: int) -> None:
        """Spot, or a contract near its own mark."""
        if self._chance.random() < SPOT:
            super().order(account, mark_e8)
            return
        one = self._contracts[self._chance.choice((PERP, PERP, FUTURE, OPTION))]
        of = one.instrument
        self._order(account, of.instrument_id, self._mark_e8(of.instrument_id), of.tick_e8, of.lot_e8, one.lots)


class Operator:
    """Sends commands to clearing, and sees to it that what has expired ends."""

    def __init__(self, system: "ContractSystem") -> None:
        self._system, self._chance = system, system.chance
        self.asked: dict[tuple[int, int], Any] = {}
        """Every command of its own that stands on the bus, by partition and offset."""
        self.ends: dict[str, m.ContractFact] = {}
        """The fact that ends a contract, once it was published."""
        self.coming = 0
        """Facts that are published and have not reached their partition."""
        self._count = 0
        self._funded_us = 0
        """Until when funding was asked for."""

    def commands(self, kind: type[Any]) -> list[Any]:
        """What was asked for, by kind; what came twice is in it twice."""
        return [one for one in self.asked.values() if type(one) is kind]

    def act(self) -> None:
        """One thing that a desk does."""
        kind = self._chance.random()
        if kind < 0.22:
            self._trade_with_the_house()
        elif kind < 0.55:
            self._trade_of_two()
        elif kind < 0.72:
            self._fact("FUNDING", PERP)
        elif kind < 0.90:
            self._fact("SETTLEMENT_PRICE", self._chance.choice((PERP, FUTURE)))
        else:
            self._bust()

    # -- trades ----------------------------------------------------------------------------------------------

    def _drawn(self) -> tuple[Listed, int, int]:
        """A contract, a quantity, and a price near its mark."""
        one = self._system.contracts[self._chance.choice((PERP, FUTURE, OPTION))]
        quantity_e8 = self._chance.randint(1, HEDGE_LOTS) * one.instrument.lot_e8
        mark_e8 = self._system.contract_mark_e8(one.instrument.instrument_id)
        return one, quantity_e8, mark_e8 + self._chance.randint(-(mark_e8 // 500), mark_e8 // 500)

    def _trade_with_the_house(self) -> None:
        buyer, seller = self._chance.sample(list(ACCOUNTS), 2)
        self.trade(buyer, seller, *self._drawn())

    def trade(self, buyer: str, seller: str, one: Listed, quantity_e8: int, price_e8: int) -> None:
        """Both sides of a trade with the clearing house. Nobody asks whether an account has the margin."""
        name = f"t-{self._next()}"
        sides: tuple[tuple[str, m.Side], ...] = ((buyer, "BUY"), (seller, "SELL"))
        for account, side in sides:
            command = m.BookTrade(
                f"c-{name}-{side}", account, f"{name}/{side}", one.instrument.instrument_id, side, quantity_e8,
                price_e8, "TAKER", self._system.broker.wall_us(), "simulated", name,
            )  # fmt: skip
            self.tell(ACCOUNTS[account], account, command)

    def _terms_of_two(self) -> tuple[m.TradeTerms, Listed]:
        buyer, seller = self._chance.sample(list(ACCOUNTS), 2)
        one, quantity_e8, price_e8 = self._drawn()
        name = f"otc-{self._next()}"
        return m.TradeTerms(
            name, buyer, seller, one.instrument.instrument_id, quantity_e8, price_e8, "2026-11-26"
        ), one  # fmt: skip

    def keep(self) -> None:
        """A trade of two that stays between them: both sides tell the same."""
        terms = replace(self._terms_of_two()[0], clearing="BILATERAL")
        self._tell(terms.buyer_id, terms)
        self._system.later(self._chance.randint(0, 2 * SECOND), lambda: self._tell(terms.seller_id, terms))

    def _trade_of_two(self) -> None:
        """One side tells it, the other seconds later: the same, something else, that there is none, or nothing."""
        terms, one = self._terms_of_two()
        first, other = self._chance.sample((terms.buyer_id, terms.seller_id), 2)
        self._tell(first, terms)
        answer, after_us = self._chance.random(), self._chance.randint(SECOND // 20, 6 * SECOND)
        if answer < 0.8:
            self._system.later(after_us, lambda: self._tell(other, terms))
        elif answer < 0.9:
            wrong = replace(terms, quantity_e8=terms.quantity_e8 + one.instrument.lot_e8)
            self._system.later(after_us, lambda: self._tell(other, wrong))
            self._system.later(after_us + 2 * SECOND, lambda: self._mend(first, other, terms))
        elif answer < 0.95:
            self._system.later(after_us, lambda: self._end(other, terms, "REJECT"))

    def _mend(self, first: str, other: str, terms: m.TradeTerms) -> None:
        """The sides have talked: the other one tells it right, or the first takes it back."""
        if self._chance.random() < 0.6:
            self._tell(other, terms)
        else:
            self._end(first, terms, "WITHDRAW")

    def _tell(self, party: str, terms: m.TradeTerms) -> None:
        home = home_id(terms)
        command = m.TellTrade(f"tell-{self._next()}", home, party, terms, party)
        self.tell(ACCOUNTS[home], home, command)

    def _end(self, party: str, terms: m.TradeTerms, action: m.TradeAction) -> None:
        home = home_id(terms)
        command = m.EndTrade(f"end-{self._next()}", home, party, trade_id(terms), action, "simulated", party)
        self.ask(ACCOUNTS[home], home, command)

    def _bust(self) -> None:
        """A trade with the house that was a mistake."""
        trades = [
            e for _, e in self._system.evidence.entries[-60:]
            if e.contract is not None and e.contract.event == "TRADE" and e.execution_id is None
        ]  # fmt: skip
        if trades:
            entry = self._chance.choice(trades)
            command = m.CorrectEntry(
                f"c-{self._next()}", entry.account_id, entry.entry_id, encode(entry), True, "simulated", "busted"
            )
            self.ask(ACCOUNTS[entry.account_id], entry.account_id, command)

    # -- facts -----------------------------------------------------------------------------------------------

    def _fact(self, kind: m.ContractFactKind, name: str) -> None:
        """Published to both partitions: late to one of them, twice, or from before the last one."""
        now_us, numbers = self._system.broker.wall_us() + self._next(), dict[str, int]()
        if kind == "FUNDING":
            numbers = {"rate_e18": self._chance.randint(-(10**15), 10**15), "elapsed_us": HOUR_US}
            if self._funded_us:
                numbers["elapsed_us"] = min(max(now_us - self._funded_us, 1), HOUR_US)
            self._funded_us = now_us
        at_us = now_us - BACK_US * (self._chance.random() < BACKDATED)
        mark_e8 = self._system.contract_mark_e8(name)
        self._publish(m.ContractFact(f"f-{self._count}", kind, name, at_us, at_us, "simulated", mark_e8, numbers))

    def _publish(self, fact: m.ContractFact) -> None:
        slow = self._chance.choice(range(PARTITIONS)) if self._chance.random() < LATE else -1
        for partition in range(PARTITIONS):
            after_us = self._chance.randint(SECOND // 2, 8 * SECOND) if partition == slow else 0
            for _ in range(1 + (self._chance.random() < AGAIN)):
                self.coming += 1
                self._system.later(after_us, lambda to=partition: self._come(to, fact))  # type: ignore[misc]

    def _come(self, partition: int, fact: m.ContractFact) -> None:
        self.coming -= 1
        self._take(partition, fact)

    def _take(self, partition: int, fact: m.ContractFact) -> None:
        self.ask(partition, "", m.TakeContractFact(fact))

    def expire_early(self) -> None:
        """Somebody's clock is a second fast."""
        for name in (FUTURE, OPTION):
            for partition in range(PARTITIONS):
                self._take(partition, self._end_of(name))

    def expire(self) -> None:
        """Publish what ends the contracts, again until all partitions have taken it: a clock may say "too early"."""
        if missing := self.unexpired():
            for name, partition in missing:
                self._take(partition, self._end_of(name))
            self._system.later(RETRY_US, self.expire)

    def unexpired(self) -> list[tuple[str, int]]:
        """Contracts past their time, and the partitions that have not ended them."""
        taken = {
            (event.fact.instrument_id, partition)
            for partition in range(PARTITIONS)
            for event in self._system.tape(CLEARING_ENTRIES, partition).events()
            if isinstance(event, m.ContractFactTaken) and event.fact.kind == "EXPIRY"
        }
        return [(name, p) for name in (FUTURE, OPTION) for p in range(PARTITIONS) if (name, p) not in taken]

    def _end_of(self, name: str) -> m.ContractFact:
        if (fact := self.ends.get(name)) is None:
            at_us = self._system.contracts[name].terms.expires_at_us
            assert at_us is not None, "it expires"
            price_e8 = self._system.price_e8() if name == OPTION else self._system.contract_mark_e8(name)
            fact = m.ContractFact(f"end-{name}", "EXPIRY", name, at_us, at_us, "simulated", price_e8, {})
            self.ends[name] = fact
        return fact

    def _next(self) -> int:
        self._count += 1
        return self._count

    def tell(self, partition: int, key: str, command: Any) -> None:
        """As `ask`, and now and then the command comes twice."""
        for _ in range(1 + (self._chance.random() < AGAIN)):
            self.ask(partition, key, command)

    def ask(self, partition: int, key: str, command: Any) -> None:
        """Put a command on the bus; it must be answered."""
        offset = self._system.broker.produce(Part(CLEARING_COMMANDS.name, partition), key.encode(), encode(command))
        self.asked[partition, offset] = command
