"""Facts about contracts that concern every account: taken once per partition, then one entry per account, in order.

A fact is one record of an operator or a service, written to every partition. `take` accepts it and lists the accounts
that it concerns; from then on the state itself asks for the next account's entry (`due`), before any other input of
the partition. So a fact reaches everybody exactly once, at one place of the tape, also across a crash. Funding
concerns nobody at once: it moves an index.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from services.clearing.booking import contracts, trades
from services.clearing.booking.contracts import HOUSE, Draft
from services.clearing.state import UNLISTED, Listed, State
from truetape import funding
from truetape.contracts import value
from truetape.cuts import ENDS
from truetape.errors import TruetapeError
from truetape.messages import (
    ApplyContractFact,
    ClearingRefusal,
    ClearingRefused,
    ContractEvent,
    ContractFact,
    ContractFactTaken,
    ContractTerms,
    EntryBooked,
    Instrument,
    Line,
    TakeContractFact,
)
from truetape.money import from_e8
from truetape.service import DUE, Input

MOVES: Final = frozenset({"RENAME", "CONTRACT_SIZE"})
"""Facts that move positions to another contract: an entry into the new one, then one out of the old."""
RESERVED: Final = ("parcel:", "round/", "margin/")
"""How the ids of other things begin that the state asks for."""
AHEAD_MAX_US: Final = 86_400_000_000
"""A fact that holds later than that is a slip: taken, it would bar all earlier ones. Clocks differ by less."""
E10: Final = 10**10
Wrong = tuple[ClearingRefusal, str]


# -- taking a fact ----------------------------------------------------------------------------------------------------


def take(state: State, given: Input, command: TakeContractFact) -> ContractFactTaken | ClearingRefused:
    """A fact counts in this partition from here on, or is refused by name."""
    fact = command.fact
    instrument = given.tables.reference.instruments.get(fact.instrument_id)
    listed = state.contracts.get(fact.instrument_id, UNLISTED)
    if (wrong := _wrong(state, given, fact, instrument, listed)) is not None:
        return trades.refused(given, fact.fact_id, "", command, *wrong)
    assert instrument is not None and instrument.contract is not None, "checked"
    terms = instrument.contract
    try:
        index_e18 = _index_after(fact, terms, listed)
    except TruetapeError as error:
        return trades.refused(given, fact.fact_id, "", command, "RATE_OUT_OF_RANGE", str(error))
    if overlap := _overlap(fact, listed):
        return trades.refused(given, fact.fact_id, "", command, "OUT_OF_ORDER", overlap)
    accounts = tuple(_concerned(state, fact))
    return ContractFactTaken(given.meta(fact.fact_id), fact, terms.multiplier_e8, str(index_e18), accounts)


def _wrong(
    state: State, given: Input, fact: ContractFact, instrument: Instrument | None, listed: Listed
) -> Wrong | None:
    if fact.fact_id in state.facts.ids:
        return "COMMAND_REPEATED", "this partition has taken the fact already"
    if fact.fact_id.startswith(RESERVED):
        return "NUMBERS_WRONG", f"the ids of other things begin with {', '.join(RESERVED)}: choose another fact_id"
    if instrument is None:
        return "INSTRUMENT_UNKNOWN", "define it first"
    if instrument.contract is None:
        return "NOT_A_CONTRACT", "spot has no facts of its own"
    if listed.ended is not None:
        return "CONTRACT_EXPIRED", f"it ended by {listed.ended.fact.fact_id}"
    if (check := _CHECKS.get(fact.kind)) is None:
        return "UNSUPPORTED", f"clearing does not know what to do with {fact.kind}"
    return _price_wrong(fact, instrument.contract) or check(given, fact, instrument, listed) or _ahead(given, fact)


def _ahead(given: Input, fact: ContractFact) -> Wrong | None:
    ahead = fact.effective_at_us > given.at_us + AHEAD_MAX_US
    return ("OUT_OF_ORDER", "it holds more than a day from now: correct the time") if ahead else None


def _price_wrong(fact: ContractFact, terms: ContractTerms) -> Wrong | None:
    if fact.price_e8 is None:
        return "PRICE_MISSING", "say the price; nothing is taken for zero"
    divides = fact.kind == "EXPIRY" and terms.style == "INVERSE"
    worthless = terms.kind == "OPTION" and fact.price_e8 == 0 and not divides
    if fact.price_e8 <= 0 and not (terms.signed_price or worthless):
        return "PRICE_OUT_OF_RANGE", "this contract's price must be above zero"
    if abs(fact.effective_at_us - fact.observed_at_us) > terms.mark_max_age_us:
        return "TOO_OLD", "its newest sample is too far from when it holds: an operator has to decide"
    return None


def _settlement_wrong(_: Input, fact: ContractFact, instrument: Instrument, listed: Listed) -> Wrong | None:
    assert instrument.contract is not None
    if instrument.contract.kind == "OPTION":
        return "UNSUPPORTED", "options have no variation margin: their premium is paid"
    if fact.effective_at_us <= listed.settled_at_us:
        return "OUT_OF_ORDER", "a later settlement price is there already"
    return None


def _funding_wrong(_: Input, fact: ContractFact, instrument: Instrument, listed: Listed) -> Wrong | None:
    assert instrument.contract is not None
    if instrument.contract.kind != "PERPETUAL":
        return "UNSUPPORTED", "only perpetuals have funding"
    if {"rate_e18", "elapsed_us"} - fact.numbers.keys():
        return "NUMBERS_WRONG", "funding needs rate_e18 and elapsed_us"
    if fact.effective_at_us <= listed.funded_at_us and gap_of(listed, fact) is None:
        return "OUT_OF_ORDER", "a later funding step is there already, and no gap that this one would fill"
    return None


def _overlap(fact: ContractFact, listed: Listed) -> str:
    """Why a funding step may not be taken, whose beginning another one covers; empty when it may."""
    until_us = fact.effective_at_us
    if fact.kind != "FUNDING" or not until_us - fact.numbers["elapsed_us"] < listed.funded_at_us < until_us:
        return ""
    return f"funding is there until {listed.funded_at_us}: {until_us - listed.funded_at_us} us are left to charge"


def gap_of(listed: Listed, fact: ContractFact) -> tuple[int, int] | None:
    """The gap that a late step lies in. Its index is a sum, so steps may come in any order, each time once."""
    until_us = fact.effective_at_us
    since_us = until_us - fact.numbers["elapsed_us"]
    return next((gap for gap in listed.gaps if gap[0] <= since_us < until_us <= gap[1]), None)


def _expiry_wrong(given: Input, fact: ContractFact, instrument: Instrument, _: Listed) -> Wrong | None:
    assert instrument.contract is not None
    expires_at_us = instrument.contract.expires_at_us
    if expires_at_us is None:
        return "UNSUPPORTED", "a perpetual does not expire: delist it"
    if fact.effective_at_us != expires_at_us:
        return "NUMBERS_WRONG", f"the fixing must hold at {expires_at_us}, its expiry"
    return ("NOT_YET_EXPIRED", "it has not expired") if given.at_us < expires_at_us else None


def _delisting_wrong(_: Input, fact: ContractFact, instrument: Instrument, listed: Listed) -> Wrong | None:
    return ("STATE_WRONG", "stop trading first: set tradable to false") if instrument.tradable else None


def _move_wrong(given: Input, fact: ContractFact, instrument: Instrument, _: Listed) -> Wrong | None:
    new = given.tables.reference.instruments.get(fact.ids.get("new_instrument_id", ""))
    if new is None or new.contract is None or new.instrument_id == instrument.instrument_id:
        return "INSTRUMENT_UNKNOWN", "ids.new_instrument_id must name another contract: define it first"
    assert instrument.contract is not None
    if instrument.tradable:
        return "STATE_WRONG", "stop trading first: set tradable to false"
    by, per = _ratio(fact)
    if by <= 0 or per <= 0 or (fact.kind == "RENAME" and by != per):
        return "NUMBERS_WRONG", "ratio and ratio_per must be above zero, and equal for a RENAME"
    alike = ("kind", "style", "settlement_asset", "option_type", "expires_at_us")
    if differing := [name for name in alike if getattr(new.contract, name) != getattr(instrument.contract, name)]:
        return "TERMS_DIFFER", f"the new contract has another {', '.join(differing)}"
    if new.contract.multiplier_e8 * by != instrument.contract.multiplier_e8 * per:
        return "TERMS_DIFFER", "ratio new contracts for ratio_per old ones must be worth the same at every price"
    return None


_CHECKS: Final[dict[str, Callable[[Input, ContractFact, Instrument, Listed], Wrong | None]]] = {
    "SETTLEMENT_PRICE": _settlement_wrong,
    "FUNDING": _funding_wrong,
    "EXPIRY": _expiry_wrong,
    "DELISTING": _delisting_wrong,
    "RENAME": _move_wrong,
    "CONTRACT_SIZE": _move_wrong,
}


def _index_after(fact: ContractFact, terms: ContractTerms, listed: Listed) -> int:
    """The funding index after the fact. Raises FundingRefused beyond the cap or the interval."""
    index_e18 = int(listed.funding_index_e18)
    if fact.kind != "FUNDING":
        return index_e18
    assert fact.price_e8 is not None, "checked"
    bounds = funding.FundingTerms(
        period_us=terms.funding_interval_us, cap_e18=terms.funding_cap_rate_e8 * E10,
        interval_max_us=terms.funding_interval_us,
    )  # fmt: skip
    rate_e18, elapsed_us = fact.numbers["rate_e18"], fact.numbers["elapsed_us"]
    of = contracts.contract(terms)
    return funding.step(bounds, of, index_e18, rate_e18, fact.price_e8, elapsed_us).index_e18


def _concerned(state: State, fact: ContractFact) -> Iterator[str]:
    """Accounts that the fact concerns, in order; at the end the house, when the contract ends and mirrors hold some."""
    if fact.kind == "FUNDING":
        return
    name = fact.instrument_id
    times = 2 if fact.kind in MOVES else 1
    for account_id in sorted(state.accounts):
        account = state.accounts[account_id]
        if (position := account.positions.get(name)) is None or (held := account.contracts.get(name)) is None:
            continue
        if position.quantity_e8 or position.realised_e8 != held.settled_e8:
            yield from (account_id,) * times
    if fact.kind in ENDS and any(mirrored(state, name)):
        yield ""


def mirrored(state: State, instrument_id: str) -> Iterator[tuple[str, int]]:
    """Contracts of accounts that are no clients' and not the clearing house's, in order."""
    for name in sorted(state.balances):
        held_e8 = state.balances[name].get(instrument_id, 0)
        if held_e8 and not name.startswith("client:") and name != HOUSE:
            yield name, held_e8


# -- applying it to an account ----------------------------------------------------------------------------------------


def due(state: State) -> tuple[str, ApplyContractFact] | None:
    """What the state itself asks for next, under an id of its own: the next account's part in a fact."""
    if (pending := state.pending) is None:
        return None
    account_id, fact = pending.accounts[pending.done], pending.apply.fact
    asked = replace(pending.apply, account_id=account_id)
    name = f"{fact.fact_id}/{account_id}"
    if fact.kind in MOVES and account_id:
        if pending.accounts[pending.done + 1 : pending.done + 2] == [account_id]:
            asked = replace(asked, instrument_id=fact.ids["new_instrument_id"])
        name += f"/{asked.instrument_id}"
    return f"{name}/{pending.late}" if pending.late else name, asked


