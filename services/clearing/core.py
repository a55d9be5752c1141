"""Clearing's pure core: one entry per fill and per approved transfer, and the fold of all entries."""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from services.clearing import books, clock
from services.clearing.across import parcels, remainders, requests, rounds
from services.clearing.booking import facts, ledger, payments, pending, positions, sides, trades, volume
from services.clearing.booking.contracts import Held
from services.clearing.booking.ledger import AccountHalted, EntryRepeated
from services.clearing.booking.parked import Parked, refused, release_of, unresolvable
from services.clearing.closeout import auction, deleveraging, liquidations
from services.clearing.defaults import default, fund, insurance, porting, portingrounds, seizure, waivers
from services.clearing.margining import margin, margincalls, marginrun
from services.clearing.otc import bilateral, claims, legs, moves, offsets
from services.clearing.state import FILLS_KEPT, TRANSFERS_KEPT, UNKNOWN, Account, State
from truetape.codec import Message
from truetape.cuts import ENDS
from truetape.errors import TruetapeError
from truetape.messages import (
    ActOnCall,
    ActOnPorting,
    AgreeMoves,
    AnswerLeg,
    ApplyContractFact,
    AskLeg,
    BookLeg,
    BookTrade,
    CancelRequested,
    ClearingRefused,
    CloseOut,
    CompressLegs,
    ConfirmLeg,
    ContractFactTaken,
    CorrectEntry,
    CreditUpdated,
    DeclareDefault,
    DefaultChanged,
    DismissParked,
    EndMove,
    EndTrade,
    EntryBooked,
    InputParked,
    LegAnswered,
    LegAssessed,
    LegChanged,
    LegConfirmed,
    LegsAskedAgain,
    LegsCompressed,
    LiquidationChanged,
    LiquidationEnded,
    MarginCallChanged,
    MarginRun,
    MoveChanged,
    MoveFund,
    MoveLeg,
    MovesAgreed,
    NetPayments,
    OrderFilled,
    OrderRejected,
    ParkedDismissed,
    PaymentsNetted,
    PortingChanged,
    ReleaseLeg,
    ReleaseParked,
    ReleaseRefused,
    ReservationReleased,
    ReviewMargin,
    RoundRequested,
    RoundSettling,
    RunRound,
    SidesClosedOut,
    TakeContractFact,
    TellLeg,
    TellTrade,
    TradeChanged,
    TransferApproved,
    WaiveOrders,
)
from truetape.service import DUE, Input, Service, Tick
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, key_of


def decide(state: State, given: Input) -> Message | None:
    """The entry that books an input, or the answer to an operator's command; None when there is nothing to book.

    Raises AccountHalted, EntryRepeated, QuoteContradicted or MoneyError: the input is parked and the account halts.
    """
    rule = _RULES.get(type(given.message))
    found = rule(state, given, given.message) if rule is not None else None
    if type(found) is not EntryBooked:
        return found
    return payments.dated(state.payments, given, sides.told(state, given, found))


def _fill(state: State, given: Input, fill: OrderFilled) -> EntryBooked:
    account = state.accounts.get(fill.account_id, UNKNOWN)
    if fill.execution_id in account.fills.ids:
        raise EntryRepeated(f"fill {fill.execution_id} is booked already; find out who wrote it twice")
    if (terms := trades.terms_of(fill, given.tables.reference)) is not None:
        return trades.fill_of_contract(state, given, fill, terms)
    assert fill.quantity_e8 > 0 and fill.price_e8 > 0, "a fill has a quantity and a price"
    fees = trades.fees_of(state, given, fill.account_id)
    quote_e8 = ledger.client_quote_e8(fill)
    lines = ledger.trade_lines(fill, quote_e8, ledger.house_fee_e8(quote_e8, fees, fill.liquidity))
    ledger.assert_balanced(lines)
    ledger.assert_fitting(state.balances, lines)
    before = account.positions.get(fill.instrument_id) or positions.flat(fill.instrument_id)
    after = positions.trade(before, lines[0].amount_e8, -lines[1].amount_e8)
    return EntryBooked(
        meta=given.meta(fill.order_id),
        entry_id=fill.execution_id,
        account_id=fill.account_id,
        kind="TRADE",
        rule=ledger.trade_rule(fill.liquidity, fees),
        lines=lines,
        realised_e8=after.realised_e8 - before.realised_e8,
        filled_e8=fill.quantity_e8,
        transacted_at_us=fill.transacted_at_us,
        order_id=fill.order_id,
        execution_id=fill.execution_id,
        position=after,
    )


