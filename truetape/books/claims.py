"""Who else claims to know the books: the live service, its snapshots, the views. Each is compared where it stands."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from truetape.audit.difference import NOTHING, Difference
from truetape.audit.findings import Findings
from truetape.audit.live import LivePartition
from truetape.audit.view import View
from truetape.books.partition import Books, Cut
from truetape.snapshots import Kept
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS

Rows = dict[tuple[str, ...], int]
"""("balance", ledger account, asset) or ("position", account, instrument, field) -> amount; zeros are left out."""


class _Position(Struct):
    quantity_e8: int
    cost_e8: int
    realised_e8: int


class _Account(Struct):
    positions: dict[str, _Position] = {}


class _State(Struct):
    """What of clearing's state is compared: by its names, not by its types."""

    balances: dict[str, dict[str, int]] = {}
    accounts: dict[str, _Account] = {}


def rows_of(books: Books) -> Rows:
    """What the books say."""
    found: Rows = {}
    for account, assets in books.ledger().items():
        found |= {("balance", account, asset): amount_e8 for asset, amount_e8 in assets.items()}
    for (account, instrument), held in books.positions().items():
        _hold(found, account, instrument, held._asdict())
    return found


def _hold(found: Rows, account: str, instrument: str, fields: Mapping[str, int]) -> None:
    found |= {("position", account, instrument, name): value for name, value in fields.items() if value}


def of_snapshot(kept: Kept) -> Rows:
    """What a snapshot of clearing says."""
    state = msgspec.msgpack.decode(kept.state, type=_State)
    found: Rows = {}
    for name, assets in state.balances.items():
        found |= {("balance", name, asset): amount_e8 for asset, amount_e8 in assets.items() if amount_e8}
    for account_id, account in state.accounts.items():
        for instrument, held in account.positions.items():
            _hold(found, account_id, instrument, msgspec.structs.asdict(held))
    return found


def of_live(claim: LivePartition) -> Rows:
    """What the running service says."""
    found: Rows = {}
    for name, account in claim.accounts.items():
        ledger = f"client:{name}" if "positions" in account else name
        found |= {("balance", ledger, asset): amount for asset, amount in account["balances"].items() if amount}
        for instrument, held in account.get("positions", {}).items():
            fields = {field: held[field] for field in ("quantity_e8", "cost_e8", "realised_e8")}
            _hold(found, name, instrument, fields)
    return found


class Claims:
    """Compares, and keeps the verdicts."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.verdicts: dict[str, str] = {}

    def cut(self, name: str, rows: Callable[[], Rows], **where: Any) -> Cut:
        """A comparison of one partition, still to come."""
        self.verdicts.setdefault(name, "not reached")

        def compare(books: Books) -> None:
            where = f"{name} {CLEARING_ENTRIES.name}/{books.partition}"
            self._verdict(name, list(_between(name, where, rows_of(books), rows())))

        return Cut(compare, **where)

    def _verdict(self, name: str, found: list[Difference]) -> None:
        for difference in found:
            self._findings.add(difference)
        if found or self.verdicts[name] != "differs":
            self.verdicts[name] = "differs" if found else "equal"

    def of_view(self, view: View) -> "ViewClaim":
        """The rows of a view that speak of the books."""
        self.verdicts[view.name] = "not reached"
        return ViewClaim(self, view)


class ViewClaim:
    """A view read once; its rows are taken away as partitions are compared."""

    def __init__(self, claims: Claims, view: View) -> None:
        self._claims, self._view = claims, view
        self._rows: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {"balances": {}, "positions": {}, "fills": {}}
        for row in view.rows():
            if row.table in self._rows and any(row.values.values()):
                self._rows[row.table][row.key] = row.values

    def cut(self, partition: int) -> Cut:
        """The comparison of one partition, still to come."""
        offset = self._view.positions.get(f"{CLEARING_ENTRIES.name}/{partition}", 0)
        return Cut(self._compare, offset=offset)

    def _compare(self, books: Books) -> None:
        name, where = self._view.name, f"{self._view.name} {CLEARING_ENTRIES.name}/{books.partition}"
        ours = rows_of(books)
        theirs: Rows = {}
        for account, asset, partition in [key for key in self._rows["balances"] if key[2] == str(books.partition)]:
            theirs["balance", account, asset] = self._rows["balances"].pop((account, asset, partition))["amount_e8"]
        for account, instrument in {key[1:3] for key in ours if key[0] == "position"}:
            _hold(theirs, account, instrument, self._rows["positions"].pop((account, instrument), {}))
        before = self._view.positions.get(f"{ORDERS_EXECUTIONS.name}/{books.partition}", 0)
        for account, sums in books.fills.summed(before).items():
            ours |= {("fills", account, field): value for field, value in sums.items() if value}
            held = self._rows["fills"].pop((account,), {})
            theirs |= {("fills", account, field): int(value) for field, value in held.items() if value}
        self._claims._verdict(name, list(_between("view", where, ours, theirs)))

    def end(self) -> None:
        """What is left belongs to nobody."""
        left = [
            Difference("view", f"{self._view.name} {table}", key[0], f"row {' '.join(key)}", NOTHING, str(values))
            for table, rows in self._rows.items()
            for key, values in rows.items()
        ]
        self._claims._verdict(self._view.name, left)


def _between(check: Any, where: str, ours: Rows, theirs: Rows) -> Iterator[Difference]:
    for key in sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)):
        account = key[1].removeprefix("client:")
        tape, other = str(ours.get(key, NOTHING)), str(theirs.get(key, NOTHING))
        yield Difference(check, where, account, " ".join(key), tape, other)
