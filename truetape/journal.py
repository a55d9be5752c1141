"""The journal as text for hledger and for beancount: two programs that never heard of us can add it up.

Every entry is one transaction that names its fill, its event, its rule and its place on the tape. Amounts are exact.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from truetape import ids
from truetape.audit.merge import counted
from truetape.happenings import Log, Part
from truetape.messages import EntryBooked, Line
from truetape.money import from_e8
from truetape.topics import CLEARING_ENTRIES, PARTITIONS

Format = Literal["hledger", "beancount"]
_COMMODITY: Final = re.compile(r"(?!X-)[A-Z][A-Z0-9._-]{0,21}[A-Z0-9]")
_COMPONENT: Final = re.compile(r"(?!X-)[A-Z0-9][A-Za-z0-9-]*")
_SAFE: Final = re.compile(r"[A-Za-z0-9-]+")
_ROOTS: Final = {"client": "Liabilities:Client", "house": "Income:House"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_OPENED: Final = "1970-01-01"


def entries(
    log: Log,
    timeout_seconds: float,
    account_id: str | None = None,
    until_us: int | None = None,
    partitions: Iterable[int] = range(CLEARING_ENTRIES.partitions),
) -> Iterator[tuple[Part, int, EntryBooked]]:
    """Entries that count, partition by partition, each with its place: all, or those of one account; booked before a
    time (microseconds UTC) if one is given. Raises TapeGap when records are missing."""
    for part, offset, entry in records(log, timeout_seconds, partitions):
        if not isinstance(entry, EntryBooked):
            continue
        early = until_us is None or entry.meta.decided_at_us < until_us
        if early and account_id in (None, entry.account_id):
            yield part, offset, entry


def records(log: Log, timeout_seconds: float, partitions: Iterable[int]) -> Iterator[tuple[Part, int, Any]]:
    """All records of clearing.entries that count, partition by partition. Raises TapeGap when records are missing."""
    parts = [Part(CLEARING_ENTRIES.name, partition) for partition in partitions]
    for given in counted(log, timeout_seconds, parts):
        yield given.part, given.offset, given.message


def newest(log: Log, timeout_seconds: float, account_id: str, kinds: Mapping[type, str]) -> list[Any]:
    """The newest record of each subject, which records of these types name by this field; of one account (empty: all),
    the one that changed last first. Raises TapeGap."""
    partitions = [ids.partition_of(account_id, PARTITIONS)] if account_id else range(PARTITIONS)
    found: dict[str, Any] = {}
    for _, _, event in records(log, timeout_seconds, partitions):
        name = kinds.get(type(event))
        if name is not None and account_id in ("", event.account_id):
            found[getattr(event, name)] = event
    return sorted(found.values(), key=lambda event: event.meta.decided_at_us, reverse=True)


def written(found: Iterator[tuple[Part, int, EntryBooked]], form: Format) -> Iterator[str]:
    """The journal, one transaction after the other; accounts and commodities are declared before their first use."""
    known: set[str] = set()
    declare, transaction = (
        (_hledger_declaration, _hledger) if form == "hledger" else (_beancount_declaration, _beancount)
    )
    for part, offset, entry in found:
        for line in entry.lines:
            for name in (f"commodity {line.asset}", f"account {line.account}"):
                if name not in known:
                    known.add(name)
                    yield declare(*name.split(" ", 1))
        yield transaction(part, offset, entry)


def commodity(asset: str) -> str:
    """An asset's name in both programs: its own where that is valid, else X- and a hash."""
    if _COMMODITY.fullmatch(asset):
        return asset
    return f"X-{hashlib.sha256(asset.encode()).hexdigest()[:16].upper()}"


def beancount_account(account: str) -> str:
    """A ledger account's name in beancount: clients are liabilities, mirrors assets, the house's accounts income."""
    kind, _, name = account.partition(":")
    root = _ROOTS.get(kind, f"Assets:{_component(kind.capitalize())}")
    return f"{root}:{_component(name)}"


def _component(name: str) -> str:
    if _COMPONENT.fullmatch(name):
        return name
    if _SAFE.fullmatch(name):
        return f"X-{name}"
    return f"X-{hashlib.sha256(name.encode()).hexdigest()[:16]}-hashed"


def _facts(part: Part, offset: int, entry: EntryBooked) -> Iterator[tuple[str, str]]:
    yield "fill", entry.execution_id or ""
    yield "order", entry.order_id or ""
    yield "reference", entry.external_reference or ""
    yield "corrects", entry.corrects or ""
    yield "event", entry.meta.event_id
    yield "rule", entry.rule
    yield "tape", f"{part}@{offset}"
    yield "transacted", datetime.fromtimestamp(entry.transacted_at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _day(entry: EntryBooked) -> str:
    return datetime.fromtimestamp(entry.transacted_at_us // 1_000_000, UTC).date().isoformat()


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)


# -- hledger -----------------------------------------------------------------------------------------------------------


def _hledger_declaration(kind: str, name: str) -> str:
    if kind == "account":
        return f"account {_hledger_account(name)}\n\n"
    return f'; asset {_plain(name)}\ncommodity 1000.00000000 "{commodity(name)}"\n\n'


def _hledger_account(account: str) -> str:
    """Two spaces would end a name, and a semicolon begin a comment."""
    return re.sub(r"[\s;]", "_", account)


def _hledger(part: Part, offset: int, entry: EntryBooked) -> str:
    title = re.sub(r"[;|]", " ", _plain(f"{entry.kind} {entry.entry_id}"))
    facts = [f"    ; {name}: {_plain(value)}" for name, value in _facts(part, offset, entry) if value]
    lines = [
        f'    {_hledger_account(line.account)}  {_amount(line)} "{commodity(line.asset)}"  ; {_plain(line.purpose)}'
        for line in entry.lines
    ]
    return "\n".join([f"{_day(entry)} * {title}", *facts, *lines, "", ""])


def _amount(line: Line) -> str:
    return from_e8(line.amount_e8)


# -- beancount ---------------------------------------------------------------------------------------------------------


def _beancount_declaration(kind: str, name: str) -> str:
    if kind == "account":
        return f"{_OPENED} open {beancount_account(name)}\n  ledger: {_quoted(name)}\n\n"
    return f"{_OPENED} commodity {commodity(name)}\n  asset: {_quoted(name)}\n\n"


def _beancount(part: Part, offset: int, entry: EntryBooked) -> str:
    facts = [f"  {name}: {_quoted(value)}" for name, value in _facts(part, offset, entry) if value]
    lines = [
        f"  {beancount_account(line.account)}  {_amount(line)} {commodity(line.asset)}\n"
        f"    purpose: {_quoted(line.purpose)}"
        for line in entry.lines
    ]
    title = f"{_day(entry)} * {_quoted(entry.kind)} {_quoted(entry.entry_id)}"
    return "\n".join([title, *facts, *lines, "", ""])


def _quoted(text: str) -> str:
    escaped = _plain(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
