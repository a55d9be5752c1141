"""Payment netting: what an account and the clearing house owe each other on a value date, as one instruction per asset.

Obligations are the lines by which entries about contracts pay the account or charge it (variation margin, premiums,
funding, exercise, fees), and what a multilateral compression makes it pay or get. Their value date follows from the day
of booking by the asset's calendar and lag (truetape/calendars.py); without either it is that day. Once nothing more can
fall on a value date, it is netted into instructions that settlement reads from `clearing.entries`, by command or an
hour later by itself. What comes late for a date that is netted keeps it, and another run of that date nets it. The
ledger's balances have moved already: an instruction says what has to move outside of it.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from msgspec.structs import replace

from services.clearing.booking import ledger, netting, trades
from services.clearing.booking.contracts import HOUSE
from services.clearing.booking.netting import Due, Dues, Obligation, Payments
from truetape import calendars, ids
from truetape.errors import SetupError
from truetape.messages import (
    ClearingRefusal,
    ClearingRefused,
    EntryBooked,
    Instruction,
    Line,
    NetPayments,
    PaymentsNetted,
)
from truetape.reference import Reference
from truetape.service import Input
from truetape.statement import span_of

PURPOSES: Final = frozenset(
    {
        "variation_margin", "premium", "funding", "exercise", "house_fee", "settlement_fee", "liquidation_fee",
        "compression",
    }
)  # fmt: skip
"""Purposes of lines that are payments between an account and the house. What a venue trades is owed to the venue."""
COMPRESSION: Final = "compression"
"""Purpose of claims of a compression, and of what pays them (services/clearing/otc/claims.py)."""
VALUE_DATE: Final = "value_date"
"""Where an entry says its value date; one about a contract that does not is due on the day of its booking."""
TRADED: Final = "traded"
"""Where an entry of money alone names the contract whose lag counts."""


NET_AFTER_US: Final = 3_600_000_000
"""How long a value date waits for a command once nothing more falls on it; then it is netted by itself."""
CLOCK: Final = "clock"


# -- value dates -------------------------------------------------------------------------------------------------------


def unsaid(known: Payments, asset: str, at_us: int) -> str:
    """The day on which something is due whose entry says nothing: that of its booking, and none that is netted."""
    today, last = calendars.day_of(at_us), known.last(asset)
    return today if today > last else (date.fromisoformat(last) + calendars.DAY).isoformat()


def due_on(reference: Reference, instrument_id: str, asset: str, at_us: int) -> str:
    """The value date of what a contract pays now: by its lag and the asset's calendar; without either that day."""
    calendar, lag_days = calendars.calendar_of(reference, asset), calendars.lag_of(reference, instrument_id, asset)
    return calendars.value_date(calendar, lag_days, calendars.day_of(at_us))


def dated(payments: Mapping[str, Payments], given: Input, entry: EntryBooked) -> EntryBooked:
    """An entry that pays an account, with its value date where a calendar or lag says which, or that date is netted, or
    it is money alone."""
    contract, reference = entry.contract, given.tables.reference
    if contract is None or not _lines(entry):
        return entry
    name, asset = contract.instrument_id or contract.ids.get(TRADED, ""), contract.settlement_asset
    at_us, instrument = entry.meta.decided_at_us, reference.instruments.get(name)
    own = instrument.settlement_lag_days if instrument is not None else None
    day, known = due_on(reference, name, asset, at_us), payments.get(entry.account_id, Payments())
    ruled = asset in reference.calendars or own is not None or not contract.instrument_id
    if not ruled and day == unsaid(known, asset, at_us):
        return entry
    return replace(entry, contract=replace(contract, ids=contract.ids | {VALUE_DATE: day}))


def _lines(entry: EntryBooked) -> list[Line]:
    """What an entry pays its account, or charges it."""
    contract, account = entry.contract, ledger.client(entry.account_id)
    if contract is None or not entry.account_id:
        return []
    ours = PURPOSES if not contract.counterparty.startswith("venue:") else PURPOSES - {"premium", "exercise"}
    return [line for line in entry.lines if line.account == account and line.purpose in ours]


def booked(payments: dict[str, Payments], entry: EntryBooked) -> None:
    """An entry about a contract pays its account, or charges it."""
    if entry.contract is None or not (entry.contract.instrument_id or VALUE_DATE in entry.contract.ids):
        return
    if not (lines := _lines(entry)):
        return
    said, at_us = entry.contract.ids.get(VALUE_DATE, ""), entry.meta.decided_at_us
    known = payments.setdefault(entry.account_id, Payments())
    for line in lines:
        _owe(known, said or unsaid(known, line.asset, at_us), line.asset, line.purpose, line.amount_e8)


def owed(payments: dict[str, Payments], account_id: str, asset: str, day: str, purpose: str, amount_e8: int) -> None:
    """Something outside of the ledger is due: positive, the account gets it. After what is netted, as all is."""
    known = payments.setdefault(account_id, Payments())
    last = known.last(asset)
    late = (date.fromisoformat(last) + calendars.DAY).isoformat() if last else ""
    _owe(known, max(day, late), asset, purpose, amount_e8)


