"""What a margin model looks at: the positions of one account, in floats.

Quantities are signed and in units of the underlying (contracts times multiplier); prices and amounts are in the
account's settlement currency. Nothing here is money: `truetape.margin.models.to_money_e8` makes money of a result.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace


class Option(msgspec.Struct, frozen=True, tag=True):
    """A European option."""

    instrument_id: str
    underlying: str
    expires_us: int
    strike: float
    is_call: bool
    quantity: float


class Perpetual(msgspec.Struct, frozen=True, tag=True):
    """A linear perpetual; what it has gained since the last settlement is not yet in cash."""

    instrument_id: str
    underlying: str
    quantity: float
    unrealised_pnl: float = 0.0
    unsettled_funding: float = 0.0


class Future(msgspec.Struct, frozen=True, tag=True):
    """A linear dated future."""

    instrument_id: str
    underlying: str
    expires_us: int
    quantity: float
    unrealised_pnl: float = 0.0


class Holding(msgspec.Struct, frozen=True, tag=True):
    """An asset held as collateral, other than the settlement currency."""

    instrument_id: str
    quantity: float


Position = Option | Perpetual | Future | Holding


class Portfolio(msgspec.Struct, frozen=True):
    """The positions of one account and its cash in the settlement currency (negative: borrowed)."""

    positions: tuple[Position, ...] = ()
    cash: float = 0.0

    def options(self) -> tuple[Option, ...]:
        """Options in the order given."""
        return tuple(position for position in self.positions if isinstance(position, Option))

    def perpetuals(self) -> tuple[Perpetual, ...]:
        """Perpetuals in the order given."""
        return tuple(position for position in self.positions if isinstance(position, Perpetual))

    def holdings(self) -> tuple[Holding, ...]:
        """Collateral in the order given."""
        return tuple(position for position in self.positions if isinstance(position, Holding))


def netted(positions: Iterable[Position]) -> tuple[Position, ...]:
    """One position per instrument, in order of first appearance; those that net to nothing are left out.

    A perpetual or future that nets to nothing stays while it has something unsettled.
    """
    nets: dict[str, Position] = {}
    for position in positions:
        known = nets.get(position.instrument_id)
        nets[position.instrument_id] = position if known is None else _sum(known, position)
    return tuple(position for position in nets.values() if position.quantity or _unsettled(position))


def _sum(one: Position, other: Position) -> Position:
    quantity = one.quantity + other.quantity
    match one, other:
        case Perpetual(), Perpetual():
            return replace(
                one,
                quantity=quantity,
                unrealised_pnl=one.unrealised_pnl + other.unrealised_pnl,
                unsettled_funding=one.unsettled_funding + other.unsettled_funding,
            )
        case Future(), Future():
            return replace(one, quantity=quantity, unrealised_pnl=one.unrealised_pnl + other.unrealised_pnl)
        case _:
            return replace(one, quantity=quantity)


def _unsettled(position: Position) -> bool:
    match position:
        case Perpetual():
            return bool(position.unrealised_pnl or position.unsettled_funding)
        case Future():
            return bool(position.unrealised_pnl)
        case _:
            return False