def _transfer(state: State, given: Input, approved: TransferApproved) -> EntryBooked:
    terms = approved.transfer
    account = state.accounts.get(terms.account_id, UNKNOWN)
    if terms.transfer_id in account.transfers.ids:
        raise EntryRepeated(f"transfer {terms.transfer_id} is booked already; find out who approved it twice")
    lines = ledger.transfer_lines(terms)
    ledger.assert_balanced(lines)
    ledger.assert_fitting(state.balances, lines)
    return EntryBooked(
        meta=given.meta(terms.transfer_id),
        entry_id=terms.transfer_id,
        account_id=terms.account_id,
        kind="DEPOSIT" if terms.amount_e8 > 0 else "WITHDRAWAL",
        rule="transfer",
        lines=lines,
        realised_e8=0,
        filled_e8=0,
        transacted_at_us=approved.meta.decided_at_us,
        external_reference=terms.external_reference,
    )


_BOOKING: Final[dict[type, Callable[[State, Input, Any], EntryBooked]]] = {
    OrderFilled: _fill,
    TransferApproved: _transfer,
    ApplyContractFact: facts.apply,
    RunRound: rounds.book,
    BookLeg: parcels.book,
}


def _next_fill(state: State, given: Input, fill: OrderFilled) -> EntryBooked:
    _assert_open(state, fill.account_id)
    return _fill(state, given, fill)


def _next_transfer(state: State, given: Input, approved: TransferApproved) -> EntryBooked:
    _assert_open(state, approved.transfer.account_id)
    return _transfer(state, given, approved)


def _next_application(state: State, given: Input, apply: ApplyContractFact) -> EntryBooked | ClearingRefused:
    if given.cause.source != DUE:
        detail = "clearing applies facts by itself: send TakeContractFact to every partition"
        return trades.refused(given, apply.fact.fact_id, apply.account_id, apply, "UNSUPPORTED", detail)
    _assert_open(state, apply.account_id)
    return facts.apply(state, given, apply)


def _assert_open(state: State, account_id: str) -> None:
    """Nothing overtakes what is parked."""
    if account_id in state.halted:
        raise AccountHalted(
            f"account {account_id} is halted by {state.halted[account_id][0].event_id}, and what comes later waits "
            f"behind it: see `truetape parked --account {account_id}`, then release or dismiss (docs/ledger.md)"
        )


# -- operators' commands ---------------------------------------------------------------------------------------------


def _release(state: State, given: Input, command: ReleaseParked) -> EntryBooked | ReleaseRefused:
    """Book the oldest parked input of an account, by the rules as they are now and at the fees in force now."""
    queue = state.halted.get(command.account_id, [])
    if (refusal := unresolvable(given, command, queue, state.resolved)) is not None:
        return refusal
    if command.parked_event_id != queue[0].event_id:
        return refused(given, command, "NOT_THE_OLDEST", f"resolve {queue[0].event_id} first: inputs keep their order")
    try:
        message = queue[0].message()
        if (book := _BOOKING.get(type(message))) is None:
            return refused(given, command, "NOTHING_TO_BOOK", f"{type(message).__name__} needs no entry: dismiss it")
        assert key_of(message) == command.account_id, f"it is {key_of(message)}'s, and came under another key"
        entry = book(state, given, message)
    except (TruetapeError, AssertionError) as error:
        return refused(given, command, "STILL_REFUSED", f"{type(error).__name__}: {error}")
    return replace(entry, release=release_of(command, queue))


