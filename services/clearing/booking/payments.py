"""Payment netting: what an account and the clearing house owe each other of a day, as one instruction per asset.

Obligations are the lines by which entries about contracts pay the account or charge it: variation margin, premiums,
funding, exercise, fees. Their value date is the UTC day on which they were booked. When the day is over, by command
or an hour later by themselves, they are netted into instructions that settlement reads from `clearing.entries`. The
ledger's balances have moved already: an instruction says what has to move outside of it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from services.clearing.booking import ledger, netting, trades
from services.clearing.booking.contracts import HOUSE
from services.clearing.booking.netting import Due, Dues, Obligation, Payments
from truetape.errors import SetupError
from truetape.messages import ClearingRefusal, ClearingRefused, EntryBooked, Instruction, NetPayments, PaymentsNetted
from truetape.service import Input
from truetape.statement import DAY_US, span_of

PURPOSES: Final = frozenset(
    {
        "variation_margin", "premium", "funding", "exercise", "house_fee", "settlement_fee", "liquidation_fee",
    }
)  # fmt: skip
"""Purposes of lines that are payments between an account and the house. What a venue trades is owed to the venue."""


NET_AFTER_US: Final = 3_600_000_000
"""How long after its end a day waits for a command; then it is netted by itself. So days never pile up."""
CLOCK: Final = "clock"
EPOCH: Final = date(1970, 1, 1)


@lru_cache(maxsize=16)
def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).isoformat()


def value_date(known: Payments, at_us: int) -> str:
    """The day on which something that is booked now is due: today, and never a day that is netted."""
    today = _day(at_us // DAY_US)
    if today > known.netted:
        return today
    return (date.fromisoformat(known.netted) + timedelta(days=1)).isoformat()


def booked(payments: dict[str, Payments], entry: EntryBooked) -> None:
    """An entry about a contract pays its account, or charges it."""
    contract, account = entry.contract, ledger.client(entry.account_id)
    if contract is None:
        return
    ours = PURPOSES if not contract.counterparty.startswith("venue:") else PURPOSES - {"premium", "exercise"}
    lines = [line for line in entry.lines if line.account == account and line.purpose in ours]
    if not lines:
        return
    known = payments.setdefault(entry.account_id, Payments())
    dues = known.days.setdefault(value_date(known, entry.meta.decided_at_us), {})
    for line in lines:
        due = dues.setdefault(line.asset, {}).setdefault(line.purpose, Due())
        due.received_e8 += max(line.amount_e8, 0)
        due.paid_e8 += max(-line.amount_e8, 0)
        due.lines += 1


def net(payments: dict[str, Payments], given: Input, command: NetPayments) -> PaymentsNetted | ClearingRefused:
    """Instructions of a day that is over; the oldest day first."""

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    known, day = payments.get(command.account_id, Payments()), command.value_date
    try:
        _, end_us = span_of(day)
    except SetupError as error:
        return no("NUMBERS_WRONG", str(error))
    if command.account_id not in given.tables.reference.accounts:
        return no("ACCOUNT_UNKNOWN", "open the account first")
    if day <= known.netted:
        return no("COMMAND_REPEATED", f"{known.netted} is netted already, and what came later is due the day after")
    if given.at_us < end_us:
        return no("TOO_OLD", f"{day} is not over: more may come to be owed")
    if (oldest := min(known.days, default=day)) < day:
        return no("OUT_OF_ORDER", f"net {oldest} first")
    return _netted(given, known, command.account_id, day, command.command_id, command.requested_by)


def _netted(given: Input, known: Payments, account_id: str, day: str, command_id: str, by: str) -> PaymentsNetted:
    instructions = tuple(_instructions(account_id, day, known.days.get(day, {})))
    return PaymentsNetted(given.meta(command_id or account_id), command_id, account_id, day, instructions, by)


def tick(payments: dict[str, Payments], given: Input) -> PaymentsNetted | None:
    """What nobody has netted an hour after the end of its day, one account and day at a time, the oldest day first."""
    over = _day((given.at_us - NET_AFTER_US) // DAY_US)
    waiting = [(min(known.days), account_id) for account_id, known in payments.items() if known.days]
    day, account_id = min(waiting, default=(over, ""))
    return _netted(given, payments[account_id], account_id, day, "", CLOCK) if day < over else None


def _instructions(account_id: str, day: str, dues: Dues) -> Iterator[Instruction]:
    found = netting.net(list(_obligations(account_id, day, dues))).instructions
    for one in found:
        if one.participant_id != account_id:
            continue
        parts = {purpose: due.received_e8 - due.paid_e8 for purpose, due in sorted(dues[one.asset].items())}
        assert sum(parts.values()) == one.amount_e8, "netting changes nothing but how much moves"
        yield Instruction(
            one.instruction_id, one.asset, one.amount_e8, sum(due.received_e8 for due in dues[one.asset].values()),
            sum(due.paid_e8 for due in dues[one.asset].values()), parts,
            sum(due.lines for due in dues[one.asset].values()),
        )  # fmt: skip


def _obligations(account_id: str, day: str, dues: Dues) -> Iterator[Obligation]:
    for asset, purposes in sorted(dues.items()):
        for purpose, due in sorted(purposes.items()):
            if due.received_e8:
                yield Obligation(f"{asset}:{purpose}:due", HOUSE, account_id, asset, day, due.received_e8)
            if due.paid_e8:
                yield Obligation(f"{asset}:{purpose}:owed", account_id, HOUSE, asset, day, due.paid_e8)


def netted(payments: dict[str, Payments], event: PaymentsNetted) -> None:
    """A day is netted: nothing of it is owed any more but the instructions."""
    known = payments.setdefault(event.account_id, Payments())
    known.days.pop(event.value_date, None)
    known.netted = event.value_date
