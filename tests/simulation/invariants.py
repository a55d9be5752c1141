"""The invariants of every run, by name. Each yields what contradicts it; the number is the catalogue's.

Those in ALWAYS are checked on the way, as far as the tape has come, and all of them in the end. Where an invariant is
also a rule of the audit of production (truetape/audit), the audit is asked; where the venue's own truth can say it,
that is asked too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Final

import msgspec

from tests.simulation.evidence import Evidence, Hashing, TrueFill, is_end
from tests.simulation.reference import ACCOUNTS, BTC, LIMITS, PARTITIONS
from truetape import messages as m
from truetape import snapshots
from truetape.audit import kept
from truetape.happenings import Part
from truetape.messages import Began
from truetape.money import ONE_E8
from truetape.topics import ORDERS_DECISIONS, ORDERS_EXECUTIONS

Wrong = Iterator[str]
BOOK_MAX_AGE_US: Final = 3_000_000
"""What docs/routing.md promises."""
Invariant = Callable[[Evidence], Wrong]


# -- value -------------------------------------------------------------------------------------------------------


def entries_sum_to_zero(found: Evidence) -> Wrong:
    """1: per entry, the sum of its lines is zero for each asset."""
    yield from found.unbalanced


def balances_sum_to_zero(found: Evidence) -> Wrong:
    """2: after every entry, the sum of all balances is zero for each asset."""
    if any(found.totals.values()):
        yield f"{found.totals}"


def balances_are_the_sum_of_entries(found: Evidence) -> Wrong:
    """3: every balance that clearing holds is the sum of its lines, and all approved transfers are in them."""
    yield from found.against(
        "a balance is the sum of its lines", "an entry books its transfer", "all balances are zero"
    )
    yield from found.against("a transfer is booked once")
    approved = Counter(event.transfer.transfer_id for event in found.events(m.TransferApproved))
    booked = Counter(e.entry_id for _, e in found.entries if e.kind in ("DEPOSIT", "WITHDRAWAL"))
    if approved != booked:
        yield f"transfers approved but not booked: {approved - booked}, booked but not approved: {booked - approved}"


def credit_is_never_negative(found: Evidence) -> Wrong:
    """4: no client has less than nothing, and what is reserved is the sum over its open orders and withdrawals."""
    contracts = found.system.contracts
    for account, assets in found.balances().items():
        owned = {asset: e8 for asset, e8 in assets.items() if asset not in contracts}
        may_owe = partial(found.system.may_owe, account.removeprefix("client:"))
        if account.startswith("client:") and (short := {a: e8 for a, e8 in owned.items() if e8 < 0 and not may_owe(a)}):
            yield f"{account} has {short}"
    yield from found.against(
        "reserved is what is open", "nothing stays reserved", "reserved is not used twice", "reserved adds up",
        "reserved is enough", "an entry uses what was held", "a leg is reserved once", "no leg while halted",
        "a leg frees what it held", "credit follows entries",
    )  # fmt: skip
    for account, credit in found.credit().items():
        held = {asset: e8 for asset, e8 in found.balances()[f"client:{account}"].items() if e8}
        known = {asset: e8 for asset, e8 in credit.balances.items() if e8}
        known |= {name: one.quantity_e8 for name, one in credit.contracts.items() if one.quantity_e8}
        if held != known or credit.reserved or credit.reservations:
            yield f"{account}: risk counts with {known}, reserved {credit.reserved}, booked is {held}"


def fees_are_those_of_the_fills(found: Evidence) -> Wrong:
    """5: the venue's fees booked are those that it took; the house's are its rates, rounded up, on each fill."""
    for name, fill in found.truth.fills.items():
        entry = found.trades.get(name)
        if entry is None:
            continue
        paid = Counter[str]()
        for line in entry.lines:
            if line.purpose == "venue_fee" and line.account.startswith("venue:"):
                paid[line.asset] += line.amount_e8
        if {a: e8 for a, e8 in paid.items() if e8} != ({fill.fee_asset: fill.fee_e8} if fill.fee_e8 else {}):
            yield f"{name}: the venue took {fill.fee_e8} {fill.fee_asset}, booked is {dict(paid)}"
        if entry.contract is not None:
            continue
        yield from _house_fee(found, name, entry)
        exact = fill.price_e8 * fill.quantity_e8
        due_e8 = -(-exact // ONE_E8) if fill.side == "BUY" else -(exact // ONE_E8)
        if -entry.lines[1].amount_e8 != due_e8:
            yield f"{name}: the client paid {-entry.lines[1].amount_e8}, price times quantity against it is {due_e8}"


def _house_fee(found: Evidence, name: str, entry: m.EntryBooked) -> Wrong:
    fees = found.system.reference.fees_of(entry.account_id)
    rate_e8 = fees.maker_rate_e8 if found.truth.fills[name].maker else fees.taker_rate_e8
    client = f"client:{entry.account_id}"
    quote_e8 = sum(abs(x.amount_e8) for x in entry.lines if (x.account, x.purpose) == (client, "principal")
                   and x.asset == "USDT")  # fmt: skip
    due_e8 = -(-quote_e8 * rate_e8 // ONE_E8)
    taken_e8 = sum(line.amount_e8 for line in entry.lines if line.account == "house:fees")
    if due_e8 != taken_e8:
        yield f"{name}: the house took {taken_e8}, its rate says {due_e8}"


# -- positions ---------------------------------------------------------------------------------------------------


def positions_are_the_sum_of_fills(found: Evidence) -> Wrong:
    """6: a position is the sum of the signed fills that the venue has for the account."""
    yield from found.against("a position is the sum of its fills")
    truth = {
        account: sum(signed(fill) for fill in fills if fill.instrument_id == BTC.instrument_id)
        for account, fills in found.fills_of_account().items()
    }
    held = {account: position.quantity_e8 for account, position in found.positions().items()}
    if (wrong := {a: (truth.get(a, 0), held.get(a, 0)) for a in truth.keys() | held.keys()}) and any(
        one != other for one, other in wrong.values()
    ):
        yield f"by account, the venue's fills and the position: {wrong}"


def profit_recomputed_is_profit_stored(found: Evidence) -> Wrong:
    """7: cost and realised profit at average cost, computed again in fractions, are the stored ones within rounding."""
    yield from found.against("positions follow fills")
    folded: dict[str, tuple[int, Fraction, Fraction]] = defaultdict(lambda: (0, Fraction(), Fraction()))
    count: Counter[str] = Counter()
    for _, entry in found.entries:
        if entry.kind != "TRADE" or entry.position is None or entry.contract is not None:
            continue
        account = entry.account_id
        base_e8, paid_e8 = entry.lines[0].amount_e8, -entry.lines[1].amount_e8
        folded[account] = average_cost(*folded[account], base_e8, paid_e8)
        count[account] += 1
        _, cost, realised = folded[account]
        if abs(cost - entry.position.cost_e8) + abs(realised - entry.position.realised_e8) > 2 * count[account]:
            yield f"{entry.entry_id}: cost {float(cost)} profit {float(realised)}, stored {entry.position}"


def average_cost(
    quantity_e8: int, cost: Fraction, realised: Fraction, traded_e8: int, paid_e8: int
) -> tuple[int, Fraction, Fraction]:
    """Quantity, cost and realised profit after a trade; cost is what the open quantity was bought for on average."""
    if quantity_e8 * traded_e8 >= 0:
        return quantity_e8 + traded_e8, cost + paid_e8, realised
    closing = min(Fraction(1), Fraction(abs(quantity_e8), abs(traded_e8)))
    closed_e8, received = closing * traded_e8, -closing * paid_e8
    share = -closed_e8 / quantity_e8
    left = quantity_e8 + traded_e8
    opened = (1 - closing) * paid_e8
    return left, cost * (1 - share) + opened, realised + received - cost * share


def clients_mirror_the_venue(found: Evidence) -> Wrong:
    """8: what all clients, the house and the mirrors hold is what the venue's account shows, per asset."""
    yield from found.against("the mirror follows the venue")
    mirror: Counter[str] = Counter()
    for account, assets in found.balances().items():
        if account.startswith("venue:"):
            mirror.update({asset: -e8 for asset, e8 in assets.items()})
    booked = {asset: e8 for asset, e8 in sorted(mirror.items()) if e8}
    if booked != dict(sorted(found.truth.balances_e8.items())):
        yield f"minus the mirror is {booked}, the venue has {found.truth.balances_e8}"


