"""Deribit, SIMM, the schedule, Drift and Derive's funding: the remaining families of `derivatives_compact.json`."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.vectors.compact import (
    EXACT,
    PRINTED,
    Numbers,
    compact,
    first,
    label,
    listed,
    other_lists,
    printed,
    understood,
    units,
)
from tests.vectors.frame import Case, Check, family
from truetape import average_cost
from truetape.contracts import Contract, Right, exercise, profit
from truetape.funding import HOUR_US, ONE_E18, FundingTerms, derive_rate, impact_premium, payment, step
from truetape.liquidation import borrow_to_repay, quantity_to_cover, socialised_per_unit
from truetape.margin.deribit import SCHEDULES
from truetape.margin.schedule import Trade, margin_of, schedule_margin
from truetape.margin.simm import FxParameters, fx_delta_margin
from truetape.money import ONE_E8, to_e8

# Deribit


@compact("deribit_linear_perp_margin", PRINTED)
def linear_perpetual(case: Numbers, _: Numbers) -> Iterator[Check]:
    name = next(name for name in SCHEDULES if name.lower() in case)
    size = float(case[name.lower()])
    notional = abs(size) * float(case["px"])
    for kind, rate in zip(("IM", "MM"), SCHEDULES[name].rates(size), strict=True):
        if f"{kind}_pct" in case:
            yield printed(f"{kind}_pct", case[f"{kind}_pct"], rate * 100)
        if kind in case:
            yield printed(kind, case[kind], rate * notional)


MANY: Final = 10**6
"""So many contracts are computed at once, to see 14 digits of one."""
OPTION: Final = Contract("INVERSE", ONE_E8)


@compact("deribit_inverse", PRINTED)
def inverse(case: Numbers, _: Numbers) -> Iterator[Check]:
    if "inverse_future_usd" in case:
        contract = Contract("INVERSE", to_e8(str(case["inverse_future_usd"])))
        entry, after = to_e8(str(case["entry"])), to_e8(str(case["exit"]))
        side = -1 if case.get("side") == "short" else 1
        found = profit(contract, side * MANY * ONE_E8, entry, after, "half_even") / MANY / ONE_E8
        yield printed("pnl_btc", case["pnl_btc"], found)
        return
    key = next(key for key in case if key.endswith(("call", "put")))
    right: Right = "CALL" if key.endswith("call") else "PUT"
    strike, settles = to_e8(str(case[key])), to_e8(str(case["delivery"]))
    side = -1 if key.startswith("short") else 1
    paid = exercise(OPTION, right, strike, settles, MANY * ONE_E8, "half_even") / MANY / ONE_E8
    if "payoff_btc" in case:
        yield printed("payoff_btc", case["payoff_btc"], paid)
    yield printed("pnl_btc", case["pnl_btc"], side * (paid - float(case["premium_btc"])))


# SIMM and the schedule


@compact("simm_fx_delta_2_5_10d", "rounded to the unit, or 1e-9 relative")
def simm(case: Numbers, family: Numbers) -> Iterator[Check]:
    sensitivities = [family["sens"][name] for name in names_of(case["in"], list(family["sens"]))]
    found, _ = fx_delta_margin(
        ((str(currency), float(amount)) for currency, amount in sensitivities), simm_parameters(family["params"])
    )
    yield printed("out", case["out"], found, absolute=0.5)


def simm_parameters(said: Numbers) -> FxParameters:
    """The file's parameters."""
    rho, thresholds = said["rho"], said["T_usd_per_pct"]
    return FxParameters(
        said["calc_ccy"], frozenset(said["highvol"]), float(said["RW_regular"]), float(said["RW_highvol"]),
        float(rho["RR"]), float(rho["RH"]), float(rho["HH"]), float(thresholds["cat1"]), float(thresholds["cat2"]),
        float(thresholds["other"]),
    )  # fmt: skip


def names_of(said: list[str] | str, known: list[str]) -> list[str]:
    """A list of names, or text: "10xFX8", "6x(FX3,FX6)", "2xFX1 + FX2", "FX1..FX12", "all"."""
    if isinstance(said, list):
        return [name for each in said for name in names_of(each, known)]
    if said == "all":
        return known
    if span := re.fullmatch(r"([A-Za-z]+\d+)\s*(?:\.\.+|-)\s*([A-Za-z]+\d+)", said):
        begin, end = (known.index(name) for name in span.groups())
        return known[begin : end + 1]
    found = re.findall(r"(?:(\d+)\s*[x*]\s*)?(?:\(([^()]*)\)|([A-Za-z]+\d+))", said)
    assert found, f"no sensitivities in {said!r}"
    return [
        name.strip()
        for times, group, one in found
        for _ in range(int(times or 1))
        for name in (group or one).split(",")
    ]