def _owe(known: Payments, day: str, asset: str, purpose: str, amount_e8: int) -> None:
    day = max(day, known.oldest())
    due = known.days.setdefault(day, {}).setdefault(asset, {}).setdefault(purpose, Due())
    due.received_e8 += max(amount_e8, 0)
    due.paid_e8 += max(-amount_e8, 0)
    due.lines += 1


# -- netting -----------------------------------------------------------------------------------------------------------


def net(payments: dict[str, Payments], given: Input, command: NetPayments) -> PaymentsNetted | ClearingRefused:
    """Instructions of a value date on which nothing more can fall; of each asset the oldest first."""

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    known, day = payments.get(command.account_id, Payments()), command.value_date
    try:
        _, end_us = span_of(day)
    except SetupError as error:
        return no("NUMBERS_WRONG", str(error))
    if command.account_id not in given.tables.reference.accounts:
        return no("ACCOUNT_UNKNOWN", "open the account first")
    dues = known.days.get(day, {})
    if not dues and (day <= known.netted or day in known.until.values()):
        return no("COMMAND_REPEATED", f"{day} is netted already, and nothing has come late for it")
    opens = Opens(given.tables.reference, given.at_us)
    if any(day >= opens[asset] for asset in dues) or (not dues and given.at_us < end_us):
        return no("TOO_OLD", f"{day} is not over: more may come to be owed")
    older = [one for one, owes in known.days.items() if one < day and (not dues or not owes.keys().isdisjoint(dues))]
    if older:
        return no("OUT_OF_ORDER", f"net {min(older)} first")
    return _netted(given, known, command.account_id, day, command.command_id, command.requested_by)


class Opens(dict[str, str]):
    """By asset, the first value date on which something that is booked at a moment may still fall."""

    def __init__(self, reference: Reference, at_us: int) -> None:
        super().__init__()
        self._reference, self._today = reference, calendars.day_of(at_us)

    def __missing__(self, asset: str) -> str:
        calendar, lag_days = calendars.calendar_of(self._reference, asset), calendars.least_lag(self._reference, asset)
        self[asset] = found = calendars.value_date(calendar, lag_days, self._today)
        return found


def _netted(given: Input, known: Payments, account_id: str, day: str, command_id: str, by: str) -> PaymentsNetted:
    instructions = tuple(_instructions(known, account_id, day))
    return PaymentsNetted(given.meta(command_id or account_id), command_id, account_id, day, instructions, by)


def tick(payments: dict[str, Payments], given: Input) -> PaymentsNetted | None:
    """What nobody has netted an hour after nothing more could fall on it, one account and value date at a time, the
    oldest first."""
    opens = Opens(given.tables.reference, given.at_us - NET_AFTER_US)
    over = ((day, account_id) for account_id, known in payments.items() if (day := _oldest_over(known, opens)))
    day, account_id = min(over, default=("", ""))
    return _netted(given, payments[account_id], account_id, day, "", CLOCK) if day else None


def _oldest_over(known: Payments, opens: Opens) -> str:
    """The oldest value date on which nothing more can fall; of assets whose older dates are not there yet none."""
    waiting: set[str] = set()
    for day in sorted(known.days):
        assets = known.days[day].keys()
        if waiting.isdisjoint(assets) and all(day < opens[asset] for asset in assets):
            return day
        waiting |= assets
    return ""


def _instructions(known: Payments, account_id: str, day: str) -> Iterator[Instruction]:
    dues = known.days.get(day, {})
    for one in netting.net(list(_obligations(account_id, day, dues))).instructions:
        if one.participant_id != account_id:
            continue
        owes, run = dues[one.asset].values(), known.runs_of(day, one.asset) + 1
        parts = {purpose: due.received_e8 - due.paid_e8 for purpose, due in sorted(dues[one.asset].items())}
        assert sum(parts.values()) == one.amount_e8, "netting changes nothing but how much moves"
        yield Instruction(
            ids.instruction_id(account_id, one.asset, day, run), one.asset, one.amount_e8,
            sum(due.received_e8 for due in owes), sum(due.paid_e8 for due in owes), parts,
            sum(due.lines for due in owes), run,
        )  # fmt: skip


def _obligations(account_id: str, day: str, dues: Dues) -> Iterator[Obligation]:
    for asset, purposes in sorted(dues.items()):
        for purpose, due in sorted(purposes.items()):
            if due.received_e8:
                yield Obligation(f"{asset}:{purpose}:due", HOUSE, account_id, asset, day, due.received_e8)
            if due.paid_e8:
                yield Obligation(f"{asset}:{purpose}:owed", account_id, HOUSE, asset, day, due.paid_e8)


def netted(payments: dict[str, Payments], event: PaymentsNetted) -> None:
    """A value date is netted: nothing of it is owed any more but the instructions."""
    known, day = payments.setdefault(event.account_id, Payments()), event.value_date
    if known.days.pop(day, None) is not None:
        known.ran(day, max((one.run for one in event.instructions), default=0))
    known.until |= {one.asset: max(day, known.until.get(one.asset, "")) for one in event.instructions}
    if day < calendars.day_of(event.meta.decided_at_us):
        known.netted = max(day, known.netted)
