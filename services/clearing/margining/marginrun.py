"""The margin run: on a Tick all accounts that hold contracts are margined, and one record lists those that need an
action. Then the state asks for one decision per listed account (`due`), before any other input of the partition.

A run without findings leaves no record. Every decision looks again, since after a crash it may be made later than the
run: then there may be nothing to do any more, and the record says so.
"""

from collections.abc import Iterator
from typing import Final, assert_never, get_args

from msgspec import to_builtins
from msgspec.structs import replace

from services.clearing.booking import trades
from services.clearing.closeout import auction, liquidations
from services.clearing.defaults import default, insurance, porting, waterfalls
from services.clearing.margining import glance, margin, margincalls
from services.clearing.margining.watch import Action, ask
from services.clearing.state import State
from truetape import ids
from truetape.codec import Message
from truetape.margin.account import AssetMargin
from truetape.messages import MarginListed, MarginReviewed, MarginRun, ReviewMargin
from truetape.service import DUE, Input, Tick

LISTED_MAX: Final = 200
"""Accounts that one run lists; the others come with the next one."""
_ACTIONS: Final[dict[str, Action]] = {name: name for name in get_args(Action)}
NOTHING: Final = AssetMargin("", 0, 0, 0, 0, "", (), {}, ())


def run(state: State, given: Input, _: Tick) -> MarginRun | None:
    """One pass over all accounts; None when nobody needs anything."""
    margined, doubtful = glance.doubtful(state, margin.seen_by(given))
    known = state.accounts.keys()
    short = margin.narrowed(state, given, doubtful)
    looked_at = sorted({*short, *(name for name in margin.needs_look(state) if name in known)})
    listed = [*_timed(state, given)]
    for account_id in looked_at:
        listed += _account(state, given, account_id)
        if len(listed) >= LISTED_MAX:
            break
    return MarginRun(given.meta(""), margined, tuple(listed)) if listed else None


def _timed(state: State, given: Input) -> Iterator[MarginListed]:
    """What time alone makes due, whatever the marks are."""
    at_us = given.at_us
    for call, action in margincalls.time_due(state, at_us):
        yield MarginListed(call.account_id, call.asset, action, call.call_id, 0, 0, 0)
    for account_id, one in sorted(state.watch.liquidations.items()):
        if liquidations.asks_again(one, at_us):
            yield MarginListed(account_id, one.asset, "ASK", one.state, 0, 0, 0)
    for account_id, failed in sorted(state.watch.handed_over.items()):
        auctioned = ids.auction_id(account_id, failed.liquidation_id) in state.auctioned.ids
        auctioned = auctioned or not auction.anybody(given, account_id)
        if auctioned and failed.outcome == "BANKRUPT" and not waterfalls.in_progress(state, account_id):
            reason = f"nobody took what liquidation {failed.liquidation_id} had left"
            yield MarginListed(account_id, failed.asset, "DEFAULT", reason, 0, 0, 0)


def _account(state: State, given: Input, account_id: str) -> Iterator[MarginListed]:
    """What one account needs."""
    found, told = margin.margins_of(state, given, account_id), state.watch.doubts.get(account_id)
    if isinstance(found, str):
        if found != told:
            yield MarginListed(account_id, "", "DOUBT", found, 0, 0, 0)
        return
    if told is not None or _recovered(state, account_id, found):
        yield MarginListed(account_id, "", "TRUST", told or "margin is there again", 0, 0, 0)
    one = state.watch.liquidations.get(account_id)
    stepping = one is not None and one.state == "WAITING" and account_id not in state.deleveragings.running
    if one is not None and stepping and not insurance.waits(state, liquidations.loss_id(state, one)):
        yield _listed(account_id, found.get(one.asset, NOTHING), "STEP", one.asset)
    liquidated = False
    for asset, standing in sorted(found.items()):
        action, _ = margincalls.wanted(
            state, account_id, standing, given.tables.reference.call_terms_of(account_id), given.at_us
        )
        if action:
            yield _listed(account_id, standing, action, asset)
        if not liquidated and liquidations.begins(state, given, account_id, standing):
            liquidated = True  # One at a time: another asset's comes after it.
            yield _listed(account_id, standing, "LIQUIDATE", asset)
    if not liquidated and (asset := _posted(state, given, account_id, found)):
        yield _listed(account_id, NOTHING, "LIQUIDATE", asset)


def _posted(state: State, given: Input, account_id: str, found: dict[str, AssetMargin]) -> str:
    """The asset that an account in default owes while it holds nothing but collateral; empty when that is not so."""
    known = state.defaults.get(account_id)
    if known is None or known.state != "DECLARED" or known.asset in found:
        return ""
    waits = default.collateral_left(state, given, known)
    return known.asset if waits and liquidations.may_begin(state, account_id, given.at_us, True) else ""


