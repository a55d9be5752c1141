"""Dutch auction of all that an account holds in contracts of one settlement asset, in the ledger.

The method is truetape/margin/auction.py; here it meets marks, accounts and time. Home of an auction is the partition of
the account that is sold. A bid is priced there at the moment of its decision, with what the price saw in the record,
and offered to the partition of its bidder as a parcel; there it is taken when his margin reaches what he takes, and the
home books its own side. One bid is decided at a time.

Contracts change hands at their marks, so they move no value. What the bidder gains is money: his part of the account's
value that is not reserved, less what he pays (`Bid.paid`), or what the insurance fund pays him (`Bid.received`).
What the fund may pay is kept for takers in this partition's part; what that lacks, all parts are asked for.
"""

from collections.abc import Callable, Iterator
from math import floor
from typing import Any, Final

from msgspec.structs import replace

from services.clearing.across import parcels
from services.clearing.across.parcels import INSURANCE, contract_leg, mirrored, money_leg
from services.clearing.booking import ledger, trades
from services.clearing.booking.contracts import HOUSE
from services.clearing.closeout.quote import ONE_E18, PARAMETERS, Priced, elapsed, floats, price_e8, priced
from services.clearing.defaults import insurance
from services.clearing.margining import standing
from services.clearing.margining.standing import Standing
from services.clearing.state import AUCTIONS_KEPT, Booking, State
from truetape import ids
from truetape.errors import MarginError, MarginInputInvalid, TruetapeError
from truetape.margin import auction as method
from truetape.margin.models import to_money_e8
from truetape.messages import (
    AuctionBid,
    AuctionChanged,
    BidAuction,
    BookLeg,
    ClearingRefusal,
    ClearingRefused,
    EndAuction,
    Parcel,
    ParcelAnswered,
    ParcelLeg,
    ParcelsAskedAgain,
    RoundRequested,
    StartAuction,
    TakeParcel,
    TellParcel,
)
from truetape.money import ONE_E8, from_e8
from truetape.service import Input
from truetape.transitions import CLOCK, LEDGER, Action, Transitions
from truetape.transitions import HOUSE as THE_HOUSE

KIND: Final = "AUCTION"
ANSWER_WITHIN_US: Final = 60_000_000
"""How long a bidder's partition may take a parcel at the price of the bid."""
PATIENCE_SECONDS: Final = 600.0
"""How long an auction goes on at its last price."""
AUCTIONS_MAX: Final = 1_000
"""Auctions that go on in one partition."""
BIDDER: Final = "bidder"
TRANSITIONS: Final = Transitions(
    "RUNNING",
    {
        "bid": Action((BIDDER,), {"RUNNING": "OFFERED"}, "a part at the price of the moment; his margin is asked"),
        "take": Action((LEDGER,), {"OFFERED": "RUNNING"}, "the bidder's partition has taken it"),
        "refuse": Action((LEDGER,), {"OFFERED": "RUNNING"}, "it has not: margin, a halt, or too late"),
        "convert": Action((CLOCK,), {"RUNNING": "RUNNING"}, "the value is gone: from now on takers are paid"),
        "fund": Action((LEDGER,), {"RUNNING": "RUNNING"}, "all parts of the insurance fund have paid for takers"),
        "end": Action((CLOCK, THE_HOUSE), {"RUNNING": "ENDED"}, "RESTORED, SOLD, UNSOLD, or STOPPED by the house"),
    },
)


