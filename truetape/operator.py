"""What an operator does with access to Kafka alone, before there is any API key: reference commands, deposits, and
decisions about parked inputs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from truetape import ids, journal, reference, shown
from truetape import messages as m
from truetape.codec import Message, encode
from truetape.default import withdrawal
from truetape.errors import TruetapeError
from truetape.log import KafkaLog, Log, Part, Record, check_topics
from truetape.money import from_e8
from truetape.reference import Reference
from truetape.restore import accepted, readable
from truetape.tape import Reader
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    REFERENCE_COMMANDS,
    REFERENCE_EVENTS,
)

BY: Final = "operator"
ANSWER_SECONDS: Final = 15.0
SOON_SECONDS: Final = 1.0
"""After how long without an answer a transfer is looked for on the tape."""
READ_SECONDS: Final = 60.0
WRITTEN: Final = (
    REFERENCE_COMMANDS, REFERENCE_EVENTS, ORDERS_COMMANDS, ORDERS_DECISIONS, CLEARING_COMMANDS, CLEARING_ENTRIES,
)  # fmt: skip
"""The topics of commands and of their answers."""


class Refused(TruetapeError):
    """The owner refused the command; the message is its reason."""


class NoAnswer(TruetapeError):
    """The command is on the tape, and nobody answered it in time."""


OtcCommand = (
    m.MoveLeg
    | m.EndMove
    | m.AnswerLeg
    | m.AgreeMoves
    | m.CompressLegs
    | m.NetPayments
    | m.EndBilateral
    | m.StartCompression
    | m.AnswerCompression
    | m.ActOnPorting
)
AuctionCommand = m.StartAuction | m.BidAuction | m.EndAuction
LedgerCommand = (
    m.BookTrade
    | m.CorrectEntry
    | m.CloseOut
    | m.ActOnCall
    | m.MoveFund
    | m.DeclareDefault
    | m.WaiveOrders
    | OtcCommand
    | AuctionCommand
)


class Operator:
    """Writes commands to the tape and waits for the events that answer them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reader = Reader(REFERENCE_EVENTS.name, 0)
        self.reference = Reference()
        """The reference table as far as it was read."""
        part = Part(REFERENCE_EVENTS.name, 0)
        low, high = log.ends([part])[part]
        for record in log.read({part: (low, high)}, READ_SECONDS):
            self._read(record)
        log.follow({part: high})

    def ask(self, command: Any, seconds: float = ANSWER_SECONDS) -> Any:
        """Send a reference command; returns its event. Raises Refused or NoAnswer."""
        self._append(Part(REFERENCE_COMMANDS.name, 0), b"", command)
        event = self._wait(lambda found: getattr(found, "command_id", None) == command.command_id, seconds)
        if event is None:
            raise NoAnswer("the gateway did not answer; is it running (`truetape dev status`)? The command stays asked")
        if isinstance(event, m.ReferenceRejected):
            raise Refused(event.reason)
        return event

    def transfer(self, terms: m.TransferTerms, seconds: float = ANSWER_SECONDS) -> m.TransferApproved:
        """Send a deposit or withdrawal; returns the approval. Raises Refused or NoAnswer.

        Risk does not answer an approved transfer again: if no answer comes soon, the tape is read for an earlier one.
        """
        partition = ids.partition_of(terms.account_id, ORDERS_DECISIONS.partitions)
        decisions = Part(ORDERS_DECISIONS.name, partition)
        self._log.follow({decisions: self._log.ends([decisions])[decisions][1]})
        command = m.RequestTransfer(terms, BY, self._log.now_us())
        self._append(Part(ORDERS_COMMANDS.name, partition), terms.account_id.encode(), command)
        soon = min(seconds, SOON_SECONDS)
        event = self._wait(lambda found: _transfer_id(found) == terms.transfer_id, soon)
        if event is None and (earlier := self._approved_before(decisions, terms)) is not None:
            return _same(earlier, terms)
        event = event or self._wait(lambda found: _transfer_id(found) == terms.transfer_id, seconds - soon)
        if event is None:
            raise NoAnswer("risk did not answer; is it running (`truetape dev status`)? The transfer stays asked")
        if isinstance(event, m.TransferRejected):
            numbers = ", ".join(f"{name} {value}" for name, value in shown.numbers(event.numbers).items())
            raise Refused(f"{event.reason} ({numbers})" if numbers else event.reason)
        approved: m.TransferApproved = event
        return approved

    def resolve(self, command: m.ReleaseParked | m.DismissParked, seconds: float = ANSWER_SECONDS) -> Any:
        """Send a command about a parked input; returns its EntryBooked or ParkedDismissed. Raises Refused or NoAnswer.

        A command that comes twice finds the input resolved: that is an answer too, and it is Refused.
        """
        partition = ids.partition_of(command.account_id, CLEARING_ENTRIES.partitions)
        entries = Part(CLEARING_ENTRIES.name, partition)
        self._log.follow({entries: self._log.ends([entries])[entries][1]})
        self._append(Part(CLEARING_COMMANDS.name, partition), command.account_id.encode(), command)
        event = self._wait(lambda found: resolving(found) == command.command_id, seconds)
        if event is None:
            raise NoAnswer("clearing did not answer; is it running (`truetape dev status`)? The command stays asked")
        if isinstance(event, m.ReleaseRefused):
            raise Refused(f"{event.reason}: {event.detail}")
        return event

    def clear(self, command: m.BookTrade | m.CorrectEntry, seconds: float = ANSWER_SECONDS) -> m.EntryBooked:
        """Send a command about contracts of one account; returns its entry. Raises Refused or NoAnswer."""
        entry: m.EntryBooked = self._carried_out(command, seconds)
        return entry

    def booked(self, accounts: Iterable[str], entry_ids: Iterable[str]) -> dict[str, m.EntryBooked]:
        """Those of these entries that are booked, by id; one account after the other. Raises Refused for one that was
        taken back, and TapeGap."""
        wanted, found = set(entry_ids), dict[str, m.EntryBooked]()
        for account in accounts:
            for _, _, entry in journal.entries(
                self._log, READ_SECONDS, account, None, [ids.partition_of(account, CLEARING_ENTRIES.partitions)]
            ):
                if entry.corrects in wanted:
                    raise Refused(f"{entry.corrects} was booked and taken back: another trade needs another reference")
                if entry.entry_id in wanted:
                    found[entry.entry_id] = entry
        return found

    def close_out(self, command: m.CloseOut, seconds: float = ANSWER_SECONDS) -> m.SidesClosedOut:
        """Close long contracts against short ones. Raises Refused or NoAnswer."""
        done: m.SidesClosedOut = self._carried_out(command, seconds)
        return done

    def act(self, command: m.ActOnCall, seconds: float = ANSWER_SECONDS) -> m.MarginCallChanged:
        """Act on a margin call; returns the call as it is then. Raises Refused or NoAnswer."""
        changed: m.MarginCallChanged = self._carried_out(command, seconds)
        return changed

    def auction(self, command: AuctionCommand, seconds: float = ANSWER_SECONDS) -> m.AuctionChanged:
        """Start, bid in or end an auction; of a bid how it was decided. Raises Refused or NoAnswer."""
        changed: m.AuctionChanged = self._carried_out(command, seconds)
        return changed

    def move_fund(self, command: m.MoveFund, seconds: float = ANSWER_SECONDS) -> str:
        """Pay into the clearing fund, the house's capital or the insurance fund, or out of it; returns the id of its
        entry, or of the round that decided it. Raises Refused or NoAnswer."""
        event = self._carried_out(command, seconds)
        if isinstance(event, m.EntryBooked):
            return event.entry_id
        round_id: str = event.round.round_id
        found = self._wait(lambda one: isinstance(one, m.RoundSettling) and one.round.round_id == round_id, seconds)
        if found is None:
            raise NoAnswer("not every partition has answered yet: `truetape rounds` names them. It stays asked")
        if why := withdrawal.refusal(found.outcome):
            raise Refused(why)
        return round_id

    def declare_default(self, command: m.DeclareDefault, seconds: float = ANSWER_SECONDS) -> m.DefaultChanged:
        """Declare the default of an account. Raises Refused or NoAnswer."""
        declared: m.DefaultChanged = self._carried_out(command, seconds)
        return declared

    def waive_orders(self, command: m.WaiveOrders, seconds: float = ANSWER_SECONDS) -> m.DefaultChanged:
        """Let a default go on though no end of some orders is known. Raises Refused or NoAnswer."""
        waived: m.DefaultChanged = self._carried_out(command, seconds)
        return waived

    def _carried_out(self, command: "LedgerCommand", seconds: float) -> Any:
        """Send a command about one account to the ledger; returns the event that it led to."""
        partition = ids.partition_of(command.account_id, CLEARING_ENTRIES.partitions)
        [event] = self._clear({partition: command}, command.account_id, command.command_id, seconds)
        if isinstance(event, m.ClearingRefused):
            raise Refused(f"{event.reason}: {event.detail}")
        return event

    def decide(self, command: "OtcCommand", seconds: float = ANSWER_SECONDS) -> Any:
        """Send a command about legs or payments of one account; returns the record that answers it.

        Raises Refused or NoAnswer.
        """
        return self._carried_out(command, seconds)

    def open_round(self, terms: m.RoundTerms, seconds: float = ANSWER_SECONDS) -> m.RoundOpened:
        """Open a round at its home. Raises Refused or NoAnswer."""
        partition = ids.partition_of(terms.home_id, CLEARING_ENTRIES.partitions)
        command = m.OpenRound(terms.home_id, terms)
        [event] = self._clear({partition: command}, terms.home_id, terms.round_id, seconds)
        if isinstance(event, m.ClearingRefused):
            raise Refused(f"{event.reason}: {event.detail}")
        opened: m.RoundOpened = event
        return opened

    def publish(self, fact: m.ContractFact, seconds: float = ANSWER_SECONDS) -> list[m.ContractFactTaken]:
        """Send a fact about a contract to every partition; returns how those took it that had not taken it before.

        Sending it again is safe: a partition takes a fact once. Raises Refused when one refuses it, and NoAnswer.
        """
        commands = dict.fromkeys(range(CLEARING_ENTRIES.partitions), m.TakeContractFact(fact))
        taken: list[m.ContractFactTaken] = []
        for event in self._clear(commands, "", fact.fact_id, seconds):
            if isinstance(event, m.ContractFactTaken):
                taken.append(event)
            elif event.reason != "COMMAND_REPEATED":
                raise Refused(f"{event.reason}: {event.detail}")
        return taken

    def _clear(self, commands: Mapping[int, Message], key: str, id: str, seconds: float) -> list[Any]:
        """Send a command to each of these partitions of the ledger; returns what each answers it by."""
        parts = [Part(CLEARING_ENTRIES.name, partition) for partition in commands]
        self._log.follow({part: high for part, (_, high) in self._log.ends(parts).items()})
        for partition, command in commands.items():
            self._append(Part(CLEARING_COMMANDS.name, partition), key.encode(), command)
        answers: dict[int, Any] = {}

        def last(event: Any) -> bool:
            if clearing(event) == id:
                answers[event.meta.cause.partition] = event
            return len(answers) == len(commands)

        if self._wait(last, seconds) is None:
            silent = sorted(commands.keys() - answers.keys())
            raise NoAnswer(f"clearing did not answer in partitions {silent}; is it running? Send the same again")
        return [answers[partition] for partition in commands]

    def _approved_before(self, decisions: Part, terms: m.TransferTerms) -> m.TransferApproved | None:
        reader = Reader(decisions.topic, decisions.partition)
        for record in self._log.read({decisions: self._log.ends([decisions])[decisions]}, READ_SECONDS):
            event = accepted(record, reader)
            if isinstance(event, m.TransferApproved) and event.transfer.transfer_id == terms.transfer_id:
                return event
        return None

    def _append(self, part: Part, key: bytes, command: Message) -> None:
        headers = [("event_type", type(command).__name__.encode())]
        self._log.append(part, key, encode(command), headers, None)
        self._log.flush(5.0)

    def _wait(self, wanted: Callable[[Any], bool], seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for happening in self._log.poll(0.05):
                if isinstance(happening, Record) and (event := self._read(happening)) is not None and wanted(event):
                    return event
        return None

    def _read(self, record: Record) -> Any:
        """The record's event; reference events by the reader's rule."""
        if record.topic != REFERENCE_EVENTS.name:
            return readable(record)
        message: Any = accepted(record, self._reader)
        if message is not None:
            reference.fold(self.reference, message)
        return message


def _same(approved: m.TransferApproved, asked: m.TransferTerms) -> m.TransferApproved:
    earlier = approved.transfer
    if earlier == asked:
        return approved
    raise Refused(
        f"external reference {asked.external_reference!r} belongs to a transfer of {from_e8(earlier.amount_e8)} "
        f"{earlier.asset} at {earlier.location}; choose another reference"
    )


def resolving(event: Any) -> str:
    """Id of the command that an event about a parked input answers; empty for other events."""
    release = getattr(event, "release", None)
    return release.command_id if release is not None else getattr(event, "command_id", "")


def clearing(event: Any) -> str:
    """Id of the command about contracts that an event of the ledger answers; empty for other events."""
    match event:
        case m.ContractFactTaken():
            return event.fact.fact_id
        case m.RoundOpened():
            return event.round.round_id
        case (
            m.ClearingRefused() | m.SidesClosedOut() | m.MarginCallChanged() | m.MoveChanged() | m.LegChanged()
            | m.MovesAgreed() | m.LegsCompressed() | m.PaymentsNetted() | m.AuctionChanged() | m.DefaultChanged()
            | m.BilateralChanged() | m.CompressionChanged() | m.RoundRequested() | m.PortingChanged()
        ):  # fmt: skip
            return event.command_id
        case m.EntryBooked() if event.meta.cause.source == CLEARING_COMMANDS.name:
            return event.meta.correlation_id
        case _:
            return ""


def _transfer_id(event: Any) -> str:
    return event.transfer.transfer_id if isinstance(event, m.TransferApproved | m.TransferRejected) else ""


@contextmanager
def operator(bootstrap: str) -> Iterator[Operator]:
    """An operator on the real broker. Raises TopicMissing, PartitionCountWrong or BrokerUnavailable."""
    check_topics(bootstrap, WRITTEN)
    log = KafkaLog(bootstrap)
    try:
        yield Operator(log)
    finally:
        log.close()
