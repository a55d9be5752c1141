"""Instruments as people write them: JSON with decimal strings and RFC 3339 times, from and to the tape's structs."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from truetape.messages import ContractTerms, Instrument, MarkTerms
from truetape.money import from_e8, to_e8

_MONEY: Final = ("tick", "lot", "min_quantity", "max_quantity", "min_notional", "max_notional")
_LISTED: Final = ("tick", "lot", "min_quantity", "min_notional", "maker_rate", "taker_rate")
_TERMS: Final = (
    "multiplier", "initial_rate", "maintenance_rate", "funding_cap_rate", "settlement_fee_rate",
    "liquidation_fee_rate", "strike", "fixing_coverage", "funding_interest_rate", "funding_damper_rate",
)  # fmt: skip
_SECONDS: Final = (
    "funding_interval", "fixing_window", "settlement_interval", "settlement_offset", "funding_step",
)  # fmt: skip
"""Terms that people write in whole seconds."""
_TERMS_ABSENT: Final = {
    "delivery": "CASH", "funding_cap_rate": "0", "funding_interval_seconds": 0, "settlement_fee_rate": "0",
    "liquidation_fee_rate": "0", "mark_max_age_ms": 60_000,
}  # fmt: skip
"""What terms are when nothing is said."""
_BY_ITSELF: Final[dict[str, dict[str, int]]] = {
    "FUTURE": {
        "fixing_window_seconds": 1_800, "settlement_interval_seconds": 86_400, "settlement_offset_seconds": 28_800
    },
    "PERPETUAL": {
        "fixing_window_seconds": 1_800, "settlement_interval_seconds": 86_400, "settlement_offset_seconds": 28_800,
        "funding_step_seconds": 3_600,
    },
    "OPTION": {"fixing_window_seconds": 1_800},
}  # fmt: skip
"""The schedule of a kind of contract when nothing is said: daily at 08:00 UTC, funding by the hour."""


def instrument_from(content: dict[str, Any]) -> Instrument:
    """An instrument from its JSON with decimal strings. Raises KeyError, TypeError, ValueError, MoneyError."""
    terms = content.get("contract")
    contract = None if terms is None else contract_terms(terms)
    listings = [_plain(listing, _LISTED) for listing in content.get("listings", ())]
    said: dict[str, Any] = {"listings": listings, "contract": contract}
    if (marking := content.get("marking")) is not None:
        said["marking"] = _plain({"outlier_rate": "0.05"} | marking, ("outlier_rate",))
    return msgspec.convert({**_plain(content, _MONEY), **said}, Instrument)


def contract_terms(content: dict[str, Any]) -> ContractTerms:
    """A derivative's terms from their JSON. Raises KeyError, TypeError, ValueError, MoneyError."""
    said = _TERMS_ABSENT | _BY_ITSELF.get(str(content.get("kind")), {}) | content
    terms = _plain(said, tuple(name for name in _TERMS if name in said))
    for name in _SECONDS:
        if f"{name}_seconds" in terms:
            terms[f"{name}_us"] = terms.pop(f"{name}_seconds") * 1_000_000
    terms["mark_max_age_us"] = terms.pop("mark_max_age_ms") * 1_000
    if "expires_at" in terms:
        terms["expires_at_us"] = moment_us(terms.pop("expires_at"))
    return msgspec.convert(terms, ContractTerms)


def contract_shown(terms: ContractTerms) -> dict[str, Any]:
    """The same JSON again."""
    shown: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(terms).items():
        if name.endswith("_e8"):
            shown[name.removesuffix("_e8")] = None if value is None else from_e8(value)
        else:
            shown[name] = value
    for name in _SECONDS:
        shown[f"{name}_seconds"] = shown.pop(f"{name}_us") // 1_000_000
    shown["mark_max_age_ms"] = shown.pop("mark_max_age_us") // 1_000
    expires_at_us = shown.pop("expires_at_us")
    shown["expires_at"] = None if expires_at_us is None else text_of(expires_at_us)
    return shown


def marking_shown(terms: MarkTerms) -> dict[str, Any]:
    """How several venues make a mark, as people write it."""
    return {"venues_least": terms.venues_least, "outlier_rate": from_e8(terms.outlier_rate_e8)}


def without_schedule(instrument: Instrument) -> Instrument:
    """The definition of a contract that has ended before its expiry: no settlement price, funding step or expiry of it
    is made any more."""
    if instrument.contract is None:
        return instrument
    terms = replace(
        instrument.contract, fixing_window_us=0, settlement_interval_us=0, settlement_offset_us=0, funding_step_us=0
    )
    return replace(instrument, contract=terms)


def moment_us(text: str) -> int:
    """A time of RFC 3339 with its offset, in microseconds UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text[:40]!r} must say its offset from UTC, such as Z")
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def text_of(at_us: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_us % 1_000_000:06d}Z"


def _plain(content: dict[str, Any], money: tuple[str, ...]) -> dict[str, Any]:
    rest = {name: value for name, value in content.items() if name not in money}
    return rest | {f"{name}_e8": to_e8(content[name]) for name in money}