# -- orders ------------------------------------------------------------------------------------------------------


def accepted_orders_end_once(found: Evidence) -> Wrong:
    """9: each accepted order reaches exactly one end, and the venue has none open then."""
    yield from found.against("ends once", "routed once, when accepted", "only orders that were decided")
    if found.open_orders:
        yield f"without an end: {sorted(found.open_orders)[:5]}"
    if found.truth.open_orders:
        yield f"open at the venue: {sorted(found.truth.open_orders)[:5]}"


def filled_within_ordered(found: Evidence) -> Wrong:
    """10: no order is filled, cleared or routed beyond its quantity, price or deadline."""
    yield from found.against(
        "filled within the quantity", "routed within the quantity", "routed within the limit",
        "filled within the limit", "cleared within filled", "fills add up",
        "sent before the deadline", "routed as accepted",
    )  # fmt: skip


def transitions_are_legal(found: Evidence) -> Wrong:
    """11: orders move by the table of truetape/orders.py alone."""
    yield from found.against("states follow the table", "ends after its fills", "cancels what was routed")


def answers_are_on_the_tape(found: Evidence) -> Wrong:
    """12: what a client was told stands on the tape, and every command that arrived has its answer."""
    yield from found.system.clients.untrue(found)
    silent = [order.order_id for order in found.system.clients.arrived() if not found.decided[order.order_id]]
    if silent:
        yield f"orders on the bus without a decision: {silent[:5]}"


