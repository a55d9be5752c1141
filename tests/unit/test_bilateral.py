"""Trades of two in the real ledger: told, refused, timed out; novated across two partitions, killed at every step."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing import bilateral
from services.clearing.bilateral import AFFIRM_WITHIN_US
from services.clearing.core import SERVICE, accounts
from services.clearing.session import Session
from tests.unit.contract_desk import E8, START_US, future, instrument, terms
from tests.unit.contract_desk import Desk as ContractDesk
from tests.unit.desk import some_meta
from truetape import ids, snapshots
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.runner import Runner
from truetape.service import Tick
from truetape.settings import Settings
from truetape.simbroker import SimBroker
from truetape.tape import Reader
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, MARKET_MARKS, PARTITIONS, REFERENCE_EVENTS

PERP = instrument("BTC-USDT-PERP", terms())
TRADE = m.TradeTerms("UTI-1", "ann", "bob", "BTC-USDT-PERP", 3 * E8, 60_000 * E8, "2026-11-26")


def mark(price: int, at_us: int) -> m.MarkPublished:
    return m.MarkPublished(some_meta(at_us), "BTC-USDT-PERP", price * E8, price * E8, price * E8, "alpha", 7, at_us, 0)


def desk() -> ContractDesk:
    made = ContractDesk(PERP, instrument("ETH-USDT-20261225", future()))
    made.tables.marks.newest["BTC-USDT-PERP"] = mark(60_000, START_US)
    return made


def tell(party: str, number: int = 1, **changes: Any) -> m.TellTrade:
    view = replace(TRADE, **changes)
    return m.TellTrade(f"tell-{party}-{number}", min(view.buyer_id, view.seller_id), party, view, "key")


# -- one partition -----------------------------------------------------------------------------------------------------


def test_two_equal_views_are_novated_in_one_record() -> None:
    made = desk()
    alleged = made.command(tell("bob"))
    assert (alleged.state, alleged.first_id, alleged.legs) == ("ALLEGED", "bob", ())
    novated = made.command(tell("ann"))
    assert (novated.state, novated.actor, novated.account_id) == ("NOVATED", "house", "ann")
    assert [(leg.account_id, leg.side, leg.quantity_e8, leg.price_e8) for leg in novated.legs] == [
        ("ann", "BUY", 3 * E8, 60_000 * E8), ("bob", "SELL", 3 * E8, 60_000 * E8),
    ]  # fmt: skip
    assert len({novated.trade_id, *(leg.leg_id for leg in novated.legs)}) == 3, "one closed, two open"
    assert accounts(made.state)["ann"]["trades"][0]["waiting"] == sorted(leg.leg_id for leg in novated.legs)
    made.check()


def test_each_leg_is_booked_once_and_confirmed() -> None:
    made = desk()
    made.command(tell("bob"))
    novated = made.command(tell("ann"))
    accounts_of = {leg.leg_id: leg.account_id for leg in novated.legs}
    for number, sent in enumerate(bilateral.legs_asked(bilateral.known_after(novated))):
        entry = made.command(sent.command)
        assert (entry.account_id, entry.external_reference) == (accounts_of.pop(entry.entry_id), "UTI-1")
        again = made.command(sent.command)
        assert again.reason == "COMMAND_REPEATED"
        told, retold = bilateral.told_home(entry), bilateral.told_home(again)
        assert told == retold and told is not None and told.account_id == "ann"
        confirmed = made.command(told.command)
        assert confirmed.left == 1 - number
        given = bilateral.confirm(made.state, None, told.command)  # type: ignore[arg-type]
        assert given is None, "known already"
    assert made.state.trades == {} and novated.trade_id in made.state.traded.ids
    assert [made.position(who, "BTC-USDT-PERP").quantity_e8 for who in ("ann", "bob")] == [3 * E8, -3 * E8]
    assert made.cash("house:clearing", "BTC-USDT-PERP") == 0, "the house is flat"
    assert "has ended" in made.command(tell("ann")).detail
    made.check()


def test_a_mismatch_is_shown_and_mended() -> None:
    made = desk()
    made.command(tell("ann"))
    seen = made.command(tell("bob", price_e8=60_001 * E8))
    assert seen.state == "MISMATCHED"
    assert seen.differences == (m.TradeDifference("price_e8", "6000000000000", "6000100000000"),)
    assert made.command(tell("bob", 2)).state == "NOVATED"
    made.check()


REFUSED = [
    ({"seller_id": "zoe"}, "account zoe is not open"),
    ({"instrument_id": "BTC-USDT"}, "no contract of the reference data"),
    ({"quantity_e8": E8 // 2}, "no multiple"),
    ({"price_e8": 0}, "price must be above zero"),
    ({"price_e8": 67_000 * E8}, "outside the collar"),
    ({"quantity_e8": 10**5 * E8}, "above the limit of ann"),
    ({"instrument_id": "ETH-USDT-20261225", "price_e8": E8}, "no mark that is fresh enough"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_the_house_does_not_step_between_where_a_limit_forbids_it(changes: dict[str, Any], words: str) -> None:
    made = desk()
    view = replace(TRADE, **changes)
    made.command(tell(view.buyer_id, **changes))
    refused = made.command(tell(view.seller_id, **changes))
    assert refused.state == "REFUSED" and refused.legs == () and words in refused.detail
    assert made.state.trades == {} and view.reference == "UTI-1"
    made.check()


def test_a_halted_party_and_an_ended_contract_are_refused() -> None:
    made = desk()
    made.reference.trading_states["bob"] = "REDUCING"
    made.command(tell("ann"))
    assert "account bob may not trade now" in made.command(tell("bob")).detail
    gone = desk()
    gone.reference.instruments["BTC-USDT-PERP"] = instrument("BTC-USDT-PERP", terms(), tradable=False)
    gone.command(tell("ann"))
    assert "not traded any more" in gone.command(tell("bob")).detail


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (replace(tell("ann"), account_id="bob"), "the home of this trade is ann"),
        (tell("cat"), "neither buyer nor seller"),
        (tell("ann", quantity_e8=0), "quantity"),
        (m.EndTrade("e", "ann", "ann", "0" * 32, "WITHDRAW", "?", "key"), "is not open"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_makes_no_sense_is_refused_by_name(command: Any, words: str) -> None:
    answer = desk().command(command)
    assert isinstance(answer, m.ClearingRefused) and words in answer.detail


def test_a_side_withdraws_or_rejects_and_a_third_does_neither() -> None:
    for action, who, other, state in (
        ("WITHDRAW", "ann", "bob", "WITHDRAWN"), ("REJECT", "bob", "ann", "REJECTED"),
    ):  # fmt: skip
        made = desk()
        trade_id = made.command(tell("ann")).trade_id
        for wrong in (other, "cat"):
            command = m.EndTrade("e", "ann", wrong, trade_id, action, "typo", "key")  # type: ignore[arg-type]
            assert isinstance(made.command(command), m.ClearingRefused)
        ended = made.command(m.EndTrade("f", "ann", who, trade_id, action, "typo", "key"))  # type: ignore[arg-type]
        assert (ended.state, ended.detail) == (state, "typo")
        made.check()


def test_time_runs_out_by_the_clock_alone() -> None:
    made = desk()
    made.command(tell("ann"))
    expires_at_us = made.events[-1].expires_at_us
    assert expires_at_us == made.now_us + AFFIRM_WITHIN_US
    made.now_us = expires_at_us - 2
    with pytest.raises(AssertionError):  # The desk wants an event, and there is none.
        made.take(Tick(made.now_us), m.Cause("timer", 0, -1, "1"))
    ended = made.take(Tick(made.now_us), m.Cause("timer", 0, -1, "2"))
    assert (ended.state, ended.actor) == ("EXPIRED", "clock")
    made.check()


# -- eight partitions, killed ------------------------------------------------------------------------------------------

BUYER, SELLER = "ann", "bob"


class World:
    """Clearing alone on a simulated cluster, one process that may be killed."""

    def __init__(self, seed: int) -> None:
        self.broker = SimBroker(seed)
        self._runner: Runner[Any] | None = None
        self.lose = 0
        self._write(
            REFERENCE_EVENTS,
            m.InstrumentSet(some_meta(), "k", "x", PERP),
            *(m.AccountOpened(some_meta(), "k", "x", name, name) for name in (BUYER, SELLER)),
        )
        self._write(MARKET_MARKS, mark(60_000, self.broker.wall_us()))
        self.start()

    def _write(self, topic: Any, *events: Any) -> None:
        cause = m.Cause("test", 0, -1, "1")
        self.broker.produce(Part(topic.name, 0), b"", encode(m.Began(m.Meta(1, 0, cause, 0, "b", ""), "0")))
        for sequence, event in enumerate(events, 1):
            meta = m.Meta(1, sequence, cause, 0, f"{topic.name}-{sequence}", "")
            self.broker.produce(Part(topic.name, 0), b"", encode(replace(event, meta=meta)))

    def start(self) -> None:
        """A new process; the one before is dead."""
        if self._runner is not None:
            self._runner.log.crash()  # type: ignore[attr-defined]
        configured = Settings(instance="0", snapshot_every_records=3, snapshot_every_seconds=1)
        runner: Runner[Any] = Runner(SERVICE, self.broker.log("clearing0"), configured)

        def append(part: Part, key: bytes, value: bytes, headers: Any, token: Any) -> None:
            if self.lose > 0:
                self.lose -= 1
            else:
                runner.log.append(part, key, value, headers, token)

        runner.effects = Session(append)
        runner.start()
        self._runner = runner

    def send(self, command: Any) -> None:
        partition = ids.partition_of(command.account_id, PARTITIONS)
        self.broker.produce(Part(CLEARING_COMMANDS.name, partition), command.account_id.encode(), encode(command))

    def turn(self) -> None:
        assert self._runner is not None
        self.broker.advance(20_000)
        self._runner.turn(0.0)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.02)):
            self.turn()

    def tape(self, account_id: str) -> Iterator[Any]:
        """What counts on an account's partition."""
        part = Part(CLEARING_ENTRIES.name, ids.partition_of(account_id, PARTITIONS))
        reader = Reader(*part)
        for record in self.broker.records(part):
            message: Any = decode(record.value or b"")
            if reader.accept(message, record.offset):
                yield message

    def state(self, account_id: str) -> Any:
        assert self._runner is not None
        return self._runner._owned[ids.partition_of(account_id, PARTITIONS)].state

    def check(self) -> None:
        """Both legs are booked once, each in its own partition; the house is flat; nothing is waited for."""
        assert ids.partition_of(BUYER, PARTITIONS) != ids.partition_of(SELLER, PARTITIONS)
        house = 0
        for who, quantity_e8 in ((BUYER, 3 * E8), (SELLER, -3 * E8)):
            entries = [one for one in self.tape(who) if isinstance(one, m.EntryBooked)]
            assert [one.account_id for one in entries] == [who]
            assert entries[0].position is not None and entries[0].position.quantity_e8 == quantity_e8
            house += sum(
                one.amount_e8
                for one in entries[0].lines
                if one.account == "house:clearing" and one.asset == "BTC-USDT-PERP"
            )
        assert house == 0
        home = list(self.tape(BUYER))
        assert sum(isinstance(one, m.TradeChanged) and one.state == "NOVATED" for one in home) == 1
        assert [one.left for one in home if isinstance(one, m.LegConfirmed)] == [1, 0]
        assert self.state(BUYER).trades == {}
        state = SERVICE.initial()
        for one in home:
            state = state if isinstance(one, m.Began) else SERVICE.evolve(state, one)
        assert snapshots.digest(state) == snapshots.digest(self.state(BUYER)), "replay is live"


