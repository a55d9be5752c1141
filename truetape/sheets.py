"""Reports as CSV (RFC 4180), with no cell that a spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable


def sheet(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A heading and its rows; None is an empty cell."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(columns)
    table.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    return "" if value is None else guarded(str(value))


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: others' words (references, assets) may begin like one."""
    if cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not cell[1:2].isdigit()):
        return "'" + cell
    return cell
