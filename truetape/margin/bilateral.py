"""What two accounts would secure each other's bilateral trades with: SIMM's FX delta and the schedule, pair by pair.

The clearing house stands between none of these trades and asks for no margin: this is a report, for the parties and for
supervisors. Of each pair the account that comes first by name is *first*. SIMM is the same for both sides; the
schedule's net-to-gross ratio is of what the secured side would lose, so each side has its own.

    present value    what the contract is worth at the mark less its cost, in the calculation currency
    sensitivity      the change of that for 1 % of a currency against the calculation currency: base, quote, settlement
    SIMM             simm.py: `fx_delta_shares`; a trade's part is its sensitivities times the margin's slope, so that
                     the parts sum to the margin, and a trade that offsets others has a negative one
    schedule         schedule.py: rate by product and time to maturity, of the notional; parts are in that proportion

What one of them cannot cover (an option has no FX delta; a mark is missing) is left out by name, never counted as zero.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from msgspec import Struct

from truetape.errors import MarginError, MarginInputMissing, MarkWanted, TruetapeError
from truetape.margin import flat, schedule
from truetape.margin.account import terms_of
from truetape.margin.classes import model_of
from truetape.margin.market import YEAR_SECONDS
from truetape.margin.models import to_money_e8
from truetape.margin.published import MarkUsed, Published
from truetape.margin.quoted import payoff
from truetape.margin.schedule import Product, ScheduleMargin
from truetape.margin.simm import FREQUENT, SIGNIFICANT, TEN_DAYS, TEN_DAYS_HIGH, FxParameters, SimmFx, fx_delta_shares
from truetape.messages import BilateralTrade, ContractTerms, MarginClass
from truetape.money import ONE_E8, from_e8
from truetape.reference import Reference
from truetape.sheets import sheet
from truetape.statement import moment

E8: Final = float(ONE_E8)
BUMP: Final = 0.01
"""SIMM's sensitivity is for a move of 1 %."""
COLUMNS: Final = (
    "first_id", "second_id", "currency", "trade_id", "buyer_id", "seller_id", "instrument_id", "quantity", "mark",
    "stale", "notional", "present_value", "product", "rate", "simm", "schedule_first", "schedule_second", "left_out",
)  # fmt: skip


class TradeMargin(Struct, frozen=True):
    """A trade, and its part of its pair's margin."""

    trade: BilateralTrade
    mark: MarkUsed | None
    """Of the contract, else of its index; none where it is missing."""
    notional_e8: int
    present_value_e8: int
    """To the pair's first account."""
    product: Product | None
    rate_e8: int
    """The schedule's."""
    simm_e8: int
    schedule_first_e8: int
    schedule_second_e8: int
    left_out: tuple[str, ...]
    """Of which method, and why."""


class PairMargin(Struct, frozen=True):
    """Two accounts' trades with each other, in the calculation currency."""

    first_id: str
    second_id: str
    currency: str
    notional_e8: int
    """Gross."""
    present_value_e8: int
    """To the first account, net."""
    simm_e8: int
    """What each side secures the other with."""
    sensitivities: dict[str, int]
    """By currency, of the first account, for 1 %, in 1e-8."""
    schedule_first_e8: int
    """What the first account is secured with."""
    schedule_second_e8: int
    net_to_gross_first_e8: int
    net_to_gross_second_e8: int
    trades: tuple[TradeMargin, ...]

    @property
    def complete(self) -> bool:
        """Whether both methods have counted every trade."""
        return not any(one.left_out for one in self.trades)


class Methods(Struct, frozen=True):
    """Parameters of both."""

    fx: FxParameters
    products: Mapping[str, Product]
    """By base asset; a currency is FX, and all else OTHER, where nothing is said."""
    names: tuple[str, ...]
    """The margin classes that they are of; empty: as published."""


