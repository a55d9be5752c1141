"""What time does in a partition: each tick is one record at most, and everybody's turn comes."""

from collections.abc import Callable
from typing import Final

from services.clearing.across import requests, rounds
from services.clearing.booking import payments
from services.clearing.closeout import auction, deleveraging
from services.clearing.defaults import default, porting, portingrounds
from services.clearing.margining import marginrun
from services.clearing.otc import bilateral
from services.clearing.state import State
from truetape.codec import Message
from truetape.service import Input, Tick

SECOND_US: Final = 1_000_000
_OTHERS: Final[tuple[Callable[[State, Input, Tick], Message | None], ...]] = (
    bilateral.tick,
    lambda state, given, _: rounds.tick(state, given) or requests.tick(state, given),
    lambda state, given, _: portingrounds.tick(state, given) or default.tick(state, given),
    lambda state, given, _: porting.tick(state, given),
    lambda state, given, _: deleveraging.tick(state, given),
    lambda state, given, _: auction.tick(state, given),
    lambda state, given, _: payments.tick(state.payments, given),
)


def tick(state: State, given: Input, ticked: Tick) -> Message | None:
    """What is due of margin, or else of trades, rounds, defaults, portings, deleveragings, auctions and payments.

    In every other second their turn is before margin's, each first in its own: in a crash, when margin has something
    to say at every tick, defaults are still closed and auctions ended.
    """
    turn = given.at_us // SECOND_US
    first = turn // 2 % len(_OTHERS)
    others = (*_OTHERS[first:], *_OTHERS[:first])
    rules = (*others, marginrun.run) if turn % 2 else (marginrun.run, *others)
    return next((found for rule in rules if (found := rule(state, given, ticked)) is not None), None)
