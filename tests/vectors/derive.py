"""Adapters of the Derive family: standard margin, portfolio margin v1 and v2."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.vectors.frame import Case, Check, documents, family
from tests.vectors.reading import NotUnderstood, Record, fully_read, keys
from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import Collateral, PortfolioV2, PortfolioV2Parameters
from truetape.margin.scenarios import BasisShock, Doubt, Scenario, Shock, SkewShock, StaticDiscount, VolShock
from truetape.margin.standard import StandardMargin, StandardParameters

E18: Final = 1e18
WINDOW_SECONDS: Final = 1800
COIN: Final = "COIN"
"""The one underlying of a portfolio-margin case, which the files do not name."""
Document = Record


def price(document: Document, key: str) -> float:
    """An 18-decimal price or confidence, without which nothing can be said; raises NotUnderstood."""
    return float(document.needed(key)) / E18


def number(document: Document, key: str) -> float:
    """A float that has to be there; raises NotUnderstood."""
    return float(document.needed(key))


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


def checked(result: Document, found: Mapping[str, float], *needed: str) -> Iterator[Check]:
    """Compare every number of the 18-decimal result that has an equal in the model; the needed ones must be there."""
    for key in needed:
        result.needed(key)
    for key, value in found.items():
        if result.get(key) is not None:
            yield Check(key, float(result[key]) / E18, value, absolute=1e-9)


# Standard margin

STANDARD_FACTORS: Final = {"wETH": 0.1, "wBTC": 0.1}
"""The published cases count base assets with a tenth of their value."""
STANDARD_UNUSED: Final = keys(
    "SVIParams Discounts DiscountConfidences SpotPrice SettlementPriceETH SettlementPriceBTC "
    "UnrealizedPNL UnsettledFunding Cash HandMM HandIM LastEntryETH LastEntryBTC ETHGlobalFundingIndex "
    "BTCGlobalFundingIndex AccountETHFundingIndex AccountBTCFundingIndex PercentFixedETH PercentFixedBTC TWAP_ETH "
    "TWAP_BTC"
)
"""What the volatilities were made of, what is said elsewhere too, and the same results by hand; and what is read only
where a perpetual is held or an option is in its settlement window."""


@family("standard_margin", "18-decimal integers that hold binary floats: compared to 1e-9 relative")
def standard_margin(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "standard_margin"):
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
    yield from checked(document["Result"], found, "realIM", "realMM")
    if document["Result"].get("DepegIMs") is not None:  # published with either sign
        yield Check("DepegIMs", abs(scaled(document["Result"], "DepegIMs")), parts.get("peg", 0.0), absolute=1e-9)
    fully_read(document, STANDARD_UNUSED)


def standard_inputs(scenario: Document) -> tuple[Portfolio, Market]:
    """Positions and market of one standard case."""
    underlyings = list(scenario["OptionUnderlying"])
    options, vols = options_of(scenario, underlyings)
    positions: list[Position] = [*options]
    confidences = scenario["SpotPerpConfidences"]
    spots, perpetuals, collateral = {}, {}, {}
    for place, coin in enumerate(("ETH", "BTC")):
        trusts = [float(each) / E18 for each in confidences[place]]
        spots[coin] = Reading(price(scenario, f"{coin}SpotPrice"), trusts[0])
        perpetuals[coin] = Reading(float(scenario["PerpPrice"][place]) / E18, trusts[1])
        collateral[f"w{coin}"] = spots[coin]
        positions += _coin_positions(scenario, coin, perpetuals[coin].value)
    market = Market(
        spots=spots,
        perpetuals=perpetuals,
        expiries=_standard_expiries(scenario, underlyings),
        vols=vols,
        collateral=collateral,
        stable=Reading(price(scenario, "USDCValue")),
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


V1_UNUSED: Final = keys(
    "SVIparams StableConfidence VolShockUp VolShockDown Forwards SettlementPrice PercentFixed Cash "
    "UnrealisedPerpPNL UnrealisedFunding PerpConfidence InitialMarginHand MaintenanceMarginHand"
)
"""What the volatilities and portions were made of, what is said elsewhere too, and the same results by hand."""


@family("portfolio_margin_v1", "18-decimal integers that hold binary floats: compared to 1e-9 relative")
def portfolio_margin_v1(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "portfolio_margin_v1"):
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
        "InitialMarginCalc",
        "MaintenanceMarginCalc",
    )
    fully_read(document, V1_UNUSED)


def v1_inputs(scenario: Document, now_seconds: int = 0) -> tuple[Portfolio, Market]:
    """Positions and market of one portfolio; expiries and now count from the same moment."""
    options, vols = options_of(scenario, [COIN] * len(scenario["OptionExpiries"]))
    positions: list[Position] = [*options]
    unrealised, funding = scaled(scenario, "UnrealisedPerpPNL"), scaled(scenario, "UnrealisedFunding")
    if scenario.get("Perps") or unrealised or funding:
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
        spots={COIN: Reading(price(scenario, "SpotPrice"), price(scenario, "SpotConfidence"))},
        perpetuals={COIN: Reading(perpetual, price(scenario, "PerpConfidence"))} if perpetual else {},
        expiries=expiries,
        vols=vols,
        stable=Reading(price(scenario, "StablePrice")),
    )
    return Portfolio(tuple(positions), scaled(scenario, "Cash")), market


# Portfolio margin, version 2


SHOCKS: Final[dict[str, Shock]] = {
    "DOWN": "down", "NONE": "none", "UP": "up", "LINEAR": "linear", "ABS": "abs", "-1": "down", "0": "none", "1": "up",
}  # fmt: skip
"""By their names and by their numbers in results."""
V2_UNUSED: Final = keys(
    "StableConfidence LastEntryPrice FundingIndex SystemFundingIndex PerpConfidence ConfidenceFactor "
    "ExiryTs MarkDiscount k linear_mult_cap abs_mult_cap k_star linear_multiplier abs_multiplier SVIparam "
    "IM_PERP_PERCENT_NORMAL IM_OPTION_PERCENT_NORMAL IMPerpContNormal IMBaseContNormal IMOptionContNormal "
    "worst_reg_loss worst_tail_loss worst_skew_loss worst_reg_scenario worst_tail_scenario worst_skew_scenario "
    "worst_all_scenarios Cash OptionMTMPerExpiry OptionMTMPerExpiryDiscounted PerpMTM MMLossFactor IMLossFactor "
    "IMPerpCont discount_factors UnrealisedFunding UnrealisedPerpPNL IMHand MMHand VolShockUpMultiplier "
    "VolShockDownMultiplier VolShockUpEvaluated VolShockDownEvaluated"
)
"""What the inputs were made of, steps on the way to what is compared, and the same results by hand."""


@family("portfolio_margin_v2", "binary floats: compared to 1e-9 relative, each scenario's profit too")
def portfolio_margin_v2(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "portfolio_margin_v2"):
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
    for key in ("IM", "MM"):
        result.needed(key)
    for key, value in numbers.items():
        if result.get(key) is not None:
            yield Check(key, float(result[key]), value, absolute=1e-9)
    yield from _v2_profits(result, model.parameters.scenarios, found.scenarios)
    fully_read(document, V2_UNUSED)


def _v2_profits(result: Document, scenarios: Sequence[Scenario], profits: Mapping[str, float]) -> Iterator[Check]:
    """Each scenario's profit, found by its move and its shock wherever it stands in the result."""
    rows: dict[tuple[float, Shock], list[float]] = {}
    for move, vol, profit, *_ in (*result["reg_losses"], *result["tail_losses"]):
        rows.setdefault((round(float(move), 9), shock(vol)), []).append(float(profit))
    for name, profit, *_ in result["skew_losses"]:
        rows.setdefault((0.0, shock(name)), []).append(float(profit))
    for scenario in scenarios:
        said = rows.get((round(scenario.spot - 1, 9), scenario.vol))
        if said:
            yield Check(scenario.name, said.pop(0), profits[scenario.name], absolute=1e-9)
    missed = [f"{move:+.4g} {vol}" for (move, vol), left in rows.items() if left]
    if missed:
        raise NotUnderstood(f"profits of scenarios that the parameters do not have: {', '.join(missed)}")


