"""What differs: which account, in which field, what the tape says and what the other says."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

Check = Literal["tape", "evidence", "invariant", "snapshot", "live", "view"]
NOTHING = "nothing"
SHOWN_CHARS = 200


class Difference(Struct, frozen=True):
    """One difference, in words and numbers that stand for themselves."""

    check: Check
    """Which comparison found it."""
    where: str
    """Service and partition, topic and partition, or view and table."""
    account_id: str
    """The account concerned; empty where it is not one account's."""
    what: str
    """Path of the field, or the rule that does not hold."""
    tape: str
    """What the tape says."""
    other: str
    """What the other side says."""


def paths(tape: Any, other: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, what the tape says, what the other says) of each leaf in which two values of dicts and lists differ."""
    if isinstance(tape, dict) and isinstance(other, dict):
        for key in sorted(tape.keys() | other.keys(), key=str):
            yield from paths(tape.get(key, _ABSENT), other.get(key, _ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(tape, list | tuple) and isinstance(other, list | tuple) and len(tape) == len(other):
        for index, (ours, theirs) in enumerate(zip(tape, other, strict=True)):
            yield from paths(ours, theirs, f"{path}[{index}]")
    elif tape != other:
        yield path, shown(tape), shown(other)


def between(
    check: Check, where: str, tape: dict[str, Any], other: dict[str, Any], elsewhere: bool
) -> Iterator[Difference]:
    """Differences of two states cut by account; one about the rest of the state where no account differs."""
    found = False
    for account in sorted(tape.keys() | other.keys()):
        for path, ours, theirs in paths(tape.get(account, _ABSENT), other.get(account, _ABSENT)):
            found = True
            yield Difference(check, where, account, path or "the account", ours, theirs)
    if elsewhere and not found:
        yield Difference(check, where, "", "the state beside its accounts", "another digest", "another digest")


def shown(value: Any) -> str:
    """A value for a person: short, and a word where there is none."""
    if value is _ABSENT:
        return NOTHING
    text = str(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


class _Absent:
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 0


_ABSENT: Any = _Absent()
