"""The default of an account, from its declaration to what comes back of its loss.

    DECLARED     risk refuses its orders and its open ones are cancelled, until it says that all have ended and are
                 cleared (`quiet`), but for those that the house waives (waivers.py); positions are being closed
    LOSS_FIXED   it holds no contract any more; a round asks the layers to bear what it cannot pay
    COVERED      the layers have borne it; UNCOVERED: something is left that no layer could bear
    RECOVERING   money has come in; a round pays it back, the last layer first
    ENDED        nothing was lost, or all of it came back

The newest record of a default is its state. Once its loss is borne, a fill that came late or a loss in another asset is
a further default of the account, and the earlier one still gets back what comes in (`State.borne`). It lives in the
partition of its account; its rounds have one home
(waterfalls.HOME), so that two defaults never count on the same share.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

from msgspec import to_builtins
from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.booking import ledger, trades
from services.clearing.defaults import insurance, seizure
from services.clearing.defaults.waterfalls import (
    GUARANTOR,
    HOME,
    UNCOVERED,
    in_progress,
    numbers_of,
    outcome_of,
    terms_of,
    unpaid,
)
from services.clearing.margining import margin
from services.clearing.state import FACTS_KEPT, UNKNOWN, State
from truetape import halts, ids
from truetape.default.waterfall import Outcome, Step, is_lost
from truetape.liquidation import ALARM_ASKED
from truetape.messages import (
    CancelAllOrders,
    CancelRequested,
    ClearingRefusal,
    ClearingRefused,
    CreditUpdated,
    DeclareDefault,
    DefaultChanged,
    DefaultStep,
    OpenRound,
    ReservationReleased,
    RoundRequested,
    RoundSettling,
    RoundTerms,
)
from truetape.money import from_e8
from truetape.service import Input

DefaultState = Literal["DECLARED", "LOSS_FIXED", "COVERED", "UNCOVERED", "RECOVERING", "ENDED"]
STATES: Final[tuple[DefaultState, ...]] = get_args(DefaultState)
RUNNING: Final = ("LOSS_FIXED", "RECOVERING")
"""States in which a round is out."""
FOLLOWS: Final = {"WATERFALL": "HAIRCUT", "HAIRCUT": "TEAR_UP"}
"""The round that bears what one has left."""
Quiet = CancelRequested | CreditUpdated | ReservationReleased
CLEARING: Final = "clearing"
"""Who declares a default when nobody asked for it, and who cancels the orders."""


def declare(state: State, given: Input, command: DeclareDefault) -> DefaultChanged | ClearingRefused:
    """The house's word: the account cannot pay."""

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    if command.command_id in state.facts.ids:
        return no("COMMAND_REPEATED", "the default is declared already")
    if command.account_id not in given.tables.reference.accounts:
        return no("ACCOUNT_UNKNOWN", "open the account first")
    if in_progress(state, command.account_id):
        default_id = state.defaults[command.account_id].default_id
        return no("STATE_WRONG", f"already in default: {default_id} is not over, wait until its loss is borne")
    if not command.reason.strip():
        return no("REASON_MISSING", "say why: it stands on the tape for ever")
    contracts = (one.contract for one in given.tables.reference.instruments.values())
    if not any(terms is not None and terms.settlement_asset == command.asset for terms in contracts):
        return no("NUMBERS_WRONG", f"no contract settles in {command.asset}: name the asset that it owes")
    if (over := state.defaults.get(command.account_id)) is not None and _is_square(state, given, command):
        return no(
            "STATE_WRONG",
            f"nothing to declare: default {over.default_id} is {over.state}, and no contract is open and "
            f"nothing is owed in {command.asset}. The account stays halted; what it loses later is a further default "
            "by itself",
        )
    return declared(
        state, given, command.account_id, command.asset, command.reason, command.requested_by, command.command_id
    )


def _is_square(state: State, given: Input, command: DeclareDefault) -> bool:
    """Whether a further default would have nothing to close and nothing to bear."""
    account_id, asset = command.account_id, command.asset
    held = any(open_positions(state, given, account_id, asset)) or account_id in state.watch.liquidations
    return not held and _cash_left_e8(state, given, account_id, asset) >= 0


def declared(
    state: State, given: Input, account_id: str, asset: str, reason: str, by: str = CLEARING, command_id: str = ""
) -> DefaultChanged:
    """The record of a new default; for a missed call too. No other loss of the account may wait to be borne."""
    assert not in_progress(state, account_id), "one loss of an account at a time"
    default_id = ids.leg_id("default", f"{account_id}/{asset}/{given.meta('').event_id}")
    cash_e8 = state.balances.get(ledger.client(account_id), {}).get(asset, 0)
    member_id = given.tables.reference.member_of(account_id)
    return DefaultChanged(
        meta=given.meta(default_id), command_id=command_id, account_id=account_id, default_id=default_id, asset=asset,
        state="DECLARED", margin_e8=max(0, cash_e8), loss_e8=0, steps=(), uncovered_e8=0, recovered_e8=0, round_id="",
        attempt=0, detail=reason, requested_by=by, member_id="" if member_id == account_id else member_id,
    )  # fmt: skip


