"""Today's statement as a file for a spreadsheet, and the sum that every statement keeps: opening + lines = closing.

TRUETAPE_KEY=tk-... .venv/bin/python examples/statement.py statement.csv
"""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from truetape.trader import trader

with trader() as client:
    day = str(datetime.now(UTC).date())
    statement = client.statement(day)
    for total in statement.totals:
        lines = sum((Decimal(line.amount) for line in statement.lines if line.asset == total.asset), Decimal(0))
        assert Decimal(total.opening) + lines == Decimal(total.closing)
        print(f"{total.asset}: {total.opening} + {lines} = {total.closing}")
    Path(sys.argv[1]).write_text(client.sheet(f"/v1/statements/{day}"), newline="")
