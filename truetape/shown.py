"""Rows as answers: decimals as strings, times as RFC 3339. The API and the command line show the same."""

import time
from typing import Any, Final

from msgspec import UNSET

from truetape import api as a
from truetape.api_trades import TradeDifference
from truetape.causes import Row
from truetape.money import ONE_E8, divide, from_e8
from truetape.saying import says

_SECOND_US: Final = 1_000_000


def moment(at_us: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    seconds, fraction = divmod(at_us, _SECOND_US)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:06d}Z"


def maybe_moment(at_us: int | None) -> str | None:
    """As `moment`; None stays None."""
    return None if at_us is None else moment(at_us)


def maybe_decimal(value_e8: int | None) -> str | None:
    """A decimal string; None stays None."""
    return None if value_e8 is None else from_e8(int(value_e8))


def numbers(seen: dict[str, int] | None) -> dict[str, Any]:
    """The numbers that a refusal saw: money as decimal strings without _e8 in the name, the rest as they are."""
    found: dict[str, Any] = {}
    for name, value in (seen or {}).items():
        if name.endswith("_e8"):
            found[name.removesuffix("_e8")] = from_e8(value)
        else:
            found[name] = value
    return found


def order(row: Row) -> a.Order:
    """An order of the views."""
    filled_e8 = row["filled_e8"]
    average_e8 = divide(int(row["quote_filled_e8"]) * ONE_E8, filled_e8, "half_even")[0] if filled_e8 else None
    return a.Order(
        order_id=row["order_id"], client_order_id=row["client_order_id"], account_id=row["account_id"],
        instrument_id=row["instrument_id"], side=row["side"], order_type=row["order_type"],
        time_in_force=row["time_in_force"], post_only=row["post_only"], quantity=from_e8(row["quantity_e8"]),
        price=maybe_decimal(row["price_e8"]), status=row["status"], filled=from_e8(filled_e8),
        average_price=maybe_decimal(average_e8), limit_price=maybe_decimal(row["limit_price_e8"]),
        reason=row["reason"] or row["ended_reason"],
        numbers=None if row["numbers"] is None else numbers(row["numbers"]),
        decided_at=maybe_moment(row["decided_at_us"]), updated_at=moment(row["updated_at_us"]),
        decision_id=row["decision_event_id"], position_effect=row["position_effect"] or UNSET,
    )  # fmt: skip


def fill(row: Row) -> a.Fill:
    """A fill of the views."""
    return a.Fill(
        execution_id=row["execution_id"], order_id=row["order_id"], instrument_id=row["instrument_id"],
        side=row["side"], venue=row["venue"], quantity=from_e8(row["quantity_e8"]), price=from_e8(row["price_e8"]),
        quote_amount=from_e8(row["quote_amount_e8"]), fee_asset=row["fee_asset"], fee=from_e8(row["fee_e8"]),
        liquidity=row["liquidity"], transacted_at=moment(row["transacted_at_us"]),
    )  # fmt: skip


def event(row: Row) -> a.Event:
    """A record of the tape, as the views keep it; a command has neither epoch nor cause."""
    source, offset = row["cause_source"], row["cause_offset"]
    cause = None
    if source is not None:
        cause = a.Cause(source, row["cause_partition"], offset if offset >= 0 else None, row["cause_id"] or None)
    return a.Event(
        row["topic"], row["partition"], row["offset"], row["type"], moment(row["at_us"]), row["epoch"] or None,
        row["sequence"] or None, row["event_id"], cause, row["body"], says(row["body"]),
    )  # fmt: skip


def disagreement(field: str, first: str, other: str) -> TradeDifference:
    """What two sides of a trade see differently: amounts as decimals, under the names of the request."""
    if not field.endswith("_e8"):
        return TradeDifference(field, first, other)
    return TradeDifference(field.removesuffix("_e8"), from_e8(int(first)), from_e8(int(other)))
