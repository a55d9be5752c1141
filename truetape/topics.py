"""The registry of topics. Nobody writes a topic's name anywhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from truetape import messages as m
from truetape.codec import Message

PARTITIONS = 8
"""Of every account-keyed topic: fixed at creation, so that partition p holds the same accounts everywhere."""


@dataclass(frozen=True)
class Topic:
    """One topic: who may write it, what travels on it, how it is cut and kept."""

    name: str
    types: tuple[type[Message], ...] = field(repr=False)
    partitions: int
    key: str
    owner: str | None = None
    """The service that owns it: its records carry epochs. None: many writers, no epochs."""
    cleanup: Literal["delete", "compact"] = "delete"
    doc: str = ""

    @cached_property
    def kinds(self) -> frozenset[type[Message]]:
        """`types`, to look one up: it is done for every record that is read."""
        return frozenset(self.types)

    def config(self, replication: int) -> Mapping[str, str]:
        """Kafka's settings of this topic: the truth is never deleted; clocks cannot expire it."""
        compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "600000"}
        kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        return {
            **(compacted if self.cleanup == "compact" else kept),
            "min.insync.replicas": "2" if replication >= 3 else "1",
            "unclean.leader.election.enable": "false",
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": "1048588",
        }


_OWNED = (m.Began, m.InputParked)

REFERENCE_COMMANDS = Topic(
    "reference.commands",
    (
        m.SetInstrument,
        m.OpenAccount,
        m.SetLimits,
        m.SetFees,
        m.SetAccountTerms,
        m.SetTradingState,
        m.SetCallTerms,
        m.CreateApiKey,
        m.RevokeApiKey,
        m.SetMarginClass,
        m.SetCollateral,
        m.SetMember,
        m.SetMemberLimit,
        m.SetMemberDefaulted,
        m.SetSettlementCalendar,
    ),
    partitions=1,
    key="none",
    doc="What an administrator asks for",
)
REFERENCE_EVENTS = Topic(
    "reference.events",
    (
        *_OWNED, m.InstrumentSet, m.AccountOpened, m.LimitsSet, m.FeesSet, m.TradingStateSet, m.ApiKeyCreated,
        m.ApiKeyRevoked, m.ReferenceRejected, m.MarginClassSet, m.CollateralSet, m.CallTermsSet, m.AccountTermsSet,
        m.MemberSet, m.MemberLimitSet, m.MemberDefaulted, m.SettlementCalendarSet,
    ),
    partitions=1,
    key="none",
    owner="gateway",
    doc="Instruments, accounts, limits, fees, kill switch, keys, margin terms, calendars; read whole by everybody",
)  # fmt: skip
ORDERS_COMMANDS = Topic(
    "orders.commands",
    (m.SubmitOrder, m.CancelOrder, m.CancelAllOrders, m.RequestTransfer),
    PARTITIONS,
    key="account_id",
    doc="What clients ask for",
)
ORDERS_DECISIONS = Topic(
    "orders.decisions",
    (
        *_OWNED, m.OrderAccepted, m.OrderRejected, m.DecisionRepeated, m.CancelRequested, m.CancelRefused,
        m.CreditUpdated, m.ReservationReleased, m.TransferApproved, m.TransferRejected, m.AccountHalted,
        m.AccountReopened, m.LegAssessed, m.LegReleased, m.RestrictionEnded,
        m.FundingAccrued,
    ),
    PARTITIONS,
    key="account_id",
    owner="risk",
    doc="Orders accepted and refused, credit reserved and released",
)  # fmt: skip
ORDERS_EXECUTIONS = Topic(
    "orders.executions",
    (
        *_OWNED, m.OrderRouted, m.OrderNotRouted, m.OrderAcknowledged, m.OrderFilled, m.OrderCancelled,
        m.OrderExpired,
        m.OrderRejectedByVenue, m.OutcomeUnknown, m.CancelRouted, m.CancelRejectedByVenue,
    ),
    PARTITIONS,
    key="account_id",
    owner="router",
    doc="Venue orders: intents, acknowledgements, fills, ends",
)  # fmt: skip
CLEARING_COMMANDS = Topic(
    "clearing.commands",
    (
        m.ReleaseParked, m.DismissParked, m.BookTrade, m.CorrectEntry, m.TakeContractFact, m.ApplyContractFact,
        m.TellTrade, m.EndTrade, m.ConfirmLeg, m.AskLeg, m.AnswerLeg, m.TellLeg, m.ReleaseLeg, m.MoveLeg, m.EndMove,
        m.AgreeMoves, m.CompressLegs, m.NetPayments, m.ReviewMargin, m.ActOnCall, m.CloseOut,
        m.EndBilateral, m.StartCompression, m.AnswerCompression,
        m.OpenRound, m.AskRound, m.TellRound, m.SettleRound, m.ConfirmRound, m.RunRound, m.MoveFund, m.DeclareDefault,
        m.WaiveOrders,
        m.StartAuction, m.BidAuction, m.EndAuction, m.TakeParcel, m.TellParcel, m.BookLeg,
        m.ActOnPorting,
    ),
    PARTITIONS,
    key="account_id",
    doc="What the ledger is asked: parked inputs, trades with the clearing house, legs, corrections, facts",
)  # fmt: skip
CLEARING_ENTRIES = Topic(
    "clearing.entries",
    (
        *_OWNED, m.EntryBooked, m.ParkedDismissed, m.ReleaseRefused, m.ContractFactTaken, m.ClearingRefused,
        m.TradeChanged, m.LegConfirmed, m.LegsAskedAgain, m.LegChanged, m.LegAnswered, m.MoveChanged, m.MovesAgreed,
        m.LegsCompressed, m.PaymentsNetted, m.MarginRun, m.MarginReviewed, m.MarginCallChanged, m.LiquidationChanged,
        m.LiquidationEnded, m.SidesClosedOut,
        m.BilateralChanged, m.CompressionChanged,
        m.RoundOpened, m.RoundAnswered, m.RoundGathered, m.RoundDecided, m.RoundSettling, m.RoundSettled,
        m.RoundConfirmed, m.RoundAskedAgain, m.RoundRepeated, m.DefaultChanged,
        m.AuctionChanged, m.ParcelAnswered, m.ParcelsAskedAgain, m.DeleveragingChanged,
        m.RoundRequested, m.PortingChanged,
    ),
    PARTITIONS,
    key="account_id",
    owner="clearing",
    doc="The journal: entries that sum to zero; trades of two, legs, give-ups, payments netted",
)  # fmt: skip
MARKET_MARKS = Topic(
    "market.marks",
    (*_OWNED, m.MarkPublished, m.MarkWithheld, m.FixingsDue, m.ContractFixed, m.FixingMissing, m.FactSent),
    partitions=1,
    key="instrument_id",
    owner="pricing",
    doc="Marks with source, sequence and age; settlement prices and funding rates made of them",
)
RECONCILIATION_BREAKS = Topic(
    "reconciliation.breaks",
    (*_OWNED, m.ReconciliationCompleted),
    partitions=1,
    key="venue",
    owner="reconciler",
    doc="Comparisons with the venues; breaks opened and closed",
)
AUDIT_CHECKPOINTS = Topic(
    "audit.checkpoints",
    (*_OWNED, m.CheckpointSigned),
    partitions=1,
    key="none",
    owner="notary",
    doc="Signed checkpoints: size, Merkle root and hash chain of every partition of the tape",
)
PARKED = Topic(
    "parked",
    (m.ParkedRecord,),
    partitions=1,
    key="account_id",
    doc="Copies of inputs that were set aside; the InputParked event itself holds each",
)

