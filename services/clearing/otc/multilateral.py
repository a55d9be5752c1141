"""Multilateral compression of bilateral trades: pairs and circles of a contract are replaced by fewer trades, and
nothing but gross notional changes (the arithmetic and its proof are compression.py's).

    GATHERING    a round asks every partition for its open trades of the contract; what is stated is held
    PROPOSED     what would end, what would be left and what is paid; every participant has to accept
    COMPRESSED   all have: the one record with what ended, what is new and the proof; the round tells the partitions
    DECLINED     one did not; EXPIRED: one was silent; NOTHING: there was nothing to compress. Nothing changes

A run is a round (rounds.py) whose decision waits for the participants' word: `CONSENT` says how it stands. All runs
have one home. A partition applies what was decided by the one record that settles the round there (`RoundSettling`).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from services.clearing.across import remainders
from services.clearing.across.kind import Consent, Decision, Kind, Stated
from services.clearing.booking import contracts, payments, trades
from services.clearing.otc import claims, compression, uncleared
from services.clearing.otc.claims import PAID_IN
from services.clearing.otc.compression import Compression, Exposure
from services.clearing.state import RUNS_KEPT, UNLISTED, State
from truetape import calendars, ids
from truetape.claims import OWED
from truetape.contracts import price_of
from truetape.errors import MoneyError, TruetapeError
from truetape.messages import (
    AnswerCompression,
    BilateralChanged,
    BilateralTrade,
    ClearingRefusal,
    ClearingRefused,
    CompressionChanged,
    CompressionPayment,
    ContractTerms,
    EndBilateral,
    RoundAnswered,
    RoundDecided,
    RoundHolding,
    RoundLeg,
    RoundSettling,
    RoundTerms,
    StartCompression,
)
from truetape.money import fits
from truetape.service import Input
from truetape.topics import PARTITIONS
from truetape.transitions import CLOCK, HOUSE

HOME: Final = "house:compression"
"""Home of all runs."""
KIND: Final = "COMPRESSION"
PAYING: Final = f"{KIND}{remainders.SUFFIX}"
"""Rounds that follow, in which the claims of a run are paid."""
RUNS_MAX: Final = 64
"""Runs that may be open at once, each of a contract of its own."""
HELD_MAX: Final = 1_000
"""Trades that one partition states: the first by id. Run again for the rest."""
TRADES_MAX: Final = 1_000
"""Trades that one run looks at: with what is left of them, and a claim for each, they fit into one record."""
WITHIN_US: Final = (60_000_000, 7 * 86_400_000_000)
"""Shortest and longest time to accept."""
PARTICIPANTS_MAX: Final = 500
ENDED: Final = "COMPRESSED"
OPENED: Final = "OPEN"
"""Legs of trades that end, and that stand in their place: what the books have of them is the round's own record."""
_PARTICIPANT: Final = "participant:"
_PAYMENT: Final = "payment:"
_VALUE_DAY: Final = "value_day"
"""Of what a decision of an older version pays: the value date, in days since 1970."""


# -- at home: what is asked -------------------------------------------------------------------------------------------


def start(state: State, given: Input, command: StartCompression) -> CompressionChanged | ClearingRefused:
    """A run begins, or is refused by name."""
    run_id = ids.leg_id("compression", command.command_id)
    terms = _terms(given, command.instrument_id)
    if (wrong := _objection(state, given, command, run_id, terms)) is not None:
        return trades.refused(given, command.command_id, command.account_id, command, *wrong)
    assert terms is not None, "checked"
    return CompressionChanged(
        given.meta(run_id), command.command_id, HOME, run_id, command.instrument_id, terms.settlement_asset,
        "GATHERING", tuple(sorted(set(command.participants))), (), (), (), (), 0, 0,
        given.at_us + command.answer_within_us, HOUSE, "", command.requested_by,
    )  # fmt: skip


def _terms(given: Input, instrument_id: str) -> ContractTerms | None:
    instrument = given.tables.reference.instruments.get(instrument_id)
    return instrument.contract if instrument is not None else None


