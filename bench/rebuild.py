"""Fills per second of a rebuild and of the two audits, over a tape that clearing itself decided; digests must agree.

full fold: bytes to state by the codec and clearing's own evolve, as a restore does it; a partition per core at the same
time, each in a process of its own, as in `truetape rebuild` (truetape/rebuild/apart.py). Its rate is the sum of theirs.
audit path, in one process: `truetape audit --fast` over decoded columns; decoding Avro to columns is printed beside it,
and both together. The baseline of each is plain: the codec and a loop over Python integers that checks what the columns
check.
"""

import argparse
import gc
import hashlib
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from bench.clearing import fill
from bench.stage import publish, say
from services.clearing.core import SERVICE
from truetape import marks, reference, snapshots
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.books import judge
from truetape.books.partition import Books
from truetape.books.reading import BATCH_RECORDS, Batch, Source
from truetape.books.trades import ENTRY_FIELDS, FILL_FIELDS, Journal
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.money import apportion
from truetape.service import Input, Tables
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS, PARTITIONS

FEES: Final = m.Fees(50_000, 100_000)
RATES: Final = {"*": (frozenset({50_000}), frozenset({100_000}))}


class Written(NamedTuple):
    """A partition as router and clearing write it, Began first."""

    executions: list[bytes]
    entries: list[bytes]


def written(partition: int, fills: int, accounts: int) -> Written:
    """What clearing decides about so many fills of so many accounts."""
    tables = Tables(reference.Reference(), marks.Marks())
    tables.reference.fees["*"] = FEES
    state = SERVICE.initial()
    executions = [encode(m.Began(m.Meta(1, 0, m.Cause("group", 0, -1, "bench"), 0, "began", ""), "bench"))]
    entries = [encode(m.Began(m.Meta(1, 0, m.Cause("group", 0, -1, "bench"), 0, "began", ""), "bench"))]
    for sequence in range(1, fills + 1):
        one = fill(0, sequence)
        one = msgspec.structs.replace(one, account_id=f"account-{partition}-{sequence * 7919 % accounts:07d}")
        given = Input(one, m.Cause(ORDERS_EXECUTIONS.name, 0, sequence, ""), 1_700_000_000_000_000 + sequence,
                      CLEARING_ENTRIES.name, 1, sequence, tables, 0)  # fmt: skip
        event = SERVICE.decide(state, given)
        assert event is not None
        state = SERVICE.evolve(state, event)
        executions.append(encode(one))
        entries.append(encode(event))
    return Written(executions, entries)


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    """(result, CPU seconds of this thread)."""
    began = time.thread_time()
    found = what()
    return found, time.thread_time() - began


def full_fold(entries: list[bytes]) -> Any:
    """As a restore folds: decode, apply, the collector off."""
    state = SERVICE.initial()
    for value in entries:
        message = decode(value)
        if not isinstance(message, m.Began):
            state = SERVICE.evolve(state, message)
    return state


class Folded(NamedTuple):
    """What a process of its own made of the entries."""

    packed: bytes
    fold_seconds: float
    pack_seconds: float
    resident_bytes: int
    """By which the process grew: it had folded nothing before."""

    @property
    def digest(self) -> str:
        """Of its balances and positions."""
        state = msgspec.msgpack.decode(self.packed, type=SERVICE.state_type)
        held = {
            (account_id, instrument): (one.quantity_e8, one.cost_e8, one.realised_e8)
            for account_id, account in state.accounts.items()
            for instrument, one in account.positions.items()
        }
        return digest_of(state.balances, held)


