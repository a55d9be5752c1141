"""How facts move clearing's state: a contract's index and gaps, its end, and whose part of a fact is due next."""

from services.clearing.booking.facts import MOVES, gap_of, mirrored
from services.clearing.state import FACTS_KEPT, GAPS_KEPT, Listed, Pending, State
from truetape.cuts import ENDS
from truetape.messages import ApplyContractFact, ContractBooking, ContractFact, ContractFactTaken, EntryBooked
from truetape.service import DUE


def taken(state: State, event: ContractFactTaken) -> None:
    """The fact is taken: what it says of the contract holds, and its accounts are due."""
    fact = event.fact
    listed = state.contracts.get(fact.instrument_id)
    if listed is None:
        listed = state.contracts[fact.instrument_id] = Listed()
    asked = ApplyContractFact("", fact.instrument_id, fact, event.funding_index_e18)
    if fact.kind == "FUNDING":
        listed.funding_index_e18 = event.funding_index_e18
        _cover(listed, fact)
    elif fact.kind == "SETTLEMENT_PRICE":
        listed.settled_at_us = fact.effective_at_us
    elif fact.kind in ENDS:
        listed.ended = asked
    state.facts.add(fact.fact_id, FACTS_KEPT)
    assert state.pending is None, "a fact is applied before anything else"
    if event.due:
        state.pending = Pending(asked, list(event.due))


def _cover(listed: Listed, fact: ContractFact) -> None:
    """A step of funding covers its time: what it leaves open before it is a gap, and what it fills is none any more."""
    until_us = fact.effective_at_us
    since_us = until_us - fact.numbers["elapsed_us"]
    if until_us > listed.funded_at_us:
        left = [(listed.funded_at_us, since_us)] if listed.funded_at_us else []
        listed.funded_at_us = until_us
    else:
        gap = gap_of(listed, fact)
        assert gap is not None, "a late step fills a gap"
        listed.gaps.remove(gap)
        left = [(gap[0], since_us), (until_us, gap[1])]
    listed.gaps = sorted([*listed.gaps, *(one for one in left if one[0] < one[1])])[-GAPS_KEPT:]


def applied(state: State) -> None:
    """An account's part is booked, or set aside: the next one."""
    pending = state.pending
    assert pending is not None, "something was due"
    pending.done += 1
    if pending.done == len(pending.accounts):
        state.pending = next(iter(pending.then), None)
        if state.pending is not None:
            state.pending.then += pending.then[1:]


def _is_part(entry: EntryBooked, of: ContractBooking, ended: ContractFact) -> bool:
    """Whether an entry is what a contract's end, or a round, has booked itself: a parcel's leg is due too, and is not;
    nor is what another contract's move brings after this one has ended."""
    due = entry.meta.cause.source == DUE and "parcel_id" not in of.ids
    return due and of.fact_id in ("", ended.fact_id)


def follow(state: State, entry: EntryBooked) -> None:
    """A trade that came after its contract had ended, though it was made before: the end applies to it too, on the
    venue's mirror as well."""
    assert entry.contract is not None and entry.position is not None
    name = entry.contract.instrument_id
    listed = state.contracts.get(name)
    if listed is None or listed.ended is None or _is_part(entry, entry.contract, listed.ended.fact):
        return
    if entry.position.quantity_e8 or entry.position.realised_e8 != entry.contract.settled_e8:
        accounts = [entry.account_id] * (2 if listed.ended.fact.kind in MOVES else 1)
        moving = state.pending.apply.fact.instrument_id if state.pending is not None else name  # Its mirrors come too.
        house = [""] if any(mirrored(state, name)) or any(mirrored(state, moving)) else []
        late = Pending(listed.ended, accounts + house, late=entry.entry_id)
        if state.pending is None:
            state.pending = late
        else:
            state.pending.then.append(late)
