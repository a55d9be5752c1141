"""The exchange's own books: what each account holds, free and locked. Integers in 1e-8; nothing is lost.

Besides the clients there are two accounts of the exchange: `house`, the order flow's counterparty, whose
balances may go below zero, and `fees`. Over all accounts the sum of an asset changes by deposits, withdrawals
and planted adjustments only.
"""

from typing import Final

from msgspec import Struct, field

from venues.rejects import insufficient_balance

HOUSE: Final = 0
FEES: Final = 1


class Account(Struct, eq=False):
    """Balances of one account by asset. `fee_asset` names the asset fees are taken in when it suffices."""

    account_id: int
    name: str
    free: dict[str, int] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)
    fee_asset: str | None = None
    touched: set[str] = field(default_factory=set)
    update_ms: int = 0

    def credit(self, asset: str, amount_e8: int) -> None:
        """Add to the free balance; a negative amount takes away."""
        self.free[asset] = self.free.get(asset, 0) + amount_e8
        self.touched.add(asset)

    def lock(self, asset: str, amount_e8: int) -> None:
        """Set free funds aside for an order. Raises -2010 when they do not suffice."""
        if max(self.free.get(asset, 0), 0) < amount_e8:  # Who is short of a contract locks nothing of it.
            raise insufficient_balance()
        self.credit(asset, -amount_e8)
        self.locked[asset] = self.locked.get(asset, 0) + amount_e8

    def spend(self, asset: str, amount_e8: int) -> None:
        """Take locked funds out of the account."""
        locked_e8 = self.locked.get(asset, 0) - amount_e8
        assert locked_e8 >= 0, f"{self.name} would spend more {asset} than it locked"
        self.locked[asset] = locked_e8
        self.touched.add(asset)

    def release(self, asset: str, amount_e8: int) -> None:
        """Give locked funds back."""
        self.spend(asset, amount_e8)
        self.credit(asset, amount_e8)

    def assets(self) -> list[str]:
        """Every asset that the account ever held, in order."""
        return sorted(self.free.keys() | self.locked.keys())
