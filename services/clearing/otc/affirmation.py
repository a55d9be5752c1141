"""Capture of bilateral trades: each side tells its own view; equal views are affirmed, different ones shown field by
field, and one side alone times out. Names of states follow FINOS CDM (`AffirmationStatusEnum`, `ClosedStateEnum`).

A trade has one home: the partition of whichever of its two accounts comes first by name. Both sides' words go there,
so that one writer compares them.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import asdict, replace

from truetape import ids
from truetape.messages import TradeDifference, TradeState, TradeTerms
from truetape.transitions import CLOCK, HOUSE, Action, NotLegal, Transitions

Clearing = Literal["HOUSE", "BILATERAL"]
"""Whether the house is asked to step between, or the trade stays between its parties (`TradeTerms.clearing`)."""
FIRST: Final = "first party"
"""Who told the trade first."""
OTHER: Final = "other party"
EITHER: Final = (FIRST, OTHER)

TRANSITIONS: Final = Transitions(
    "ALLEGED",
    {
        "affirm": Action(EITHER, {"ALLEGED": "AFFIRMED", "MISMATCHED": "AFFIRMED"}, "both sides say the same"),
        "contradict": Action(
            EITHER, {"ALLEGED": "MISMATCHED", "MISMATCHED": "MISMATCHED"}, "the sides differ, field by field"
        ),
        "amend": Action((FIRST,), {"ALLEGED": "ALLEGED"}, "the first party corrects itself, still alone"),
        "withdraw": Action((FIRST,), {"ALLEGED": "WITHDRAWN", "MISMATCHED": "WITHDRAWN"}, "it was a mistake"),
        "reject": Action((OTHER,), {"ALLEGED": "REJECTED", "MISMATCHED": "REJECTED"}, "there is no such trade"),
        "pass_deadline": Action(
            (CLOCK,),
            {"ALLEGED": "EXPIRED", "MISMATCHED": "EXPIRED", "AFFIRMED": "EXPIRED"},
            "the sides did not agree, or their margin was not reserved, in time",
        ),
        "novate": Action(
            (HOUSE,),
            {"AFFIRMED": "NOVATED"},
            "margin is reserved: the house steps between them, one closed, two open",
        ),
        "refuse": Action(
            (HOUSE,), {"AFFIRMED": "REFUSED"}, "a limit or a party's margin forbids it; the trade stays bilateral"
        ),
    },
)


def key(terms: TradeTerms) -> tuple[str, str, str]:
    """What makes two views views of one trade: the identifier and the pair."""
    low, high = sorted((terms.buyer_id, terms.seller_id))
    return terms.reference, low, high


def trade_id(terms: TradeTerms) -> str:
    """The same for both sides, whoever says buyer."""
    return ids.trade_id(*key(terms))


def home_id(terms: TradeTerms) -> str:
    """The account whose partition decides."""
    return min(terms.buyer_id, terms.seller_id)


class Trade(Struct, frozen=True):
    """A trade as far as it is captured."""

    trade_id: str
    first_id: str
    """The account that told it first."""
    views: Mapping[str, TradeTerms]
    """By account, the newest view of each side."""
    state: TradeState
    expires_at_us: int
    actor: str
    acted_at_us: int
    differences: tuple[TradeDifference, ...] = ()
    detail: str = ""

    @property
    def terms(self) -> TradeTerms:
        """The first party's view; both sides' once affirmed."""
        return self.views[self.first_id]

    def role(self, account_id: str) -> str:
        """Which side an account is. Raises NotLegal when none."""
        if account_id == self.first_id:
            return FIRST
        if account_id in key(self.terms)[1:]:
            return OTHER
        raise NotLegal(f"{account_id} is no party to trade {self.trade_id}")


def require_sound(terms: TradeTerms, party_id: str) -> None:
    """Raises NotLegal, naming the field, for terms that no trade can have."""
    if not terms.reference:
        raise NotLegal("reference: a trade needs an identifier that both sides know")
    if party_id not in (terms.buyer_id, terms.seller_id):
        raise NotLegal(f"buyer_id, seller_id: {party_id} is neither buyer nor seller; nobody tells others' trades")
    if terms.buyer_id == terms.seller_id:
        raise NotLegal("buyer_id, seller_id: nobody trades with himself")
    if terms.quantity_e8 <= 0:
        raise NotLegal("quantity: it must be positive; who sells says so by seller_id")
    if terms.clearing not in get_args(Clearing):
        raise NotLegal(f"clearing: {' or '.join(get_args(Clearing))}, not {terms.clearing!r}")


def capture(known: Trade | None, terms: TradeTerms, party_id: str, at_us: int, timeout_us: int) -> Trade:
    """The trade after one side told its view. Raises NotLegal when that is not possible any more."""
    require_sound(terms, party_id)
    if known is None:
        return Trade(trade_id(terms), party_id, {party_id: terms}, "ALLEGED", at_us + timeout_us, party_id, at_us)
    assert known.trade_id == trade_id(terms), "views of one trade have one id"
    views = {**known.views, party_id: terms}
    found = _compared(views, known)
    action = "amend" if len(views) == 1 else "contradict" if found else "affirm"
    state = _after(known, action, known.role(party_id))
    return replace(known, views=views, state=state, differences=found, actor=party_id, acted_at_us=at_us, detail="")


def _compared(views: Mapping[str, TradeTerms], known: Trade) -> tuple[TradeDifference, ...]:
    if len(views) == 1:
        return ()
    [other_id] = set(views) - {known.first_id}
    return differences(views[known.first_id], views[other_id])


def differences(first: TradeTerms, other: TradeTerms) -> tuple[TradeDifference, ...]:
    """Every field in which two views differ, in the order of the fields."""
    mine, theirs = asdict(first), asdict(other)
    return tuple(
        TradeDifference(name, str(mine[name]), str(theirs[name])) for name in mine if mine[name] != theirs[name]
    )


def end(known: Trade, action: str, actor_id: str, at_us: int, detail: str = "") -> Trade:
    """The trade after withdraw, reject, novate, refuse or pass_deadline; `actor_id` is an account, house or clock.

    Raises NotLegal when the table does not allow it, or the deadline has not come.
    """
    role = actor_id if actor_id in (HOUSE, CLOCK) else known.role(actor_id)
    if action == "pass_deadline" and at_us < known.expires_at_us:
        raise NotLegal(f"trade {known.trade_id} has time until {known.expires_at_us}")
    if action in ("affirm", "contradict", "amend"):
        raise NotLegal(f"{action} follows from what a side tells: `capture`")
    return replace(known, state=_after(known, action, role), actor=actor_id, acted_at_us=at_us, detail=detail)


def _after(known: Trade, action: str, role: str) -> TradeState:
    state = TRANSITIONS.after(known.state, action, role)
    assert state in get_args(TradeState), "the table knows the states"
    return state  # type: ignore[return-value]


def expired(known: Trade, at_us: int) -> bool:
    """Whether the time-out has come."""
    return known.state in ("ALLEGED", "MISMATCHED", "AFFIRMED") and at_us >= known.expires_at_us