def _recovered(state: State, account_id: str, found: dict[str, AssetMargin]) -> bool:
    """Whether an account that was handed over has its margin again."""
    given_up = state.watch.handed_over.get(account_id)
    if given_up is None or porting.closed_out(state, account_id):
        return False
    return found.get(given_up.asset, NOTHING).maintenance_excess_e8 >= 0


def _listed(account_id: str, found: AssetMargin, action: str, asset: str) -> MarginListed:
    return MarginListed(account_id, asset, action, "", found.equity_e8, found.initial_e8, found.maintenance_e8)


# -- one decision per listed account -----------------------------------------------------------------------------------


def review(state: State, given: Input, asked: ReviewMargin) -> Message:
    """The decision about a listed account. Raises LedgerError or MoneyError where money cannot be moved."""
    if given.cause.source != DUE:
        detail = "clearing margins by itself, every second: there is nothing to ask for"
        return trades.refused(given, asked.run_id, asked.account_id, asked, "UNSUPPORTED", detail)
    found = margin.margins_of(state, given, asked.account_id) if asked.account_id in state.accounts else {}
    decided = _decided(state, given, asked, _ACTIONS[asked.action], found)
    if decided is not None:
        return decided
    detail = found if isinstance(found, str) else "there is nothing to do any more"
    if asked.action == "DEFAULT":
        detail = f"another default of the account is not over: nobody bears yet what it owes in {asked.asset}"
    return MarginReviewed(given.meta(asked.run_id), asked.account_id, asked.asset, asked.action, detail)


def _decided(
    state: State, given: Input, asked: ReviewMargin, action: Action, found: dict[str, AssetMargin] | str
) -> Message | None:
    known = None if isinstance(found, str) else found.get(asked.asset)
    match action:
        case "CALL":
            return margincalls.make(state, given, asked, known) if known is not None else None
        case "RECOVER":
            return margincalls.recover(state, given, asked, known) if known is not None else None
        case "DEADLINE" | "GRACE":
            return margincalls.pass_time(state, given, asked)
        case "PAY":
            return margincalls.pay(state, given, asked)
        case "LIQUIDATE":
            known = known or replace(NOTHING, asset=asked.asset)
            return None if isinstance(found, str) else liquidations.begin(state, given, asked, known)
        case "STEP":
            return None if isinstance(found, str) else liquidations.step(state, given, asked, found)
        case "ASK":
            return liquidations.ask_again(state, given, asked)
        case "FEE":
            return liquidations.fee(state, given, asked)
        case "PORT":
            return porting.review(state, given, asked)
        case "DEFAULT" if not waterfalls.in_progress(state, asked.account_id):
            return default.declared(state, given, asked.account_id, asked.asset, asked.reason)
        case "DOUBT" | "TRUST" | "DEFAULT":
            return None
        case _:
            assert_never(action)


def due(state: State) -> tuple[str, ReviewMargin] | None:
    """The decision that is due next."""
    waiting = state.watch.due
    return (waiting[0].name, waiting[0].review) if waiting else None


# -- evolve ------------------------------------------------------------------------------------------------------------


def ran(state: State, event: MarginRun) -> None:
    """What a run has found: doubts are known, everything else is due."""
    watch, run_id = state.watch, f"{event.meta.epoch}.{event.meta.sequence}"
    for one in event.listed:
        if one.action == "DOUBT":
            watch.doubts[one.account_id] = one.reason
        elif one.action == "TRUST":
            if watch.doubts.pop(one.account_id, None) is None:  # No doubt has ended: margin is there again.
                watch.handed_over.pop(one.account_id, None)
        else:
            ask(watch, run_id, one.account_id, one.asset, _ACTIONS[one.action], one.reason)


def answered(state: State) -> None:
    """The decision that was due is made, or set aside."""
    del state.watch.due[0]


def shown(state: State) -> Iterator[tuple[str, str, object]]:
    """What is watched, by account, for the books: account, name, content."""
    watch = state.watch
    for call in watch.calls.values():
        yield call.account_id, "calls", call
    for account_id, one in watch.liquidations.items():
        yield account_id, "liquidations", to_builtins(one) | {"detail": liquidations.alarm(one, one.asked)}
    for account_id, given_up in watch.handed_over.items():
        yield account_id, "handed_over", given_up
    for account_id, reason in watch.doubts.items():
        yield account_id, "doubts", reason
