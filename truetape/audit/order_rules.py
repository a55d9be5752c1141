"""What must hold for every order: decided once, accepted before it is routed, filled within its terms, ended once,
and no unit of its reservation left or used twice."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from truetape import halts, ids
from truetape import messages as m
from truetape.audit.archive import Archive, Seen
from truetape.audit.findings import Findings
from truetape.audit.killswitch import KillSwitch
from truetape.audit.ledger_rules import add
from truetape.audit.merge import Given
from truetape.liquidation import CLIENT_ORDER_PREFIX
from truetape.money import ONE_E8
from truetape.orders import TERMINAL, advance

_ENDS = (m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue)


class Leg(Struct, array_like=True):
    """One venue order as it was routed."""

    venue: str
    quantity_e8: int
    price_e8: int
    filled_e8: int = 0


class Order(Struct, array_like=True):
    """One order as the tape has it so far."""

    terms: m.OrderTerms
    status: m.OrderStatus = "PENDING"
    limit_price_e8: int = 0
    reserved_asset: str = ""
    reserved_e8: int = 0
    """Still reserved by the decisions."""
    send_before_us: int = 0
    filled_e8: int = 0
    cleared_e8: int = 0
    ended_at: int = -1
    """Offset of its end on the executions."""
    legs: dict[int, Leg] = field(default_factory=dict)


class OrderRules:
    """The orders of one partition."""

    def __init__(self, findings: Findings, executions: Seen, kill_switch: KillSwitch) -> None:
        self._expect = findings.expect
        self._executions = executions
        self._kill_switch = kill_switch
        self._orders: Archive[Order] = Archive(Order)
        self._withdrawals: dict[str, tuple[str, str, int]] = {}
        """Transfer id -> account, asset and amount reserved."""
        self._legs: dict[str, tuple[str, str, int]] = {}
        """The same of legs that risk has reserved and nobody has booked or let go, by leg id."""
        self._reserved: dict[str, dict[str, int]] = {}
        self._halted_accounts: dict[str, str] = {}
        """Accounts whose ledger is halted, with the InputParked, as risk was told."""
        self._rules: dict[type, Callable[[str, Given, Any], None]] = {
            m.OrderAccepted: self._accepted,
            m.OrderRejected: self._rejected,
            m.DecisionRepeated: self._repeated,
            m.CreditUpdated: self._credited,
            m.AccountHalted: self._halted,
            m.AccountReopened: self._reopened,
            m.ReservationReleased: self._released,
            m.TransferApproved: self._approved,
            m.LegAssessed: self._leg_assessed,
            m.LegReleased: self._leg_released,
            m.OrderRouted: self._routed,
            m.OrderNotRouted: self._not_routed,
            m.OrderAcknowledged: self._acknowledged,
            m.OutcomeUnknown: self._acknowledged,
            m.OrderFilled: self._filled,
            m.OrderCancelled: self._ended,
            m.OrderExpired: self._ended,
            m.OrderRejectedByVenue: self._ended,
            m.CancelRouted: self._cancel_routed,
        }

    def take(self, given: Given) -> None:
        """One accepted record of the decisions or executions, after its causes."""
        if (rule := self._rules.get(type(given.message))) is not None:
            rule(f"{given.part}@{given.offset}", given, given.message)

    def end(self, where: str, answered: int, credit: Mapping[str, Any]) -> None:
        """At the end: no reservation is left of an order whose end risk has answered, up to offset `answered`; and
        what risk's own fold (`credit`, its accounts) has reserved is the sum of what is open."""
        for order_id, order in self._orders.open():
            account, left = order.terms.account_id, order.reserved_e8
            add(self._reserved.setdefault(account, {}), [(order.reserved_asset, left)])
            if order.status in TERMINAL and order.ended_at <= answered and order.cleared_e8 == order.filled_e8:
                self._expect(left == 0, "nothing stays reserved", f"{where} {order_id}", account, 0, left)
        for account, asset, amount_e8 in (*self._withdrawals.values(), *self._legs.values()):
            add(self._reserved.setdefault(account, {}), [(asset, amount_e8)])
        for account in sorted(self._reserved.keys() | credit.keys()):
            tape = {asset: e8 for asset, e8 in self._reserved.get(account, {}).items() if e8}
            held = {asset: e8 for asset, e8 in credit.get(account, {}).get("reserved", {}).items() if e8}
            self._expect(tape == held, "reserved is what is open", where, account, tape, held)
        self._orders.end()

    # -- decisions -------------------------------------------------------------------------------------------

    def _accepted(self, where: str, given: Given, event: m.OrderAccepted) -> None:
        order = self._decided(where, event.order)
        account, terms = event.order.account_id, event.order
        state = self._kill_switch.at(account, event.reference_offset)
        self._expect(state != "HALTED", "no order while halted", where, account, state, "OrderAccepted")
        by = self._halted_accounts.get(account, "")
        if by.startswith(halts.DEFAULT) and terms.client_order_id.startswith(CLIENT_ORDER_PREFIX):
            by = ""  # Positions of who is in default are closed.
        self._expect(not by, "no order while the ledger is halted", where, account, by, "OrderAccepted")
        least = terms.quantity_e8
        if terms.side == "BUY":
            least = -(-event.limit_price_e8 * terms.quantity_e8 // ONE_E8)
        if (margin := event.margin) is not None:
            least = -(-terms.quantity_e8 * margin.unit_cost_e8 // ONE_E8)
            self._margined(where, account, margin, event.reserved_e8)
        self._expect(event.reserved_e8 >= least, "reserved is enough", where, account, least, event.reserved_e8)
        order.status = advance(order.status, event)
        order.limit_price_e8, order.reserved_e8 = event.limit_price_e8, event.reserved_e8
        order.reserved_asset = event.reserved_asset
        order.send_before_us = event.send_before_us

    def _rejected(self, where: str, given: Given, event: m.OrderRejected) -> None:
        order = self._decided(where, event.order)
        order.status = advance(order.status, event)
        self._settle(event.order.order_id, order)

    def _decided(self, where: str, terms: m.OrderTerms) -> Order:
        known = self._orders.get(terms.order_id)
        before = known.status if known is not None else "undecided"
        self._expect(known is None, "one decision for an order", where, terms.account_id, before, terms.order_id)
        right = ids.order_id(terms.account_id, terms.client_order_id)
        self._expect(right == terms.order_id, "order id is derived", where, terms.account_id, right, terms.order_id)
        order = Order(terms)
        self._orders.put(terms.order_id, order)
        return order

    def _repeated(self, where: str, given: Given, event: m.DecisionRepeated) -> None:
        order = self._known(where, event.order_id, event.account_id)
        if order is not None:
            accepted = order.limit_price_e8 > 0
            said = event.accepted
            self._expect(said == accepted, "a repeated answer is the same", where, event.account_id, accepted, said)
            self._settle(event.order_id, order)

    def _approved(self, where: str, given: Given, event: m.TransferApproved) -> None:
        terms = event.transfer
        if terms.amount_e8 < 0:
            self._withdrawals[terms.transfer_id] = (terms.account_id, terms.asset, -terms.amount_e8)

    def _margined(self, where: str, account: str, margin: m.OrderMargin, reserved_e8: int) -> None:
        """Equity covers what was needed before and what is added; a model's addition has the order's cost in it."""
        needs = margin.required_e8 + margin.reserved_e8 + margin.adds_e8 + (0 if margin.model else reserved_e8)
        short = bool(margin.model) and margin.equity_e8 < margin.required_e8  # Then what only reduces may pass.
        enough = margin.adds_e8 == 0 or short or needs <= margin.equity_e8
        self._expect(enough, "margin is enough", where, account, margin.equity_e8, needs)

    def _leg_assessed(self, where: str, given: Given, event: m.LegAssessed) -> None:
        """A leg is reserved once, within the margin that risk saw, and never of an account that may not trade."""
        if not event.accepted:
            return
        account, margin = event.account_id, event.margin
        known = event.leg_id in self._legs
        self._expect(not known, "a leg is reserved once", where, account, "no reservation", event.leg_id)
        state = self._kill_switch.at(account, event.reference_offset)
        self._expect(state != "HALTED", "no leg while halted", where, account, state, "LegAssessed")
        if margin is not None:
            self._margined(where, account, margin, event.reserved_e8)
        self._legs[event.leg_id] = (account, event.reserved_asset, event.reserved_e8)

    def _leg_released(self, where: str, given: Given, event: m.LegReleased) -> None:
        held = self._legs.pop(event.leg_id, ("", "", -1))
        right = (event.account_id, event.asset, event.released_e8)
        self._expect(held == right, "a leg frees what it held", where, event.account_id, held, right)

    def _halted(self, where: str, given: Given, event: m.AccountHalted) -> None:
        self._halted_accounts[event.account_id] = event.parked_event_id

    def _reopened(self, where: str, given: Given, event: m.AccountReopened | m.CreditUpdated) -> None:
        by = self._halted_accounts.pop(event.account_id, None)
        self._expect(by is not None, "reopened when halted", where, event.account_id, "an AccountHalted", by)

    def _credited(self, where: str, given: Given, event: m.CreditUpdated) -> None:
        if event.reopens_account:
            self._reopened(where, given, event)
        if event.order_id is None:
            held = self._withdrawals.pop(event.entry_id, None) or self._legs.pop(event.entry_id, ("", "", 0))
            used = event.released_e8
            self._expect(used == held[2], "an entry uses what was held", where, event.account_id, held[2], used)
            return
        order = self._known(where, event.order_id, event.account_id)
        if order is not None:
            order.reserved_e8 -= event.released_e8
            order.cleared_e8 += event.filled_e8
            left, account = order.reserved_e8, event.account_id
            self._expect(left >= 0, "reserved is not used twice", where, account, "0 or more", left)
            most = order.filled_e8
            self._expect(order.cleared_e8 <= most, "cleared within filled", where, account, most, order.cleared_e8)
            self._settle(event.order_id, order)

    def _released(self, where: str, given: Given, event: m.ReservationReleased) -> None:
        order = self._known(where, event.order_id, event.account_id)
        if order is not None:
            order.reserved_e8 -= event.released_e8
            left, says = order.reserved_e8, event.remaining_e8
            self._expect(left == says >= 0, "reserved adds up", where, event.account_id, left, says)
            self._settle(event.order_id, order)

    # -- executions ------------------------------------------------------------------------------------------

    def _routed(self, where: str, given: Given, event: m.OrderRouted) -> None:
        account, order = event.order.account_id, self._known(where, event.order.order_id, event.order.account_id)
        if order is None:
            return
        self._expect(order.status == "ACCEPTED", "routed once, when accepted", where, account, order.status, "routed")
        self._expect(order.terms == event.order, "routed as accepted", where, account, order.terms, event.order)
        total = sum(leg.quantity_e8 for leg in event.legs)
        most = order.terms.quantity_e8
        self._expect(total <= most, "routed within the quantity", where, account, most, total)
        for leg in event.legs:
            limit = order.limit_price_e8
            fine = leg.price_e8 <= limit if order.terms.side == "BUY" else leg.price_e8 >= limit
            self._expect(fine, "routed within the limit", where, account, limit, leg.price_e8)
            deadline = order.send_before_us
            in_time = leg.send_before_us <= deadline
            self._expect(in_time, "sent before the deadline", where, account, deadline, leg.send_before_us)
            order.legs[leg.leg] = Leg(leg.venue, leg.quantity_e8, leg.price_e8)

    def _not_routed(self, where: str, given: Given, event: m.OrderNotRouted) -> None:
        order = self._known(where, event.order_id, event.account_id)
        if order is not None:
            self._end_once(where, given, event, order)

    def _acknowledged(self, where: str, given: Given, event: m.OrderAcknowledged | m.OutcomeUnknown) -> None:
        order = self._routed_leg(where, event)
        if order is not None:
            order.status = advance(order.status, event, order.filled_e8 > 0)
            self._settle(event.order_id, order)

    def _filled(self, where: str, given: Given, event: m.OrderFilled) -> None:
        self._executions.add(event.execution_id)
        order = self._routed_leg(where, event)
        if order is None:
            return
        account, leg = event.account_id, order.legs[event.leg]
        order.filled_e8 += event.quantity_e8
        leg.filled_e8 += event.quantity_e8
        filled, most = order.filled_e8, order.terms.quantity_e8
        says = event.cumulative_quantity_e8
        self._expect(filled == says, "fills add up", where, account, filled, says)
        self._expect(filled <= most, "filled within the quantity", where, account, most, filled)
        sign = 1 if event.side == "BUY" else -1
        within = sign * event.price_e8 <= sign * leg.price_e8
        self._expect(within, "filled within the limit", where, account, leg.price_e8, event.price_e8)
        order.status = advance(order.status, event, filled > event.quantity_e8)
        same = order.status == event.status
        self._expect(same, "states follow the table", where, account, order.status, event.status)
        self._note_end(given, order)
        self._settle(event.order_id, order)

    def _ended(self, where: str, given: Given, event: Any) -> None:
        order = self._routed_leg(where, event)
        if order is not None:
            filled, says = order.filled_e8, event.cumulative_quantity_e8
            self._expect(filled == says, "ends after its fills", where, event.account_id, filled, says)
            self._end_once(where, given, event, order)

    def _cancel_routed(self, where: str, given: Given, event: m.CancelRouted) -> None:
        for leg in event.legs:
            order = self._known(where, leg.order_id, event.account_id)
            if order is not None:
                has = leg.leg in order.legs
                self._expect(has, "cancels what was routed", where, event.account_id, sorted(order.legs), leg.leg)
                self._settle(leg.order_id, order)

    # -- shared ----------------------------------------------------------------------------------------------

    def _known(self, where: str, order_id: str, account_id: str) -> Order | None:
        order = self._orders.get(order_id)
        decided = order is not None and order.terms.account_id == account_id
        self._expect(decided, "only orders that were decided", where, account_id, "a decision", order_id)
        return order if decided else None

    def _routed_leg(self, where: str, event: Any) -> Order | None:
        """The order whose leg an execution names, when there is such a leg at that venue."""
        order = self._known(where, event.order_id, event.account_id)
        if order is None:
            return None
        leg = order.legs.get(event.leg)
        routed = f"{leg.venue} leg {event.leg}" if leg is not None else "no such leg"
        right = leg is not None and leg.venue == event.venue
        told = f"{event.venue} leg {event.leg}"
        self._expect(right, "no execution without an intent", where, event.account_id, routed, told)
        return order if right else None

    def _end_once(self, where: str, given: Given, event: Any, order: Order) -> None:
        before = order.status
        order.status = advance(before, event, order.filled_e8 > 0)
        self._expect(order.status != before, "ends once", where, event.account_id, before, type(event).__name__)
        self._note_end(given, order)
        self._settle(event.order_id, order)

    def _note_end(self, given: Given, order: Order) -> None:
        if order.status in TERMINAL and order.ended_at < 0:
            order.ended_at = given.offset

    def _settle(self, order_id: str, order: Order) -> None:
        """What has ended, is cleared and reserves nothing leaves memory."""
        if order.status in TERMINAL and order.reserved_e8 == 0 and order.cleared_e8 == order.filled_e8:
            self._orders.close(order_id)
