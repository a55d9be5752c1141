"""A small market of one underlying and hypothesis strategies for portfolios in it."""

from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position, netted
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import Collateral, PortfolioV2, PortfolioV2Parameters
from truetape.margin.standard import StandardMargin, StandardParameters

LAW: Final = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY_US: Final = 86_400_000_000
EXPIRIES: Final = (0, 2 * DAY_US, 30 * DAY_US, 200 * DAY_US)
"""One has passed at now_us = 0."""
STRIKES: Final = (60.0, 95.0, 100.0, 110.0, 160.0)
SPOT: Final = 100.0
OPTIONS: Final = tuple(
    Option(f"BTC-{expires_us}-{strike:g}-{kind}", "BTC", expires_us, strike, kind == "C", 0.0)
    for expires_us in EXPIRIES
    for strike in STRIKES
    for kind in ("C", "P")
)

STANDARD: Final = StandardMargin(StandardParameters(holding_factors={"BTC": 0.1, "ETH": 0.1}))
V1: Final = PortfolioV1("BTC", "BTC")
V2: Final = PortfolioV2(
    "BTC",
    PortfolioV2Parameters(
        collateral={"BTC": Collateral(0.02, 0.01, is_cancelling=True), "ETH": Collateral(0.15, 0.05)}
    ),
)


def market(
    spot: float = SPOT, *, trust: float = 1.0, vol_trust: float = 1.0, perpetual_trust: float = 1.0, peg: float = 1.0
) -> Market:
    """All inputs of EXPIRIES, OPTIONS, the perpetual and two holdings."""
    return Market(
        spots={"BTC": Reading(spot, trust)},
        perpetuals={"BTC": Reading(spot * 1.002, perpetual_trust)},
        expiries={
            ("BTC", expires_us): Expiry(Reading(spot * (1 + place / 100)), 0.0, Reading(0.03 * place))
            for place, expires_us in enumerate(EXPIRIES)
        },
        vols={
            option.instrument_id: Reading(0.5 + abs(option.strike - spot) / 400, vol_trust if option.is_call else 1.0)
            for option in OPTIONS
        },
        collateral={"BTC": Reading(spot, trust), "ETH": Reading(3.0)},
        stable=Reading(peg),
    )


SIZES: Final = st.integers(-400, 400).map(lambda hundredths: hundredths / 100)
TRUSTS: Final = st.sampled_from([0.0, 0.3, 0.54, 0.9, 1.0])
MARKETS: Final = st.builds(
    market,
    st.sampled_from([85.0, 100.0, 117.0]),
    trust=TRUSTS,
    vol_trust=TRUSTS,
    perpetual_trust=TRUSTS,
    peg=st.sampled_from([0.9, 0.985, 1.0]),
)


@st.composite
def portfolios(draw: st.DrawFn, with_eth: bool = True) -> Portfolio:
    """Options of all expiries, perhaps a perpetual and holdings, and cash of either sign."""
    chosen = draw(st.lists(st.sampled_from(OPTIONS), max_size=8, unique=True))
    positions = [
        Option(each.instrument_id, "BTC", each.expires_us, each.strike, each.is_call, draw(SIZES)) for each in chosen
    ]
    held: list[Position] = [
        Perpetual("BTC-PERP", "BTC", draw(SIZES), draw(SIZES), draw(SIZES)),
        Holding("BTC", abs(draw(SIZES))),
    ]
    if with_eth:
        held.append(Holding("ETH", abs(draw(SIZES))))
    some = draw(st.lists(st.sampled_from(held), max_size=3, unique=True))
    return Portfolio(netted([*positions, *some]), draw(st.integers(-500, 500)) / 1)