def _dismiss(state: State, given: Input, command: DismissParked) -> ParkedDismissed | ReleaseRefused:
    queue = state.halted.get(command.account_id, [])
    if (refusal := unresolvable(given, command, queue, state.resolved)) is not None:
        return refusal
    if not command.reason.strip():
        return refused(given, command, "REASON_MISSING", "say why it needs no entry: it stands on the tape for ever")
    meta = given.meta(command.command_id)
    return ParkedDismissed(meta, command.account_id, command.reason, release_of(command, queue))


def _book_trade(state: State, given: Input, command: BookTrade) -> EntryBooked | ClearingRefused:
    booked = command.trade_id in state.accounts.get(command.account_id, UNKNOWN).fills.ids
    if not booked and (detail := legs.not_reserved(state, command)):
        return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)
    return trades.book(state, given, command)


def _quiet(state: State, given: Input, event: default.Quiet) -> LiquidationChanged | DefaultChanged | None:
    """Risk says that nothing of an account is open or uncleared any more, and whose step that ends."""
    return liquidations.heard(state, given, event) or default.quieted(state, given, event)


def due(state: State) -> tuple[str, Message] | None:
    """What the state itself asks for next: parts of a fact, legs of parcels, legs and decisions of rounds, then
    decisions about margin."""
    return facts.due(state) or parcels.due(state) or rounds.due(state) or marginrun.due(state)


_RULES: Final[dict[type, Callable[[State, Input, Any], Message | None]]] = {
    OrderFilled: _next_fill,
    TransferApproved: _next_transfer,
    ReleaseParked: _release,
    DismissParked: _dismiss,
    BookTrade: _book_trade,
    CorrectEntry: trades.correct,
    CloseOut: sides.close_out,
    TakeContractFact: facts.take,
    ApplyContractFact: _next_application,
    TellTrade: bilateral.tell,
    EndTrade: bilateral.end,
    ConfirmLeg: bilateral.confirm,
    AskLeg: legs.ask,
    AnswerLeg: legs.answer,
    LegAssessed: legs.assessed,
    ReleaseLeg: legs.release,
    TellLeg: bilateral.tell_leg,
    MoveLeg: moves.move,
    EndMove: moves.end,
    AgreeMoves: legs.agree,
    Tick: clock.tick,
    ReviewMargin: marginrun.review,
    ActOnCall: margincalls.act,
    OrderRejected: liquidations.refused,
    CancelRequested: _quiet,
    CreditUpdated: _quiet,
    ReservationReleased: _quiet,
    CompressLegs: offsets.compress,
    NetPayments: lambda state, given, command: payments.net(state.payments, given, command),
    MoveFund: fund.move,
    DeclareDefault: default.declare,
    WaiveOrders: waivers.waive,
    ActOnPorting: porting.act,
    **rounds.RULES,
    **auction.RULES,
    **deleveraging.RULES,
}


