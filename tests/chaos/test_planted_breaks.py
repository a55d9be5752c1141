"""What happens at a venue behind our back is found, named, and closed when it is gone; nothing is ever adjusted."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.stage import Stage
from truetape import demo, ids
from truetape.client import Client

pytestmark = pytest.mark.timeout(600)
ACCOUNT = "breaks"
FOUND_SECONDS = 60.0


class Desk:
    """A funded account, and a hand inside venue alpha."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        trading, administrator = demo.introduce(stage.kafka, ACCOUNT)
        with Client(stage.url, administrator) as admin:
            demo.fund(admin, ACCOUNT, stage.venues, stage.environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
        self.client = Client(stage.url, trading)

    def inside(self, what: str, body: dict[str, Any]) -> None:
        """Do something to the firm's account at the venue."""
        self.stage.admin("alpha", "POST", f"/accounts/{demo.VENUE_ACCOUNT}/{what}", body)

    def wait(self, wanted: set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
        """Wait until exactly these (class, key prefix) are open at alpha beside what was planted before; by class."""
        deadline = time.monotonic() + FOUND_SECONDS
        before = self.stage.planted
        while True:
            status, told = self.stage.cli("breaks", "--json")
            assert (status == 1) == bool(told["breaks"])
            rows = [row for row in told["breaks"] if (row["break_class"], row["venue"], row["key"]) not in before]
            found = {(row["break_class"], row["key"].split(":")[0]) for row in rows}
            if found == wanted and len(told["breaks"]) == len(rows) + len(before):
                return {row["break_class"]: row for row in rows}
            assert time.monotonic() < deadline, f"open after {FOUND_SECONDS:g} s: {found}, wanted {wanted}"
            time.sleep(1.0)


@pytest.fixture(scope="module")
def desk(stage: Stage) -> Iterator[Desk]:
    found = Desk(stage)
    yield found
    found.client.close()


def test_nothing_more_planted_nothing_more_found(desk: Desk) -> None:
    for number in range(6):
        desk.client.submit("BTC-USDT", "BUY" if number % 2 else "SELL", "0.001", client_order_id=ids.random_id())
    demo.settle(desk.client, demo.Traded(ACCOUNT))
    runs = demo.reconciled(desk.stage.kafka, time.time_ns() // 1000)
    assert set(runs) == set(demo.VENUES)
    desk.wait(set())


def test_money_that_vanishes_is_a_break_until_it_is_back(desk: Desk) -> None:
    desk.inside("adjust", {"asset": "BTC", "amount": "-0.125"})
    found = desk.wait({("BALANCE", "BTC")})["BALANCE"]
    assert found["venue"] == "alpha"
    assert float(found["theirs"]) - float(found["ours"]) == pytest.approx(-0.125)
    assert len(found["evidence_sha256"]) == 64
    desk.inside("adjust", {"asset": "BTC", "amount": "0.125"})
    desk.wait(set())


def test_an_order_by_hand_is_an_orphan_and_its_fill_is_missing(desk: Desk) -> None:
    before = {balance.asset: balance.balance for balance in desk.client.balances()}
    resting = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": "20000", "client_order_id": "by-hand"}
    desk.inside("trade-outside", resting)
    desk.inside("trade-outside", {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.002"})
    rows = desk.wait({("ORPHAN_AT_VENUE", "by-hand"), ("MISSING_INTERNALLY", "alpha")})
    assert rows["MISSING_INTERNALLY"]["ours"] == "0"
    assert {balance.asset: balance.balance for balance in desk.client.balances()} == before, "nothing is adjusted"
    desk.stage.planted |= {(row["break_class"], row["venue"], row["key"]) for row in rows.values()}
