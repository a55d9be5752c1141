"""What a home pursues in other partitions: that each leg of its trade is first reserved, then booked, or let go.

A trade, give-up or allocation has one home that decides by one record. Everything that it needs of other partitions is
asked of them by command, answered by a record of theirs and a command back, and asked again until it is answered. So
it survives a crash at any record, and a command that is lost or comes twice harms nobody.

    ASKING     every leg's account says yes and reserves its margin (services/clearing/otc/legs.py); one no ends it
    BOOKING    all have said yes: each leg is booked, once, since an entry's id is its leg's
    RELEASING  somebody said no, or time ran out: what was reserved is let go
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from truetape.messages import (
    AskLeg,
    BookTrade,
    ClearingRefused,
    ConfirmLeg,
    EntryBooked,
    LegAnswered,
    LegChanged,
    LegConfirmed,
    LegsAskedAgain,
    ReleaseLeg,
    TellLeg,
    TradeLeg,
)
from truetape.service import Input

ASK_AGAIN_US: Final = 5_000_000
"""After how long what nobody has answered is asked for again; twice as long each time."""
DOUBLED_MAX: Final = 9
"""How often that time doubles: to 43 minutes. What a partition refuses for good must not fill the tape."""
NOVATION: Final = "NOVATION"
GIVE_UP: Final = "GIVE_UP"
ALLOCATION: Final = "ALLOCATION"
KINDS: Final = (NOVATION, GIVE_UP, ALLOCATION)
"""What a leg can be part of."""
Stage = Literal["ASKING", "BOOKING", "RELEASING"]


def overdue(asked_at_us: int, attempts: int, at_us: int, doubled_max: int = DOUBLED_MAX) -> bool:
    """Whether what was asked for so often, last at asked_at_us, is asked for once more."""
    return at_us >= asked_at_us + (ASK_AGAIN_US << min(attempts, doubled_max))


class Brief(Struct, frozen=True):
    """What every command about a leg says of its trade."""

    trade_id: str
    kind: str
    reference: str
    expires_at_us: int
    acted_at_us: int
    """When the home decided last; a leg's trade is as old as its novation."""
    giver_id: str = ""
    """Of a give-up or allocation."""


class Pursuit(Struct):
    """How far a home has come with its legs."""

    home_id: str
    waiting: dict[str, TradeLeg] = {}
    """Legs without an answer in this stage, by leg id."""
    asked_at_us: int = 0
    attempts: int = 0
    stage: Stage = "BOOKING"
    legs: tuple[TradeLeg, ...] = ()
    """All that this stage is about."""

    def pursue(self, stage: Stage, legs: Iterable[TradeLeg], at_us: int) -> None:
        """Begin a stage."""
        self.stage, self.legs, self.asked_at_us, self.attempts = stage, tuple(legs), at_us, 0
        self.waiting = {leg.leg_id: leg for leg in self.legs}

    def impatient(self, at_us: int) -> bool:
        """Whether it is time to ask again."""
        return bool(self.waiting) and overdue(self.asked_at_us, self.attempts, at_us)


class Sent(Struct, frozen=True):
    """A command for some account's partition."""

    account_id: str
    command: AskLeg | BookTrade | ReleaseLeg | ConfirmLeg | TellLeg


# -- answers, at home ------------------------------------------------------------------------------------------------


def answered(given: Input, known: Pursuit, command: TellLeg) -> LegAnswered:
    """One more party has reserved its leg, and not the last."""
    left = len(known.waiting) - 1
    return LegAnswered(
        given.meta(command.trade_id), known.home_id, command.trade_id, command.leg_id, command.party_id, left
    )


def confirmed(given: Input, known: Pursuit, trade_id: str, leg_id: str) -> LegConfirmed:
    """One more leg is booked, or let go."""
    left = len(known.waiting) - 1
    return LegConfirmed(given.meta(trade_id), known.home_id, trade_id, leg_id, left)


def let_go(given: Input, known: Pursuit, command: TellLeg) -> LegConfirmed | None:
    """One more leg is let go. That it was reserved is an older word: its partition has not read the release yet."""
    if command.state == "RESERVED":
        return None
    return confirmed(given, known, command.trade_id, command.leg_id)