def _objection(
    state: State, given: Input, command: StartCompression, run_id: str, terms: ContractTerms | None
) -> tuple[ClearingRefusal, str] | None:
    name, runs = command.instrument_id, state.compressions
    if command.account_id != HOME or ids.partition_of(HOME, PARTITIONS) != given.partition:
        return "STATE_WRONG", f"the home of all runs is {HOME}: send it under that name"
    if run_id in runs.open or run_id in runs.ended:
        return "COMMAND_REPEATED", f"it has begun already: compression {run_id}"
    if terms is None:
        return "NOT_A_CONTRACT", f"{name} is no contract of the reference data"
    if not WITHIN_US[0] <= command.answer_within_us <= WITHIN_US[1]:
        return "NUMBERS_WRONG", "participants have between a minute and seven days to accept"
    ends_us = given.at_us + command.answer_within_us
    if state.contracts.get(name, UNLISTED).ended or (
        terms.expires_at_us is not None and ends_us >= terms.expires_at_us
    ):
        return "CONTRACT_EXPIRED", f"{name} ends before participants have answered"
    if running := [one.run_id for one in runs.open.values() if one.instrument_id == name]:
        return "STATE_WRONG", f"compression {running[0]} of {name} is open"
    if len(runs.open) >= RUNS_MAX:
        return "STATE_WRONG", f"{RUNS_MAX} runs are open already"
    return _participants_wrong(given, command)


def _participants_wrong(given: Input, command: StartCompression) -> tuple[ClearingRefusal, str] | None:
    asked = set(command.participants)
    if unknown := sorted(asked - given.tables.reference.accounts.keys()):
        return "ACCOUNT_UNKNOWN", f"account {unknown[0]} is not open"
    if len(asked) == 1 or len(asked) > PARTICIPANTS_MAX:
        return "NUMBERS_WRONG", f"name two to {PARTICIPANTS_MAX} participants, or none for all"
    return None


def answer(state: State, given: Input, command: AnswerCompression) -> CompressionChanged | ClearingRefused:
    """A participant's word: the last one that accepts compresses, the first one that declines ends it."""
    known = state.compressions.open.get(command.run_id)

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    if known is None or known.state != "PROPOSED":
        return no("STATE_WRONG", f"compression {command.run_id} asks nobody now")
    if command.party_id not in known.participants:
        return no("ACCOUNT_UNKNOWN", f"{command.party_id} has no trade in compression {command.run_id}")
    if given.at_us >= known.expires_at_us:
        return no("DEADLINE_PASSED", "its time is over, and all of it falls")
    if command.accepted and command.party_id in known.accepted:
        return no("COMMAND_REPEATED", f"{command.party_id} has accepted already")
    said = replace(
        known, meta=given.meta(known.run_id), command_id=command.command_id, actor=command.party_id,
        requested_by=command.requested_by, detail=command.reason[: trades.REASON_MAX],
    )  # fmt: skip
    if not command.accepted:
        return _bare(replace(said, state="DECLINED"))
    accepted = tuple(sorted({*known.accepted, command.party_id}))
    if len(accepted) < len(known.participants):
        return _bare(replace(said, accepted=accepted))
    return replace(said, accepted=accepted, state="COMPRESSED")


def _bare(event: CompressionChanged) -> CompressionChanged:
    """Without the trades, which the proposal has named and the last word names again."""
    return replace(event, ended=(), left=(), payments=())


def tick(state: State, given: Input) -> CompressionChanged | None:
    """Who was silent for too long makes all of it fall."""
    for _, known in sorted(state.compressions.open.items()):
        if known.state == "PROPOSED" and given.at_us >= known.expires_at_us:
            silent = ", ".join(sorted(set(known.participants) - set(known.accepted)))
            made = replace(
                known, meta=given.meta(known.run_id), command_id="", state="EXPIRED", actor=CLOCK, requested_by="",
                detail=f"no answer of {silent}"[: trades.DETAIL_MAX],
            )  # fmt: skip
            return _bare(made)
    return None


# -- the round of a run -----------------------------------------------------------------------------------------------


def round_of(known: CompressionChanged) -> RoundTerms:
    """The round that gathers a run's trades, and tells the partitions what became of them."""
    asked = {f"{_PARTICIPANT}{number}": name for number, name in enumerate(known.participants)}
    asked[PAID_IN] = known.settlement_asset
    return RoundTerms(known.run_id, KIND, HOME, known.instrument_id, {}, asked, known.requested_by)


def unopened(state: State) -> RoundTerms | None:
    """The round of a run that has just begun."""
    for name, known in sorted(state.compressions.open.items()):
        if known.state == "GATHERING" and name not in state.rounds.homed:
            return round_of(known)
    return None


