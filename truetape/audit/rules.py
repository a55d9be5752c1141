"""All rules over one partition of the topics that are keyed by account, and the protocol's rules over every topic."""

from typing import Any

from truetape import ids
from truetape.audit.archive import Seen
from truetape.audit.findings import Findings
from truetape.audit.killswitch import KillSwitch
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.margin_rules import MarginRules
from truetape.audit.membership import Membership
from truetape.audit.merge import Given
from truetape.audit.order_rules import OrderRules
from truetape.happenings import Part
from truetape.messages import Began, FundingAccrued, InputParked, Meta
from truetape.topics import BY_NAME, CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS, key_of

ACCOUNT_TOPICS = (ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES)


class AnswerRules:
    """Every input is answered once and in order, by an event that is named after it; keys stay in their partition."""

    def __init__(self, findings: Findings) -> None:
        self._expect = findings.expect
        self.answered: dict[tuple[Part, str, int], int] = {}
        """Highest offset that the events of a partition answer, by source and its partition."""
        self._partitions: dict[str, int] = {}

    def take(self, given: Given) -> None:
        """One accepted record of an owned topic."""
        meta: Meta = given.message.meta
        if isinstance(given.message, Began):
            return
        where, cause = f"{given.part}@{given.offset}", meta.cause
        right = ids.event_id(given.part.topic, cause)
        account = key_of(given.message)
        self._expect(right == meta.event_id, "event id names its cause", where, account, right, meta.event_id)
        if cause.offset >= 0:
            source = (given.part, cause.source, cause.partition)
            before = self.answered.get(source, -1)
            once = cause.offset > before
            self._expect(once, "inputs are answered once, in order", where, account, f"after {before}", cause.offset)
            self.answered[source] = max(before, cause.offset)
        if BY_NAME[given.part.topic].key == "account_id" and account and not _of_anybody(given.message):
            home = self._home(account)
            self._expect(home == given.part.partition, "accounts keep their partition", where, account, home, where)

    def _home(self, account: str) -> int:
        if account not in self._partitions:
            self._partitions[account] = ids.partition_of(account, PARTITIONS)
        return self._partitions[account]


def _of_anybody(message: Any) -> bool:
    """Whether this is no account's: a step of funding, whose key is the contract; or it sets a command aside, whose key
    is whatever its writer put there, so nothing follows from it."""
    if isinstance(message, FundingAccrued):
        return True
    topic = BY_NAME.get(message.meta.cause.source)
    return isinstance(message, InputParked) and topic is not None and topic.owner is None


class PartitionRules:
    """Orders and ledger of one partition. After a gap in one of its topics they say nothing more."""

    def __init__(
        self, partition: int, findings: Findings, executions: Seen, kill_switch: KillSwitch, members: Membership
    ) -> None:
        self.where = f"partition {partition}"
        self._partition = partition
        self._findings = findings
        self.orders = OrderRules(findings, executions, kill_switch)
        self.ledger = LedgerRules(findings, members)
        self.margin = MarginRules(findings.expect)

    def take(self, given: Given) -> None:
        """One accepted record, after its causes."""
        self.orders.take(given)
        self.ledger.take(given)
        self.margin.take(given)

    def end(self, answers: AnswerRules, books: dict[str, Any], credit: dict[str, Any]) -> None:
        """What can be said only at the end; `books` and `credit` are the accounts of clearing's and risk's folds."""
        decisions = Part(ORDERS_DECISIONS.name, self._partition)
        answered = answers.answered.get((decisions, ORDERS_EXECUTIONS.name, self._partition), -1)
        self.orders.end(self.where, answered, credit)
        self.ledger.end(self.where)
        self.margin.end(self.where)
        self._compare_books(books)

    def _compare_books(self, books: dict[str, Any]) -> None:
        """The balances and positions of clearing's state against the sums of the lines."""
        expect = self._findings.expect
        for name, balances in sorted(self.ledger.balances.items()):
            account = name.removeprefix("client:")
            held = books.get(account, {}).get("balances", {})
            expect(balances == held, "a balance is the sum of its lines", self.where, account, balances, held)
        for (account, instrument_id), position in sorted(self.ledger.positions.items()):
            tape = {name: getattr(position, name) for name in position.__struct_fields__}
            kept = books.get(account, {}).get("positions", {}).get(instrument_id)
            expect(tape == kept, "a position is the sum of its fills", self.where, account, tape, kept)
