"""A clearing partition alone: commands in, entries out, each judged by both audits as it comes."""

from typing import Any

import msgspec

from services.clearing.booking.ledger import trial_balance
from services.clearing.core import SERVICE
from services.clearing.state import State
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.merge import Given
from truetape.books.contracts import Contracts
from truetape.books.judge import FLAT, Fill, Holding
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import DUE, Input, Tables

E8 = 10**8
HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000
EXPIRY_US = START_US + 24 * HOUR_US
ACCOUNTS = ("ann", "bob", "cat")


def terms(**changes: Any) -> m.ContractTerms:
    """A linear perpetual of 0.01 BTC."""
    perpetual: dict[str, Any] = {
        "kind": "PERPETUAL", "style": "LINEAR", "multiplier_e8": E8 // 100, "settlement_asset": "USDT",
        "index": "BTC-USDT", "delivery": "CASH", "margin_class": "flat", "initial_rate_e8": E8 // 10,
        "maintenance_rate_e8": E8 // 20, "funding_cap_rate_e8": E8 // 100, "funding_interval_us": 8 * HOUR_US,
        "settlement_fee_rate_e8": 0, "liquidation_fee_rate_e8": 0, "mark_max_age_us": 60_000_000,
    }  # fmt: skip
    return m.ContractTerms(**(perpetual | changes))


def future(**changes: Any) -> m.ContractTerms:
    """A linear future of 0.01 BTC."""
    kind: dict[str, Any] = {"kind": "FUTURE", "expires_at_us": EXPIRY_US, "funding_cap_rate_e8": 0}
    return terms(**(kind | {"funding_interval_us": 0} | changes))


def option(right: Any, strike: int, **changes: Any) -> m.ContractTerms:
    """A linear option on 1 BTC."""
    return future(kind="OPTION", option_type=right, strike_e8=strike * E8, multiplier_e8=E8, **changes)


def instrument(name: str, of: m.ContractTerms, tradable: bool = True) -> m.Instrument:
    """A contract that trades in whole numbers."""
    base, quote = name.split("-")[:2]
    return m.Instrument(name, base, quote, 1, E8, E8, 10**6 * E8, 0, 10**10 * E8, tradable, (), of)


