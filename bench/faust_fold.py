"""The same fold of fills in Faust, for bench.clearing: `python -m bench.faust_fold TOPIC FILLS`, Faust on the path.

The same codec, lines, positions and checks as in services/clearing; the state is a Faust table, the guarantee
exactly_once. (What that is worth: a crash leaves doubled entries, since Faust writes to topics that it does not itself
read outside its transactions.) Prints `ready` with the first fill after the warm-up, then wall and CPU seconds.
"""

import os
import sys
import tempfile
import time
from typing import Any, Final, TextIO

import faust

from services.clearing.booking import ledger, positions
from truetape import ids
from truetape.codec import decode, encode
from truetape.messages import Cause, EntryBooked, Meta, OrderFilled, Position
from truetape.reference import NO_FEES
from truetape.settings import settings
from truetape.topics import ORDERS_EXECUTIONS, PARTITIONS

WARM_UP: Final = 500


def book(account: dict[str, Any], fill: OrderFilled, sequence: int) -> EntryBooked:
    """The entry of a fill, and the account after it: balances and position, as JSON can hold them."""
    quote_e8 = ledger.client_quote_e8(fill)
    lines = ledger.trade_lines(fill, quote_e8, ledger.house_fee_e8(quote_e8, NO_FEES, fill.liquidity))
    ledger.assert_balanced(lines)
    ledger.assert_fitting(account["balances"], lines)
    kept = account["positions"].get(fill.instrument_id)
    before = Position(fill.instrument_id, *kept) if kept else positions.flat(fill.instrument_id)
    after = positions.trade(before, lines[0].amount_e8, -lines[1].amount_e8)
    ledger.post(account["balances"], lines)
    account["positions"][fill.instrument_id] = [after.quantity_e8, after.cost_e8, after.realised_e8]
    cause = Cause(ORDERS_EXECUTIONS.name, 0, sequence, "")
    return EntryBooked(
        meta=Meta(1, sequence, cause, time.time_ns() // 1000, ids.event_id("entries", cause), fill.order_id),
        entry_id=fill.execution_id, account_id=fill.account_id, kind="TRADE",
        rule=ledger.trade_rule(fill.liquidity, NO_FEES), lines=lines,
        realised_e8=after.realised_e8 - before.realised_e8, filled_e8=fill.quantity_e8,
        transacted_at_us=fill.transacted_at_us, order_id=fill.order_id, execution_id=fill.execution_id, position=after,
    )  # fmt: skip


def build(target: str, fills: int, say: TextIO) -> Any:
    """The Faust application; `say` is where the benchmark listens."""
    app = faust.App(
        "bench-faust", broker=f"kafka://{settings().kafka}", store="memory://", topic_partitions=PARTITIONS,
        processing_guarantee="exactly_once", web_enabled=False, consumer_auto_offset_reset="earliest",
        datadir=tempfile.mkdtemp(), topic_disable_leader=True,
    )  # fmt: skip
    source = app.topic(ORDERS_EXECUTIONS.name, key_serializer="raw", value_serializer="raw")
    entries = app.topic(target, key_serializer="raw", value_serializer="raw", partitions=PARTITIONS)
    accounts = app.Table("accounts", partitions=PARTITIONS)
    began: list[tuple[float, float]] = []

    async def clear(stream: Any) -> None:
        done = 0
        async for value in stream:
            fill: Any = decode(value)
            if not isinstance(fill, OrderFilled):
                continue
            account = accounts.get(fill.account_id) or {"balances": {}, "positions": {}}
            entry = book(account, fill, done)
            accounts[fill.account_id] = account
            await entries.send(key=fill.account_id.encode(), value=encode(entry))
            done += 1
            if done == WARM_UP:
                print("ready", file=say, flush=True)
                began.append((time.perf_counter(), time.process_time()))
            if done == WARM_UP + fills:
                wall, cpu = began[0]
                print(f"{time.perf_counter() - wall} {time.process_time() - cpu}", file=say, flush=True)
                os._exit(0)

    app.agent(source)(clear)
    return app


def main() -> None:
    """Run the worker."""
    target, fills = sys.argv[1], int(sys.argv[2])
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Faust draws on stdout.
    faust.Worker(build(target, fills, say), loglevel="error", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
