"""What must hold for defaults, from the records alone: a loss is fixed once, when nothing of the asset is held and no
order can fill but those that the house has waived; it is what the account cannot pay; and who bears it sums to it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from truetape import halts
from truetape import messages as m

Expect = Callable[..., None]
Ended = m.OrderCancelled | m.OrderExpired | m.OrderRejectedByVenue | m.OrderNotRouted | m.OrderFilled
Quiet = m.CancelRequested | m.CreditUpdated | m.ReservationReleased
"""Records by which risk says that the orders of an account have ended and are cleared."""
FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("DECLARED",),
    "DECLARED": ("DECLARED", "LOSS_FIXED", "ENDED"),
    "LOSS_FIXED": ("LOSS_FIXED", "COVERED", "UNCOVERED"),
    "COVERED": ("RECOVERING",),
    "UNCOVERED": ("RECOVERING",),
    "RECOVERING": ("RECOVERING", "COVERED", "UNCOVERED", "ENDED"),
    "ENDED": (),
}
"""Which states may come after which; none comes before the first."""
OPEN: Final = ("DECLARED", "LOSS_FIXED", "RECOVERING")
"""States in which no other default of the account begins."""


class DefaultRules:
    """Defaults of one partition. It shares balances with the ledger's rules."""

    def __init__(self, expect: Expect, balances: dict[str, dict[str, int]]) -> None:
        self._expect, self._balances = expect, balances
        self._newest: dict[str, m.DefaultChanged] = {}
        """By default."""
        self._of: dict[str, list[str]] = {}
        """Defaults by account."""
        self._said: set[str] = set()
        """Defaults of which risk has said that all orders have ended, as it names them."""
        self._open: dict[str, dict[str, None]] = {}
        """Orders that are accepted and not ended, by account."""
        self._sold: dict[str, str] = {}
        """In which asset a liquidation has sold, by order."""
        self._held: dict[str, dict[str, tuple[str, int, int]]] = {}
        """Settlement asset, quantity and what is realised and not paid, by account and contract."""
        self._rules: dict[type, Callable[[str, Any], None]] = {
            m.DefaultChanged: self._changed,
            m.OrderAccepted: self._accepted,
            m.OrderCancelled: self._ended,
            m.OrderExpired: self._ended,
            m.OrderRejectedByVenue: self._ended,
            m.OrderNotRouted: self._ended,
            m.OrderFilled: self._filled,
            m.LiquidationChanged: self._selling,
            m.EntryBooked: self._booked,
            m.CancelRequested: self._quiet,
            m.CreditUpdated: self._quiet,
            m.ReservationReleased: self._quiet,
        }

    def take(self, where: str, event: Any) -> None:
        """One accepted record of decisions, executions or entries, after its causes."""
        if (rule := self._rules.get(type(event))) is not None:
            rule(where, event)

    def _accepted(self, _: str, event: m.OrderAccepted) -> None:
        self._open.setdefault(event.order.account_id, {})[event.order.order_id] = None

    def _ended(self, _: str, event: Ended) -> None:
        self._open.get(event.account_id, {}).pop(event.order_id, None)

    def _filled(self, where: str, event: m.OrderFilled) -> None:
        if event.status == "FILLED":
            self._ended(where, event)

    def _selling(self, _: str, event: m.LiquidationChanged) -> None:
        if event.state == "SELLING" and event.order is not None:
            self._sold[event.order.order_id] = event.asset

    def _booked(self, _: str, event: m.EntryBooked) -> None:
        booked, after = event.contract, event.position
        if booked is not None and after is not None:
            held = self._held.setdefault(event.account_id, {})
            unpaid_e8 = after.realised_e8 - booked.settled_e8
            held[booked.instrument_id] = (booked.settlement_asset, after.quantity_e8, unpaid_e8)

    def _quiet(self, _: str, event: Quiet) -> None:
        if event.quiet_for.startswith(halts.DEFAULT):
            self._said.add(event.quiet_for)

    def _changed(self, where: str, event: m.DefaultChanged) -> None:
        before, account = self._newest.get(event.default_id), event.account_id
        state = before.state if before is not None else ""
        may = FOLLOWS.get(state, ())
        self._expect(event.state in may, "a default follows its states", where, account, may, event.state)
        if before is None:
            others = [name for name in self._of.setdefault(account, []) if self._newest[name].state in OPEN]
            self._expect(not others, "one loss of an account at a time", where, account, others, event.default_id)
            self._of[account].append(event.default_id)
        else:
            self._spoken(where, before, event)
            self._kept(where, before, event)
        borne_e8 = sum(step.amount_e8 for step in event.steps) + event.uncovered_e8 + event.recovered_e8
        right = borne_e8 == event.loss_e8
        self._expect(right, "who bears a loss sums to it", where, account, event.loss_e8, borne_e8)
        if event.state == "LOSS_FIXED" and state == "DECLARED":
            self._fixed(where, event)
        self._newest[event.default_id] = event

    def _spoken(self, where: str, before: m.DefaultChanged, event: m.DefaultChanged) -> None:
        """That orders have ended is risk's word; that nobody waits for some is a named person's."""
        if event.quiet and not before.quiet:
            name = f"{halts.DEFAULT}{event.default_id}"
            self._expect(name in self._said, "orders end by risk's word", where, event.account_id, name, event.quiet)
        if event.waived != before.waived:
            grown = event.waived[: len(before.waived)] == before.waived and event.state == before.state == "DECLARED"
            named = bool(event.command_id and event.waived_by and event.detail)
            says = (event.waived, event.waived_by, event.detail)
            self._expect(grown and named, "a waiver has a name and a reason", where, event.account_id, "", says)

    def _kept(self, where: str, before: m.DefaultChanged, event: m.DefaultChanged) -> None:
        """A loss changes but once, when it is fixed."""
        same = (before.loss_e8, before.asset, before.account_id) == (event.loss_e8, event.asset, event.account_id)
        fixed = before.state == "DECLARED" and event.state == "LOSS_FIXED"
        right = same or (fixed and before.loss_e8 == 0 and before.asset == event.asset)
        self._expect(right, "a loss is fixed once", where, event.account_id, before.loss_e8, event.loss_e8)

    def _fixed(self, where: str, event: m.DefaultChanged) -> None:
        account = event.account_id
        may_fill = [name for name in self._waited_for(event) if name not in event.waived]
        self._expect(not may_fill, "a loss is fixed when no order can fill", where, account, may_fill, event.waived)
        held = {name: one for name, one in self._held.get(account, {}).items() if one[0] == event.asset}
        left = {name: quantity_e8 for name, (_, quantity_e8, _) in held.items() if quantity_e8}
        self._expect(not left, "a loss is fixed when nothing is held", where, account, {}, left)
        cash_e8 = self._balances.get(f"client:{account}", {}).get(event.asset, 0)
        short_e8 = -cash_e8 - sum(unpaid_e8 for _, _, unpaid_e8 in held.values())
        right = short_e8 == event.uncovered_e8 > 0
        self._expect(right, "a loss is what cannot be paid", where, account, short_e8, event.uncovered_e8)

    def _waited_for(self, event: m.DefaultChanged) -> Iterator[str]:
        """Open orders of the account, but for those of a liquidation in another asset."""
        return (name for name in self._open.get(event.account_id, {}) if self._sold.get(name) in (None, event.asset))
