"""Bugs about calls, liquidations, auctions, defaults and rounds by name, for the general invariants to find; in the
table with those of bugs.py. Their seeds are those of the world in distress."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from services.clearing import core
from services.clearing.across import roundcommands, rounds
from services.clearing.closeout import closing, liquidations
from services.clearing.margining import margincalls
from services.clearing.otc import multilateral
from services.risk import checks
from services.risk import core as risk
from tests.simulation.bug import Bug, nothing, rule, rules
from truetape import messages as m
from truetape.default import calls, waterfall

_pay = calls.pay
_booked = margincalls.booked
_moved = liquidations._moved
_opened = rounds.opened
_commands_after = roundcommands.commands_after
_submitted = liquidations.submitted
_settling = multilateral.settling


def part_is_enough(call: Any, amount_e8: int, at_us: int) -> Any:
    """A payment in part ends the call."""
    paid, left_e8 = _pay(call, amount_e8, at_us)
    return (paid if call.state in calls.TRANSITIONS.terminal else replace(paid, state="MET")), left_e8


def looks_twice(state: Any, entry: Any) -> None:
    """A deposit counts twice."""
    _booked(state, entry)
    _booked(state, entry)


def impatient(right: Any, state: Any, given: Any, event: Any) -> Any:
    """Whatever risk says of the account ends the step."""
    one = state.watch.liquidations.get(event.account_id)
    return right(state, given, replace(event, quiet_for=one.liquidation_id) if one is not None else event)


def fee_for_the_account(given: Any, one: Any, event: m.ContractEvent, purpose: str, amount_e8: int, *more: Any) -> Any:
    """The account gets the fee."""
    return _moved(given, one, event, purpose, -amount_e8 if purpose == "liquidation_fee" else amount_e8, *more)


def all_at_once(state: Any, event: Any) -> None:
    """Rounds of one home do not wait for each other."""
    _opened(state, event)
    known = state.rounds.homed[event.round.round_id]
    if known.phase == "OPEN":
        rounds._begin(known, event.meta.decided_at_us)


def never_again(state: Any, event: Any) -> Any:
    """A round's end is told once: a lost command is lost."""
    return () if isinstance(event, m.RoundRepeated) else _commands_after(state, event)


def takes_again(right: Any, state: Any, given: Any, command: Any) -> Any:
    """A parcel that is asked for again is taken again."""
    state.parcels.answered.pop(command.parcel.parcel_id, None)
    return right(state, given, command)


def one_word_is_enough(right: Any, state: Any, given: Any, command: m.AnswerCompression) -> Any:
    """The first participant that accepts speaks for all."""
    said, known = right(state, given, command), state.compressions.open.get(command.run_id)
    if not isinstance(said, m.CompressionChanged) or said.state != "PROPOSED" or known is None:
        return said
    return replace(said, state="COMPRESSED", ended=known.ended, left=known.left, payments=known.payments)


def open_once_more(state: Any, event: m.RoundSettling) -> None:
    """What was compressed can be compressed again."""
    before = dict(state.uncleared.open)
    _settling(state, event)
    state.uncleared.open.update(before)


SWAPPED: Final = (*waterfall.LAYERS[:2], "OTHERS_FUND", "HOUSE_CAPITAL", *waterfall.LAYERS[4:])


def _bug(what: str, *patches: tuple[Any, str, Any]) -> Bug:
    return Bug(what, patches, world="distress")


BUGS_OF_DISTRESS: Final[Mapping[str, Bug]] = {
    "liquidation forgets the taker's fee": _bug("when it plans", (closing, "taker_rate_e8", lambda *_: 0)),
    "liquidation does not wait for risk's word": _bug(
        "any word will do", *rules(core, {m.CreditUpdated: impatient, m.ReservationReleased: impatient})
    ),
    "liquidation's order is told once": _bug(
        "a crash loses it", (liquidations, "order_out", nothing), (liquidations, "asks_again", lambda *_: False)
    ),
    "account is not closed while it is liquidated": _bug(
        "its own orders pass",
        (checks, "ORDER_CHECKS", tuple(one for one in checks.ORDER_CHECKS if one[1] is not checks.liquidated)),
    ),
    "account stays closed": _bug("after its liquidation", *rule(risk, m.LiquidationEnded, nothing)),
    "call met by a part": _bug("of what was called for", (calls, "pay", part_is_enough)),
    "payment counts twice for a call": _bug("by one deposit", (margincalls, "booked", looks_twice)),
    "deadlines pass unseen": _bug("of calls", (margincalls, "time_due", lambda *_: [])),
    "liquidation fee the wrong way": _bug("the account gets it", (liquidations, "_moved", fee_for_the_account)),
    "layers in another order": _bug("members pay before the house", (waterfall, "LAYERS", SWAPPED)),
    "rounds do not wait for each other": _bug(
        "two count on one share", (core, "_FOLDS", {**core._FOLDS, m.RoundOpened: all_at_once})
    ),
    "round's end is told once": _bug("a lost command is lost", (roundcommands, "commands_after", never_again)),
    "parcel taken twice": _bug("when it is asked for again", *rule(core, m.TakeParcel, takes_again)),
    "compressed by one participant's word": _bug("of several", *rule(core, m.AnswerCompression, one_word_is_enough)),
    "compressed trades stay open": _bug("and end again", (multilateral, "settling", open_once_more)),
    "default not known to risk": _bug("its orders pass", *rule(risk, m.DefaultChanged, nothing)),
}
"""By name."""
