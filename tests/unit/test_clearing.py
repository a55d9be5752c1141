"""What clearing books, in rows: fills, fees, rounding, transfers, what it refuses, and what a halted account means."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.clearing.booking import ledger
from services.clearing.booking.ledger import AccountHalted, EntryRepeated, NotCorrectable, QuoteContradicted
from services.clearing.books import accounts
from services.clearing.core import SERVICE
from services.clearing.state import FILLS_KEPT, State
from tests.unit.desk import ANN, BOB, Desk, approved, fill, rows, some_meta, submit, tables, terms, transfer
from truetape import messages as m
from truetape import snapshots
from truetape.codec import encode
from truetape.errors import MoneyError
from truetape.money import from_e8, to_e8

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"


def shown(entry: m.EntryBooked) -> list[str]:
    return [f"{line.account} {line.asset} {from_e8(line.amount_e8)} {line.purpose}" for line in entry.lines]


def book(*inputs: Any) -> Desk[State]:
    desk = Desk(SERVICE)
    for one in inputs:
        desk.give(one)
    return desk


def held(desk: Desk[State], account: str) -> dict[str, str]:
    return {asset: from_e8(amount) for asset, amount in desk.state.balances.get(account, {}).items() if amount}


# The house takes 0.05 % of makers and 0.1 % of takers; `quote` is what the venue says, where it is not plain.
TRADES = """
given                                         | line
BUY 1 60000                                   | client:ann BTC 1 principal
                                              | client:ann USDT -60000 principal
                                              | venue:alpha BTC -1 principal
                                              | venue:alpha USDT 60000 principal
                                              | client:ann USDT -60 house_fee
                                              | house:fees USDT 60 house_fee
SELL 2 100 MAKER                              | client:ann BTC -2 principal
                                              | client:ann USDT 200 principal
                                              | venue:alpha BTC 2 principal
                                              | venue:alpha USDT -200 principal
                                              | client:ann USDT -0.1 house_fee
                                              | house:fees USDT 0.1 house_fee
BUY 1 60000 fee=0.00075 fee_asset=BTC         | client:ann BTC 1 principal
                                              | client:ann USDT -60000 principal
                                              | venue:alpha BTC -1 principal
                                              | venue:alpha USDT 60000 principal
                                              | client:ann BTC -0.00075 venue_fee
                                              | venue:alpha BTC 0.00075 venue_fee
                                              | client:ann USDT -60 house_fee
                                              | house:fees USDT 60 house_fee
SELL 1 60000 fee=-6 fee_asset=BNB             | client:ann BTC -1 principal
                                              | client:ann USDT 60000 principal
                                              | venue:alpha BTC 1 principal
                                              | venue:alpha USDT -60000 principal
                                              | client:ann BNB 6 venue_fee
                                              | venue:alpha BNB -6 venue_fee
                                              | client:ann USDT -60 house_fee
                                              | house:fees USDT 60 house_fee
BUY 0.33333333 3.1 quote=1.03333332           | client:ann BTC 0.33333333 principal
                                              | client:ann USDT -1.03333333 principal
                                              | venue:alpha BTC -0.33333333 principal
                                              | venue:alpha USDT 1.03333332 principal
                                              | house:rounding USDT 0.00000001 rounding
                                              | client:ann USDT -0.00103334 house_fee
                                              | house:fees USDT 0.00103334 house_fee
SELL 0.33333333 3.1 quote=1.03333333          | client:ann BTC -0.33333333 principal
                                              | client:ann USDT 1.03333332 principal
                                              | venue:alpha BTC 0.33333333 principal
                                              | venue:alpha USDT -1.03333333 principal
                                              | house:rounding USDT 0.00000001 rounding
                                              | client:ann USDT -0.00103334 house_fee
                                              | house:fees USDT 0.00103334 house_fee
BUY 0.33333333 3.1 quote=1.0333334            | client:ann BTC 0.33333333 principal
                                              | client:ann USDT -1.03333333 principal
                                              | venue:alpha BTC -0.33333333 principal
                                              | venue:alpha USDT 1.0333334 principal
                                              | house:rounding USDT -0.00000007 rounding
                                              | client:ann USDT -0.00103334 house_fee
                                              | house:fees USDT 0.00103334 house_fee
