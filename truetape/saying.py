"""Records in words, money as decimals: the API, its page and the command line show the same."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from truetape.money import from_e8
from truetape.sheets import words

TOLD: Final = (
    "reason", "status", "venue", "quantity_e8", "price_e8", "fee_e8", "reserved_e8", "released_e8", "rule",
    "position_effect",
)  # fmt: skip
"""Fields of a record that its words tell, where they say something."""
ASSETS: Final = {"fee_e8": "fee_asset", "reserved_e8": "reserved_asset"}
"""Which field names the asset of an amount."""


def says(fields: Mapping[str, Any]) -> str:
    """What a record says; empty where its type says all. `fields` are its own, as plain values."""
    return ", ".join(_said(fields))


def _said(fields: Mapping[str, Any]) -> Iterator[str]:
    if "legs" in fields and "order" in fields:
        yield from _routed(fields)
    elif "key_id" in fields and "order" in fields:
        yield _terms(fields["order"])
    if len(orders := fields.get("order_ids") or ()) > 1:
        yield f"{len(orders)} orders"
    for name in TOLD:
        if (value := fields.get(name)) not in (None, "", 0):
            asset = fields.get(ASSETS.get(name, ""), "")
            yield f"{name.removesuffix('_e8')} {_shown(name, value)}{' ' * bool(asset)}{asset}"
    for name, value in (fields.get("numbers") or {}).items():
        yield f"{name.removesuffix('_e8')} {_shown(name, value)}"


def _terms(order: Mapping[str, Any]) -> str:
    """An order as its owner would say it."""
    price = order.get("price_e8")
    at = "at the market" if price is None else f"at {from_e8(price)}"
    kind = "post-only" if order.get("post_only") else order["time_in_force"]
    effect = f", to {order['position_effect'].lower()}" if order.get("position_effect") else ""
    return f"{order['side']} {from_e8(order['quantity_e8'])} {order['instrument_id']} {at}, {kind}{effect}"


def _routed(fields: Mapping[str, Any]) -> Iterator[str]:
    """Where an order goes, and what the router saw of the books that it chose from."""
    for leg in fields["legs"]:
        yield f"{from_e8(leg['quantity_e8'])} to {leg['venue']} at {from_e8(leg['price_e8'])}"
    for book in fields.get("seen") or ():
        cost = book.get("cost_e8")
        yield f"{book['venue']} " + ("fills nothing now" if cost is None else f"{from_e8(abs(cost))} a unit with fees")


def _shown(name: str, value: Any) -> str:
    return from_e8(value) if name.endswith("_e8") else words(value)


def legible(value: Any) -> Any:
    """Plain values without what is empty, money as decimals without _e8 in the name."""
    if isinstance(value, Mapping):
        kept = {name: legible(one) for name, one in value.items() if one not in ("", None, 0, [], (), {})}
        return {
            name.removesuffix("_e8"): from_e8(one) if name.endswith("_e8") and isinstance(one, int) else one
            for name, one in kept.items()
        }
    return [legible(one) for one in value] if isinstance(value, list | tuple) else value
