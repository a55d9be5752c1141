"""PostgreSQL's rows as `truetape audit` compares them: facts and positions in one read, nothing derived."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from services.gateway.views import Connection, consistent, view_positions
from truetape.audit.view import Row
from truetape.errors import SetupError
from truetape.settings import Settings

FETCHED_AT_ONCE: Final = 5_000

_TABLES: Final[Mapping[str, tuple[int, str]]] = {
    "balances": (3, "SELECT account, asset, partition::text, amount_e8 FROM view.balances"),
    "lines": (2, "SELECT account, asset, sum(amount_e8) AS amount_e8 FROM view.lines GROUP BY 1, 2"),
    "positions": (2, "SELECT account_id, instrument_id, quantity_e8, cost_e8, realised_e8 FROM view.positions"),
    "credit": (2, "SELECT account_id, asset, balance_e8, reserved_e8 FROM view.credit"),
    "fills": (
        1,
        "SELECT account_id, count(*) AS count, sum(quantity_e8) AS quantity_e8, "
        "sum(quote_amount_e8) AS quote_amount_e8, sum(fee_e8) AS fee_e8 FROM view.fills GROUP BY 1",
    ),
    "orders": (1, "SELECT order_id, account_id, status, filled_e8 FROM view.orders WHERE decision_offset IS NOT NULL"),
}
"""Table of the audit -> how many columns are its key, and the query."""


class PostgresView:
    """The schema `view` in one consistent read."""

    name = "postgres"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.positions = {str(part): next_offset for part, next_offset in view_positions(connection).items()}

    def rows(self) -> Iterator[Row]:
        """Every row, fetched some at a time."""
        for table, (keys, query) in _TABLES.items():
            with self._connection.cursor(f"audit_{table}") as cursor:
                cursor.itersize = FETCHED_AT_ONCE
                cursor.execute(query)
                names = [column.name for column in cursor.description or ()]
                for found in cursor:
                    values = {name: _plain(value) for name, value in zip(names[keys:], found[keys:], strict=True)}
                    yield Row(table, tuple(found[:keys]), values)


def _plain(value: Any) -> Any:
    """Sums come as Decimal."""
    return value if isinstance(value, str) or value is None else int(value)


@contextmanager
def open_view(settings: Settings) -> Iterator[PostgresView]:
    """The view database, read in one transaction. Raises SetupError when it cannot be read."""
    dsn = settings.postgres.get_secret_value()
    if not dsn:
        raise SetupError("no view database: set TRUETAPE_POSTGRES, or audit with --no-views")
    try:
        connection = consistent(dsn)
    except psycopg.Error as error:
        raise SetupError(f"the view database does not answer: {str(error).strip()}; is it running?") from error
    with connection:
        try:
            view = PostgresView(connection)
        except psycopg.errors.UndefinedTable as error:
            raise SetupError("the database has no views yet: start the projection") from error
        yield view
