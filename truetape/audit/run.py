"""One audit from beginning to end."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from truetape.audit import kept
from truetape.audit.archive import Seen
from truetape.audit.difference import Difference
from truetape.audit.evidence import EvidenceAudit
from truetape.audit.findings import Findings
from truetape.audit.fold import DAMAGED, DIFFERS, EQUAL, NONE, Fold
from truetape.audit.killswitch import KillSwitch
from truetape.audit.live import Live, Silent
from truetape.audit.membership import Membership
from truetape.audit.merge import Given, Tape
from truetape.audit.report import EvidenceReport, PartitionReport, Report, ViewReport
from truetape.audit.rules import ACCOUNT_TOPICS, AnswerRules, PartitionRules
from truetape.audit.view import Expected, OpenView, View
from truetape.errors import TruetapeError
from truetape.happenings import Log, Part
from truetape.service import Service
from truetape.settings import Settings
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, OWNED, PARTITIONS, REFERENCE_EVENTS

ROUNDS = 10
ROUND_SECONDS = 0.2
"""How often, and after what pause, the ends of a growing tape are asked for again."""
OUTDATED, MOVED, NOT_OWNED, NOT_RUNNING = "outdated", "moved on", "not owned", "not running"
PROGRESS_RECORDS = 500
Group = list[Part]
AskLive = Callable[[list[str]], Mapping[str, Live | Silent]]
"""Asks these services for their digests."""


def groups() -> Iterator[Group]:
    """Partitions of the tape that are read together, in the order of reading."""
    yield [Part(REFERENCE_EVENTS.name, 0)]
    for partition in range(PARTITIONS):
        yield [Part(topic.name, partition) for topic in ACCOUNT_TOPICS]
    for topic in OWNED:
        if topic not in (REFERENCE_EVENTS, *ACCOUNT_TOPICS):
            yield [Part(topic.name, partition) for partition in range(topic.partitions)]


class Audit:
    """Folds the tape once and compares everything on the way. `run` gives the report.

    Raises BrokerUnavailable, TopicMissing, RestoreTimedOut when the tape cannot be read.
    """

    def __init__(
        self,
        log: Log,
        settings: Settings,
        services: Mapping[str, Service[Any]],
        ask: AskLive,
        views: Mapping[str, OpenView],
        *,
        require_live: bool = False,
        evidence: EvidenceAudit | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        self._log, self._settings, self._ask, self._open_views = log, settings, ask, views
        self._services = {service.owns.name: service for service in services.values()}
        self._require_live, self._progress, self._check_evidence = require_live, progress, evidence
        self._evidence: EvidenceReport | None = None
        self._findings = Findings()
        self._executions = Seen()
        self._kill_switch, self._members = KillSwitch(), Membership()
        self._answers = AnswerRules(self._findings)
        self._rules = {
            p: PartitionRules(p, self._findings, self._executions, self._kill_switch, self._members)
            for p in range(PARTITIONS)
        }
        self._folds: dict[Part, Fold] = {}
        self._shelves: dict[str, kept.Shelf] = {}
        self._unread: dict[str, str] = {}
        self._silent: dict[str, str] = {}
        self._expected: list[tuple[View, Expected]] = []
        self._done = 0

    def run(self) -> Report:
        """Read, fold, compare. What claims to know is asked before the tape is read, so that the tape has it all."""
        began = time.monotonic()
        if self._check_evidence is not None:
            timeout_seconds = self._settings.restore_timeout_seconds
            self._evidence = self._check_evidence.run(self._log, self._findings, timeout_seconds)
        with contextlib.ExitStack() as opened:
            self._open(opened)
            claims = self._ask([service.name for service in self._services.values()])
            for topic, service in self._services.items():
                self._shelves[topic] = kept.read(self._log, service, self._settings.restore_timeout_seconds)
            self._tape = Tape(
                self._log, [p for group in groups() for p in group], self._settings.restore_timeout_seconds
            )
            self._begin(claims)
            for group in groups():
                self._read(group)
            self._ask_again()
            self._end()
            views = [self._compare(view, expected) for view, expected in self._expected]
        views += [ViewReport(name, reason, 0) for name, reason in self._unread.items()]
        self._executions.end()
        return self._report(views, time.monotonic() - began)

    # -- before ----------------------------------------------------------------------------------------------

    def _open(self, opened: contextlib.ExitStack) -> None:
        for name, open_view in self._open_views.items():
            try:
                view = opened.enter_context(open_view(self._settings))
            except TruetapeError as error:
                self._unread[name] = f"{type(error).__name__}: {error}"
                self._findings.add(Difference("view", name, "", "the view", "to be compared", self._unread[name]))
            else:
                self._expected.append((view, Expected(view.positions)))

    def _begin(self, claims: Mapping[str, Live | Silent]) -> None:
        for part in self._tape.cursors:
            service = self._services.get(part.topic)
            if service is not None:
                shelf = self._shelves[part.topic]
                fold = Fold(service, part.partition, snapshot=shelf.newest.get(part.partition))
                self._claim(fold, claims.get(service.name))
                self._folds[part] = fold

    def _claim(self, fold: Fold, claim: Live | Silent | None) -> None:
        """Note what the live service says of this partition."""
        if isinstance(claim, Live):
            fold.claim = claim.partitions.get(fold.partition)
            fold.live_verdict = NOT_OWNED if fold.claim is None else MOVED
            fold.meet()
            return
        fold.live_verdict = NOT_RUNNING
        if claim is not None:
            self._silent[fold.service.name] = claim.reason

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self, group: Group) -> None:
        """Fold a group up to the ends, and further when something that was claimed is not there yet."""
        for given in self._tape.given(group):
            self._take(given)
        for _ in range(ROUNDS):
            if not any(self._tape.waiting(group)) and not any(self._unmet(part) for part in group):
                return
            if not self._tape.extend([Part(REFERENCE_EVENTS.name, 0), *group]):
                time.sleep(ROUND_SECONDS)
            for given in self._tape.given([Part(REFERENCE_EVENTS.name, 0), *group]):
                self._take(given)

    def _unmet(self, part: Part) -> bool:
        fold = self._folds.get(part)
        return fold is not None and fold.claim is not None and not fold.passed() and not self._tape.cursors[part].gap

    def _take(self, given: Given) -> None:
        self._done += 1
        if self._done % PROGRESS_RECORDS == 0:
            self._progress(self._done, self._tape.length)
        if not given.accepted:
            return
        self._answers.take(given)
        if (fold := self._folds.get(given.part)) is not None:
            fold.take(given)
        if given.part.topic == REFERENCE_EVENTS.name:
            self._kill_switch.take(given.offset, given.message)
            self._members.take(given.message)
        elif given.part.topic in _ACCOUNT_NAMES and not self._blind(given.part.partition):
            self._rules[given.part.partition].take(given)
        for _, expected in self._expected:
            expected.take(given)

    def _blind(self, partition: int) -> bool:
        return any(part.partition == partition for part in self._tape.gaps() if part.topic in _ACCOUNT_NAMES)

    def _ask_again(self) -> None:
        """A service that began a new epoch between its answer and now is asked once more."""
        moved = {fold.service.name for fold in self._folds.values() if fold.passed()}
        claims = self._ask(sorted(moved)) if moved else {}
        for fold in self._folds.values():
            if fold.passed():
                self._claim(fold, claims.get(fold.service.name))
        for group in groups():
            if any(self._unmet(part) for part in group):
                self._read(group)

    # -- after -----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        for group in groups():
            for found, part, offset in self._tape.waiting(group):
                if offset >= self._tape.cursors[part].end:
                    where, ends = f"{found.part}@{found.offset}", f"{part} ends at {self._tape.cursors[part].end}"
                    self._findings.add(Difference("tape", where, "", "the cause", ends, f"answers {part}@{offset}"))
        for part, fold in self._folds.items():
            cursor = self._tape.cursors[part]
            for difference in fold.end(cursor.end) if not cursor.gap else fold.differences:
                self._findings.add(difference)
            self._judge_claims(part, fold)
        for partition, rules in self._rules.items():
            names = (CLEARING_ENTRIES.name, ORDERS_DECISIONS.name)
            both = [self._folds[part] for name in names if (part := Part(name, partition)) in self._folds]
            if not self._blind(partition) and len(both) == 2 and not any(one.broken for one in both):
                rules.end(self._answers, *(one.accounts() for one in both))
        for execution, times in self._executions.repeated():
            self._findings.expect(False, "a fill is on the tape once", execution, "", 1, times)
        for part, cursor in self._tape.cursors.items():
            if part.topic not in self._services and cursor.records:
                what = "install the package, so that its entry points are known"
                self._findings.add(Difference("tape", str(part), "", "no service is registered", "records", what))

    def _judge_claims(self, part: Part, fold: Fold) -> None:
        shelf = self._shelves[part.topic]
        if part.partition in shelf.damaged:
            fold.snapshot_verdict = DAMAGED
            what = shelf.damaged[part.partition]
            self._findings.add(Difference("snapshot", fold.where, "", "its digest", "a whole snapshot", what))
        elif fold.snapshot_verdict == NONE and part.partition in shelf.outdated:
            fold.snapshot_verdict = OUTDATED
        if self._require_live and fold.live_verdict not in (EQUAL, DIFFERS):
            self._findings.add(Difference("live", fold.where, "", "an answer", "required", fold.live_verdict))

    def _compare(self, view: View, expected: Expected) -> ViewReport:
        behind = {part: offset for part, offset in view.positions.items() if offset > self._given_up_to(part)}
        for part, offset in behind.items():
            ends = f"is read up to {self._given_up_to(part)}"
            self._findings.add(Difference("view", view.name, "", f"position on {part}", ends, str(offset)))
        found = self._findings.add_all("view", expected.differences(view))
        return ViewReport(view.name, DIFFERS if found or behind else EQUAL, expected.rows)

    def _given_up_to(self, part: str) -> int:
        name, _, partition = part.rpartition("/")
        cursor = self._tape.cursors.get(Part(name, int(partition)))
        return cursor.next if cursor is not None else 1 << 62

    def _report(self, views: list[ViewReport], seconds: float) -> Report:
        gaps = [self._tape.cursors[part].gap for part in self._tape.gaps()]
        pending = {
            "fills to be booked": sum(len(rules.ledger.fills) for rules in self._rules.values()),
            "transfers to be booked": sum(len(rules.ledger.transfers) for rules in self._rules.values()),
            "entries to be credited": sum(len(rules.ledger.entries) for rules in self._rules.values()),
        }
        return Report(
            equal=not gaps and not self._findings.total,
            partitions=[self._partition_report(Part(t.name, p)) for t in OWNED for p in range(t.partitions)],
            views=views,
            gaps=gaps,
            differences=self._findings.kept,
            differences_total=self._findings.total,
            evidence=self._evidence,
            silent=self._silent,
            pending={what: number for what, number in pending.items() if number},
            rules=dict(sorted(self._findings.checked.items())),
            records=self._done,
            seconds=round(seconds, 3),
        )

    def _partition_report(self, part: Part) -> PartitionReport:
        cursor, fold = self._tape.cursors[part], self._folds.get(part)
        owner = _OWNERS[part.topic]
        return PartitionReport(
            fold.service.name if fold is not None else owner,
            part.topic,
            part.partition,
            cursor.records,
            cursor.reader.void_count,
            cursor.reader.stray_count,
            cursor.parked,
            *cursor.reader.place,
            fold.digest() if fold is not None and not fold.broken else "",
            fold.snapshot_verdict if fold is not None else NONE,
            fold.live_verdict if fold is not None else NOT_RUNNING,
        )


_ACCOUNT_NAMES = frozenset(topic.name for topic in ACCOUNT_TOPICS)
_OWNERS = {topic.name: topic.owner or "" for topic in OWNED}
