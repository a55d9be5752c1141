"""Reports as CSV (RFC 4180), with no cell that a spreadsheet takes for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple

_NUMBER: Final = re.compile(r"-\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)


def sheet(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A heading and its rows; None is an empty cell."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(columns)
    table.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def table(kind: type[Struct], rows: Iterable[Struct]) -> str:
    """Structs of one kind, their fields' names above; what is within a field is in one cell, separated by spaces."""
    return sheet(kind.__struct_fields__, map(astuple, rows))


def _cell(value: object) -> str:
    return "" if value is None else guarded(words(value))


def words(value: object) -> str:
    """A value in one cell: a list's members, or a map's NAME=VALUE, separated by spaces; a struct's by slashes."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(words, value))
    return "/".join(map(words, astuple(value))) if isinstance(value, Struct) else str(value)


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: others' words (references, assets) may begin like one, also with
    a number: "-1+cmd|..." is one too."""
    if cell[:1] in ("=", "+", "@", "\t", "\r", "\n") or (cell[:1] == "-" and not _NUMBER.fullmatch(cell)):
        return "'" + cell
    return cell
