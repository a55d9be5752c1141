"""dYdX: funding, margin, liquidation; integers in quote quantums of 1e-6."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.vectors.compact import EXACT, PRINTED, Numbers, compact, first, printed, units
from tests.vectors.frame import Check
from truetape.funding import average, dydx_index_delta, dydx_rate_ppm, dydx_settlement_ppm
from truetape.liquidation import Standing, bankruptcy_value, fillable_price, insurance_delta
from truetape.margin.tiers import Tier, initial_margin, maintenance_margin, quote_quantums

MILLION: Final = 1_000_000
NO_CLAMP_PPM: Final = 2**31 - 1
"""dYdX's own bound of a rate: 32 bits."""


@compact("dydx_funding_index_delta", EXACT)
def index_delta(case: Numbers, _: Numbers) -> Iterator[Check]:
    found = dydx_index_delta(case["ppm"], case["dt"], case["price"], case["exp"], case["atomic"])
    yield Check("out", case["out"], found)


@compact("dydx_funding_settlement_ppm", EXACT)
def settlement(case: Numbers, _: Numbers) -> Iterator[Check]:
    yield Check("out", case["out"], dydx_settlement_ppm(case["q"], case["then"], case["now"]))


@compact("dydx_funding_epoch", EXACT)
def epoch(case: Numbers, _: Numbers) -> Iterator[Check]:
    """The set-up stands in prose: BTC at 5e9 with exponent -5, atomic -10, one hour, 60 samples; a case may differ."""
    premium_ppm = average(samples_of(case), first(case, "expected", "expected_samples", default=60))
    default_ppm = first(case, "default_ppm", "default_funding_ppm", default=0)
    rate_ppm = premium_ppm + default_ppm
    if "im" in case:
        clamp_ppm = millionths(first(case, "clamp", "clamp_factor", default=6_000_000))
        rate_ppm = dydx_rate_ppm(premium_ppm, default_ppm, millionths(case["im"]), millionths(case["mm"]), clamp_ppm)
    seconds, price = case.get("dt", 3600), case.get("price", 5_000_000_000)
    moved = dydx_index_delta(rate_ppm, seconds, price, case.get("exp", -5), case.get("atomic", -10))
    if "rate_ppm" in case:
        yield Check("rate_ppm", case["rate_ppm"], rate_ppm)
    if "index_delta" in case:
        yield Check("index_delta", case["index_delta"], moved)


def millionths(said: Any) -> int:
    """A part (0.2), or parts per million already (200000)."""
    return units(said, MILLION) if abs(said) <= 10 else int(said)


def samples_of(case: Numbers) -> list[int | None]:
    """`samples_ppm` with `n`, a list, or text such as "75x1000 + 25x5000 (more than 60)"."""
    said: Any = case.get("samples_ppm", case.get("samples"))
    if isinstance(said, str):
        runs = re.findall(r"(\d+)\s*x\s*(-?\d+)", said)
        assert runs, f"no samples in {said!r}"
        return [int(premium) for count, premium in runs for _ in range(int(count))]
    if isinstance(said, list):
        assert case.get("n", len(said)) == len(said), f"{len(said)} samples are said to be {case['n']}"
        return list(said)
    return [said] * case.get("n", 1)


@compact("dydx_margin", EXACT)
def margin(case: Numbers, _: Numbers) -> Iterator[Check]:
    place = case["price"], case["exp"], case["atomic"]
    tier = Tier(case["im_ppm"], case["mf_ppm"], case.get("lo", 0), case.get("hi", 0))
    notional = quote_quantums(abs(case["q"]), *place)
    open_interest = quote_quantums(case.get("oi", 0), *place)
    if "IM" in case:
        yield Check("IM", case["IM"], initial_margin(tier, notional, open_interest, case.get("custom_ppm", 0)))
    if "MM" in case:
        yield Check("MM", case["MM"], maintenance_margin(tier, notional))


class Market(NamedTuple):
    """dYdX's test markets: price with exponent, and how many base quantums make one coin."""

    price: int
    exponent: int
    atomic: int

    def notional(self, quantums: int) -> int:
        """Signed, in quote quantums."""
        return quote_quantums(quantums, self.price, self.exponent, self.atomic)

    def maintenance(self, quantums: int, tier: Tier) -> int:
        """Maintenance margin in quote quantums."""
        return maintenance_margin(tier, abs(self.notional(quantums)))


MARKETS: Final = {"btc": Market(5_000_000_000, -5, -8), "eth": Market(3_000_000_000, -6, -9)}
TEN_PERCENT: Final = Tier(initial_ppm=200_000, maintenance_fraction_ppm=500_000)


class Account(NamedTuple):
    """Positions in base quantums, and where the account stands."""

    positions: dict[str, int]
    tier: Tier
    standing: Standing


def account_of(case: Numbers) -> Account:
    """`usdc` in dollars, positions in coins; `mm` as a part where it is not 10 %."""
    positions = {name: units(case[name], 10**-market.atomic) for name, market in MARKETS.items() if name in case}
    tier = Tier(200_000, 5 * units(case["mm"], MILLION)) if "mm" in case else TEN_PERCENT
    collateral = units(case["usdc"], MILLION) + sum(MARKETS[name].notional(held) for name, held in positions.items())
    maintenance = sum(MARKETS[name].maintenance(held, tier) for name, held in positions.items())
    return Account(positions, tier, Standing(collateral, maintenance))


def closing_of(case: Numbers, positions: dict[str, int]) -> tuple[str, int]:
    """The market that is closed and the change in base quantums: `close` or `close_q`, with `_eth` for ETH; without
    either all of the one that `of` names, or of the first."""
    for key in case:
        if key.startswith("close"):
            said = case[key]
            name = next((name for name in MARKETS if name in key), next(iter(positions)))
            return name, int(said) if key.endswith("_q") else units(said, 10 ** -MARKETS[name].atomic)
    name = str(case.get("of", next(iter(positions)))).lower()
    return name, -positions[name]


@compact("dydx_bankruptcy_price_quote", EXACT)
def bankruptcy(case: Numbers, _: Numbers) -> Iterator[Check]:
    account = account_of(case)
    name, change = closing_of(case, account.positions)
    market, before = MARKETS[name], account.positions[name]
    notional_change = market.notional(before + change) - market.notional(before)
    maintenance_change = market.maintenance(before + change, account.tier) - market.maintenance(before, account.tier)
    yield Check("out", case["out"], bankruptcy_value(account.standing, notional_change, maintenance_change))


@compact("dydx_fillable_price", PRINTED)
def fillable(case: Numbers, family: Numbers) -> Iterator[Check]:
    """BA is 1 and SMMR 0.1 unless a case says otherwise; the price is of one coin in dollars."""
    account = account_of(case)
    name, _ = closing_of(case, account.positions)
    market, held = MARKETS[name], account.positions[name]
    price = fillable_price(
        account.standing,
        market.notional(held),
        market.maintenance(held, account.tier),
        held,
        millionths(first(case, "ba", "BA", "ba_ppm", default=1)),
        millionths(first(case, "smmr", "SMMR", "smmr_ppm", default=100_000)),
    )
    yield printed("out", case["out"], float(price * 10**-market.atomic / MILLION))


@compact("dydx_insurance_delta", PRINTED)
def insurance(case: Numbers, _: Numbers) -> Iterator[Check]:
    quote, bankrupt, fee = (units(case[name], MILLION) for name in ("quote", "bk", "fee"))
    yield printed("out", case["out"], insurance_delta(quote, bankrupt, fee) / MILLION)
