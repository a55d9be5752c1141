"""`truetape audit --fast`: the books of all partitions by columns, and everybody who claims to know them."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from truetape.audit import kept
from truetape.audit.difference import Difference
from truetape.audit.findings import Findings
from truetape.audit.live import Live, Silent
from truetape.audit.view import OpenView
from truetape.books.claims import Claims, ViewClaim, of_live, of_snapshot
from truetape.books.contracts import Terms
from truetape.books.partition import Books, Rates
from truetape.books.reading import Readable, Source
from truetape.books.report import BooksReport
from truetape.errors import TruetapeError
from truetape.happenings import Log, Part, Record
from truetape.messages import ContractTerms, FeesSet, InstrumentSet
from truetape.service import Service
from truetape.settings import Settings
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS, REFERENCE_EVENTS

TOPICS = (CLEARING_ENTRIES, ORDERS_EXECUTIONS, ORDERS_DECISIONS)
"""In the order in which their ends are asked for: the causes of what is on the first are on the others then."""
CLEARING = "clearing"


def audit_books(
    log: Log,
    settings: Settings,
    clearing: Service[Any],
    ask: Callable[[list[str]], Mapping[str, Live | Silent]],
    views: Mapping[str, OpenView],
    told: Callable[[int, int], None] = lambda done, of: None,
) -> BooksReport:
    """Compute all books again and compare. Raises what the log raises when the tape cannot be read."""
    began, findings, timed = time.monotonic(), Findings(), _Timed(log)
    claims, timeout = Claims(findings), settings.restore_timeout_seconds
    with contextlib.ExitStack() as opened:
        seen = list(_views(opened, claims, findings, settings, views))
        live = ask([CLEARING]).get(CLEARING)
        shelf = kept.read(log, clearing, timeout)
        ends = {part: end for topic in TOPICS for part, (_, end) in log.ends(_parts(topic.name)).items()}
        (rates, terms), total = _reference(timed, timeout), sum(ends.values())
        books, done = [], 0

        def more(records: int) -> None:
            nonlocal done
            done += records
            told(done, total)

        state_bytes = 0
        for partition in range(PARTITIONS):
            one = Books(partition, rates, findings, terms)
            cuts = [view.cut(partition) for view in seen]
            if isinstance(live, Live) and (claim := live.partitions.get(partition)) is not None:
                cuts.append(claims.cut("live", partial(of_live, claim), place=(claim.epoch, claim.sequence)))
            if (snapshot := shelf.newest.get(partition)) is not None:
                cuts.append(claims.cut("snapshot", partial(of_snapshot, snapshot), offset=snapshot.offset + 1))
            one.read(timed, {topic.name: ends[Part(topic.name, partition)] for topic in TOPICS}, timeout, cuts, more)
            state_bytes = max(state_bytes, one.bytes)
            books.append(_Summary(one))
        for view in seen:
            view.end()
    return _report(books, claims, findings, time.monotonic() - began, timed.seconds, state_bytes)


def _parts(topic: str) -> list[Part]:
    return [Part(topic, partition) for partition in range(PARTITIONS)]


class _Summary:
    """What is kept of a partition's books once it was compared."""

    def __init__(self, books: Books) -> None:
        self.accounts = len(books.ledger())
        self.positions = len(books.positions())
        self.fills, self.entries, self.judged = len(books.fills), books.entries, books.judged
        self.records, self.voids, self.stray = sum(books.records.values()), books.voids, books.stray
        self.pending, self.gaps, self.decode_seconds = books.pending, books.gaps, books.decode_seconds


def _views(
    opened: contextlib.ExitStack, claims: Claims, findings: Findings, settings: Settings, views: Mapping[str, OpenView]
) -> Iterator[ViewClaim]:
    for name, open_view in views.items():
        try:
            yield claims.of_view(opened.enter_context(open_view(settings)))
        except TruetapeError as error:
            claims.verdicts[name] = f"{type(error).__name__}: {error}"
            findings.add(Difference("view", name, "", "the view", "to be compared", claims.verdicts[name]))


def _reference(log: Readable, timeout_seconds: float) -> tuple[Rates, Terms]:
    """Every fee rate that was ever set, by account; and the terms of every contract (fixed but for rates)."""
    part = Part(REFERENCE_EVENTS.name, 0)
    source = Source(part, log.ends([part])[part][1], {})
    found: dict[str, tuple[frozenset[int], frozenset[int]]] = {}
    terms: dict[str, ContractTerms] = {}
    for batch in source.batches(log, timeout_seconds):
        for row in batch.rows.get(InstrumentSet.__name__, ()):
            if batch.accepted[row] and (instrument := batch.message(int(row)).instrument).contract is not None:
                terms[instrument.instrument_id] = instrument.contract
        for row in batch.rows.get(FeesSet.__name__, ()):
            if batch.accepted[row]:
                event = batch.message(int(row))
                maker, taker = found.get(event.account_id, (frozenset(), frozenset()))
                found[event.account_id] = (maker | {event.fees.maker_rate_e8}, taker | {event.fees.taker_rate_e8})
    return found, terms


class _Timed:
    """The reading half of a log that counts how long its records are waited for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.seconds = 0.0

    def ends(self, parts: Any) -> dict[Part, tuple[int, int]]:
        return self._log.ends(parts)

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        records = self._log.read(spans, timeout_seconds)
        while True:
            began = time.perf_counter()
            record = next(records, None)
            self.seconds += time.perf_counter() - began
            if record is None:
                return
            yield record


def _report(
    books: list[_Summary], claims: Claims, findings: Findings, seconds: float, read_seconds: float, state_bytes: int
) -> BooksReport:
    gaps = [gap for one in books for gap in one.gaps]
    return BooksReport(
        equal=not gaps and not findings.total,
        compared=claims.verdicts,
        accounts=sum(one.accounts for one in books),
        positions=sum(one.positions for one in books),
        fills=sum(one.fills for one in books),
        entries=sum(one.entries for one in books),
        judged=sum(one.judged for one in books),
        records=sum(one.records for one in books),
        voids=sum(one.voids for one in books),
        stray=sum(one.stray for one in books),
        pending=sum(one.pending for one in books),
        gaps=gaps,
        differences=findings.kept,
        differences_total=findings.total,
        seconds=round(seconds, 3),
        decode_seconds=round(sum(one.decode_seconds for one in books), 3),
        read_seconds=round(read_seconds, 3),
        state_bytes=state_bytes,
    )
