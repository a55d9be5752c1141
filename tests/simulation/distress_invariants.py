"""What must hold of calls, liquidations, auctions, the insurance fund, defaults and rounds in the end, by name:
computed from the tape alone; nothing here is taken from services/clearing or truetape/default."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.derivatives import ASSET
from tests.simulation.distress_margin import (
    no_order_of_a_liquidation_does_more_than_reduce,
    no_order_of_a_liquidation_makes_margin_worse,
)
from tests.simulation.evidence import Evidence, is_end
from tests.simulation.reference import ACCOUNTS, PARTITIONS
from tests.simulation.settlement_invariants import (
    claims_are_paid_by_who_owes_them,
    compression_leaves_every_net_position,
)
from truetape import ids
from truetape import messages as m
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

if TYPE_CHECKING:
    from tests.simulation.distress import DistressSystem

Wrong = Iterator[str]
INSURANCE, DEFAULT, CAPITAL = "house:insurance", "house:default", "house:capital"
LIQUIDATION: Final = "liquidation-"
AFTER: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"CALLED"}),
    "CALLED": frozenset({"CALLED", "ACKNOWLEDGED", "DISPUTED", "MISSED", "MET", "WITHDRAWN"}),
    "ACKNOWLEDGED": frozenset({"ACKNOWLEDGED", "DISPUTED", "MISSED", "MET", "WITHDRAWN"}),
    "DISPUTED": frozenset({"DISPUTED", "ACKNOWLEDGED", "MISSED", "MET", "WITHDRAWN"}),
    "MISSED": frozenset({"MISSED", "MET", "WITHDRAWN", "DEFAULT"}),
}
"""What may follow each state of a call."""
FINAL: Final = frozenset({"MET", "WITHDRAWN", "DEFAULT"})
UNBOOKED: Final = ("COMPRESSED", "OPEN")
"""Legs about trades that are outside of the ledger."""
LOST: Final = ("HOUSE_CAPITAL", "OTHERS_FUND", "ASSESSMENTS", "HAIRCUT", "TEAR_UP")
"""Layers that get back what comes in later; last of all the share of a member that answered for its client."""


# -- calls and liquidations -------------------------------------------------------------------------------------------


def each_call_ends(found: Evidence, system: "DistressSystem") -> Wrong:
    """Every call comes to MET, WITHDRAWN or DEFAULT by steps that its table has; what is paid is what was booked for
    it, and one that ends in DEFAULT declares one."""
    calls: dict[str, m.MarginCallChanged] = {}
    for event in system.answers(m.MarginCallChanged):
        before = calls.get(event.call_id)
        if event.state not in AFTER.get(before.state if before is not None else "", ()):
            yield f"{event.call_id} went from {before} to {event.state}"
        if event.state == "MISSED" and event.action == "pass_deadline" and event.meta.decided_at_us < event.due_at_us:
            yield f"{event.call_id} was missed before {event.due_at_us}: {event.meta.decided_at_us}"
        if (event.state == "MET") != (event.paid_e8 == event.amount_e8):
            yield f"{event.call_id}: {event.state} with {event.paid_e8} of {event.amount_e8} paid"
        calls[event.call_id] = event
    declared = {event.account_id for event in system.answers(m.DefaultChanged)}
    for call in calls.values():
        if call.state not in FINAL:
            yield f"{call.call_id} is still {call.state}"
        if call.state == "DEFAULT" and call.account_id not in declared:
            yield f"{call.call_id} ended in default, and none was declared for {call.account_id}"
    yield from _paid_with_deposits(found, calls)


def _paid_with_deposits(found: Evidence, calls: Mapping[str, m.MarginCallChanged]) -> Wrong:
    paid_e8: Counter[str] = Counter()
    for _, entry in found.entries:
        mine = (f"client:{entry.account_id}", ASSET)
        if entry.kind == "DEPOSIT":
            came_in = (line.amount_e8 for line in entry.lines if (line.account, line.asset) == mine)
            paid_e8[entry.account_id] += sum(came_in)
    for account in ACCOUNTS:
        if (met := sum(call.paid_e8 for call in calls.values() if call.account_id == account)) > paid_e8[account]:
            yield f"{account}: {met} was booked for calls, {paid_e8[account]} came in"


def liquidations_sell_one_order_at_a_time(found: Evidence, system: "DistressSystem") -> Wrong:
    """No order is named before all that became of the one before it is booked, and none after the end."""
    for partition in range(PARTITIONS):
        last: dict[str, str] = {}
        for event in system.tape(CLEARING_ENTRIES, partition).events():
            match event:
                case m.LiquidationChanged() if event.order is not None and event.state == "SELLING":
                    last[event.account_id] = event.order.order_id
                case m.LiquidationEnded():
                    last.pop(event.account_id, None)
                case m.EntryBooked(kind="TRADE") if _of_liquidation(found, event):
                    if event.order_id != (now := last.get(event.account_id)):
                        yield f"{event.entry_id} of {event.order_id} was booked when {now} was out"


def _of_liquidation(found: Evidence, entry: m.EntryBooked) -> bool:
    accepted = found.accepted.get(entry.order_id or "")
    return accepted is not None and _ours(accepted.order)


def _ours(order: m.OrderTerms) -> bool:
    return order.client_order_id.startswith(LIQUIDATION)


def whoever_is_liquidated_takes_no_orders_of_his_own(found: Evidence, system: "DistressSystem") -> Wrong:
    """From the record that closes an account to the one that opens it, risk accepts the liquidation's orders alone, and
    those at no other time; it is refused for a liquidation at no other time; and in the end it is open if clearing says
    so."""
    for partition in range(PARTITIONS):
        closed: dict[str, str] = {}
        for event in system.tape(ORDERS_DECISIONS, partition).events():
            match event:
                case m.CancelRequested() if event.liquidation_id:
                    closed[event.account_id] = event.liquidation_id
                case m.RestrictionEnded() if event.liquidation_id:
                    closed.pop(event.account_id, None)
                case m.OrderAccepted():
                    if _ours(event.order) != (event.order.account_id in closed):
                        yield f"{event.order.order_id} was accepted, closed are {closed}"
                case m.OrderRejected(reason="TRADING_REDUCING"):
                    if event.numbers.get("liquidation") and event.order.account_id not in closed:
                        yield f"{event.order.order_id} was refused for a liquidation that does not run"
        watch = system.tape(CLEARING_ENTRIES, partition).state.watch
        running = {account: one.liquidation_id for account, one in watch.liquidations.items()}
        if closed != running:
            yield f"risk has closed {closed}, clearing liquidates {running}"


# -- the insurance fund -----------------------------------------------------------------------------------------------


def the_insurance_fund_is_what_came_in_less_what_went_out(found: Evidence, system: "DistressSystem") -> Wrong:
    """Fees and money of the house come in, losses and takers of insolvent accounts are paid: never more than a
    partition's part has, whoever else's loss it pays for."""
    left: Counter[tuple[int, str]] = Counter()
    moved: Counter[str] = Counter()
    paid_e8 = 0
    for part, entry in found.entries:
        for line in entry.lines:
            if line.account.startswith("client:") and line.purpose == "insurance":
                paid_e8 += line.amount_e8
            if line.account != INSURANCE:
                continue
            key = (part.partition, line.asset)
            left[key] += line.amount_e8
            moved[line.purpose] += line.amount_e8
            if left[key] < 0:
                yield f"{entry.entry_id} leaves the insurance fund of {part.partition} with {left[key]}"
            if line.purpose == "liquidation_fee" and line.amount_e8 <= 0:
                yield f"{entry.entry_id}: a fee of {line.amount_e8}"
    ended = system.answers(m.LiquidationEnded)
    fees_e8, covered_e8 = sum(event.fees_e8 for event in ended), sum(event.covered_e8 for event in ended)
    if (fees_e8, paid_e8) != (moved["liquidation_fee"], -moved["insurance"]) or covered_e8 > paid_e8:
        yield f"liquidations say {fees_e8} of fees, {covered_e8} covered; {paid_e8} was paid, moved {dict(moved)}"


# -- defaults and rounds ----------------------------------------------------------------------------------------------


def losses_are_borne_in_order(found: Evidence, system: "DistressSystem") -> Wrong:
    """What a round decides sums to its loss; no layer pays before the one above it is empty, nobody pays more than he
    stated, and within a layer in proportion to the unit."""
    stated: dict[str, list[m.RoundHolding]] = defaultdict(list)
    for event in system.answers(m.RoundAnswered):
        stated[event.round.round_id] += event.holdings
    for event in system.answers(m.RoundDecided):
        terms = event.round
        if terms.kind not in ("WATERFALL", "HAIRCUT") or event.detail:
            continue
        loss_e8 = terms.numbers["loss_e8"]
        if sum(event.outcome.values()) != loss_e8:
            yield f"{terms.round_id}: {event.outcome} for a loss of {loss_e8}"
        left_e8 = loss_e8
        for layer, holds in layers(terms, stated[terms.round_id]):
            names = {name: name.split("/", 1)[1] for name in event.outcome if name.startswith(f"{layer}/")}
            paid = {who: event.outcome[name] for name, who in names.items() if who in holds}
            due_e8 = min(left_e8, sum(holds.values()))
            if sum(paid.values()) != due_e8:
                yield f"{terms.round_id}: {layer} pays {paid}, due is {due_e8} of {holds}"
            for name, e8 in paid.items():
                exact = due_e8 * holds.get(name, 0) // max(sum(holds.values()), 1)
                if not 0 < e8 <= holds.get(name, 0) or abs(e8 - exact) > 1:
                    yield f"{terms.round_id}: {name} pays {e8} in {layer} and holds {holds.get(name)}"
            left_e8 -= sum(paid.values())
        if left_e8 != event.outcome.get("uncovered_e8"):
            yield f"{terms.round_id}: {left_e8} is left, said is {event.outcome}"


def recoveries_go_to_who_lost_last(found: Evidence, system: "DistressSystem") -> Wrong:
    """What comes back pays what is uncovered, then the layers from the last to the first, each whole before the next;
    nobody gets more than he lost."""
    for event in system.answers(m.RoundDecided):
        if event.round.kind != "RECOVERY" or event.detail:
            continue
        lost, back = event.round.numbers, event.outcome
        left_e8 = sum(back.values()) - back.get("uncovered_e8", 0)
        if left_e8 and back.get("uncovered_e8", 0) != lost.get("uncovered_e8", 0):
            yield f"{event.round.round_id}: {back} of {lost}"
        guarantor = event.round.ids.get("member_id", "")
        shared = [f"DEFAULTER_FUND/{guarantor}"] if guarantor else []
        for layer in [*(f"{one}/" for one in reversed(LOST)), *shared]:
            due_e8 = min(left_e8, sum(e8 for name, e8 in lost.items() if name.startswith(layer)))
            paid_e8 = sum(e8 for name, e8 in back.items() if name.startswith(layer))
            if paid_e8 != due_e8 or any(e8 > lost.get(name, 0) for name, e8 in back.items()):
                yield f"{event.round.round_id}: {layer} gets {paid_e8} and should get {due_e8}: {back} of {lost}"
            left_e8 -= paid_e8


def layers(terms: m.RoundTerms, stated: Sequence[m.RoundHolding]) -> Iterator[tuple[str, dict[str, int]]]:
    """The layers of a round, with who has what in each."""
    who = terms.ids["account_id"]
    if terms.kind == "HAIRCUT":
        gains: Counter[str] = Counter()
        for one in stated:
            gains[one.account_id] += one.numbers.get("gain_e8", 0)
        yield "HAIRCUT", dict(gains)
        return
    guarantor = terms.ids.get("member_id", "")
    members = [one for one in stated if one.account_id not in ("", who) and "fund_e8" in one.numbers]
    others = [one for one in members if one.account_id != guarantor]
    own = [one for one in stated if one.account_id == who and "fund_e8" in one.numbers]
    yield "DEFAULTER_MARGIN", {who: terms.numbers["margin_e8"]}
    yield "DEFAULTER_FUND", {one.account_id: one.numbers["fund_e8"] for one in own}
    if guarantor:
        share = {one.account_id: one.numbers["fund_e8"] for one in members if one.account_id == guarantor}
        yield "DEFAULTER_FUND", share
    yield "HOUSE_CAPITAL", {"house": sum(one.numbers.get("capital_e8", 0) for one in stated if not one.account_id)}
    yield "OTHERS_FUND", {one.account_id: one.numbers["fund_e8"] for one in others}
    yield "ASSESSMENTS", {one.account_id: one.numbers["assessment_max_e8"] for one in members}


def rounds_end_everywhere(found: Evidence, system: "DistressSystem") -> Wrong:
    """Each round that was opened is decided once, on the answers of all, settled once by each partition and confirmed
    by each; and none is left over anywhere."""
    opened = [event.round.round_id for event in system.answers(m.RoundOpened)]
    decided = Counter(event.round.round_id for event in system.answers(m.RoundDecided))
    if Counter(opened) != decided:
        yield f"opened {Counter(opened) - decided} and not decided, or decided twice: {decided - Counter(opened)}"
    kinds: tuple[type[Any], ...] = (m.RoundAnswered, m.RoundSettled, m.RoundConfirmed)
    for kind in kinds:
        times = Counter((_round_of(event), _partition_of(event)) for event in system.answers(kind))
        if times != Counter((name, partition) for name in opened for partition in range(PARTITIONS)):
            yield f"{kind.__name__}: {times}, opened are {opened}"


def _round_of(event: Any) -> str:
    name: str = event.round.round_id if isinstance(event, m.RoundAnswered) else event.round_id
    return name


def _partition_of(event: Any) -> int:
    partition: int = event.partition
    return partition


def legs_are_booked_once_and_in_order(found: Evidence, system: "DistressSystem") -> Wrong:
    """What a round decides for a partition, and what a parcel hands over, is booked there as it says: each leg once, in
    its order."""
    booked: dict[int, list[str]] = defaultdict(list)
    for part, entry in found.entries:
        booked[part.partition].append(entry.entry_id)
    places = {p: {name: at for at, name in enumerate(names)} for p, names in booked.items()}
    counts = {p: Counter(names) for p, names in booked.items()}
    for partition, names in wanted_legs(system):
        for name in names:
            if counts.get(partition, Counter())[name] != 1:
                yield f"{name} is booked {counts.get(partition, Counter())[name]} times in {partition}"
        order = [places.get(partition, {}).get(name, -1) for name in names]
        if order != sorted(order):
            yield f"{names} were booked in another order: {order}"


def wanted_legs(system: "DistressSystem") -> Iterator[tuple[int, list[str]]]:
    """Entries that rounds and parcels ask for: partition and ids, in order."""
    for event in system.answers(m.RoundDecided):
        for partition in range(PARTITIONS):
            yield (
                partition,
                [leg.leg_id for leg in event.legs if leg.partition == partition and leg.event not in UNBOOKED],
            )
    for event in system.answers(m.ParcelAnswered):
        if event.state == "TAKEN" and not event.repeated:
            names = [f"{event.parcel.parcel_id}/{n}" for n in range(len(event.parcel.legs))]
            yield ACCOUNTS[event.parcel.account_id], names
    for event in system.answers(m.DeleveragingChanged):
        for part in event.parts if event.change == "TAKEN" else ():
            yield ACCOUNTS[event.account_id], [f"{part.parcel_id}:home/{n}" for n in range(len(event.legs))]
    for event in system.answers(m.AuctionChanged):
        name = f"{event.auction_id}:fee"
        if event.bid is not None:
            name = f"{ids.parcel_id(event.auction_id, event.bid.bid_id)}:home"
        yield ACCOUNTS[event.account_id], [f"{name}/{n}" for n in range(len(event.legs))]


def what_changes_hands_leaves_the_clearing_house_flat(found: Evidence, system: "DistressSystem") -> Wrong:
    """Both sides of a bid, over all partitions: contracts and money of house:clearing sum to zero, the sum that the
    insurance fund pays included; so do the legs of a novated trade."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for _, entry in found.entries:
        if entry.contract is None:
            continue
        name = entry.contract.ids.get("parcel_id", "").removesuffix(":home")
        for line in entry.lines:
            if name and line.account == "house:clearing" and line.purpose in ("principal", "premium", "auction"):
                sums[name][line.asset] += line.amount_e8
    for name, assets in sums.items():
        if any(assets.values()):
            yield f"{name} leaves house:clearing with {dict(assets)}"