def start(state: State, given: Input, command: StartAuction) -> AuctionChanged | ClearingRefused:
    """Open an auction by the house's word, or refuse it by name."""
    if not command.reason.strip():
        return _no(given, command, "REASON_MISSING", "say why: it stands on the tape for ever")
    if command.insurance_e8 < 0:
        return _no(given, command, "NUMBERS_WRONG", "the fund pays nothing or more")
    auction_id = ids.auction_id(command.account_id, command.command_id)
    if auction_id in state.auctions or auction_id in state.auctioned.ids:
        return _no(given, command, "COMMAND_REPEATED", f"auction {auction_id} has begun already")
    if (wrong := unfit(state, command.account_id, command.asset)) is not None:
        return _no(given, command, *wrong)
    try:
        return begun(
            state, given, command.account_id, command.asset, auction_id, forced=command.forced,
            most_e8=command.insurance_e8, detail=command.reason, command_id=command.command_id,
            requested_by=command.requested_by,
        )  # fmt: skip
    except TruetapeError as error:
        return _no(given, command, "STATE_WRONG", str(error))


def unfit(state: State, account_id: str, asset: str) -> tuple[ClearingRefusal, str] | None:
    """Why an account cannot be auctioned now; None when it can."""
    if account_id in state.halted:
        return "ACCOUNT_HALTED", f"see `truetape parked --account {account_id}`"
    if account_id not in state.accounts:
        return "ACCOUNT_UNKNOWN", "it has no history"
    if account_id in state.watch.liquidations:
        return "STATE_WRONG", "it is being liquidated: what that cannot restore is auctioned by itself"
    if running(state, account_id, asset) is not None:
        return "STATE_WRONG", f"its contracts in {asset} are being auctioned already"
    if len(state.auctions) >= AUCTIONS_MAX:
        return "STATE_WRONG", f"{AUCTIONS_MAX} auctions go on in this partition"
    return None


def anybody(given: Input, account_id: str) -> bool:
    """Whether somebody else may bid for an account."""
    reference = given.tables.reference
    return any(name != account_id and reference.trading_state_of(name) == "ACTIVE" for name in reference.accounts)


def running(state: State, account_id: str, asset: str) -> AuctionChanged | None:
    """The auction of an account in an asset that goes on; None without one."""
    return next((one for one in state.auctions.values() if (one.account_id, one.asset) == (account_id, asset)), None)


def begun(
    state: State, given: Input, account_id: str, asset: str, auction_id: str, *, forced: bool, most_e8: int | None,
    detail: str, actor: str = THE_HOUSE, command_id: str = "", requested_by: str = "",
) -> AuctionChanged:  # fmt: skip
    """The record that opens an auction; the fund pays at most `most_e8`, or what it may cost. Raises MarginError when
    there is nothing to sell, or no mark."""
    stands = standing.standing(state, given, account_id, asset)
    if stands is None or not stands.holdings:
        raise MarginInputInvalid(f"{account_id} holds no contract that settles in {asset}")
    opened = method.begin(floats(stands), PARAMETERS, is_forced=forced)
    fee_e8 = to_money_e8(opened.fee, owed=True)
    fee = (money_leg(asset, -fee_e8, ledger.client(account_id), INSURANCE, "INSURANCE_FUND"),) if fee_e8 else ()
    numbers, names = _evidence(stands, 0.0)
    lowest_e8 = to_money_e8(opened.lowest, owed=True)
    kept_e8, wanted_e8 = insurance.backing(state, asset, opened.kind, lowest_e8, most_e8)
    return AuctionChanged(
        meta=given.meta(auction_id), command_id=command_id, account_id=account_id, auction_id=auction_id, asset=asset,
        state="RUNNING", change="BEGUN", actor=actor, kind=opened.kind, forced=forced, begun_at_us=given.at_us,
        fee_e8=fee_e8, lowest_e8=lowest_e8, reserved_e8=0, left_e18=ONE_E18, insurance_e8=kept_e8, legs=fee,
        detail=detail[: trades.REASON_MAX], numbers=numbers, ids=names, requested_by=requested_by, begun_by=actor,
        insurance_wanted_e8=wanted_e8,
    )  # fmt: skip


# -- bids --------------------------------------------------------------------------------------------------------------