def apply(state: State, given: Input, asked: ApplyContractFact) -> EntryBooked:
    """The entry of one account's part in a fact. Raises LedgerError or MoneyError: then it is parked."""
    fact = asked.fact
    instrument = given.tables.reference.instruments.get(asked.instrument_id)
    if instrument is None or instrument.contract is None:
        raise contracts.ContractRefused(f"{asked.instrument_id} is no contract of the reference data any more")
    if not asked.account_id:
        return trades.checked(state, _house(state, given, fact, instrument.contract))
    made = trades.draft_of(state, asked.account_id, asked.instrument_id, instrument.contract, _index(state, asked))
    event, rule = _APPLY[fact.kind](state, made, fact, instrument)
    entry = contracts.entry(
        made, given.meta(fact.fact_id), _entry_id(given, asked), event, "TRANSFER", rule, fact.effective_at_us,
        fact_id=fact.fact_id,
    )  # fmt: skip
    return trades.checked(state, entry)


def _index(state: State, asked: ApplyContractFact) -> int:
    """The funding index at the fact, of the contract whose position changes."""
    if asked.instrument_id == asked.fact.instrument_id:
        return int(asked.funding_index_e18)
    return int(state.contracts.get(asked.instrument_id, UNLISTED).funding_index_e18)


def _entry_id(given: Input, asked: ApplyContractFact) -> str:
    """The fact and the account; that of a late trade too, which makes the fact apply once more."""
    if given.cause.source == DUE:
        return given.cause.id
    return f"{asked.fact.fact_id}/{asked.account_id}/{asked.instrument_id}/{given.cause.offset}"


