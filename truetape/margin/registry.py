"""The margin models that Truetape knows, by name. A new model is a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from truetape.errors import MarginModelUnknown
from truetape.margin.combined import PerUnderlying
from truetape.margin.deribit import DeribitMargin
from truetape.margin.models import MarginModel
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.risk_arrays import RiskArrayMargin
from truetape.margin.schedule import ScheduleMargin
from truetape.margin.simm import SimmFx
from truetape.margin.spreads import OpynMargin
from truetape.margin.standard import StandardMargin
from truetape.margin.tiers import LeverageTiers

CLASSES: Final[tuple[type[MarginModel], ...]] = (
    StandardMargin,
    PortfolioV1,
    PortfolioV2,
    PerUnderlying,
    DeribitMargin,
    LeverageTiers,
    OpynMargin,
    SimmFx,
    ScheduleMargin,
    RiskArrayMargin,
)
MODELS: Final[Mapping[str, type[MarginModel]]] = MappingProxyType({model.name: model for model in CLASSES})


def model_named(name: str) -> type[MarginModel]:
    """The class of a model; raises MarginModelUnknown with the names there are."""
    found = MODELS.get(name)
    if found is None:
        raise MarginModelUnknown(f"no margin model is called {name!r}; there are: {', '.join(sorted(MODELS))}")
    return found