class Desk:
    """One partition of clearing."""

    def __init__(self, *known: m.Instrument, fees: m.Fees | None = None) -> None:
        self.reference = Reference()
        self.known = {one.instrument_id: one for one in known}
        for one in known:
            self.reference.instruments[one.instrument_id] = one
        for account_id in ACCOUNTS:
            self.reference.accounts[account_id] = account_id
        if fees is not None:
            self.reference.fees["*"] = fees
        self.tables = Tables(self.reference, Marks())
        self.state, self.events = State(), list[Any]()
        self.now_us = START_US
        self.findings = Findings()
        self._rules = LedgerRules(self.findings)
        contracts = {name: one.contract for name, one in self.reference.instruments.items() if one.contract}
        self._books, self._held = Contracts(contracts), dict[tuple[str, str], Holding]()
        self._fills: dict[str, Fill] = {}
        self.filled: dict[str, m.OrderFilled] = {}
        self.wrong: list[Any] = []
        self._numbers = 0

    # -- in --------------------------------------------------------------------------------------------------

    def fill(self, account_id: str, side: m.Side, contracts: int, price: int, name: str, **changes: Any) -> Any:
        """A venue's fill."""
        one = self.known[name]
        self._numbers += 1
        fill = m.OrderFilled(
            leaves_quantity_e8=0,
            meta=m.Meta(1, self._numbers, m.Cause("venue:alpha", 0, -1, str(self._numbers)), self.now_us, "e", "o"),
            order_id=f"{self._numbers:032x}", account_id=account_id, leg=1, venue="alpha",
            venue_order_id="1", execution_id=f"alpha:{self._numbers}", instrument_id=name, base=one.base,
            quote=one.quote, side=side, quantity_e8=contracts * E8, price_e8=price * E8,
            quote_amount_e8=0, cumulative_quantity_e8=contracts * E8, fee_asset="USDT", fee_e8=0, liquidity="TAKER",
            status="FILLED", transacted_at_us=self.now_us, source="STREAM",
        )  # fmt: skip
        fill = msgspec.structs.replace(fill, **changes)
        self.filled[fill.execution_id] = fill
        self._fills[fill.execution_id] = Fill(
            account_id, "alpha", name, fill.base, fill.quote, 1 if side == "BUY" else -1, fill.quantity_e8,
            fill.price_e8, 0, fill.fee_asset, fill.fee_e8, fill.liquidity,
        )  # fmt: skip
        self._rules.take(Given(Part("orders.executions", 0), self._numbers, fill, True))
        return self.take(fill, m.Cause("orders.executions", 0, self._numbers, ""))

    def approve(self, approved: m.TransferApproved) -> Any:
        """A transfer that risk has approved."""
        self._numbers += 1
        self._rules.take(Given(Part("orders.decisions", 0), self._numbers, approved, True))
        return self.take(approved, m.Cause("orders.decisions", 0, self._numbers, ""))

    def trade(self, account_id: str, side: m.Side, contracts: int, price: int, name: str, **changes: Any) -> Any:
        """One side of a trade with the clearing house; price in whole units."""
        self._numbers += 1
        command = m.BookTrade(
            f"c-{self._numbers}", account_id, f"t-{self._numbers}", name, side, contracts * E8, price * E8, "TAKER",
            self.now_us, "desk", "",
        )  # fmt: skip
        return self.command(msgspec.structs.replace(command, **changes))

    def pair(self, buyer: str, seller: str, contracts: int, price: int, name: str) -> None:
        """A trade between two clients, through the house."""
        self.trade(buyer, "BUY", contracts, price, name)
        self.trade(seller, "SELL", contracts, price, name)

    def fact(self, kind: m.ContractFactKind, name: str, price_e8: int | None, **changes: Any) -> list[Any]:
        """A fact about a contract, and all that it leads to."""
        self._numbers += 1
        self.now_us += changes.get("numbers", {}).get("elapsed_us", 1) if kind == "FUNDING" else 1
        fact = m.ContractFact(f"f-{self._numbers}", kind, name, self.now_us, self.now_us, "desk", price_e8)
        before = len(self.events)
        self.command(m.TakeContractFact(msgspec.structs.replace(fact, **changes)))
        return self.events[before:]

    def bust(self, entry: m.EntryBooked) -> Any:
        """Take a trade back."""
        self._numbers += 1
        return self.command(
            m.CorrectEntry(
                f"c-{self._numbers}", entry.account_id, entry.entry_id, encode(entry), True, "desk", "the venue did"
            )
        )

    def command(self, message: Any) -> Any:
        """Any command."""
        self._numbers += 1
        return self.take(message, m.Cause("clearing.commands", 0, self._numbers, ""))

    def take(self, message: Any, cause: m.Cause) -> Any:
        """Decide one input and what it makes due; returns the answer to the input itself."""
        answer = self._decide(message, cause)
        while (asked := SERVICE.due(self.state)) is not None:
            self._decide(asked[1], m.Cause(DUE, 0, -1, asked[0]))
        return answer

    def _decide(self, message: Any, cause: m.Cause) -> Any:
        sequence = len(self.events) + 1
        self.now_us += 1
        given = Input(message, cause, self.now_us, "clearing.entries", 1, sequence, self.tables, 0)
        event = SERVICE.decide(self.state, given)
        assert event is not None
        assert decode(encode(event)) == event
        self.state = SERVICE.evolve(self.state, event)
        self.events.append(event)
        self._judge(event)
        return event

    # -- what came out ---------------------------------------------------------------------------------------

    def _judge(self, event: Any) -> None:
        """Both audits look at the event."""
        self._rules.take(Given(Part("clearing.entries", 0), len(self.events), event, True))
        if isinstance(event, m.ContractFactTaken):
            self.wrong += self._books.taken(event)
        if not isinstance(event, m.EntryBooked) or event.contract is None:
            return
        key, fact = (event.account_id, event.contract.instrument_id), self._books.fact(event.contract.fact_id)
        source = self._held.get((event.account_id, fact.instrument_id), FLAT) if fact is not None else FLAT
        fill = None
        if event.execution_id is not None and event.kind == "TRADE":
            fill = self._fills[event.execution_id]
        wrong, right = self._books.judge(event, event.contract, self._held.get(key, FLAT), fill, source)
        self.wrong += wrong
        if event.position is not None:
            self._held[key] = right

    def cash(self, account: str, asset: str = "USDT") -> int:
        """A ledger account's balance."""
        return self.state.balances.get(account, {}).get(asset, 0)

    def position(self, account_id: str, name: str) -> m.Position:
        """An account's position."""
        return self.state.accounts[account_id].positions[name]

    def check(self) -> None:
        """Nothing is wrong: both audits agree, everything sums to zero, and the replay is the state."""
        assert self.findings.kept == []
        assert self.wrong == []
        assert not any(trial_balance(self.state.balances).values())
        replayed = State()
        for event in self.events:
            replayed = SERVICE.evolve(replayed, decode(encode(event)))
        assert replayed == self.state