OWNED = (
    REFERENCE_EVENTS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES, MARKET_MARKS, RECONCILIATION_BREAKS,
    AUDIT_CHECKPOINTS,
)  # fmt: skip
"""Every topic with an owner: together they are the tape."""


def snapshots_of(owned: Topic) -> Topic:
    """The compacted topic with snapshots of the owner's state, cut as the owned topic is."""
    assert owned.owner is not None
    return Topic(
        f"{owned.owner}.snapshots",
        (m.Snapshot,),
        owned.partitions,
        key="partition:index",
        cleanup="compact",
        doc=f"Snapshots of the state of {owned.owner}: a cache, never the truth",
    )


ALL: tuple[Topic, ...] = (
    REFERENCE_COMMANDS, REFERENCE_EVENTS, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_COMMANDS,
    CLEARING_ENTRIES, MARKET_MARKS, RECONCILIATION_BREAKS, AUDIT_CHECKPOINTS, PARKED,
    *(snapshots_of(owned) for owned in OWNED),
)  # fmt: skip
SEALED = tuple(topic for topic in ALL if topic.cleanup == "delete" and topic not in (AUDIT_CHECKPOINTS, PARKED))
"""What checkpoints cover: every record that a decision was made from or is. Checkpoints cover each other by their
chain, and `parked` holds copies."""
BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in ALL}


def apply(bootstrap: str, replication: int, timeout_seconds: float = 30.0) -> list[str]:
    """Create what is missing and check what exists; returns the names created.

    Raises PartitionCountWrong when a topic exists with other partitions, BrokerUnavailable when Kafka is away.
    """
    from truetape.log import create_topics

    return create_topics(bootstrap, ALL, replication, timeout_seconds)


def markdown() -> str:
    """The table in docs/topics.md."""
    head = "| topic | owner | key | partitions | kept | records | what it holds |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(_row(topic) for topic in ALL)


def _row(topic: Topic) -> str:
    records = ", ".join(kind.__name__ for kind in topic.types)
    kept = "newest per key" if topic.cleanup == "compact" else "for ever"
    owner = topic.owner or ("many writers" if topic.cleanup == "delete" else topic.name.split(".")[0])
    return f"| `{topic.name}` | {owner} | {topic.key} | {topic.partitions} | {kept} | {records} | {topic.doc} |\n"


def key_of(message: object) -> str:
    """The key under which a record travels: its account, instrument or venue; empty where it has none."""
    for name in ("account_id", "instrument_id", "venue"):
        if (found := getattr(message, name, None)) is not None:
            return str(found)
    nested = getattr(message, "order", None) or getattr(message, "transfer", None)
    return str(nested.account_id) if nested is not None else ""
