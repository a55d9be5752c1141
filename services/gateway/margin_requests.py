"""Bodies of requests about margin and settlement days."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from services.gateway.requests import END, Asset, InstrumentId
from truetape.api import Decimal


class MarginClassRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A margin model with its parameters, which contracts name as their margin class."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}" + END, examples=["btc-options"])]
    model: Annotated[str, Meta(max_length=40, examples=["portfolio_v2"])]
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """One more than the version in force; 1 for the first."""
    parameters: dict[str, Any] = {}
    """What is not as the model's publication says."""
    rate: Decimal = "0"
    """Yearly, continuous interest rate."""
    peg: Annotated[str, Meta(max_length=40)] = ""
    """Mark that prices the settlement asset in its peg."""


class CollateralRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How an asset counts as collateral."""

    asset: Asset
    counts_for: Asset
    """Settlement asset whose margin it backs."""
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """One more than the version in force; 1 for the first."""
    index: InstrumentId
    """Mark that prices it in counts_for."""
    haircut: Decimal
    """Part of its value that does not count."""
    share_max: Decimal = "1"
    """Largest part of all collateral that it can be."""
    limit: Decimal = "0"
    """Most that it counts for in one account; 0: no limit."""
    lot: Decimal = "0.00000001"
    mark_max_age_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 60_000
    cancels_risk: bool = False
    """Whether portfolio margin shocks it with the positions on it."""


class SettlementCalendarRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """On which days an asset is paid, and how long after booking."""

    asset: Asset
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """One more than the version in force; 1 for the first."""
    lag_days: Annotated[int, Meta(ge=0, le=30)] = 0
    """Business days from booking to value date."""
    weekend: Annotated[list[Annotated[int, Meta(ge=1, le=7)]], Meta(max_length=6)] = []
    """Days of the week without payments; 1 is Monday."""
    holidays: Annotated[list[Annotated[str, Meta(max_length=10, examples=["2026-12-25"])]], Meta(max_length=2_000)] = []
    """Other days without payments."""