def methods_of(reference: Reference, trades: Sequence[BilateralTrade], currency: str = "") -> Methods:
    """The first margin class, by name, of each model; as published where there is none. `currency` is the calculation
    currency, where another is wanted than the class says.

    Raises MarginInputMissing where nothing says which calculation currency.
    """
    classes = reference.margin_classes
    fx_class, grid_class = (_class_of(classes, name) for name in (SimmFx.name, ScheduleMargin.name))
    simm, grid = (
        model_of(one.model, one.parameters, "") if one is not None else None for one in (fx_class, grid_class)
    )
    assert simm is None or isinstance(simm, SimmFx)
    assert grid is None or isinstance(grid, ScheduleMargin)
    if simm is not None:
        fx = _in(simm.parameters, currency or simm.parameters.calculation_currency)
    else:
        wanted = currency or _only_quote(reference, trades)
        fx = _in(TEN_DAYS_HIGH if wanted in TEN_DAYS.high_volatility else TEN_DAYS, wanted)
    names = tuple(f"{one.name} (version {one.version})" for one in (fx_class, grid_class) if one is not None)
    return Methods(fx, grid.products if grid is not None else {}, names)


def _class_of(classes: Mapping[str, MarginClass], model: str) -> MarginClass | None:
    return next((classes[name] for name in sorted(classes) if classes[name].model == model), None)


def _in(parameters: FxParameters, currency: str) -> FxParameters:
    fields = {name: getattr(parameters, name) for name in FxParameters.__struct_fields__}
    return FxParameters(**(fields | {"calculation_currency": currency}))


def _only_quote(reference: Reference, trades: Sequence[BilateralTrade]) -> str:
    known = reference.instruments
    quotes = {known[one.instrument_id].quote for one in trades if one.instrument_id in known}
    if len(quotes) > 1:
        raise MarginInputMissing(f"trades are quoted in {', '.join(sorted(quotes))}: say the calculation currency")
    return next(iter(quotes), TEN_DAYS.calculation_currency)


def report(trades: Sequence[BilateralTrade], seen: Published, methods: Methods) -> list[PairMargin]:
    """Every pair of accounts that has trades, by name."""
    pairs: dict[tuple[str, str], list[BilateralTrade]] = {}
    for one in sorted(trades, key=lambda one: one.trade_id):
        low, high = sorted((one.buyer_id, one.seller_id))
        pairs.setdefault((low, high), []).append(one)
    return [_pair(*pair, [_look(one, seen, methods) for one in held], methods) for pair, held in sorted(pairs.items())]


class _Seen(Struct):
    """A trade as its pair's first account has it, in floats of the calculation currency."""

    trade: BilateralTrade
    mark: MarkUsed | None = None
    present_value: float = 0.0
    sensitivities: list[tuple[str, float]] = []
    grid: schedule.Trade | None = None
    left_out: list[str] = []

    @property
    def by_schedule(self) -> float:
        """Rate times notional; zero where it is left out."""
        return schedule.gross_margin([self.grid]) if self.grid is not None else 0.0


def _look(one: BilateralTrade, seen: Published, methods: Methods) -> _Seen:
    found = _Seen(one)
    sign = 1 if one.buyer_id < one.seller_id else -1
    try:
        terms = terms_of(one.instrument_id, seen)
        found.mark = _mark(one.instrument_id, terms, seen)
        worth = _worth(one, terms, seen, methods.fx.calculation_currency)
        found.present_value = sign * worth({})
    except TruetapeError as error:
        found.left_out = [f"SIMM and schedule: {_why(error)}"]
        return found
    for left_out in (_with_delta(found, terms, seen, sign, worth, methods), _with_grid(found, terms, seen, methods)):
        found.left_out += [left_out] if left_out else []
    return found


def _why(error: TruetapeError) -> str:
    return f"no mark of {error.instrument_id}" if isinstance(error, MarkWanted) else f"{error}"


def _mark(name: str, terms: ContractTerms, seen: Published) -> MarkUsed:
    """Of the contract, or of its index where no venue lists it; an option has no other price than its own."""
    own = seen.fresh(name, terms)
    if own is not None or terms.kind == "OPTION":
        return own or seen.used(name, terms)
    if terms.index in seen.marks.newest and (name not in seen.marks.newest or seen.fresh(terms.index, terms)):
        return seen.used(terms.index, terms)
    return seen.used(name, terms)


