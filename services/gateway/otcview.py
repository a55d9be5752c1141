"""Trades of two, give-ups and allocations as one of their accounts may see them, from the views' rows of their records.

Both parties of a trade see both legs. Of a give-up or allocation the giving account sees all legs, a receiving one its
own. What risk saw of an account's margin stands in that account's own records, and only it sees those numbers.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from services.gateway import rendering
from truetape import api_trades as a
from truetape.money import from_e8
from truetape.sheets import sheet

Row = dict[str, Any]
DECISIONS: Final = ("TradeChanged", "MoveChanged")
BEGINS: Final = ("AFFIRMED", "ASKED")
"""States whose record names every leg."""


def trade(row: Row, events: Iterable[Row], account_id: str) -> a.Trade:
    """One trade as it is now."""
    return a.Trade(**_fields(row, _of(row, events), account_id))


def history(row: Row, events: Iterable[Row], account_id: str) -> a.TradeHistory:
    """The same with every record that the account may see."""
    mine = _of(row, events)
    steps = [_step(one, account_id) for one in mine if _sees(one, mine, account_id)]
    return a.TradeHistory(**_fields(row, mine, account_id), history=steps)


def _of(row: Row, events: Iterable[Row]) -> list[Row]:
    return [one for one in events if one["trade_id"] == row["trade_id"]]


def _fields(row: Row, events: Sequence[Row], account_id: str) -> dict[str, Any]:
    decided = [one["body"] for one in events if one["type"] in DECISIONS]
    if not decided:
        return _left(row, row["bilateral"])
    now, told = decided[-1], _terms(decided[-1])
    legs = _legs(decided, events)
    return {
        "trade_id": row["trade_id"], "kind": row["kind"], "reference": told["reference"], "state": row["state"],
        "first_id": told["first_id"], "buyer_id": told["buyer_id"], "seller_id": told["seller_id"],
        "instrument_id": told["instrument_id"], "quantity": from_e8(int(told["quantity_e8"])),
        "price": from_e8(int(told["price_e8"])), "waits_for": _waits_for(row["state"], told, legs),
        "expires_at": rendering.moment(now["expires_at_us"]), "updated_at": rendering.moment(row["updated_at_us"]),
        "reason": now["reason"], "detail": now["detail"],
        "differences": [rendering.disagreement(**one) for one in now.get("differences", ())],
        "legs": [leg for leg in legs if _mine(leg.account_id, told, account_id)],
    } | _standing(row)  # fmt: skip


def _standing(row: Row) -> dict[str, str]:
    """How a trade stands that stays between its parties; one whose contract is over has ended with it."""
    if (kept := row["bilateral"]) is None:
        return {}
    open_still = kept["state"] in ("OPEN", "TERMINATING")
    return {"bilateral": "ENDED" if open_still and row["over"] else kept["state"], "ended_by": kept["ended_by"]}


def _left(row: Row, kept: Row) -> dict[str, Any]:
    """A trade that a compression left: nobody told it, and it has no leg."""
    at = rendering.moment(row["updated_at_us"])
    return {
        "trade_id": row["trade_id"], "kind": row["kind"], "reference": kept["reference"], "state": row["state"],
        "first_id": kept["home_id"], "buyer_id": kept["buyer_id"], "seller_id": kept["seller_id"],
        "instrument_id": kept["instrument_id"], "quantity": from_e8(int(kept["quantity_e8"])),
        "price": from_e8(int(kept["price_e8"])), "waits_for": [], "expires_at": at, "updated_at": at, "reason": "",
        "detail": "", "differences": [], "legs": [],
    } | _standing(row)  # fmt: skip


def _terms(body: Row) -> Row:
    """What is traded, and between whom."""
    if "views" in body:
        return {"first_id": body["first_id"], **body["views"][body["first_id"]]}
    leg, giver = body["leg"], body["account_id"]
    buys = leg["side"] == "BUY"
    return {
        **leg, "first_id": giver, "buyer_id": giver if buys else "", "seller_id": "" if buys else giver,
        "reference": body["reference"],
    }  # fmt: skip


def _mine(owner_id: str, told: Row, account_id: str) -> bool:
    """Whether the account may see somebody's leg: its own, as a party of a trade, or as the one who gives."""
    return owner_id == account_id or account_id in (told["buyer_id"], told["seller_id"])