# -- evolve ----------------------------------------------------------------------------------------------------------


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses, but asserts that what the tape says sums to zero."""
    if type(event) is EntryBooked:
        _book(state, event)
    elif type(event) is ContractFactTaken:
        pending.taken(state, event)
        if event.fact.kind in ENDS:
            sides.ended(state, event)
        legs.ended(state, event)
    elif type(event) is ParkedDismissed:
        _resolve(state, event)
    elif (fold := _FOLDS.get(type(event))) is not None:
        fold(state, event)
    if event.meta.cause.source == DUE:
        _answer_due(state, event)
    if type(event) is InputParked and event.halts_account:
        meta, cause = event.meta, event.meta.cause
        parked = Parked(meta.event_id, cause.source, cause.offset, event.reason, meta.decided_at_us, event.input)
        state.halted.setdefault(event.account_id, []).append(parked)
    return state


def _answer_due(state: State, event: Any) -> None:
    if event.meta.cause.id.startswith(rounds.DUE_PREFIX):
        rounds.applied(state, event)
    elif event.meta.cause.id.startswith(parcels.DUE_PREFIX):
        parcels.applied(state)
    elif state.pending is not None:
        pending.applied(state)
    else:
        marginrun.answered(state)


def _settling(state: State, event: RoundSettling) -> None:
    rounds.settling(state, event)
    default.heard(state, event)
    deleveraging.heard(state, event)
    portingrounds.settling(state, event)


def _requested(state: State, event: RoundRequested) -> None:
    requests.requested(state, event)
    insurance.requested(state, event)
    portingrounds.requested(state, event)


_FOLDS: Final[dict[type, Callable[[State, Any], None]]] = {
    TradeChanged: bilateral.changed,
    LegAnswered: bilateral.answered,
    LegConfirmed: bilateral.answered,
    LegsAskedAgain: bilateral.asked_again,
    LegChanged: legs.changed,
    MoveChanged: moves.changed,
    MovesAgreed: legs.agreed,
    MarginRun: marginrun.ran,
    MarginCallChanged: margincalls.changed,
    LiquidationChanged: liquidations.changed,
    LiquidationEnded: liquidations.ended,
    LegsCompressed: offsets.compressed,
    PaymentsNetted: lambda state, event: payments.netted(state.payments, event),
    SidesClosedOut: sides.closed_out,
    DefaultChanged: default.changed,
    PortingChanged: porting.changed,
    RoundRequested: _requested,
    **rounds.FOLDS,
    RoundSettling: _settling,
    **auction.FOLDS,
    **deleveraging.FOLDS,
}


def _book(state: State, entry: EntryBooked) -> None:
    ledger.book(state.balances, entry.lines)
    state.entries += 1
    if entry.account_id:
        _remember(state, entry)
    if entry.release is not None:
        _resolve(state, entry)
    if entry.contract is not None:
        fund.booked(state, entry)
        remainders.booked(state, entry)
        claims.booked(state, entry)


def _remember(state: State, entry: EntryBooked) -> None:
    """What an entry leaves in its account beside balances. Most entries are of spot, and nobody is in liquidation:
    who has nothing to say then is not asked, since a rebuild comes by here for every fill there ever was."""
    account = state.accounts.get(entry.account_id)
    if account is None:
        account = state.accounts[entry.account_id] = Account()
    if entry.contract is not None:
        sides.follow(account, entry)
    if entry.position is not None:
        account.positions[entry.position.instrument_id] = entry.position
    if entry.contract is not None and entry.contract.instrument_id:
        held = Held(entry.contract.settled_e8, entry.contract.funding_index_e18)
        account.contracts[entry.contract.instrument_id] = held
        legs.booked(state, entry)
        pending.follow(state, entry)
    if entry.contract is not None:
        payments.booked(state.payments, entry)
    if entry.kind == "TRADE":
        volume.add(account.volumes, entry)
    elif entry.kind == "CORRECTION" and entry.position is not None:
        volume.take_back(account.volumes, entry)
    if entry.kind in ("TRADE", "CORRECTION"):
        account.fills.add(entry.entry_id, FILLS_KEPT)
    elif entry.kind != "TRANSFER":
        account.transfers.add(entry.entry_id, TRANSFERS_KEPT)
    if state.watch.liquidations:
        seizure.booked(state, entry)
        liquidations.booked(state, entry)
    margincalls.booked(state, entry)
    if entry.contract is not None or state.watch.owing:
        margin.booked(state, entry)


def _resolve(state: State, event: EntryBooked | ParkedDismissed) -> None:
    """One parked input less; without any the account is no longer halted."""
    release, queue = event.release, state.halted[event.account_id]
    assert release is not None, "it resolves something"
    left = [one for one in queue if one.event_id != release.parked_event_id]
    assert len(left) == len(queue) - 1 == release.left, "each parked input is resolved once"
    if left:
        state.halted[event.account_id] = left
    else:
        del state.halted[event.account_id]
    state.resolved.add(release, event.meta.event_id)


SERVICE: Final[Service[State]] = Service(
    name="clearing",
    owns=CLEARING_ENTRIES,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    inputs=(ORDERS_EXECUTIONS, ORDERS_DECISIONS, CLEARING_COMMANDS),
    patience_ms=20,
    effects_wait=True,
    tables=True,
    halts_account=True,
    tick_seconds=1.0,
    due=due,
    accounts=books.accounts,
)
