"""The one run loop that all services share: the tape protocol around a pure core.

A turn takes what happened since the last one, decides and evolves each input, appends each event, and acts on
events whose delivery report was right. Memory runs ahead of the acknowledgements; effects never do. Any doubt
about a report means step down: forget, restore from the tape, begin a new epoch.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import structlog

from truetape import ids, marks, reference, snapshots
from truetape.codec import encode, headers
from truetape.errors import SchemaError, TapeError, TapeGap, TruetapeError
from truetape.log import Assigned, Log, Offered, Part, Record, Report, Revoked
from truetape.messages import Began, Cause, InputParked, Meta, ParkedRecord
from truetape.restore import Restored, Restorer, accepted, typed
from truetape.service import DUE, Effects, Input, NoEffects, Sent, Service, Tables, Tick, heeds_of
from truetape.settings import Settings
from truetape.tables import TableReader
from truetape.tape import PASSING, Doubt, Ownership, Reader
from truetape.topics import BY_NAME, PARKED, key_of, snapshots_of
from truetape.upkeep import Clock

S = TypeVar("S")
RETAKE_SECONDS = 0.2
PARKED_BYTES_MAX = 512 * 1024
"""Longer inputs stay on their own topic alone: a record that holds one must still fit."""
COMMIT_SECONDS = 5.0
_log = structlog.get_logger()


class Offer(NamedTuple):
    """An input that does not come from Kafka."""

    partition: int
    source: str
    id: str
    message: Any


class DigestRequest(NamedTuple):
    """Asks the loop for digests of its state, from another thread."""

    answer: "threading.Event"
    found: dict[int, Any]
    full: bool


@dataclass
class Runner(Generic[S]):
    """Runs one service over one log. `turn` does all the work; `run` repeats it until `stop`."""

    service: Service[S]
    log: Log
    settings: Settings
    tables: Tables = field(default_factory=lambda: Tables(reference.Reference(), marks.Marks()))
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._owned: dict[int, Ownership[S]] = {}
        self._clocks: dict[int, Clock] = {}
        self._beginning: dict[int, Restored[S]] = {}
        self._restorer = Restorer(self.service, self.log, self.settings)
        self._tables = TableReader(self.tables)
        self._assigned: set[int] = set()
        self._retake_at: float | None = None
        self._parts = [Part(self.service.owns.name, number) for number in range(self.service.owns.partitions)]
        self.effects: Effects = NoEffects()
        self._readers: dict[tuple[str, int], Reader] = {}
        self._ready_at: dict[Part, int] = {}
        self._in_flight = 0
        self._committed_at = 0.0
        self._lease_seconds = self.settings.session_timeout_ms / 2000
        self._report_seconds = self.settings.session_timeout_ms * 0.6 / 1000
        self._impossible: dict[Cause, str] = {}
        self._stopping = threading.Event()
        self._joined = False
        self.turned_at = self.log.monotonic()

    @property
    def effects(self) -> Effects:
        """What follows from the service's own events, once they are in place."""
        return self._effects

    @effects.setter
    def effects(self, effects: Effects) -> None:
        self._effects, self._heeds = effects, heeds_of(effects)

    # -- from other threads ----------------------------------------------------------------------------------

    def offer(self, partition: int, source: str, id: str, message: Any) -> None:
        """Give an input that does not come from Kafka; dropped when the partition is not owned here."""
        self.log.offer(Offer(partition, source, id, message))

    def partitions(self) -> frozenset[int]:
        """The partitions owned now."""
        return frozenset(self._owned)

    def stop(self) -> None:
        """Ask `run` to drain and end."""
        self._stopping.set()

    def digests(self, full: bool = False, timeout_seconds: float = 10.0) -> dict[int, Any]:
        """Digest of each owned partition's state with its epoch and sequence; full adds the accounts' contents."""
        request = DigestRequest(threading.Event(), {}, full)
        self.log.offer(request)
        request.answer.wait(timeout_seconds)
        return request.found

    def gauges(self) -> dict[str, float]:
        """What the health port shows beside the counters."""
        return {"owned_partitions": len(self._owned), "in_flight": self._in_flight, "ready": float(not self.missing())}

    def missing(self) -> list[str]:
        """What this process still waits for before it is ready; empty when it is."""
        waiting = [f"partition {p} is being restored" for p in sorted(self._assigned - self._owned.keys())]
        behind = [f"{part} has not been read to {end}" for part, end in sorted(self._ready_at.items())]
        return ([] if self._joined else ["the group has not assigned partitions"]) + waiting + behind

    # -- the loop --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask the group for partitions, and read the tables while it finds out."""
        self.log.join(self.service.name, self.service.owns, self.settings.instance)
        if self.service.tables:
            self._tables.read_all(self.log, self.settings.restore_timeout_seconds)

    def run(self) -> None:
        """Start, turn until stopped, drain."""
        self.start()
        while not self._stopping.is_set():
            self.turn(0.1)
        self._drain()

    def turn(self, timeout_seconds: float) -> None:
        """One round: what happened, ticks, snapshots, positions for display."""
        if self.log.group_silence() > self._lease_seconds and (self._owned or self._beginning):
            self._step_down("the group was not polled within the lease")
        room = self._in_flight < self.settings.in_flight_max
        for happening in self.log.poll(timeout_seconds, records=room):
            self._take(happening)  # After a step-down nothing is owned, so inputs and reports of before find no owner.
        if self._overdue():
            self._step_down("no delivery report came in time")
        self._retake()
        self._housekeep()
        self.turned_at = self.log.monotonic()

    def _take(self, happening: Any) -> None:
        try:
            match happening:
                case Record():
                    self._read(happening)
                case Report(token=Sent() as sent):
                    sent.reported(happening)
                case Report():
                    self._confirm(happening)
                case Offered(item=Offer() as offer):
                    self._offered(offer)
                case Offered(item=DigestRequest() as request):
                    self._digest(request)
                case Assigned(partitions=partitions):
                    self._joined = True
                    self._assigned |= partitions
                    self._take_over(set(partitions))
                case Revoked(partitions=partitions):
                    self._assigned -= partitions
                    self._forget(partitions)
        except PASSING as doubt:
            self._step_down(str(doubt))

    # -- inputs ----------------------------------------------------------------------------------------------

    def _read(self, record: Record) -> None:
        if self._tables.wants(record):
            self._tables.take(record)
            return
        own = self._owned.get(record.partition)
        reader = self._readers.get((record.topic, record.partition))
        if own is None or reader is None:
            return
        if self._ready_at:
            part = Part(record.topic, record.partition)
            if record.offset + 1 >= self._ready_at.get(part, 1 << 62):
                del self._ready_at[part]
        cause, topic = Cause(record.topic, record.partition, record.offset, ""), BY_NAME[record.topic]
        try:
            message = typed(record.value, topic) if topic.owner is None else accepted(record, reader, self.counts)
        except SchemaError as error:
            self._park(own, cause, record, error)
            return
        if message is not None:
            self._decide(own, message, cause, record)

    def _offered(self, offer: Offer) -> None:
        if (own := self._owned.get(offer.partition)) is not None:
            self._decide(own, offer.message, Cause(offer.source, offer.partition, -1, offer.id), None)

    def _decide(self, own: Ownership[S], message: Any, cause: Cause, record: Record | None) -> None:
        """This input, between what is due before it and what it makes due."""
        if not own.settled:
            self._settle(own)
        self._answer(own, message, cause, record)
        self._settle(own)

    def _settle(self, own: Ownership[S]) -> None:
        """Decide what the state itself asks for, until it asks for nothing."""
        while (asked := self.service.due(own.state)) is not None:
            self._answer(own, asked[1], Cause(DUE, own.partition, -1, asked[0]), None)
            assert self.service.due(own.state) != asked, "what is due is answered: booked, or set aside"
        own.settled = True

    def _answer(self, own: Ownership[S], message: Any, cause: Cause, record: Record | None) -> None:
        self.counts["inputs"] += 1
        if cause in self._impossible:
            self._park(own, cause, record, TapeError(self._impossible.pop(cause)), message)
            return
        given = Input(
            message, cause, self.log.now_us(), self.service.owns.name, own.place.epoch, own.place.sequence + 1,
            self.tables, own.partition,
        )  # fmt: skip
        try:
            event = self.service.decide(own.state, given)
            if event is None:
                return
            value = encode(event)
        except (TruetapeError, AssertionError) as error:
            self._park(own, cause, record, error, message)
            return
        self._write(own, event, value, None)

    def _park(
        self, own: Ownership[S], cause: Cause, record: Record | None, error: Exception, message: Any = None
    ) -> None:
        """Set an input aside: an own event holds it (a venue's report as JSON), says why; a copy goes to `parked`."""
        key = record.key if record is not None else None
        account = key.decode(errors="replace") if key else str(getattr(message, "account_id", ""))
        due = cause.source == DUE
        given = record.value if record is not None else encode(message) if due else msgspec.json.encode(message)
        event_id = ids.event_id(self.service.owns.name, cause)
        meta = Meta(own.place.epoch, own.place.sequence + 1, cause, self.log.now_us(), event_id, account)
        reason = f"{type(error).__name__}: {error}"[:1000]
        kept = given if given is not None and len(given) <= PARKED_BYTES_MAX else None
        told = due or (record is not None and BY_NAME[record.topic].owner is not None)  # A failed command halts nobody.
        parked = InputParked(meta, account, reason, self.service.halts_account and told and bool(account), kept)
        copy = ParkedRecord(
            service=self.service.name, event_id=event_id, topic=cause.source, partition=cause.partition,
            offset=cause.offset, key=key, value=kept, reason=reason,
        )  # fmt: skip
        self.counts["parked"] += 1
        _log.error("input parked", cause=str(cause), account_id=account, reason=reason)
        self._write(own, parked, encode(parked), copy)

    def _write(self, own: Ownership[S], event: Any, value: bytes, parked: ParkedRecord | None) -> None:
        if self.log.group_silence() > self._lease_seconds:
            raise Doubt("the lease ended while a decision was made")
        try:
            own.state = self.service.evolve(own.state, event)
        except AssertionError as error:  # The state may be half changed: forget it, and park the input when it returns.
            self._impossible[event.meta.cause] = f"{type(event).__name__} cannot be applied: {error}"
            raise Doubt(f"partition {own.partition}: {type(event).__name__} breaks an invariant: {error}") from error
        own.advance(event.meta)
        clock = self._clocks[own.partition]
        if not own.pending:
            clock.waiting_since = self.log.monotonic()
        own.pending.append((event.meta.sequence, event if self._heeds(event) else None, parked))
        self._in_flight += 1
        self.counts["events"] += 1
        clock.records += 1
        self.log.append(self._parts[own.partition], key_of(event).encode(), value, headers(event), own)

    def _overdue(self) -> bool:
        """Whether some partition has waited too long for its next report: reports are waited for, but not for ever."""
        since = [self._clocks[own.partition].waiting_since for own in self._owned.values() if own.pending]
        since += [restored.begun_at for restored in self._beginning.values()]
        return bool(since) and self.log.monotonic() - min(since) > self._report_seconds

    def _confirm(self, report: Report) -> None:
        """Token says what the report is about; what has been forgotten since is of no interest."""
        if isinstance(token := report.token, Restored):
            if self._beginning.get(token.partition) is token:
                del self._beginning[token.partition]
                self._begin(token, report.offset)
            return
        own: Ownership[S] = token
        if self._owned.get(own.partition) is not own:
            return
        if report.error:
            _log.warning("delivery failed", part=str(report.part), error=report.error)
        sequence, event, parked = own.confirm(report.offset)
        clock = self._clocks[own.partition]
        clock.waiting_since = self.log.monotonic()
        self._in_flight -= 1
        if parked is not None:
            self.log.append(Part(PARKED.name, 0), parked.key, encode(parked), [], None)
        if clock.waiting is not None and clock.waiting.place.sequence == sequence:
            self._publish(own, clock)
        if event is not None:
            self.effects.act(own.partition, event)

    # -- takeover --------------------------------------------------------------------------------------------

    def _take_over(self, partitions: set[int]) -> None:
        """Restore these partitions, then append Began with the next epoch to each."""
        wanted = sorted(partitions - self._owned.keys())
        for partition, restored in self._restorer.restore(wanted).items() if wanted else ():
            restored.begun_at = self.log.monotonic()
            self._beginning[partition] = restored
            cause = Cause("group", partition, -1, self.settings.instance)
            epoch = restored.reader.place.epoch + 1
            event_id = f"{self.service.owns.name}<began/{partition}/{epoch}"
            began = Began(Meta(epoch, 0, cause, self.log.now_us(), event_id, ""), self.settings.instance)
            self.log.append(Part(self.service.owns.name, partition), b"", encode(began), headers(began), restored)
        for clock in self._clocks.values():  # While we restored, their reports could not be heard.
            clock.waiting_since = self.log.monotonic()

    def _begin(self, restored: Restored[S], offset: int | None) -> None:
        own = self._restorer.own(restored, offset)
        self._owned[own.partition] = own
        self._clocks[own.partition] = Clock(self.log.monotonic())
        self._follow(own)
        self.effects.resume(own.partition, own.state)
        _log.info("owner", service=self.service.name, partition=own.partition, epoch=own.place.epoch)

    def _follow(self, own: Ownership[S]) -> None:
        """Read the inputs from one past the highest cause."""
        parts = [Part(t.name, own.partition) for t in self.service.inputs]
        starts = {part: own.positions.get(str(part), 0) for part in parts}
        for part, (_, high) in self.log.ends(starts).items():
            if starts[part] > high:
                raise TapeGap(f"{part} ends at {high}, but offset {starts[part] - 1} was answered: records were lost")
            if starts[part] < high:
                self._ready_at[part] = high
        for part, place in self._restorer.places_before(starts).items():
            self._readers[part] = Reader(part.topic, part.partition, place)
        if starts:
            self.log.follow(starts)

    # -- stepping down ---------------------------------------------------------------------------------------

    def _step_down(self, reason: str) -> None:
        """Forget everything that is owned, purge the producer, and take over again what is still assigned."""
        self.counts["step_downs"] += 1
        _log.warning("step down", service=self.service.name, reason=reason, partitions=sorted(self._owned))
        self.log.renew_producer()
        self._forget(frozenset(self._owned) | frozenset(self._beginning))
        self._in_flight = 0
        self._retake_at = self.log.monotonic() + RETAKE_SECONDS

    def _forget(self, partitions: frozenset[int]) -> None:
        parts = [Part(t.name, p) for t in self.service.inputs for p in partitions if Part(t.name, p) in self._readers]
        if parts:
            self.log.unfollow(parts)
        for part in parts:
            del self._readers[part]
            self._ready_at.pop(part, None)
        for partition in partitions:
            self._beginning.pop(partition, None)
            if (own := self._owned.pop(partition, None)) is not None:
                self._in_flight -= len(own.pending)
                del self._clocks[partition]
                self.effects.release(partition)

    def _retake(self) -> None:
        if self._retake_at is not None and self.log.monotonic() >= self._retake_at:
            self._retake_at = None
            try:
                self._take_over(self._assigned - self._owned.keys() - self._beginning.keys())
            except PASSING as doubt:
                self._step_down(str(doubt))

    # -- housekeeping ----------------------------------------------------------------------------------------

    def _housekeep(self) -> None:
        now = self.log.monotonic()
        for own in list(self._owned.values()):
            if own.partition in self._clocks:  # Else it was given up meanwhile.
                self._tick(own, now)
            self._snapshot(own, now)
        if now - self._committed_at > COMMIT_SECONDS:
            self._committed_at = now
            self.log.commit(
                {Part.parse(key): offset for own in self._owned.values() for key, offset in own.positions.items()}
            )

    def _tick(self, own: Ownership[S], now: float) -> None:
        """What a predecessor left due, and the timer."""
        clock, seconds = self._clocks[own.partition], self.service.tick_seconds
        try:
            self._settle(own)
            if seconds is not None and now - clock.ticked_at >= seconds:
                clock.ticked_at = now
                at_us = self.log.now_us()
                self._decide(own, Tick(at_us), Cause("timer", own.partition, -1, str(at_us)), None)
        except Doubt as doubt:
            self._step_down(str(doubt))

    def _snapshot(self, own: Ownership[S], now: float) -> None:
        """Pack the state as it is now; it is written when the report of its last record was right."""
        clock = self._clocks.get(own.partition)
        if clock is None or clock.waiting is not None or clock.records == 0:
            return
        due = now - clock.kept_at >= self.settings.snapshot_every_seconds
        if due or clock.records >= self.settings.snapshot_every_records:
            clock.waiting = snapshots.Kept(own.place, -1, dict(own.positions), snapshots.pack(own.state))
            clock.kept_at, clock.records = now, 0
            if not own.pending:
                self._publish(own, clock)

    def _publish(self, own: Ownership[S], clock: Clock) -> None:
        assert clock.waiting is not None
        kept = snapshots.Kept(clock.waiting.place, own.in_place, clock.waiting.positions, clock.waiting.state)
        clock.waiting = None
        for key, record in snapshots.cut(self.service.name, own.partition, self._restorer.version, kept):
            self.log.append(Part(snapshots_of(self.service.owns).name, own.partition), key, encode(record), [], None)
        self.counts["snapshots"] += 1

    def _digest(self, request: DigestRequest) -> None:
        for own in self._owned.values():
            accounts = self.service.accounts(own.state)
            request.found[own.partition] = {
                **own.place._asdict(),
                "digest": snapshots.digest(own.state),
                "accounts": msgspec.to_builtins(accounts) if request.full else {},
            }
        request.answer.set()

    def _drain(self) -> None:
        """Let what was written be confirmed, keep snapshots, leave."""
        deadline = self.log.monotonic() + 5.0
        while self._in_flight and self.log.monotonic() < deadline:
            for happening in self.log.poll(0.05, records=False):
                self._take(happening)
        for own in self._owned.values():
            clock = self._clocks[own.partition]
            if clock.records and not own.pending:
                clock.waiting = snapshots.Kept(own.place, -1, dict(own.positions), snapshots.pack(own.state))
                self._publish(own, clock)
        for partition in list(self._owned):
            self.effects.release(partition)
        self.log.flush(5.0)
        self.log.close()
