"""From a request to its answer, the same for REST and the websocket api: limits, key, signature, receive
window, planted faults, handler. Checked once on arrival and, for the window, again before the exchange acts.
"""

import asyncio
from typing import Any, NamedTuple

from venues.accounts import Account
from venues.parameters import Parameters
from venues.rejects import Reject
from venues.routes import Route
from venues.signing import Window, check_signature, find_key, read_window
from venues.venue import Call, Venue


class Prepared(NamedTuple):
    """A request that may run."""

    method: str
    path: str
    route: Route
    parameters: Parameters
    account: Account | None
    window: Window | None


class Answer(NamedTuple):
    """What a handler returned, with the order counts when it was an order."""

    result: Any
    order_counts: tuple[int, int] | None


class ReplyDropped(Exception):
    """A planted fault: close the connection without an answer."""


def prepare(
    venue: Venue,
    method: str,
    path: str,
    route: Route,
    parameters: Parameters,
    key_name: str | None,
    signed: str,
    signature: str,
) -> Prepared:
    """Find out who asks, and whether they may. `signed` is the text that the signature covers."""
    account: Account | None = None
    window: Window | None = None
    if route.security != "NONE":
        key = find_key(venue.keys, key_name, None if route.security == "KEY" else route.security)
        account = venue.accounts[key.api_key]
        if route.security != "KEY":
            window = read_window(parameters)
            check_signature(key, signed, signature)
            window.check(venue.now_us())
    unread = parameters.values.keys() - route.parameters
    if unread:
        read, sent = len(parameters.values) - len(unread), len(parameters.values)
        raise Reject(
            -1104,
            f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
        )
    return Prepared(method, path, route, parameters, account, window)


def execute(venue: Venue, prepared: Prepared) -> Answer:
    """Run the handler at the venue's time now, and tell the listeners."""
    now_us = venue.now_us()
    if prepared.window is not None:
        prepared.window.check(now_us)
    now_ms = now_us // 1_000
    counts = None
    if prepared.route.counts_order and prepared.account is not None:
        counts = venue.limiter.order(prepared.account.account_id, now_ms)
    try:
        result = prepared.route.handler(venue, Call(prepared.parameters, prepared.account, now_ms))
    finally:
        venue.flush()
    return Answer(result, counts)


async def execute_with_faults(venue: Venue, prepared: Prepared) -> Answer:
    """As `execute`, with planted faults before and after. Raises Reject or ReplyDropped."""
    method, path, strike = prepared.method, prepared.path, venue.faults.strike_request
    limited = strike("rate_limit", method, path)
    if limited is not None:
        raise Reject(-1003, "Too many requests queued.", retry_after_s=1)
    delay = strike("delay", method, path)
    if delay is not None:
        await asyncio.sleep(delay.delay_ms / 1_000)
    if strike("drop_request", method, path):
        raise ReplyDropped
    _raise_error(strike("error", method, path))
    answer = execute(venue, prepared)
    if strike("drop_reply", method, path):
        raise ReplyDropped
    _raise_error(strike("error_after", method, path))
    return answer


_ERROR_TEXTS = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1016: "This service is no longer available.",
}


def _raise_error(rule: Any) -> None:
    if rule is not None:
        status = 0 if rule.code in _ERROR_TEXTS else 500
        raise Reject(rule.code, _ERROR_TEXTS.get(rule.code, _ERROR_TEXTS[-1000]), status=status)
