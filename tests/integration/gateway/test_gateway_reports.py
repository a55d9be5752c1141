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
    await_true(lambda: len(http.get("/v1/entries").json()["entries"]) == 6, 60)
    today = datetime.now(UTC).date()
    partitions = [ids.partition_of(account, PARTITIONS)]
    for day in (today - timedelta(1), today, today + timedelta(1)):
        entries = [entry for _, _, entry in journal.entries(desk.log, 30.0, account, None, partitions)]
        expected = statement.from_entries(account, str(day), entries)
        assert http.get(f"/v1/statements/{day}").json() == statement.plain(expected)
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
    novated = seller.post("/v1/trades", json=theirs).json()
    assert (novated["state"], novated["detail"]) == ("NOVATED", "")
    assert [(leg["account_id"], leg["side"]) for leg in novated["legs"]] == [(ann, "BUY"), (bob, "SELL")]

    def held(http: httpx.Client) -> dict[str, str]:
        return {row["instrument_id"]: row["quantity"] for row in http.get("/v1/positions").json()["positions"]}

    await_true(lambda: held(buyer).get(PERP) == "3" and held(seller).get(PERP) == "-3", 60)
    assert code(buyer.post("/v1/trades", json=told)) == "trade_refused"
    assert code(buyer.post("/v1/trades", json=told | {"counterparty_id": ann})) == "trade_refused"
    assert code(buyer.post("/v1/trades", json=told | {"traded_on": "today"})) == "invalid_field"
    ended = told | {"reference": "UTI-2"}
    buyer.post("/v1/trades", json=ended)
    reject = {"reference": "UTI-2", "counterparty_id": ann, "action": "REJECT", "reason": "never heard of it"}
    assert seller.post("/v1/trades/end", json=reject).json()["state"] == "REJECTED"
    _interest_is_the_tapes(desk)


def _interest_is_the_tapes(desk: Desk) -> None:
    admin = desk.raw(desk.key("", "admin"))

    def folded() -> list[dict[str, Any]]:
        held = interest.held_by(entry for _, _, entry in journal.entries(desk.log, 30.0))
        return interest.plain(interest.interest(held))

    await_true(lambda: admin.get("/v1/admin/interest").json()["instruments"] == folded(), 60)
    [perp] = [one for one in folded() if one["instrument_id"] == PERP]
    assert (perp["long"], perp["short"], perp["net"]) == ("3", "3", "0")
    rows = list(csv.DictReader(io.StringIO(admin.get("/v1/admin/interest", params={"form": "csv"}).text)))
    assert to_e8(next(row for row in rows if row["instrument_id"] == PERP)["open_interest"]) == 3 * E8