def bid(state: State, given: Input, command: BidAuction) -> AuctionChanged | ClearingRefused:
    """Price a bid at this moment and offer it to the bidder's partition, or refuse it by name."""
    known = state.auctions.get(command.auction_id)
    if (wrong := _unfit_bid(state, given, command, known)) is not None:
        return _no(given, command, *wrong)
    assert known is not None, "checked"
    try:
        stands = standing.standing(state, given, known.account_id, known.asset)
        if stands is None or not stands.holdings:
            return _no(given, command, "STATE_WRONG", "nothing is left to take")
        if known.kind == "solvent" and stands.value_e8 <= 0:
            return _no(given, command, "STATE_WRONG", "its value is gone: the auction turns to one that pays takers")
        return _offered(given, command, known, stands)
    except MarginInputInvalid as error:
        return _no(given, command, "STATE_WRONG", str(error))
    except TruetapeError as error:
        return _no(given, command, "TOO_OLD" if isinstance(error, MarginError) else "NUMBERS_WRONG", str(error))


def _unfit_bid(
    state: State, given: Input, command: BidAuction, known: AuctionChanged | None
) -> tuple[ClearingRefusal, str] | None:
    reference, bidder_id = given.tables.reference, command.bidder_id
    name = ids.parcel_id(command.auction_id, command.command_id)
    if name in state.auctioned.ids or name in state.parcels.asked:
        return "COMMAND_REPEATED", "this bid is there already"
    if known is None:
        return "STATE_WRONG", f"auction {command.auction_id} does not go on"
    if bidder_id == known.account_id:
        return "STATE_WRONG", "nobody buys his own account"
    if bidder_id not in reference.accounts:
        return "ACCOUNT_UNKNOWN", f"account {bidder_id} is not open"
    if reference.trading_state_of(bidder_id) != "ACTIVE":
        return "ACCOUNT_HALTED", f"account {bidder_id} may not trade now"
    if known.account_id in state.halted:
        return "ACCOUNT_HALTED", f"see `truetape parked --account {known.account_id}`"
    if known.state != "RUNNING":
        return "STATE_WRONG", "another bid is being decided: bid again"
    return None if 0 < command.wanted_e8 <= ONE_E8 else ("NUMBERS_WRONG", "wanted is above 0 and at most 1")


def _offered(
    given: Input, command: BidAuction, known: AuctionChanged, stands: Standing
) -> AuctionChanged | ClearingRefused:
    seconds = elapsed(known, given.at_us)
    asked_e8 = price_e8(known, stands, given.at_us)
    if command.price_max_e8 is not None and asked_e8 > command.price_max_e8:
        return _no(given, command, "PRICE_OUT_OF_RANGE", f"all of it costs {from_e8(asked_e8)} {known.asset} now")
    found = priced(known, stands, seconds, command.wanted_e8)
    if found is None:
        return _no(given, command, "NUMBERS_WRONG", "that part is less than one lot: ask for more")
    made = _bid(command, known, stands, found)
    if made.received_e8 > known.insurance_e8:
        detail = f"the insurance fund pays at most {from_e8(known.insurance_e8)} {known.asset} more: bid for less"
        if known.insurance_wanted_e8:
            detail += ", or once all its parts have answered"
        return _no(given, command, "INSUFFICIENT_FUNDS", detail)
    numbers, names = _evidence(stands, seconds)
    numbers["price_e8"] = asked_e8
    if known.kind == "solvent":
        numbers["share_e8"] = to_money_e8(method.discount(seconds, PARAMETERS), owed=False)
    return _after(
        given, known, "OFFERED", "OFFERED", command.bidder_id, bid=made, numbers=numbers, ids=names,
        requested_by=command.requested_by,
    )  # fmt: skip


