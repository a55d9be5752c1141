"""What must hold of contracts in the end, by name: computed from the tape's lines, the venue's fills and what was asked
for, in fractions; nothing here is taken from services/clearing or truetape/contracts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.simulation.contract_margin import accepted_orders_keep_initial_margin
from tests.simulation.derivatives import ASSET, FUTURE, OPTION
from tests.simulation.evidence import Evidence, told
from tests.simulation.invariants import signed
from tests.simulation.reference import ACCOUNTS, PARTITIONS
from tests.simulation.settlement_invariants import netting_pays_what_was_booked_once
from truetape import messages as m
from truetape.money import ONE_E8
from truetape.topics import CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem

Wrong = Iterator[str]
HOUSE, ROUNDING, FEES = "house:clearing", "house:rounding", "house:fees"
HOUSE_PURPOSES: Final[Mapping[str, frozenset[str]]] = {
    HOUSE: frozenset(
        {"principal", "premium", "funding", "variation_margin", "exercise", "expiry", "delivery", "delisting"}
    ),
    ROUNDING: frozenset({"rounding", "premium", "funding", "variation_margin", "exercise"}),
    FEES: frozenset({"house_fee", "settlement_fee"}),
}
"""What each account of the house may move for (docs/ledger.md)."""
MOVING: Final = ("TRADE", "BUST", "AUCTION_TRANSFER", "AUTO_DELEVERAGING", "TEAR_UP")
"""Events that change a position at a price."""


def both_audits_agree(found: Evidence, _: "ContractSystem") -> Wrong:
    """No rule of the audit of production is broken: it computes every entry again, line by line."""
    yield from map(told, found.report.differences)


def contracts_sum_to_zero_and_are_the_exchanges(found: Evidence, system: "ContractSystem") -> Wrong:
    """Positions of each contract sum to zero with the house; the venue's mirror has what the exchange shows."""
    balances = found.balances()
    for name in system.contracts:
        if total := sum(assets[name] for assets in balances.values()):
            yield f"{name}: all positions together are {total}"
        mirror = -sum(assets[name] for account, assets in balances.items() if account.startswith("venue:"))
        if mirror != (there := found.truth.balances_e8.get(name, 0)):
            yield f"{name}: the mirror says {mirror}, the exchange has {there}"


def positions_are_the_sum_of_trades(found: Evidence, system: "ContractSystem") -> Wrong:
    """What an account holds is what it traded at the exchange, with the house and with others, less what was busted;
    and nothing of what has expired."""
    held: Counter[tuple[str, str]] = Counter()
    for account, fills in found.fills_of_account().items():
        for fill in fills:
            held[account, fill.instrument_id] += signed(fill)
    busted = {e.corrects for _, e in found.entries if e.kind == "CORRECTION"}
    for name, one in traded(system).items():
        if name not in busted:
            held[one.account_id, one.instrument_id] += one.quantity_e8 if one.side == "BUY" else -one.quantity_e8
    held.update(system.moved_e8())
    for account in ACCOUNTS:
        for name in system.contracts:
            wanted = 0 if name in (FUTURE, OPTION) else held[account, name]
            if (said := found.balances()[f"client:{account}"][name]) != wanted:
                yield f"{account} should hold {wanted} {name} and holds {said}"


def traded(system: "ContractSystem") -> dict[str, Any]:
    """By entry id, what was traded beside the exchange: sides with the house that were not refused, legs of two."""
    refused = system.refused(m.BookTrade)
    found: dict[str, Any] = {
        one.trade_id: one for one in system.operator.commands(m.BookTrade) if one.command_id not in refused
    }
    return found | {leg.leg_id: leg for event in novations(system) for leg in event.legs}


def novations(system: "ContractSystem") -> list[m.TradeChanged]:
    """Trades of two between which the house has stepped."""
    return [event for event in system.answers(m.TradeChanged) if event.state == "NOVATED"]


