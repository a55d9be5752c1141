"""Adapters of the Derive family: standard margin, portfolio margin v1 and v2, and the liquidation auction."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.vectors.frame import Case, Check, documents, family
from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.standard import StandardMargin, StandardParameters

E18: Final = 1e18
WINDOW_SECONDS: Final = 1800
Document = Mapping[str, Any]


def scaled(document: Document, key: str, default: float = 0.0) -> float:
    """An 18-decimal integer as float; null and absent are the default."""
    found = document.get(key)
    return default if found is None else float(found) / E18


def listed(document: Document, key: str) -> list[float]:
    """A list of 18-decimal integers."""
    return [float(each) / E18 for each in document.get(key) or ()]


def option_id(underlying: str, seconds: int, strike: float, is_call: bool) -> str:
    """A name that two entries of the same option share."""
    return f"{underlying}-{seconds}-{strike!r}-{'C' if is_call else 'P'}"


def options_of(scenario: Document, underlyings: list[str]) -> tuple[list[Option], dict[str, Reading]]:
    """The options of the list-shaped files and their volatilities."""
    columns = (
        underlyings,
        [int(seconds) for seconds in scenario["OptionExpiries"]],
        listed(scenario, "OptionStrikes"),
        [bool(is_call) for is_call in scenario["OptionIsCall"]],
        listed(scenario, "OptionAmounts"),
        listed(scenario, "OptionVols"),
        listed(scenario, "OptionVolConfidences"),
    )
    options, vols = [], {}
    for underlying, seconds, strike, is_call, amount, vol, confidence in zip(*columns, strict=True):
        name = option_id(underlying, seconds, strike, is_call)
        options.append(Option(name, underlying, seconds * 1_000_000, strike, is_call, amount))
        vols[name] = Reading(vol, confidence)
    return options, vols


def checked(result: Document, found: Mapping[str, float]) -> Iterator[Check]:
    """Compare every number of the 18-decimal result that has an equal in the model."""
    for key, value in found.items():
        if result.get(key) is not None:
            yield Check(key, float(result[key]) / E18, value, absolute=1e-9)


# Standard margin

STANDARD_FACTORS: Final = {"wETH": 0.1, "wBTC": 0.1}
"""The published cases count base assets with a tenth of their value."""


@family("standard_margin", "18-decimal integers that hold binary floats: compared to 1e-9 relative")
def standard_margin(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "standard_margin", "Scenario"):
        yield Case(name, partial(_standard, document))


def _standard(document: Document) -> Iterator[Check]:
    scenario = document["Scenario"]
    portfolio, market = standard_inputs(scenario)
    result = StandardMargin(StandardParameters(holding_factors=STANDARD_FACTORS)).margin(portfolio, market)
    parts = result.parts
    found = {
        "realIM": result.initial_excess,
        "realMM": result.maintenance_excess,
        "PortfolioMtM": result.equity - portfolio.cash,
        "PerpMargin": -parts.get("perpetual_maintenance", 0.0),
        "OracleConts": -parts.get("confidence", 0.0),
        "DepegIMs": -parts.get("peg", 0.0),
        "BaseMargin": parts.get("holdings_counted", 0.0),
    }
    for coin in ("ETH", "BTC"):
        for shape in ("", "Isolated", "Bounded"):
            for need, word in (("IM", "initial"), ("MM", "maintenance")):
                part = "_".join(filter(None, ("option", shape.lower(), word)))
                found[f"{coin}Option{shape}{need}"] = parts.get(f"{part}:{coin}", 0.0)
    yield from checked(document["Result"], found)


def standard_inputs(scenario: Document) -> tuple[Portfolio, Market]:
    """Positions and market of one standard case."""
    underlyings = list(scenario["OptionUnderlying"])
    options, vols = options_of(scenario, underlyings)
    positions: list[Position] = [*options]
    confidences = scenario["SpotPerpConfidences"]
    spots, perpetuals, collateral = {}, {}, {}
    for place, coin in enumerate(("ETH", "BTC")):
        spots[coin] = Reading(scaled(scenario, f"{coin}SpotPrice"), confidences[place][0] / E18)
        perpetuals[coin] = Reading(scenario["PerpPrice"][place] / E18, confidences[place][1] / E18)
        collateral[f"w{coin}"] = spots[coin]
        positions += _coin_positions(scenario, coin, perpetuals[coin].value)
    market = Market(
        spots=spots,
        perpetuals=perpetuals,
        expiries=_standard_expiries(scenario, underlyings),
        vols=vols,
        collateral=collateral,
        stable=Reading(scaled(scenario, "USDCValue", 1.0)),
    )
    return Portfolio(tuple(positions), scaled(scenario, "Cash")), market


def _coin_positions(scenario: Document, coin: str, mark: float) -> Iterator[Position]:
    quantity = scaled(scenario, f"Perps_{coin}")
    if quantity:
        entry = scaled(scenario, f"LastEntry{coin}", mark)
        paid = scaled(scenario, f"Account{coin}FundingIndex") - scaled(scenario, f"{coin}GlobalFundingIndex")
        yield Perpetual(f"{coin}-PERP", coin, quantity, (mark - entry) * quantity, paid * quantity)
    if scenario.get(f"w{coin}"):
        yield Holding(f"w{coin}", scaled(scenario, f"w{coin}"))


def _standard_expiries(scenario: Document, underlyings: list[str]) -> dict[tuple[str, int], Expiry]:
    """Within the settlement window a part of the forward is fixed at the average so far."""
    seconds = [int(each) for each in scenario["FeedExpiries"]]
    forwards, confidences = listed(scenario, "Forwards"), listed(scenario, "ForwardConfidences")
    expiries = {}
    for coin, left, forward, confidence in zip(underlyings, seconds, forwards, confidences, strict=True):
        fixed = scaled(scenario, f"PercentFixed{coin}") if left < WINDOW_SECONDS else 0.0
        average = scaled(scenario, f"TWAP_{coin}")
        expiries[coin, left * 1_000_000] = Expiry(Reading(forward * (1 - fixed), confidence), average * fixed)
    return expiries