# -- what time does ---------------------------------------------------------------------------------------------------


def tick(state: State, given: Input) -> DefaultChanged | RoundRequested | None:
    """The next step of a default of this partition, one at a time."""
    for known in kept(state):
        if (found := _step(state, given, known)) is not None:
            return found
    return None


def kept(state: State) -> Iterator[DefaultChanged]:
    """All defaults of a partition: of each account the newest, and before it those whose loss is borne."""
    for account_id, newest in sorted(state.defaults.items()):
        yield from state.borne.get(account_id, {}).values()
        yield newest


def _step(state: State, given: Input, known: DefaultChanged) -> DefaultChanged | RoundRequested | None:
    if known.state == "DECLARED":
        return _closed(state, given, known)
    if known.state in RUNNING:
        return _heard(state, given, known) or _again(state, given, known)
    if known.state in ("COVERED", "UNCOVERED"):
        return _came_in(state, given, known)
    return None


def open_positions(state: State, given: Input, account_id: str, asset: str) -> Iterator[tuple[str, int]]:
    """Contracts that an account still holds in a settlement asset, with their signed quantity."""
    for name, position in sorted(state.accounts.get(account_id, UNKNOWN).positions.items()):
        terms = terms_of(given, name)
        if position.quantity_e8 and terms is not None and terms.settlement_asset == asset:
            yield name, position.quantity_e8


def _closed(state: State, given: Input, known: DefaultChanged) -> DefaultChanged | RoundRequested | None:
    """Once nothing is held and nothing waits in the ledger, the loss is what it is."""
    account_id, asset = known.account_id, known.asset
    sold = state.watch.liquidations.get(account_id)
    if sold is not None and sold.asset == asset:
        return None  # What it could not pay may still be the insurance fund's.
    if account_id in state.halted or any(open_positions(state, given, account_id, asset)):
        return None
    if account_id in state.deleveragings.running:
        return None  # All is closed, and its record follows.
    if not known.quiet:
        return _ask_quiet(given, known)
    left_e8 = _cash_left_e8(state, given, account_id, asset)
    if left_e8 >= 0:
        return _changed(given, known, state="ENDED", detail="its own cash was enough")
    if collateral_left(state, given, known) or insurance.waits(state, known.default_id):
        return None
    if (asked := _insured(state, given, known, -left_e8)) is not None:
        return asked
    margin_e8 = known.margin_e8 + state.seized.get(account_id, 0)
    steps = (DefaultStep("DEFAULTER_MARGIN", account_id, margin_e8),) if margin_e8 else ()
    return _changed(
        given, known, state="LOSS_FIXED", margin_e8=margin_e8, loss_e8=margin_e8 - left_e8, steps=steps,
        uncovered_e8=-left_e8, round_id=_round_id(known, "WATERFALL", given), detail="",
    )  # fmt: skip


def _cash_left_e8(state: State, given: Input, account_id: str, asset: str) -> int:
    """Cash of an account once all that its contracts have realised is paid; negative is what it owes."""
    cash_e8 = state.balances.get(ledger.client(account_id), {}).get(asset, 0)
    return cash_e8 + sum(amount_e8 for _, amount_e8 in unpaid(state, account_id, asset, given))


def _ask_quiet(given: Input, known: DefaultChanged) -> DefaultChanged | None:
    """Risk is asked once more: while an order may still fill, what the account loses is not known, and nothing but
    risk's word says that none can."""
    if not pursuit.overdue(known.meta.decided_at_us, known.attempt, given.at_us):
        return None
    attempt, detail = known.attempt + 1, known.detail
    if attempt >= ALARM_ASKED:
        detail = f"its orders have not ended after {attempt} questions: no loss is fixed before; look at the venue and "
        detail += "at risk (docs/routing.md)"
    return replace(known, meta=given.meta(known.default_id), command_id="", attempt=attempt, detail=detail)


def orders_of(default_id: str) -> str:
    """Under which name risk is told to cancel an account's orders, and says that they have ended."""
    return f"{halts.DEFAULT}{default_id}"


