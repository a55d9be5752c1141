"""Orders for whose end the default of their account does not wait, by the house's word (`DefaultChanged.waived`).

A waived order is open as before: it holds credit, counts with every other order, and ends by its venue's word alone.
But once all others have ended and are cleared, risk says so. When the order has ended after all, its fills are waited
for again until they are cleared, since then they are known. A further default waits for every order anew.
"""

from collections.abc import Iterable

from services.risk.account import Account, Reservation, State
from truetape import halts
from truetape.messages import AccountHalted, CancelRequested, DefaultChanged
from truetape.service import Input


def done(reservations: Iterable[Reservation]) -> bool:
    """Whether nothing has to be waited for any more: legs are no orders, and the rest is waived."""
    return all(one.leg or (one.waived and not one.ended) for one in reservations)


def defaulted(
    account: Account, given: Input, event: DefaultChanged, open_orders: tuple[str, ...], waits: str
) -> AccountHalted | CancelRequested | None:
    """Whoever is in default takes no new risk and takes no money out, for good; then open orders that the house waives
    now. `waits` is the liquidation or default that goes on when no other order is left."""
    if event.state != "DECLARED":
        return None
    by = f"{halts.DEFAULT}{event.default_id}"
    if account.halted_by != by:
        return AccountHalted(given.meta(event.account_id), event.account_id, by)
    known = account.reservations
    names = tuple(name for name in event.waived if name in open_orders and not known[name].waived)
    if not names:
        return None
    quiet = done(one for name, one in known.items() if name not in names)
    name = event.default_id
    return CancelRequested(
        given.meta(name), name, event.account_id, open_orders, "", waits if quiet else "", waived=names
    )


def waived(state: State, event: CancelRequested) -> None:
    """They are not waited for from here on."""
    known = state.account(event.account_id).reservations
    for name in event.waived:
        known[name].waived = True


def halted(state: State, event: AccountHalted) -> None:
    """What halts the account now was not told to go on without anything."""
    for one in state.account(event.account_id).reservations.values():
        one.waived = False