def _settled(_: State, made: Draft, fact: ContractFact, __: Instrument) -> tuple[ContractEvent, str]:
    assert fact.price_e8 is not None, "checked"
    contracts.settle(made, fact.price_e8)
    return "VARIATION_MARGIN", "settled to the market"


def _expired(state: State, made: Draft, fact: ContractFact, instrument: Instrument) -> tuple[ContractEvent, str]:
    """Last profit first, then fee, then delivery, then the contracts go: margin is free when nothing is owed."""
    assert fact.price_e8 is not None, "checked"
    terms, quantity_e8, price_e8 = made.terms, made.position.quantity_e8, fact.price_e8
    if terms.kind == "OPTION":
        return _exercised(state, made, price_e8, instrument)
    contracts.settle(made, price_e8)
    contracts.charge_settlement(made, quantity_e8, price_e8)
    if terms.delivery == "PHYSICAL" and quantity_e8:
        balances = state.balances.get(made.client, {})
        delivered = contracts.deliver(made, instrument.base, instrument.quote, price_e8, balances)
        contracts.move_out(made, "expiry")
        return ("DELIVERY", "delivered") if delivered else ("EXPIRY", "settled in cash for want of what to deliver")
    contracts.move_out(made, "expiry")
    return "EXPIRY", "settled in cash"