ONE_YEAR: Final = 1.0
PV1: Final = (
    Trade("RATES", ONE_YEAR, 100_000, 500), Trade("FX", ONE_YEAR, -50_000, -100),
    Trade("RATES", ONE_YEAR, 200_000, -25), Trade("CREDIT", ONE_YEAR, 300_000, 20),
)  # fmt: skip
PV2: Final = (
    Trade("RATES", ONE_YEAR, 250_000, 850), Trade("FX", ONE_YEAR, -500_000, 120),
    Trade("RATES", ONE_YEAR, -200_000, -45), Trade("CREDIT", ONE_YEAR, 30_000, -200),
    Trade("EQUITY", 4.0, 120_000, -175), Trade("CREDIT", 12.0, -40_000, 230),
)  # fmt: skip
EXTRA: Final = (*PV2[:4], Trade("EQUITY", 4.0, 120_000), Trade("CREDIT", 12.0, -40_000))
NETTING: Final = (Trade("RATES", 0.2, 1000, 1000), Trade("RATES", 0.2, -1000, -1000))
NETTED_VALUE: Final = (Trade("RATES", 0.2, 1000),)
PORTFOLIOS: Final[Mapping[str, tuple[Trade, ...]]] = {
    "testScheduleWithPV1": PV1, "testScheduleWithPV2": PV2, "testScheduleExtraNotionals": EXTRA,
    "testNettingAndAbsoluteNotional": NETTING, "testNettingWorksAsExpectedPv": NETTED_VALUE,
    "testNotionalBeingGottenFromTradeFields": NETTED_VALUE, "testNettingWorksAsExpected": (Trade("RATES", 0.2, 0),),
}  # fmt: skip
"""Trades of AcadiaSoft's tests of these names: product, years to maturity, notional, present value."""


@compact("schedule_im", "as printed: cents, or the unit")
def schedule(case: Numbers, _: Numbers) -> Iterator[Check]:
    """By gross margin and ratio; or by trades, the case's own (`trades`) or those of the named public test."""
    if "gross" in case:
        yield printed("out", case["out"], schedule_margin(float(case["gross"]), float(case["NGR"])), absolute=0.005)
        return
    trades = [
        Trade(str(product).upper(), float(years), float(notional), float(value))  # type: ignore[arg-type]
        for product, years, notional, value in case.get("trades", ())
    ] or PORTFOLIOS[case["id"]]
    if "secured" in case or "out" in case:
        yield printed("secured", first(case, "secured", "out"), margin_of(trades, "SECURED"), absolute=0.5)
    if "pledgor" in case:
        yield printed("pledgor", case["pledgor"], margin_of(trades, "PLEDGOR"), absolute=0.5)


# Drift


@compact("drift_position_avg_cost", EXACT)
def average(case: Numbers, _: Numbers) -> Iterator[Check]:
    before = average_cost.Cost(case.get("base", 0), case.get("entry", 0), case.get("breakeven", case.get("entry", 0)))
    after = average_cost.trade(before, *case["trade"])
    found = {
        "base2": after.quantity, "entry2": after.entry, "breakeven2": after.break_even, "realised": after.realised,
    }  # fmt: skip
    for name, value in found.items():
        if name in case:
            yield Check(name, case[name], value)


DRIFT_UNIT: Final = 10**6
"""Drift counts quote in 1e-6."""
DRIFT_WEIGHT_STEP_E8: Final = 1_000
FINER: Final = 10**4
"""So many times the shortage is computed, to see a size at Drift's 1e-9 and finer."""


@compact("drift_liquidation", PRINTED)
def liquidation(case: Numbers, _: Numbers) -> Iterator[Check]:
    if "socialise_perp_loss" in case:
        loss = units(case["socialise_perp_loss"], DRIFT_UNIT)
        long, short = (units(case[side], ONE_E8) for side in ("long", "short"))
        found = socialised_per_unit(loss, long, short, ONE_E8) / DRIFT_UNIT
        yield printed("funding_delta_per_unit", case["funding_delta_per_unit"], found)
        return
    if "asset_weight" in case:
        yield from borrowing(case)
        return
    shortage, price, margin, fee, insurance = (
        units(case[key], ONE_E8) for key in ("shortage", "px", "mm", "fee", "if")
    )
    quote_price = units(case.get("usdc", 1), ONE_E8)
    size = quantity_to_cover(FINER * shortage, price, margin, fee, insurance, quote_price, "half_even")
    assert size is not None, "no size restores the margin"
    yield printed("base", case["base"], size / FINER / ONE_E8)


