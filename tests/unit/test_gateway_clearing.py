"""What the gateway makes of rows about rounds and the clearing fund, and what its client sends about them."""

import json
from typing import Any

import msgspec
import pytest

from services.gateway import deleveragings, funds, rounds
from services.gateway.default_requests import DrillQuery, ListQuery
from services.gateway.newest import newest
from services.gateway.parsing import parse_body, parse_query
from services.gateway.problems import Problem
from services.gateway.trade_requests import CompressionRunRequest, TradeRequest
from tests.unit.test_client import Wire, answer, problem
from truetape import api_default as a
from truetape.client import Refused
from truetape.client_trades import Clearing
from truetape.money import to_e8
from truetape.sheets import table
from truetape.topics import PARTITIONS

EVERYBODY = list(range(PARTITIONS))


def row(kind: str, name: str, home: str = "house:default", **more: Any) -> dict[str, Any]:
    known = {"type": kind, "round_id": name, "home_id": home, "kind": "WATERFALL", "asset": "USDT"}
    return known | {"at_us": 1_700_000_000_000_000, "partition": None, "detail": ""} | more


def test_a_round_waits_for_its_turn_then_for_answers_then_for_bookings() -> None:
    records = [row("RoundOpened", "one"), row("RoundOpened", "two"), row("RoundOpened", "else", "house:clearing")]
    found = rounds.folded(records)
    assert {name: one.phase for name, one in found.items()} == {
        "one": "GATHERING", "two": "WAITING", "else": "GATHERING",
    }  # fmt: skip
    assert (found["one"].waiting, found["two"].waiting) == (EVERYBODY, [])
    records += [row("RoundGathered", "one", partition=partition) for partition in EVERYBODY[1:]]
    assert rounds.folded(records)["one"].waiting == [0]
    records += [row("RoundGathered", "one", partition=0), row("RoundDecided", "one", detail="NothingToDo: why")]
    decided = rounds.folded(records)["one"]
    assert (decided.phase, decided.waiting, decided.detail) == ("DECIDED", EVERYBODY, "NothingToDo: why")
    records += [row("RoundConfirmed", "one", partition=partition) for partition in EVERYBODY]
    after = rounds.folded(records)
    assert (after["one"].phase, after["one"].waiting, after["two"].phase) == ("BOOKED", [], "GATHERING")


def test_a_share_and_what_is_owed_stand_in_one_row() -> None:
    balances = [("fund:acme", "3"), ("assessment:acme", "-2"), ("house:capital", "5"), ("assessment:globex", "-1")]
    rows = [{"account": name, "asset": "USDT", "amount_e8": to_e8(text)} for name, text in balances]
    assert [msgspec.structs.astuple(one) for one in funds._shares(rows)] == [
        ("acme", "USDT", "3", "2"), ("globex", "USDT", "0", "1"), ("house:capital", "USDT", "5", "0"),
    ]  # fmt: skip


def test_what_is_within_a_field_is_one_cell_and_no_formula() -> None:
    steps = [a.DefaultStep("OTHERS_FUND", "acme", "3"), a.DefaultStep("ASSESSMENTS", "globex", "1")]
    one = a.Default("d", "=acme", "USDT", "COVERED", "0", "4", "0", "0", steps, "", "op", "+1", "t")
    heading, line = table(a.Default, [one]).splitlines()
    assert heading.startswith("default_id,account_id,asset,state")
    assert line == "d,'=acme,USDT,COVERED,0,4,0,0,OTHERS_FUND/acme/3 ASSESSMENTS/globex/1,,op,'+1,t,,"


@pytest.mark.parametrize("cursor", ["1", "1.2", "1.2.3.4", "1.2.3\n", "a.b.c", "-1.0.0", "1.99999.3"])
def test_a_page_begins_at_a_place_alone(cursor: str) -> None:
    with pytest.raises(Problem):
        parse_query([("cursor", cursor)], ListQuery)
    assert parse_query([("cursor", "1700000000000000.7.41")], ListQuery).cursor == "1700000000000000.7.41"


def test_bad_queries_are_named() -> None:
    for name, value in (("limit", "0"), ("limit", "501"), ("form", "pdf"), ("colour", "red")):
        with pytest.raises(Problem) as found:
            parse_query([(name, value)], ListQuery)
        assert found.value.members["field"] == name
    with pytest.raises(Problem):
        funds._setting(parse_query([("shock", "-0.2,much")], DrillQuery))
    assert funds._setting(parse_query([("shock", "-0.2,0.1")], DrillQuery)).shocks_e8 == (-20_000_000, 10_000_000)


def test_a_list_asks_for_the_newest_record_of_each() -> None:
    text = newest("calls", "call_id", "MarginCallChanged", "Other").text
    assert "DISTINCT ON (body->>'call_id')" in text and "type IN ('MarginCallChanged', 'Other')" in text


def test_a_command_that_is_repeated_keeps_its_key() -> None:
    moved = {
        "state": "BOOKED", "round_id": "", "entry_id": "e", "account_id": "acme", "asset": "USDT", "amount": "1",
        "purpose": "FUND", "event_id": "v",
        "booked_at": "t",
    }  # fmt: skip
    wire = Wire(problem("outcome_unknown", 504), answer(moved))
    assert wire.client().pay_fund("1", "bank:main", "it joins", account_id="acme").entry_id == "e"
    first, second = wire.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    assert json.loads(first.content) == json.loads(second.content)
    again = Wire(answer(moved))
    again.client().pay_fund("1", "bank:main", "it joins", account_id="acme")
    assert again.requests[0].headers["idempotency-key"] != first.headers["idempotency-key"]


