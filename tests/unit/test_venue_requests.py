"""Requests to the venue: forms, signatures, receive windows and rate limits at their edges."""

import hmac
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import SetupError
from truetape.money import from_e8
from venues.limits import Limits, RateLimiter
from venues.parameters import Parameters, parse_form
from venues.rejects import Reject
from venues.signing import ApiKey, Window, check_signature, find_key, read_keys, read_window, without_signature

KEY = ApiKey("key-1", "secret-of-sixteen", "anna", ("USER_DATA",))
NOW_US = 1_750_000_000_000_000


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=8))
def test_forms_are_read_as_they_were_written(values: dict[str, str]) -> None:
    clean = {k.encode("utf-8", "replace").decode(): v.encode("utf-8", "replace").decode() for k, v in values.items()}
    assert parse_form(urlencode(clean)) == clean


@given(st.text(alphabet="ab=&%+1", max_size=40))
def test_no_text_upsets_the_form_parser(text: str) -> None:
    try:
        parse_form(text)
    except Reject as reject:
        assert reject.code == -1101


@pytest.mark.parametrize(
    ("text", "signed", "signature"),
    [
        ("a=1&signature=ff", "a=1", "ff"),
        ("signature=ff&a=1", "a=1", "ff"),
        ("a=1&signature=ff&b=2", "a=1&b=2", "ff"),
        ("a=1&b=2", "a=1&b=2", ""),
        ("a=signature=1", "a=signature=1", ""),
        ("", "", ""),
    ],
)
def test_the_signature_is_taken_out_of_what_is_signed(text: str, signed: str, signature: str) -> None:
    assert without_signature(text) == (signed, signature)


@given(st.text(max_size=60), st.integers(0, 63))
def test_a_signature_fits_its_text_alone(text: str, position: int) -> None:
    quoted = quote(text.encode("utf-8", "replace"))
    signature = hmac.digest(KEY.secret.encode(), quoted.encode(), "sha256").hex()
    check_signature(KEY, quoted, signature)
    check_signature(KEY, quoted, signature.upper())
    other = "0" if signature[position] != "0" else "1"
    for signed, given_signature in (
        (quoted + "x", signature),
        (quoted, signature[:position] + other + signature[position + 1 :]),
        (quoted, signature[:-1]),
        (quoted, "é" * 64),
    ):
        with pytest.raises(Reject) as caught:
            check_signature(KEY, signed, given_signature)
        assert caught.value.code == -1022


@pytest.mark.parametrize(
    ("name", "permission", "code"),
    [
        (None, "USER_DATA", -2014),
        ("", None, -2014),
        ("no way!", None, -2014),
        ("key-2", None, -2015),
        ("key-1", "TRADE", -2015),
    ],
)
def test_keys_that_may_not(name: str | None, permission: Any, code: int) -> None:
    with pytest.raises(Reject) as caught:
        find_key({"key-1": KEY}, name, permission)
    assert (caught.value.code, caught.value.status) == (code, 401)


def test_keys_that_may() -> None:
    assert find_key({"key-1": KEY}, "key-1", "USER_DATA") is KEY
    assert find_key({"key-1": KEY}, "key-1", None) is KEY
    assert "secret-of" not in repr(KEY)


@pytest.mark.parametrize(
    ("age_us", "window_us", "accepted"),
    [
        (0, 5_000_000, True),
        (5_000_000, 5_000_000, True),
        (5_000_001, 5_000_000, False),
        (-999_999, 5_000_000, True),
        (-1_000_000, 5_000_000, False),
        (1, 0, False),
    ],
)
def test_receive_window_at_its_edges(age_us: int, window_us: int, accepted: bool) -> None:
    window = Window(NOW_US - age_us, window_us)
    if accepted:
        window.check(NOW_US)
    else:
        with pytest.raises(Reject) as caught:
            window.check(NOW_US)
        assert caught.value.code == -1021


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"timestamp": "1750000000000"}, Window(NOW_US, 5_000_000)),
        ({"timestamp": "1750000000000000"}, Window(NOW_US, 5_000_000)),
        ({"timestamp": "1750000000000", "recvWindow": "60000"}, Window(NOW_US, 60_000_000)),
        ({"timestamp": "1750000000000", "recvWindow": "0.25"}, Window(NOW_US, 250)),
    ],
)
def test_receive_windows_are_read(values: dict[str, str], expected: Window) -> None:
    assert read_window(Parameters(values)) == expected


@given(st.integers(0, 2**63 - 1))
def test_decimals_are_read_exactly(value_e8: int) -> None:
    assert Parameters({"price": from_e8(value_e8)}).decimal("price") == value_e8
    assert (
        Parameters({"price": from_e8(value_e8) + ("" if "." in from_e8(value_e8) else ".") + "0"}).decimal("price")
        == value_e8
    )


def test_keys_from_the_environment() -> None:
    assert read_keys("") == {}
    text = '[{"api_key":"k","secret":"0123456789abcdef","account":"anna","permissions":["USER_DATA"]}]'
    assert read_keys(text)["k"].permissions == ("USER_DATA",)
    twice = text.replace("]}]", "]}," + text[1:])
    with pytest.raises(SetupError, match="names an api_key twice"):
        read_keys(twice)


def test_orders_are_counted_per_account_and_window() -> None:
    limiter = RateLimiter(Limits(orders_10s=2, orders_1d=3))
    assert limiter.order(1, 10_000) == (1, 1)
    assert limiter.order(1, 10_001) == (2, 2)
    assert limiter.order(2, 10_002) == (1, 1)
    with pytest.raises(Reject, match="current limit is 2 orders per 10 SECOND"):
        limiter.order(1, 19_999)
    with pytest.raises(Reject, match="current limit is 3 orders per 1 DAY"):
        limiter.order(1, 20_000)
    assert limiter.order(1, 86_400_000) == (1, 1)


def test_bans_grow_and_end() -> None:
    limiter = RateLimiter(Limits(weight_1m=10, warnings=2, ban_seconds=120))

    def statuses(now_ms: int, count: int) -> list[int]:
        seen = []
        for _ in range(count):
            try:
                limiter.request("here", 5, now_ms)
                seen.append(200)
            except Reject as reject:
                assert reject.retry_after_s is not None
                seen.append(reject.status)
        return seen

    assert statuses(60_000, 6) == [200, 200, 429, 429, 418, 418]
    assert statuses(179_999, 1) == [418]
    assert statuses(180_000, 5) == [200, 200, 429, 429, 418]
    assert statuses(180_000 + 239_999, 1) == [418]
    assert statuses(180_000 + 240_000, 1) == [200]
    assert limiter.request("elsewhere", 5, 60_000) == 5
