"""The SPAN-like model: scans, spreads, credits, the short option minimum, and bad files."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import MarginInputMissing, MarginPositionUnfit, RiskArraysInvalid
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Holding, Option, Portfolio, Position
from truetape.margin.risk_arrays import RiskArrayMargin, parse_risk_arrays

THIRDS = (0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3)


def future_losses(scan_range: float, extreme: float = 2.0, weight: float = 0.33) -> list[float]:
    """A future loses when the price falls; the extremes are twice the scan range, of which a third counts."""
    far = extreme * scan_range * weight
    return [-scan_range * third / 3 for third in THIRDS] + [-far, far]


CALL_LOSSES = [-20, 18, -25, 10, -30, 25, -60, -20, 30, 35, -120, -90, 40, 42, -150, 15]
FILE: dict[str, Any] = {
    "name": "2026-11-26", "currency": "USD",
    "commodities": [
        {
            "name": "CL", "short_option_minimum": 60.0,
            "contracts": [
                {"instrument_id": "CL-DEC", "kind": "FUTURE", "tier": 1, "delta": 1.0, "losses": future_losses(3000)},
                {"instrument_id": "CL-JAN", "kind": "FUTURE", "tier": 2, "delta": 1.0, "losses": future_losses(3000)},
                {"instrument_id": "CL-DEC-C", "kind": "CALL", "tier": 1, "delta": 0.4, "losses": CALL_LOSSES,
                 "value": 500},
            ],
            "spreads": [{"charge": 250.0, "long": {"tier": 1}, "short": {"tier": 2}}],
        },
        {
            "name": "HO",
            "contracts": [
                {"instrument_id": "HO-DEC", "kind": "FUTURE", "tier": 1, "delta": 1.0, "losses": future_losses(2000)}
            ],
        },
    ],
    "spreads": [{"credit_rate": 0.7, "legs": [{"commodity": "CL", "ratio": 1.0}, {"commodity": "HO", "ratio": -1.0}]}],
}  # fmt: skip
IDS = ("CL-DEC", "CL-JAN", "CL-DEC-C", "HO-DEC")


def model_of(content: Any = FILE) -> RiskArrayMargin:
    return RiskArrayMargin(parse_risk_arrays(msgspec.json.encode(content)))


def position(instrument_id: str, quantity: float) -> Position:
    if instrument_id.endswith("-C"):
        return Option(instrument_id, "CL", 1, 80.0, True, quantity)
    return Future(instrument_id, instrument_id[:2], 1, quantity)


def margin(text: str) -> MarginResult:
    """ "CL-DEC 1, HO-DEC -2"."""
    words = (part.split() for part in text.split(","))
    return model_of().margin(Portfolio(tuple(position(name, float(size)) for name, size in words)), Market())


#   positions | need
ROWS = """
    CL-DEC 1                  | 3000       the scan range
    CL-DEC -2                 | 6000       a short loses when the price rises
    CL-DEC 1, CL-JAN -1       |  250       the scan sees nothing: the spread charge is left
    CL-DEC 3, CL-JAN -1       | 6250       two are left to scan
    CL-DEC -1, CL-JAN 1       |  250       either way round
    CL-DEC 1, HO-DEC -1       | 1500       70 % of 3000 and of 2000 is saved
    CL-DEC 1, HO-DEC 1        | 5000       the same side saves nothing
    CL-DEC 1, HO-DEC -2       | 3500       one of the two pairs
    CL-DEC-C -1               |  150       a call sold loses most far up
    CL-DEC-C 1                |   42       a call bought loses most when all falls
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.strip())
def test_need(row: str) -> None:
    text, need = row.split("|")
    found = margin(text)
    assert found.initial_need == pytest.approx(float(need.split()[0]))
    assert sum(found.contributions.values()) == pytest.approx(found.initial_need)


def test_short_option_minimum_and_option_value() -> None:
    """Ten futures short against thirty calls bought: the scan finds little; ten calls sold need 60 each."""
    sold = margin("CL-DEC-C -10, CL-DEC 1")
    assert sold.equity == -5_000, "net option value"
    assert sold.initial_need >= 600
    bought = model_of().margin(Portfolio((position("CL-DEC-C", 1),)), Market())
    assert bought.initial_need <= bought.equity == 500, "bought options never need more than they are worth"


def test_extremes_can_be_weighted_here() -> None:
    content = {**FILE, "extreme_weight": 0.1}
    found = model_of(content).margin(Portfolio((position("CL-DEC-C", -1),)), Market())
    assert found.initial_need == pytest.approx(120), "scenario 11 instead of 15"