def _bid(command: BidAuction, known: AuctionChanged, stands: Standing, found: Priced) -> AuctionBid:
    """What the bidder gets and gives: contracts at their marks, and what he gains or pays, in one sum.

    Rounded for the account that is sold and for the fund.
    """
    asset, made = known.asset, found.bid
    free_e8 = stands.value_e8 - known.reserved_e8
    share_e8 = floor(free_e8 * found.part)
    paid_e8, received_e8 = to_money_e8(made.paid, owed=True), to_money_e8(made.received, owed=False)
    legs = [
        contract_leg(name, asset, quantity_e8, stands.holdings[name].mark_e8, "AUCTION_TRANSFER")
        for name, quantity_e8 in sorted(found.quantities.items())
    ]
    if gain_e8 := share_e8 - paid_e8 + received_e8:
        legs.append(money_leg(asset, gain_e8, ledger.client(command.bidder_id), HOUSE, "AUCTION_TRANSFER"))
    return AuctionBid(
        command.command_id, command.bidder_id, command.wanted_e8, int(found.part * ONE_E18), paid_e8, received_e8,
        tuple(legs), command.requested_by,
    )  # fmt: skip


def told(state: State, given: Input, command: TellParcel) -> AuctionChanged:
    """The bidder's partition has answered: the account gives what he took, or the auction goes on without him."""
    known = state.auctions[state.parcels.asked[command.parcel_id].subject_id]
    made = known.bid
    assert made is not None and known.state == "OFFERED", "it waits for this answer"
    if command.state != parcels.TAKEN:
        why = f"{command.reason}: {command.detail}"[: trades.REASON_MAX]
        return _after(
            given, known, "RUNNING", "REFUSED", made.bidder_id, command_id=made.bid_id, bid=made, detail=why,
            requested_by=made.requested_by,
        )  # fmt: skip
    return _after(
        given, known, "RUNNING", "TAKEN", made.bidder_id, command_id=made.bid_id, bid=made,
        reserved_e8=known.reserved_e8 + made.paid_e8,
        left_e18=known.left_e18 - known.left_e18 * made.part_e18 // ONE_E18,
        insurance_e8=known.insurance_e8 - made.received_e8, legs=tuple(_given(known, made)),
        requested_by=made.requested_by,
    )  # fmt: skip


def _given(known: AuctionChanged, made: AuctionBid) -> Iterator[ParcelLeg]:
    """The account's side of a bid, and the insurance fund's: with the bidder's, the clearing house is flat."""
    yield from mirrored(made.legs)
    gain_e8 = sum(leg.amount_e8 for leg in made.legs)
    if lost_e8 := gain_e8 - made.received_e8:
        yield money_leg(known.asset, -lost_e8, ledger.client(known.account_id), HOUSE, "AUCTION_TRANSFER")
    if made.received_e8:
        yield money_leg(known.asset, -made.received_e8, INSURANCE, HOUSE, "INSURANCE_FUND")


# -- the end, and time -------------------------------------------------------------------------------------------------


def end(state: State, given: Input, command: EndAuction) -> AuctionChanged | ClearingRefused:
    """The house stops an auction; a bid that is being decided comes first."""
    known = state.auctions.get(command.auction_id)
    if known is None:
        return _no(given, command, "STATE_WRONG", f"auction {command.auction_id} does not go on")
    if known.state != "RUNNING":
        return _no(given, command, "STATE_WRONG", "a bid is being decided: end it after that")
    if not command.reason.strip():
        return _no(given, command, "REASON_MISSING", "say why: it stands on the tape for ever")
    return _after(
        given, known, "ENDED", "STOPPED", THE_HOUSE, command_id=command.command_id, bid=None,
        detail=command.reason[: trades.REASON_MAX], requested_by=command.requested_by,
    )  # fmt: skip


def tick(state: State, given: Input) -> AuctionChanged | ParcelsAskedAgain | RoundRequested | None:
    """What time does to the auctions of this home, one at a time."""
    for name, known in sorted(state.auctions.items()):
        if known.state == "OFFERED":
            if (attempt := parcels.overdue(state, name, given.at_us)) is not None:
                return ParcelsAskedAgain(given.meta(name), known.account_id, name, attempt)
        elif (changed := _funded(state, given, known) or _passed(state, given, known)) is not None:
            return changed
    return next(_handed_over(state, given), None)