def one_key_is_one_order(found: Evidence) -> Wrong:
    """13: one client order id is one order with one decision, however often it was submitted."""
    yield from found.against("one decision for an order", "order id is derived", "a repeated answer is the same")
    if twice := {order_id: count for order_id, count in found.decided.items() if count > 1}:
        yield f"decided more than once: {twice}"


def cancels_are_routed(found: Evidence) -> Wrong:
    """9: a cancel that risk passed on reaches every order of it that is still open when the router has read it."""
    for partition in range(PARTITIONS):
        routed, ended_at, read_at = set[tuple[str, str]](), dict[str, int](), list[tuple[int, int]]()
        for offset, event in found.system.tape(ORDERS_EXECUTIONS, partition).found:
            cause = event.meta.cause
            if cause.source == ORDERS_DECISIONS.name:
                read_at.append((cause.offset, offset))
            if isinstance(event, m.CancelRouted):
                routed.update((event.command_id, leg.order_id) for leg in event.legs)
            elif is_end(event):
                ended_at.setdefault(event.order_id, offset)
        for offset, event in found.system.tape(ORDERS_DECISIONS, partition).found:
            if isinstance(event, m.CancelRequested):
                read = next((at for cause, at in read_at if cause > offset), 0)
                open_then = [one for one in event.order_ids if read and ended_at.get(one, 1 << 62) > read]
                if lost := [one for one in open_then if (event.command_id, one) not in routed]:
                    yield f"cancel {event.command_id} did not reach {lost}"


def decisions_saw_fresh_prices(found: Evidence) -> Wrong:
    """10: no order is accepted on an old mark or outside its collar, or routed on an old book."""
    for order_id, event in found.accepted.items():
        assert event.mark is not None
        age_us = abs(event.meta.decided_at_us - event.mark.observed_at_us)
        mark_e8, price_e8 = event.mark.price_e8, event.limit_price_e8
        width_e8 = mark_e8 * LIMITS.collar_rate_e8 // ONE_E8
        outside = price_e8 - mark_e8 if event.order.side == "BUY" else mark_e8 - price_e8
        if age_us > LIMITS.mark_max_age_us or outside > width_e8:
            yield f"{order_id}: mark {age_us} us old, price {price_e8} to mark {mark_e8}"
    for event in found.events(m.OrderRouted):
        ages = {seen.venue: seen.age_us for seen in event.seen}
        if old := [leg.venue for leg in event.legs if ages.get(leg.venue, 1 << 62) > BOOK_MAX_AGE_US]:
            yield f"{event.order.order_id} went to {old} by books as old as {ages}"


