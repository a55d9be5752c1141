"""`truetape settings`: every setting with its default, its value here and its meaning."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from truetape.settings import PORT_OFFSETS, Settings, VenueSettings

_PREFIX = "TRUETAPE_"


@dataclass(frozen=True)
class Row:
    """One setting; `value` is what it is in this environment, `set` or `unset` for a secret."""

    name: str
    default: str
    value: str
    description: str


_OTHERS = (
    Row("TRUETAPE_VENUE_KEYS", "", "", "Simulated venue only: JSON list of {api_key, secret, account, permissions}"),
    Row("TRUETAPE_VENUE_ADMIN_TOKEN", "", "", "Bearer token of the simulated venues' admin endpoints"),
    Row("TRUETAPE_TEST_STACK", "auto", "", "Tests only: docker, native, or auto (docker where an engine runs)"),
)

_HEAD = """\
# Configuration

Every process reads its settings from its environment, once, at its start; a wrong value ends it with a message
that names the setting. Secrets come from nowhere else. `truetape settings` shows the values in force.
This page is generated: `make docs` (`truetape settings --markdown`).

"""

_PORTS = """
## Ports

A process's port is `TRUETAPE_PORT_BASE` plus its offset; all listen on 127.0.0.1 unless `TRUETAPE_HOST` says otherwise.

| process | offset | default |
|---|---|---|
"""


def command(
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/configuration.md")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
) -> None:
    """Show every setting: name, default, value here, meaning. Secrets are only set or unset."""
    if markdown:
        print(page(), end="")
    elif as_json:
        print(json.dumps([asdict(row) for row in rows(Settings())]))
    else:
        Console().print(_table(rows(Settings())))


def rows(settings: Settings | None) -> Iterator[Row]:
    """One row per setting, in the order of truetape/settings.py; without `settings`, with no values."""
    for name, field in Settings.model_fields.items():
        if name == "venues":
            yield from _venue_rows(settings)
        else:
            value = "" if settings is None else _shown(getattr(settings, name))
            yield Row(_PREFIX + name.upper(), _default(field), value, field.description or "")


def page() -> str:
    """The text of docs/configuration.md."""
    lines = ["| name | default | meaning |", "|---|---|---|"]
    for row in (*rows(None), *_OTHERS):
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {default} | {row.description} |")
    ports = [f"| {name} | {offset} | {18_000 + offset} |" for name, offset in PORT_OFFSETS.items()]
    return _HEAD + "\n".join(lines) + "\n" + _PORTS + "\n".join(ports) + "\n"


def _venue_rows(settings: Settings | None) -> Iterator[Row]:
    venues: dict[str, Any] = dict(settings.venues) if settings and settings.venues else {"<VENUE>": None}
    for venue, found in venues.items():
        for name, field in VenueSettings.model_fields.items():
            value = "" if found is None else _shown(getattr(found, name))
            yield Row(
                f"{_PREFIX}VENUES__{venue.upper()}__{name.upper()}", _default(field), value, field.description or ""
            )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "" if isinstance(field.default, SecretStr) else _shown(field.default)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else "unset"
    if value is None:
        return ""
    return value.model_dump_json() if isinstance(value, BaseModel) else str(value)


def _table(found: Iterator[Row]) -> Table:
    table = Table("name", "default", "value", "meaning", box=None, pad_edge=False)
    for row in found:
        changed = row.value not in (row.default, "unset")
        table.add_row(row.name, row.default, f"[bold]{row.value}[/]" if changed else row.value, row.description)
    return table
