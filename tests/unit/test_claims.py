"""What a compression makes participants pay: claims on the books at once, paid from what has come in and from nothing
else, whatever the network does and whoever cannot pay."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking import payments
from services.clearing.otc import claims as service
from tests.unit.contract_desk import E8, START_US, instrument, terms
from tests.unit.desk import LAW, some_meta
from tests.unit.rounds_stage import MEMBERS, PERP, Stage, disturb
from tests.unit.test_audit_porting import Nothing, judged
from tests.unit.test_multilateral import accept_all, run_of, start, tell
from tests.unit.test_remainders import halt, resolve
from truetape import claims
from truetape import messages as m
from truetape.claims import CLAIM, FREE, IN, OUT, OWED, PENDING, settlement

DAY_US = 86_400_000_000
PAIRS = [
    ("ann", "bob", 100, 10_000),
    ("bob", "ann", 100, 9_900),
    ("cat", "bob", 100, 10_000),
    ("bob", "cat", 100, 9_950),
]
"""Ann pays bob 100, and cat pays him 50: contracts of 0.01 BTC."""


def compressed(cash: dict[str, int], deals: Any = PAIRS) -> Stage:
    """All have accepted, and what is on the way has arrived; nothing is paid yet."""
    stage = Stage(instrument(PERP, terms()))
    for name, amount in cash.items():
        if amount:
            stage.deposit(name, amount)
    for number, deal in enumerate(deals):
        tell(stage, f"UTI-{number}", deal)
    start(stage)
    stage.run(5)
    for party in run_of(stage).participants:
        stage.command(m.AnswerCompression(f"a-{party}", service.HOUSE, run_of(stage).run_id, party, True, "", "key"))
    while not stage.events(m.RoundDecided) or any(at.state.rounds.here for at in stage.partitions):
        stage.deliver(0)
    return stage


def claim(stage: Stage, name: str) -> int:
    return stage.balance(f"claim:{name}")


def settled(stage: Stage) -> None:
    """Nothing is left of any claim."""
    assert stage.done() and not any(at.state.claims for at in stage.partitions)
    assert {claim(stage, name) for name in MEMBERS} == {0} and stage.balance(service.HOUSE) == 0
    stage.check()


def test_claims_are_on_the_books_with_the_compression_and_are_paid_in_cash() -> None:
    stage = compressed({"ann": 500, "bob": 7, "cat": 500})
    assert {name: claim(stage, name) for name in ("ann", "bob", "cat")} == {"ann": -100, "bob": 150, "cat": -50}
    assert stage.balance(service.HOUSE) == 0 and stage.cash("ann") == 500, "nothing has moved yet"
    stage.check()
    stage.run(20)
    assert {name: stage.cash(name) for name in ("ann", "bob", "cat")} == {"ann": 400, "bob": 157, "cat": 450}
    settled(stage)


def test_who_has_a_claim_gets_what_has_come_in_and_the_rest_once_it_comes() -> None:
    """Ann has 30 of the 100 that she owes; bob gets it with cat's 50, and ann's 70 when she has them."""
    stage = compressed({"ann": 30, "bob": 0, "cat": 500})
    stage.run(20)
    assert (claim(stage, "ann"), claim(stage, "bob"), stage.cash("bob"), stage.cash("ann")) == (-70, 70, 80, 0)
    rounds = len(stage.events(m.RoundOpened))
    stage.run(120)
    assert len(stage.events(m.RoundOpened)) <= rounds + 5, "it is looked for later each time"
    stage.deposit("ann", 100)
    for _ in range(200):
        stage.tick(600)
        stage.run(1)
    assert (stage.cash("ann"), stage.cash("bob")) == (30, 150)
    settled(stage)


def test_what_contracts_need_is_not_paid_away() -> None:
    """Ann is long 100 contracts of 0.01 BTC at 10 000: a tenth of 10 000 stays; of 1 050 she pays 50."""
    stage = compressed({"ann": 1_050, "bob": 0, "cat": 500})
    stage.tables.reference.instruments[PERP] = instrument(PERP, terms(mark_max_age_us=DAY_US))
    stage.tables.marks.newest[PERP] = m.MarkPublished(
        some_meta(), PERP, 10_000 * E8, E8, E8, "alpha", 7, stage.now_us, 0
    )
    stage.trade("ann", "BUY", 100, 10_000, PERP)
    stage.trade("dan", "SELL", 100, 10_000, PERP)
    stage.run(20)
    assert (stage.cash("ann"), claim(stage, "ann"), stage.cash("bob")) == (1_000, -50, 100)


def test_what_was_lost_since_it_was_stated_is_not_paid() -> None:
    """Ann could pay 100 when she was asked; by the time it is booked she has 50."""
    stage = compressed({"ann": 500, "bob": 0, "cat": 500})
    while not any(one.round.kind == "COMPRESSION_REST" for one in stage.events(m.RoundDecided)):
        stage.deliver(0) if stage.wire else stage.tick()
    stage.lose_money("ann", 450)
    stage.run(3)
    assert (stage.cash("ann"), claim(stage, "ann")) == (450, -50), "the loss is not settled yet, and counts"
    stage.check()


def test_who_cannot_pay_is_asked_once_a_day_in_the_end() -> None:
    stage = compressed({"ann": 0, "bob": 0, "cat": 500})
    asked = []
    for _ in range(3):
        for _ in range(24 * 6):
            stage.tick(600)
            stage.run(1)
        asked.append(len(stage.events(m.RoundOpened)))
    assert 1 <= asked[2] - asked[1] <= 3, asked


def test_who_is_halted_neither_pays_nor_gets_until_it_is_resolved() -> None:
    for who in ("ann", "bob"):
        stage = compressed({"ann": 500, "bob": 0, "cat": 500})
        halt(stage, who)
        stage.run(60)
        assert not stage.done() and stage.cash(who) in (500, 0)
        assert stage.cash("bob") == (50 if who == "ann" else 0)
        resolve(stage, who, release=True)
        for _ in range(60):
            stage.tick(60)
            stage.run(1)
        assert (stage.cash("ann"), stage.cash("bob")) == (400, 150)
        settled(stage)


def test_what_is_paid_falls_due_by_the_calendar_and_is_netted_with_all_else() -> None:
    made = compressed({"ann": 500, "bob": 0, "cat": 500})
    made.tables.reference.calendars["USDT"] = m.SettlementCalendar("USDT", 1, 2, (6, 7), ())
    made.run(20)
    known = made.of("bob").state.payments["bob"]
    assert {day: sorted(dues["USDT"]) for day, dues in known.days.items()} == {"2023-11-16": ["compression"]}
    made.now_us = START_US + DAY_US
    moved = {}
    for name in ("ann", "bob", "cat"):
        [one] = made.command(m.NetPayments(f"n-{name}", name, "2023-11-16", "desk")).instructions
        moved[name] = one.amount_e8 // E8
        assert set(one.parts) == {payments.COMPRESSION} and one.run == 1
    assert moved == {"ann": -100, "bob": 150, "cat": -50}, "as the ledger moved"


amounts = st.dictionaries(st.sampled_from(MEMBERS), st.integers(0, 60), max_size=5)
deals = st.lists(
    st.tuples(st.sampled_from(MEMBERS), st.sampled_from(MEMBERS), st.integers(1, 9), st.integers(90, 130)).filter(
        lambda deal: deal[0] != deal[1]
    ),
    min_size=2, max_size=9,
)  # fmt: skip


@settings(LAW, max_examples=20)
@given(data=st.data(), cash=amounts, drawn=deals)
def test_nobody_is_paid_with_anothers_money_whatever_the_network_does(
    data: st.DataObject, cash: dict[str, int], drawn: list[Any]
) -> None:
    stage = Stage(instrument(PERP, terms()))
    for name, amount in cash.items():
        stage.deposit(name, amount) if amount else None
    for number, deal in enumerate(drawn):
        tell(stage, f"UTI-{number}", (*deal[:3], deal[3] * 100))
    start(stage)
    stage.run(5)
    if run_of(stage).state == "PROPOSED":
        accept_all(stage)
    total = sum(cash.values())
    for _ in range(data.draw(st.integers(0, 4), label="times")):
        disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
        who, more = data.draw(st.sampled_from(MEMBERS)), data.draw(st.integers(1, 90))
        stage.deposit(who, more)
        total += more
        if data.draw(st.booleans(), label="halts"):
            halt(stage, data.draw(st.sampled_from(MEMBERS), label="who"))
    for name in MEMBERS:
        resolve(stage, name, data.draw(st.booleans(), label=f"{name} is released"))
    stage.run(40)
    books = stage.books()
    cashes = {name: books.get(f"client:{name}", {}).get("USDT", 0) for name in MEMBERS}
    assert min(cashes.values()) >= 0 and sum(cashes.values()) <= total * E8
    claimed_e8 = sum(sums.get("USDT", 0) for name, sums in books.items() if name.startswith("claim:"))
    come_e8 = sum(known.in_e8 - known.out_e8 for at in stage.partitions for known in at.state.claims.values())
    assert come_e8 >= 0 and claimed_e8 - come_e8 == -books.get(service.HOUSE, {}).get("USDT", 0)
    stage.check()


holdings = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-50, 50), st.integers(0, 60), st.integers(-9, 9)), max_size=6,
    unique_by=lambda one: one[0],
)  # fmt: skip


@LAW
@given(drawn=holdings, come=st.integers(0, 90), gone=st.integers(0, 90))
def test_payments_are_within_claims_and_what_is_there(drawn: list[Any], come: int, gone: int) -> None:
    stated = [m.RoundHolding("", "USDT", {IN: come + gone, OUT: gone})]
    for who, open_e8, free_e8, pending_e8 in drawn:
        waits_e8 = max(0, min(pending_e8, open_e8)) if open_e8 > 0 else min(0, max(pending_e8, open_e8))
        stated.append(m.RoundHolding(who, "USDT", {CLAIM: open_e8, FREE: free_e8}))
        stated.append(m.RoundHolding(who, "USDT", {PENDING: waits_e8}))
    found = settlement({OWED: 100}, stated)
    claimed, free = {one[0]: one[1] for one in drawn}, {one[0]: one[2] for one in drawn}
    for who, amount_e8 in found.legs.items():
        assert amount_e8 and min(0, claimed[who]) <= amount_e8 <= max(0, claimed[who])
        assert amount_e8 > 0 or -amount_e8 <= free[who]
    assert sum(max(0, one) for one in found.legs.values()) <= come
    assert found.left_e8 == 100 - gone


def test_planted_payment_before_anything_has_come_in_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: home pays who has a claim in full at once."""
    real = claims.settlement

    def generous(numbers: Any, stated: Any) -> Any:
        found, claimed = real(numbers, stated), [one for one in stated if one.numbers.get(CLAIM, 0) > 0]
        whole = {one.account_id: one.numbers[CLAIM] for one in claimed}
        return claims.Settlement(found.legs | whole, found.left_e8)

    stage = compressed({"ann": 30, "bob": 0, "cat": 500})
    monkeypatch.setattr(claims, "settlement", generous)
    stage.run(20)
    monkeypatch.undo()
    found = judged(stage, None, Nothing, lambda event: event)
    assert "claims are paid from what has come in" in {one.what for one in found.kept}


