"""A SPAN-like model: margin from risk arrays that somebody publishes in a file.

Per commodity (all contracts on one underlying):
1. Scanning risk: the largest of the 16 sums of quantity x loss, never below zero.
2. Spread charge within the commodity: positions in different tiers (months) that offset each other in the scan are
   charged for the spread between them, in the file's order, by composite delta.
3. Spread credit between commodities: opposite deltas that are left over save a part of their price risk per delta.
4. Short option minimum: so much per short option at least.
    risk = max(scanning + charge - credit, short option minimum)
Equity has the value of all options already (net option value), so risk is what an account needs; a portfolio of bought
options alone never needs more than they are worth. Credits are capped at a part of the scanning risk that they relieve
(EU 153/2013 Article 27: 80 %).

Scenarios, as SPAN numbers them: price change in parts of the scan range, volatility up or down.

    1, 2    0   up, down      7, 8    +2/3  up, down     13, 14  -1  up, down
    3, 4  +1/3  up, down      9, 10   -2/3  up, down     15      far up, a part of the loss
    5, 6  -1/3  up, down     11, 12   +1    up, down     16      far down, a part of the loss

Price risk per delta: the mean of the deciding scenario and its pair, less the mean of scenarios 1 and 2, over the net
delta. Sources: CME Group, "SPAN methodology" and "Components of SPAN"
(www.cme.com/clearing/rmspan/span/components.html). The file is JSON; `docs/margin.md` has its format and an example.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal

import msgspec

from truetape.errors import MarginInputMissing, MarginPositionUnfit, RiskArraysInvalid
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, netted

SCENARIOS: Final = 16
EXTREMES: Final = (14, 15)
BYTES_MAX: Final = 64 * 2**20
Kind = Literal["FUTURE", "CALL", "PUT"]


class ArrayContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One contract: what one long loses (positive) or gains in each scenario."""

    instrument_id: str
    kind: Kind
    tier: int
    """Month or group of months within the commodity, from 1."""
    delta: float
    """Composite delta of one long, in units of the underlying future."""
    losses: tuple[float, ...]
    value: float = 0.0
    """Of one option, in the arrays' currency; 0 for futures, whose gains are settled."""


class TierLeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One side of a spread within a commodity."""

    tier: int
    ratio: float = 1.0


class TierSpread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A charge for each spread between two tiers."""

    charge: float
    long: TierLeg
    short: TierLeg


class Commodity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All contracts on one underlying."""

    name: str
    contracts: tuple[ArrayContract, ...]
    spreads: tuple[TierSpread, ...] = ()
    short_option_minimum: float = 0.0


class CommodityLeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One side of a spread between commodities; opposite signs stand on opposite sides of the market."""

    commodity: str
    ratio: float


class CommoditySpread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the price risk of each leg that is saved, in the file's order of priority."""

    credit_rate: float
    legs: tuple[CommodityLeg, ...]


class RiskArrays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str
    currency: str
    commodities: tuple[Commodity, ...]
    spreads: tuple[CommoditySpread, ...] = ()
    extreme_weight: float = 1.0
    """Part of the loss of scenarios 15 and 16 that counts; 1 where the published arrays contain it already."""
    maintenance_ratio: float = 1.0
    """Maintenance need as a part of the initial need."""
    credit_max: float = 0.8
    valid_until_us: int | None = None
    """After this the arrays are stale, and every need is multiplied."""
    stale_factor: float = 1.25

    def instruments(self) -> frozenset[str]:
        """Ids of all contracts that have an array."""
        return frozenset(one.instrument_id for commodity in self.commodities for one in commodity.contracts)


class Scan(msgspec.Struct, frozen=True):
    """What scanning one commodity found."""

    risk: float
    scenario: int
    """The deciding one, from 1."""
    sums: tuple[float, ...]
    deltas: Mapping[int, float]
    """Net composite delta by tier."""
    charge: float = 0.0
    left: float = 0.0
    """Net delta over all tiers."""

    @property
    def price_risk(self) -> float:
        """Risk of price alone, per unit of net delta."""
        first = self.scenario - 1
        pair = first if first in EXTREMES else first ^ 1
        moved = (self.sums[first] + self.sums[pair]) / 2 - (self.sums[0] + self.sums[1]) / 2
        return max(moved, 0.0) / abs(self.left) if self.left else 0.0


def parse_risk_arrays(content: bytes) -> RiskArrays:
    """Read and check a file. Raises RiskArraysInvalid, which says where the file is wrong."""
    if len(content) > BYTES_MAX:
        raise RiskArraysInvalid(f"the risk arrays are larger than {BYTES_MAX} bytes: split it by commodity")
    try:
        arrays = msgspec.json.decode(content, type=RiskArrays)
    except msgspec.DecodeError as error:
        raise RiskArraysInvalid(f"the risk arrays cannot be read: {error}") from error
    wrong = next(iter(_wrong(arrays)), None)
    if wrong is not None:
        raise RiskArraysInvalid(f"the risk arrays {arrays.name!r} are wrong: {wrong}")
    return arrays


