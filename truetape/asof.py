"""Time travel: what every service knew of an account at any place of the tape, folded by the service's own `evolve`.

By place it is exact: the state after the record there. By event time, the state after the account's last record on
each topic that was decided at or before that time. Clocks may jump, places cannot: the answer says which they were.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from truetape import ids, snapshots
from truetape.errors import AccountUnknown, MomentUnknown
from truetape.happenings import Log, Part, Record
from truetape.messages import AccountOpened, Began
from truetape.restore import readable
from truetape.service import Service
from truetape.tape import Place, Reader
from truetape.topics import PARTITIONS, REFERENCE_EVENTS, snapshots_of

_PLACE: Final = re.compile(r"([a-z.]{1,64})/([0-9]{1,4})@([0-9]{1,18})", re.ASCII)
_KEY: Final = "account_id"
_REFERENCE: Final = Part(REFERENCE_EVENTS.name, 0)


def place_of(text: str) -> tuple[Part, int] | None:
    """Partition and offset of "topic/partition@offset"; None when the text is something else."""
    found = _PLACE.fullmatch(text)
    return (Part(found[1], int(found[2])), int(found[3])) if found is not None else None


def time_of(text: str) -> int:
    """Microseconds of a time of RFC 3339. Raises MomentUnknown when it is none, or says no offset from UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise MomentUnknown(f"{text!r} is no time of RFC 3339, such as 2026-11-26T12:00:00Z") from error
    if at.tzinfo is None:
        raise MomentUnknown(f"{text!r} does not say its offset from UTC, such as Z")
    return int(at.timestamp()) * 1_000_000 + at.microsecond


class Known(msgspec.Struct, frozen=True):
    """What one service knew of the account."""

    service: str
    part: str
    offset: int
    """The last record that counts; -1 before the first."""
    epoch: int
    sequence: int
    state: Any
    """The service's state of this account, as plain values; None when it had none."""


@dataclass
class History:
    """The past of one account. Raises AccountUnknown when nobody has opened it, and what the log raises."""

    log: Log
    services: Iterable[Service[Any]]
    account_id: str
    timeout_seconds: float

    def __post_init__(self) -> None:
        self._partition = ids.partition_of(self.account_id, PARTITIONS)
        self._services = [service for service in self.services if service.owns.key == _KEY]
        self._require_account()
        self._began_us = min(filter(None, map(self._first_time, [_REFERENCE, *self.parts()])), default=0)

    def parts(self) -> list[Part]:
        """The partitions that hold the account, one for each service."""
        return [Part(service.owns.name, self._partition) for service in self._services]

    def at(self, places: Mapping[Part, int]) -> list[Known]:
        """After the records at these places. A topic that is not named stands at the time of the first named one.

        Raises MomentUnknown for a place that does not exist, or is not on the account's partition.
        """
        for part, offset in places.items():
            self._require(part, offset)
        as_of_us = self._time_at(*next(iter(places.items())))
        return [self._known(service, places.get(part), as_of_us) for service, part in self._pairs()]

    def as_of(self, at_us: int, now_us: int) -> list[Known]:
        """At a time. Raises MomentUnknown when it lies in the future, or before the tape."""
        if at_us > now_us:
            raise MomentUnknown("the time has not come yet: the tape has no future")
        if at_us < self._began_us:
            began = datetime.fromtimestamp(self._began_us / 1e6, UTC).isoformat()
            raise MomentUnknown(f"the tape begins at {began}, later than the time asked for")
        return [self._known(service, None, at_us) for service, _ in self._pairs()]

    def now(self) -> list[Known]:
        """At the end of the tape."""
        ends = self.log.ends(self.parts())
        return [self._fold(service, ends[part][1] - 1) for service, part in self._pairs()]

    def _pairs(self) -> list[tuple[Service[Any], Part]]:
        return list(zip(self._services, self.parts(), strict=True))

    def _known(self, service: Service[Any], offset: int | None, as_of_us: int) -> Known:
        part = Part(service.owns.name, self._partition)
        return self._fold(service, self._cut(part, as_of_us) if offset is None else offset)

    # -- where to cut ----------------------------------------------------------------------------------------

    def _require_account(self) -> None:
        reader = Reader(*_REFERENCE)
        for record in self._read(_REFERENCE, 0, self.log.ends([_REFERENCE])[_REFERENCE][1]):
            message: Any = readable(record)
            accepted = message is not None and reader.accept(message, record.offset)
            if accepted and isinstance(message, AccountOpened) and message.account_id == self.account_id:
                return
        raise AccountUnknown(f"nobody has opened account {self.account_id!r}; `truetape accounts list` shows all")

    def _first_time(self, part: Part) -> int:
        """When the first readable record was decided; 0 when there is none. Any service may have been the first."""
        for record in self._read(part, *self.log.ends([part])[part]):
            message: Any = readable(record)
            if message is not None:
                return int(message.meta.decided_at_us)
        return 0

    def _require(self, part: Part, offset: int) -> None:
        if part not in self.parts():
            where = ", ".join(map(str, self.parts()))
            raise MomentUnknown(f"{part} says nothing of account {self.account_id}: it is on {where}")
        low, high = self.log.ends([part])[part]
        if not low <= offset < high:
            raise MomentUnknown(f"{part} has offsets {low} to {high - 1}: there is no record at {offset}")

    def _time_at(self, part: Part, offset: int) -> int:
        """When the newest readable record up to this place was decided."""
        found = 0
        for record in self._read(part, max(0, offset - 100), offset + 1):
            message: Any = readable(record)
            found = message.meta.decided_at_us if message is not None else found
        return found

    def _cut(self, part: Part, as_of_us: int) -> int:
        """The account's last record decided at or before a time; -1 when there is none."""
        key, found, reader = self.account_id.encode(), -1, Reader(*part)
        for record in self._read(part, 0, self.log.ends([part])[part][1]):
            message: Any = readable(record)
            accepted = message is not None and reader.accept(message, record.offset)
            if accepted and record.key == key and message.meta.decided_at_us <= as_of_us:
                found = record.offset
        return found

    # -- the fold --------------------------------------------------------------------------------------------

    def _fold(self, service: Service[Any], offset: int) -> Known:
        """The service's own state after a record, from the newest snapshot that is not beyond it."""
        part = Part(service.owns.name, self._partition)
        kept = self._snapshot(service)
        if kept is not None and kept.offset <= offset:
            state = msgspec.msgpack.decode(kept.state, type=service.state_type)
            start, place = kept.offset + 1, kept.place
        else:
            state, start, place = service.initial(), 0, Place()
        reader = Reader(*part, place)
        for record in self._read(part, start, offset + 1):
            message: Any = readable(record)
            accepted = message is not None and reader.accept(message, record.offset)
            if accepted and not isinstance(message, Began):
                state = service.evolve(state, message)
        account = msgspec.to_builtins(service.accounts(state).get(self.account_id))
        return Known(service.name, str(part), offset, *reader.place, account)

    def _snapshot(self, service: Service[Any]) -> snapshots.Kept | None:
        part = Part(snapshots_of(service.owns).name, self._partition)
        found = self._read(part, *self.log.ends([part])[part])
        return snapshots.newest(found, snapshots.version_of(service.state_type)).get(self._partition)

    def _read(self, part: Part, start: int, end: int) -> Iterable[Record]:
        return self.log.read({part: (start, end)}, self.timeout_seconds) if start < end else ()