def house_default_is_what_nobody_has_borne(found: Evidence, system: "DistressSystem") -> Wrong:
    """Over all partitions minus its balance is the sum of what is uncovered; shares and capital are never below zero,
    and nobody owes less than nothing of an assessment."""
    newest = {event.default_id: event for event in system.answers(m.DefaultChanged)}
    uncovered_e8 = sum(event.uncovered_e8 for event in newest.values() if event.state in ("COVERED", "UNCOVERED"))
    balances = found.balances()
    if -balances[DEFAULT][ASSET] != uncovered_e8:
        yield f"{DEFAULT} has {balances[DEFAULT]}, uncovered is {uncovered_e8}: {newest}"
    running: Counter[tuple[str, str]] = Counter()
    for _, entry in found.entries:
        for line in entry.lines:
            running[line.account, line.asset] += line.amount_e8
            now_e8 = running[line.account, line.asset]
            if (line.account.startswith("fund:") or line.account == CAPITAL) and now_e8 < 0:
                yield f"{entry.entry_id} leaves {line.account} with {now_e8}"
            if line.account.startswith("assessment:") and now_e8 > 0:
                yield f"{entry.entry_id} leaves {line.account} with {now_e8}"
    for event in newest.values():
        borne_e8 = sum(step.amount_e8 for step in event.steps) + event.uncovered_e8 + event.recovered_e8
        if event.state in ("COVERED", "UNCOVERED", "ENDED") and event.loss_e8 and borne_e8 != event.loss_e8:
            yield f"{event.default_id}: a loss of {event.loss_e8} and {borne_e8} borne: {event}"


