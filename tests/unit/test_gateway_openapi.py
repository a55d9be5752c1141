"""The API's description: complete, current, with examples that are true; no route without a scope."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from services.gateway import bids, default_requests, margin_requests, member_requests, requests, trade_requests
from services.gateway.app import ROUTES, build
from services.gateway.examples import EXAMPLES, PENDING
from services.gateway.openapi import document, problems_of
from services.gateway.page import page
from services.gateway.problems import CODES, Problem
from truetape import api
from truetape.messages import RejectReason

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {"/health/live", "/health/ready", "/metrics", "/digest"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(document(ROUTES)))
    return found


def test_the_committed_description_is_current(described: dict[str, Any]) -> None:
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert kept == described, "run: python -m services.gateway.openapi > docs/openapi.json"


def test_every_route_says_who_may_use_it() -> None:
    for route in ROUTES:
        assert route.scope in ("public", "read", "trade", "admin"), route.path
        public = route.path in PUBLIC or route.path.startswith("/registry/")
        assert (route.scope == "public") == public, f"{route.path} is open to everybody"
        assert (route.scope == "admin") == route.path.startswith("/v1/admin/"), route.path
        assert route.scope != "read" or route.method == "GET", f"{route.path} changes something with scope read"


def test_operations_have_names_that_stay() -> None:
    names = [route.operation_id for route in ROUTES]
    assert len(set(names)) == len(names)
    assert {
        "submit_order", "cancel_order", "cancel_all_orders", "get_order", "list_orders", "list_fills", "list_positions",
        "list_balances", "list_instruments", "list_marks", "get_order_history", "stream_events", "set_instrument",
        "open_account", "set_limits", "set_fees", "set_trading_state", "create_key", "revoke_key", "record_deposit",
        "record_withdrawal", "get_schema_by_id", "list_subjects", "get_liveness", "get_readiness", "get_metrics",
    } <= set(names)  # fmt: skip
    assert all(route.summary for route in ROUTES)


def test_the_description_lists_exactly_the_routes(described: dict[str, Any]) -> None:
    listed = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in ROUTES}


def test_the_page_shows_every_operation_and_asks_nobody_else(described: dict[str, Any]) -> None:
    shown = page(described)
    assert all(f"<details id='{route.operation_id}'>" in shown for route in ROUTES)
    assert set(re.findall(r"href='#type-(\w+)'", shown)) <= set(re.findall(r"id='type-(\w+)'", shown))
    assert not re.search(r"(src=|href=|url\()['\"]?(https?:)?//|<script|@import", shown)


def test_the_gateway_serves_the_page_itself() -> None:
    app = build(cast(Any, None))  # Neither path asks a gateway.

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
            return await client.get(path)

    shown = asyncio.run(ask("/docs"))
    assert (shown.status_code, shown.text) == (200, page(document(ROUTES)))
    assert asyncio.run(ask("/openapi.json")).json()["paths"].keys() == document(ROUTES)["paths"].keys()


def test_the_page_takes_no_word_for_a_tag(described: dict[str, Any]) -> None:
    described = described | {"info": described["info"] | {"title": "<script>"}}
    assert "<script>" not in page(described)


def test_names_between_backticks_are_shown_as_code_and_links_open_what_they_lead_to(described: dict[str, Any]) -> None:
    shown = page(described)
    assert "by <code>client:</code> and its client order id" in shown
    assert not re.search(r"<(p|td)>[^<]*`\w+`", shown)
    assert not re.search(r"<details id='type-", shown), "a target inside of what is closed opens it"


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    for kind in ("schemas", "examples", "headers"):
        names = {part.split('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}
        assert names
        assert names <= set(described["components"][kind])
    assert "(?!" not in text, "patterns are written for people"


def test_fields_carry_the_words_of_the_code(described: dict[str, Any]) -> None:
    schema = described["components"]["schemas"]["OrderRequest"]
    assert schema["properties"]["client_order_id"]["description"].startswith("Makes a retry safe")
    assert schema["properties"]["price"]["description"] == "Limit price; a MARKET order has none."
    assert "additionalProperties" in schema
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(("name", "examples"), [*((name, EXAMPLES) for name in sorted(EXAMPLES)),
                                                *((name, PENDING) for name in sorted(PENDING))])  # fmt: skip
def test_examples_are_what_they_say(name: str, examples: dict[str, Any], described: dict[str, Any]) -> None:
    modules = (requests, default_requests, margin_requests, member_requests, trade_requests, bids, api)
    kind = next(found for module in modules if (found := getattr(module, name, None)))
    msgspec.convert(examples[name], kind)
    whole = {**described["components"]["schemas"][name], "components": described["components"]}
    jsonschema.Draft202012Validator(whole).validate(examples[name])


def test_an_answer_that_nobody_has_decided_is_shown_as_such(described: dict[str, Any]) -> None:
    answers = described["paths"]["/v1/orders"]["post"]["responses"]
    shown = {status: answers[status]["content"]["application/json"]["example"]["status"] for status in ("201", "202")}
    assert shown == {"201": "ACCEPTED", "202": "PENDING"}


def test_every_body_has_an_example() -> None:
    assert {route.body.__name__ for route in ROUTES if route.body is not None} <= set(EXAMPLES)


def test_every_problem_is_documented_where_it_can_happen() -> None:
    used = {code for route in ROUTES for code in problems_of(route)}
    assert used <= set(CODES)
    reasons = {reason.lower() for reason in RejectReason.__args__}  # type: ignore[attr-defined]
    framework = {"not_found", "method_not_allowed"}
    assert set(CODES) - used - reasons - framework == set(), "a code that no route names"


def test_the_guide_names_every_operation_and_every_code() -> None:
    guide = (ROOT / "docs" / "api.md").read_text()
    operations = [f"| `{route.method} {route.path}` | {route.scope} | {route.summary} |" for route in ROUTES]
    assert [row for row in operations if row not in guide] == []
    assert [code for code in CODES if f"`{code}`" not in guide] == []
    assert guide.count("\n| `GET ") + guide.count("\n| `POST ") + guide.count("\n| `DELETE ") == len(ROUTES)


def test_a_problem_is_a_problem_document() -> None:
    response = Problem("rate_limited", "slow down", limit=5).response("request-1")
    content = msgspec.json.decode(response.body)
    assert response.media_type == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    assert content == {
        "type": "urn:truetape:problem:rate_limited", "title": "Too many requests", "status": 429,
        "detail": "slow down", "code": "rate_limited", "limit": 5, "request_id": "request-1",
    }  # fmt: skip
    msgspec.convert(content, api.ProblemDocument)