def test_stale_arrays_ask_for_more() -> None:
    model = model_of({**FILE, "valid_until_us": 10, "stale_factor": 1.5})
    held = Portfolio((position("CL-DEC", 1),))
    assert model.margin(held, Market(now_us=10)).initial_need == pytest.approx(3_000)
    found = model.margin(held, Market(now_us=11))
    assert (found.initial_need, found.maintenance_need) == pytest.approx((4_500, 4_500))
    assert sum(found.contributions.values()) == pytest.approx(4_500)


def test_credit_is_capped() -> None:
    content = {**FILE, "credit_max": 0.5}
    found = model_of(content).margin(Portfolio((position("CL-DEC", 1), position("HO-DEC", -1))), Market())
    assert found.initial_need == pytest.approx(2_500)


def changed(path: str, value: Any) -> Any:
    """The file with one value at a path of keys and numbers changed; None removes it."""
    content = msgspec.json.decode(msgspec.json.encode(FILE))
    *parents, last = (int(word) if word.isdigit() else word for word in path.split("."))
    place: Any = content
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


#   path value what the error says
WRONG = [
    ("commodities.0.contracts.0.losses", [1.0] * 15, "15 losses, 16 are needed"),
    ("commodities.0.contracts.1.instrument_id", "CL-DEC", "contract CL-DEC stands there twice"),
    ("commodities.1.name", "CL", "commodity CL stands there twice"),
    ("commodities.0.contracts.0.losses.3", "lots", r"\$\.commodities\[0\]\.contracts\[0\]\.losses\[3\]"),
    ("commodities.0.contracts.0.kind", "SWAP", "SWAP"),
    ("commodities.0.contracts.0.delta", None, "delta"),
    ("commodities.0.colour", "red", "colour"),
    ("commodities.0.spreads.0.long.tier", 9, "tier 9"),
    ("commodities.0.spreads.0.long.ratio", 0.0, "not positive"),
    ("commodities.0.short_option_minimum", -1.0, "minimum of CL is negative"),
    ("spreads.0.legs.0.commodity", "GAS", "GAS"),
    ("spreads.0.legs.0.ratio", -1.0, "both signs"),
    ("spreads.0.credit_rate", 1.5, "credit_rate is 1.5"),
    ("credit_max", 2, "credit_max"),
    ("stale_factor", 0.9, "stale_factor"),
]


@pytest.mark.parametrize(("path", "value", "says"), WRONG, ids=[path for path, _, _ in WRONG])
def test_a_wrong_file_is_refused_by_name(path: str, value: Any, says: str) -> None:
    with pytest.raises(RiskArraysInvalid, match=says):
        parse_risk_arrays(msgspec.json.encode(changed(path, value)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"], ids=["empty", "cut", "list", "bytes"])
def test_what_is_no_file_of_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(RiskArraysInvalid, match="cannot be read"):
        parse_risk_arrays(content)


def test_an_instrument_without_an_array_is_a_named_error() -> None:
    with pytest.raises(MarginInputMissing, match="GAS-DEC"):
        margin("GAS-DEC 1")
    with pytest.raises(MarginPositionUnfit, match="GOLD"):
        model_of().margin(Portfolio((Holding("GOLD", 1.0),)), Market())


quantities = st.lists(st.integers(-20, 20), min_size=4, max_size=4)


@given(quantities)
def test_need_covers_every_scenario_less_its_credits(sizes: list[int]) -> None:
    held = tuple(position(name, float(size)) for name, size in zip(IDS, sizes, strict=True) if size)
    found = model_of().margin(Portfolio(held), Market())
    scanned = sum(found.parts.get(f"{name} scanning", 0.0) for name in ("CL", "HO"))
    credit = sum(found.parts.get(f"{name} spread_credit", 0.0) for name in ("CL", "HO"))
    assert 0 <= credit <= 0.8 * scanned + 1e-9
    only_bought = all(size >= 0 for size in sizes) and not (sizes[0] or sizes[1] or sizes[3])
    assert only_bought or found.initial_need >= scanned - credit - 1e-9


@given(quantities, st.integers(2, 9))
def test_need_grows_with_the_portfolio(sizes: list[int], times: int) -> None:
    one, many = (
        model_of().margin(
            Portfolio(tuple(position(name, float(size * by)) for name, size in zip(IDS, sizes, strict=True))), Market()
        )
        for by in (1, times)
    )
    assert many.initial_need == pytest.approx(one.initial_need * times)
