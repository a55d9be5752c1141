"""An account's positions in contracts, as entries leave them and funding moves them.

Clearing books funding with the next entry of a position; until then it is owed all the same. So what margin counts as
not yet paid is what clearing's own margin counts (services/clearing/margining/margin.py: held_by), by the one formula
`truetape.funding.unpaid`.
"""

from msgspec.structs import replace

from services.risk.account import NOBODY, Account, State
from truetape import funding
from truetape.errors import MoneyError
from truetape.margin.account import Held
from truetape.messages import ContractFactTaken, ContractHeld, EntryBooked, FundingAccrued, SidesClosedOut
from truetape.money import MAX_E8
from truetape.service import Input


def held(entry: EntryBooked) -> ContractHeld | None:
    """The position that an entry about a contract leaves."""
    after, booked = entry.position, entry.contract
    if after is None or booked is None:
        return None
    sides = booked.numbers if booked.ids.get("positions") == "HEDGING" else {}
    return ContractHeld(
        after.instrument_id, after.quantity_e8, after.cost_e8, after.realised_e8 - booked.settled_e8,
        sides.get("long_e8", 0), sides.get("short_e8", 0), booked.funding_index_e18,
    )  # fmt: skip


def closed_out(account: Account, event: SidesClosedOut) -> ContractHeld:
    """Both sides of a position are smaller; the position is as it was."""
    name = event.instrument_id
    known = account.contracts.get(name, Held(0, 0, 0))
    index_e18 = account.funded.get(name, "")
    return ContractHeld(
        name, known.quantity_e8, known.cost_e8, known.unpaid_e8, event.long_e8, event.short_e8, index_e18
    )


def accrued(state: State, given: Input, event: ContractFactTaken) -> FundingAccrued | None:
    """A step of funding, which is due on every position from here on."""
    name, index_e18 = event.fact.instrument_id, event.funding_index_e18
    if event.fact.kind != "FUNDING" or state.funding.get(name) == index_e18:
        return None
    return FundingAccrued(given.meta(event.fact.fact_id), name, index_e18, event.fact.fact_id)


def owing(state: State, account_id: str) -> Account:
    """An account as it is margined: with the funding that its positions owe up to the newest index.

    Reckoned when it is asked for, so that a step of funding costs nothing for those who only hold.
    """
    account = state.accounts.get(account_id, NOBODY)
    moved = {name: since for name, since in account.funded.items() if state.funding.get(name, since) != since}
    if not moved:
        return account
    owed = {name: _owed(account.contracts[name], since, state.funding[name]) for name, since in moved.items()}
    return replace(account, contracts=account.contracts | owed)


def _owed(known: Held, since_e18: str, now_e18: str) -> Held:
    try:
        unpaid_e8 = funding.unpaid(known.quantity_e8, known.unpaid_e8, int(since_e18), int(now_e18))
    except MoneyError:  # It can be neither booked nor margined: the largest debt there is lets nothing through.
        unpaid_e8 = -MAX_E8
    return Held(known.quantity_e8, known.cost_e8, unpaid_e8)


# -- for evolve ------------------------------------------------------------------------------------------------------


def move(state: State, event: FundingAccrued) -> None:
    """Every position of the contract owes what the index has moved: `owing` reckons it."""
    state.funding[event.instrument_id] = event.funding_index_e18


def hold(account: Account, after: ContractHeld) -> None:
    """The position that an entry has left."""
    name = after.instrument_id
    for kept in (account.contracts, account.sides, account.funded):
        kept.pop(name, None)
    if after.long_e8 or after.short_e8:
        account.sides[name] = after.long_e8, after.short_e8
    if after.quantity_e8 or after.unpaid_e8:
        account.contracts[name] = Held(after.quantity_e8, after.cost_e8, after.unpaid_e8)
        if after.funding_index_e18:
            account.funded[name] = after.funding_index_e18
