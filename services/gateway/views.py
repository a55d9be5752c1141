"""The views as others compare them: `truetape audit` folds the tape and expects the same rows."""

import hashlib
from typing import Any

import msgspec
import psycopg

from truetape.log import Part

Connection = psycopg.Connection[Any]


def view_rows(connection: Connection) -> dict[str, dict[str, Any]]:
    """What PostgreSQL says of each account, in one consistent cut; read `view_positions` in the same transaction.

    {account: {"orders": {order_id: {"status", "filled_e8"}}, "balances": {asset: e8}, "credit": {asset:
    {"balance_e8", "reserved_e8"}}, "positions": {instrument: {"quantity_e8", "cost_e8", "realised_e8"}}}}.
    `balances` is the ledger's account client:ID, `credit` what risk counts with. Zero balances are left out.
    """
    found: dict[str, dict[str, Any]] = {}

    def of(account_id: str) -> dict[str, Any]:
        return found.setdefault(account_id, {"orders": {}, "balances": {}, "credit": {}, "positions": {}})

    for account_id, order_id, status, filled_e8 in connection.execute(
        "SELECT account_id, order_id, status, filled_e8 FROM view.orders WHERE decision_offset IS NOT NULL"
    ):
        of(account_id)["orders"][order_id] = {"status": status, "filled_e8": filled_e8}
    for account, asset, amount_e8 in connection.execute(
        "SELECT account, asset, sum(amount_e8) FROM view.balances WHERE account LIKE 'client:%' GROUP BY 1, 2"
    ):
        if amount_e8:
            of(account.removeprefix("client:"))["balances"][asset] = int(amount_e8)
    for account_id, asset, balance_e8, reserved_e8 in connection.execute(
        "SELECT account_id, asset, balance_e8, reserved_e8 FROM view.credit"
    ):
        if balance_e8 or reserved_e8:
            of(account_id)["credit"][asset] = {"balance_e8": int(balance_e8), "reserved_e8": int(reserved_e8)}
    for account_id, instrument_id, quantity_e8, cost_e8, realised_e8 in connection.execute(
        "SELECT account_id, instrument_id, quantity_e8, cost_e8, realised_e8 FROM view.positions"
    ):
        row = {"quantity_e8": quantity_e8, "cost_e8": cost_e8, "realised_e8": realised_e8}
        of(account_id)["positions"][instrument_id] = row
    return found


def ledger_rows(connection: Connection) -> dict[int, dict[str, dict[str, int]]]:
    """{partition: {ledger account: {asset: e8}}}, clients, mirrors and house alike; zero balances are left out."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    for partition, account, asset, amount_e8 in connection.execute(
        "SELECT partition, account, asset, amount_e8 FROM view.balances WHERE amount_e8 <> 0"
    ):
        found.setdefault(partition, {}).setdefault(account, {})[asset] = int(amount_e8)
    return found


def view_positions(connection: Connection) -> dict[Part, int]:
    """How far the rows reach: the next offset of each partition."""
    rows = connection.execute("SELECT topic, partition, next_offset FROM view.tape_positions").fetchall()
    return {Part(topic, partition): next_offset for topic, partition, next_offset in rows}


def view_digest(connection: Connection) -> str:
    """SHA-256 over all rows of view_rows and ledger_rows."""
    return digest_of(view_rows(connection), ledger_rows(connection))


def digest_of(accounts: dict[str, dict[str, Any]], ledger: dict[int, dict[str, dict[str, int]]]) -> str:
    """SHA-256 over what `view_rows` and `ledger_rows` say, wherever it comes from."""
    whole = {"accounts": accounts, "ledger": {str(partition): rows for partition, rows in ledger.items()}}
    return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


def consistent(dsn: str) -> Connection:
    """A read-only session in which every query sees the same cut."""
    connection = psycopg.connect(dsn, connect_timeout=5)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection
