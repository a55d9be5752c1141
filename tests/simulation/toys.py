"""Two small services in a row: each answers input n of an account with one event that holds a running sum.

The sum depends on the order of its terms and on the time of each decision, so a skipped, doubled or swapped input,
or a decision that saw another history than its tape tells, shows in everything after it.
"""

from dataclasses import replace

import msgspec

from truetape.codec import Message
from truetape.messages import (
    AssetChange,
    Began,
    CancelAllOrders,
    CancelOrder,
    Cause,
    CreditUpdated,
    MarkPublished,
    Meta,
    OrderNotRouted,
    RequestTransfer,
    TransferTerms,
)
from truetape.service import Input, Service, Tick
from truetape.topics import ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS

PARTITIONS = 3
INSTRUMENT = "TOY"
MODULUS = (1 << 61) - 1


class Sums(msgspec.Struct):
    """Running sum and number of terms, by account."""

    sums: dict[str, int] = {}
    counts: dict[str, int] = {}


def added(total: int, term: int, at_us: int) -> int:
    """The next sum: not commutative, and different for each decision, as if it had seen another mark."""
    return (total * 31 + term + at_us) % MODULUS


def initial() -> Sums:
    return Sums()


def decide_first(state: Sums, given: Input) -> Message | None:
    """A transfer adds to its account's sum; a single cancel needs no answer; cancelling all is a broken invariant."""
    command = given.message
    assert not isinstance(command, CancelAllOrders), "this service holds no orders"
    if isinstance(command, CancelOrder | Tick):
        return None
    terms: TransferTerms = command.transfer
    total = added(state.sums.get(terms.account_id, 0), terms.amount_e8, given.at_us)
    return CreditUpdated(
        meta=given.meta(terms.transfer_id),
        account_id=terms.account_id,
        entry_id=terms.transfer_id,
        changes=(AssetChange("SUM", total),),
        released_asset=INSTRUMENT,
        released_e8=seen.price_e8 if (seen := given.tables.marks.newest.get(INSTRUMENT)) else 0,
        filled_e8=terms.amount_e8,
    )


def evolve_first(state: Sums, event: Message) -> Sums:
    if isinstance(event, CreditUpdated):
        state.sums[event.account_id] = event.changes[0].amount_e8
        state.counts[event.account_id] = state.counts.get(event.account_id, 0) + 1
    return state


def decide_second(state: Sums, given: Input) -> Message | None:
    """Sums the sums; what else is on the first service's topic needs no answer."""
    credit = given.message
    if not isinstance(credit, CreditUpdated):
        return None
    total = added(state.sums.get(credit.account_id, 0), credit.changes[0].amount_e8, given.at_us)
    return OrderNotRouted(given.meta(credit.entry_id), credit.entry_id, credit.account_id, str(total), ())


def evolve_second(state: Sums, event: Message) -> Sums:
    if isinstance(event, OrderNotRouted):
        state.sums[event.account_id] = int(event.reason)
        state.counts[event.account_id] = state.counts.get(event.account_id, 0) + 1
    return state


COMMANDS = replace(ORDERS_COMMANDS, partitions=PARTITIONS)
FIRST: Service[Sums] = Service(
    "risk",
    replace(ORDERS_DECISIONS, partitions=PARTITIONS),
    initial,
    decide_first,
    evolve_first,
    Sums,
    inputs=(COMMANDS,),
    tables=True,
    tick_seconds=0.5,
)
SECOND: Service[Sums] = Service(
    "router",
    replace(ORDERS_EXECUTIONS, partitions=PARTITIONS),
    initial,
    decide_second,
    evolve_second,
    Sums,
    inputs=(replace(ORDERS_DECISIONS, partitions=PARTITIONS),),
)


def transfer(number: int, account: str, amount_e8: int) -> RequestTransfer:
    terms = TransferTerms(f"{number:032x}", account, "SUM", amount_e8, "bank:x", str(number))
    return RequestTransfer(terms, "key", 0)


def mark(sequence: int) -> Message:
    """What pricing writes in its only epoch: Began, then a mark whose price is its number."""
    meta = Meta(1, sequence, Cause("timer", 0, -1, str(sequence)), 0, f"mark{sequence}", "")
    if sequence == 0:
        return Began(meta, "0")
    return MarkPublished(meta, INSTRUMENT, sequence, sequence, sequence, "alpha", sequence, 0, 0)


def cancel(number: int, account: str) -> CancelOrder:
    return CancelOrder(str(number), account, "none", "key", 0)


def cancel_all(number: int, account: str) -> CancelAllOrders:
    return CancelAllOrders(command_id=str(number), account_id=account, key_id="key", received_at_us=0)
