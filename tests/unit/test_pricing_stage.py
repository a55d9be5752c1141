"""What pricing fixes reaches every partition of the ledger once, in the real run loop on a simulated broker, also when
pricing ends between its record and the commands that follow it."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import yaml

from services.pricing.core import SERVICE as PRICING
from services.pricing.facts import FactSender
from services.pricing.session import Session
from services.pricing.tops import Top, TopsSeen
from tests.unit.audit_stage import SERVICES
from tests.unit.contract_desk import E8, terms
from tests.unit.desk import ANN, BOB
from tests.unit.test_contract_stage import CONTRACT, PERP, ContractStage
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.process import gauges_of
from truetape.runner import Runner
from truetape.telemetry import CountsCollector, exposition
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, MARKET_MARKS, PARTITIONS, REFERENCE_COMMANDS

MINUTE_US = 60_000_000
MARKS = Part(MARKET_MARKS.name, 0)
SCHEDULED = msgspec.structs.replace(
    CONTRACT, contract=terms(
        fixing_window_us=MINUTE_US, settlement_interval_us=MINUTE_US, funding_step_us=MINUTE_US,
    ),
)  # fmt: skip
ROOT = Path(__file__).parents[2]


class NoThread:
    """The books' thread: the test offers what it sees."""

    def __init__(self, *_: Any) -> None: ...

    def start(self) -> None: ...