def borrowing(case: Numbers) -> Iterator[Check]:
    """Repayment of a borrowed asset out of collateral: weights and the liquidator's multipliers."""
    shortage, price, asset, liability = (
        units(case[key], ONE_E8) for key in ("shortage", "px", "asset_weight", "liability_weight")
    )
    asset_by = units(first(case, "asset_multiplier", "asset_mult", default=1), ONE_E8)
    liability_by = units(first(case, "liability_multiplier", "liability_mult", default=1), ONE_E8)
    fee = units(case.get("if", 0), ONE_E8)
    found = borrow_to_repay(
        FINER * shortage, price, asset, liability, asset_by, liability_by, fee, DRIFT_WEIGHT_STEP_E8, "half_even"
    )
    assert found is not None, "no size restores the margin"
    yield printed("transfer", first(case, "transfer", "liability", "base", "out"), found / FINER / ONE_E8)


# Derive's funding

HOURLY: Final = FundingTerms(period_us=HOUR_US, cap_e18=75 * ONE_E18 // 10_000, interval_max_us=HOUR_US)
"""Capped at 0.75 % an hour, no static rate: the parameters of the public test."""
ONE_CONTRACT: Final = Contract("LINEAR", ONE_E8)
MOVED: Final = re.compile(r"index moves to ([\d.]+).* still settles (-?[\d.]+\d)")


@family("derive_perp_funding", PRINTED)
def derive(directory: Path) -> Iterator[Case]:
    """A case that says "index moves to ..." goes on from the first case with numbers."""
    cases = list(listed(directory, "derive_perp_funding"))
    before: Numbers = next((case for _, _, case, _ in cases if "idx" in case), {})
    for where, index, case, _ in cases:
        said, name = MOVED.search(case.get("note", "")), where + label(index, case)
        if "idx" in case:
            yield Case(name, lambda case=case: understood(case, rates(case)))  # type: ignore[misc]
        elif said:
            yield Case(name, lambda case=case, said=said: understood(case, moved(before, *said.groups())))  # type: ignore[misc]
        else:
            yield Case(name, tuple, skip="prose without numbers that can be run")
    yield from other_lists(directory, "derive_perp_funding")


def rates(case: Numbers) -> Iterator[Check]:
    """Rate of an hour, and what one contract pays for it."""
    index, bid, ask = (units(case[name], ONE_E8) for name in ("idx", "bid", "ask"))
    terms = FundingTerms(
        period_us=HOUR_US,
        interest_e18=units(case.get("static", 0), ONE_E18),
        cap_e18=units(case.get("cap", "0.0075"), ONE_E18),
        interval_max_us=HOUR_US,
    )
    rate_e18 = derive_rate(terms, impact_premium(bid, ask, index))
    if "rate" in case:
        yield printed("rate", case["rate"], rate_e18 / ONE_E18)
    if "pay_1h_per_contract" in case:
        after = step(terms, ONE_CONTRACT, 0, rate_e18, index, HOUR_US)
        paid = -payment(MANY * ONE_E8, 0, after.index_e18) / MANY / ONE_E8
        yield printed("pay_1h_per_contract", case["pay_1h_per_contract"], paid)


def moved(before: Numbers, index_after: str, paid: str) -> Iterator[Check]:
    """One party settles after an hour, the index moves, the other settles: both get the same, with opposite signs."""
    index, bid, ask = (units(before[name], ONE_E8) for name in ("idx", "bid", "ask"))
    rate_e18 = derive_rate(HOURLY, impact_premium(bid, ask, index))
    hour = step(HOURLY, ONE_CONTRACT, 0, rate_e18, index, HOUR_US)
    long = payment(ONE_E8, 0, hour.index_e18)
    later = step(HOURLY, ONE_CONTRACT, hour.index_e18, rate_e18, to_e8(index_after), 0)
    short = payment(-ONE_E8, 0, later.index_e18)
    yield printed("first party", Decimal(paid), -long / ONE_E8)
    yield printed("second party", Decimal(paid), short / ONE_E8)
    yield Check("together", 0, long + short)