def a_loss_is_fixed_when_no_order_can_fill(found: Evidence, system: "DistressSystem") -> Wrong:
    """Once it is fixed, or there is none, nothing of the account is booked but fills of orders of which a venue had
    said that they had ended."""
    ended, late = set[str](), set[str]()
    for event in system.events(ORDERS_EXECUTIONS):
        if is_end(event):
            ended.add(event.order_id)
        elif isinstance(event, m.OrderFilled) and event.order_id in ended:
            late.add(event.execution_id)
    for partition in range(PARTITIONS):
        fixed: dict[str, str] = {}
        for event in system.tape(CLEARING_ENTRIES, partition).events():
            match event:
                case m.DefaultChanged():
                    if event.state == "DECLARED":
                        fixed.pop(event.account_id, None)
                    else:
                        fixed.setdefault(event.account_id, event.default_id)
                case m.EntryBooked(kind="TRADE", order_id=str()) if event.account_id in fixed:
                    if event.entry_id not in late and not _of_liquidation(found, event):
                        yield f"{event.entry_id} came after the loss of {fixed[event.account_id]} was fixed"


def who_is_in_default_takes_no_new_risk(found: Evidence, system: "DistressSystem") -> Wrong:
    """From risk's record on no order of his is accepted but a liquidation's; and each default that was declared is
    known to risk."""
    for partition in range(PARTITIONS):
        halted = set[str]()
        for event in system.tape(ORDERS_DECISIONS, partition).events():
            if isinstance(event, m.AccountHalted) and event.parked_event_id.startswith("default:"):
                halted.add(event.account_id)
            elif isinstance(event, m.OrderAccepted) and event.order.account_id in halted and not _ours(event.order):
                yield f"{event.order.order_id} was accepted while its account is in default"
        tape = system.tape(CLEARING_ENTRIES, partition)
        declared = {e.account_id for e in tape.events() if isinstance(e, m.DefaultChanged) and e.state == "DECLARED"}
        if declared != halted:
            yield f"declared in default are {declared}, risk has halted {halted}"


DISTRESS: Final[Mapping[str, Callable[[Evidence, "DistressSystem"], Wrong]]] = {
    one.__name__.replace("_", " "): one
    for one in (
        no_order_of_a_liquidation_makes_margin_worse,
        no_order_of_a_liquidation_does_more_than_reduce,
        liquidations_sell_one_order_at_a_time,
        whoever_is_liquidated_takes_no_orders_of_his_own,
        each_call_ends,
        the_insurance_fund_is_what_came_in_less_what_went_out,
        losses_are_borne_in_order,
        recoveries_go_to_who_lost_last,
        rounds_end_everywhere,
        legs_are_booked_once_and_in_order,
        what_changes_hands_leaves_the_clearing_house_flat,
        house_default_is_what_nobody_has_borne,
        a_loss_is_fixed_when_no_order_can_fill,
        who_is_in_default_takes_no_new_risk,
        compression_leaves_every_net_position,
        claims_are_paid_by_who_owes_them,
    )
}
"""All are checked once all is quiet, beside those of every run with contracts."""