class PricedStage(ContractStage):
    """The stage with a perpetual that pricing settles and funds every minute."""

    def __init__(self, sending: bool = True) -> None:
        self.sending = sending
        super().__init__()
        self.restart()
        command = m.SetInstrument("perp", "test", SCHEDULED)
        self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))
        self.settle()

    def restart(self) -> None:
        """A new process of pricing, with its real effects; whether its commands reach the broker, `sending` says."""
        if (old := self.runners.get("pricing")) is not None:
            old.log.close()
        log = self.broker.log("pricing")
        runner: Runner[Any] = Runner(PRICING, log, self.settings)

        def append(part: Part, key: bytes, value: bytes, headers: Any, token: Any) -> None:
            if self.sending:
                log.append(part, key, value, headers, token)

        facts = FactSender(append, runner.offer)
        runner.effects = Session(runner.offer, facts, dict, list, 250, NoThread)  # type: ignore[arg-type]
        self.runners["pricing"] = runner
        runner.start()
        self.settle()

    def seconds(self, count: int, mark: int = 60_060, index: int = 60_000) -> None:
        """Time passes, and both books are seen every five seconds."""
        for _ in range(count // 5):
            for name, price in ((PERP, mark), ("BTC-USDT", index)):
                now_us = self.broker.wall_us()
                top = Top("alpha", (price - 1) * E8, (price + 1) * E8, 7, now_us)
                self.runners["pricing"].offer(0, "books", f"{name}{now_us}", TopsSeen(name, (top,), 0))
            for _ in range(50):
                self.broker.advance(100_000)
                for runner in self.runners.values():
                    runner.turn(0.0)

    def pair(self, contracts: int, price: int) -> None:
        """A trade of both accounts through the house."""
        sides: tuple[tuple[str, m.Side], ...] = ((ANN, "BUY"), (BOB, "SELL"))
        for account, side in sides:
            command = m.BookTrade(
                f"c-{account}", account, f"t-{side}", PERP, side, contracts * E8, price * E8, "TAKER", 1, "test", ""
            )
            self.broker.produce(
                Part(CLEARING_COMMANDS.name, self.partition(account)), account.encode(), encode(command)
            )
        self.settle()

    def made(self) -> dict[str, m.ContractFact]:
        """Facts of pricing by id."""
        return {e.fact.fact_id: e.fact for e in self.messages(MARKS) if isinstance(e, m.ContractFixed)}

    def taken(self) -> list[tuple[str, int]]:
        """Facts as partitions took them."""
        return sorted(
            (event.fact.fact_id, partition)
            for partition in range(PARTITIONS)
            for event in self.messages(Part(CLEARING_ENTRIES.name, partition))
            if isinstance(event, m.ContractFactTaken)
        )


def everywhere(facts: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted((name, partition) for name in facts for partition in range(PARTITIONS))


def test_a_perpetual_is_funded_and_settled_without_an_operator() -> None:
    stage = PricedStage()
    stage.pair(10, 60_000)
    stage.seconds(250)
    made = stage.made()
    kinds = [fact.kind for fact in made.values()]
    assert (kinds.count("SETTLEMENT_PRICE") >= 3, kinds.count("FUNDING") >= 3) == (True, True)
    assert stage.taken() == everywhere(made)
    sent = [event.fact_id for event in stage.messages(MARKS) if isinstance(event, m.FactSent)]
    assert sorted(sent) == sorted(made), "each is known to be sent, once"
    entries = [e for e in (x for p in range(PARTITIONS) for x in stage.messages(Part(CLEARING_ENTRIES.name, p)))
               if isinstance(e, m.EntryBooked) and e.contract and e.contract.event == "VARIATION_MARGIN"]  # fmt: skip
    profit = {e.account_id: e.realised_e8 for e in entries if e.realised_e8}
    assert profit == {ANN: to_e8("6"), BOB: to_e8("-6")}, "60 a contract of 0.01"
    funding = sum(e.contract.numbers.get("funding_e8", 0) for e in entries if e.account_id == ANN and e.contract)
    whole = sum(
        fact.numbers["rate_e18"] * fact.numbers["elapsed_us"] for fact in made.values() if fact.kind == "FUNDING"
    )
    assert -funding * E8 == pytest.approx(whole * 6_000 * E8 / (480 * MINUTE_US) / 10**10, rel=1e-3)
    assert stage.audit(stage.ask).differences == []


def test_a_crash_between_the_record_and_the_commands_loses_no_fact_and_doubles_none() -> None:
    stage = PricedStage()
    stage.pair(10, 60_000)
    stage.seconds(70)
    before = stage.made()
    assert before and stage.taken() == everywhere(before)
    stage.sending = False
    stage.seconds(120)
    cut = stage.made()
    assert len(cut) > len(before) and stage.taken() == everywhere(before), "they stand, and nobody was told"
    stage.sending = True
    stage.restart()
    stage.seconds(10)
    assert set(cut) <= set(stage.made()) and stage.taken() == everywhere(stage.made())
    stage.restart()
    stage.seconds(10)
    assert stage.taken() == everywhere(stage.made()), "what is known to be sent is not sent again"
    refused = [e for p in range(PARTITIONS) for e in stage.messages(Part(CLEARING_ENTRIES.name, p))
               if isinstance(e, m.ClearingRefused)]  # fmt: skip
    assert refused == []
    assert stage.audit(stage.ask).differences == []
    assert set(SERVICES) == set(stage.runners)


def test_a_missing_rate_is_an_event_and_an_operators_fact_takes_its_place() -> None:
    stage = PricedStage()
    stage.pair(10, 60_000)
    stage.seconds(60)
    for _ in range(1_600):
        stage.broker.advance(100_000)
        for runner in stage.runners.values():
            runner.turn(0.0)
    missing = [e for e in stage.messages(MARKS) if isinstance(e, m.FixingMissing)]
    assert {event.kind for event in missing} == {"FUNDING", "SETTLEMENT_PRICE"}
    gap = next(event for event in missing if event.kind == "FUNDING")
    numbers = {"rate_e18": 10**14, "elapsed_us": gap.effective_at_us - gap.since_us}
    name = f"funding:{PERP}:{gap.effective_at_us}"
    fact = m.ContractFact(
        name, "FUNDING", PERP, gap.effective_at_us, gap.effective_at_us, "operator", 60_000 * E8, numbers
    )
    for partition in range(PARTITIONS):
        stage.broker.produce(Part(CLEARING_COMMANDS.name, partition), b"", encode(m.TakeContractFact(fact)))
    stage.settle()
    assert [one for one in stage.taken() if one[0] == name] == everywhere({name: fact})
    assert stage.audit(stage.ask).differences == []


def test_what_has_no_mark_is_measured_logged_once_and_known_to_a_new_process() -> None:
    stage = PricedStage()
    pricing = stage.runners["pricing"]

    def see(price: int, bid_less: int = 1) -> None:
        stage.broker.advance(1_000_000)
        now_us = stage.broker.wall_us()
        top = Top("alpha", (price - bid_less) * E8, (price + 1) * E8, 7, now_us)
        stage.runners["pricing"].offer(0, "books", str(now_us), TopsSeen(PERP, (top,), 0))
        stage.settle()

    see(60_000)
    assert gauges_of(pricing)["marks_withheld"] == 0
    with structlog.testing.capture_logs() as logged:
        see(60_000, bid_less=-2)
        stage.broker.advance(61_000_000)
        see(60_000, bid_less=-2)
    assert gauges_of(pricing)["marks_withheld"] == 1
    [said] = [line for line in logged if line["event"] == "mark withheld"]
    assert (said["log_level"], said["instrument_id"], said["venues"]) == ("error", PERP, {"alpha": "CROSSED"})
    stage.restart()
    assert gauges_of(stage.runners["pricing"])["marks_withheld"] == 1, "the tape says so"
    see(60_000)
    assert gauges_of(stage.runners["pricing"])["marks_withheld"] == 0


def test_alerts_are_of_metrics_that_there_are() -> None:
    rules = yaml.safe_load((ROOT / "examples" / "alerts.yml").read_text())["groups"][0]["rules"]
    runner = PricedStage().runners["pricing"]
    shown = exposition([CountsCollector("pricing", lambda: {"parked": 0} | runner.counts, lambda: gauges_of(runner))])
    names = {one for rule in rules for one in re.findall(r"truetape_\w+", rule["expr"])}
    assert len(rules) == 3 and "truetape_marks_withheld" in names
    assert all(f"\n{name}{{".encode() in shown for name in names), names
