"""The simulated views as others compare them: with the audit's own expectation, and with a fold of the tape."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from services.gateway.projection.rows import Batch
from services.gateway.projection.store import Reached
from services.gateway.views import digest_of
from tests.simulation.simtables import SimTables
from truetape.audit.view import Row
from truetape.happenings import Part
from truetape.restore import readable
from truetape.simbroker import SimBroker
from truetape.tape import Reader
from truetape.topics import BY_NAME


class SimView:
    """The simulated views, as the audit reads them; services/gateway/audited.py says the same in SQL."""

    name = "postgres"

    def __init__(self, tables: SimTables) -> None:
        self._tables = tables
        self.positions = {str(part): reached.next_offset for part, reached in tables.positions.items()}

    def rows(self) -> Iterator[Row]:
        """Every row."""
        tables = self._tables
        for (account, asset, partition), amount_e8 in tables.balances.items():
            yield Row("balances", (account, asset, str(partition)), {"amount_e8": amount_e8})
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for lines in tables.lines.values():
            for line in lines:
                sums[line["account"], line["asset"]] += line["amount_e8"]
        yield from (Row("lines", key, {"amount_e8": total_e8}) for key, total_e8 in sums.items())
        for key, row in tables.holdings.items():
            yield Row("positions", key, {name: row[name] for name in ("quantity_e8", "cost_e8", "realised_e8")})
        for key, (balance_e8, reserved_e8) in tables.credit.items():
            yield Row("credit", key, {"balance_e8": balance_e8, "reserved_e8": reserved_e8})
        yield from self._fills()
        for order_id, row in tables.orders.items():
            if row["decision_offset"] is not None:
                shown = {name: row[name] for name in ("account_id", "status", "filled_e8")}
                yield Row("orders", (order_id,), shown)

    def _fills(self) -> Iterator[Row]:
        summed = ("quantity_e8", "quote_amount_e8", "fee_e8")
        found: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("count", *summed), 0))
        for fill in self._tables.fills.values():
            sums = found[fill["account_id"]]
            sums["count"] += 1
            for name in summed:
                sums[name] += fill[name]
        yield from (Row("fills", (account_id,), sums) for account_id, sums in found.items())


def folded(broker: SimBroker, positions: Mapping[Part, Reached]) -> str:
    """Digest of the views that a fold of the whole tape up to these positions gives, in one batch per topic."""
    tables = SimTables()
    for part, reached in positions.items():
        reader, batch = Reader(*part), Batch()
        records = [record for record in broker.records(part) if record.offset < reached.next_offset]
        accepted = []
        for record in records:
            message = readable(record)
            if message is not None and (BY_NAME[part.topic].owner is None or reader.accept(message, record.offset)):
                accepted.append((record, message))
        batch.known = tables.known(order_id for order_id in tables.orders)
        for record, message in accepted:
            batch.add(record, message)
        tables.write(batch, [])
    return digest_of(tables.view_rows(), tables.ledger_rows())