def quieted(state: State, given: Input, event: Quiet) -> DefaultChanged | None:
    """Risk says that all orders of an account in default have ended and are cleared: their fills are booked."""
    known = state.defaults.get(event.account_id) if event.quiet_for else None
    if known is None or known.state != "DECLARED" or known.quiet or event.quiet_for != orders_of(known.default_id):
        return None
    detail = "all its orders have ended" if known.attempt >= ALARM_ASKED else known.detail
    if known.waived:
        detail = f"all its orders have ended, but for {', '.join(known.waived)}: waived by {known.waived_by}"
    return _changed(given, known, quiet=True, detail=detail)


def _insured(state: State, given: Input, known: DefaultChanged, missing_e8: int) -> RoundRequested | None:
    """The insurance fund is asked once, before the waterfall; not where a liquidation has asked it already."""
    given_up = state.watch.handed_over.get(known.account_id)
    if given_up is not None and given_up.asset == known.asset and given_up.liquidation_id in state.insured.ids:
        return None
    return insurance.ask(state, given, known.default_id, known.account_id, known.asset, missing_e8, "ACCOUNT")


def collateral_left(state: State, given: Input, known: DefaultChanged) -> bool:
    """Whether an account in default owes something and has collateral for it that was not turned into cash yet."""
    balances = state.balances.get(ledger.client(known.account_id), {})
    if _cash_left_e8(state, given, known.account_id, known.asset) >= 0:
        return False
    margins = margin.margins_of(state, given, known.account_id)
    if isinstance(margins, str):
        return True  # How much of it margins other contracts cannot be said now.
    return bool(seizure.posted(balances, known.asset, given.tables.reference.collateral, margins))


def _heard(state: State, given: Input, known: DefaultChanged) -> DefaultChanged | None:
    """What the round has come to, once this partition has booked its part of it."""
    numbers = state.outcomes.get(known.round_id)
    if numbers is None or UNCOVERED not in numbers:
        return None
    borne = outcome_of(numbers)
    if known.state == "RECOVERING":
        return _repaid(given, known, borne)
    kind = kind_of(known.round_id)
    own = () if kind == "WATERFALL" else known.steps
    steps = (*own, *(DefaultStep(one.layer, one.payer_id, one.amount_e8) for one in borne.steps))
    left_e8 = borne.uncovered_e8
    if left_e8 and (following := FOLLOWS.get(kind)):
        round_id = _round_id(known, following, given)
        return _changed(given, known, steps=steps, uncovered_e8=left_e8, round_id=round_id)
    state_now: DefaultState = "UNCOVERED" if left_e8 else "COVERED"
    detail = f"{from_e8(left_e8)} {known.asset} is borne by nobody" if left_e8 else ""
    return _changed(given, known, state=state_now, steps=steps, uncovered_e8=left_e8, round_id="", detail=detail)


def _again(state: State, given: Input, known: DefaultChanged) -> DefaultChanged | None:
    """The round is asked for once more: its home may not have heard of it, or waits for a partition. A round that could
    not be decided is followed by another one."""
    if not pursuit.overdue(known.meta.decided_at_us, known.attempt, given.at_us):
        return None
    undecided = known.round_id in state.outcomes
    round_id = _round_id(known, kind_of(known.round_id), given) if undecided else known.round_id
    meta, attempt = given.meta(known.default_id), known.attempt + 1
    return replace(known, meta=meta, command_id="", round_id=round_id, attempt=attempt)


def _came_in(state: State, given: Input, known: DefaultChanged) -> DefaultChanged | None:
    """The defaulter has cash again (a payment that was in flight, the end of its estate): it pays what was lost."""
    cash_e8 = state.balances.get(ledger.client(known.account_id), {}).get(known.asset, 0)
    if cash_e8 <= 0 or known.account_id in state.halted or not _lost_e8(known):
        return None
    if in_progress(state, known.account_id):
        return None  # It may be needed for a further loss.
    return _changed(given, known, state="RECOVERING", round_id=_round_id(known, "RECOVERY", given), detail="")


def _repaid(given: Input, known: DefaultChanged, back: Outcome) -> DefaultChanged:
    repaid: dict[tuple[str, str], int] = {(step.layer, step.payer_id): step.amount_e8 for step in back.steps}
    steps = tuple(
        DefaultStep(one.layer, one.payer_id, one.amount_e8 - repaid.get((one.layer, one.payer_id), 0))
        for one in known.steps
    )
    after = _changed(
        given, known, steps=tuple(one for one in steps if one.amount_e8), round_id="", detail="",
        uncovered_e8=known.uncovered_e8 - back.uncovered_e8, recovered_e8=known.recovered_e8 + back.loss_e8,
    )  # fmt: skip
    ended: DefaultState = "UNCOVERED" if after.uncovered_e8 else "COVERED" if _lost_e8(after) else "ENDED"
    return replace(after, state=ended)