def _wrong(arrays: RiskArrays) -> list[str]:
    """What no type can say, in the file's order."""
    found = []
    names = [commodity.name for commodity in arrays.commodities]
    ids = [contract.instrument_id for commodity in arrays.commodities for contract in commodity.contracts]
    found += [f"commodity {name} stands there twice" for name in _repeated(names)]
    found += [f"contract {instrument_id} stands there twice" for instrument_id in _repeated(ids)]
    found += [] if arrays.stale_factor >= 1 else [f"stale_factor is {arrays.stale_factor}, which is below 1"]
    for rate, name in (
        (arrays.extreme_weight, "extreme_weight"),
        (arrays.maintenance_ratio, "maintenance_ratio"),
        (arrays.credit_max, "credit_max"),
        *((spread.credit_rate, "credit_rate") for spread in arrays.spreads),
    ):
        found += [] if 0 <= rate <= 1 else [f"{name} is {rate}, which is not within 0 and 1"]
    for commodity in arrays.commodities:
        found += _wrong_in(commodity)
    for spread in arrays.spreads:
        found += [f"a spread names the commodity {leg.commodity}, which is not there" for leg in spread.legs
                  if leg.commodity not in names]  # fmt: skip
        found += [] if len({leg.ratio > 0 for leg in spread.legs}) == 2 else ["a spread needs legs of both signs"]
        found += ["a leg of a spread has the ratio 0"] if any(leg.ratio == 0 for leg in spread.legs) else []
    return found


def _wrong_in(commodity: Commodity) -> list[str]:
    tiers = {contract.tier for contract in commodity.contracts}
    found = [
        f"contract {contract.instrument_id} has {len(contract.losses)} losses, {SCENARIOS} are needed"
        for contract in commodity.contracts
        if len(contract.losses) != SCENARIOS
    ]
    if commodity.short_option_minimum < 0:
        found.append(f"the short option minimum of {commodity.name} is negative")
    for spread in commodity.spreads:
        found += [f"a spread of {commodity.name} names tier {leg.tier}, which no contract has"
                  for leg in (spread.long, spread.short) if leg.tier not in tiers]  # fmt: skip
        if min(spread.long.ratio, spread.short.ratio) <= 0 or spread.charge < 0:
            found.append(f"a spread of {commodity.name} has a ratio that is not positive or a negative charge")
    return found


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []


def scan(arrays: RiskArrays, commodity: Commodity, quantities: Mapping[str, float]) -> Scan:
    """Scanning risk and the charge for spreads within the commodity."""
    weights = [arrays.extreme_weight if index in EXTREMES else 1.0 for index in range(SCENARIOS)]
    held = [
        (quantities[contract.instrument_id], contract)
        for contract in commodity.contracts
        if quantities.get(contract.instrument_id)
    ]
    sums = tuple(
        weights[index] * sum(quantity * one.losses[index] for quantity, one in held) for index in range(SCENARIOS)
    )
    worst = max(range(SCENARIOS), key=lambda index: sums[index])
    deltas: dict[int, float] = defaultdict(float)
    for quantity, contract in held:
        deltas[contract.tier] += quantity * contract.delta
    return Scan(
        max(sums[worst], 0.0),
        worst + 1,
        sums,
        dict(deltas),
        tier_charge(commodity.spreads, deltas),
        sum(deltas.values()),
    )


def tier_charge(spreads: Sequence[TierSpread], deltas: Mapping[int, float]) -> float:
    """Charge for the spreads that net deltas by tier form, in order; either leg may be the long one."""
    left = dict(deltas)
    charge = 0.0
    for spread in spreads:
        for long, short in ((spread.long, spread.short), (spread.short, spread.long)):
            formed = min(
                max(left.get(long.tier, 0.0), 0.0) / long.ratio, max(-left.get(short.tier, 0.0), 0.0) / short.ratio
            )
            if formed > 0:
                left[long.tier] -= formed * long.ratio
                left[short.tier] += formed * short.ratio
                charge += formed * spread.charge
    return charge


