"""The books of one partition, computed again from its fills, its transfers and its journal."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from truetape import messages as m
from truetape.audit.difference import Difference
from truetape.audit.findings import Findings
from truetape.books import judge
from truetape.books.contracts import Contracts, Terms
from truetape.books.judge import Holding
from truetape.books.reading import Batch, Readable, Source
from truetape.books.sums import Balances, Positions
from truetape.books.trades import ENTRY_FIELDS, FILL_FIELDS, LIQUIDITIES, Entries, Fills, Journal, Vocabulary
from truetape.codec import decode
from truetape.columns import NULL, Bools, Ints, Text, Wire, Words, fingerprints
from truetape.happenings import Part
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

INSTRUMENT_BITS = 24
TRADE = 0
CORRECTION = 4
"""Places in the enum EntryKind."""
Rates = Mapping[str, tuple[frozenset[int], frozenset[int]]]
"""Account or * -> fee rates ever set for it: as maker, as taker."""
Told = Callable[[int], None]
NOWHERE = 1 << 62


class Cut:
    """Somebody who wants to see the books at one place of the journal: behind an offset, or behind a record."""

    def __init__(
        self, told: Callable[["Books"], None], offset: int | None = None, place: tuple[int, int] = (0, 0)
    ) -> None:
        self._told, self._offset, self._place = told, offset, place
        self.done = False

    def meets(self, books: "Books", offset: int) -> bool:
        """Tell at once if the books stand at this next offset; whether that was so."""
        if self._offset == offset or (self._offset is None and self._place == (0, 0)):
            self.told(books)
        return self.done

    def place(self, batch: Batch) -> int:
        """How many records of the batch come before the cut; NOWHERE when it lies behind the batch."""
        if self._offset is not None:
            return (
                int(np.searchsorted(batch.offsets, self._offset))
                if self._offset <= int(batch.offsets[-1]) + 1
                else NOWHERE
            )
        epoch, sequence = self._place
        rows = np.flatnonzero(batch.accepted & (batch.epochs == epoch) & (batch.sequences == sequence))
        return int(rows[0]) + 1 if len(rows) else NOWHERE

    def told(self, books: "Books") -> None:
        """The books stand there."""
        self.done = True
        self._told(books)


class Aside(NamedTuple):
    """A fill or transfer that clearing parked."""

    where: str
    account_id: str
    reason: str
    fill_row: int
    """NULL for a transfer."""
    terms: m.TransferTerms | None


class Books:
    """Balances and positions after the entries read so far."""

    def __init__(self, partition: int, rates: Rates, findings: Findings, terms: Terms | None = None) -> None:
        self._contracts, self._fact_offset = Contracts(terms or {}), -1
        self.partition, self._rates, self._findings = partition, rates, findings
        self.words = Vocabulary()
        self.fills = Fills(self.words)
        self.balances, self._positions = Balances(), Positions()
        self.entries = self.judged = 0
        self.records: Counter[str] = Counter()
        self.voids = self.stray = 0
        self.gaps: list[str] = []
        self._transfers: dict[int, m.TransferTerms] = {}
        self._answers: Ints = np.zeros(0, np.int64)
        """How often each fill was booked or parked."""
        self._aside: dict[str, Aside] = {}
        """Fills and transfers that are parked and not resolved, by InputParked."""
        self._last_answer = -1
        self._corrected: set[tuple[str, str]] = set()
        self._ids: list[tuple[Words, Ints]] = []
        """Hashes and offsets of all entries."""
        self._log: Readable
        self._timeout = 0.0
        self.decode_seconds = 0.0

    # -- reading ---------------------------------------------------------------------------------------------

    def read(
        self, log: Readable, ends: Mapping[str, int], timeout_seconds: float, cuts: Iterable[Cut], told: Told
    ) -> None:
        """Fills and transfers first, then the journal; each cut is told when the books stand where it wants them."""
        self._log, self._timeout = log, timeout_seconds
        self._read_fills(log, ends[ORDERS_EXECUTIONS.name], timeout_seconds, told)
        self._read_transfers(log, ends[ORDERS_DECISIONS.name], timeout_seconds, told)
        waiting = [cut for cut in cuts if not cut.meets(self, 0)]
        source = self._source(CLEARING_ENTRIES.name, ends[CLEARING_ENTRIES.name], {"EntryBooked": ENTRY_FIELDS})
        for batch in source.batches(log, timeout_seconds):
            began, start = time.perf_counter(), 0
            journal = self.number(batch)
            self.decode_seconds += time.perf_counter() - began
            for place, cut in sorted((cut.place(batch), number) for number, cut in enumerate(waiting)):
                if place != NOWHERE:
                    self.take(batch, journal, start, place)
                    waiting[cut].told(self)
                    start = place
            waiting = [cut for cut in waiting if not cut.done]
            self.take(batch, journal, start, len(batch.offsets))
            told(len(batch.offsets))
        self._ended(source)
        self.finish()

    def _source(self, topic: str, end: int, wanted: dict[str, frozenset[str]]) -> Source:
        return Source(Part(topic, self.partition), end, wanted)

    def _ended(self, source: Source) -> None:
        self.records[source.part.topic] = source.records
        self.voids += source.rule.voids
        self.stray += source.stray
        self.decode_seconds += source.decode_seconds
        if source.gap:
            self.gaps.append(source.gap)

    def _read_fills(self, log: Readable, end: int, timeout_seconds: float, told: Told) -> None:
        source = self._source(ORDERS_EXECUTIONS.name, end, {"OrderFilled": FILL_FIELDS})
        for batch in source.batches(log, timeout_seconds):
            began = time.perf_counter()
            self.take_fills(batch)
            self.decode_seconds += time.perf_counter() - began
            told(len(batch.offsets))
        self.fills_done()
        self._ended(source)

    def take_fills(self, batch: Batch) -> None:
        """The fills of a batch of executions."""
        if (found := batch.groups.get("OrderFilled")) is not None:
            rows = np.flatnonzero(batch.accepted[batch.rows["OrderFilled"]])
            self.fills.add(batch.wire, batch.offsets[batch.rows["OrderFilled"][rows]], found, rows)

    def fills_done(self) -> None:
        """All fills are read: none may have come twice."""
        self.fills.done()
        self._answers = np.zeros(len(self.fills), np.int64)
        for row in self.fills.repeated().tolist():
            where = f"{ORDERS_EXECUTIONS.name}/{self.partition}@{self.fills.offsets[row]}"
            self._find(where, self.fills.one(row).account_id, "execution_id", "a fill once", "the same fill again")

    def _read_transfers(self, log: Readable, end: int, timeout_seconds: float, told: Told) -> None:
        source = self._source(ORDERS_DECISIONS.name, end, {})
        for batch in source.batches(log, timeout_seconds):
            rows = batch.rows.get("TransferApproved", np.zeros(0, np.int64))
            for row in rows[batch.accepted[rows]].tolist():
                self._transfers[int(batch.offsets[row])] = batch.message(row).transfer
            told(len(batch.offsets))
        self._ended(source)

    # -- the journal -----------------------------------------------------------------------------------------

    def number(self, batch: Batch) -> Journal | None:
        """The entries of a batch, strings as numbers: the last step of decoding."""
        return Journal(self.words, batch) if "EntryBooked" in batch.groups else None

    def take(self, batch: Batch, journal: Journal | None, start: int, stop: int) -> None:
        """Records of the journal: these of a batch."""
        self._parked(batch, start, stop)
        if journal is None:
            self._facts_until(batch, stop)
            return
        rows = np.flatnonzero((journal.places >= start) & (journal.places < stop))
        self.entries += len(rows)
        self._ids.append((journal.hashes["entry_id0"][rows], batch.offsets[journal.places[rows]]))
        self.balances.add(*journal.lines(rows))
        kinds = journal.ints["kind"][rows]
        first = 0
        single = (kinds != TRADE) | journal.contracts[rows]
        for alone in [*np.flatnonzero(single).tolist(), len(rows)]:  # Few: each is judged by itself.
            if alone > first:
                self._trade(batch, journal, rows[first:alone])
            if alone < len(rows):
                self._other(batch, journal, rows[alone : alone + 1])
            first = alone + 1
        self._facts_until(batch, stop)

    def _trade(self, batch: Batch, journal: Journal, rows: Ints) -> None:
        """Trades that follow each other."""
        fill_rows = self._answered(batch, journal, rows)
        known = fill_rows >= 0
        rows, fill_rows = rows[known], fill_rows[known]
        if not len(rows):
            return
        trades = Entries(self.words, self.fills, journal, rows, fill_rows)
        doubtful = trades.doubtful(self._in_force)
        accounts, instruments = trades.fill["account_id"], trades.fill["instrument_id"]
        keys = (accounts.astype(np.int64) << INSTRUMENT_BITS) | instruments
        right = self._positions.verify(keys, trades, doubtful)
        for at in np.flatnonzero(~right).tolist():
            self._judge(batch, int(journal.places[rows[at]]), int(fill_rows[at]), int(keys[at]))

    def _answered(self, batch: Batch, journal: Journal, rows: Ints) -> Ints:
        """The fill that each trade answers by its cause; NULL where there is none."""
        ours = journal.ints["meta.cause.source"][rows] == self.words.sources.number(ORDERS_EXECUTIONS.name)
        ours &= journal.ints["meta.cause.partition"][rows] == self.partition
        fills = np.where(ours, self.fills.at(journal.ints["meta.cause.offset"][rows]), NULL)
        for at in np.flatnonzero(fills < 0).tolist():
            row = int(rows[at])
            place = int(journal.places[row])
            if (fill_row := self._released(batch.message(place))) >= 0:
                fills[at] = fill_row
                continue
            entry, where = batch.message(place), self._where(batch, place)
            self._find(where, entry.account_id, "fill", f"one at {entry.meta.cause}", f"entry {entry.entry_id}")
            self._believe(where, entry)
        booked = fills[fills >= 0]
        before = self._answers[booked]
        np.add.at(self._answers, booked, 1)
        if np.any(before) or np.any(self._answers[booked] > 1):
            again = (before > 0) | (self._answers[booked] > 1) & ~_first(booked)
            for row in rows[fills >= 0][again].tolist():
                place = int(journal.places[row])
                entry, where = batch.message(place), self._where(batch, place)
                self._find(where, entry.account_id, "fill", f"booked once: {entry.execution_id}", "booked again")
        if len(booked):
            self._last_answer = max(self._last_answer, int(self.fills.offsets[booked].max()))
        return fills

    def _released(self, entry: m.EntryBooked) -> int:
        """The parked fill that an operator had booked by this entry: it was answered by its InputParked; NULL else."""
        aside = self._aside.pop(entry.release.parked_event_id, None) if entry.release is not None else None
        if aside is None or aside.fill_row < 0:
            return NULL
        self._answers[aside.fill_row] -= 1
        return aside.fill_row

    def _believe(self, where: str, entry: m.EntryBooked) -> None:
        """Nothing says what its position must be: what follows is judged from what it says."""
        if (said := entry.position) is not None:
            key = self._key(entry.account_id, said.instrument_id)
            self._set(where, key, entry.account_id, Holding(said.quantity_e8, said.cost_e8, said.realised_e8))

    def _key(self, account_id: str, instrument_id: str) -> int:
        return self.words.accounts.number(account_id) << INSTRUMENT_BITS | self.words.instruments.number(instrument_id)

    def _judge(self, batch: Batch, place: int, fill_row: int, key: int) -> None:
        """One trade in plain integers; the position goes on as it should be."""
        self.judged += 1
        entry, fill, held = batch.message(place), self.fills.one(fill_row), self._positions.get(key)
        where = self._where(batch, place)
        for what, tape, other in judge.trade(entry, fill, held, self._rates_of(fill.account_id, fill.liquidity)):
            self._find(where, fill.account_id, what, tape, other)
        for column in ("entry_id", "execution_id"):
            text = getattr(entry, column)
            if not self.fills.is_execution(fill_row, text):
                self._find(where, fill.account_id, column, "the fill's execution id", text)
        right = judge.after(held, fill.sign * fill.quantity_e8, -judge.principal_e8(fill))
        self._set(where, key, fill.account_id, right)

    def _set(self, where: str, key: int, account_id: str, holding: Holding) -> None:
        try:
            self._positions.set(key, holding)
        except OverflowError:
            self._find(where, account_id, "position", "64 bits", holding)

    def _other(self, batch: Batch, journal: Journal, rows: Ints) -> None:
        """A deposit, a withdrawal, a correction, or an entry about contracts."""
        place = int(journal.places[rows[0]])
        entry, where = batch.message(place), self._where(batch, place)
        if entry.contract is not None:
            self._contract(batch, journal, rows, entry)
            return
        if entry.kind == "CORRECTION":
            self._correct(where, entry)
            return
        cause = entry.meta.cause
        terms = self._transfers.pop(cause.offset, None) if cause.source == ORDERS_DECISIONS.name else None
        if entry.release is not None and (aside := self._aside.pop(entry.release.parked_event_id, None)) is not None:
            terms = aside.terms
        if terms is None:
            self._find(where, entry.account_id, "transfer", f"one at {cause}, booked once", f"entry {entry.entry_id}")
            return
        for what, tape, other in judge.transfer(entry, terms):
            self._find(where, entry.account_id, what, tape, other)

    def _contract(self, batch: Batch, journal: Journal, rows: Ints, entry: m.EntryBooked) -> None:
        """An entry about contracts: what its fill or fact, the terms and the position before demand."""
        place = int(journal.places[rows[0]])
        where, booked = self._where(batch, place), entry.contract
        assert booked is not None
        self._facts_until(batch, place)
        fill_row = int(self._answered(batch, journal, rows)[0]) if entry.execution_id is not None else NULL
        fill = self.fills.one(fill_row) if fill_row >= 0 else None
        key = self._key(entry.account_id, booked.instrument_id)
        held, source = self._positions.get(key), judge.FLAT
        if (fact := self._contracts.fact(booked.fact_id)) is not None:
            source = self._positions.get(self._key(entry.account_id, fact.instrument_id))
        self.judged += 1
        wrong, right = self._contracts.judge(entry, booked, held, fill, source)
        for one in wrong:
            self._find(where, entry.account_id, *one)
        if entry.account_id and entry.position is not None:
            self._set(where, key, entry.account_id, right)

    def _facts_until(self, batch: Batch, place: int) -> None:
        """Facts of the batch before this place, in order."""
        rows = batch.rows.get("ContractFactTaken", np.zeros(0, np.int64))
        rows = rows[(rows < place) & batch.accepted[rows] & (batch.offsets[rows] > self._fact_offset)]
        for row in rows.tolist():
            self._fact_offset = int(batch.offsets[row])
            for one in self._contracts.taken(batch.message(row)):
                self._find(self._where(batch, row), "", *one)

    def _correct(self, where: str, entry: m.EntryBooked) -> None:
        corrected = self._corrects(entry.account_id, entry.corrects or "")
        if corrected is None:
            self._find(where, entry.account_id, "corrects", "an entry of this partition, once", entry.corrects)
            return
        key, held = None, judge.FLAT
        if corrected.position is not None:
            key = self._key(corrected.account_id, corrected.position.instrument_id)
            held = self._positions.get(key)
        for what, tape, other in judge.correction(entry, corrected, held):
            self._find(where, entry.account_id, what, tape, other)
        if key is not None:
            self._set(where, key, entry.account_id, judge.corrected_holding(corrected, held))

    def _corrects(self, account_id: str, entry_id: str) -> m.EntryBooked | None:
        """The account's entry of this id, read again; None when there is none, or when it is corrected already."""
        if (key := (account_id, entry_id)) in self._corrected:
            return None
        self._corrected.add(key)
        wire = Wire([entry_id.encode()])
        [wanted] = fingerprints(wire, Text(wire.starts, wire.ends - wire.starts)).tolist()
        part = Part(CLEARING_ENTRIES.name, self.partition)
        for hashes, offsets in self._ids:
            for offset in offsets[hashes == wanted].tolist():
                for record in self._log.read({part: (offset, offset + 1)}, self._timeout):
                    found: Any = decode(record.value or b"")  # Its place is an entry's.
                    if (found.account_id, found.entry_id) == key and found.kind != "CORRECTION":
                        return found  # type: ignore[no-any-return]
        return None

    def _parked(self, batch: Batch, start: int, stop: int) -> None:
        """What clearing set aside is missing in the books until an operator has it booked, or dismisses it."""
        none = np.zeros(0, np.int64)
        both = np.concatenate([batch.rows.get(name, none) for name in ("InputParked", "ParkedDismissed")])
        for place in np.sort(both).tolist():
            if not batch.accepted[place] or not start <= place < stop:
                continue
            event = batch.message(place)
            if isinstance(event, m.InputParked):
                self._set_aside(event, self._where(batch, place))
            else:
                self._aside.pop(event.release.parked_event_id, None)

    def _set_aside(self, parked: m.InputParked, where: str) -> None:
        cause, row, terms = parked.meta.cause, NULL, None
        if cause.source == ORDERS_EXECUTIONS.name:
            row = int(self.fills.at(np.array([cause.offset], np.int64))[0])
        elif cause.source == ORDERS_DECISIONS.name:
            terms = self._transfers.pop(cause.offset, None)
        if row >= 0:
            self._answers[row] += 1
            self._last_answer = max(self._last_answer, cause.offset)
        if row >= 0 or terms is not None:
            self._aside[parked.meta.event_id] = Aside(where, parked.account_id, parked.reason, row, terms)

    def finish(self) -> None:
        """Fills passed over: a later one was answered, so these never will be; and what is parked still."""
        for aside in self._aside.values():
            what = "fill" if aside.terms is None else "transfer"
            self._find(aside.where, aside.account_id, what, "booked", f"parked: {aside.reason}")
        if self.gaps:
            return
        for row in np.flatnonzero((self._answers == 0) & (self.fills.offsets < self._last_answer)).tolist():
            where = f"{ORDERS_EXECUTIONS.name}/{self.partition}@{self.fills.offsets[row]}"
            self._find(where, self.fills.one(row).account_id, "fill", "booked", "no entry books it")

    @property
    def pending(self) -> int:
        """Fills at the end of the tape that are not booked yet."""
        return int(((self._answers == 0) & (self.fills.offsets >= self._last_answer)).sum())

    # -- fees ------------------------------------------------------------------------------------------------

    def _rates_of(self, account_id: str, liquidity: str) -> frozenset[int]:
        at = LIQUIDITIES.index(liquidity)
        empty: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        return self._rates.get(account_id, empty)[at] | self._rates.get("*", empty)[at] | {0}

    def _in_force(self, accounts: Ints, liquidities: Ints, rates: Ints) -> Bools:
        """Whether each rate was ever set for everybody, or for its account."""
        found = np.zeros(len(rates), np.bool_)
        for at, liquidity in enumerate(LIQUIDITIES):
            usual = np.array(sorted(self._rates_of("*", liquidity)), np.int64)
            found |= (liquidities == at) & np.isin(rates, usual)
        for row in np.flatnonzero(~found & (liquidities >= 0)).tolist():
            account, liquidity = self.words.accounts.texts[int(accounts[row])], LIQUIDITIES[int(liquidities[row])]
            found[row] = int(rates[row]) in self._rates_of(account, liquidity)
        return found

    # -- what came out ---------------------------------------------------------------------------------------

    def ledger(self) -> dict[str, dict[str, int]]:
        """Balances that are not zero, by ledger account and asset."""
        found: dict[str, dict[str, int]] = {}
        for account, asset, amount_e8 in self.balances.items():
            found.setdefault(self.words.ledger.texts[account], {})[self.words.assets.texts[asset]] = amount_e8
        return found

    def positions(self) -> dict[tuple[str, str], Holding]:
        """Positions by account and instrument."""
        accounts, instruments = self.words.accounts.texts, self.words.instruments.texts
        return {
            (accounts[key >> INSTRUMENT_BITS], instruments[key & ((1 << INSTRUMENT_BITS) - 1)]): held
            for key, held in self._positions.items()
        }

    @property
    def bytes(self) -> int:
        """Memory of balances and positions."""
        return self.balances.bytes + self._positions.bytes

    def _where(self, batch: Batch, place: int) -> str:
        return f"{CLEARING_ENTRIES.name}/{self.partition}@{batch.offsets[place]}"

    def _find(self, where: str, account_id: str, what: str, tape: object, other: object) -> None:
        self._findings.add(Difference("invariant", where, account_id, what, str(tape), str(other)))


def _first(values: Ints) -> Bools:
    """Which of these are the first of their value."""
    found = np.zeros(len(values), np.bool_)
    found[np.unique(values, return_index=True)[1]] = True
    return found