def fold_all(tapes: list[Written]) -> list[Folded]:
    """The full fold of every partition, in a new process each: what it holds is then known, and no other allocation
    is in its way. They begin together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(tapes))
    with ProcessPoolExecutor(len(tapes), context, _begin, (barrier,)) as apart:
        return list(apart.map(_fold_here, [tape.entries for tape in tapes]))


def _begin(barrier: Any) -> None:
    global together
    together = barrier


together: Any
"""All processes wait here for each other."""


def _fold_here(entries: list[bytes]) -> Folded:
    together.wait()
    gc.disable()
    before = resident_bytes()
    state, fold_seconds = timed(lambda: full_fold(entries))
    after = resident_bytes()
    packed, pack_seconds = timed(lambda: snapshots.pack(state))
    return Folded(packed, fold_seconds, pack_seconds, after - before)


def batches(topic: str, values: list[bytes], wanted: Mapping[str, frozenset[str]]) -> Iterator[Batch]:
    """Columns of a partition."""
    source = Source(Part(topic, 0), len(values), dict(wanted))
    for start in range(0, len(values), BATCH_RECORDS):
        some = values[start : start + BATCH_RECORDS]
        yield source.batch(range(start, start + len(some)), some)
    assert not source.gap and source.records == len(values)


def columns(books: Books, executions: list[bytes], entries: list[bytes]) -> list[tuple[Batch, Journal | None]]:
    """Decode: bytes to numbers, fills into the books."""
    for batch in batches(ORDERS_EXECUTIONS.name, executions, {"OrderFilled": FILL_FIELDS}):
        books.take_fills(batch)
    return [
        (batch, books.number(batch)) for batch in batches(CLEARING_ENTRIES.name, entries, {"EntryBooked": ENTRY_FIELDS})
    ]


def audit(books: Books, findings: Findings, decoded: list[tuple[Batch, Journal | None]]) -> Books:
    """The audit path over decoded columns."""
    books.fills_done()
    for batch, journal in decoded:
        books.take(batch, journal, 0, len(batch.offsets))
    books.finish()
    assert not findings.total and not books.judged and not books.pending, findings.kept[:3]
    return books


def plain_audit(executions: list[bytes], entries: list[bytes]) -> dict[tuple[str, str], judge.Holding]:
    """The same checks, record by record in Python: what the columns are measured against."""
    fills = {offset: decode(value) for offset, value in enumerate(executions)}
    held: dict[tuple[str, str], judge.Holding] = {}
    balances: dict[tuple[str, str], int] = {}
    for value in entries[1:]:
        entry: Any = decode(value)
        one: Any = fills[entry.meta.cause.offset]
        seen = judge.Fill(
            one.account_id, one.venue, one.instrument_id, one.base, one.quote, 1 if one.side == "BUY" else -1,
            one.quantity_e8, one.price_e8, one.quote_amount_e8, one.fee_asset, one.fee_e8, one.liquidity,
        )  # fmt: skip
        key = (one.account_id, one.instrument_id)
        before = held.get(key, judge.FLAT)
        assert not list(judge.trade(entry, seen, before, {100_000, 50_000}))
        held[key] = judge.after(before, seen.sign * seen.quantity_e8, -judge.principal_e8(seen))
        for line in entry.lines:
            cell = (line.account, line.asset)
            balances[cell] = balances.get(cell, 0) + line.amount_e8
    return held


def digest_of(ledger: Mapping[str, Mapping[str, int]], held: Mapping[tuple[str, str], Any]) -> str:
    """SHA-256 of balances and positions, whoever computed them."""
    balances = {account: {a: e8 for a, e8 in assets.items() if e8} for account, assets in ledger.items()}
    rows = {f"{account} {instrument}": list(one) for (account, instrument), one in held.items()}
    return hashlib.sha256(msgspec.json.encode([balances, rows], order="deterministic")).hexdigest()


def resident_bytes() -> int:
    """Resident memory of this process now; at most so far where the system does not tell."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Write a tape, fold it, audit it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer fills")
    parser.add_argument("--fills", type=int, default=0, help="how many fills (default 400 000, quick 60 000)")
    parser.add_argument("--accounts", type=int, default=0, help="of how many accounts (default 50 000, quick 5 000)")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    fills = options.fills or (60_000 if options.quick else 400_000)
    accounts = options.accounts or (5_000 if options.quick else 50_000)
    cores = min(len(os.sched_getaffinity(0)), PARTITIONS)
    say(f"deciding {fills} fills of {accounts} accounts, on {cores} partitions")
    counts = list(zip(apportion(fills, [1] * cores), apportion(accounts, [1] * cores), strict=True))
    tapes = [written(partition, *count) for partition, count in enumerate(counts)]
    folded = fold_all(tapes)
    fold_rates = [count / one.fold_seconds for (count, _), one in zip(counts, folded, strict=True)]
    say(f"full fold: {sum(fold_rates):.0f}/s, on the cores {', '.join(f'{rate:.0f}' for rate in fold_rates)}")
    some = min(counts[0][0], 20_000) + 1
    _, plain_seconds = timed(lambda: plain_audit(tapes[0].executions[:some], tapes[0].entries[:some]))
    plain_per_second = (some - 1) / plain_seconds
    say(f"audit in a plain loop, decoding included: {plain_per_second:.0f}/s")
    decode_seconds = audit_seconds = 0.0
    books_bytes = positions = 0
    resident = sum(one.resident_bytes for one in folded)
    for tape, theirs in zip(tapes, folded, strict=True):
        findings = Findings()
        books = Books(0, RATES, findings)
        decoded, seconds = timed(partial(columns, books, *tape))
        decode_seconds += seconds
        _, seconds = timed(partial(audit, books, findings, decoded))
        audit_seconds += seconds
        assert digest_of(books.ledger(), books.positions()) == theirs.digest, "the fold and the columns disagree"
        books_bytes, positions = books_bytes + books.bytes, positions + len(books.positions())
    say(f"columns: {fills / decode_seconds:.0f} fills with their entries per second")
    say(f"audit over columns: {fills / audit_seconds:.0f}/s")
    publish(
        "rebuild",
        {
            "fills": fills, "accounts": accounts, "digests": [one.digest for one in folded],
            "full_fold_fills_per_second": round(sum(fold_rates)),
            "full_fold_fills_per_second_by_core": [round(rate) for rate in fold_rates],
            "snapshot_seconds": round(max(one.pack_seconds for one in folded), 3),
            "snapshot_bytes": sum(len(one.packed) for one in folded),
            "audit_fills_per_second_over_columns": round(fills / audit_seconds),
            "decode_fills_per_second": round(fills / decode_seconds),
            "audit_fills_per_second_decoding_included": round(fills / (decode_seconds + audit_seconds)),
            "audit_state_bytes_per_million_accounts": round(books_bytes * 1e6 / accounts),
            "fold_resident_bytes_per_million_accounts": round(resident * 1e6 / accounts),
            "positions": positions,
        },
        {"plain_loop_fills_per_second_decoding_included": round(plain_per_second)},
        round(fills / (decode_seconds + audit_seconds) / plain_per_second, 2),
    )  # fmt: skip


if __name__ == "__main__":
    main()