def nothing_is_accepted_while_halted(found: Evidence) -> Wrong:
    """14: no order is accepted while the kill switch that its decision saw was halted."""
    yield from found.against("no order while halted")


def nothing_at_a_venue_without_intent(found: Evidence) -> Wrong:
    """15, 22: what reaches a venue is an accepted record of an order that risk accepted; a zombie's is not."""
    arrivals, accepted = found.system.market.arrivals(), found.accepted
    for arrival in arrivals:
        order_id = found.routed.get(arrival.client_order_id)
        if order_id is None:
            yield f"{arrival.client_order_id} reached the venue without an intent on the tape"
        elif order_id not in accepted:
            yield f"{arrival.client_order_id} reached the venue, risk has not accepted {order_id}"
    yield from found.against("no execution without an intent")


def nothing_reaches_a_venue_twice(found: Evidence) -> Wrong:
    """15: a venue order is sent once, and under the id that is derived from its order."""
    counts = Counter(arrival.client_order_id for arrival in found.system.market.arrivals())
    if twice := [name for name, count in counts.items() if count > 1]:
        yield f"reached the venue twice: {twice}"
    for name, order_id in found.routed.items():
        account = found.accepted[order_id].order.account_id if order_id in found.accepted else ""
        if account and not name.startswith(f"TT{ACCOUNTS[account]:03d}-{order_id[:24]}-"):
            yield f"{name} is not derived from {order_id} and its partition"


def absence_is_never_assumed(found: Evidence) -> Wrong:
    """15: an order that is said never to have arrived did not, and does not later."""
    absent = {name for name, code in found.rejected_by_venue.items() if code == "NOT_RECEIVED_BY_DEADLINE"}
    if wrong := absent & found.truth.taken:
        yield f"believed to be absent, but the venue has them: {sorted(wrong)}"


# -- fills -------------------------------------------------------------------------------------------------------


def venue_fills_are_booked_once(found: Evidence) -> Wrong:
    """16: every execution id of the venue is booked exactly once, as it was."""
    if found.doubly_booked:
        yield f"booked twice: {found.doubly_booked}"
    yield from found.against(
        "a fill is on the tape once", "a fill is booked once", "an entry books its fill", "nothing is set aside",
        "nothing is left out when booked", "nothing is left out when credited", "nothing is left out when answered",
    )  # fmt: skip
    if not found.finished:
        return
    if missing := found.truth.fills.keys() - found.trades.keys():
        yield f"not booked: {sorted(missing)[:5]}"
    for name, fill in found.truth.fills.items():
        entry = found.trades.get(name)
        if entry is not None and entry.filled_e8 != fill.quantity_e8:
            yield f"{name}: the venue filled {fill.quantity_e8}, booked is {entry.filled_e8}"


def no_fill_without_an_order(found: Evidence) -> Wrong:
    """17: no fill is booked that the venue does not have, or that belongs to no accepted order."""
    if invented := found.trades.keys() - found.truth.fills.keys():
        yield f"the venue does not know {sorted(invented)[:5]}"
    yield from found.against("an entry has a fill or transfer")
    for name, entry in found.trades.items():
        if entry.order_id not in found.accepted:
            yield f"{name} belongs to no accepted order"


# -- log and replay ----------------------------------------------------------------------------------------------


def rebuilt_state_is_live_state(found: Evidence) -> Wrong:
    """18: the fold of each partition from offset 0 is the state that its one owner has, to the digest."""
    yield from found.against("live")
    for service in found.system.services:
        owned = found.live[service.name].partitions if service.name in found.live else {}
        for partition in range(service.owns.partitions):
            tape = found.system.tape(service.owns, partition)
            if partition not in owned:
                yield f"{service.name}/{partition} has no owner"
            elif owned[partition].digest != snapshots.digest(tape.state):
                yield f"{service.name}/{partition}: the live state is not the tape's"


