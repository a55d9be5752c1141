"""Statements, open interest and trades of two through the real gateway, against the tape folded by itself."""

import csv
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.gateway.desk import Desk, Writer, await_true, code, order
from tests.unit.contract_desk import E8, instrument, terms
from truetape import ids, interest, journal, statement
from truetape import messages as m
from truetape.money import to_e8
from truetape.operator import BY
from truetape.topics import MARKET_MARKS, PARTITIONS

pytestmark = pytest.mark.timeout(300)
PERP = "BTC-USDT-PERP"


def test_a_statement_is_what_the_tape_says(desk: Desk) -> None:
    account, http = desk.trader()
    for number in range(4):
        answer = http.post("/v1/orders", json=order(f"s{number}", side="BUY", quantity=f"0.0{number + 1}"))
        desk.fill(answer.json())
    await_true(lambda: len(http.get("/v1/entries").json()["entries"]) == 6)
    today = datetime.now(UTC).date()
    partitions = [ids.partition_of(account, PARTITIONS)]
    for day in (today - timedelta(1), today, today + timedelta(1)):
        entries = [entry for _, _, entry in journal.entries(desk.log, 30.0, account, None, partitions)]
        expected = statement.from_entries(account, str(day), entries)
        assert http.get(f"/v1/statements/{day}").json() == statement.plain(expected) | {"instructions": []}
        answer = http.get(f"/v1/statements/{day}", params={"form": "csv"})
        assert answer.headers["content-type"].startswith("text/csv") and answer.text == statement.as_csv(expected)
    assert http.get(f"/v1/statements/{today}").json()["totals"]
    assert code(http.get("/v1/statements/yesterday")) == "invalid_field"
    assert code(http.get(f"/v1/statements/{today}", params={"form": "pdf"})) == "invalid_field"


def test_two_sides_tell_a_trade_and_the_house_steps_between(desk: Desk) -> None:
    desk.operator.ask(m.SetInstrument(ids.random_id(), BY, instrument(PERP, terms(mark_max_age_us=3_600_000_000))))
    price_e8, now_us = 60_000 * E8, time.time_ns() // 1000
    Writer(desk.log, MARKET_MARKS, 0).write(
        lambda meta: m.MarkPublished(meta, PERP, price_e8, price_e8, price_e8, "alpha", 1, now_us, 0),
        m.Cause("books", 0, -1, "perp"),
    )
    (ann, buyer), (bob, seller) = desk.trader(), desk.trader()
    while ids.partition_of(ann, PARTITIONS) == ids.partition_of(bob, PARTITIONS):
        bob, seller = desk.trader()
    told = {
        "reference": f"UTI-{ann}", "counterparty_id": bob, "side": "BUY", "instrument_id": PERP, "quantity": "3",
        "price": "60000", "traded_on": "2026-11-26",
    }  # fmt: skip
    theirs = told | {"counterparty_id": ann, "side": "SELL"}
    alleged = buyer.post("/v1/trades", json=told).json()
    assert (alleged["state"], alleged["first_id"]) == ("ALLEGED", ann)
    differs = seller.post("/v1/trades", json=theirs | {"price": "60001"}).json()
    assert differs["state"] == "MISMATCHED"
    assert differs["differences"] == [{"field": "price", "first": "60000", "other": "60001"}]
    mismatched = {"state": "MISMATCHED"}
    await_true(lambda: len(buyer.get("/v1/trades", params=mismatched).json()["trades"]) == 1)
    [seen] = buyer.get("/v1/trades", params=mismatched).json()["trades"]
    assert (seen["reference"], seen["waits_for"]) == (told["reference"], sorted([ann, bob])), "the other side sees it"
    affirmed = seller.post("/v1/trades", json=theirs).json()
    assert (affirmed["state"], affirmed["detail"]) == ("AFFIRMED", "")
    assert [(leg["account_id"], leg["side"]) for leg in affirmed["legs"]] == [(ann, "BUY"), (bob, "SELL")]

    def held(http: httpx.Client) -> dict[str, str]:
        return {row["instrument_id"]: row["quantity"] for row in http.get("/v1/positions").json()["positions"]}

    await_true(lambda: held(buyer).get(PERP) == "3" and held(seller).get(PERP) == "-3")
    assert code(buyer.post("/v1/trades", json=told)) == "trade_refused"
    assert code(buyer.post("/v1/trades", json=told | {"counterparty_id": ann})) == "trade_refused"
    for day in ("today", "20261126", "2026-W48-4"):
        assert code(buyer.post("/v1/trades", json=told | {"traded_on": day})) == "invalid_field"
    ended = told | {"reference": "UTI-2"}
    buyer.post("/v1/trades", json=ended)
    reject = {"reference": "UTI-2", "counterparty_id": ann, "action": "REJECT", "reason": "never heard of it"}
    assert seller.post("/v1/trades/end", json=reject).json()["state"] == "REJECTED"
    _interest_is_the_tapes(desk)
    _is_shown(buyer, affirmed["trade_id"])
    _is_given_up(desk, ann, buyer, held)
    _stays_bilateral(desk, ann, bob, buyer, seller)