def _legs(decided: Sequence[Row], events: Sequence[Row]) -> list[a.LegOfTrade]:
    named: list[Row] = next((body["legs"] for body in decided if body["state"] in BEGINS and body["legs"]), [])
    states = {leg["leg_id"]: "ASKED" for leg in named}
    booking = False
    for one in events:
        body = one["body"]
        booking |= one["type"] in DECISIONS and body["state"] in ("NOVATED", "MOVED")
        if one["type"] == "LegChanged":
            states[body["leg"]["leg_id"]] = body["state"]
        elif one["type"] == "LegConfirmed" and booking:
            states[body["leg_id"]] = "BOOKED"
    return [
        a.LegOfTrade(
            leg["leg_id"], leg["account_id"], leg["instrument_id"], leg["side"], from_e8(int(leg["quantity_e8"])),
            from_e8(int(leg["price_e8"])), states[leg["leg_id"]],
        )
        for leg in named
    ]  # fmt: skip


def _waits_for(state: str, told: Row, legs: Iterable[a.LegOfTrade]) -> list[str]:
    match state:
        case "ALLEGED":
            return sorted({told["buyer_id"], told["seller_id"]} - {told["first_id"]})
        case "MISMATCHED":
            return sorted((told["buyer_id"], told["seller_id"]))
        case "AFFIRMED" | "ASKED":
            return sorted({leg.account_id for leg in legs if leg.state != "RESERVED"})
        case "NOVATED" | "MOVED":
            return sorted({leg.account_id for leg in legs if leg.state != "BOOKED"})
        case _:
            return []


def _sees(one: Row, events: Sequence[Row], account_id: str) -> bool:
    if one["type"] != "LegChanged":
        return True
    told = _terms(next(row["body"] for row in events if row["type"] in DECISIONS))
    return _mine(one["account_id"], told, account_id)


def _step(one: Row, account_id: str) -> a.TradeStep:
    body, own = one["body"], one["account_id"] == account_id
    about = body.get("party_id") or one["account_id"]
    said = body.get("state") or ("RESERVED" if one["type"] == "LegAnswered" else "BOOKED OR LET GO")
    detail = body.get("detail", "") if own or one["type"] in DECISIONS else ""
    return a.TradeStep(
        rendering.moment(one["at_us"]), one["type"], about, said, body.get("reason", ""), detail, one["event_id"]
    )


def leg(row: Row) -> a.Leg:
    """A row of view.legs."""
    state = "ENDED" if row["state"] == "OPEN" and row["ended"] else row["state"]
    cost = None if row["cost_e8"] is None else from_e8(int(row["cost_e8"]))
    return a.Leg(
        row["leg_id"], row["trade_id"], row["kind"], row["from_id"], row["instrument_id"], row["side"],
        from_e8(int(row["quantity_e8"])), from_e8(int(row["price_e8"])), cost, state, row["reason"] or "",
        rendering.moment(row["updated_at_us"]),
    )  # fmt: skip


def instruction(row: Row) -> a.PaymentInstruction:
    """A row of view.instructions, or an event's instruction as one."""
    amount, received, paid = (from_e8(int(row[name])) for name in ("amount_e8", "received_e8", "paid_e8"))
    parts = {purpose: from_e8(int(e8)) for purpose, e8 in sorted(row["parts"].items())}
    return a.PaymentInstruction(
        row["instruction_id"], row["value_date"], row["asset"], amount, received, paid, parts, row["payments"],
        row["run"],
    )  # fmt: skip


# -- tables ------------------------------------------------------------------------------------------------------------

SHOWN: Final = (
    "trade_id", "kind", "reference", "state", "first_id", "buyer_id", "seller_id", "instrument_id", "quantity", "price",
    "expires_at", "updated_at", "reason", "detail", "bilateral", "ended_by",
)  # fmt: skip


def trades_csv(trades: Iterable[a.Trade]) -> str:
    """One line per trade; accounts that are waited for are separated by spaces."""
    rows = [(*(getattr(one, name) for name in SHOWN), " ".join(one.waits_for)) for one in trades]
    return sheet((*SHOWN, "waits_for"), rows)


def history_csv(one: a.TradeHistory) -> str:
    """One line per record."""
    return sheet(a.TradeStep.__struct_fields__, map(astuple, one.history))


def legs_csv(legs: Iterable[a.Leg]) -> str:
    """One line per leg."""
    return sheet(a.Leg.__struct_fields__, map(astuple, legs))
