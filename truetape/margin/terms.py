"""Margin classes and collateral as people write them: JSON with decimal strings, from and to the tape's structs."""

import json
from typing import Any, TypeVar

import msgspec

from truetape.messages import CollateralAsset, MarginClass
from truetape.money import from_e8, to_e8

T = TypeVar("T", bound=msgspec.Struct)


def class_from(content: dict[str, Any]) -> MarginClass:
    """A margin class from its JSON. Raises KeyError, TypeError, ValueError, MoneyError."""
    said = {"rate": "0", "peg": "", "parameters": {}} | content
    said["rate_e8"] = to_e8(said.pop("rate"))
    if not isinstance(said["parameters"], dict):
        raise TypeError("parameters must be an object")
    said["parameters"] = json.dumps(said["parameters"])
    return _convert(said, MarginClass)


def class_shown(one: MarginClass) -> dict[str, Any]:
    """The same JSON again."""
    return {
        "name": one.name, "model": one.model, "version": one.version, "rate": from_e8(one.rate_e8), "peg": one.peg,
        "parameters": json.loads(one.parameters),
    }  # fmt: skip


def collateral_from(content: dict[str, Any]) -> CollateralAsset:
    """An asset's terms as collateral from their JSON. Raises KeyError, TypeError, ValueError, MoneyError."""
    said: dict[str, Any] = {
        "share_max": "1", "limit": "0", "lot": "0.00000001", "mark_max_age_ms": 60_000, "cancels_risk": False,
    } | content  # fmt: skip
    for name in ("haircut", "share_max", "limit", "lot"):
        said[f"{name}_e8"] = to_e8(said.pop(name))
    said["mark_max_age_us"] = said.pop("mark_max_age_ms") * 1_000
    return _convert(said, CollateralAsset)


def collateral_shown(one: CollateralAsset) -> dict[str, Any]:
    """The same JSON again."""
    return {
        "asset": one.asset, "counts_for": one.counts_for, "version": one.version, "index": one.index,
        "haircut": from_e8(one.haircut_e8), "share_max": from_e8(one.share_max_e8), "limit": from_e8(one.limit_e8),
        "lot": from_e8(one.lot_e8), "mark_max_age_ms": one.mark_max_age_us // 1_000, "cancels_risk": one.cancels_risk,
    }  # fmt: skip


def _convert(said: dict[str, Any], into: type[T]) -> T:
    unknown = said.keys() - {field.name for field in msgspec.structs.fields(into)}
    if unknown:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    return msgspec.convert(said, into)