def _lost_e8(known: DefaultChanged) -> int:
    lost = (one.amount_e8 for one in known.steps if is_lost(one.layer, one.payer_id, known.member_id))  # type: ignore[arg-type]
    return known.uncovered_e8 + sum(lost)


def _round_id(known: DefaultChanged, kind: str, given: Input) -> str:
    return f"{known.default_id}/{kind}/{given.epoch}.{given.sequence}"


def kind_of(round_id: str) -> str:
    """The kind of a default's round."""
    return round_id.split("/")[1]


def _changed(given: Input, known: DefaultChanged, **changes: object) -> DefaultChanged:
    return replace(known, meta=given.meta(known.default_id), command_id="", attempt=0, **changes)


# -- evolve -----------------------------------------------------------------------------------------------------------


def changed(state: State, event: DefaultChanged) -> None:
    """How the default stands."""
    before = _of(state, event.account_id, event.default_id)
    if before is not None and before.round_id != event.round_id:
        state.outcomes.pop(before.round_id, None)
    if event.command_id:
        state.facts.add(event.command_id, FACTS_KEPT)
    borne = state.borne.get(event.account_id, {})
    if event.default_id in borne:
        _still_borne(state, event)
        return
    newest = state.defaults.get(event.account_id)
    if newest is not None and newest.default_id != event.default_id and newest.state != "ENDED":
        state.borne[event.account_id] = {**borne, newest.default_id: newest}
    state.defaults[event.account_id] = event
    if before is None or event.state != "DECLARED":
        state.seized.pop(event.account_id, None)


def _of(state: State, account_id: str, default_id: str) -> DefaultChanged | None:
    """A default of an account by its id."""
    newest = state.defaults.get(account_id)
    if newest is not None and newest.default_id == default_id:
        return newest
    return state.borne.get(account_id, {}).get(default_id)


def _still_borne(state: State, event: DefaultChanged) -> None:
    """What comes back of a default that is not the account's newest."""
    known = state.borne[event.account_id]
    if event.state != "ENDED":
        known[event.default_id] = event
        return
    del known[event.default_id]
    if not known:
        del state.borne[event.account_id]


def heard(state: State, event: RoundSettling) -> None:
    """A round of a default of this partition has been decided."""
    names = event.round.ids
    known = _of(state, names.get("account_id", ""), names.get("default_id", ""))
    if known is not None and known.round_id == event.round.round_id:
        state.outcomes[event.round.round_id] = dict(event.outcome)


# -- effects ----------------------------------------------------------------------------------------------------------


def commands_after(event: DefaultChanged) -> Sequence[OpenRound | CancelAllOrders]:
    """What follows from a record of a default: orders are cancelled, a round is asked for."""
    if event.state == "DECLARED" and not event.quiet:
        name = orders_of(event.default_id)
        at_us = event.meta.decided_at_us
        return [CancelAllOrders(command_id=name, account_id=event.account_id, key_id=CLEARING, received_at_us=at_us)]
    if event.state not in RUNNING:
        return []
    names = {"default_id": event.default_id, "account_id": event.account_id}
    if event.member_id:
        names[GUARANTOR] = event.member_id
    terms = RoundTerms(
        event.round_id, kind_of(event.round_id), HOME, event.asset, _numbers(event), names, event.requested_by
    )
    return [OpenRound(HOME, terms)]


def _numbers(event: DefaultChanged) -> dict[str, int]:
    if event.state == "RECOVERING":
        steps = tuple(Step(one.layer, one.payer_id, one.amount_e8) for one in event.steps)  # type: ignore[arg-type]
        return numbers_of(Outcome(event.loss_e8, steps, event.uncovered_e8))
    if kind_of(event.round_id) in FOLLOWS.values():
        return {"loss_e8": event.uncovered_e8}
    return {"loss_e8": event.loss_e8, "margin_e8": event.margin_e8, "shortfall_e8": event.uncovered_e8}


def commands_left(state: State) -> Iterator[OpenRound | CancelAllOrders]:
    """What the defaults of a partition that was taken over still wait for."""
    for known in kept(state):
        yield from commands_after(known)


def shown(known: DefaultChanged) -> dict[str, object]:
    """What an operator sees of a default."""
    return {
        "default_id": known.default_id, "state": known.state, "asset": known.asset, "loss_e8": known.loss_e8,
        "detail": known.detail, "steps": [to_builtins(one) for one in known.steps], "margin_e8": known.margin_e8,
        "uncovered_e8": known.uncovered_e8, "recovered_e8": known.recovered_e8, "round_id": known.round_id,
        "waived": list(known.waived), "waived_by": known.waived_by,
    }  # fmt: skip