def _rate(asset: str, currency: str, terms: ContractTerms, seen: Published) -> float:
    """What one unit of an asset is worth in the calculation currency, by their spot mark. Raises MarkWanted."""
    if asset == currency:
        return 1.0
    straight, inverse = f"{asset}-{currency}", f"{currency}-{asset}"
    if straight not in seen.marks.newest and inverse in seen.marks.newest:
        return E8 / seen.used(inverse, terms).price_e8
    return seen.used(straight, terms).price_e8 / E8


Worth = Callable[[Mapping[str, float]], float]


def _worth(one: BilateralTrade, terms: ContractTerms, seen: Published, currency: str) -> Worth:
    """The buyer's present value, as a function of factors by which currencies move against the calculation currency."""
    instrument, of = seen.reference.instruments[one.instrument_id], payoff(terms)
    price = _mark(one.instrument_id, terms, seen).price_e8 / E8
    rate = _rate(terms.settlement_asset, currency, terms, seen)
    size, cost = one.quantity_e8 / E8 * of.multiplier_e8 / E8, one.cost_e8 / E8
    if of.payoff == "INVERSE" and price <= 0:
        raise MarginError(f"{one.instrument_id} has no price above zero")

    def worth(factors: Mapping[str, float]) -> float:
        moved = price * factors.get(instrument.base, 1.0) / factors.get(instrument.quote, 1.0)
        value = -size / moved if of.payoff == "INVERSE" else size * moved
        return (value - cost) * rate * factors.get(terms.settlement_asset, 1.0)

    return worth


def _with_delta(found: _Seen, terms: ContractTerms, seen: Published, sign: int, worth: Worth, methods: Methods) -> str:
    if terms.kind == "OPTION":
        return "SIMM: an option's vega and curvature are not covered"
    instrument = seen.reference.instruments[found.trade.instrument_id]
    named = {instrument.base, instrument.quote, terms.settlement_asset} - {methods.fx.calculation_currency}
    base = worth({})
    found.sensitivities = [(name, sign * (worth({name: 1 + BUMP}) - base)) for name in sorted(named)]
    return ""


def _with_grid(found: _Seen, terms: ContractTerms, seen: Published, methods: Methods) -> str:
    one, currency = found.trade, methods.fx.calculation_currency
    instrument = seen.reference.instruments[one.instrument_id]
    try:
        if terms.kind == "OPTION":
            index_e8 = seen.used(terms.index, terms).price_e8
            notional_e8 = flat.worth_e8(terms, one.quantity_e8, index_e8)
            notional = notional_e8 / E8 * _rate(instrument.quote, currency, terms, seen)
        else:
            assert found.mark is not None, "it is priced"
            notional = _notional(one, terms, found.mark.price_e8 / E8)
            notional *= _rate(terms.settlement_asset, currency, terms, seen)
    except TruetapeError as error:
        return f"schedule: {_why(error)}"
    usual: Product = "FX" if instrument.base in SIGNIFICANT | FREQUENT else "OTHER"
    years = max(terms.expires_at_us - seen.at_us, 0) / 1e6 / YEAR_SECONDS if terms.expires_at_us is not None else 0.0
    product = methods.products.get(instrument.base, usual)
    found.grid = schedule.Trade(product, years, notional, found.present_value)
    return ""


def _notional(one: BilateralTrade, terms: ContractTerms, price: float) -> float:
    """In the settlement asset."""
    size = one.quantity_e8 / E8 * terms.multiplier_e8 / E8
    return abs(size / price if terms.style == "INVERSE" else size * price)


def _pair(first_id: str, second_id: str, trades: list[_Seen], methods: Methods) -> PairMargin:
    nets: dict[str, float] = {}
    for one in trades:
        for name, moved in one.sensitivities:
            nets[name] = nets.get(name, 0.0) + moved
    simm, simm_parts = fx_delta_shares([one.sensitivities for one in trades], methods.fx)
    simm_e8 = to_money_e8(simm, owed=True)
    grid = [one.grid for one in trades if one.grid is not None]
    gross = schedule.gross_margin(grid)
    ratios = [schedule.net_to_gross(sign * one.present_value for one in grid) for sign in (1, -1)]
    secured_e8 = [to_money_e8(schedule.schedule_margin(gross, ratio), owed=True) for ratio in ratios]
    weights = [one.by_schedule / gross if gross else 0.0 for one in trades]
    by_grid = [shared(total_e8, [total_e8 / E8 * weight for weight in weights]) for total_e8 in secured_e8]
    parts = zip(trades, shared(simm_e8, simm_parts), *by_grid, strict=True)
    made = tuple(_trade(*part) for part in parts)
    return PairMargin(
        first_id, second_id, methods.fx.calculation_currency, sum(one.notional_e8 for one in made),
        sum(one.present_value_e8 for one in made), simm_e8,
        {name: _nearest(moved) for name, moved in sorted(nets.items())}, secured_e8[0], secured_e8[1],
        _nearest(ratios[0]), _nearest(ratios[1]), made,
    )  # fmt: skip