def _stated(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """Open trades of the contract between participants that no other run holds; of a contract that is over none."""
    book, among = state.uncleared, {name for key, name in terms.ids.items() if key.startswith(_PARTICIPANT)}
    if state.contracts.get(terms.asset, UNLISTED).ended is not None:
        return []
    found = [
        one for name, one in sorted(book.open.items())
        if one.instrument_id == terms.asset and name not in book.held
        and (not among or {one.buyer_id, one.seller_id} <= among)
    ]  # fmt: skip
    return [RoundHolding("", terms.asset, _numbers(one), _names(one)) for one in found[:HELD_MAX]]


def _numbers(one: BilateralTrade) -> dict[str, int]:
    return {"quantity_e8": one.quantity_e8, "price_e8": one.price_e8, "cost_e8": one.cost_e8}


def _names(one: BilateralTrade) -> dict[str, str]:
    return {
        "trade_id": one.trade_id, "home_id": one.home_id, "buyer_id": one.buyer_id, "seller_id": one.seller_id,
        "reference": one.reference, "origin": one.origin,
    }  # fmt: skip


def _trade(asset: str, numbers: dict[str, int], names: dict[str, str]) -> BilateralTrade:
    return BilateralTrade(instrument_id=asset, **numbers, **names)  # type: ignore[arg-type]


class Proposal(NamedTuple):
    """What would end, and what would stand in its place."""

    made: Compression
    ended: tuple[BilateralTrade, ...]
    left: tuple[BilateralTrade, ...]


def proposal(given: Input, terms: RoundTerms, stated: Stated) -> Proposal:
    """The compression of what all partitions have stated: the same whenever it is made of the same. Raises MoneyError
    where costs that come together do not fit."""
    found = [_trade(one.asset, one.numbers, one.ids) for _, one in stated[:TRADES_MAX]]
    made = compression.changed(compression.circular([_exposure(one) for one in found]))
    contract = _terms(given, terms.asset)
    assert contract is not None, "a contract does not leave the reference data"
    known = {one.trade_id: one for one in found}
    ended = tuple(known[one.trade_id] for one in made.ended)
    for one in (*(left.cost_e8 for left in made.left), *(paid.amount_e8 for paid in made.payments)):
        fits(one)
    return Proposal(made, ended, tuple(_left(terms.round_id, contract, one) for one in made.left))


def _exposure(one: BilateralTrade) -> Exposure:
    return Exposure(one.trade_id, one.buyer_id, one.seller_id, one.instrument_id, one.quantity_e8, one.cost_e8)


def _left(run_id: str, contract: ContractTerms, one: Exposure) -> BilateralTrade:
    """A new trade of two accounts: there is one for each pair, and its reference is the run."""
    low, high = sorted((one.long_id, one.short_id))
    return BilateralTrade(
        ids.trade_id(run_id, low, high), low, one.long_id, one.short_id, one.instrument_id, one.quantity_e8,
        _price_e8(contract, one), one.cost_e8, run_id, "COMPRESSION",
    )  # fmt: skip


def _price_e8(contract: ContractTerms, one: Exposure) -> int:
    """The average price that the cost stands for; 0 where it stands for none: the cost is what counts."""
    of = contracts.contract(contract)
    if contract.kind == "OPTION" or (of.payoff == "INVERSE" and one.cost_e8 >= 0):
        return 0
    try:
        return price_of(of, one.quantity_e8, one.cost_e8)
    except MoneyError:
        return 0


def propose(state: State, given: Input, terms: RoundTerms, stated: Stated) -> CompressionChanged:
    """What the participants are asked to accept; NOTHING where nothing would become less."""
    known = replace(
        state.compressions.open[terms.round_id], meta=given.meta(terms.round_id), command_id="", actor=HOUSE,
        requested_by="",
    )  # fmt: skip
    try:
        found = proposal(given, terms, stated)
    except TruetapeError as error:
        return replace(known, state="NOTHING", participants=(), detail=str(error)[: trades.DETAIL_MAX])
    parties = sorted({name for one in found.ended for name in (one.buyer_id, one.seller_id)})
    payments = tuple(
        CompressionPayment(one.participant_id, one.amount_e8, ids.leg_id(terms.round_id, one.participant_id))
        for one in found.made.payments
    )
    return replace(
        known, state="PROPOSED" if found.ended else "NOTHING", participants=tuple(parties), ended=found.ended,
        left=found.left, payments=payments, gross_before_e8=found.made.gross_before_e8,
        gross_after_e8=found.made.gross_after_e8,
    )  # fmt: skip


def consent(state: State, terms: RoundTerms) -> Consent:
    """How a run's round goes on, once every partition has answered."""
    stands = state.compressions.open[terms.round_id].state
    if stands == "GATHERING":
        return "PROPOSE"
    if stands == "PROPOSED":
        return "WAIT"
    return "DECIDE" if stands == "COMPRESSED" else "FALL"


def _decide(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """What ends and what is new, each where its home is, and what participants owe and get of it."""
    found = proposal(given, terms, stated)
    legs = [_leg(ENDED, one) for one in found.ended] + [_leg(OPENED, one) for one in found.left]
    outcome = {"gross_before_e8": found.made.gross_before_e8, "gross_after_e8": found.made.gross_after_e8}
    paid = [one for one in found.made.payments if one.amount_e8]
    legs += [claims.claimed(terms, terms.ids[PAID_IN], one.participant_id, one.amount_e8) for one in paid]
    return Decision(legs, outcome | ({OWED: sum(max(one.amount_e8, 0) for one in paid)} if paid else {}))


def _leg(event: str, one: BilateralTrade) -> RoundLeg:
    where = ids.partition_of(one.home_id, PARTITIONS)
    return RoundLeg(one.trade_id, "", event, one.instrument_id, one.cost_e8, _numbers(one), where, _names(one))


KINDS: Final[Mapping[str, Kind]] = {
    KIND: Kind(_stated, _decide, claims.entry, silent=frozenset({ENDED, OPENED}), consent=consent, propose=propose),
    PAYING: Kind(claims.stated, claims.decide, claims.entry),
}


# -- evolve -----------------------------------------------------------------------------------------------------------


def changed(state: State, event: CompressionChanged) -> None:
    """A run as it stands. The proposal keeps its trades until the round is decided."""
    known, runs = state.compressions.open.get(event.run_id), state.compressions
    if known is not None and known.state == event.state == "PROPOSED":
        event = replace(known, meta=event.meta, accepted=event.accepted, actor=event.actor)
    if event.state == "COMPRESSED":
        compression.prove(_made(event))
    runs.open[event.run_id] = event


def _made(event: CompressionChanged) -> Compression:
    payments = [compression.Payment(one.account_id, event.instrument_id, one.amount_e8) for one in event.payments]
    return Compression(tuple(map(_exposure, event.ended)), tuple(map(_exposure, event.left)), tuple(payments))


def decided(state: State, event: RoundDecided) -> None:
    """A run is over when its round is decided: the round sees to the partitions."""
    runs = state.compressions
    if event.round.kind != KIND:
        return
    del runs.open[event.round.round_id]
    runs.ended[event.round.round_id] = None
    if (forgotten := runs.recent.add(event.round.round_id, RUNS_KEPT)) is not None:
        del runs.ended[forgotten]


def stated(state: State, event: RoundAnswered) -> None:
    """What a partition has stated is held until the round is settled here."""
    if event.round.kind == KIND:
        for one in event.holdings:
            state.uncleared.held[one.ids["trade_id"]] = event.round.round_id


def settling(state: State, event: RoundSettling) -> None:
    """Trades end, and what is left of them stands in their place; all of the round's others are as they were."""
    if event.round.kind != KIND:
        return
    book, name = state.uncleared, event.round.asset
    for leg in event.legs:
        if leg.event not in (ENDED, OPENED):
            continue
        one = _trade(leg.asset, leg.numbers, leg.ids)
        if leg.event == ENDED:
            assert book.open.pop(leg.leg_id) == one and book.held[leg.leg_id] == event.round.round_id
            book.leaving.pop(leg.leg_id, None)
        else:
            book.open[leg.leg_id] = one
    _owed(state, event)
    for trade_id in [one for one, run in book.held.items() if run == event.round.round_id]:
        del book.held[trade_id]
    if state.contracts.get(name, UNLISTED).ended is not None:
        uncleared.drop(state, name)


def _owed(state: State, event: RoundSettling) -> None:
    """A run that an older version has decided: what it pays accounts of this partition falls due outside of the
    ledger."""
    for name, amount_e8 in event.outcome.items():
        account_id = name.removeprefix(_PAYMENT)
        if name.startswith(_PAYMENT) and ids.partition_of(account_id, PARTITIONS) == event.partition:
            day = (calendars.EPOCH + timedelta(days=event.outcome[_VALUE_DAY])).isoformat()
            asset = event.round.ids[PAID_IN]
            payments.owed(state.payments, account_id, asset, day, payments.COMPRESSION, amount_e8)


def shown(known: CompressionChanged) -> dict[str, object]:
    """What an operator sees of a run."""
    return {
        "run_id": known.run_id, "instrument_id": known.instrument_id, "state": known.state,
        "waits_for": sorted(set(known.participants) - set(known.accepted)) if known.state == "PROPOSED" else [],
        "accepted": list(known.accepted), "ends": len(known.ended), "leaves": len(known.left),
        "gross_before_e8": known.gross_before_e8, "gross_after_e8": known.gross_after_e8,
        "expires_at_us": known.expires_at_us,
        "payments": {one.account_id: one.amount_e8 for one in known.payments},
    }  # fmt: skip


RULES: Final[dict[type, Any]] = {
    StartCompression: start,
    AnswerCompression: answer,
    EndBilateral: uncleared.end,
}
FOLDS: Final[dict[type, Any]] = {CompressionChanged: changed, BilateralChanged: uncleared.changed}
