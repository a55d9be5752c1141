"""Given, when, then for risk: what it knows and what it answers, in words."""

from typing import Any

import msgspec

from services.risk.account import State
from services.risk.core import SERVICE
from tests.unit.desk import ANN, BTC, LIMITS, START_US, Desk, mark, some_meta, submit, terms
from truetape import messages as m
from truetape.money import from_e8, to_e8


def desk(*funds: str) -> Desk[State]:
    """Ann holds these ("2 BTC"); 100 000 USDT and 2 BTC unless said otherwise."""
    opened = Desk(SERVICE)
    for amount, asset in (fund.split() for fund in funds or ("100000 USDT", "2 BTC")):
        opened.give(credited(amount, asset))
    return opened


def credited(amount: str, asset: str = "USDT", account_id: str = ANN) -> m.EntryBooked:
    """An entry of clearing that moves a client's balance."""
    lines = (
        m.Line("client:" + account_id, asset, to_e8(amount), "deposit"),
        m.Line("venue:alpha", asset, -to_e8(amount), "deposit"),
    )
    return m.EntryBooked(
        meta=some_meta(), entry_id=f"{account_id}-{asset}-{amount}", account_id=account_id, kind="DEPOSIT",
        rule="transfer", lines=lines, realised_e8=0, filled_e8=0, transacted_at_us=START_US,
    )  # fmt: skip


def order_of(text: str, number: int = 0, account_id: str = ANN) -> m.OrderTerms:
    """ "BUY 1 60000 IOC POST_ONLY": side, quantity, price or MARKET, then what differs from plain."""
    side, quantity, price, *flags = text.split()
    changes: dict[str, Any] = {"post_only": True} if "POST_ONLY" in flags else {}
    for in_force in ("GTC", "IOC", "FOK"):
        if in_force in flags:
            changes["time_in_force"] = in_force
    for price_given in (flag.removeprefix("price=") for flag in flags if flag.startswith("price=")):
        changes["price_e8"] = None if price_given == "none" else to_e8(price_given)
    return terms(
        "BUY" if side == "BUY" else "SELL", quantity, None if price == "MARKET" else price, f"c{number}", account_id,
        **changes,
    )  # fmt: skip


def prepare(given: str, opened: Desk[State]) -> None:
    """Change what risk knows: "halted ann", "mark none", "age 6", "open 5", ..."""
    reference, newest = opened.tables.reference, opened.tables.marks.newest
    match given.split():
        case []:
            pass
        case ["halted" | "reducing" | "active" as state, who]:
            reference.trading_states[who] = state.upper()  # type: ignore[assignment]
        case ["reducing", who, "and", "halted", other]:
            reference.trading_states |= {who: "REDUCING", other: "HALTED"}
        case ["reducing", who, "and", quantity, "offered"]:
            opened.give(submit(order_of(f"SELL {quantity} 60000", 99)))
            reference.trading_states[who] = "REDUCING"
        case ["mark", "none"]:
            newest.clear()
        case ["mark", price]:
            newest["BTC-USDT"] = mark(price)
        case ["mark", "aged", seconds]:
            newest["BTC-USDT"] = mark("60000", START_US - int(float(seconds) * 1_000_000))
        case ["account", "unknown"]:
            reference.accounts.clear()
        case ["instrument", "unknown"]:
            reference.instruments.clear()
        case ["instrument", field, value]:
            number = value == "True" if field == "tradable" else to_e8(value)
            reference.instruments["BTC-USDT"] = msgspec.structs.replace(BTC, **{field: number})
        case ["limit", field, value]:
            number = to_e8(value) if field.endswith("_e8") else int(value)
            reference.limits[ANN] = msgspec.structs.replace(LIMITS, **{field: number})
        case ["open", count]:
            for number in range(int(count)):
                assert isinstance(opened.give(submit(order_of("BUY 0.01 50000", 100 + number))), m.OrderAccepted)
        case ["late", seconds]:
            opened.at_us += int(float(seconds) * 1_000_000)
            newest["BTC-USDT"] = mark("60000", opened.at_us)
        case ["funds", amount, asset]:
            opened.state = SERVICE.initial()
            opened.events.clear()
            opened.give(credited(amount, asset))
        case _:
            raise AssertionError(f"unknown row: {given}")


def shown(event: Any) -> str:
    match event:
        case m.OrderAccepted():
            reserved = f"{from_e8(event.reserved_e8)} {event.reserved_asset}"
            return f"accepted at {from_e8(event.limit_price_e8)}, {reserved} reserved"
        case m.OrderRejected() | m.TransferRejected():
            numbers = ", ".join(f"{name} {number}" for name, number in event.numbers.items())
            return f"{event.reason} {numbers}"
        case m.TransferApproved():
            return "approved"
    return str(event)
