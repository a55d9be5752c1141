"""Derivatives through the whole native system: orders by REST at venues with contracts, marks, funding, settlement and
expiry without an operator, statements, facts and a bust by the API, and the audit of it all."""

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from truetape import demo, ids
from truetape import messages as m
from truetape.client import Client, Refused
from truetape.dev import Stack
from truetape.money import from_e8, to_e8
from truetape.operator import BY, operator
from truetape.topics import PARTITIONS

pytestmark = [
    pytest.mark.timeout(420),
    pytest.mark.skipif("TRUETAPE_LONG" not in os.environ, reason="two minutes: TRUETAPE_LONG=1 runs it too"),
]
PERP, FUTURE, CALL = "BTC-USDT-PERP", "BTC-USDT-FUT", "BTC-USDT-CALL"
SECOND_US = 1_000_000
LIFE_SECONDS = 75
"""From its definition to the expiry of what is short-dated."""
SIZE = {PERP: "20", FUTURE: "10", CALL: "0.1"}


def contract(name: str, expires_at_us: int) -> m.Instrument:
    """A contract as the venues list it, with a schedule of seconds."""
    perpetual, call = name == PERP, name == CALL
    terms = m.ContractTerms(
        kind="PERPETUAL" if perpetual else "OPTION" if call else "FUTURE", style="LINEAR",
        multiplier_e8=to_e8("1") if call else to_e8("0.001"), settlement_asset="USDT", index="BTC-USDT",
        delivery="CASH", margin_class="flat", initial_rate_e8=to_e8("0.1"), maintenance_rate_e8=to_e8("0.05"),
        funding_cap_rate_e8=to_e8("0.01") if perpetual else 0,
        funding_interval_us=3_600 * SECOND_US if perpetual else 0, settlement_fee_rate_e8=to_e8("0.0001"),
        liquidation_fee_rate_e8=0, mark_max_age_us=60 * SECOND_US, fixing_window_us=10 * SECOND_US,
        settlement_interval_us=0 if call else 20 * SECOND_US, funding_step_us=20 * SECOND_US if perpetual else 0,
        expires_at_us=None if perpetual else expires_at_us, strike_e8=to_e8("40000") if call else None,
        option_type="CALL" if call else None,
    )  # fmt: skip
    lot_e8 = to_e8("0.01") if call else to_e8("1")
    listings = tuple(
        m.Listing(venue, "BTCUSDT" + name.rpartition("-")[2], to_e8("0.1"), lot_e8, lot_e8, 0, 0, 0)
        for venue in demo.VENUES
    )
    return m.Instrument(
        name, "BTC", "USDT", to_e8("0.1"), lot_e8, lot_e8, to_e8("1000"), 0, to_e8("100000000"), True, listings, terms
    )  # fmt: skip


def eventually(found: Callable[[], Any], seconds: float = 150.0) -> Any:
    """What is found in the end."""
    deadline = time.monotonic() + seconds
    while not (last := found()):
        assert time.monotonic() < deadline, f"not in {seconds} s"
        time.sleep(0.5)
    return last


