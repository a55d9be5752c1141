"""Bugs about contracts by name, for the general invariants to find; in the table with those of bugs.py."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.clearing import core
from services.clearing.across import pursuit
from services.clearing.booking import contracts, facts, netting, payments, pending, trades
from services.clearing.otc import affirmation, bilateral
from services.risk import margin
from tests.simulation.bug import Bug, nothing, rule
from truetape import funding
from truetape import messages as m

_concerned = facts._concerned
_follow = pending.follow
_settle = contracts.settle
_payment = funding.payment
_netted = payments.netted
SHORT_AS_HELD: Final = property(lambda exposure: max(-exposure.held_e8, 0))


def every_second_account(state: Any, fact: m.ContractFact) -> Iterator[str]:
    """A fact reaches every second account."""
    yield from list(_concerned(state, fact))[::2]


def without_mirrors(state: Any, fact: m.ContractFact) -> Iterator[str]:
    """The venue's mirror keeps what has expired."""
    return (account for account in _concerned(state, fact) if account)


def pays_the_holder(quantity_e8: int, settled_e18: int, index_e18: int) -> int:
    """Funding goes the wrong way."""
    return _payment(-quantity_e8, settled_e18, index_e18)


def forgets_the_trade(right: Any, state: Any, given: Any, command: m.BookTrade) -> Any:
    """A side that is told again is booked again."""
    account = state.accounts.get(command.account_id)
    known = command.trade_id in account.fills.ids if account is not None else False
    if known:
        assert account is not None
        account.fills.ids.pop(command.trade_id)
    return right(state, given, command)


def settles_twice(made: Any, price_e8: int) -> None:
    """What was paid before is not remembered."""
    _settle(made, price_e8)
    made.settled_e8 = 0


def at_once_or_never(self: Any, at_us: int) -> bool:
    """What has no answer is not asked for again."""
    return False


def any_order(right: Any, state: Any, given: Any, command: m.TakeContractFact) -> Any:
    """A fact from before the last one is taken as well."""
    listed = state.contracts.get(command.fact.instrument_id)
    if listed is None:
        return right(state, given, command)
    kept = listed.funded_at_us, listed.settled_at_us
    listed.funded_at_us = listed.settled_at_us = 0
    event = right(state, given, command)
    listed.funded_at_us, listed.settled_at_us = kept
    return event


def keeps_what_is_netted(book: Any, event: m.PaymentsNetted) -> None:
    """What was instructed stays due."""
    known = book.get(event.account_id)
    days = dict(known.days) if known is not None else {}
    _netted(book, event)
    if known is not None:
        known.days = days


BUGS_OF_CONTRACTS: Final[Mapping[str, Bug]] = {
    "funding the wrong way": Bug("who should get it pays", ((funding, "payment", pays_the_holder),), True),
    "a fact skips accounts": Bug("every second one", ((facts, "_concerned", every_second_account),), True),
    "mirrors outlive the contract": Bug("at the expiry", ((facts, "_concerned", without_mirrors),), True),
    "late fill outlives the contract": Bug("booked after the end", ((pending, "follow", nothing),), True),
    "side of a trade booked twice": Bug("when it is told twice", rule(core, m.BookTrade, forgets_the_trade), True),
    "profit paid again": Bug("what was paid is forgotten", ((contracts, "settle", settles_twice),), True),
    "facts in any order": Bug("an older one is taken", rule(core, m.TakeContractFact, any_order), True),
    "novated though sides differ": Bug("nobody compares", ((affirmation, "differences", lambda *_: ()),), True),
    "leg not asked for again": Bug(
        "a lost command is lost",
        ((pursuit.Pursuit, "impatient", at_once_or_never), (bilateral, "commands_left", lambda _: ())),
        True,
    ),
    "bust keeps the funding": Bug("since the trade", ((trades, "_give_funding_back", nothing),), True),
    "netted payments stay due": Bug("and are netted again", ((payments, "netted", keeps_what_is_netted),), True),
    "netting runs have one number": Bug("and one instruction", ((netting.Payments, "runs_of", lambda *_: 0),), True),
    "open sells need no margin": Bug("the position alone does", ((margin.Exposure, "short_e8", SHORT_AS_HELD),), True),
}
"""By name."""
