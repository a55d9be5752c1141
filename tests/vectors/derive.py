"""Adapters of the Derive family: standard margin, portfolio margin v1 and v2."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.vectors.frame import Case, Check, documents, family
from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import Collateral, PortfolioV2, PortfolioV2Parameters
from truetape.margin.scenarios import BasisShock, Doubt, Scenario, SkewShock, StaticDiscount, VolShock
from truetape.margin.standard import StandardMargin, StandardParameters

E18: Final = 1e18
WINDOW_SECONDS: Final = 1800
COIN: Final = "COIN"
"""The one underlying of a portfolio-margin case, which the files do not name."""
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
        "BaseMargin": parts.get("holdings_counted", 0.0),
    }
    for coin in ("ETH", "BTC"):
        for shape in ("", "Isolated", "Bounded"):
            for need, word in (("IM", "initial"), ("MM", "maintenance")):
                part = "_".join(filter(None, ("option", shape.lower(), word)))
                found[f"{coin}Option{shape}{need}"] = parts.get(f"{part}:{coin}", 0.0)
    yield from checked(document["Result"], found)
    yield Check("DepegIMs", abs(scaled(document["Result"], "DepegIMs")), parts.get("peg", 0.0), absolute=1e-9)


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
    if len(underlyings) != len(seconds):  # a feed per expiry instead of one per option
        coins = sorted(set(underlyings))
        underlyings, seconds = [coin for coin in coins for _ in seconds], seconds * len(coins)
        forwards, confidences = forwards * len(coins), confidences * len(coins)
    for coin, left, forward, confidence in zip(underlyings, seconds, forwards, confidences, strict=True):
        fixed = scaled(scenario, f"PercentFixed{coin}") if left < WINDOW_SECONDS else 0.0
        average = scaled(scenario, f"TWAP_{coin}")
        expiries[coin, left * 1_000_000] = Expiry(Reading(forward * (1 - fixed), confidence), average * fixed)
    return expiries


# Portfolio margin, version 1


@family("portfolio_margin_v1", "18-decimal integers that hold binary floats: compared to 1e-9 relative")
def portfolio_margin_v1(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "portfolio_margin_v1", "Scenario"):
        yield Case(name, partial(_portfolio_v1, document))


def _portfolio_v1(document: Document) -> Iterator[Check]:
    portfolio, market = v1_inputs(document["Scenario"])
    result = PortfolioV1(COIN, COIN).margin(portfolio, market)
    parts = result.parts
    yield from checked(
        document["Result"],
        {
            "InitialMarginCalc": result.initial_excess,
            "MaintenanceMarginCalc": result.maintenance_excess,
            "PortfolioMTM": parts["value"],
            "MinSpan": parts["scanned"],
            "ForwardContingency": parts["basis"],
            "OptionContingency": -parts["option_contingency"],
            "PerpContingency": -parts["perpetual_contingency"],
            "BaseContingency": -parts["base_contingency"],
            "OracleContingency": -parts["confidence"],
            "LossFactor": parts["factor"],
        },
    )


def v1_inputs(scenario: Document, now_seconds: int = 0) -> tuple[Portfolio, Market]:
    """Positions and market of one portfolio; expiries and now count from the same moment."""
    options, vols = options_of(scenario, [COIN] * len(scenario["OptionExpiries"]))
    positions: list[Position] = [*options]
    if scenario.get("Perps"):
        unrealised, funding = scaled(scenario, "UnrealisedPerpPNL"), scaled(scenario, "UnrealisedFunding")
        positions.append(Perpetual(f"{COIN}-PERP", COIN, scaled(scenario, "Perps"), unrealised, funding))
    if scenario.get("Base"):
        positions.append(Holding(COIN, scaled(scenario, "Base")))
    columns = (
        [int(seconds) for seconds in scenario["FeedExpiries"]],
        listed(scenario, "ForwardsVariable"),
        listed(scenario, "ForwardsFixed"),
        listed(scenario, "ForwardConfidences"),
        listed(scenario, "Rates"),
        listed(scenario, "RateConfidences"),
    )
    expiries = {
        (COIN, seconds * 1_000_000): Expiry(Reading(moving, trust), fixed, Reading(rate, rate_trust))
        for seconds, moving, fixed, trust, rate, rate_trust in zip(*columns, strict=True)
    }
    perpetual = scaled(scenario, "PerpPrice")
    market = Market(
        now_us=now_seconds * 1_000_000,
        spots={COIN: Reading(scaled(scenario, "SpotPrice"), scaled(scenario, "SpotConfidence"))},
        perpetuals={COIN: Reading(perpetual, scaled(scenario, "PerpConfidence"))} if perpetual else {},
        expiries=expiries,
        vols=vols,
        stable=Reading(scaled(scenario, "StablePrice")),
    )
    return Portfolio(tuple(positions), scaled(scenario, "Cash")), market


# Portfolio margin, version 2


@family("portfolio_margin_v2", "binary floats: compared to 1e-9 relative, each scenario's profit too")
def portfolio_margin_v2(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "portfolio_margin_v2", "Scenario"):
        yield Case(name, partial(_portfolio_v2, document))


def _portfolio_v2(document: Document) -> Iterator[Check]:
    scenario, result = document["Scenario"], document["Result"]
    portfolio, market = v2_inputs(scenario)
    model = PortfolioV2(COIN, v2_parameters(document["Parameters"], scenario["Collaterals"]))
    found = model.margin(portfolio, market)
    parts = found.parts
    numbers = {
        "IM": found.initial_excess,
        "MM": found.maintenance_excess,
        "PortfolioMTM": found.equity,
        "OptionMTM": parts["options"],
        "CollateralMTM": parts["holdings"],
        "ForwardContingency": parts["basis"],
        "MMPerpCont": -parts["perpetual_maintenance"],
        "MMOptionCont": -parts["option_maintenance"],
        "IMOptionCont": -parts["option_initial"],
        "MMBaseCont": -parts["holding_maintenance"],
        "IMBaseCont": -parts["holding_initial"],
        "OracleCont": -parts["confidence"],
        "im_loss_factor": parts["factor"],
    }
    for key, value in numbers.items():
        yield Check(key, float(result[key]), value, absolute=1e-9)
    expected = [*(row[2] for row in result["reg_losses"]), *(row[2] for row in result["tail_losses"])]
    expected += [row[1] for row in result["skew_losses"]]
    profits = list(found.scenarios.values())
    for place, profit in enumerate(expected):
        yield Check(f"scenario {place}", float(profit), profits[place], absolute=1e-9)


def v2_parameters(parameters: Document, collaterals: list[Document]) -> PortfolioV2Parameters:
    """The model's parameters of one case."""
    vol, skew, margin = parameters["VolShock"], parameters["SkewShock"], parameters["Margin"]
    basis, other = parameters["BasisContingency"], parameters["OtherContingency"]
    return PortfolioV2Parameters(
        scenarios=tuple(
            Scenario(float(each["SpotShock"]), each["VolShockDirection"].lower(), float(each["DampeningFactor"]))
            for each in parameters["Scenarios"]
        ),
        vol=VolShock(
            up=vol["VOLRANGEUP"],
            down=vol["VOLRANGEDOWN"],
            short_power=vol["SHORTTERMPOWER"],
            long_power=vol["LONGTERMPOWER"],
            days_floor=vol["DTE_FLOOR"],
            floor_up=vol["MIN_VOL_EVAL_SHOCKED"],
        ),
        skew=SkewShock(
            linear_cap=skew["LINEAR_SCALE_CAP"],
            linear_slope=skew["LINEAR_CBASE"],
            abs_cap=skew["ABS_SCALE_CAP"],
            abs_slope=skew["ABS_CBASE"],
            k_star_floor=skew["MIN_K_STAR"],
            width=skew["MIN_WIDTH_SCALE"],
            vol_base=skew["VOL_PARAM_STATIC"],
            vol_slope=skew["VOL_PARAM_SCALE"],
        ),
        discount=StaticDiscount(
            long_base=margin["BASE_STATIC_DISCOUNT"],
            long_rate_scale=margin["LONG_RATE_MULTSCALE"],
            long_rate_add=margin["LONG_RATE_ADDSCALE"],
            short_base=margin["BASE_STATIC_DISCOUNT_NEG"],
            short_rate_scale=margin["SHORT_RATE_MULTSCALE"],
            short_rate_add=margin["SHORT_RATE_ADDSCALE"],
        ),
        basis=BasisShock(
            up=basis["SCENARIO_SPOT_UP"],
            down=basis["SCENARIO_SPOT_DOWN"],
            add=basis["BASIS_CONT_ADD_FACTOR"],
            scale=basis["BASIS_CONT_MULT_FACTOR"],
        ),
        initial_factor=margin["IM_LOSS_FACTOR"],
        maintenance_factor=margin["MM_LOSS_FACTOR"],
        perpetual_maintenance=other["MM_PERP_PERCENT"],
        perpetual_initial=other["IM_PERP_PERCENT"],
        option_maintenance=other["MM_OPTION_PERCENT"],
        option_initial=other["IM_OPTION_PERCENT"],
        doubt=Doubt(threshold=other["CONF_THRESHOLD"], factor=other["CONF_MARGIN"]),
        peg_threshold=other["PEG_LOSS_THRESHOLD"],
        peg_factor=other["PEG_LOSS_FACTOR"],
        collateral={
            f"{each['Name']}#{place}": Collateral(each["MMHaircut"], each["IMHaircut"], each["IsRiskCancelling"])
            for place, each in enumerate(collaterals)
        },
    )