def _is_shown(http: httpx.Client, trade_id: str) -> None:
    """The trade with its legs and its history, as JSON and CSV."""
    await_true(lambda: http.get(f"/v1/trades/{trade_id}").json()["waits_for"] == [])
    shown = http.get(f"/v1/trades/{trade_id}").json()
    assert (shown["state"], [leg["state"] for leg in shown["legs"]]) == ("NOVATED", ["BOOKED", "BOOKED"])
    states = [step["state"] for step in shown["history"] if step["type"] == "TradeChanged"]
    assert states == ["ALLEGED", "MISMATCHED", "AFFIRMED", "NOVATED"]
    rows = list(csv.DictReader(io.StringIO(http.get(f"/v1/trades/{trade_id}", params={"form": "csv"}).text)))
    assert rows == shown["history"]
    listed = csv.DictReader(io.StringIO(http.get("/v1/trades", params={"form": "csv"}).text))
    assert {row["state"] for row in listed} == {"NOVATED", "REJECTED"}
    assert code(http.get("/v1/trades/" + "0" * 32)) == "trade_not_found"


def _is_given_up(desk: Desk, ann: str, buyer: httpx.Client, held: Any) -> None:
    """The buyer gives its leg up; the other account sees the offer, accepts it, and has the position."""
    cat, taker = desk.trader()
    await_true(lambda: len(buyer.get("/v1/legs", params={"state": "OPEN"}).json()["legs"]) == 1)
    [leg] = buyer.get("/v1/legs", params={"state": "OPEN"}).json()["legs"]
    asked = buyer.post(
        "/v1/trades/give-up", json={"leg_id": leg["leg_id"], "to_account_id": cat, "reference": "GIVE-1"}
    ).json()
    assert (asked["state"], [one["account_id"] for one in asked["legs"]]) == ("ASKED", [ann, cat])
    await_true(lambda: len(taker.get("/v1/legs", params={"state": "OFFERED"}).json()["legs"]) == 1)
    [offered] = taker.get("/v1/legs").json()["legs"]
    assert (offered["from_id"], offered["kind"], offered["quantity"]) == (ann, "GIVE_UP", "3")
    await_true(lambda: taker.get("/v1/trades").json()["trades"][0]["waits_for"] == [cat])
    [waiting] = taker.get("/v1/trades", params={"state": "ASKED"}).json()["trades"]
    assert waiting["waits_for"] == [cat] and [one["account_id"] for one in waiting["legs"]] == [cat]
    answer = {"leg_id": offered["leg_id"], "accepted": True}
    assert code(buyer.post("/v1/legs/answer", json=answer)) == "move_refused"
    assert taker.post("/v1/legs/answer", json=answer).json()["state"] == "RESERVING"
    await_true(lambda: held(taker).get(PERP) == "3" and held(buyer).get(PERP, "0") == "0")
    await_true(lambda: buyer.get("/v1/legs", params={"state": "CLOSED"}).json()["legs"] != [])
    admin = desk.raw(desk.key("", "admin"))
    alone = admin.post("/v1/admin/compressions", json={"account_id": cat, "instrument_id": PERP})
    assert code(alone) == "move_refused"
    today = str(datetime.now(UTC).date())
    early = admin.post("/v1/admin/nettings", json={"account_id": cat, "value_date": today})
    assert code(early) == "netting_refused"
    yesterday = str(datetime.now(UTC).date() - timedelta(1))
    done = admin.post("/v1/admin/nettings", json={"account_id": cat, "value_date": yesterday}).json()
    assert (done["account_id"], done["instructions"]) == (cat, [])


