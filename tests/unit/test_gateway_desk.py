"""The desk's page: it asks what the API has, shows fields that are there, changes nothing, and needs nothing else."""

import asyncio
import json
import re
import shutil
import subprocess
from typing import Any, cast

import httpx
import pytest

from services.gateway import desk
from services.gateway.app import ROUTES, build
from truetape import api
from truetape.api_marks import Mark
from truetape.api_reports import MarginAsset
from truetape.contracts import Contract, Payoff, value
from truetape.money import from_e8, to_e8

PAGE = desk.page()
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
ROWS = {
    "balances": api.Balance, "positions": api.Position, "orders": api.Order, "fills": api.Fill, "marks": Mark,
}  # fmt: skip

COMPUTED = {"marks": {"at"}, "positions": {"unrealised"}}


def test_it_asks_for_what_the_key_may_read_and_changes_nothing() -> None:
    asked = set(re.findall(r'(?:ask|fetch)\("(/v1/[^"]*)"', PAGE))
    assert len(asked) >= 7
    readable = {route.path for route in ROUTES if route.scope == "read" and route.method == "GET"}
    for path in asked:
        assert any(one == path or one.startswith(path + "{") for one in readable), path
    assert "method:" not in PAGE and "POST" not in PAGE and "DELETE" not in PAGE


@pytest.mark.parametrize("name", ROWS)
def test_its_columns_are_fields_of_the_answers(name: str) -> None:
    columns = re.search(rf'table\("{name}", \[(.*?)\]', PAGE, re.DOTALL)
    assert columns is not None
    found = set(re.findall(r'"([a-z_]+)"', columns[1])) - COMPUTED.get(name, set())
    assert found and found <= set(ROWS[name].__struct_fields__)


def test_its_margin_is_made_of_fields_of_the_answer() -> None:
    [text] = re.findall(r"^function showMargin\(.*?^}", PAGE, re.DOTALL | re.MULTILINE)
    found = set(re.findall(r"\bone\.([a-z_]+)", text))
    assert len(found) >= 4 and found <= set(MarginAsset.__struct_fields__)


def test_it_needs_nothing_from_outside_and_shows_answers_as_text() -> None:
    assert set(re.findall(r"https?://[^\"' ]*", PAGE)) == {"http://www.w3.org/2000/svg"}, "a name, not an address"
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " src=", "localStorage"):
        assert word not in PAGE


def test_it_is_served_with_a_policy_that_lets_only_its_own_script_run() -> None:
    async def fetch() -> httpx.Response:
        transport = httpx.ASGITransport(build(cast(Any, None)))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return await client.get("/")

    answer = asyncio.run(fetch())
    assert answer.text == PAGE and answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"\son[a-z]+=", PAGE.partition("<script>")[0]), "no script outside of the script"


def function(name: str, expression: str) -> str:
    """What Node says of an expression with one function of the page."""
    [text] = re.findall(rf"^function {name}\(.*?^}}", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["node", "-e", f"{text}\nconsole.log({expression})"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@needs_node
@pytest.mark.parametrize(
    ("says", "source", "shown"),
    [("", "orders.commands", ""), ("status FILLED", "", ": status FILLED"), ("", "venue:a", ": from venue:a"),
     ("x", "venue:a", ": x, from venue:a")],
)  # fmt: skip
def test_it_shows_what_a_record_says_and_whether_a_venue_told_it(says: str, source: str, shown: str) -> None:
    assert function("words", f"words({json.dumps(says)}, {{source: {json.dumps(source)}}})") == shown


@needs_node
@pytest.mark.parametrize(("style", "multiplier"), [("LINEAR", "0.001"), ("QUANTO", "0.01"), ("INVERSE", "600000")])
def test_it_values_a_contract_as_the_ledger_does(style: Payoff, multiplier: str) -> None:
    terms = {"style": style, "kind": "PERPETUAL", "multiplier": multiplier}
    worth_e8 = value(Contract(style, to_e8(multiplier)), to_e8("2"), to_e8("60000"), "down")
    assert unrealised(terms, from_e8(worth_e8 - to_e8("2"))) == "2.00"


@needs_node
def test_it_values_spot_and_says_nothing_where_it_does_not_know() -> None:
    assert unrealised(None, "118000") == "2000.00"
    assert unrealised({"style": "INVERSE", "kind": "OPTION", "multiplier": "1"}, "1") == ""


def unrealised(terms: dict[str, str] | None, cost: str) -> str:
    """What the page shows of two at 60 000."""
    known = json.dumps([{"instrument_id": "X", "contract": terms}])
    row = json.dumps({"instrument_id": "X", "quantity": "2", "cost": cost})
    marks = json.dumps([{"instrument_id": "X", "price": "60000"}])
    return function("unrealised", f"(globalThis.traded = {known}, unrealised({row}, {marks}))")
