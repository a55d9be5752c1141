"""`truetape margin`: an account's margin, and the classes and collateral that it follows, from the tape alone."""

import json
import re
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import clock, ids, journal, reports
from truetape import messages as m
from truetape.commands.instruments import FileArgument, described, set_each
from truetape.errors import SetupError
from truetape.log import Log, Part
from truetape.margin import report
from truetape.margin.account import Account, AssetMargin, terms_of
from truetape.margin.published import Published
from truetape.margin.terms import class_from, collateral_from
from truetape.marks import Marks, fold
from truetape.money import from_e8, to_e8
from truetape.operator import Operator, operator
from truetape.restore import accepted
from truetape.settings import settings
from truetape.tape import Reader
from truetape.topics import MARKET_MARKS, PARTITIONS

app = typer.Typer(help="Margin.", no_args_is_help=True)
MARKS_TAIL: Final = 500_000
"""Marks that are looked through, newest ones."""
ORDER: Final = re.compile(r"(BUY|SELL) ([0-9.]+) ([A-Z0-9-]+)(?: (-?[0-9.]+))?", re.ASCII)


@app.command()
def show(
    account: Annotated[str, typer.Argument(help="The account")],
    order: Annotated[
        str,
        typer.Option(help='As if it had filled, without fees: "BUY 2 BTC-USDT-PERP 60000"; without price at the mark'),
    ] = "",
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Show what an account has and needs, by which model, the worst scenario, and what each position adds."""
    with reports.reading(form, "margin") as (log, seconds):
        reference = Operator(log).reference
        reference.require_account(account)
        records = journal.records(log, seconds, [ids.partition_of(account, PARTITIONS)])
        held, accrued = report.account_of(account, (record for _, _, record in records))
        seen = Published(newest_marks(log, seconds), reference, clock.now_us())
    if order:
        held = _filled(held, order, seen)
    found = report.report(held, seen, accrued)
    if form == "table":
        write(account, found, Console(highlight=False))
    elif form == "json":
        print(json.dumps(report.plain(account, found, seen)))
    else:
        print(report.as_csv(found), end="")


def _filled(account: Account, order: str, seen: Published) -> Account:
    match = ORDER.fullmatch(order)
    if match is None:
        raise SetupError(
            f'{order[:60]!r} is no order: write it as "BUY 2 BTC-USDT-PERP 60000", at the mark without the price'
        )
    side, quantity, name, price = match.groups()
    signed_e8 = to_e8(quantity) if side == "BUY" else -to_e8(quantity)
    terms_of(name, seen)  # What is no contract is said so, before its mark is looked for.
    price_e8 = seen.newest(name).price_e8 if price is None else to_e8(price)
    return report.with_fill(account, name, signed_e8, price_e8, seen)


def newest_marks(log: Log, seconds: float) -> Marks:
    """The newest marks on this log, by the reader's rule."""
    part = Part(MARKET_MARKS.name, 0)
    low, high = log.ends([part])[part]
    start = max(low, high - MARKS_TAIL)
    reader, marks = Reader(*part, joining=start > 0), Marks()
    for record in log.read({part: (start, high)}, seconds):
        event: Any = accepted(record, reader)
        if isinstance(event, m.MarkPublished):
            fold(marks, event)
    return marks


def write(account: str, found: list[AssetMargin], console: Console) -> None:
    """For a person."""
    console.print(f"account {account}" if found else f"account {account} holds no contracts")
    for one in found:
        totals = Table("", one.asset, box=None, pad_edge=False)
        for name, amount_e8 in (
            ("balance", one.balance_e8), ("gains", one.gains_e8),
            ("of them funding not booked", sum(one.funding.values())), ("collateral", one.collateral_e8),
            ("equity", one.equity_e8), ("initial need", one.initial_e8), ("maintenance need", one.maintenance_e8),
            ("initial excess", one.initial_excess_e8), ("maintenance excess", one.maintenance_excess_e8),
        ):  # fmt: skip
            totals.add_row(name, from_e8(amount_e8))
        console.print(totals)
        console.print(f"by {', '.join(one.models)}; worst: {one.worst or 'nothing held'}")
        shares = Table("position", "part of the initial need", box=None, pad_edge=False)
        for row in report.rows([one]):
            if row[1] == "contribution":
                shares.add_row(row[2], row[3])
        console.print(shares)


@app.command()
def classes() -> None:
    """Show all margin classes."""
    with operator(settings().kafka) as hand:
        known = [one for _, one in sorted(hand.reference.margin_classes.items())]
    table = Table("class", "model", "version", "rate", "peg", "parameters", box=None, pad_edge=False)
    for one in known:
        shown = one.parameters if len(one.parameters) <= 60 else f"{len(one.parameters)} bytes"
        table.add_row(one.name, one.model, str(one.version), from_e8(one.rate_e8), one.peg, shown)
    Console().print(table)


@app.command()
def set_class(file: FileArgument) -> None:
    """Define or change a margin class: name, model, parameters, and version, which is one more than the known one."""
    found = described(file, "a margin class", "docs/margin.md", class_from)
    set_each(found, m.SetMarginClass, lambda new: f"margin class {new.name} is set, version {new.version}")


@app.command()
def collateral() -> None:
    """Show what counts as collateral."""
    with operator(settings().kafka) as hand:
        known = [one for _, one in sorted(hand.reference.collateral.items())]
    table = Table("asset", "counts for", "version", "index", "haircut", "limit", "share", box=None, pad_edge=False)
    for one in known:
        limit = from_e8(one.limit_e8) if one.limit_e8 else "none"
        money = from_e8(one.haircut_e8), limit, from_e8(one.share_max_e8)
        table.add_row(one.asset, one.counts_for, str(one.version), one.index, *money)
    Console().print(table)


@app.command()
def set_collateral(file: FileArgument) -> None:
    """Define or change how an asset counts as collateral; its version is one more than the known one."""
    found = described(file, "collateral", "docs/margin.md", collateral_from)
    set_each(found, m.SetCollateral, lambda new: f"{new.asset} counts for {new.counts_for} from now on")
