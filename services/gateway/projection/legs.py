"""Rows of trades of two, give-ups, allocations, legs and netted payments."""

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from truetape import messages as m

if TYPE_CHECKING:
    from services.gateway.projection.rows import Batch

HOMES: Final = ("NOVATION:", "GIVE_UP:", "ALLOCATION:")
"""How the home of a leg names itself in the entry that books it (services/clearing/across/pursuit.py)."""
OPEN: Final = "OPEN"


def trade_changed(batch: "Batch", event: m.TradeChanged) -> None:
    """A trade of two as it is now, for both of its accounts."""
    terms = event.views[event.first_id]
    if event.bilateral is not None:
        _bilateral(batch, event.bilateral, event.meta, OPEN)
    _trade(batch, event.trade_id, "NOVATION", event.state, event.meta, terms.buyer_id, terms.seller_id)


def bilateral_changed(batch: "Batch", event: m.BilateralChanged) -> None:
    """A bilateral trade that a party wants to end, or that both did."""
    _bilateral(batch, event.trade, event.meta, event.state, event.party_id)


def compression_changed(batch: "Batch", event: m.CompressionChanged) -> None:
    """What a compression has ended, and what stands in its place."""
    if event.state != "COMPRESSED":
        return
    for one in event.ended:
        _bilateral(batch, one, event.meta, "COMPRESSED", event.run_id)
    for one in event.left:
        _bilateral(batch, one, event.meta, OPEN)
        _trade(batch, one.trade_id, "COMPRESSION", OPEN, event.meta, one.buyer_id, one.seller_id)


def _bilateral(batch: "Batch", one: m.BilateralTrade, meta: m.Meta, state: str, ended_by: str = "") -> None:
    at_us = meta.decided_at_us
    batch.bilateral[one.trade_id] = asdict(one) | {"state": state, "ended_by": ended_by, "updated_at_us": at_us}


def move_changed(batch: "Batch", event: m.MoveChanged) -> None:
    """A give-up or allocation as it is now, for all of its accounts."""
    accounts = (event.account_id, *(leg.account_id for leg in event.legs))
    _trade(batch, event.move_id, event.kind, event.state, event.meta, *accounts)


def _trade(batch: "Batch", trade_id: str, kind: str, state: str, meta: m.Meta, *accounts: str) -> None:
    at_us = meta.decided_at_us
    batch.trades[trade_id] = {"trade_id": trade_id, "kind": kind, "state": state, "updated_at_us": at_us}
    for account_id in accounts:
        batch.trade_parties[account_id, trade_id] = {"account_id": account_id, "trade_id": trade_id}


def leg_changed(batch: "Batch", event: m.LegChanged) -> None:
    """A leg that is asked for, or will not be booked."""
    leg = event.leg
    _leg(
        batch, leg.leg_id, event.meta, event.state, account_id=leg.account_id, trade_id=event.trade_id,
        kind=event.kind, from_id=event.from_id, instrument_id=leg.instrument_id, side=leg.side,
        quantity_e8=leg.quantity_e8, price_e8=leg.price_e8, reason=event.reason,
    )  # fmt: skip


def booked(batch: "Batch", event: m.EntryBooked) -> None:
    """A leg that is open from now on, one that it ends, or one that is taken back."""
    if event.corrects is not None and event.contract is not None:
        _leg(batch, event.corrects, event.meta, "CORRECTED")
    if event.contract is None or not event.contract.ids.get("requested_by", "").startswith(HOMES):
        return
    if closes := event.contract.ids.get("closes", ""):
        _leg(batch, closes, event.meta, "CLOSED")
    state = "BOOKED" if closes else OPEN
    _leg(batch, event.entry_id, event.meta, state, cost_e8=event.contract.paid_e8)


def compressed(batch: "Batch", event: m.LegsCompressed) -> None:
    """Legs that ended, and what stands in their place."""
    for leg in event.ended:
        _leg(batch, leg.leg_id, event.meta, "COMPRESSED")
    for leg in event.left:
        _leg(
            batch, leg.leg_id, event.meta, OPEN, account_id=leg.account_id, trade_id=event.command_id,
            kind="COMPRESSION", from_id="", instrument_id=leg.instrument_id, side=leg.side,
            quantity_e8=leg.quantity_e8, price_e8=leg.price_e8, cost_e8=leg.cost_e8, reason="",
        )  # fmt: skip


def _leg(batch: "Batch", leg_id: str, meta: m.Meta, state: str, **said: Any) -> None:
    row = batch.legs.setdefault(leg_id, {"leg_id": leg_id})
    row |= {"state": state, "updated_at_us": meta.decided_at_us, **said}


def netted(batch: "Batch", event: m.PaymentsNetted) -> None:
    """What a day was netted into."""
    whose = {"account_id": event.account_id, "value_date": event.value_date}
    batch.instructions += [asdict(one) | whose for one in event.instructions]


def cut(batch: "Batch", event: m.EntryBooked) -> None:
    """Long and short side after an entry, of an account with terms of its own."""
    booked = event.contract
    if booked is not None and "long_e8" in booked.numbers:
        terms, numbers = booked.ids, booked.numbers
        _sides(
            batch, event, booked.instrument_id, terms["positions"], terms["costs"], numbers["long_e8"],
            numbers["short_e8"],
        )  # fmt: skip


def closed_out(batch: "Batch", event: m.SidesClosedOut) -> None:
    """Long contracts were closed against short ones, under the terms of the entry before."""
    _sides(batch, event, event.instrument_id, None, None, event.long_e8, event.short_e8)


def _sides(
    batch: "Batch", event: m.EntryBooked | m.SidesClosedOut, name: str, positions: str | None, costs: str | None,
    long_e8: int, short_e8: int,
) -> None:  # fmt: skip
    batch.sides.append(
        {
            "account_id": event.account_id, "instrument_id": name, "offset": batch.offset,
            "at_us": event.meta.decided_at_us, "positions": positions, "costs": costs, "long_e8": long_e8,
            "short_e8": short_e8,
        }
    )  # fmt: skip