@pytest.fixture(scope="module")
def traders(system: Stack) -> Iterator[tuple[Client, Client, Client, str]]:
    """A trader, one whose account is in another partition, an administrator, and the first trader's account, funded at
    both venues."""
    environment, now = system.environment(), time.time_ns() // 10**9
    account = f"deriv-{now}"
    names = (f"deriv-{now}-{number}" for number in range(100))
    other = next(name for name in names if ids.partition_of(name, PARTITIONS) != ids.partition_of(account, PARTITIONS))
    trading, administrator = demo.introduce(environment["TRUETAPE_KAFKA"], account)
    elsewhere, _ = demo.introduce(environment["TRUETAPE_KAFKA"], other)
    gateway = f"http://127.0.0.1:{system.port('gateway')}"
    venues = {name: environment[f"TRUETAPE_VENUES__{name.upper()}__REST_URL"] for name in demo.VENUES}
    with (
        Client(gateway, trading) as client,
        Client(gateway, elsewhere) as second,
        Client(gateway, administrator) as admin,
    ):
        for name in (account, other):
            demo.fund(admin, name, venues, environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
        yield client, second, admin, account


def test_contracts_live_from_the_first_order_to_their_expiry(
    system: Stack, traders: tuple[Client, Client, Client, str]
) -> None:
    client, second, admin, account = traders
    expires_at_us = (time.time_ns() // 10**9 + LIFE_SECONDS) * SECOND_US
    with operator(system.environment()["TRUETAPE_KAFKA"]) as hand:
        for name in SIZE:
            hand.ask(m.SetInstrument(ids.random_id(), BY, contract(name, expires_at_us)))
    eventually(lambda: {*SIZE, "BTC-USDT"} <= {mark.instrument_id for mark in client.marks()})
    for name, quantity in SIZE.items():
        assert buy(client, name, quantity).status in ("ACCEPTED", "FILLED")
    assert buy(second, FUTURE, "2").status in ("ACCEPTED", "FILLED")
    eventually(lambda: held(client).items() >= SIZE.items() and held(second) == {FUTURE: "2"})
    funding = eventually(lambda: taken(client, PERP, "FUNDING"))[0]
    assert (funding.requested_by, funding.partitions, funding.numbers["samples"] > 0) == ("pricing", 8, True)
    assert abs(Decimal(funding.rate)) <= Decimal("0.01")
    settled = eventually(lambda: [one for one in taken(client, PERP, "SETTLEMENT_PRICE") if one.source == "WINDOW"])[0]
    assert (settled.ids["prices_of"], settled.accounts, settled.partitions) == (PERP, 1, 8)
    for name in (FUTURE, CALL):
        [expiry] = eventually(partial(taken, client, name, "EXPIRY"))
        assert (expiry.state, expiry.fact_id, expiry.ids["prices_of"]) == ("TAKEN", f"expiry:{name}", "BTC-USDT")
        eventually(partial(ended, client, name))
    eventually(partial(ended, second, FUTURE))  # The venues' mirrors end in two partitions, under one name.
    with pytest.raises(Refused):
        buy(client, FUTURE, "1")
    wanted = {"premium", "exercise", "settlement_fee", "variation_margin"}
    eventually(lambda: wanted <= {line.purpose for line in client.statement(str(datetime.now(UTC).date())).lines})
    a_fact_by_hand_and_a_bust(client, admin, account)
    assert audit(system)["equal"] is True


def a_fact_by_hand_and_a_bust(client: Client, admin: Client, account: str) -> None:
    """An operator settles, twice the same; a trade is taken back; the history is JSON and CSV, page by page."""
    price = next(mark.price for mark in client.marks() if mark.instrument_id == PERP)
    first = admin.publish_fact("SETTLEMENT_PRICE", PERP, price, fact_id="by-hand-1")
    assert (first.taken, first.accounts) == (8, 1)
    assert admin.publish_fact("SETTLEMENT_PRICE", PERP, price, fact_id="by-hand-1").taken == 0
    with pytest.raises(Refused) as refused:
        admin.publish_fact("FUNDING", PERP, price, rate="0.5", elapsed_seconds=60)
    assert (refused.value.code, refused.value.problem["reason"]) == ("fact_refused", "RATE_OUT_OF_RANGE")
    with pytest.raises(Refused) as refused:
        admin.publish_fact("EXPIRY", FUTURE, price, fact_id="again")
    assert refused.value.problem["reason"] == "CONTRACT_EXPIRED"
    fill = next(fill for fill in client.fills() if fill.instrument_id == PERP)
    busted = eventually(lambda: taken_back(admin, account, fill.execution_id))
    assert (busted.entry_id, busted.corrects) == (f"correction:{fill.execution_id}", fill.execution_id)
    with pytest.raises(Refused) as refused:
        admin.correct(account, fill.execution_id, "the venue busted it")
    assert (refused.value.code, refused.value.problem["reason"]) == ("correction_refused", "ENTRY_CORRECTED")
    with pytest.raises(Refused) as refused:
        admin.correct(account, "nothing", "no such entry")
    assert refused.value.code == "entry_not_found"
    left = from_e8(to_e8(SIZE[PERP]) - to_e8(fill.quantity))
    eventually(lambda: held(client).get(PERP) == left)
    listed = eventually(lambda: [one for one in client.facts(PERP, limit_per_page=2) if one.fact_id == "by-hand-1"])
    assert (listed[0].price, listed[0].partitions) == (price, 8)
    table = client._with_retries("GET", f"/v1/contracts/{PERP}/facts", {"params": {"form": "csv"}, "headers": {}}).text
    assert "by-hand-1" in {row["fact_id"] for row in csv.DictReader(io.StringIO(table))}


def taken_back(admin: Client, account: str, entry_id: str) -> Any:
    try:
        return admin.correct(account, entry_id, "the venue busted it")
    except Refused as refused:
        assert refused.code == "entry_not_found", "the views may be behind"
        return None


def buy(client: Client, name: str, quantity: str) -> Any:
    """A marketable order, a little above the mark."""
    mark = next(mark.price for mark in client.marks() if mark.instrument_id == name)
    price = from_e8(to_e8(mark) * 101 // 100 // 10**7 * 10**7)
    return client.submit(name, "BUY", quantity, price=price, time_in_force="GTC")


def held(client: Client) -> dict[str, str]:
    return {one.instrument_id: one.quantity for one in client.positions()}


def ended(client: Client, name: str) -> bool:
    return held(client).get(name) == "0"


def taken(client: Client, name: str, kind: str) -> list[Any]:
    """Facts of a kind that all partitions of the ledger took, newest first."""
    return [one for one in client.facts(name, kind) if one.state == "TAKEN" and one.partitions == PARTITIONS]


def audit(system: Stack) -> dict[str, Any]:
    """`truetape audit`, once the venue has no open question."""
    command = [sys.executable, "-m", "truetape.cli", "audit", "--json", "--require-live"]
    done = subprocess.run(command, env=system.environment(), capture_output=True, text=True, check=False, timeout=200)
    report: dict[str, Any] = msgspec.json.decode(done.stdout)
    return report
