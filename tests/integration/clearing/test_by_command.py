"""A trader's commands, the desk's page and the examples against a live gateway with a venue behind it: what they print
is what the API says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.gateway import desk as desk_page
from tests.integration.clearing.house import PERP, SWAP, House, Trader, refused, settled, table, today
from tests.integration.gateway.desk import ROOT, await_true
from truetape import ids
from truetape import messages as m
from truetape.client import Refused as Unaccepted
from truetape.log import Part
from truetape.operator import Refused
from truetape.topics import ORDERS_DECISIONS, PARTITIONS

pytestmark = pytest.mark.timeout(300)
FORMS = ("fills", "positions", "balances", "orders list")


@pytest.fixture(scope="module")
def ann(house: House) -> Iterator[Trader]:
    """Has money here and at the venue, and the key that the commands send."""
    trader = house.trader("9000")
    house.admin.deposit(trader.name, "BTC", "1", "venue:alpha", "btc")
    for account, asset in (("truetape", "USDT"), ("truetape", "BTC"), ("maker", "USDT")):
        house.fund(account, asset, "1000000")
    house.mark(SWAP, 60_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUETAPE_KEY", house.key(trader.name))
        yield trader


def test_orders_are_submitted_listed_and_cancelled(house: House, ann: Trader) -> None:
    house.make("SELL", "3", "60000")
    await_true(lambda: filled(house, ann))
    resting = json.loads(house.say("orders", "submit", "BUY", "1", SWAP, "55000", "--id", "rests", "--json"))
    again = house.say("orders", "submit", "BUY", "1", SWAP, "55000", "--id", "rests")
    assert resting["order_id"] in again and "ACCEPTED" in again
    assert not resting["repeated"] and "it was submitted before: this is the same order" in again
    differs = refused(lambda: house.say("orders", "submit", "BUY", "2", SWAP, "55000", "--id", "rests"))
    assert differs[0] == "client_order_id_reused"
    for said in ("it saw", "so it was decided before, and stays under --id poor"):
        with pytest.raises(Unaccepted, match=said) as poor:
            house.say("orders", "submit", "BUY", "1", "BTC-USDT", "60000", "--id", "poor")
        assert poor.value.code == "insufficient_funds"
    [row] = house.told("orders", "list", "--open", "--format", "json")
    assert (row["order_id"], row["client_order_id"], row["price"]) == (resting["order_id"], "rests", "55000")
    assert resting["order_id"] in house.say("orders", "cancel", "client:rests")
    await_true(lambda: house.told("orders", "list", "--open", "--format", "json") == [])
    ended = house.told("orders", "list", "--instrument", SWAP, "--last", "1", "--format", "json")
    assert [(one["order_id"], one["status"]) for one in ended] == [(resting["order_id"], "CANCELLED")]
    house.say("orders", "submit", "BUY", "1", SWAP, "55000")
    [asked] = house.told("orders", "cancel", "--all", "--instrument", SWAP, "--json")
    await_true(lambda: ann.client.order(asked).status == "CANCELLED")
    assert "no order is open" in house.say("orders", "cancel", "--all")


def filled(house: House, ann: Trader) -> bool:
    """Three contracts, once the router sees the venue's book."""
    if ann.held(SWAP) != "3":
        said = house.told("orders", "submit", "BUY", "3", SWAP, "60000", "--tif", "IOC", "--json")
        if settled(ann, said["order_id"]) == "FILLED":
            await_true(lambda: ann.held(SWAP) == "3")
    return ann.held(SWAP) == "3"


