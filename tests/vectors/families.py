"""Imports every module of adapters, so that each registers its families."""

from tests.vectors import derive
from tests.vectors.frame import FAMILIES

MODULES = (derive,)

__all__ = ["FAMILIES", "MODULES"]
