"""Settlement prices, funding rates and expiries that pricing makes of recorded marks: by schedule, with evidence."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.contracts import LOOK_BACK_MAX_US
from services.pricing import core, schedule
from services.pricing.core import FactDelivered
from services.pricing.facts import FactSender
from services.pricing.recorded import EVERY_US, KEPT, Recorded
from tests.unit.contract_desk import E8, future, instrument, option, terms
from truetape import messages as m
from truetape import snapshots
from truetape.codec import decode, encode
from truetape.fixing import Observation, fix
from truetape.instruments import without_schedule
from truetape.marks import Marks
from truetape.messages import Cause
from truetape.reference import Reference
from truetape.sampling import fixing_terms
from truetape.service import DUE, Input, Tables, Tick

S = 1_000_000
MINUTE = 60 * S
HOUR = 3_600 * S
DAY = 24 * HOUR
EIGHT = 20_000 * DAY + 8 * HOUR
"""08:00 UTC of some day."""
PERP, FUTURE, CALL = "BTC-USDT-PERP", "BTC-USDT-20261225", "BTC-USDT-20261225-60000-C"
INDEX = "BTC-USDT"
LISTED = m.Listing("alpha", "BTCPERP", 1, E8, E8, 0, 0, 0)
DAILY: dict[str, Any] = {
    "fixing_window_us": 30 * MINUTE,
    "settlement_interval_us": DAY,
    "settlement_offset_us": 8 * HOUR,
}


class Pricing:
    """The core of pricing alone: its inputs in, its records out."""

    def __init__(self, *known: m.Instrument, since_us: int) -> None:
        self.reference = Reference()
        for one in known:
            self.reference.instruments[one.instrument_id] = one
        self.state, self.events, self._tables = core.State(), list[Any](), Tables(self.reference, Marks())
        self.tick(since_us)

    def mark(self, name: str, price: int, at_us: int) -> None:
        """A mark that was observed at this time; price in whole units."""
        self._apply(m.MarkPublished(
            m.Meta(1, 1, Cause("books", 0, -1, ""), at_us, "e", name), name, price * E8, 0, 0, "alpha", 1, at_us, 0
        ))  # fmt: skip

    def marks(self, name: str, price: int, since_us: int, until_us: int, every_us: int = 10 * S) -> None:
        """The same mark again and again."""
        for at_us in range(since_us, until_us + 1, every_us):
            self.mark(name, price, at_us)

    def tick(self, at_us: int) -> list[Any]:
        """A look at the clock, and all that it leads to."""
        before = len(self.events)
        self._decide(Tick(at_us), Cause("timer", 0, -1, str(at_us)), at_us)
        while (asked := core.due(self.state)) is not None:
            self._decide(asked[1], Cause(DUE, 0, -1, asked[0]), at_us)
        return self.events[before:]

    def facts(self, at_us: int) -> dict[str, m.ContractFact]:
        """What a look fixed, by contract and kind."""
        return {f"{e.fact.kind} {e.instrument_id}": e.fact for e in self.tick(at_us) if isinstance(e, m.ContractFixed)}

    def _decide(self, message: Any, cause: Cause, at_us: int) -> None:
        event = core.decide(self.state, Input(message, cause, at_us, "market.marks", 1, 1, self._tables))
        if event is not None:
            self._apply(event)
            self.events.append(event)

    def _apply(self, event: Any) -> None:
        assert decode(encode(event)) == event
        self.state = core.evolve(self.state, event)


def perpetual(**changes: Any) -> m.Instrument:
    listed = terms(**(DAILY | {"funding_step_us": HOUR} | changes))
    return msgspec.structs.replace(instrument(PERP, listed), listings=(LISTED,))


WAITED = schedule.WAIT_US


# -- funding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "index", "rule", "rate_e18"),
    [
        # mark    index   rule       per funding interval
        (60_060, 60_000, "PREMIUM", 10**15),
        (59_940, 60_000, "PREMIUM", -(10**15)),
        (60_000, 60_000, "PREMIUM", 0),
        (63_000, 60_000, "PREMIUM", 10**16),  # At the cap of 1 %.
        (60_060, 60_000, "DERIBIT", 10**15 - 25 * 10**13),  # Less the damper of 0.025 %.
        (60_006, 60_000, "DERIBIT", 0),
        (60_060, 60_000, "DERIVE", 10**15 // 8 + 10**14),  # An eighth, and the interest of 0.01 %.
        (60_000, 60_000, "HYPERLIQUID", 10**14 // 8),
    ],
)  # fmt: skip
def test_the_rate_follows_from_the_premium_by_the_contracts_rule(
    mark: int, index: int, rule: str, rate_e18: int
) -> None:
    interest_e8 = 0 if rule in ("PREMIUM", "DERIBIT") else E8 // 10_000
    changes: dict[str, Any] = {
        "funding_rule": rule,
        "funding_damper_rate_e8": 25_000,
        "funding_interest_rate_e8": interest_e8,
    }
    pricing = Pricing(perpetual(**changes), since_us=EIGHT)
    pricing.marks(PERP, mark, EIGHT, EIGHT + HOUR)
    pricing.marks(INDEX, index, EIGHT, EIGHT + HOUR)
    fact = pricing.facts(EIGHT + HOUR + WAITED)[f"FUNDING {PERP}"]
    assert (fact.fact_id, fact.effective_at_us) == (f"funding:{PERP}:{EIGHT + HOUR}", EIGHT + HOUR)
    assert fact.numbers["rate_e18"] == rate_e18
    assert (fact.numbers["samples"], fact.numbers["missing"], fact.numbers["elapsed_us"]) == (60, 0, HOUR)
    assert (fact.price_e8, fact.observed_at_us) == (index * E8, EIGHT + HOUR)


@pytest.mark.parametrize(
    ("quiet_minutes", "missing", "rate_e18"),
    [
        # The mark is away  samples missing, each counts as zero
        (0, 0, 10**15),
        (11, 10, 10**15 * 50 // 60),  # It holds for a minute.
        (31, 30, 10**15 // 2),
        (60, 59, 10**15 // 60),
    ],
)
def test_a_late_mark_makes_no_sample_and_a_missing_sample_counts_as_zero(
    quiet_minutes: int, missing: int, rate_e18: int
) -> None:
    pricing = Pricing(perpetual(), since_us=EIGHT)
    pricing.marks(PERP, 60_060, EIGHT, EIGHT + HOUR - quiet_minutes * MINUTE)
    pricing.marks(INDEX, 60_000, EIGHT, EIGHT + HOUR)
    found = pricing.facts(EIGHT + HOUR + WAITED)[f"FUNDING {PERP}"].numbers
    assert (found["missing"], found["rate_e18"]) == (missing, rate_e18)


def test_without_any_sample_or_with_a_late_index_an_operator_is_asked() -> None:
    pricing = Pricing(perpetual(), since_us=EIGHT)
    pricing.marks(INDEX, 60_000, EIGHT, EIGHT + HOUR)
    [_, no_mark] = pricing.tick(EIGHT + HOUR + WAITED)
    assert isinstance(no_mark, m.FixingMissing)
    assert (no_mark.kind, no_mark.numbers["missing"], no_mark.effective_at_us) == ("FUNDING", 60, EIGHT + HOUR)
    pricing.marks(PERP, 60_060, EIGHT + HOUR, EIGHT + 2 * HOUR)
    pricing.marks(INDEX, 60_000, EIGHT + HOUR, EIGHT + 2 * HOUR - 2 * MINUTE)
    [_, late_index] = pricing.tick(EIGHT + 2 * HOUR + WAITED)
    assert isinstance(late_index, m.FixingMissing)
    assert "truetape contracts fund" in late_index.reason


def test_a_time_that_nobody_looked_at_is_said_to_be_missing_in_one_piece() -> None:
    pricing = Pricing(perpetual(), since_us=EIGHT)
    for name, price in ((PERP, 60_060), (INDEX, 60_000)):
        pricing.marks(name, price, EIGHT + 4 * HOUR, EIGHT + 5 * HOUR)
    _, gap, step = pricing.tick(EIGHT + 5 * HOUR + WAITED)
    assert isinstance(gap, m.FixingMissing) and isinstance(step, m.ContractFixed)
    assert (gap.since_us, gap.effective_at_us, gap.numbers["elapsed_us"]) == (EIGHT, EIGHT + 4 * HOUR, 4 * HOUR)
    assert (step.fact.numbers["elapsed_us"], step.fact.numbers["rate_e18"]) == (HOUR, 10**15)


# -- settlement and expiry --------------------------------------------------------------------------------------------


def test_daily_settlement_averages_the_window_before_eight() -> None:
    pricing = Pricing(perpetual(funding_step_us=0), since_us=EIGHT - HOUR)
    pricing.marks(PERP, 50_000, EIGHT - HOUR, EIGHT - 30 * MINUTE - S)
    pricing.marks(PERP, 60_000, EIGHT - 30 * MINUTE, EIGHT - 15 * MINUTE - S)
    pricing.marks(PERP, 61_000, EIGHT - 15 * MINUTE, EIGHT)
    assert pricing.tick(EIGHT + WAITED - 1) == [], "prices from before may still come"
    fact = pricing.facts(EIGHT + WAITED)[f"SETTLEMENT_PRICE {PERP}"]
    assert fact.price_e8 == 60_500 * E8
    assert fact.ids | {"fixed_by": ""} == {"prices_of": PERP, "source": "WINDOW", "rule": "TIME", "fixed_by": ""}
    assert (fact.numbers["coverage_e8"], fact.numbers["window_us"]) == (E8, 30 * MINUTE)
    assert pricing.tick(EIGHT + WAITED + S) == [], "once"


def test_continuous_settlement_averages_since_the_one_before() -> None:
    pricing = Pricing(
        perpetual(settlement_interval_us=MINUTE, settlement_offset_us=0, funding_step_us=0), since_us=EIGHT
    )
    for minute in range(3):
        pricing.marks(PERP, 60_000 + minute, EIGHT + minute * MINUTE, EIGHT + (minute + 1) * MINUTE - S, S)
        fact = pricing.facts(EIGHT + (minute + 1) * MINUTE + WAITED)[f"SETTLEMENT_PRICE {PERP}"]
        assert (fact.price_e8, fact.effective_at_us) == ((60_000 + minute) * E8, EIGHT + (minute + 1) * MINUTE)


@pytest.mark.parametrize(
    ("covered_minutes", "last_seconds_before", "outcome"),
    [
        # of the 30-minute window
        (30, 0, ("WINDOW", 60_000)),
        (16, 0, ("WINDOW", 60_000)),
        (10, 0, ("LAST", 60_000)),  # Less than half: the last price, which is young enough.
        (10, 59, ("LAST", 60_000)),
        (10, 61, None),  # Too old for the contract: an operator has to name it.
        (0, None, None),
    ],
)  # fmt: skip
def test_an_expiry_falls_back_to_the_last_price_and_then_to_an_operator(
    covered_minutes: int, last_seconds_before: int | None, outcome: tuple[str, int] | None
) -> None:
    ends = future(expires_at_us=EIGHT, **DAILY)
    pricing = Pricing(instrument(FUTURE, ends), since_us=EIGHT - HOUR)
    if last_seconds_before is not None:
        last_us = EIGHT - last_seconds_before * S
        pricing.marks(INDEX, 60_000, last_us - covered_minutes * MINUTE, last_us)
    made = pricing.tick(EIGHT + WAITED)[1:]
    assert len(made) == 1, "expiry takes the place of the day's settlement"
    if outcome is None:
        assert isinstance(made[0], m.FixingMissing) and made[0].kind == "EXPIRY"
        return
    fact = made[0].fact
    assert (fact.kind, fact.fact_id) == ("EXPIRY", f"expiry:{FUTURE}")
    assert (fact.ids["source"], fact.price_e8) == (outcome[0], outcome[1] * E8)
    assert fact.effective_at_us - fact.observed_at_us <= ends.mark_max_age_us, "so that the ledger takes it"
    assert pricing.tick(EIGHT + DAY) == [], "an expired contract owes nothing"


def test_what_is_due_at_one_time_comes_in_order() -> None:
    """Funding before settlement, settlement before expiry, cash before what is delivered."""
    known = (
        perpetual(), instrument(FUTURE, future(expires_at_us=EIGHT, delivery="PHYSICAL", **DAILY)),
        instrument(CALL, option("CALL", 60_000, expires_at_us=EIGHT, fixing_window_us=30 * MINUTE)),
    )  # fmt: skip
    pricing = Pricing(*known, since_us=EIGHT - HOUR)
    for name in (PERP, INDEX):
        pricing.marks(name, 60_000, EIGHT - HOUR, EIGHT)
    made = [(event.fact.kind, event.instrument_id) for event in pricing.tick(EIGHT + WAITED)[1:]]
    assert made == [("FUNDING", PERP), ("SETTLEMENT_PRICE", PERP), ("EXPIRY", CALL), ("EXPIRY", FUTURE)]


def test_a_contract_without_a_schedule_is_an_operators() -> None:
    assert Pricing(instrument(FUTURE, future(expires_at_us=EIGHT)), since_us=EIGHT).tick(EIGHT + DAY) == []


@given(
    st.lists(st.tuples(st.integers(0, 40 * 60), st.integers(1, 100_000)), max_size=60),
    st.sampled_from(["TIME", "SAMPLES"]),
)
def test_the_fixing_is_what_the_recorded_prices_give(seen: list[tuple[int, int]], rule: str) -> None:
    """Whatever was recorded: the same price, source and coverage as truetape/fixing.py says, or the same refusal."""
    ends = future(expires_at_us=EIGHT, fixing_rule=rule, **DAILY)
    pricing = Pricing(instrument(FUTURE, ends), since_us=EIGHT - HOUR)
    kept: list[Observation] = []
    for seconds, price in sorted(seen, key=lambda one: one[0]):
        at_us = EIGHT - 40 * MINUTE + seconds * S
        pricing.mark(INDEX, price, at_us)
        if not kept or at_us > kept[-1].at_us:
            kept.append(Observation(at_us, price * E8))
    made = pricing.tick(EIGHT + WAITED)[1]
    try:
        wanted = fix(fixing_terms(ends, "EXPIRY"), EIGHT, kept)
    except Exception as error:
        assert made.reason == str(error)
        return
    assert (made.fact.price_e8, made.fact.ids["source"]) == (wanted.price_e8, wanted.source)
    assert made.fact.numbers["coverage_e8"] == wanted.coverage_e8


@given(st.lists(st.integers(1, 3 * HOUR), min_size=1, max_size=30))
def test_however_it_is_looked_at_each_time_is_covered_once(pauses_us: list[int]) -> None:
    """Steps of funding, made or missing, follow each other without a gap and without an overlap."""
    pricing, now_us = Pricing(perpetual(), since_us=EIGHT), EIGHT
    for pause_us in pauses_us:
        for name in (PERP, INDEX):
            pricing.mark(name, 60_000, now_us)
        now_us += pause_us
        pricing.tick(now_us)
    at_us = EIGHT
    for event in pricing.events:
        if isinstance(event, m.FixingsDue):
            for asked in event.due:
                if asked.kind == "FUNDING":
                    assert asked.since_us == at_us < asked.effective_at_us <= now_us
                    at_us = asked.effective_at_us
    assert now_us - at_us < HOUR + WAITED
    ids = [event.fact.fact_id for event in pricing.events if isinstance(event, m.ContractFixed)]
    assert len(ids) == len(set(ids))


# -- sending ----------------------------------------------------------------------------------------------------------


class Wire:
    """Commands that were written, with who wants to hear of each."""

    def __init__(self) -> None:
        self.written: list[tuple[int, Any]] = []
        self.offered: list[Any] = []

    def append(self, part: Any, key: bytes, value: bytes, headers: Sequence[Any], token: Any) -> None:
        assert isinstance(decode(value), m.TakeContractFact)
        self.written.append((part.partition, token))

    def offer(self, partition: int, source: str, id: str, message: Any) -> None:
        self.offered.append(message)


def test_a_fact_counts_as_sent_when_every_partition_has_it() -> None:
    wire = Wire()
    sender = FactSender(wire.append, wire.offer)
    fact = m.ContractFact("f-1", "FUNDING", PERP, 1, 1, "pricing", E8, {}, {})
    sender.send(fact)
    assert [partition for partition, _ in wire.written] == list(range(8))
    for _, token in wire.written:
        assert wire.offered == []
        token.heard(7)
    assert wire.offered == [FactDelivered(PERP, "f-1")]


def test_who_no_longer_owns_the_marks_hears_nothing() -> None:
    wire = Wire()
    sender = FactSender(wire.append, wire.offer)
    sender.send(m.ContractFact("f-1", "FUNDING", PERP, 1, 1, "pricing", E8, {}, {}))
    sender.forget()
    for _, token in wire.written:
        token.heard(7)
    assert (len(wire.written), wire.offered) == (8, [])


@pytest.mark.parametrize("name", [PERP, FUTURE, CALL])
def test_a_contract_that_ended_before_its_expiry_has_no_schedule_any_more(name: str) -> None:
    made = {
        PERP: terms(**DAILY, funding_step_us=HOUR, funding_interval_us=8 * HOUR),
        FUTURE: future(**DAILY),
        CALL: option("CALL", 60_000, fixing_window_us=30 * MINUTE),
    }[name]
    one = instrument(name, msgspec.structs.replace(made, expires_at_us=None if name == PERP else EIGHT))
    followed = {name: schedule.Followed(EIGHT - 3 * DAY, EIGHT - 3 * DAY)}
    assert schedule.due({name: one}, followed, EIGHT + HOUR)
    ended = without_schedule(one)
    assert schedule.due({name: ended}, followed, EIGHT + HOUR) == ()
    assert schedule.unfollowed([ended], {}) == ()


def test_prices_are_recorded_once_a_second_and_the_oldest_go_first() -> None:
    seen = Recorded()
    size = len(seen.ring)
    for step in range(4 * KEPT):
        seen.record(step * EVERY_US // 2, step)
    kept = seen.observations()
    assert [one.at_us for one in kept] == [number * EVERY_US for number in range(KEPT, 2 * KEPT)]
    assert [one.price_e8 for one in kept] == [2 * number for number in range(KEPT, 2 * KEPT)]
    assert kept[-1].at_us - kept[0].at_us > LOOK_BACK_MAX_US
    assert len(seen.ring) == size
    assert msgspec.msgpack.decode(snapshots.pack(seen), type=Recorded) == seen


def test_a_clock_that_is_set_back_fills_no_memory() -> None:
    seen = Recorded()
    seen.record(10 * S, 1)
    seen.record(10 * S + S // 2, 2)  # Too near.
    seen.record(9 * S, 3)
    assert seen.observations() == [Observation(10 * S, 1), Observation(9 * S, 3)]
    for step in range(3 * KEPT):
        seen.record(step % 2 * 7 * S, step)
    assert len(seen.observations()) == KEPT