def _handed_over(state: State, given: Input) -> Iterator[AuctionChanged]:
    """Auctions of what liquidation could not restore, each begun once."""
    for account_id, failed in sorted(state.watch.handed_over.items()):
        name = ids.auction_id(account_id, failed.liquidation_id)
        if name in state.auctions or name in state.auctioned.ids or unfit(state, account_id, failed.asset) is not None:
            continue
        if not anybody(given, account_id):
            continue
        try:
            yield begun(
                state, given, account_id, failed.asset, name, forced=False, actor=CLOCK, most_e8=None,
                detail=f"liquidation {failed.liquidation_id} ended {failed.outcome}",
            )  # fmt: skip
        except TruetapeError:
            continue  # Nothing to sell, margin is there, or no fresh mark: looked at again with the next tick.


def _funded(state: State, given: Input, known: AuctionChanged) -> AuctionChanged | RoundRequested | None:
    """What this partition's part lacks for takers is asked of all parts, once. When it is there the price begins anew,
    since nobody could be paid it before."""
    wanted_e8 = known.insurance_wanted_e8
    if not wanted_e8 or insurance.waits(state, known.auction_id):
        return None
    asked = insurance.ask(state, given, known.auction_id, known.account_id, known.asset, wanted_e8, "FUND")
    if asked is not None:
        return asked
    more_e8 = insurance.arrived_e8(state, known)
    lacks = f"all parts of the insurance fund together lack {from_e8(wanted_e8 - more_e8)} {known.asset}"
    return _after(
        given, known, "RUNNING", "FUNDED", LEDGER, bid=None, insurance_e8=known.insurance_e8 + more_e8,
        insurance_wanted_e8=0, begun_at_us=given.at_us if more_e8 else known.begun_at_us,
        detail=lacks if more_e8 < wanted_e8 else "",
    )  # fmt: skip


def _passed(state: State, given: Input, known: AuctionChanged) -> AuctionChanged | None:
    """The end of an auction, or its turn to one that pays takers; nothing while it goes on or a mark is missing."""
    try:
        stands = standing.standing(state, given, known.account_id, known.asset)
    except TruetapeError:
        return None
    seconds = elapsed(known, given.at_us)
    if stands is None or not stands.holdings:
        return _after(given, known, "ENDED", "SOLD", CLOCK, bid=None)
    numbers, names = _evidence(stands, seconds)
    if not known.forced and stands.maintenance_e8 >= 0 and floats(stands).buffer_margin(PARAMETERS) >= 0:
        return _after(given, known, "ENDED", "RESTORED", CLOCK, bid=None, numbers=numbers, ids=names)
    solvent = known.kind == "solvent"
    if solvent and stands.value_e8 <= 0:
        return _converted(state, given, known, stands, numbers, names)
    lasts = PARAMETERS.fast_seconds + PARAMETERS.slow_seconds if solvent else PARAMETERS.insolvent_seconds
    if seconds > PATIENCE_SECONDS + lasts and not known.insurance_wanted_e8:
        return _after(given, known, "ENDED", "UNSOLD", CLOCK, bid=None, numbers=numbers, ids=names)
    return None


def _converted(
    state: State, given: Input, known: AuctionChanged, stands: Standing, numbers: dict[str, int], names: dict[str, str]
) -> AuctionChanged:
    """As if it began now: what takers had paid is gone with the value."""
    opened = method.begin(floats(stands), PARAMETERS, is_forced=True)
    lowest_e8 = to_money_e8(opened.lowest, owed=True)
    most_e8 = None if known.begun_by == CLOCK else known.insurance_e8
    kept_e8, wanted_e8 = insurance.backing(state, known.asset, opened.kind, lowest_e8, most_e8)
    return _after(
        given, known, "RUNNING", "CONVERTED", CLOCK, bid=None, kind=opened.kind, begun_at_us=given.at_us,
        lowest_e8=lowest_e8, reserved_e8=0, left_e18=ONE_E18, numbers=numbers, ids=names, insurance_e8=kept_e8,
        insurance_wanted_e8=wanted_e8,
    )  # fmt: skip


