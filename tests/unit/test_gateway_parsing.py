"""What clients send becomes typed values, or a problem that names the field; nothing else is ever raised."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import requests as r
from services.gateway.parsing import decimal, format_positions, parse_body, parse_positions, parse_query, positive
from services.gateway.problems import CODES, Problem
from services.gateway.trading import _known_then
from truetape.errors import MoneyError
from truetape.log import Part
from truetape.marks import Marks
from truetape.money import to_e8
from truetape.reference import Reference
from truetape.service import Tables
from truetape.topics import ALL

GOOD = {"instrument_id": "BTC-USDT", "side": "BUY", "order_type": "LIMIT", "quantity": "0.01", "price": "60000"}


def order(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def problem(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        parse_body(body, r.OrderRequest)
    return caught.value


BAD_BODIES = [
    (b"", "malformed_json", None),
    (b"{", "malformed_json", None),
    (b"nonsense", "malformed_json", None),
    (b"\xff\xfe", "malformed_json", None),
    (b'{"quantity": NaN}', "malformed_json", None),
    (b'{"quantity": Infinity}', "malformed_json", None),
    (order() + b"x", "malformed_json", None),
    (b"[" * 60_000, "invalid_field", ""),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "unknown_field", "a"),
    (b"[]", "invalid_field", ""),
    (b'"text"', "invalid_field", ""),
    (b"null", "invalid_field", ""),
    (order(quantity=0.01), "invalid_field", "quantity"),
    (order(quantity=1), "invalid_field", "quantity"),
    (order(price=1e3), "invalid_field", "price"),
    (order(price=None), "invalid_field", "price"),
    (order(price=["1"]), "invalid_field", "price"),
    (order(price="9" * 61), "invalid_field", "price"),
    (order(side="HOLD"), "invalid_field", "side"),
    (order(order_type="STOP"), "invalid_field", "order_type"),
    (order(time_in_force="DAY"), "invalid_field", "time_in_force"),
    (order(post_only="yes"), "invalid_field", "post_only"),
    (order(instrument_id="btc-usdt"), "invalid_field", "instrument_id"),
    (order(instrument_id="BTC-USDT\n"), "invalid_field", "instrument_id"),
    (order(client_order_id=""), "invalid_field", "client_order_id"),
    (order(client_order_id="x" * 65), "invalid_field", "client_order_id"),
    (order(client_order_id="ж"), "invalid_field", "client_order_id"),
    (order(client_order_id="a b"), "invalid_field", "client_order_id"),
    (order(client_order_id="a\u0000"), "invalid_field", "client_order_id"),
    (order(account_id="other"), "unknown_field", "account_id"),
    (order(status="FILLED"), "unknown_field", "status"),
    (b'{"side":"BUY"}', "missing_field", "instrument_id"),
    (order()[:-1] + b',"side":"SELL"}', "duplicate_key", "side"),
    (order()[:-1] + b',"s\\u0069de":"SELL"}', "duplicate_key", "side"),
    (order()[:-1] + b',"quantity":"2"}', "duplicate_key", "quantity"),
]


@pytest.mark.parametrize(("body", "code", "field"), BAD_BODIES)
def test_bad_bodies_are_named(body: bytes, code: str, field: str | None) -> None:
    found = problem(body)
    assert found.code == code
    assert found.members.get("field") == field


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"side": "buy"}, "'buy' is none of BUY, SELL"),
        ({"order_type": "STOP"}, "'STOP' is none of LIMIT, MARKET"),
        ({"time_in_force": "DAY"}, "'DAY' is none of FOK, GTC, IOC"),
        ({"position_side": "UP"}, "'UP' is none of LONG, SHORT"),
        (
            {"instrument_id": "btcusdt"},
            "'btcusdt' is not an instrument such as BTC-USDT; near it: BTC-USDT, BTC-USDT-PERP; "
            "GET /v1/instruments lists all",
        ),
        ({"instrument_id": "Ж"}, "'Ж' is not an instrument such as BTC-USDT; GET /v1/instruments lists all"),
        ({"client_order_id": "a b"}, "'a b' is not an id: 1 to 64 letters, digits and . _ : -"),
    ],
)
def test_a_fault_is_told_in_words_with_what_there_is(changes: dict[str, Any], detail: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_body(order(**changes), r.OrderRequest, ["BTC-USDT", "BTC-USDT-PERP", "ETH-USDT"])
    assert caught.value.detail == detail


async def test_names_near_an_unknown_instrument_are_those_that_the_decision_could_know() -> None:
    async def reached(_: int) -> None: ...

    since = {"BTC-USDT": 3, "BTC-USDE": 20}
    tables = Tables(Reference(), Marks(), 25, since)
    gateway = SimpleNamespace(bus=SimpleNamespace(tables=tables))
    call: Any = SimpleNamespace(reach_reference=reached, gateway=gateway)
    decision: Any = SimpleNamespace(
        reason="INSTRUMENT_UNKNOWN", numbers={"reference_offset": 12}, order=SimpleNamespace(instrument_id="BTC-USDC")
    )
    told = await _known_then(call, decision)
    assert told == "; near it: BTC-USDT; GET /v1/instruments lists all", "one defined later changes nothing"


def test_no_fault_shows_a_pattern() -> None:
    for body in (found for found, code, _ in BAD_BODIES if code == "invalid_field"):
        assert "regex" not in problem(body).detail and "enum" not in problem(body).detail
    listing = {"venue": "alpha", "symbol": "X", "tick": "1", "lot": "1", "min_quantity": "1", "min_notional": "0"}
    asked = {"contract": {"kind": "PERP"}, "listings": [listing]}
    with pytest.raises(Problem, match="'PERP' is none of"):
        parse_body(json.dumps(asked).encode(), r.InstrumentRequest)
    with pytest.raises(Problem, match="'buy' is none of BUY, SELL") as caught:
        parse_query([("side", "buy")], r.OrdersQuery)
    assert caught.value.members["field"] == "side"


def test_good_bodies_are_parsed_and_defaults_are_absent() -> None:
    parsed = parse_body(order(client_order_id="a-1", post_only=True), r.OrderRequest)
    assert (parsed.instrument_id, parsed.quantity, parsed.post_only) == ("BTC-USDT", "0.01", True)
    escaped = order().replace(b"BTC-USDT", b"BTC\\u002dUSDT")
    assert parse_body(escaped, r.OrderRequest).instrument_id == "BTC-USDT"


def test_a_hint_is_given_where_a_number_was_sent() -> None:
    assert "decimals travel as strings" in problem(order(price=60000.5)).detail
    with pytest.raises(Problem) as caught:
        parse_query([("limit", "0")], r.OrdersQuery)
    assert "decimals" not in caught.value.detail, "a limit is no decimal"


BAD_DECIMALS = [
    "NaN", "nan", "Infinity", "-Infinity", "1e5", "1E-3", "1e999", "+1", " 1", "1 ", "1_000", "1,5", "0x10", "", "-",
    ".", ".5", "5.", "--1", "٣", "１", "0.000000001", "0.123456789", "92233720368.54775808", "9" * 19, "1\n",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_DECIMALS)
def test_only_plain_decimals_that_fit_are_money(text: str) -> None:
    with pytest.raises(Problem) as caught:
        decimal("price", text)
    assert caught.value.code == "invalid_field"
    assert caught.value.members["field"] == "price"


@pytest.mark.parametrize("text", ["0", "-1", "0.00000000", "-0"])
def test_amounts_are_above_zero(text: str) -> None:
    with pytest.raises(Problem, match="above zero"):
        positive("amount", text)


@given(st.text(max_size=30))
def test_decimals_raise_nothing_but_problems(text: str) -> None:
    try:
        value_e8 = decimal("price", text)
    except Problem:
        with pytest.raises(MoneyError):
            to_e8(text)
    else:
        assert abs(value_e8) < 2**63


@given(st.binary(max_size=300))
def test_bytes_raise_nothing_but_problems(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_body(body, r.OrderRequest)
    assert caught.value.status in (400, 422)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "post_only", "client_order_id", "x"]), _VALUES))
def test_any_json_is_an_order_or_a_problem(fields: dict[str, Any]) -> None:
    try:
        parsed = parse_body(json.dumps({**GOOD, **fields}).encode(), r.OrderRequest)
    except Problem as found:
        assert found.code in CODES
        assert found.status in (400, 422)
    else:
        assert {name: getattr(parsed, name) for name in fields} == fields


def test_queries_are_typed_and_refuse_what_they_do_not_know() -> None:
    assert parse_query([("limit", "7"), ("status", "FILLED")], r.OrdersQuery).limit == 7
    for pairs, field in [
        ([("limit", "0")], "limit"),
        ([("limit", "501")], "limit"),
        ([("limit", "ten")], "limit"),
        ([("cursor", "-1")], "cursor"),
        ([("side", "buy")], "side"),
        ([("nonsense", "1")], "nonsense"),
        ([("limit", "1"), ("limit", "2")], "limit"),
    ]:
        with pytest.raises(Problem) as caught:
            parse_query(pairs, r.OrdersQuery)
        assert caught.value.members["field"] == field


def test_positions_are_read_as_they_are_written() -> None:
    positions = {Part("orders.decisions", 3): 42, Part("clearing.entries", 0): 7}
    text = format_positions(positions.items())
    assert text == "clearing.entries/0@7,orders.decisions/3@42"
    assert parse_positions(text) == positions
    assert parse_positions("") == {}
    assert parse_positions("orders.decisions/3@1, orders.decisions/3@5") == {Part("orders.decisions", 3): 5}
    everywhere = {Part(topic.name, number): 9 for topic in ALL for number in range(topic.partitions)}
    assert parse_positions(format_positions(everywhere.items())) == everywhere, "what a client may have come to know"


@pytest.mark.parametrize(
    "header",
    [
        "orders.decisions", "orders.decisions/3", "orders.decisions/8@1", "nowhere/0@1", "orders.decisions/3@-1",
        "orders.decisions/3@x", "orders.decisions/3@" + "9" * 19, ";", ",",
        ",".join(["orders.decisions/3@1"] * 500),
    ],
)  # fmt: skip
def test_bad_positions_are_refused(header: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_positions(header)
    assert caught.value.code == "invalid_header"


def test_positions_at_fault_name_their_own_header() -> None:
    with pytest.raises(Problem, match="Last-Event-ID must be"):
        parse_positions("garbage", "Last-Event-ID")