def trades_are_booked_once(found: Evidence, system: "ContractSystem") -> Wrong:
    """Each side of each trade beside the exchange is one entry, and each bust that was taken one correction."""
    booked = Counter(
        e.entry_id for _, e in found.entries
        if e.contract is not None and e.contract.event == "TRADE" and e.execution_id is None
    )  # fmt: skip
    if booked != (wanted := Counter(dict.fromkeys(traded(system), 1))):
        yield f"booked too often or unasked: {booked - wanted}; not booked: {wanted - booked}"
    corrected = Counter(e.corrects for _, e in found.entries if e.kind == "CORRECTION")
    if twice := [name for name, count in corrected.items() if count > 1]:
        yield f"taken back twice: {twice}"


def novated_trades_have_two_legs(found: Evidence, system: "ContractSystem") -> Wrong:
    """A trade is novated once, when both sides have told the same; its two legs are opposite and its sides' own."""
    told_by: dict[tuple[str, str], list[m.TradeTerms]] = defaultdict(list)
    for command in system.operator.commands(m.TellTrade):
        told_by[command.terms.reference, command.party_id].append(command.terms)
    novated = novations(system)
    if twice := [name for name, count in Counter(event.trade_id for event in novated).items() if count > 1]:
        yield f"novated twice: {twice}"
    for event in novated:
        terms = event.views[event.first_id]
        for party in (terms.buyer_id, terms.seller_id):
            if terms not in told_by[terms.reference, party]:
                yield f"{event.trade_id} was novated, but {party} has not told {terms}"
        wanted = {(terms.buyer_id, "BUY"), (terms.seller_id, "SELL")}
        legs = {(leg.account_id, leg.side) for leg in event.legs}
        sizes = {(leg.instrument_id, leg.quantity_e8, leg.price_e8) for leg in event.legs}
        if len(event.legs) != 2 or legs != wanted:
            yield f"{event.trade_id} has the legs {event.legs}"
        if sizes != {(terms.instrument_id, terms.quantity_e8, terms.price_e8)}:
            yield f"{event.trade_id}: {terms} became {event.legs}"


def facts_reach_every_partition_once(found: Evidence, system: "ContractSystem") -> Wrong:
    """A fact is taken once by each partition or refused for its time, and facts of a kind in the order of their times;
    all parts of a fact are booked, each once."""
    taken = system.answers(m.ContractFactTaken)
    counts = Counter((event.fact.fact_id, event.meta.cause.partition) for event in taken)
    refused = {
        (e.command_id, e.meta.cause.partition)
        for e in system.answers(m.ClearingRefused)
        if e.reason in ("OUT_OF_ORDER", "CONTRACT_EXPIRED", "NOT_YET_EXPIRED")
    }
    made = {event.fact.fact_id for event in system.priced(m.ContractFixed)}
    for fact_id in made | {one.fact.fact_id for one in system.operator.commands(m.TakeContractFact)}:
        for partition in range(PARTITIONS):
            times = counts[fact_id, partition]
            if times > 1 or (times == 0 and (fact_id, partition) not in refused):
                yield f"{fact_id} was taken {times} times by partition {partition}"
    yield from out_of_order(taken)
    late = {e.entry_id for _, e in found.entries if e.meta.cause.id.count("/") > 1}
    parts = Counter(
        (e.contract.fact_id, e.account_id) for _, e in found.entries
        if e.contract and e.contract.fact_id and e.entry_id not in late
    )  # fmt: skip
    due = Counter((event.fact.fact_id, account) for event in taken for account in event.due)
    if parts != due:
        yield f"due and not booked: {due - parts}, booked and not due: {parts - due}"


def out_of_order(taken: list[m.ContractFactTaken]) -> Wrong:
    """Facts that hold from before the last one of their kind; of funding, which fills gaps, those of a time that is
    charged already."""
    newest: Counter[tuple[int, str, str]] = Counter()
    charged: defaultdict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for event in taken:
        fact, partition = event.fact, event.meta.cause.partition
        if fact.kind == "FUNDING":
            since_us, until_us = fact.effective_at_us - fact.numbers["elapsed_us"], fact.effective_at_us
            spans = charged[partition, fact.instrument_id]
            if any(since_us < end_us and start_us < until_us for start_us, end_us in spans):
                yield f"{fact.fact_id} charges a time that partition {partition} has charged already"
            spans.append((since_us, until_us))
            continue
        key = (partition, fact.instrument_id, fact.kind)
        if fact.effective_at_us <= newest[key]:
            yield f"{fact.fact_id} holds from before the one that partition {partition} has taken already"
        newest[key] = fact.effective_at_us


