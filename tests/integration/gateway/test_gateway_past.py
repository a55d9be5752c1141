"""The API's past against the tape folded again: balances, positions and open orders at every place, and by time."""

import time
from typing import Any

import httpx
import pytest

from services.clearing.core import SERVICE as CLEARING
from services.risk.core import SERVICE as RISK
from services.router.core import SERVICE as ROUTER
from tests.integration.gateway.desk import Desk, await_true, code, order
from truetape import ids
from truetape import messages as m
from truetape.asof import History
from truetape.codec import decode
from truetape.log import Part
from truetape.money import from_e8
from truetape.orders import TERMINAL, advance
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS

pytestmark = pytest.mark.timeout(300)


class Trader:
    """An account with a history: fills of both sides, resting orders, a cancel that nobody answers, a withdrawal."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        ends = desk.log.ends([Part(ORDERS_DECISIONS.name, number) for number in range(PARTITIONS)])
        self.partition = min(ends, key=lambda part: ends[part][1]).partition  # Every place of it is asked for.
        self.account, self.http = desk.trader(self.partition)
        for number in range(8):
            side, quantity = ("BUY", "SELL")[number % 3 == 2], f"0.0{number + 1}"
            answer = self.http.post("/v1/orders", json=order(f"o{number}", side=side, quantity=quantity))
            assert answer.status_code == 201, answer.text
            if number % 4 != 3:
                desk.fill(answer.json())
        body = {"asset": "USDT", "amount": "5", "location": "venue:alpha", "external_reference": "w1"}
        assert self.http.post("/v1/withdrawals", json=body).status_code in (200, 201)
        await_true(self.quiet)
        self.history = History(desk.log, [RISK, ROUTER, CLEARING], self.account, 30.0)

    def quiet(self) -> bool:
        """Whether every fill and the withdrawal are cleared, credited and shown."""
        entries = self.http.get("/v1/entries").json()["entries"]
        live = self.http.get("/v1/balances").json()["balances"]
        held = {row["asset"]: row["reserved"] for row in live}
        return len(entries) == 2 + 6 + 1 and held.get("BTC") == "0" and len(self.get("/v1/orders")["orders"]) == 8

    def part(self, topic: Any) -> Part:
        return Part(topic.name, self.partition)

    def get(self, path: str, **params: str) -> dict[str, Any]:
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def records(self, topic: Any) -> list[Any]:
        part = self.part(topic)
        low, high = self.desk.log.ends([part])[part]
        return [decode(record.value or b"") for record in self.desk.log.read({part: (low, high)}, 30.0)]


@pytest.fixture(scope="module")
def trader(desk: Desk) -> Trader:
    return Trader(desk)


def known(trader: Trader, topic: Any, offset: int, service: str) -> Any:
    found = trader.history.at({trader.part(topic): offset})
    return next(one.state for one in found if one.service == service) or {}


def balances_of(state: Any) -> dict[str, tuple[str, str]]:
    assets = {*state.get("balances", {}), *state.get("reserved", {})}
    pairs = {asset: (state["balances"].get(asset, 0), state["reserved"].get(asset, 0)) for asset in assets}
    return {asset: (from_e8(pair[0]), from_e8(pair[1])) for asset, pair in pairs.items() if any(pair)}


def test_balances_at_every_place_are_the_fold(trader: Trader) -> None:
    count = len(trader.records(ORDERS_DECISIONS))
    assert count > 15
    for offset in range(count):
        place = f"{trader.part(ORDERS_DECISIONS)}@{offset}"
        shown = trader.get("/v1/balances", at=place)["balances"]
        then = {row["asset"]: (row["balance"], row["reserved"]) for row in shown}
        assert then == balances_of(known(trader, ORDERS_DECISIONS, offset, "risk")), place


def test_positions_at_every_place_are_the_fold(trader: Trader) -> None:
    for offset in range(len(trader.records(CLEARING_ENTRIES))):
        place = f"{trader.part(CLEARING_ENTRIES)}@{offset}"
        shown = trader.get("/v1/positions", at=place)["positions"]
        then = {row["instrument_id"]: (row["quantity"], row["cost"], row["realised"]) for row in shown}
        rows = known(trader, CLEARING_ENTRIES, offset, "clearing").get("positions", {})
        fields = ("quantity_e8", "cost_e8", "realised_e8")
        amounts = {name: tuple(from_e8(row[field]) for field in fields) for name, row in rows.items()}
        assert then == {name: row for name, row in amounts.items() if any(amount != "0" for amount in row)}, place


def test_open_orders_at_every_place_are_the_fold(trader: Trader) -> None:
    decisions, executions = trader.records(ORDERS_DECISIONS), trader.records(ORDERS_EXECUTIONS)
    for decided in range(0, len(decisions), 3):
        for executed in range(len(executions)):
            expected = opened(trader.account, decisions[: decided + 1], executions[: executed + 1])
            at = f"{trader.part(ORDERS_DECISIONS)}@{decided},{trader.part(ORDERS_EXECUTIONS)}@{executed}"
            shown = trader.get("/v1/orders", at=at)["orders"]
            assert {row["client_order_id"]: (row["status"], row["filled"]) for row in shown} == expected, at


def opened(account: str, decisions: list[Any], executions: list[Any]) -> dict[str, tuple[str, str]]:
    """Status and filled quantity of every open order, folded by the table of states."""
    found: dict[str, tuple[str, str]] = {}
    for event in decisions:
        if isinstance(event, m.OrderAccepted) and event.order.account_id == account:
            status, filled_e8 = "ACCEPTED", 0
            for step in executions:
                terms = getattr(step, "order", None)
                if getattr(step, "order_id", terms.order_id if terms else "") == event.order.order_id:
                    status = advance(status, step, filled_e8 > 0)  # type: ignore[arg-type]
                    filled_e8 += step.quantity_e8 if isinstance(step, m.OrderFilled) else 0
            if status not in TERMINAL:
                found[event.order.client_order_id] = (status, from_e8(filled_e8))
    return found


def test_by_time_it_is_the_fold_by_time_and_says_its_places(trader: Trader) -> None:
    times = sorted({event.meta.decided_at_us for event in trader.records(ORDERS_DECISIONS)})
    for at_us in [*times, *(at_us + 1 for at_us in times[::4])]:
        seconds, fraction = divmod(at_us, 1_000_000)
        text = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:06d}Z"
        answer = trader.http.get("/v1/balances", params={"as_of": text})
        state = next(one for one in trader.history.as_of(at_us, 1 << 62) if one.service == "risk")
        then = {row["asset"]: (row["balance"], row["reserved"]) for row in answer.json()["balances"]}
        assert then == balances_of(state.state or {})
        place = answer.headers.get("Truetape-Position", "")
        if place:
            assert place == f"{state.part}@{state.offset}"
            assert trader.get("/v1/balances", at=place) == answer.json()


def test_now_is_the_live_answer(trader: Trader) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    await_true(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > now)
    for name, fields in (("balances", ("balance", "reserved")), ("positions", ("quantity", "cost", "realised"))):
        live = [row for row in trader.get(f"/v1/{name}")[name] if any(row[field] != "0" for field in fields)]
        assert (
            live and trader.get(f"/v1/{name}", as_of=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))[name] == live
        )


def test_orders_come_in_pages(trader: Trader) -> None:
    decided = f"{trader.part(ORDERS_DECISIONS)}@{len(trader.records(ORDERS_DECISIONS)) - 1}"
    whole = trader.get("/v1/orders", at=decided, limit="100")["orders"]
    pages, cursor = [], None
    while True:
        page = trader.get("/v1/orders", at=decided, limit="1", **({"cursor": cursor} if cursor else {}))
        pages += page["orders"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == whole and len(whole) == 2


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"as_of": "2999-01-01T00:00:00Z"}, "time_in_future"),
        ({"as_of": "yesterday"}, "invalid_field"),
        ({"as_of": "2026-11-26T12:00:00"}, "invalid_field"),
        ({"at": "nonsense"}, "invalid_field"),
        ({"at": ""}, "invalid_field"),
        ({"at": "clearing.entries/0@-1"}, "invalid_field"),
        ({"at": "market.marks/0@0"}, "invalid_field"),
        ({"when": "now"}, "unknown_field"),
    ],
)
def test_what_cannot_be_asked_is_named(trader: Trader, params: dict[str, str], expected: str) -> None:
    for path in ("/v1/balances", "/v1/positions", "/v1/orders"):
        answer = trader.http.get(path, params=params)
        assert (answer.status_code, code(answer)) == (422, expected), answer.text


def test_more_of_what_cannot_be_asked(trader: Trader) -> None:
    here = trader.part(ORDERS_DECISIONS)
    other = Part(here.topic, (here.partition + 1) % PARTITIONS)
    both = {"as_of": "2026-11-26T12:00:00Z", "at": f"{here}@0"}
    assert code(trader.http.get("/v1/balances", params=both)) == "invalid_field"
    assert code(trader.http.get("/v1/balances", params={"at": f"{other}@0"})) == "invalid_field"
    assert code(trader.http.get("/v1/orders", params={"at": f"{here}@0", "status": "FILLED"})) == "invalid_field"
    beyond = trader.http.get("/v1/balances", params={"at": f"{here}@{10**9}"})
    assert (beyond.status_code, code(beyond)) == (503, "view_behind")


def test_nobody_sees_the_past_of_others_or_without_a_scope(trader: Trader, desk: Desk) -> None:
    place = {"at": f"{trader.part(ORDERS_DECISIONS)}@10"}
    stranger = desk.account(funded=False)
    http = desk.raw(desk.key(stranger))
    if ids.partition_of(stranger, PARTITIONS) == trader.partition:
        assert http.get("/v1/balances", params=place).json() == {"balances": []}
    else:
        assert code(http.get("/v1/balances", params=place)) == "invalid_field"
    assert code(httpx.get(f"{desk.url}/v1/balances", params=place)) == "unauthenticated"
    assert code(desk.raw(desk.key(trader.account, "trade")).get("/v1/balances", params=place)) == "scope_missing"


def test_before_everything_there_was_nothing(trader: Trader) -> None:
    early = {"as_of": "1990-01-01T00:00:00Z"}
    assert trader.get("/v1/balances", **early) == {"balances": []}
    assert trader.get("/v1/positions", **early) == {"positions": []}
    assert trader.get("/v1/orders", **early)["orders"] == []
