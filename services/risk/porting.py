"""A client whose member is in default: until it has another member, its own orders only reduce what it holds.

Nobody answers for what such a client cannot pay: its member's share of the clearing fund is left for the member's own
loss. And the member that is to take it looks at what it needs; more of that than it has seen would come unasked. To
reduce must stay possible, though: hours are long, and who may not reduce is at the market's mercy (PFMI principle 14;
clearing.md, failure 8: reduce-only was refused under load).
"""

from services.risk.account import NOBODY, Account, State
from truetape.messages import CancelRequested, PortingChanged, RestrictionEnded
from truetape.service import Input

OVER = "PORTED"
CHOSEN = "CHOSEN"
"""A choice beforehand: nobody is in default."""


def changed(
    state: State, given: Input, event: PortingChanged, open_orders: tuple[str, ...]
) -> CancelRequested | RestrictionEnded | None:
    """From its window on the account only reduces, and what is open is cancelled; with another member it is free."""
    account = state.accounts.get(event.account_id, NOBODY)
    if event.state == OVER:
        return _ended(account, given, event)
    if event.state == CHOSEN or account.porting_id == event.default_id:
        return None
    name = f"porting:{event.default_id}"
    return CancelRequested(given.meta(name), name, event.account_id, open_orders, porting_id=event.default_id)


def _ended(account: Account, given: Input, event: PortingChanged) -> RestrictionEnded | None:
    if not account.porting_id:
        return None
    return RestrictionEnded(given.meta(account.porting_id), event.account_id, "", account.porting_id)
