"""Margin classes: the models that reference data names, with their parameters, as objects.

A contract's `margin_class` names a class; a class names a model of `truetape.margin.registry` and holds its parameters
as a JSON object, of which what is absent is as published. `flat` needs no class: its rates stand in the contract.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from truetape.errors import MarginError, MarginInputInvalid
from truetape.margin.deribit import DeribitMargin
from truetape.margin.models import MarginModel
from truetape.margin.portfolio_v1 import PortfolioV1, PortfolioV1Parameters
from truetape.margin.portfolio_v2 import PortfolioV2, PortfolioV2Parameters
from truetape.margin.registry import model_named
from truetape.margin.risk_arrays import RiskArrayMargin, parse_risk_arrays
from truetape.margin.schedule import ScheduleMargin
from truetape.margin.simm import SimmFx
from truetape.margin.spreads import OpynMargin
from truetape.margin.standard import StandardMargin, StandardParameters
from truetape.margin.tiers import Bracket, LeverageTiers, Tiers
from truetape.messages import ContractTerms, MarginClass

T = TypeVar("T")
PARAMETERS_MAX: Final = 512 * 1024
"""Bytes: a record of the tape is at most 1 MiB."""
MODELS_KEPT: Final = 256
SWAPS: Final = frozenset({"PERPETUAL", "FUTURE"})
SHOCKED: Final = frozenset({"PERPETUAL", "OPTION"})


class BracketSettings(Struct, frozen=True):
    """A bracket in JSON, which has no infinity: the last one has no end."""

    initial_rate: float
    maintenance_rate: float
    up_to: float | None = None


class TierSettings(Struct, frozen=True):
    """The tiers of one underlying in JSON."""

    brackets: tuple[BracketSettings, ...]
    open_interest_lower: float | None = None
    open_interest_upper: float | None = None


class TiersSettings(Struct, frozen=True):
    """Parameters of `LeverageTiers` in JSON."""

    tiers: dict[str, TierSettings]
    open_interest: dict[str, float] = {}


class Kind(NamedTuple):
    """What classes of one model can be."""

    make: Callable[[bytes, str], MarginModel]
    """The model of one underlying from its parameters."""
    covers: frozenset[str]
    """Kinds of contracts."""
    over_the_counter: bool = False
    """Nothing bounds what open orders may do to it, so its contracts are traded by bilateral trades alone."""


def read(content: bytes, into: type[T]) -> T:
    """A struct from JSON that names only what the struct has. Raises MarginInputInvalid, which says where."""
    try:
        said = msgspec.json.decode(content)
        made = msgspec.convert(said, into, str_keys=True)
    except msgspec.ValidationError as error:
        raise MarginInputInvalid(f"the parameters do not fit {into.__name__}: {error}") from error
    except msgspec.DecodeError as error:
        raise MarginInputInvalid(f"the parameters are no JSON: {error}") from error
    unknown = next(_unknown(said, made, "$"), None)
    if unknown is not None:
        raise MarginInputInvalid(f"{into.__name__} has no {unknown}; docs/margin.md names what there is")
    return made


def _unknown(said: Any, made: Any, path: str) -> Iterator[str]:
    """Names in the JSON that the struct does not have: a mistyped one must not leave the default in force."""
    if isinstance(said, dict) and isinstance(made, Struct):
        for name, value in said.items():
            if name not in made.__struct_fields__:
                yield f"{path}.{name}"
            else:
                yield from _unknown(value, getattr(made, name), f"{path}.{name}")
    elif isinstance(said, dict) and isinstance(made, dict):
        for (name, value), one in zip(said.items(), made.values(), strict=True):
            yield from _unknown(value, one, f"{path}.{name}")
    elif isinstance(said, list):
        for place, (value, one) in enumerate(zip(said, made, strict=False)):
            yield from _unknown(value, one, f"{path}[{place}]")


def _endless(value: float | None) -> float:
    return math.inf if value is None else value


def _tiers(content: bytes, _: str) -> MarginModel:
    said = read(content, TiersSettings)
    tiers = {}
    for underlying, one in said.tiers.items():
        brackets = (Bracket(_endless(each.up_to), each.initial_rate, each.maintenance_rate) for each in one.brackets)
        caps = _endless(one.open_interest_lower), _endless(one.open_interest_upper)
        tiers[underlying] = Tiers(tuple(brackets), *caps)
    return LeverageTiers(tiers, said.open_interest)


KINDS: Final = MappingProxyType(
    {
        StandardMargin.name: Kind(lambda content, _: StandardMargin(read(content, StandardParameters)), SHOCKED),
        PortfolioV1.name: Kind(
            lambda content, base: PortfolioV1(base, base, read(content, PortfolioV1Parameters)), SHOCKED
        ),
        PortfolioV2.name: Kind(lambda content, base: PortfolioV2(base, read(content, PortfolioV2Parameters)), SHOCKED),
        DeribitMargin.name: Kind(lambda content, _: read(content, DeribitMargin), SWAPS | {"OPTION"}),
        LeverageTiers.name: Kind(_tiers, SWAPS),
        OpynMargin.name: Kind(lambda content, _: read(content, OpynMargin), frozenset({"OPTION"})),
        RiskArrayMargin.name: Kind(lambda content, _: RiskArrayMargin(parse_risk_arrays(content)), SWAPS | {"OPTION"}),
        SimmFx.name: Kind(lambda content, _: read(content, SimmFx), SWAPS, over_the_counter=True),
        ScheduleMargin.name: Kind(lambda content, _: read(content, ScheduleMargin), SWAPS, over_the_counter=True),
    }
)
"""By the model's name. `per_underlying` is no class: every portfolio model is made once per underlying."""


@lru_cache(maxsize=MODELS_KEPT)
def model_of(model: str, parameters: str, underlying: str) -> MarginModel:
    """The model of a class for one underlying. Raises MarginError."""
    if model not in KINDS:
        raise MarginInputInvalid(f"{model_named(model).name} is made by itself for each class: name the model in it")
    return KINDS[model].make(parameters.encode(), underlying)


def problems(new: MarginClass) -> Iterator[str]:
    """What is wrong with a margin class."""
    if len(new.parameters.encode()) > PARAMETERS_MAX:
        yield f"parameters are beyond {PARAMETERS_MAX} bytes: split the class"
        return
    try:
        model_of(new.model, new.parameters, "BTC")
    except MarginError as error:
        yield str(error)


def unfit(instrument_id: str, terms: ContractTerms, named: MarginClass, tradable: bool) -> Iterator[str]:
    """Why a contract cannot be margined by a class."""
    kind, made = KINDS[named.model], model_of(named.model, named.parameters, "BTC")
    if terms.kind not in kind.covers:
        yield f"margin class {named.name} ({named.model}) covers {', '.join(sorted(kind.covers))}, not {terms.kind}"
    if (terms.style == "INVERSE") != (isinstance(made, DeribitMargin) and made.inverse):
        yield "an INVERSE contract needs margin class flat or one of deribit with inverse, and that no other contract"
    if kind.over_the_counter and tradable:
        yield f"margin class {named.name} ({named.model}) is for bilateral trades: set tradable to false"
    if isinstance(made, RiskArrayMargin) and instrument_id not in made.arrays.instruments():
        yield f"margin class {named.name} has no risk array of {instrument_id}: publish one"