# -- numbers -----------------------------------------------------------------------------------------------------------


def _evidence(stands: Standing, seconds: float) -> tuple[dict[str, int], dict[str, str]]:
    numbers, names = standing.evidence(stands)
    buffer_e8 = to_money_e8(floats(stands).buffer_margin(PARAMETERS), owed=False)
    return numbers | {"buffer_e8": buffer_e8, "elapsed_us": round(seconds * 1e6)}, names


def _after(given: Input, known: AuctionChanged, state: str, change: str, actor: str, **changes: Any) -> AuctionChanged:
    """The record of an auction's next state; legs, detail and evidence are of this change alone."""
    fresh: dict[str, Any] = {"legs": (), "detail": "", "numbers": {}, "ids": {}, "command_id": "", "requested_by": ""}
    meta = given.meta(known.auction_id)
    return replace(known, meta=meta, state=state, change=change, actor=actor, **(fresh | changes))


def _no(
    given: Input, command: StartAuction | BidAuction | EndAuction, reason: ClearingRefusal, detail: str
) -> ClearingRefused:
    return trades.refused(given, command.command_id, command.account_id, command, reason, detail)


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: AuctionChanged) -> None:
    """An auction as it is now; its parcel is waited for or answered, and what the account gives is booked next."""
    name, at_us = event.auction_id, event.meta.decided_at_us
    parcel = offered(event)
    if event.change == "OFFERED":
        parcels.ask(state.parcels, name, [parcel], at_us)
    elif event.change in ("TAKEN", "REFUSED"):
        parcels.close(state.parcels, parcel.parcel_id)
        state.auctioned.add(parcel.parcel_id, AUCTIONS_KEPT)
    if event.state == "ENDED":
        state.auctions.pop(name, None)
        state.auctioned.add(name, AUCTIONS_KEPT)
    else:
        state.auctions[name] = event
    whose = f"{parcel.parcel_id}:home" if event.bid is not None else f"{name}:fee"
    booking = Booking(whose, event.account_id, event.account_id, KIND, event.legs, at_us)
    parcels.begin_booking(state, booking)


def offered(event: AuctionChanged) -> Parcel:
    """The parcel of an auction's bid; of a record without one an empty one."""
    made = event.bid
    name, who, legs = (made.bid_id, made.bidder_id, made.legs) if made is not None else ("", "", ())
    expires_at_us = event.meta.decided_at_us + ANSWER_WITHIN_US
    return parcels.parcel_of(event.auction_id, name, who, event.account_id, KIND, legs, expires_at_us)


def shown(known: AuctionChanged) -> dict[str, object]:
    """What an operator sees of an auction."""
    return {
        "auction_id": known.auction_id, "asset": known.asset, "state": known.state, "kind": known.kind,
        "forced": known.forced, "begun_at_us": known.begun_at_us, "reserved_e8": known.reserved_e8,
        "left_e18": known.left_e18, "insurance_e8": known.insurance_e8,
        "insurance_wanted_e8": known.insurance_wanted_e8,
    }  # fmt: skip


RULES: Final[dict[type, Callable[[State, Input, Any], Any]]] = {
    StartAuction: start,
    BidAuction: bid,
    EndAuction: end,
    TakeParcel: parcels.take,
    BookLeg: parcels.book_next,
}
"""Which command leads to which record."""
FOLDS: Final[dict[type, Callable[[State, Any], None]]] = {
    AuctionChanged: changed,
    ParcelAnswered: parcels.answered,
    ParcelsAskedAgain: parcels.asked_again,
}
"""What each record does to the state."""
