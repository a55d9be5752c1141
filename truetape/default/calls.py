"""Margin calls: what a member owes by when, and what becomes of it.

A call ends only by what the ledger has booked, by the house's word, or by time that has passed on the tape. A payment
that somebody has promised or that is in flight changes nothing: it counts when it is booked. Whichever stands first on
the tape, payment or deadline, is what happened.
"""

from typing import Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from truetape import ids
from truetape.transitions import CLOCK, HOUSE, LEDGER, Action, NotLegal, Transitions

CallState = Literal["CALLED", "ACKNOWLEDGED", "DISPUTED", "MISSED", "MET", "WITHDRAWN", "DEFAULT"]
MEMBER: Final = "member"
OPEN: Final = ("CALLED", "ACKNOWLEDGED", "DISPUTED")

TRANSITIONS: Final = Transitions(
    "CALLED",
    {
        "acknowledge": Action((MEMBER,), {"CALLED": "ACKNOWLEDGED"}, "the call has been seen"),
        "dispute": Action(
            (MEMBER,),
            {"CALLED": "DISPUTED", "ACKNOWLEDGED": "DISPUTED"},
            "the amount is said to be wrong; the deadline stays: pay first, argue after",
        ),
        "reject_dispute": Action((HOUSE,), {"DISPUTED": "ACKNOWLEDGED"}, "the call was right"),
        "uphold_dispute": Action((HOUSE,), {"DISPUTED": "WITHDRAWN"}, "the call was wrong and is taken back"),
        "recover": Action(
            (HOUSE,),
            {"CALLED": "WITHDRAWN", "ACKNOWLEDGED": "WITHDRAWN", "DISPUTED": "WITHDRAWN", "MISSED": "WITHDRAWN"},
            "equity is back at the initial need without a payment: by the marks, or because less is held",
        ),
        "meet": Action(
            (LEDGER,),
            {"CALLED": "MET", "ACKNOWLEDGED": "MET", "DISPUTED": "MET", "MISSED": "MET"},
            "all of it is booked; late too, as long as no default was declared",
        ),
        "pass_deadline": Action(
            (CLOCK,), {"CALLED": "MISSED", "ACKNOWLEDGED": "MISSED", "DISPUTED": "MISSED"}, "the deadline has passed"
        ),
        "pass_grace": Action((CLOCK,), {"MISSED": "DEFAULT"}, "the grace after the deadline has passed too"),
        "declare_default": Action((HOUSE,), {"MISSED": "DEFAULT"}, "the house does not wait for the end of grace"),
    },
)
"""The one table of what may happen to a call."""


class Call(Struct, frozen=True):
    """A margin call and what has become of it."""

    call_id: str
    account_id: str
    asset: str
    amount_e8: int
    """What was called for; positive."""
    called_at_us: int
    due_at_us: int
    grace_us: int
    """How long after the deadline a default is declared without anybody's word."""
    reason: str
    """The margin report that it answers, with its model and marks."""
    state: CallState = "CALLED"
    paid_e8: int = 0
    """Booked against it so far."""
    actor: str = HOUSE
    """Who acted last."""
    acted_at_us: int = 0
    detail: str = ""

    @property
    def open_e8(self) -> int:
        """What is still to be paid; nothing once it has ended well."""
        return 0 if self.state in ("MET", "WITHDRAWN") else self.amount_e8 - self.paid_e8


def called(account_id: str, asset: str, amount_e8: int, at_us: int, notice_us: int, grace_us: int, reason: str) -> Call:
    """A new call. Its id is made of what it is about, so that asking twice makes one call."""
    assert amount_e8 > 0 and notice_us > 0 and grace_us >= 0, "a call is for something, by some time to come"
    call_id = ids.call_id(account_id, asset, at_us)
    return Call(call_id, account_id, asset, amount_e8, at_us, at_us + notice_us, grace_us, reason, acted_at_us=at_us)


def act(call: Call, action: str, actor: str, at_us: int, detail: str = "") -> Call:
    """The call after an action. Raises NotLegal when the table or the time does not allow it."""
    state = TRANSITIONS.after(call.state, action, actor)
    if action == "meet":
        raise NotLegal("a call is met by what is booked: `pay`")
    if action in ("pass_deadline", "pass_grace") and due(call, at_us) != action:
        raise NotLegal(f"{action} is not due at {at_us}: the deadline is {call.due_at_us}, grace {call.grace_us} us")
    assert state in get_args(CallState), "the table knows the states"
    return replace(call, state=state, actor=actor, acted_at_us=at_us, detail=detail)


def due(call: Call, at_us: int) -> str | None:
    """What the clock does to a call by a time; None while nothing is due."""
    if call.state in OPEN and at_us >= call.due_at_us:
        return "pass_deadline"
    if call.state == "MISSED" and at_us >= call.due_at_us + call.grace_us:
        return "pass_grace"
    return None


def pay(call: Call, amount_e8: int, at_us: int) -> tuple[Call, int]:
    """The call after a booked payment, and what of it the call did not need. A payment in part leaves its state.

    What comes after the end of a call is not the call's: all of it is left over. (In a default it goes to the
    waterfall's `recover`.)
    """
    assert amount_e8 > 0, "a payment moves something"
    if call.state in TRANSITIONS.terminal:
        return call, amount_e8
    used_e8 = min(amount_e8, call.amount_e8 - call.paid_e8)
    paid = replace(call, paid_e8=call.paid_e8 + used_e8, actor=LEDGER, acted_at_us=at_us)
    if paid.paid_e8 == paid.amount_e8:
        TRANSITIONS.after(call.state, "meet", LEDGER)
        paid = replace(paid, state="MET")
    return paid, amount_e8 - used_e8


def settle(calls: list[Call], amount_e8: int, at_us: int) -> tuple[list[Call], int]:
    """Book one payment against all calls of an account in an asset, the one that is due first before the others."""
    found = list(calls)
    for index in sorted(range(len(calls)), key=lambda index: (calls[index].due_at_us, calls[index].call_id)):
        if amount_e8 > 0:
            found[index], amount_e8 = pay(found[index], amount_e8, at_us)
    return found, amount_e8