def what_is_due_is_made_or_missing_once(_: Evidence, system: "ContractSystem") -> Wrong:
    """Everything that pricing said to be due is answered by one record, a fact or its absence, and by its own alone."""
    due = Counter((one.instrument_id, one.kind, one.effective_at_us)
                  for event in system.priced(m.FixingsDue) for one in event.due)  # fmt: skip
    answered = Counter(
        (e.instrument_id, e.fact.kind, e.fact.effective_at_us) for e in system.priced(m.ContractFixed)
    ) + Counter((e.instrument_id, e.kind, e.effective_at_us) for e in system.priced(m.FixingMissing))
    if due != answered or any(count > 1 for count in due.values()):
        yield f"due and not answered: {due - answered}, answered and not due: {answered - due}"


def expiry_leaves_nobody_a_position(found: Evidence, system: "ContractSystem") -> Wrong:
    """What has expired is held by no client, no mirror and not by the house; no order for it is accepted later."""
    for name in (FUTURE, OPTION):
        holders = {account: assets[name] for account, assets in found.balances().items() if assets[name]}
        if holders:
            yield f"{name} has expired, and {holders} hold some"
        expires_at_us = system.contracts[name].terms.expires_at_us or 0
        for order_id, event in found.accepted.items():
            if event.order.instrument_id == name and event.meta.decided_at_us >= expires_at_us:
                yield f"{order_id} for {name} was accepted after its end"


# -- money ------------------------------------------------------------------------------------------------------------


class Running(NamedTuple):
    """An account in one contract: what it holds, what it has paid for it, and what it should have been paid."""

    quantity_e8: int = 0
    spent: Fraction = Fraction()
    margin_e8: int = 0
    funded: Fraction = Fraction()
    funding_e8: int = 0
    reached: Fraction = Fraction()
    """The funding index up to which it has paid."""
    entries: int = 0


def margin_and_funding_are_conserved(found: Evidence, system: "ContractSystem") -> Wrong:
    """What an account was paid as variation margin is its profit at the settlement price, and as funding what its
    position had to get, to the unit for each entry and never more; what is between is in house:rounding."""
    for partition in range(PARTITIONS):
        running: dict[tuple[str, str], Running] = defaultdict(Running)
        index: dict[str, Fraction] = defaultdict(Fraction)
        opened: dict[str, Fraction] = {}
        for event in system.tape(CLEARING_ENTRIES, partition).events():
            if isinstance(event, m.ContractFactTaken) and event.fact.kind == "FUNDING":
                index[event.fact.instrument_id] += _step(event.fact, system)
            elif isinstance(event, m.EntryBooked) and event.contract is not None and event.position is not None:
                key = (event.account_id, event.contract.instrument_id)
                now = index[key[1]]
                opened[event.entry_id] = now
                running[key] = one = _after(running[key], event, now, opened, system)
                yield from _unfair(one, event, key)


def _step(fact: m.ContractFact, system: "ContractSystem") -> Fraction:
    terms = system.contracts[fact.instrument_id].terms
    unit_e8 = Fraction((fact.price_e8 or 0) * terms.multiplier_e8, ONE_E8)
    return Fraction(fact.numbers["rate_e18"] * fact.numbers["elapsed_us"], 10**18 * terms.funding_interval_us) * unit_e8