def _trade(one: _Seen, simm_e8: int, first_e8: int, second_e8: int) -> TradeMargin:
    grid = one.grid
    return TradeMargin(
        one.trade, one.mark, _nearest(abs(grid.notional)) if grid else 0, _nearest(one.present_value),
        grid.product if grid else None, _nearest(schedule.rate(grid.product, grid.years)) if grid else 0, simm_e8,
        first_e8, second_e8, tuple(one.left_out),
    )  # fmt: skip


def shared(total_e8: int, parts: Sequence[float]) -> list[int]:
    """Parts in units of 1e-8 that sum to the total: each to the nearest, what is left over to the largest."""
    found = [_nearest(part) for part in parts]
    if found:
        largest = max(range(len(found)), key=lambda number: (abs(found[number]), -number))
        found[largest] += total_e8 - sum(found)
    return found


def _nearest(amount: float) -> int:
    return round(Fraction(amount) * ONE_E8)


# -- as others read it -------------------------------------------------------------------------------------------------


def plain(found: Iterable[PairMargin], seen: Published, methods: Methods) -> dict[str, Any]:
    """As JSON: decimals are strings, times ISO 8601."""
    currency = methods.fx.calculation_currency
    pairs = [_plain_pair(one) for one in found]
    return {"at": moment(seen.at_us), "currency": currency, "classes": list(methods.names), "pairs": pairs}


def _plain_pair(one: PairMargin) -> dict[str, Any]:
    return {
        "first_id": one.first_id, "second_id": one.second_id, "currency": one.currency, "complete": one.complete,
        "notional": from_e8(one.notional_e8), "present_value": from_e8(one.present_value_e8),
        "simm": from_e8(one.simm_e8),
        "sensitivities": {name: from_e8(moved) for name, moved in one.sensitivities.items()},
        "schedule_first": from_e8(one.schedule_first_e8), "schedule_second": from_e8(one.schedule_second_e8),
        "net_to_gross_first": from_e8(one.net_to_gross_first_e8),
        "net_to_gross_second": from_e8(one.net_to_gross_second_e8), "trades": [_plain(each) for each in one.trades],
    }  # fmt: skip


def _plain(one: TradeMargin) -> dict[str, Any]:
    trade, mark = one.trade, one.mark
    return {
        "trade_id": trade.trade_id, "buyer_id": trade.buyer_id, "seller_id": trade.seller_id,
        "instrument_id": trade.instrument_id, "quantity": from_e8(trade.quantity_e8),
        "mark": None if mark is None else from_e8(mark.price_e8), "stale": mark is not None and mark.stale,
        "notional": from_e8(one.notional_e8), "present_value": from_e8(one.present_value_e8), "product": one.product,
        "rate": from_e8(one.rate_e8), "simm": from_e8(one.simm_e8), "schedule_first": from_e8(one.schedule_first_e8),
        "schedule_second": from_e8(one.schedule_second_e8), "left_out": list(one.left_out),
    }  # fmt: skip


def rows(found: Iterable[PairMargin]) -> Iterator[dict[str, Any]]:
    """One row per trade, under COLUMNS; a pair's margin is the sum of its rows."""
    for pair in found:
        whose = {"first_id": pair.first_id, "second_id": pair.second_id, "currency": pair.currency}
        for one in pair.trades:
            told = whose | _plain(one)
            yield told | {"left_out": "; ".join(one.left_out)}


def as_csv(found: Iterable[PairMargin]) -> str:
    """One line per trade."""
    return sheet(COLUMNS, ([row[name] for name in COLUMNS] for row in rows(found)))
