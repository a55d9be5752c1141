"""Why an account takes no orders, or only those that reduce: who said so, and what ends it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from truetape.reference import EVERYBODY, Reference

HaltKind = Literal["OPERATOR", "DEFAULT", "PORTING", "PARKED", "LIQUIDATION"]
KINDS: Final[tuple[HaltKind, ...]] = get_args(HaltKind)
RESTRICTIONS: Final = ("halted_by", "porting_id", "liquidation_id")
"""What risk keeps of an account that restricts its orders, by name: empty, or the id of what it is for."""
DEFAULT: Final = "default:"
"""Before a default's id: in what risk says that halts an account, and in the name of the command that cancels its
orders."""


class Halt(Struct, frozen=True):
    """One reason. An account may have several; each has to end by itself."""

    kind: HaltKind
    """OPERATOR: the kill switch. DEFAULT: its default. PORTING: its member's default, until it has another member.
    PARKED: an input that the ledger refused. LIQUIDATION: it is being sold down."""
    state: str
    """HALTED, or REDUCING: orders that only reduce pass."""
    because: str
    """The operator's words, or the id of what halts it."""
    next: str
    """How it ends, or where to look."""


def by_reference(reference: Reference, account_id: str) -> Iterator[Halt]:
    """What reference data says of an account: the kill switch, which risk reads there."""
    for who in (account_id, EVERYBODY):
        state = reference.trading_states.get(who, "ACTIVE")
        if state != "ACTIVE":
            because = reference.trading_reasons.get(who, "")
            yield Halt("OPERATOR", state, because, f"`truetape accounts state '{who}' ACTIVE --reason ...` ends it")


def by_risk(account_id: str, known: Mapping[str, Any]) -> Iterator[Halt]:
    """What risk has restricted of an account, and so refuses: as plain values (`RESTRICTIONS`)."""
    if (halted_by := known.get("halted_by", "")).startswith(DEFAULT):
        look = f"for good: `truetape default show {account_id}` says how it stands"
        yield Halt("DEFAULT", "HALTED", halted_by.removeprefix(DEFAULT), look)
    elif halted_by:
        look = f"`truetape parked --account {account_id}` says why, `parked release` or `dismiss` ends it"
        yield Halt("PARKED", "HALTED", halted_by, look)
    if porting_id := known.get("porting_id", ""):
        yield Halt("PORTING", "REDUCING", porting_id, "ends when it has another member: `truetape porting list`")
    if liquidation_id := known.get("liquidation_id", ""):
        look = f"ends with its liquidation: `truetape liquidations --account {account_id}`"
        yield Halt("LIQUIDATION", "HALTED", liquidation_id, look)


def halts(reference: Reference, account_id: str, known: Mapping[str, Any]) -> list[Halt]:
    """Why an account is halted or reducing: by reference data, and by what risk has restricted (`known`)."""
    found = [*by_reference(reference, account_id), *by_risk(account_id, known)]
    return sorted(found, key=lambda one: KINDS.index(one.kind))