def _after(
    one: Running, entry: m.EntryBooked, index: Fraction, opened: dict[str, Fraction], system: "ContractSystem"
) -> Running:
    booked, client = entry.contract, f"client:{entry.account_id}"
    assert booked is not None
    paid = Counter[str]()
    for line in entry.lines:
        if line.account == client and line.asset == ASSET:
            paid[line.purpose] += line.amount_e8
    due = -one.quantity_e8 * (index - one.reached) / ONE_E8
    if entry.corrects is not None:
        due += booked.quantity_e8 * -(index - opened[entry.corrects]) / ONE_E8
    moved = booked.quantity_e8 if booked.event in MOVING else 0
    price_e8 = booked.numbers.get("price_e8", 0)
    if entry.corrects is not None:
        price_e8 = next(o.price_e8 for name, o in traded(system).items() if name == entry.corrects)
    multiplier_e8 = system.contracts[booked.instrument_id].terms.multiplier_e8
    return Running(
        one.quantity_e8 + moved,
        one.spent + Fraction(moved * price_e8 * multiplier_e8, ONE_E8**2),
        one.margin_e8 + paid["variation_margin"],
        one.funded + due,
        one.funding_e8 + paid["funding"],
        index,
        one.entries + 1,
    )


def _unfair(one: Running, entry: m.EntryBooked, key: tuple[str, str]) -> Wrong:
    booked = entry.contract
    assert booked is not None
    if not 0 <= one.funded - one.funding_e8 <= one.entries:
        yield f"{key} at {entry.entry_id}: funding paid {one.funding_e8}, due {float(one.funded)}"
    if "variation_margin" in {line.purpose for line in entry.lines}:
        price_e8, multiplier_e8 = booked.numbers["price_e8"], booked.numbers["multiplier_e8"]
        profit = Fraction(one.quantity_e8 * price_e8 * multiplier_e8, ONE_E8**2) - one.spent
        if not -one.entries <= one.margin_e8 - profit <= one.entries:
            yield f"{key} at {entry.entry_id}: variation margin {one.margin_e8}, profit {float(profit)}"


def house_accounts_are_what_they_say(found: Evidence, system: "ContractSystem") -> Wrong:
    """Each account of the house moves for what it is there for alone; rounding never is for the clients."""
    rounding_e8, entries = 0, 0
    for _, entry in found.entries:
        entries += entry.contract is not None
        for line in entry.lines:
            if line.account.startswith("house:") and line.purpose not in system.house_purposes.get(line.account, ()):
                yield f"{entry.entry_id}: {line.account} moves for {line.purpose}"
            rounding_e8 += line.amount_e8 if (line.account, entry.contract is None) == (ROUNDING, False) else 0
    if not 0 <= rounding_e8 <= 3 * entries:
        yield f"rounding of {entries} entries about contracts left {rounding_e8}"


def fees_of_contracts_are_their_rates(found: Evidence, system: "ContractSystem") -> Wrong:
    """The house's fee on a trade in a contract is its rate of price times multiplier, rounded up."""
    for _, entry in found.entries:
        booked = entry.contract
        if booked is None or booked.event != "TRADE":
            continue
        fees = system.reference.fees_of(entry.account_id)
        maker = found.truth.fills[entry.execution_id].maker if entry.execution_id else False
        rate_e8 = fees.maker_rate_e8 if maker else fees.taker_rate_e8
        multiplier_e8 = system.contracts[booked.instrument_id].terms.multiplier_e8
        notional_e8 = -(-abs(booked.quantity_e8) * booked.numbers["price_e8"] * multiplier_e8 // ONE_E8**2)
        due_e8 = -(-notional_e8 * rate_e8 // ONE_E8)
        taken_e8 = sum(line.amount_e8 for line in entry.lines if line.account == FEES)
        if due_e8 != taken_e8:
            yield f"{entry.entry_id}: the house took {taken_e8}, its rate says {due_e8}"


CONTRACTS: Final[Mapping[str, Callable[[Evidence, "ContractSystem"], Wrong]]] = {
    one.__name__.replace("_", " "): one
    for one in (
        contracts_sum_to_zero_and_are_the_exchanges,
        expiry_leaves_nobody_a_position,
        trades_are_booked_once,
        novated_trades_have_two_legs,
        facts_reach_every_partition_once,
        what_is_due_is_made_or_missing_once,
        positions_are_the_sum_of_trades,
        margin_and_funding_are_conserved,
        fees_of_contracts_are_their_rates,
        house_accounts_are_what_they_say,
        accepted_orders_keep_initial_margin,
        netting_pays_what_was_booked_once,
        both_audits_agree,
    )
}
"""All are checked once all is quiet, beside those of every run."""