def commodity_credits(arrays: RiskArrays, scans: Mapping[str, Scan]) -> dict[str, float]:
    """Credit by commodity for spreads between commodities, in the file's order; capped at a part of scanning risk."""
    left = {name: found.left for name, found in scans.items()}
    credited: dict[str, float] = defaultdict(float)
    for spread in arrays.spreads:
        for sign in (1, -1):
            formed = min(max(sign * left.get(leg.commodity, 0.0) / leg.ratio, 0.0) for leg in spread.legs)
            if formed > 0:
                for leg in spread.legs:
                    left[leg.commodity] -= sign * formed * leg.ratio
                    saved = formed * abs(leg.ratio) * scans[leg.commodity].price_risk
                    credited[leg.commodity] += spread.credit_rate * saved
    return {name: min(credit, arrays.credit_max * scans[name].risk) for name, credit in credited.items()}


class RiskArrayMargin(msgspec.Struct, frozen=True):
    """The plug-in. Quantities are in contracts; every instrument has to be in the file."""

    name: ClassVar[str] = "risk_arrays"
    source: ClassVar[str] = "CME Group, SPAN methodology: www.cme.com/clearing/rmspan/span/components.html"
    arrays: RiskArrays = RiskArrays("empty", "USD", ())

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; of the market only its time counts. See the interface for errors."""
        quantities: dict[str, float] = {}
        unsettled = 0.0
        for position in netted(portfolio.positions):
            match position:
                case Holding():
                    raise MarginPositionUnfit(
                        f"{position.instrument_id}: risk arrays are of contracts; value collateral apart"
                    )
                case Option():
                    pass
                case Perpetual():
                    unsettled += position.unrealised_pnl + position.unsettled_funding
                case Future():
                    unsettled += position.unrealised_pnl
            quantities[position.instrument_id] = position.quantity
        return self._result(portfolio.cash + unsettled, quantities, self._is_stale(market))

    def _is_stale(self, market: Market) -> bool:
        return self.arrays.valid_until_us is not None and market.now_us > self.arrays.valid_until_us

    def _result(self, cash: float, quantities: Mapping[str, float], stale: bool) -> MarginResult:
        known = {one.instrument_id: one for commodity in self.arrays.commodities for one in commodity.contracts}
        for instrument_id in quantities:
            if instrument_id not in known:
                raise MarginInputMissing(
                    f"{instrument_id} is not in the risk arrays {self.arrays.name!r}: publish its array"
                )
        scans = {commodity.name: scan(self.arrays, commodity, quantities) for commodity in self.arrays.commodities}
        credited = commodity_credits(self.arrays, scans)
        risks = {
            commodity.name: max(
                scans[commodity.name].risk + scans[commodity.name].charge - credited.get(commodity.name, 0.0),
                commodity.short_option_minimum * _short_options(commodity, quantities),
            )
            for commodity in self.arrays.commodities
        }
        options_value = sum(quantity * known[name].value for name, quantity in quantities.items())
        need = sum(risks.values())
        if all(quantity >= 0 and known[name].kind != "FUTURE" for name, quantity in quantities.items()):
            need = min(need, options_value)
        need *= self.arrays.stale_factor if stale else 1.0
        heaviest = max(risks, key=lambda name: risks[name], default="")
        return MarginResult(
            equity=cash + options_value,
            initial_need=need,
            maintenance_need=self.arrays.maintenance_ratio * need,
            worst=f"{heaviest} scenario {scans[heaviest].scenario}" if heaviest else "",
            scenarios={
                f"{name} {index + 1}": -each for name, one in scans.items() for index, each in enumerate(one.sums)
            },
            parts=_parts(scans, credited, options_value),
            contributions=self._contributions(need, risks, quantities),
        )

    def _contributions(
        self, need: float, risks: Mapping[str, float], quantities: Mapping[str, float]
    ) -> dict[str, float]:
        """Each commodity's part of the need, shared among its contracts by the size of their largest loss."""
        whole = sum(risks.values())
        shares: dict[str, float] = {}
        for commodity in self.arrays.commodities:
            sizes = {
                one.instrument_id: max(abs(quantities[one.instrument_id] * loss) for loss in one.losses)
                for one in commodity.contracts
                if one.instrument_id in quantities
            }
            of_all = need * risks[commodity.name] / whole if whole else 0.0
            sized = sum(sizes.values())
            shares |= {name: of_all * size / sized if sized else 0.0 for name, size in sizes.items()}
        return shares


def _short_options(commodity: Commodity, quantities: Mapping[str, float]) -> float:
    return sum(max(-quantities.get(one.instrument_id, 0.0), 0.0) for one in commodity.contracts if one.kind != "FUTURE")


def _parts(scans: Mapping[str, Scan], credited: Mapping[str, float], options_value: float) -> dict[str, float]:
    parts: dict[str, float] = {"net_option_value": options_value}
    for name, found in scans.items():
        parts[f"{name} scanning"] = found.risk
        parts[f"{name} spread_charge"] = found.charge
        parts[f"{name} spread_credit"] = credited.get(name, 0.0)
    return parts
