"""`truetape calendars`: on which days each asset is paid, with access to Kafka alone."""

from typing import Any, Final

import typer

from truetape import messages as m
from truetape.calendars import calendar_from
from truetape.commands.instruments import FileArgument, described, set_each
from truetape.operator import operator
from truetape.reports import FormOption, write
from truetape.settings import settings

app = typer.Typer(help="Settlement calendars: business days and lags of assets.", no_args_is_help=True)
COLUMNS: Final = ("asset", "version", "lag_days", "weekend", "holidays")


@app.command(name="list")
def list_calendars(form: FormOption = "table") -> None:
    """Show all calendars that are set."""
    with operator(settings().kafka) as hand:
        known = [one for _, one in sorted(hand.reference.calendars.items())]
    rows: list[dict[str, Any]] = [
        {name: list(value) if isinstance(value := getattr(one, name), tuple) else value for name in COLUMNS}
        for one in known
    ]
    write(COLUMNS, rows, form, "no calendar is set: every asset is paid on the day of booking")


@app.command(name="set")
def set_calendars(file: FileArgument) -> None:
    """Define or change calendars: asset, lag_days, weekend (1 is Monday), holidays, and version, the next one."""
    found = described(file, "a settlement calendar", "docs/clearing-house.md", calendar_from)
    set_each(found, m.SetSettlementCalendar, _told)


def _told(new: m.SettlementCalendar) -> str:
    return f"{new.asset} is paid {new.lag_days} business days after booking, version {new.version}"
