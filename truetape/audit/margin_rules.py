"""What must hold for margin runs, calls and liquidations, from the records alone: whoever is listed is decided next, in
order; calls follow their table; nothing is sold for an account but by a liquidation that says so; and the insurance
fund pays no more than it has."""

from collections.abc import Callable
from typing import Any, Final

from truetape import messages as m
from truetape.audit.merge import Given
from truetape.liquidation import CLIENT_ORDER_PREFIX
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS

Expect = Callable[..., None]
MARGIN: Final = "margin/"
"""How the ids of decisions begin that are due about margin."""
DUE: Final = "due"
FUND: Final = "house:insurance"
CALL_ENDS: Final = frozenset({"MET", "WITHDRAWN", "DEFAULT"})


class MarginRules:
    """Margin of one partition."""

    def __init__(self, expect: Expect) -> None:
        self._expect = expect
        self._listed: list[str] = []
        """Decisions that the newest run has made due, in order."""
        self._calls: dict[str, m.MarginCallChanged] = {}
        self._running: dict[str, str] = {}
        """The liquidation that runs, by account."""
        self._named: set[str] = set()
        """Orders that liquidations have said."""
        self._accepted: dict[str, str] = {}
        """Orders that call themselves a liquidation's, with their account."""
        self._fund: dict[str, int] = {}
        self._rules: dict[type, Callable[[str, Any], None]] = {
            m.MarginRun: self._ran,
            m.MarginCallChanged: self._called,
            m.LiquidationChanged: self._changed,
            m.LiquidationEnded: self._ended,
            m.EntryBooked: self._booked,
        }

    def take(self, given: Given) -> None:
        """One accepted record of the decisions or entries, after its causes."""
        message = given.message
        if given.part.topic == ORDERS_DECISIONS.name:
            if type(message) is m.OrderAccepted and message.order.client_order_id.startswith(CLIENT_ORDER_PREFIX):
                self._accepted[message.order.order_id] = message.order.account_id
            return
        if given.part.topic != CLEARING_ENTRIES.name or isinstance(message, m.Began):
            return
        where = f"{given.part}@{given.offset}"
        self._decided(where, message)
        if (rule := self._rules.get(type(message))) is not None:
            rule(where, message)

    def end(self, where: str) -> None:
        """At the end: every order of a liquidation was said by one."""
        for order_id, account in self._accepted.items():
            known = order_id in self._named
            self._expect(known, "a liquidation says what it sells", where, account, "a LiquidationChanged", order_id)

    def _decided(self, where: str, message: Any) -> None:
        cause, account = message.meta.cause, getattr(message, "account_id", "")
        says = cause.id if cause.source == DUE and cause.id.startswith(MARGIN) else ""
        if says.endswith(("/PAY", "/FEE", "/DEFAULT", "/PORT")) and says not in self._listed[:1]:
            return  # An entry, an order or an end made them due, not a run.
        wanted = self._listed.pop(0) if self._listed else ""
        self._expect(says == wanted, "who is listed is decided next", where, account, wanted, says)

    def _ran(self, where: str, event: m.MarginRun) -> None:
        run = f"{MARGIN}{event.meta.epoch}.{event.meta.sequence}"
        self._listed = [
            f"{run}/{one.account_id}/{one.asset}/{one.action}"
            for one in event.listed
            if one.action not in ("DOUBT", "TRUST")
        ]

    def _called(self, where: str, event: m.MarginCallChanged) -> None:
        before = self._calls.get(event.call_id)
        if before is None:
            self._expect(event.action == "call", "a call begins once", where, event.account_id, "call", event.action)
        else:
            same = (before.amount_e8, before.due_at_us, before.asset) == (event.amount_e8, event.due_at_us, event.asset)
            self._expect(same, "a call stays what it was", where, event.account_id, before.call_id, event.call_id)
            self._expect(
                before.state not in CALL_ENDS, "a call ends once", where, event.account_id, before.state, event.state
            )
            grown = event.paid_e8 >= before.paid_e8
            self._expect(grown, "what is paid stays paid", where, event.account_id, before.paid_e8, event.paid_e8)
        paid = event.state != "MET" or event.paid_e8 == event.amount_e8
        self._expect(paid, "a call is met by what is booked", where, event.account_id, event.amount_e8, event.paid_e8)
        self._calls[event.call_id] = event

    def _changed(self, where: str, event: m.LiquidationChanged) -> None:
        running = self._running.setdefault(event.account_id, event.liquidation_id)
        one = running == event.liquidation_id
        self._expect(one, "one liquidation at a time", where, event.account_id, running, event.liquidation_id)
        if event.state == "SELLING" and event.order is not None:
            self._named.add(event.order.order_id)

    def _ended(self, where: str, event: m.LiquidationEnded) -> None:
        running = self._running.pop(event.account_id, "none")
        one = running == event.liquidation_id
        self._expect(one, "a liquidation ends once", where, event.account_id, running, event.liquidation_id)

    def _booked(self, where: str, entry: m.EntryBooked) -> None:
        for line in entry.lines:
            if line.account != FUND:
                continue
            left = self._fund[line.asset] = self._fund.get(line.asset, 0) + line.amount_e8
            self._expect(left >= 0, "the insurance fund pays what it has", where, entry.account_id, "0 or more", left)
            said = entry.contract.ids.get("liquidation_id", "") if entry.contract is not None else ""
            running = self._running.get(entry.account_id, "none")
            right = said in ("", running)  # Auctions move the fund too.
            self._expect(right, "the fund and a liquidation", where, entry.account_id, running, said)
