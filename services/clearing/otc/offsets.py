"""Compression of an account's open legs in a contract, by command: one leg is left, or none, and nothing but gross
notional has changed. The account's position is what it was, since it was net all along; only its legs are fewer.
"""

from collections.abc import Sequence

from services.clearing.booking import trades
from services.clearing.booking.contracts import HOUSE, contract
from services.clearing.otc import moves
from services.clearing.otc.compression import Compression, Exposure, offset
from services.clearing.state import OpenLeg, State
from truetape import ids
from truetape.contracts import price_of
from truetape.messages import (
    ClearingRefusal,
    ClearingRefused,
    CompressLegs,
    ContractTerms,
    LegsCompressed,
    TradeLeg,
)
from truetape.service import Input


def compress(state: State, given: Input, command: CompressLegs) -> LegsCompressed | ClearingRefused:
    """Make one leg of all that are open and not about to move."""
    name, account_id = command.instrument_id, command.account_id
    instrument = given.tables.reference.instruments.get(name)

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, account_id, command, reason, detail)

    if instrument is None or instrument.contract is None:
        return no("NOT_A_CONTRACT", f"{name} is no contract of the reference data")
    moving = {one.event.leg.leg_id for one in state.moves.values()}
    opened = state.legs.open.get(account_id, {})
    chosen = [leg for _, leg in sorted(opened.items()) if leg.instrument_id == name and leg.leg_id not in moving]
    if len(chosen) < 2:
        return no("STATE_WRONG", f"{account_id} has {len(chosen)} legs of {name} that could be compressed")
    made = offset([_exposure(leg, account_id) for leg in chosen], account_id, HOUSE)
    left = tuple(_left(made, command, instrument.contract))
    quantity_e8, cost_e8 = (sum(getattr(leg, field) for leg in chosen) for field in ("quantity_e8", "cost_e8"))
    return LegsCompressed(
        given.meta(command.command_id), command.command_id, account_id, name,
        tuple(moves.shown(leg, account_id) for leg in chosen), left, made.gross_before_e8, made.gross_after_e8,
        quantity_e8, cost_e8, cost_e8 - sum(leg.cost_e8 or 0 for leg in left), command.requested_by,
    )  # fmt: skip


def _exposure(leg: OpenLeg, account_id: str) -> Exposure:
    if leg.quantity_e8 > 0:
        return Exposure(leg.leg_id, account_id, HOUSE, leg.instrument_id, leg.quantity_e8, leg.cost_e8)
    return Exposure(leg.leg_id, HOUSE, account_id, leg.instrument_id, -leg.quantity_e8, -leg.cost_e8)


def _left(made: Compression, command: CompressLegs, terms: ContractTerms) -> Sequence[TradeLeg]:
    """What stands in their place, as the account's leg at its average price."""
    found = []
    for one in made.left:
        bought = one.long_id == command.account_id
        price_e8 = price_of(contract(terms), one.quantity_e8, one.cost_e8)
        found.append(
            TradeLeg(
                ids.leg_id(command.account_id, command.command_id), command.account_id, one.instrument_id,
                "BUY" if bought else "SELL", one.quantity_e8, price_e8, one.cost_e8 if bought else -one.cost_e8,
            )
        )  # fmt: skip
    return found


def compressed(state: State, event: LegsCompressed) -> None:
    """Legs end, and what is left of them stands in their place; asserted once more that the net is as before."""
    opened = state.legs.open[event.account_id]
    gone = [opened.pop(leg.leg_id) for leg in event.ended]
    left = [
        OpenLeg(
            leg.leg_id, event.command_id, leg.instrument_id, leg.quantity_e8 if leg.side == "BUY" else -leg.quantity_e8,
            leg.cost_e8 or 0, leg.price_e8,
        )
        for leg in event.left
    ]  # fmt: skip
    assert sum(one.quantity_e8 for one in gone) == sum(one.quantity_e8 for one in left) == event.net_quantity_e8
    assert sum(one.cost_e8 for one in gone) == event.net_cost_e8
    assert sum(one.cost_e8 for one in left) + event.ended_cost_e8 == event.net_cost_e8
    opened |= {one.leg_id: one for one in left}