def v2_inputs(scenario: Document) -> tuple[Portfolio, Market]:
    """Positions and market of one case; in the last half hour a part of the forward is fixed already."""
    positions: list[Position] = []
    vols, expiries = {}, {}
    trust = {int(feed["FeedExpiry"]): float(feed["OptionVolConfidences"]) for feed in scenario["OptionFeeds"]}
    for each in scenario["Options"]:
        seconds, strike, is_call = int(each["Expiry"]), float(each["Strike"]), bool(each["IsCall"])
        name = option_id(COIN, seconds, strike, is_call)
        positions.append(Option(name, COIN, seconds * 1_000_000, strike, is_call, float(each["Amount"])))
        vols[name] = Reading(float(each["MarkVol"]), trust[seconds])
    for feed in scenario["OptionFeeds"]:
        seconds, forward = int(feed["FeedExpiry"]), float(feed["Forward"])
        moving = min(max(seconds, 0) / WINDOW_SECONDS, 1.0)
        expiries[COIN, seconds * 1_000_000] = Expiry(
            Reading(forward * moving, float(feed["ForwardConfidence"])),
            forward * (1 - moving),
            Reading(float(feed["Rate"]), float(feed["RateConfidence"])),
        )
    if scenario["NumPerps"]:
        unrealised, funding = float(scenario["UnrealisedPerpPNL"]), float(scenario["UnrealisedFunding"])
        positions.append(Perpetual(f"{COIN}-PERP", COIN, float(scenario["NumPerps"]), unrealised, funding))
    prices = {}
    for place, each in enumerate(scenario["Collaterals"]):
        name = f"{each['Name']}#{place}"
        positions.append(Holding(name, float(each["Amount"])))
        prices[name] = Reading(float(each["Price"]), float(each["Confidence"]))
    perpetual = float(scenario["PerpPrice"])
    market = Market(
        spots={COIN: Reading(float(scenario["SpotPrice"]), float(scenario["SpotConfidence"]))},
        perpetuals={COIN: Reading(perpetual, float(scenario["PerpConfidence"]))} if perpetual else {},
        expiries=expiries,
        vols=vols,
        collateral=prices,
        stable=Reading(float(scenario["StablePrice"])),
    )
    return Portfolio(tuple(positions), float(scenario["Cash"])), market