@pytest.mark.parametrize("words", FORMS)
def test_lists_are_the_apis_in_every_form(house: House, ann: Trader, words: str) -> None:
    name = words.split()[0]
    client = ann.client
    by_api: dict[str, Any] = {
        "fills": client.fills, "positions": client.positions, "balances": client.balances, "orders": client.orders,
    }  # fmt: skip
    wanted = [msgspec.to_builtins(one) for one in by_api[name]()]
    assert wanted and house.told(*words.split(), "--format", "json") == wanted
    rows = table(house.say(*words.split(), "--format", "csv"))
    assert len(rows) == len(wanted)
    for row, one in zip(rows, wanted, strict=True):
        assert row == {column: "" if one[column] is None else str(one[column]) for column in row}
    shown = house.say(*words.split())
    assert all(str(one.get("order_id", one.get("asset", one.get("instrument_id")))) in shown for one in wanted)


def test_statement_and_margin_are_the_apis_as_csv_and_json(house: House, ann: Trader) -> None:
    name, day = ann.name, today()
    assert house.say("statement", name, "--day", day, "--format", "csv") == ann.client.sheet(f"/v1/statements/{day}")
    statement = house.told("statement", name, "--day", day, "--format", "json")
    assert statement | {"instructions": []} == msgspec.to_builtins(ann.client.statement(day))
    for total in statement["totals"]:
        lines = sum(Decimal(line["amount"]) for line in statement["lines"] if line["asset"] == total["asset"])
        assert Decimal(total["opening"]) + lines == Decimal(total["closing"])
    assets = house.told("margin", "show", name, "--format", "json")["assets"]
    assert assets == msgspec.to_builtins(ann.client.margin())["assets"] != []
    assert table(house.say("margin", "show", name, "--format", "csv")) == table(ann.client.sheet("/v1/margin"))


def test_withdrawals_are_asked_for_and_listed(house: House, ann: Trader) -> None:
    said = house.say("withdrawals", "request", ann.name, "USDT", "500", "--reference", "out", "--location", "bank:main")
    assert "500 USDT" in said
    too_much = ("withdrawals", "request", ann.name, "USDT", "90000", "--reference", "all", "--location", "bank:main")
    with pytest.raises(Refused, match="INSUFFICIENT_FUNDS"):
        house.say(*too_much)

    def states() -> dict[str, tuple[str, str]]:
        rows = house.told("withdrawals", "list", ann.name, "--format", "json")
        return {row["reference"]: (row["amount"], row["state"]) for row in rows}

    await_true(lambda: states() == {"out": ("500", "BOOKED"), "all": ("90000", "REFUSED")})
    await_true(lambda: "withdrawal" in ann.client.sheet(f"/v1/statements/{today()}"))


