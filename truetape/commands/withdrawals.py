"""`truetape withdrawals`: pay out of a client's account, and how each withdrawal stands, with access to Kafka alone."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer

from truetape import ids, reports
from truetape.audit.merge import counted
from truetape.commands.deposit import (
    DEFAULT,
    AccountArgument,
    AmountArgument,
    AssetArgument,
    ReferenceOption,
    transfer,
)
from truetape.happenings import Part
from truetape.messages import EntryBooked, TransferApproved, TransferRejected
from truetape.money import from_e8, positive_e8
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, PARTITIONS

app = typer.Typer(help="Withdrawals of clients.", no_args_is_help=True)
COLUMNS: Final = ("decided_at_us", "asset", "amount", "location", "reference", "state", "reason", "transfer_id")


@app.command()
def request(
    account: AccountArgument,
    asset: AssetArgument,
    amount: AmountArgument,
    reference: ReferenceOption,
    location: Annotated[str, typer.Option(help="Where it leaves: venue:, bank: or custody: and its name")] = DEFAULT,
) -> None:
    """Pay out what risk says is free: not what orders, legs and margin need. Refused under a reference, it stays so."""
    amount_e8 = positive_e8(amount)
    transfer(account, asset, -amount_e8, location, reference)
    print(f"{from_e8(amount_e8)} {asset} of {account} are approved and reserved; clearing books it")


@app.command(name="list")
def list_withdrawals(account: AccountArgument, form: reports.FormOption = "table") -> None:
    """Show an account's withdrawals, the newest first: APPROVED (reserved, not booked yet), BOOKED, or REFUSED by risk
    and why."""
    with reports.reading(form, "withdrawals") as (log, seconds):
        partition = ids.partition_of(account, PARTITIONS)
        parts = [Part(topic.name, partition) for topic in (ORDERS_DECISIONS, CLEARING_ENTRIES)]
        rows = withdrawals(account, (given.message for given in counted(log, seconds, parts)))
    reports.write(COLUMNS, rows, form, f"{account} has asked for no withdrawal")


def withdrawals(account: str, records: Iterable[Any]) -> list[dict[str, Any]]:
    """How each withdrawal stands, from decisions and entries in the order of their causes; newest first. One that was
    refused and asked for again shows the newest word; one that was approved keeps that."""
    found: dict[str, dict[str, Any]] = {}
    for event in records:
        if isinstance(event, EntryBooked) and event.entry_id in found:
            found[event.entry_id]["state"] = "BOOKED"
        if not isinstance(event, TransferApproved | TransferRejected):
            continue
        terms, refused = event.transfer, isinstance(event, TransferRejected)
        decided = found.get(terms.transfer_id, {}).get("state", "REFUSED") != "REFUSED"
        if terms.account_id == account and terms.amount_e8 < 0 and not decided:
            found.pop(terms.transfer_id, None)
            found[terms.transfer_id] = {
                "decided_at_us": event.meta.decided_at_us, "asset": terms.asset, "amount": from_e8(-terms.amount_e8),
                "location": terms.location, "reference": terms.external_reference,
                "state": "REFUSED" if refused else "APPROVED",
                "reason": event.reason if isinstance(event, TransferRejected) else "",
                "transfer_id": terms.transfer_id,
            }  # fmt: skip
    return list(reversed(found.values()))