def told(world: World) -> World:
    world.run(5)
    world.send(tell(SELLER))
    world.send(tell(BUYER))
    return world


@pytest.mark.parametrize("turns", range(14))
def test_killed_at_every_step_both_legs_are_booked_once(turns: int) -> None:
    world = told(World(turns))
    for _ in range(turns):
        world.turn()
    world.start()
    world.run(30)
    world.check()


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
def test_commands_that_are_lost_are_asked_for_again(lost: int) -> None:
    world = World(50 + lost)
    world.lose = lost
    told(world).run(60)
    world.check()
    again = [one for one in world.tape(BUYER) if isinstance(one, m.LegsAskedAgain)]
    assert [one.attempt for one in again] == list(range(1, len(again) + 1)) != []


def test_a_leg_that_nobody_confirms_is_asked_for_ever_more_rarely() -> None:
    made = desk()
    made.command(tell("ann"))
    made.command(tell("bob"))
    [known] = made.state.trades.values()
    gaps: list[int] = []
    for _ in range(12):
        before_us = known.asked_at_us
        made.now_us = before_us + (bilateral.ASK_AGAIN_US << min(len(gaps), bilateral.DOUBLED_MAX))
        asked = made.take(Tick(made.now_us), m.Cause("timer", 0, -1, str(len(gaps))))
        assert isinstance(asked, m.LegsAskedAgain) and asked.attempt == len(gaps) + 1
        gaps.append((known.asked_at_us - before_us) // 1_000_000)
    assert gaps == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 2560, 2560]
    assert len(bilateral.legs_asked(known)) == 2
    made.check()
