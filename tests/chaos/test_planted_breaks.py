"""What happens at a venue behind our back is found, named, and closed when it is gone; nothing is ever adjusted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from truetape import demo, ids
from truetape.client import Client
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]
ACCOUNT = "breaks"
FOUND_SECONDS = 40.0


class Desk:
    """A funded account, and a hand inside venue alpha."""

    def __init__(self, system: Stack) -> None:
        self.environment = dict(os.environ) | system.environment()
        trading, administrator = demo.introduce(self.environment["TRUETAPE_KAFKA"], ACCOUNT)
        url, self._venue = gateway_url(self.environment), venue_urls(self.environment)["alpha"]
        self._headers = {"Authorization": f"Bearer {self.environment['TRUETAPE_VENUE_ADMIN_TOKEN']}"}
        with Client(url, administrator) as admin:
            demo.fund(admin, ACCOUNT, venue_urls(self.environment), self.environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
        self.client = Client(url, trading)

    def inside(self, what: str, body: dict[str, Any]) -> None:
        """Do something to the firm's account at the venue."""
        path = f"/admin/accounts/{demo.VENUE_ACCOUNT}/{what}"
        answer = httpx.post(self._venue + path, headers=self._headers, json=body)
        assert answer.status_code == 200, answer.text

    def breaks(self) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and open breaks of `truetape breaks --json`."""
        command = [sys.executable, "-m", "truetape.cli", "breaks", "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)["breaks"]

    def wait(self, wanted: set[tuple[str, str]]) -> list[dict[str, Any]]:
        """Wait until exactly these (class, key prefix) are open at alpha."""
        deadline = time.monotonic() + FOUND_SECONDS
        while True:
            status, found = self.breaks()
            rows = {(row["break_class"], row["key"].split(":")[0]) for row in found}
            if rows == wanted and status == (1 if wanted else 0):
                return found
            assert time.monotonic() < deadline, f"open after {FOUND_SECONDS:g} s: {rows}, wanted {wanted}"
            time.sleep(1.0)


@pytest.fixture(scope="module")
def desk(system: Stack) -> Iterator[Desk]:
    found = Desk(system)
    yield found
    found.client.close()


def test_nothing_planted_nothing_found(desk: Desk) -> None:
    for number in range(6):
        desk.client.submit("BTC-USDT", "BUY" if number % 2 else "SELL", "0.001", client_order_id=ids.random_id())
    demo.settle(desk.client, demo.Traded(ACCOUNT))
    runs = demo.reconciled(desk.environment["TRUETAPE_KAFKA"], time.time_ns() // 1000)
    assert set(runs) == set(demo.VENUES)
    desk.wait(set())


def test_money_that_vanishes_is_a_break_until_it_is_back(desk: Desk) -> None:
    desk.inside("adjust", {"asset": "USDT", "amount": "-12.5"})
    [found] = desk.wait({("BALANCE", "USDT")})
    assert found["venue"] == "alpha"
    assert float(found["theirs"]) - float(found["ours"]) == pytest.approx(-12.5)
    assert len(found["evidence_sha256"]) == 64
    desk.inside("adjust", {"asset": "USDT", "amount": "12.5"})
    desk.wait(set())


def test_an_order_by_hand_is_an_orphan_and_its_fill_is_missing(desk: Desk) -> None:
    before = {balance.asset: balance.balance for balance in desk.client.balances()}
    resting = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": "20000", "client_order_id": "by-hand"}
    desk.inside("trade-outside", resting)
    desk.inside("trade-outside", {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.002"})
    rows = desk.wait({("ORPHAN_AT_VENUE", "by-hand"), ("MISSING_INTERNALLY", "alpha")})
    missing = next(row for row in rows if row["break_class"] == "MISSING_INTERNALLY")
    assert missing["ours"] == "0"
    assert {balance.asset: balance.balance for balance in desk.client.balances()} == before, "nothing is adjusted"