def _stays_bilateral(desk: Desk, ann: str, bob: str, buyer: httpx.Client, seller: httpx.Client) -> None:
    """A trade that stays between the two is in their margin report and in the house's, as JSON and CSV."""
    told = {
        "reference": f"BI-{ann}", "counterparty_id": bob, "side": "BUY", "instrument_id": PERP, "quantity": "2",
        "price": "59000", "traded_on": "2026-11-26", "clearing": "BILATERAL",
    }  # fmt: skip
    assert buyer.get("/v1/bilateral-margin").json()["pairs"] == []
    buyer.post("/v1/trades", json=told)
    kept = seller.post("/v1/trades", json=told | {"counterparty_id": ann, "side": "SELL"}).json()
    assert kept["bilateral"] == "OPEN"
    await_true(lambda: len(buyer.get("/v1/bilateral-margin").json()["pairs"]) == 1)
    [pair] = buyer.get("/v1/bilateral-margin", params={"currency": "USDT"}).json()["pairs"]
    assert ({pair["first_id"], pair["second_id"]}, pair["complete"]) == ({ann, bob}, True)
    assert abs(float(pair["present_value"])) == 20, "2 x 0.01 BTC from 59 000 to 60 000"
    assert float(pair["simm"]) == pytest.approx(7.4 * 12) and float(pair["schedule_first"]) == pytest.approx(180)
    admin = desk.raw(desk.key("", "admin"))
    assert admin.get(f"/v1/admin/bilateral-margin/{ann}").json()["pairs"] == [pair]
    assert pair in admin.get("/v1/admin/bilateral-margin").json()["pairs"]
    [row] = csv.DictReader(io.StringIO(seller.get("/v1/bilateral-margin", params={"form": "csv"}).text))
    assert (row["trade_id"], row["simm"], row["left_out"]) == (kept["trade_id"], pair["simm"], "")
    calendar = {"asset": f"X{ann[:8].upper()}".replace("-", ""), "version": 1, "lag_days": 2, "weekend": [6, 7]}
    assert admin.post("/v1/admin/settlement-calendars", json=calendar).status_code == 200
    assert calendar | {"holidays": []} in admin.get("/v1/admin/settlement-calendars").json()["calendars"]
    assert code(admin.post("/v1/admin/settlement-calendars", json=calendar)) == "reference_rejected"


def _interest_is_the_tapes(desk: Desk) -> None:
    admin = desk.raw(desk.key("", "admin"))

    def folded() -> list[dict[str, Any]]:
        held = interest.held_by(entry for _, _, entry in journal.entries(desk.log, 30.0))
        return interest.plain(interest.interest(held))

    await_true(lambda: admin.get("/v1/admin/interest").json()["instruments"] == folded())
    [perp] = [one for one in folded() if one["instrument_id"] == PERP]
    assert (perp["long"], perp["short"], perp["net"]) == ("3", "3", "0")
    rows = list(csv.DictReader(io.StringIO(admin.get("/v1/admin/interest", params={"form": "csv"}).text)))
    assert to_e8(next(row for row in rows if row["instrument_id"] == PERP)["open_interest"]) == 3 * E8