def _exercised(state: State, made: Draft, price_e8: int, instrument: Instrument) -> tuple[ContractEvent, str]:
    quantity_e8 = made.position.quantity_e8
    if made.terms.delivery == "PHYSICAL":
        balances = state.balances.get(made.client, {})
        if contracts.deliver(made, instrument.base, instrument.quote, price_e8, balances):
            contracts.lapse(made, price_e8)
            return _how(made, quantity_e8, price_e8, "delivered")
    contracts.exercise_option(made, price_e8)
    contracts.charge_settlement(made, quantity_e8, price_e8)
    return _how(made, quantity_e8, price_e8, "settled in cash")


def _how(made: Draft, quantity_e8: int, price_e8: int, rule: str) -> tuple[ContractEvent, str]:
    if not contracts.in_the_money(made.terms, price_e8):
        return "EXPIRY", "out of the money"
    return ("EXERCISE" if quantity_e8 > 0 else "ASSIGNMENT"), f"European, automatic, {rule}"


def _delisted(_: State, made: Draft, fact: ContractFact, __: Instrument) -> tuple[ContractEvent, str]:
    assert fact.price_e8 is not None, "checked"
    if made.terms.kind == "OPTION":
        contracts.sell_back(made, fact.price_e8)
    else:
        contracts.close(made, fact.price_e8, "delisting")
    return "DELISTING", "closed at the delisting price"