def test_a_sheet_is_text_and_a_refusal_is_named() -> None:
    wire = Wire(answer("x", 200), problem("view_unavailable", 404))
    client = wire.client()
    client.sheet("/v1/calls", limit="5")
    assert dict(wire.requests[0].url.params) == {"limit": "5", "form": "csv"}
    with pytest.raises(Refused):
        client.sheet("/v1/calls")


def test_lists_are_read_page_by_page() -> None:
    pages = [{"defaults": [], "next_cursor": "3.2.1"}, {"defaults": [], "next_cursor": None}]
    wire = Wire(*map(answer, pages))
    assert list(wire.client().defaults()) == []
    assert wire.requests[1].url.params["cursor"] == "3.2.1"


def test_holders_parts_stand_by_turn_and_rank_with_what_became_of_them() -> None:
    def part(name: str, rank: int) -> dict[str, Any]:
        return {"parcel_id": f"p-{name}", "account_id": name, "rank": rank, "quantity_e8": -1, "paid_e8": 2}

    bodies: list[dict[str, Any]] = [
        {"change": "BEGUN", "turn": 1, "parts": []},
        {"change": "DECIDED", "turn": 1, "parts": [part("acme", 1), part("globex", 2), part("initech", 3)]},
        {"change": "TAKEN", "turn": 1, "parts": [part("globex", 2)]},
        {"change": "REFUSED", "turn": 1, "parts": [part("acme", 1)]},
    ]
    found = deleveragings.parts_of(bodies)
    assert [(one.account_id, one.state) for one in found] == [
        ("acme", "REFUSED"), ("globex", "TAKEN"), ("initech", "ASKED"),
    ]  # fmt: skip
    assert (found[0].quantity, found[0].paid) == ("-0.00000001", "0.00000002")


def test_an_account_sees_its_own_parts_as_they_stand_and_nobody_elses() -> None:
    def part(parcel: str, name: str) -> dict[str, Any]:
        return {"parcel_id": parcel, "account_id": name, "rank": 2, "quantity_e8": -to_e8("3"), "paid_e8": to_e8("5")}

    def record(change: str, *parts: dict[str, Any]) -> dict[str, Any]:
        known = {"deleveraging_id": "d", "instrument_id": "P", "asset": "USDT", "method": "DELEVERAGING"}
        return known | {"price_e8": to_e8("7"), "change": change, "turn": 1, "parts": list(parts)}

    first, second, others = part("p-1", "globex"), part("p-2", "globex"), part("p-3", "acme")
    bodies = [
        (record("BEGUN"), 1_000_000), (record("DECIDED", first, second, others), 2_000_000),
        (record("REFUSED", first), 3_000_000), (record("TAKEN", others), 4_000_000),
    ]  # fmt: skip
    found = deleveragings.own_parts(bodies, "globex")
    assert [(one.state, one.changed_at) for one in found] == [
        ("REFUSED", "1970-01-01T00:00:03.000000Z"), ("ASKED", "1970-01-01T00:00:02.000000Z"),
    ]  # fmt: skip
    assert (found[0].quantity, found[0].paid, found[0].price) == ("-3", "5", "7")
    assert deleveragings.own_parts(bodies, "initech") == []


def test_the_client_reads_its_deleveragings() -> None:
    wire = Wire(answer({"deleveragings": [], "next_cursor": None}), answer({"parts": []}))
    client = wire.client()
    assert client.own_deleveragings() == []
    assert client.deleveraging_parts() == []
    assert [one.url.path for one in wire.requests] == ["/v1/deleveragings", "/v1/deleveragings/parts"]


def test_the_client_lists_answers_and_starts_compressions() -> None:
    standing = {
        "run_id": "r", "instrument_id": "P", "state": "PROPOSED", "waits_for": 1, "expires_at": "t", "detail": "",
        "event_id": "e",
    }  # fmt: skip
    wire = Wire(answer({"compressions": []}), answer(standing), answer(standing))
    client = wire.client()
    assert client.compressions() == []
    assert client.answer_compression("r", False, "too few").waits_for == 1
    assert client.start_compression("BTC-USDT-PERP", ["acme", "globex"], 60).run_id == "r"
    listed, answered, started = wire.requests
    assert (listed.method, listed.url.path) == ("GET", "/v1/compressions")
    assert json.loads(answered.content) == {"run_id": "r", "accepted": False, "reason": "too few"}
    parsed = parse_body(started.content, CompressionRunRequest)
    assert (parsed.participants, parsed.answer_within_seconds) == (("acme", "globex"), 60)


@pytest.mark.parametrize("clearing", ["HOUSE", "BILATERAL"])
def test_a_told_trade_says_how_it_is_cleared(clearing: Clearing) -> None:
    wire = Wire(problem("view_unavailable", 404))
    with pytest.raises(Refused):
        wire.client().tell_trade("ref", "globex", "BUY", "BTC-USDT-PERP", "1", "2", "2026-11-27", clearing)
    assert parse_body(wire.requests[0].content, TradeRequest).clearing == clearing
