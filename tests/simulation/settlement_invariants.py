"""What must hold of netting runs and of compressions in the end, by name: computed from the tape's lines and from what
was asked for; nothing here is taken from services/clearing or truetape/claims."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.simulation.evidence import Evidence
from tests.simulation.reference import PARTITIONS
from truetape import messages as m
from truetape.topics import CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem
    from tests.simulation.distress import DistressSystem

Wrong = Iterator[str]
PAYMENTS: Final = frozenset(
    {"variation_margin", "funding", "house_fee", "settlement_fee", "liquidation_fee", "compression"}
)
"""Purposes of what an account and the house pay each other for a contract."""
OF_THE_HOUSE: Final = frozenset({"premium", "exercise"})
"""Of these what is not the venue's."""


def netting_pays_what_was_booked_once(found: Evidence, system: "ContractSystem") -> Wrong:
    """What netting runs have instructed of an account and asset, with what is still due, is what entries about
    contracts have paid it; each run of a date has its own number and instruction. A date that others passed begins
    with the second."""
    booked: Counter[tuple[str, str]] = Counter()
    for _, entry in found.entries:
        booked.update(_payments(entry))
    netted, runs, names = Counter[tuple[str, str]](), defaultdict[tuple[str, str, str], list[int]](list), list[str]()
    for event in system.answers(m.PaymentsNetted):
        for one in event.instructions:
            netted[event.account_id, one.asset] += one.amount_e8
            runs[event.account_id, event.value_date, one.asset].append(one.run)
            names.append(one.instruction_id)
    for partition in range(PARTITIONS):
        for account, known in system.tape(CLEARING_ENTRIES, partition).state.payments.items():
            for assets in known.days.values():
                for asset, dues in assets.items():
                    netted[account, asset] += sum(due.received_e8 - due.paid_e8 for due in dues.values())
    for key in booked.keys() | netted.keys():
        if booked[key] != netted[key]:
            yield f"{key} was paid {booked[key]}, and {netted[key]} are netted or due"
    for of, numbers in runs.items():
        if any(later != run + 1 for run, later in pairwise(numbers)) or numbers[0] > 2:
            yield f"{of} was netted in the runs {numbers}"
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        yield f"instructed twice: {twice}"


def _payments(entry: m.EntryBooked) -> Counter[tuple[str, str]]:
    paid: Counter[tuple[str, str]] = Counter()
    if entry.contract is None:
        return paid
    purposes = PAYMENTS if entry.contract.counterparty.startswith("venue:") else PAYMENTS | OF_THE_HOUSE
    for line in entry.lines:
        if line.account == f"client:{entry.account_id}" and line.purpose in purposes:
            paid[entry.account_id, line.asset] += line.amount_e8
    return paid


def compression_leaves_every_net_position(_: Evidence, system: "DistressSystem") -> Wrong:
    """What ends was open, every participant has accepted it, and nobody holds more, less, or against somebody new more
    than before; what costs differ is paid."""
    accepted = Counter(
        (one.run_id, one.party_id) for one in system.operator.commands(m.AnswerCompression) if one.accepted
    )
    known: dict[str, m.BilateralTrade] = {}
    for event in system.answers(m.TradeChanged):
        if event.bilateral is not None:
            known[event.trade_id] = event.bilateral
    for run in system.answers(m.CompressionChanged):
        if run.state != "COMPRESSED":
            continue
        known |= {one.trade_id: one for one in run.left}
        if silent := [who for who in run.participants if not accepted[run.run_id, who]]:
            yield f"{run.run_id} was compressed without the word of {silent}"
        if invented := [one for one in run.ended if known.get(one.trade_id) != one]:
            yield f"{run.run_id} ends {invented}, which nobody has agreed"
        yield from _unfair(run)
    ended = Counter(
        one.trade_id for run in system.answers(m.CompressionChanged) if run.state == "COMPRESSED" for one in run.ended
    )
    if twice := [name for name, count in ended.items() if count > 1]:
        yield f"ended twice: {twice}"


def _unfair(run: m.CompressionChanged) -> Wrong:
    (before, spent), (after, left) = _nets(run.ended), _nets(run.left)
    if any(before[who] != after[who] for who in before | after):
        yield f"{run.run_id} moves positions: {before} became {after}"
    paid = Counter({one.account_id: one.amount_e8 for one in run.payments})
    for who in run.participants:
        if spent[who] != left[who] - paid[who]:
            yield f"{run.run_id}: {who} had spent {spent[who]}, now {left[who]}, and is paid {paid[who]}"
    if paid.total():
        yield f"{run.run_id} pays {paid}, which do not sum to zero"
    grown = _pairs(run.left) - _pairs(run.ended)
    if grown:
        yield f"{run.run_id} gives these pairs more than they had: {grown}"


def _nets(trades: Iterable[m.BilateralTrade]) -> tuple[Counter[str], Counter[str]]:
    """By account, contracts held and what they have cost."""
    held, spent = Counter[str](), Counter[str]()
    for one in trades:
        for who, sign in ((one.buyer_id, 1), (one.seller_id, -1)):
            held[who] += sign * one.quantity_e8
            spent[who] += sign * one.cost_e8
    return held, spent


def _pairs(trades: Iterable[m.BilateralTrade]) -> Counter[tuple[str, str]]:
    """Contracts that one has bought of another."""
    found: Counter[tuple[str, str]] = Counter()
    for one in trades:
        found[one.buyer_id, one.seller_id] += one.quantity_e8
    return found


def claims_are_paid_by_who_owes_them(found: Evidence, system: "DistressSystem") -> Wrong:
    """What an account has of claims, with what was paid for them in cash, is what compressions have promised it; and
    nobody is paid before others have paid in."""
    promised = Counter(
        {
            (one.account_id, run.run_id): one.amount_e8
            for run in system.answers(m.CompressionChanged) if run.state == "COMPRESSED"
            for one in run.payments if one.amount_e8
        }
    )  # fmt: skip
    told, open_e8 = Counter[tuple[str, str]](), Counter[str]()
    for _, entry in found.entries:
        if entry.contract is None or entry.contract.counterparty != "house:compression":
            continue
        run_id = entry.contract.ids["round_id"].partition("/")[0]
        for line in entry.lines:
            if line.account in (f"claim:{entry.account_id}", f"client:{entry.account_id}"):
                told[entry.account_id, run_id] += line.amount_e8
            if line.account.startswith("claim:"):
                open_e8[run_id] += line.amount_e8
    for key in promised.keys() | told.keys():
        if promised[key] != told[key]:
            yield f"{key} was promised {promised[key]}, and has {told[key]} in claims and cash"
    for run_id, left_e8 in open_e8.items():
        if left_e8 < 0:
            yield f"{run_id} has paid out {-left_e8} more than came in"
