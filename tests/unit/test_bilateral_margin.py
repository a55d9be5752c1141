"""Margin of bilateral trades, pair by pair: numbers that a person can check, and what must hold for any trades."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from services.clearing.otc.uncleared import cost_of
from tests.unit.contract_desk import E8, EXPIRY_US, START_US, future, instrument, option, terms
from tests.unit.desk import LAW, some_meta
from truetape import messages as m
from truetape.api_bilateral import BilateralMargin
from truetape.errors import MarginInputMissing
from truetape.margin import bilateral
from truetape.margin.published import Published
from truetape.margin.simm import TEN_DAYS, FxParameters, fx_delta_margin, fx_delta_shares
from truetape.marks import Marks
from truetape.reference import Reference

PERP, CALL, INVERSE, QUANTO, EURO = (
    "BTC-USDT-PERP", "BTC-USDT-C", "BTC-USD-INV", "ETH-USD-Q", "EUR-USD-F",
)  # fmt: skip
KNOWN = {
    PERP: instrument(PERP, terms()),
    CALL: instrument(CALL, option("CALL", 60_000)),
    INVERSE: instrument(INVERSE, terms(style="INVERSE", multiplier_e8=100 * E8, settlement_asset="BTC")),
    QUANTO: instrument(QUANTO, terms(style="QUANTO", multiplier_e8=100, settlement_asset="BTC", index="ETH-USD")),
    EURO: instrument(EURO, future(multiplier_e8=100 * E8, settlement_asset="USD", index="EUR-USD")),
}
PRICES = {
    "BTC-USDT": 60_000.0, PERP: 61_000.0, CALL: 2_000.0, INVERSE: 60_500.0, "BTC-USD": 60_400.0, "ETH-USD": 3_000.0,
    QUANTO: 3_010.0, "EUR-USD": 1.1, EURO: 1.12, "USDT-USD": 1.001,
}  # fmt: skip


def seen(reference: Reference | None = None, **changes: Any) -> Published:
    """All marks; those of the changes are another price, or (None) missing. `-` is written `_`."""
    prices = PRICES | {name.replace("_", "-"): price for name, price in changes.items()}
    marks = {
        name: m.MarkPublished(some_meta(), name, round(price * E8), 1, 2, "alpha", 1, START_US, 0)
        for name, price in prices.items() if price is not None
    }  # fmt: skip
    return Published(Marks(marks), reference or Reference(instruments=dict(KNOWN)), START_US)


def deal(
    name: str, buyer: str, seller: str, contracts: int, price: float, instrument_id: str = PERP
) -> m.BilateralTrade:
    """A trade as the register keeps it, its cost as the register counts it."""
    told = m.TradeTerms(
        name, buyer, seller, instrument_id, contracts * E8, round(price * E8), "2026-11-26", "BILATERAL"
    )
    contract = KNOWN[instrument_id].contract
    assert contract is not None
    return m.BilateralTrade(
        name, min(buyer, seller), buyer, seller, instrument_id, told.quantity_e8, told.price_e8,
        cost_of(contract, told), name, "BILATERAL",
    )  # fmt: skip


def made(
    trades: list[m.BilateralTrade], currency: str = "USDT", at: Published | None = None
) -> list[bilateral.PairMargin]:
    market = at or seen()
    return bilateral.report(trades, market, bilateral.methods_of(market.reference, trades, currency))


def test_one_trade_by_hand() -> None:
    """ann is long 10 x 0.01 BTC from 60 000; the mark is 61 000. SIMM: 7.4 x 1 % of 6 100; schedule: 15 % of 6 100, the
    ratio is 1 for ann, who would lose 100, and 0 for bob, who would lose nothing: 1 too, as the standard says."""
    [pair] = made([deal("t", "ann", "bob", 10, 60_000)])
    [one] = pair.trades
    assert (pair.first_id, pair.second_id, pair.complete) == ("ann", "bob", True)
    assert (one.present_value_e8, one.notional_e8) == (100 * E8, 6_100 * E8)
    assert pair.sensitivities == {"BTC": 61 * E8}
    assert pair.simm_e8 == pytest.approx(7.4 * 61 * E8, abs=2)
    assert (one.product, one.rate_e8) == ("OTHER", 15_000_000)
    assert pair.schedule_first_e8 == pair.schedule_second_e8 == pytest.approx(915 * E8, abs=2)
    [other] = made([deal("t", "bob", "ann", 10, 60_000)])
    assert (other.trades[0].present_value_e8, other.sensitivities) == (-100 * E8, {"BTC": -61 * E8})
    assert other.simm_e8 == pair.simm_e8


def test_what_offsets_has_a_negative_part_and_the_schedule_nets_by_present_value() -> None:
    trades = [
        deal("a", "ann", "bob", 10, 60_000),
        deal("b", "bob", "ann", 4, 62_000),
        deal("c", "ann", "cat", 1, 61_000),
    ]
    first, second = made(trades)
    assert ((first.second_id, len(first.trades)), (second.second_id, len(second.trades))) == (("bob", 2), ("cat", 1))
    assert [one.simm_e8 > 0 for one in first.trades] == [True, False]
    assert first.simm_e8 == pytest.approx(7.4 * 0.01 * 6 * 610 * E8, abs=3)
    # ann has 100 and 40 to lose: her ratio is 1; bob has nothing to lose.
    assert (first.net_to_gross_first_e8, first.net_to_gross_second_e8) == (E8, E8)
    mixed = made([trades[0], deal("d", "bob", "ann", 4, 60_000)])[0]  # 100 to ann, 40 to bob.
    assert mixed.net_to_gross_first_e8 == 60_000_000 and mixed.net_to_gross_second_e8 == 0
    gross = 0.15 * 14 * 610
    assert mixed.schedule_first_e8 == pytest.approx((0.4 + 0.6 * 0.6) * gross * E8, abs=3)
    assert mixed.schedule_second_e8 == pytest.approx(0.4 * gross * E8, abs=3)


@pytest.mark.parametrize(
    ("name", "price", "currency", "wanted"),
    [
        #  in another calculation currency the quote is a risk too: what is owed in it
        (PERP, 60_000, "USD", {"BTC": 6_100 * 1.001 / 100, "USDT": -6_000 * 1.001 / 100}),
        #  100 USD a contract, 10 of them, from 60 000: 1 000 / 60 000 BTC were paid
        (INVERSE, 60_000, "USD", {"BTC": 10 * 60_400 / 60_000}),
        #  a point is 0.000001 BTC: 10 x 3 010 points against 10 x 2 900, worth 0.0011 BTC
        (QUANTO, 2_900, "USD", {"BTC": 0.0011 * 604, "ETH": 10 * 3_010 * 1e-6 * 604}),
        (EURO, 1.0, "USD", {"EUR": 1_120 / 100}),
    ],
)
def test_sensitivities_by_payoff(name: str, price: float, currency: str, wanted: dict[str, float]) -> None:
    [pair] = made([deal("t", "ann", "bob", 10, price, name)], currency)
    assert pair.complete, pair.trades[0].left_out
    found = {one: moved / E8 for one, moved in pair.sensitivities.items()}
    assert found == {one: pytest.approx(moved, rel=2e-2) for one, moved in wanted.items()}
    assert pair.trades[0].product == ("FX" if name == EURO else "OTHER")


VEGA = "SIMM: an option's vega and curvature are not covered"


@pytest.mark.parametrize(
    ("name", "changes", "left_out"),
    [
        (CALL, {}, (VEGA,)),
        (CALL, {"BTC_USDT_C": None}, ("SIMM and schedule: no mark of BTC-USDT-C",)),
        (
            CALL,
            {"BTC_USDT": None},
            ("SIMM: an option's vega and curvature are not covered", "schedule: no mark of BTC-USDT"),
        ),
        (PERP, {"BTC_USDT_PERP": None, "BTC_USDT": None}, ("SIMM and schedule: no mark of BTC-USDT-PERP",)),
        (PERP, {"BTC_USDT_PERP": None}, ()),  # The index stands for it.
    ],
)
def test_what_cannot_be_counted_is_left_out_by_name(
    name: str, changes: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    trades = [deal("a", "ann", "bob", 10, 60_000, name), deal("b", "ann", "bob", 1, 1.0, EURO)]
    market = seen(**changes)
    fx = msgspec.convert({"calculation_currency": "USDT"}, FxParameters)
    [pair] = bilateral.report([trades[0]], market, bilateral.Methods(fx, {}, ()))
    assert pair.trades[0].left_out == left_out and pair.complete == (not left_out)
    if left_out and left_out[0].startswith("SIMM and"):
        assert (pair.simm_e8, pair.schedule_first_e8, pair.trades[0].notional_e8) == (0, 0, 0)


def test_parameters_are_the_margin_classes() -> None:
    simm = m.MarginClass(
        "a-simm", "simm_fx", 2, '{"parameters": {"calculation_currency": "USD", "weight_regular": 10.0}}', 0
    )
    grid = m.MarginClass("grid", "schedule", 1, '{"products": {"BTC": "COMMODITY", "EUR": "FX"}}', 0)
    reference = Reference(instruments=dict(KNOWN), margin_classes={"a-simm": simm, "grid": grid})
    trades = [deal("t", "ann", "bob", 10, 1.0, EURO)]
    methods = bilateral.methods_of(reference, trades)
    assert (methods.fx.calculation_currency, methods.fx.weight_regular) == ("USD", 10.0)
    assert methods.names == ("a-simm (version 2)", "grid (version 1)")
    [pair] = bilateral.report(trades, seen(reference), methods)
    assert pair.simm_e8 == pytest.approx(10 * 11.2 * E8, rel=1e-9)
    assert bilateral.methods_of(reference, trades, "EUR").fx.calculation_currency == "EUR"


def test_the_calculation_currency_is_what_the_trades_are_quoted_in_or_has_to_be_said() -> None:
    reference = Reference(instruments=dict(KNOWN))
    trades = [deal("a", "ann", "bob", 1, 60_000), deal("b", "ann", "bob", 1, 1.0, EURO)]
    assert bilateral.methods_of(reference, trades[:1]).fx.calculation_currency == "USDT"
    assert bilateral.methods_of(reference, trades, "TRY").fx.weight_regular == 13.6, "of high volatility"
    with pytest.raises(MarginInputMissing, match="USD, USDT: say the calculation currency"):
        bilateral.methods_of(reference, trades)


DEALS = st.tuples(
    st.sampled_from(["ann", "bob", "cat"]), st.sampled_from(["ann", "bob", "cat"]), st.integers(1, 50),
    st.floats(0.5, 2.0), st.sampled_from(sorted(KNOWN)),
).filter(lambda one: one[0] != one[1])  # fmt: skip


@LAW
@given(st.lists(DEALS, min_size=1, max_size=8))
def test_parts_sum_to_the_margin_and_all_forms_say_the_same(deals: list[Any]) -> None:
    trades = [
        deal(f"t{n}", buyer, seller, contracts, PRICES[name] * off, name)
        for n, (buyer, seller, contracts, off, name) in enumerate(deals)
    ]
    market = seen()
    methods = bilateral.methods_of(market.reference, trades, "USD")
    found = bilateral.report(trades, market, methods)
    assert sorted(one.trade.trade_id for pair in found for one in pair.trades) == sorted(one.trade_id for one in trades)
    for pair in found:
        for name in ("simm_e8", "schedule_first_e8", "schedule_second_e8", "present_value_e8", "notional_e8"):
            assert sum(getattr(one, name) for one in pair.trades) == getattr(pair, name)
        alone = sum(made([one.trade], "USD")[0].simm_e8 for one in pair.trades)
        assert 0 <= pair.simm_e8 <= alone + len(pair.trades) + 1e-9 * alone, "no netting set needs more than its parts"
        mirrored = [
            replace(one.trade, buyer_id=one.trade.seller_id, seller_id=one.trade.buyer_id) for one in pair.trades
        ]
        [turned] = made(mirrored, "USD")
        assert abs(turned.simm_e8 - pair.simm_e8) <= 1 + 1e-9 * pair.simm_e8
        assert abs(turned.schedule_first_e8 - pair.schedule_second_e8) <= 1 + 1e-9 * pair.schedule_second_e8
    told = convert(bilateral.plain(found, market, methods), BilateralMargin)
    assert [len(pair.trades) for pair in told.pairs] == [len(pair.trades) for pair in found]
    lines = bilateral.as_csv(found).splitlines()
    assert len(lines) == len(trades) + 1 and lines[0].split(",") == list(bilateral.COLUMNS)


@LAW
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["EUR", "TRY", "BTC", "USD"]), st.floats(-1e10, 1e10)), max_size=3),
        max_size=5,
    )
)
def test_parts_of_simm_are_its_slope(trades: list[list[tuple[str, float]]]) -> None:
    whole, parts = fx_delta_shares(trades, TEN_DAYS)
    assert whole == fx_delta_margin([one for trade in trades for one in trade], TEN_DAYS)[0]
    assert sum(parts) == pytest.approx(whole, rel=1e-9, abs=1e-3)


def test_an_expired_future_counts_as_due_now() -> None:
    late = seen()._replace(at_us=EXPIRY_US + 1)
    [pair] = bilateral.report([deal("t", "ann", "bob", 1, 1.0, EURO)], late, bilateral.Methods(TEN_DAYS, {}, ()))
    assert pair.trades[0].rate_e8 == 6_000_000 and pair.trades[0].mark is not None and pair.trades[0].mark.stale