@pytest.mark.parametrize(
    ("rule", "kind", "change"),
    [
        ("a compression claims what it said", m.RoundDecided, lambda event: _leg(event, "COMPRESSION")),
        ("claims are paid from what has come in", m.RoundDecided, lambda event: _leg(event, "SETTLEMENT_PAYMENT")),
        ("a round follows until all claims are settled", m.RoundDecided,
         lambda event: replace(event, outcome={}) if event.round.kind == "COMPRESSION_REST" else event),
        ("a claim is booked whole", m.EntryBooked, lambda event: _line(event, "COMPRESSION")),
        ("a claim is paid in cash", m.EntryBooked, lambda event: _line(event, "SETTLEMENT_PAYMENT")),
    ],
)  # fmt: skip
def test_a_lie_about_a_claim_is_found(rule: str, kind: type, change: Any) -> None:
    stage = compressed({"ann": 500, "bob": 0, "cat": 500})
    stage.run(20)
    settled(stage)
    found = judged(stage, None, kind, change)
    assert rule in {one.what for one in found.kept}


def _leg(event: m.RoundDecided, name: str) -> m.RoundDecided:
    """One unit more."""
    legs = [replace(leg, amount_e8=leg.amount_e8 + 1) if leg.event == name else leg for leg in event.legs]
    return replace(event, legs=tuple(legs))


def _line(event: m.EntryBooked, name: str) -> m.EntryBooked:
    """Twice as much."""
    if event.contract is None or event.contract.event != name:
        return event
    return replace(event, lines=tuple(replace(line, amount_e8=2 * line.amount_e8) for line in event.lines))