def again(given: Input, known: Pursuit, trade_id: str) -> LegsAskedAgain:
    """Nobody has answered for too long."""
    return LegsAskedAgain(given.meta(trade_id), known.home_id, trade_id, known.attempts + 1)


def take(known: Pursuit, event: LegAnswered | LegConfirmed) -> bool:
    """One leg less to wait for; whether none is left."""
    del known.waiting[event.leg_id]
    assert len(known.waiting) == event.left, "each leg is answered once"
    return not known.waiting


def take_again(known: Pursuit, event: LegsAskedAgain) -> None:
    """When it was asked last, and how often."""
    known.asked_at_us, known.attempts = event.meta.decided_at_us, event.attempt


# -- effects: commands that follow records ----------------------------------------------------------------------------


def asked(known: Pursuit, brief: Brief) -> list[Sent]:
    """The commands for all that is still waited for."""
    return [
        Sent(leg.account_id, _command(leg, known, brief)) for _, leg in sorted(known.waiting.items())
    ]  # fmt: skip


def _command(leg: TradeLeg, known: Pursuit, brief: Brief) -> AskLeg | BookTrade | ReleaseLeg:
    home_id = known.home_id
    if known.stage == "BOOKING":
        return BookTrade(
            leg.leg_id, leg.account_id, leg.leg_id, leg.instrument_id, leg.side, leg.quantity_e8, leg.price_e8, "TAKER",
            brief.acted_at_us, f"{brief.kind}:{brief.trade_id}:{home_id}", brief.reference, leg.cost_e8,
            _event(leg, brief), leg.closes,
        )  # fmt: skip
    if known.stage == "RELEASING":
        return ReleaseLeg(f"release:{leg.leg_id}", leg.account_id, home_id, brief.trade_id, brief.kind, leg)
    others = [one.account_id for one in known.legs if one.account_id != leg.account_id]
    from_id = brief.giver_id or (others[0] if others else leg.account_id)
    offered = bool(brief.giver_id) and leg.account_id != brief.giver_id
    return AskLeg(
        f"ask:{leg.leg_id}", leg.account_id, home_id, brief.trade_id, brief.kind, from_id, leg, offered,
        brief.expires_at_us, brief.reference,
    )  # fmt: skip


def _event(leg: TradeLeg, brief: Brief) -> str:
    if brief.kind == NOVATION:
        return "TRADE"
    if brief.kind == ALLOCATION:
        return "ALLOCATION"
    return "GIVE_UP" if leg.closes else "TAKE_UP"


def told_home(event: EntryBooked | ClearingRefused | LegChanged) -> Sent | None:
    """What a partition tells a trade's home once a leg stands on its tape, or when it is asked once more."""
    if isinstance(event, LegChanged):
        return _told(event)
    if isinstance(event, ClearingRefused):
        said = event.requested_by if event.reason == "COMMAND_REPEATED" and event.command == "BookTrade" else ""
        leg_id = event.command_id
    else:
        said, leg_id = event.contract.ids.get("requested_by", "") if event.contract else "", event.entry_id
    if (found := whose(said)) is None:
        return None
    return Sent(found[1], ConfirmLeg(f"confirm:{leg_id}", found[1], found[0], leg_id))


def whose(requested_by: str) -> tuple[str, str] | None:
    """Trade and home of a leg that a home asked for; None when somebody else asked."""
    kind, _, rest = requested_by.partition(":")
    trade_id, _, home_id = rest.partition(":")
    return (trade_id, home_id) if kind in KINDS and home_id else None


def _told(event: LegChanged) -> Sent | None:
    if event.state in ("OFFERED", "RESERVING"):
        return None
    leg_id, home_id = event.leg.leg_id, event.home_id
    detail = f"account {event.account_id}: {event.reason}" if event.reason else ""
    command = TellLeg(
        f"tell:{leg_id}:{event.state}", home_id, event.trade_id, leg_id, event.account_id, event.state, event.reason,
        detail,
    )  # fmt: skip
    return Sent(home_id, command)