def snapshot_and_tail_are_full_replay(found: Evidence) -> Wrong:
    """19: the newest snapshot of each partition, with what came after it, is the full fold."""
    yield from found.against("snapshot")
    log = found.system.broker.log("shelf")
    for service in found.system.services:
        shelf = kept.read(log, service, 60)
        for partition, snapshot in sorted(shelf.newest.items()):
            tape = found.system.tape(service.owns, partition)
            state = msgspec.msgpack.decode(snapshot.state, type=service.state_type)
            for offset, message in tape.found:
                if offset > snapshot.offset and not isinstance(message, Began):
                    state = service.evolve(state, message)
            if snapshots.pack(state) != snapshots.pack(tape.state):
                yield f"{service.name}/{partition}: the snapshot at offset {snapshot.offset} leads elsewhere"


def sequences_have_no_gap(found: Evidence) -> Wrong:
    """20: per partition, epochs and sequences rise without a gap, and every input is answered once and in order."""
    yield from found.report.gaps
    yield from found.against("inputs are answered once, in order", "event id names its cause", "tape")
    yield from found.against("accounts keep their partition")


def old_tapes_are_prefixes(found: Evidence) -> Wrong:
    """21: what a partition held at any moment of the run is the beginning of what it holds in the end."""
    now: dict[Part, Hashing] = defaultdict(Hashing)
    for part, count, digest in found.tape_hashes:
        now[part].read_on(found.system.broker.records(part)[:count])
        if now[part].hexdigest() != digest:
            yield f"{part}: the first {count} records are not what they were"


def breaks_are_the_real_differences(found: Evidence) -> Wrong:
    """24: once all is quiet, what the reconciler holds open is what truly differs: nothing false, nothing missing."""
    breaks = Counter((one.break_class, one.key) for one in found.system.open_breaks())
    if breaks != Counter(found.system.real_differences()):
        yield f"open are {dict(breaks)}, real is {found.system.real_differences()}"
    for one in found.system.open_breaks():
        explained_e8: int = msgspec.json.decode(one.evidence)["ours"]["explained_by_fills_e8"]
        if one.theirs_e8 - one.ours_e8 - explained_e8 != found.system.market.gift_e8:
            yield f"{one} should be {found.system.market.gift_e8}"


def nothing_is_parked(found: Evidence) -> Wrong:
    """20: no input was set aside: all of them are sound here, so that a parked one is an invariant that broke."""
    yield from found.parked


ALWAYS: Final[Mapping[str, Invariant]] = {
    one.__name__.replace("_", " "): one
    for one in (
        entries_sum_to_zero,
        balances_sum_to_zero,
        one_key_is_one_order,
        nothing_at_a_venue_without_intent,
        nothing_reaches_a_venue_twice,
        venue_fills_are_booked_once,
        nothing_is_parked,
    )
}
"""Cheap enough for every second of virtual time."""
IN_THE_END: Final[Mapping[str, Invariant]] = {
    one.__name__.replace("_", " "): one
    for one in (
        absence_is_never_assumed,
        no_fill_without_an_order,
        fees_are_those_of_the_fills,
        balances_are_the_sum_of_entries,
        credit_is_never_negative,
        positions_are_the_sum_of_fills,
        profit_recomputed_is_profit_stored,
        clients_mirror_the_venue,
        accepted_orders_end_once,
        cancels_are_routed,
        decisions_saw_fresh_prices,
        filled_within_ordered,
        transitions_are_legal,
        answers_are_on_the_tape,
        nothing_is_accepted_while_halted,
        sequences_have_no_gap,
        snapshot_and_tail_are_full_replay,
        rebuilt_state_is_live_state,
        breaks_are_the_real_differences,
        old_tapes_are_prefixes,
    )
}


def signed(fill: TrueFill) -> int:
    """Quantity of a fill, negative when sold."""
    return fill.quantity_e8 if fill.side == "BUY" else -fill.quantity_e8


def described() -> list[tuple[str, str]]:
    """Name and first sentence of every invariant, for the docs."""
    both: dict[str, Any] = {**ALWAYS, **IN_THE_END}
    return [(name, (one.__doc__ or "").strip()) for name, one in both.items()]
