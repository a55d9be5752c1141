"""Why an account takes no orders, or only those that reduce: who said so, and what ends it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from truetape.reference import EVERYBODY, Reference

HaltKind = Literal["OPERATOR", "DEFAULT", "PORTING", "PARKED", "LIQUIDATION"]
KINDS: Final[tuple[HaltKind, ...]] = get_args(HaltKind)
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
    """What reference data says of an account: the kill switch and defaults."""
    for who in (account_id, EVERYBODY):
        state = reference.trading_states.get(who, "ACTIVE")
        if state != "ACTIVE":
            because = reference.trading_reasons.get(who, "")
            yield Halt("OPERATOR", state, because, f"`truetape accounts state '{who}' ACTIVE --reason ...` ends it")
    if default_id := reference.defaulted.get(account_id):
        yield _default(account_id, default_id)
    member_id = reference.member_of(account_id)
    if member_id != account_id and (default_id := reference.defaulted.get(member_id)):
        yield _porting(default_id)


def by_risk(account_id: str, known: Mapping[str, Any]) -> Iterator[Halt]:
    """What risk keeps of an account, as plain values."""
    if (halted_by := known.get("halted_by", "")).startswith(DEFAULT):
        yield _default(account_id, halted_by.removeprefix(DEFAULT))
    elif halted_by:
        look = f"`truetape parked --account {account_id}` says why, `parked release` or `dismiss` ends it"
        yield Halt("PARKED", "HALTED", halted_by, look)
    if porting_id := known.get("porting_id", ""):
        yield _porting(porting_id)
    if liquidation_id := known.get("liquidation_id", ""):
        look = f"ends with its liquidation: `truetape liquidations --account {account_id}`"
        yield Halt("LIQUIDATION", "HALTED", liquidation_id, look)


def halts(reference: Reference, account_id: str, known: Mapping[str, Any] | None = None) -> list[Halt]:
    """Why an account is halted or reducing, each reason once; without what risk keeps (`known`), as reference data has
    it."""
    found = [*by_reference(reference, account_id), *(by_risk(account_id, known) if known else ())]
    return sorted(dict.fromkeys(found), key=lambda one: KINDS.index(one.kind))


def _default(account_id: str, default_id: str) -> Halt:
    return Halt("DEFAULT", "HALTED", default_id, f"for good: `truetape default show {account_id}` says how it stands")


def _porting(default_id: str) -> Halt:
    return Halt("PORTING", "REDUCING", default_id, "ends when it has another member: `truetape porting list`")