def test_a_trade_is_told_by_command_from_both_sides(house: House, ann: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = house.trader("9000")
    told = ("2", PERP, "60000", "--reference", f"UTI-{ann.name}")
    assert "ALLEGED" in house.say("trades", "tell", "BUY", *told, "--with", bob.name)
    [row] = house.told("trades", "list", "--account", bob.name, "--format", "json")
    assert (row["state"], row["waits_for"]) == ("ALLEGED", [bob.name])
    monkeypatch.setenv("TRUETAPE_KEY", house.key(bob.name))
    assert "AFFIRMED" in house.say("trades", "tell", "SELL", *told, "--with", ann.name)
    await_true(lambda: (ann.held(PERP), bob.held(PERP)) == ("2", "-2"))
    await_true(lambda: house.told("trades", "list", "--account", bob.name, "--format", "json") == [])
    again = refused(lambda: house.say("trades", "tell", "SELL", *told, "--with", ann.name))
    assert again[0] == "trade_refused"
    other = ("1", PERP, "60000", "--reference", "UTI-2", "--with", ann.name)
    assert "ALLEGED" in house.say("trades", "tell", "BUY", *other)
    ended = house.say("trades", "end", "UTI-2", "WITHDRAW", "--with", ann.name, "--reason", "a mistake")
    assert "WITHDRAWN" in ended


def test_a_topic_is_read_by_account_and_partition_and_as_it_grows(house: House, ann: Trader) -> None:
    def rows(*more: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in house.say("topics", "read", *more, "--json").splitlines()]

    mine = rows("orders.decisions", "--account", ann.name, "--last", "10000")
    decisions = Part(ORDERS_DECISIONS.name, ids.partition_of(ann.name, PARTITIONS))
    low, high = house.log.ends([decisions])[decisions]
    every = rows("orders.decisions", "--partition", str(decisions.partition), "--last", "10000")
    assert [row["offset"] for row in every] == list(range(low, high))
    assert mine == [row for row in every if f'"{ann.name}"' in json.dumps(row["fields"])]
    assert "OrderAccepted" in {row["type"] for row in mine}
    assert len(rows("clearing.entries", "--last", "3")) == 3
    shown = house.say("topics", "read", "orders.decisions", "--account", ann.name, "--last", "1")
    assert f"{decisions}@{mine[-1]['offset']}" in shown and "_e8" not in shown
    words = [sys.executable, "-m", "truetape.cli", "topics", "read", "orders.commands", "--account", ann.name]
    with subprocess.Popen(
        [*words, "--last", "1", "-f", "--json"], env=os.environ | house.environment, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        json.loads(following.stdout.readline())
        house.say("orders", "submit", "BUY", "1", SWAP, "55000", "--id", "seen")
        seen = json.loads(following.stdout.readline())
        following.terminate()
    assert (seen["type"], seen["fields"]["order"]["client_order_id"]) == (m.SubmitOrder.__name__, "seen")
    house.say("orders", "cancel", "client:seen")


def test_the_page_shows_the_account_by_requests_that_are_all_answered(
    house: House, ann: Trader, tmp_path: Path
) -> None:
    key = house.key(ann.name, "read")
    answer = house.raw("").get("/")
    assert (answer.status_code, answer.text) == (200, desk_page.page())
    if shutil.which("node") is None:
        pytest.skip("no Node here: the page's script does not run")
    file = tmp_path / "page.html"
    file.write_text(answer.text)
    script = Path(__file__).with_name("page.mjs")
    done = subprocess.run(
        ["node", script, file, house.url, key], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {status for _, status in seen["answered"]} == {200}, seen["answered"]
    [newest, *_] = ann.client.orders()
    lists = ("instruments", "balances", "positions", "orders", "fills", "marks", "margin", "events")
    wanted = {f"/v1/{name}" for name in lists} | {f"/v1/orders/{newest.order_id}/history"}
    assert {path for path, _ in seen["answered"]} >= wanted and len(seen["past"]) >= 3
    assert seen["told"] == ""
    tables = seen["tables"]
    assert SWAP in tables["positions"] and SWAP in tables["fills"] and "USDT: equity" in tables["margin"]
    assert newest.client_order_id in tables["orders"] and "OrderAccepted" in tables["history"]


EXAMPLES = {
    "retry_safely.py": ((), "is one order"), "follow_events.py": (("{out}", "3"), "OrderAccepted"),
    "quote.py": (("2",), "mark 60000"), "statement.py": (("{out}",), "USDT: "),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_to_its_end(house: House, ann: Trader, name: str, tmp_path: Path) -> None:
    arguments, said = EXAMPLES[name]
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "examples" / name), *(one.format(out=out) for one in arguments)]
    environment = os.environ | {"TRUETAPE_GATEWAY": house.url}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        if name == "follow_events.py":  # It waits for what happens from now on.
            await_true(lambda: followed(house, running, out))
        printed, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert said in printed, printed
    if "{out}" in arguments:
        assert out.read_text().count("\n") >= 3
    assert house.told("orders", "list", "--open", "--format", "json") == []


def followed(house: House, running: subprocess.Popen[str], out: Path) -> bool:
    """Whether it has seen enough and ended."""
    if running.poll() is None:
        house.say("orders", "submit", "BUY", "1", SWAP, "55000", "--tif", "FOK")
    return running.poll() is not None