def _moved(state: State, made: Draft, fact: ContractFact, _: Instrument) -> tuple[ContractEvent, str]:
    """Into the new contract at the old one's cost, then out of the old one; a future's profit is paid on the way out.

    Of a future what is less than a new contract ends at the price, an option that leaves some is refused.
    """
    event: ContractEvent = "RENAME" if fact.kind == "RENAME" else "CONTRACT_SIZE"
    option = made.terms.kind == "OPTION"
    if made.instrument_id == fact.instrument_id:
        if not option:
            assert fact.price_e8 is not None, "checked"
            contracts.settle(made, fact.price_e8)
        contracts.move_out(made, "adjustment")
        return event, "out of the old contract"
    old = state.accounts[made.account_id].positions[fact.instrument_id]
    by, per = _ratio(fact)
    quantity_e8, left = divmod(abs(old.quantity_e8) * by, per)
    if left and option:
        raise contracts.ContractRefused(
            f"{from_e8(old.quantity_e8)} options are no whole number of new ones: close the rest"
        )
    signed_e8 = quantity_e8 if old.quantity_e8 > 0 else -quantity_e8
    contracts.move_in(made, signed_e8, old.cost_e8 if option else _worth(made, fact, signed_e8), "adjustment")
    made.numbers |= {"old_quantity_e8": old.quantity_e8, "ratio": by, "ratio_per": per}
    if option:
        made.settled_e8 = made.position.realised_e8
    return event, "into the new contract"


def _worth(made: Draft, fact: ContractFact, quantity_e8: int) -> int:
    assert fact.price_e8 is not None, "checked"
    made.numbers["price_e8"] = fact.price_e8
    return value(contracts.contract(made.terms), quantity_e8, fact.price_e8, "half_even")


_APPLY: Final[dict[str, Callable[[State, Draft, ContractFact, Instrument], tuple[ContractEvent, str]]]] = {
    "SETTLEMENT_PRICE": _settled,
    "EXPIRY": _expired,
    "DELISTING": _delisted,
    "RENAME": _moved,
    "CONTRACT_SIZE": _moved,
}


def _house(state: State, given: Input, fact: ContractFact, terms: ContractTerms) -> EntryBooked:
    """Contracts of the venues' mirrors end too: they go to the clearing house, which had taken the clients'."""
    made = contracts.draft("", fact.instrument_id, terms, None, contracts.Held())
    by, per = _ratio(fact)
    for name, held_e8 in mirrored(state, fact.instrument_id):
        made.lines += _swap(name, fact.instrument_id, -held_e8)
        if fact.kind in MOVES and (moved_e8 := abs(held_e8) * by // per):
            made.lines += _swap(name, fact.ids["new_instrument_id"], moved_e8 if held_e8 > 0 else -moved_e8)
    made.counterparty = HOUSE
    events: dict[str, ContractEvent] = {"DELISTING": "DELISTING", "RENAME": "RENAME", "CONTRACT_SIZE": "CONTRACT_SIZE"}
    event: ContractEvent = events.get(fact.kind, "EXPIRY")
    entry = contracts.entry(
        made, given.meta(fact.fact_id), given.cause.id, event, "TRANSFER", "mirrors end", fact.effective_at_us,
        fact_id=fact.fact_id,
    )  # fmt: skip
    return replace(entry, position=None)


def _swap(name: str, instrument_id: str, amount_e8: int) -> list[Line]:
    return [Line(name, instrument_id, amount_e8, "expiry"), Line(HOUSE, instrument_id, -amount_e8, "expiry")]


def _ratio(fact: ContractFact) -> tuple[int, int]:
    return fact.numbers.get("ratio", 1), fact.numbers.get("ratio_per", 1)