"""


def trade_rows() -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = []
    for text in TRADES.strip().splitlines()[1:]:
        given, line = (part.strip() for part in text.split("|"))
        if given:
            rows.append((given, []))
        rows[-1][1].append(line)
    return rows


def parsed(given: str) -> m.OrderFilled:
    words = given.split()
    named: dict[str, Any] = dict(word.split("=") for word in words if "=" in word)
    if "MAKER" in words:
        named["liquidity"] = "MAKER"
    return fill("BUY" if words[0] == "BUY" else "SELL", words[1], words[2], **named)


@pytest.mark.parametrize(("given", "lines"), trade_rows(), ids=[given for given, _ in trade_rows()])
def test_a_fill_is_booked_as(given: str, lines: list[str]) -> None:
    entry = Desk(SERVICE).give(parsed(given))
    assert shown(entry) == lines


def test_a_fills_entry_names_its_fill_its_rule_and_the_position() -> None:
    entry = Desk(SERVICE).give(fill("BUY", "0.5", "60000", "77", order_id="o-1"))
    assert (entry.entry_id, entry.execution_id, entry.order_id, entry.kind) == (
        "alpha:BTCUSDT:77", "alpha:BTCUSDT:77", "o-1", "TRADE",
    )  # fmt: skip
    assert entry.rule == "trade, TAKER fee 100000e-8 rounded up"
    assert entry.filled_e8 == to_e8("0.5") and entry.realised_e8 == 0
    assert entry.position == m.Position("BTC-USDT", to_e8("0.5"), to_e8("30000"), 0)
    assert entry.meta.correlation_id == "o-1"


@pytest.mark.parametrize(
    ("rate_e8", "quote_e8", "fee_e8"),
    [
        (100_000, 10_000, 10),
        (100_000, 10_001, 11),
        (100_000, 1, 1),
        (0, 10_001, 0),
        (-100_000, 10_000, -10),
        (-100_000, 10_999, -10),  # A rebate is cut, not rounded up: against the client both ways.
        (-100_000, 999, 0),
    ],
)
def test_the_house_fee_is_rounded_against_the_client(rate_e8: int, quote_e8: int, fee_e8: int) -> None:
    assert ledger.house_fee_e8(quote_e8, m.Fees(0, rate_e8), "TAKER") == fee_e8
    assert ledger.house_fee_e8(quote_e8, m.Fees(rate_e8, 0), "MAKER") == fee_e8


def test_fees_are_the_accounts_own_where_it_has_some() -> None:
    using = tables()
    using.reference.fees[ANN] = m.Fees(0, 200_000)
    desk = Desk(SERVICE, using)
    assert shown(desk.give(fill("BUY", "1", "100")))[-1] == "house:fees USDT 0.2 house_fee"
    assert shown(desk.give(fill("BUY", "1", "100", "2", account_id=BOB)))[-1] == "house:fees USDT 0.1 house_fee"


def test_transfers_move_between_the_client_and_the_mirror_where_they_arrive() -> None:
    desk = Desk(SERVICE)
    deposit = desk.give(approved(transfer("1000", location="bank:settlement", reference="wire 7")))
    assert shown(deposit) == ["client:ann USDT 1000 deposit", "bank:settlement USDT -1000 deposit"]
    assert (deposit.kind, deposit.external_reference, deposit.rule) == ("DEPOSIT", "wire 7", "transfer")
    assert deposit.entry_id == transfer("1000", reference="wire 7").transfer_id
    out = desk.give(approved(transfer("-250", location="venue:beta", reference="2")))
    assert shown(out) == ["client:ann USDT -250 withdrawal", "venue:beta USDT 250 withdrawal"]
    assert out.kind == "WITHDRAWAL"
    assert held(desk, "client:ann") == {"USDT": "750"}


def test_the_books_after_a_day() -> None:
    desk = book(
        approved(transfer("100000")),
        approved(transfer("2", "BTC", "2", account_id=BOB)),
        fill("BUY", "1", "60000", "1", fee="0.001", fee_asset="BTC"),
        fill("SELL", "1", "61000", "2", account_id=BOB, fee="45.75"),
        fill("SELL", "0.5", "62000", "3", liquidity="MAKER"),
    )
    assert held(desk, "client:ann") == {"USDT": "70924.5", "BTC": "0.499"}
    assert held(desk, "client:bob") == {"USDT": "60893.25", "BTC": "1"}
    assert held(desk, "house:fees") == {"USDT": "136.5"}
    assert held(desk, "venue:alpha") == {"USDT": "-131954.25", "BTC": "-1.499"}
    assert not any(ledger.trial_balance(desk.state.balances).values())
    assert desk.state.accounts[ANN].positions["BTC-USDT"] == m.Position(
        "BTC-USDT", to_e8("0.5"), to_e8("30000"), to_e8("1000")
    )
    assert desk.digest() == desk.replayed() == desk.replayed(through_snapshot_at=3)


@pytest.mark.parametrize(
    "irrelevant",
    [
        m.OrderAcknowledged(some_meta(), "o", ANN, 0, "alpha", "v", 0),
        m.OrderCancelled(some_meta(), "o", ANN, 0, "alpha", 0, "REQUESTED"),
        m.Began(some_meta(), "0"),
        m.InputParked(some_meta(), ANN, "another service's", False),
        submit(terms("BUY", "1", "1")),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_moves_no_money_is_not_booked(irrelevant: Any) -> None:
    assert Desk(SERVICE).give(irrelevant) is None


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (fill("BUY", "1", "60000"), fill("BUY", "1", "60000")),
        (fill("BUY", "1", "60000"), fill("SELL", "2", "1", order_id="another")),
        (approved(transfer("1")), approved(transfer("1"))),
        (approved(transfer("1")), approved(transfer("-5"))),
    ],
)
def test_what_is_booked_is_not_booked_again(first: Any, again: Any) -> None:
    desk = book(first)
    before = desk.digest()
    with pytest.raises(EntryRepeated, match="is booked already"):
        desk.give(again)
    assert desk.digest() == before


def test_the_same_execution_id_of_another_account_is_another_fill() -> None:
    assert book(fill("BUY", "1", "1")).give(fill("SELL", "1", "1", account_id=BOB)) is not None


def test_the_memory_of_fills_is_bounded_and_the_newest_stay() -> None:
    desk = Desk(SERVICE)
    for number in range(FILLS_KEPT + 10):
        desk.give(fill("BUY", "0.0001", "1", str(number)))
    fills = desk.state.accounts[ANN].fills
    assert len(fills.ids) == FILLS_KEPT
    assert "alpha:BTCUSDT:9" not in fills.ids and "alpha:BTCUSDT:10" in fills.ids
    assert desk.digest() == desk.replayed(through_snapshot_at=FILLS_KEPT + 3)


@pytest.mark.parametrize("quote", ["60000.00000101", "59999.99999899", "6000"])
def test_a_quote_amount_that_rounding_cannot_explain_is_not_booked(quote: str) -> None:
    with pytest.raises(QuoteContradicted, match="ask the venue"):
        Desk(SERVICE).give(fill("BUY", "1", "60000", quote=quote))


@pytest.mark.parametrize(("quantity", "price"), [("0", "1"), ("-1", "1"), ("1", "0")])
def test_a_fill_without_quantity_or_price_breaks_an_invariant(quantity: str, price: str) -> None:
    with pytest.raises(AssertionError, match="quantity and a price"):
        Desk(SERVICE).give(fill("BUY", quantity, price))


@pytest.mark.parametrize("location", ["client:bob", "house:fees", "house:rounding", "", "venue"])
def test_a_transfer_touches_no_other_client_and_no_house_account(location: str) -> None:
    with pytest.raises(AssertionError, match="no mirror"):
        Desk(SERVICE).give(approved(transfer("1", location=location)))


def test_numbers_beyond_64_bits_are_refused_by_name() -> None:
    with pytest.raises(MoneyError, match="beyond 64 bits"):
        Desk(SERVICE).give(fill("BUY", "90000000000", "90000000000", quote="1"))
    desk = book(approved(transfer("90000000000")))
    with pytest.raises(MoneyError, match="beyond 64 bits"):
        desk.give(approved(transfer("90000000000", reference="2")))
    with pytest.raises(MoneyError, match="beyond 64 bits"):  # Ann's balance fits; the mirror of both does not.
        desk.give(approved(transfer("90000000000", reference="2", account_id=BOB)))
    assert desk.give(approved(transfer("90000000000", reference="2", account_id=BOB, location="bank:b"))) is not None


def test_an_entry_that_does_not_sum_to_zero_is_never_folded() -> None:
    desk = book(fill("BUY", "1", "60000"))
    entry = desk.events[-1]
    [first, *rest] = entry.lines
    wrong = msgspec.structs.replace(first, amount_e8=first.amount_e8 + 1)
    with pytest.raises(AssertionError, match="does not sum to zero"):
        SERVICE.evolve(desk.state, msgspec.structs.replace(entry, lines=(wrong, *rest)))


# -- halted accounts -----------------------------------------------------------------------------------------------


def test_a_parked_input_halts_its_account_and_no_other() -> None:
    desk = book(fill("BUY", "1", "60000"))
    desk.park(ANN)
    desk.park(ANN)
    before = desk.digest()
    with pytest.raises(AccountHalted, match="ann is halted by parked-1"):
        desk.give(fill("SELL", "1", "60000", "2"))
    with pytest.raises(AccountHalted):
        desk.give(approved(transfer("1")))
    assert desk.digest() == before
    assert desk.give(m.OrderAcknowledged(some_meta(), "o", ANN, 0, "alpha", "v", 0)) is None
    assert desk.give(fill("BUY", "1", "60000", "3", account_id=BOB)) is not None
    assert [one["event_id"] for one in accounts(desk.state)[ANN]["parked"]] == ["parked-1", "parked-2"]


def test_a_parked_input_of_nobody_halts_nobody() -> None:
    desk = Desk(SERVICE)
    desk.park("", halts_account=False)
    assert desk.state.halted == {}


def release(parked: str, command_id: str = "c", account_id: str = ANN) -> m.ReleaseParked:
    return m.ReleaseParked(command_id, account_id, parked, "operator:eve")


def dismiss(parked: str, reason: str = "booked by hand elsewhere", command_id: str = "d") -> m.DismissParked:
    return m.DismissParked(command_id, ANN, parked, "operator:eve", reason)


def test_parked_inputs_are_booked_in_their_order_and_then_the_account_goes_on() -> None:
    desk, plain = book(approved(transfer("100000"))), book(approved(transfer("100000")))
    inputs = [fill("BUY", "1", "60000", "1"), approved(transfer("5", reference="2")), fill("SELL", "1", "61000", "2")]
    names = [desk.park(ANN, given=encode(one)) for one in inputs]
    left = []
    for name, one in zip(names, inputs, strict=True):
        entry, as_if_never_parked = desk.give(release(name, name)), plain.give(one)
        left.append(entry.release.left)
        ours, theirs = (replace(found, meta=some_meta(), release=None) for found in (entry, as_if_never_parked))
        assert ours == theirs
    assert left == [2, 1, 0] and desk.state.halted == {}
    assert desk.state.balances == plain.state.balances
    assert desk.give(fill("BUY", "1", "60000", "3")) is not None
    assert {desk.replayed(at) for at in range(len(desk.events) + 1)} == {desk.digest()}


def test_a_named_input_is_dismissed_with_a_reason_and_books_nothing() -> None:
    desk = book(fill("BUY", "1", "60000", "1"))
    twice, other = desk.park(ANN, given=encode(fill("BUY", "1", "60000", "1"))), desk.park(ANN, given=b"junk")
    balances = snapshots.pack(desk.state.balances)
    first = desk.give(dismiss(other, command_id="d1"))
    assert (first.release.left, first.reason, first.release.requested_by) == (
        1, "booked by hand elsewhere", "operator:eve",
    )  # fmt: skip
    with pytest.raises(AccountHalted):
        desk.give(fill("SELL", "1", "60000", "2"))
    assert desk.give(dismiss(twice, command_id="d2")).release.left == 0
    assert snapshots.pack(desk.state.balances) == balances and desk.state.halted == {}
    assert {desk.replayed(at) for at in range(len(desk.events) + 1)} == {desk.digest()}


REFUSED_RELEASES = """
parked                  | command            | reason
good                    | release nothing    | PARKED_UNKNOWN
good good               | release 1          | NOT_THE_OLDEST
junk                    | release 0          | STILL_REFUSED
none                    | release 0          | STILL_REFUSED
contradicted            | release 0          | STILL_REFUSED
bobs                    | release 0          | STILL_REFUSED
acknowledged            | release 0          | NOTHING_TO_BOOK
good                    | dismiss 0          | REASON_MISSING
good                    | dismiss nothing    | PARKED_UNKNOWN
"""
PARKED = {
    "good": encode(fill("BUY", "1", "60000", "1")),
    "junk": b"junk",
    "none": None,
    "contradicted": encode(fill("BUY", "1", "60000", "1", quote="60001")),
    "bobs": encode(fill("BUY", "1", "60000", "1", account_id=BOB)),
    "acknowledged": encode(m.OrderAcknowledged(some_meta(), "o", ANN, 0, "alpha", "v", 0)),
}


@pytest.mark.parametrize(("parked", "command", "reason"), rows(REFUSED_RELEASES))
def test_a_command_about_a_parked_input_is_refused_by_name_and_changes_nothing(
    parked: str, command: str, reason: str
) -> None:
    desk = Desk(SERVICE)
    names = [desk.park(ANN, given=PARKED[what]) for what in parked.split()]
    verb, which = command.split()
    named = names[int(which)] if which.isdecimal() else which
    before = desk.digest()
    event = desk.give(release(named) if verb == "release" else dismiss(named, reason="  "))
    assert (type(event), event.reason, event.command_id) == (
        m.ReleaseRefused,
        reason,
        "c" if verb == "release" else "d",
    )
    assert desk.digest() == before


def test_a_command_has_one_effect_however_often_it_comes() -> None:
    desk = Desk(SERVICE)
    name = desk.park(ANN, given=PARKED["good"])
    done = desk.give(release(name))
    books = snapshots.pack(desk.state)
    again, other = desk.give(release(name)), desk.give(dismiss(name))
    assert (again.reason, other.reason) == ("COMMAND_REPEATED", "ALREADY_RESOLVED")
    assert again.decision_event_id == other.decision_event_id == done.meta.event_id
    assert snapshots.pack(desk.state) == books


def test_a_fill_booked_already_is_refused_again_when_it_is_released() -> None:
    desk = book(fill("BUY", "1", "60000", "1"))
    name = desk.park(ANN, given=PARKED["good"])
    assert "EntryRepeated" in desk.give(release(name)).detail


def test_the_audit_sees_clients_and_the_others() -> None:
    found = accounts(book(fill("BUY", "1", "60000")).state)
    assert set(found) == {ANN, "venue:alpha", "house:fees"}
    assert found["venue:alpha"] == {"balances": {"BTC": to_e8("-1"), "USDT": to_e8("60000")}}


# -- corrections ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        fill("BUY", "1", "60000", "w", fee="0.001", fee_asset="BTC"),
        fill("SELL", "0.3", "59000", "w", fee="-1"),
        fill("SELL", "1.7", "59000.01", "w", quote="100300.01699999"),
    ],
)
def test_a_reversal_undoes_a_trade_and_names_it(wrong: m.OrderFilled) -> None:
    desk = book(approved(transfer("1000000")), fill("BUY", "1", "50000"))
    balances, position = msgspec.to_builtins(desk.state.balances), desk.state.accounts[ANN].positions["BTC-USDT"]
    entry = desk.give(wrong)
    reverse = ledger.reversal(entry, desk.state.accounts[ANN].positions["BTC-USDT"], some_meta())
    assert (reverse.kind, reverse.corrects, reverse.entry_id) == (
        "CORRECTION",
        entry.entry_id,
        f"correction:{entry.entry_id}",
    )
    assert (reverse.realised_e8, reverse.filled_e8, reverse.execution_id) == (-entry.realised_e8, 0, None)
    desk.keep(reverse)
    assert desk.state.accounts[ANN].positions["BTC-USDT"] == position
    after = {name: {a: v for a, v in assets.items() if v} for name, assets in desk.state.balances.items()}
    assert {name: assets for name, assets in after.items() if assets} == {
        name: {a: v for a, v in assets.items() if v} for name, assets in balances.items()
    }
    with pytest.raises(EntryRepeated):  # The wrong fill stays known: it does not come back by accident.
        desk.give(wrong)


def test_a_reversal_long_after_realises_the_cost_that_is_left() -> None:
    desk = book(fill("BUY", "1", "10", "1"), fill("BUY", "1", "30", "2"), fill("SELL", "1", "50", "3"))
    first = desk.events[0]
    reverse = ledger.reversal(first, desk.state.accounts[ANN].positions["BTC-USDT"], some_meta())
    assert reverse.position == m.Position("BTC-USDT", 0, 0, to_e8("20"))  # As if 30 was paid and 50 received.


def test_a_transfer_can_be_reversed_and_a_correction_cannot() -> None:
    entry = book(approved(transfer("10"))).events[-1]
    reverse = ledger.reversal(entry, None, some_meta())
    assert shown(reverse) == ["client:ann USDT -10 deposit", "venue:alpha USDT 10 deposit"]
    assert reverse.position is None and reverse.external_reference == "1"
    with pytest.raises(NotCorrectable, match="book what is right"):
        ledger.reversal(reverse, None, some_meta())


def test_the_example_of_the_page_is_what_is_booked() -> None:
    entry = Desk(SERVICE).give(fill("BUY", "0.33333333", "3.1", quote="1.03333332", fee="0.00033333", fee_asset="BTC"))
    lines = [
        f"| {line.account} | {line.asset} | {from_e8(line.amount_e8)} | {line.purpose} |\n".replace("-", "−")
        for line in entry.lines
    ]
    assert "".join(lines) in DOCS.read_text()