def shock(said: object) -> Shock:
    """What happens to volatility; raises NotUnderstood."""
    found = SHOCKS.get(str(said).upper())
    if found is None:
        raise NotUnderstood(f"no shock of volatility is called {said!r}")
    return found


def v2_parameters(parameters: Document, collaterals: list[Document]) -> PortfolioV2Parameters:
    """The model's parameters of one case."""
    vol, skew, margin = parameters["VolShock"], parameters["SkewShock"], parameters["Margin"]
    basis, other = parameters["BasisContingency"], parameters["OtherContingency"]
    return PortfolioV2Parameters(
        scenarios=tuple(
            Scenario(number(each, "SpotShock"), shock(each["VolShockDirection"]), number(each, "DampeningFactor"))
            for each in parameters["Scenarios"]
        ),
        vol=VolShock(
            up=number(vol, "VOLRANGEUP"),
            down=number(vol, "VOLRANGEDOWN"),
            short_power=number(vol, "SHORTTERMPOWER"),
            long_power=number(vol, "LONGTERMPOWER"),
            days_floor=number(vol, "DTE_FLOOR"),
            floor_up=number(vol, "MIN_VOL_EVAL_SHOCKED"),
        ),
        skew=SkewShock(
            linear_cap=number(skew, "LINEAR_SCALE_CAP"),
            linear_slope=number(skew, "LINEAR_CBASE"),
            abs_cap=number(skew, "ABS_SCALE_CAP"),
            abs_slope=number(skew, "ABS_CBASE"),
            k_star_floor=number(skew, "MIN_K_STAR"),
            width=number(skew, "MIN_WIDTH_SCALE"),
            vol_base=number(skew, "VOL_PARAM_STATIC"),
            vol_slope=number(skew, "VOL_PARAM_SCALE"),
        ),
        discount=StaticDiscount(
            long_base=number(margin, "BASE_STATIC_DISCOUNT"),
            long_rate_scale=number(margin, "LONG_RATE_MULTSCALE"),
            long_rate_add=number(margin, "LONG_RATE_ADDSCALE"),
            short_base=number(margin, "BASE_STATIC_DISCOUNT_NEG"),
            short_rate_scale=number(margin, "SHORT_RATE_MULTSCALE"),
            short_rate_add=number(margin, "SHORT_RATE_ADDSCALE"),
        ),
        basis=BasisShock(
            up=number(basis, "SCENARIO_SPOT_UP"),
            down=number(basis, "SCENARIO_SPOT_DOWN"),
            add=number(basis, "BASIS_CONT_ADD_FACTOR"),
            scale=number(basis, "BASIS_CONT_MULT_FACTOR"),
        ),
        initial_factor=number(margin, "IM_LOSS_FACTOR"),
        maintenance_factor=number(margin, "MM_LOSS_FACTOR"),
        perpetual_maintenance=number(other, "MM_PERP_PERCENT"),
        perpetual_initial=number(other, "IM_PERP_PERCENT"),
        option_maintenance=number(other, "MM_OPTION_PERCENT"),
        option_initial=number(other, "IM_OPTION_PERCENT"),
        doubt=Doubt(threshold=number(other, "CONF_THRESHOLD"), factor=number(other, "CONF_MARGIN")),
        peg_threshold=number(other, "PEG_LOSS_THRESHOLD"),
        peg_factor=number(other, "PEG_LOSS_FACTOR"),
        collateral={
            f"{each['Name']}#{place}": Collateral(
                number(each, "MMHaircut"), number(each, "IMHaircut"), each["IsRiskCancelling"]
            )
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
    unrealised, funding = float(scenario.get("UnrealisedPerpPNL", 0)), float(scenario.get("UnrealisedFunding", 0))
    if scenario["NumPerps"] or unrealised or funding:
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
