"""Imports every module of adapters, so that each registers its families."""

from tests.vectors import auction, derive, dydx, exchange_core, opyn, venues
from tests.vectors.frame import FAMILIES

MODULES = (derive, auction, dydx, opyn, venues, exchange_core)

__all__ = ["FAMILIES", "MODULES"]
