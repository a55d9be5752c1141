"""Reference data and marks for margin by models: contracts of one class, and accounts that hold them."""

import json
from typing import Any, Final

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.contract_desk import E8, START_US, future, instrument, option
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import mark
from truetape import messages as m
from truetape.margin.account import Account
from truetape.margin.classed import Held
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.reference import Reference

DAY_US: Final = 86_400_000_000
EXPIRIES: Final = (START_US + 2 * DAY_US, START_US + 40 * DAY_US)
STRIKES: Final = (40_000, 60_000, 75_000)
PERP: Final = "BTC-USDT-PERP"
ETH: Final = "ETH-USDT-PERP"
TIERS: Final = {
    "tiers": {
        base: {
            "brackets": [
                {"up_to": 2e5, "initial_rate": 0.05, "maintenance_rate": 0.03},
                {"initial_rate": 0.1, "maintenance_rate": 0.06},
            ]
        }
        for base in ("BTC", "ETH")
    }
}


def option_name(expires_us: int, strike: int, right: str) -> str:
    """Its id."""
    return f"BTC-USDT-{expires_us // DAY_US}-{strike}-{right[0]}"


OPTIONS: Final = {
    option_name(expires_us, strike, right): option(right, strike, expires_at_us=expires_us, margin_class="house")
    for expires_us in EXPIRIES
    for strike in STRIKES
    for right in ("CALL", "PUT")
}
"""On 1 BTC."""
MARKS: Final = {
    "BTC-USDT": 60_000.0, "ETH-USDT": 3_000.0, PERP: 60_030.0, ETH: 3_001.0, "BTC-USDT-F": 60_500.0,
    **{
        name: round(max((60_000 - terms.strike_e8 / E8) * (1 if terms.option_type == "CALL" else -1), 0.0)
                    + 900 + (terms.expires_at_us - START_US) / DAY_US * 40, 1)
        for name, terms in OPTIONS.items() if terms.strike_e8 and terms.expires_at_us
    },
}  # fmt: skip


def published(
    model: str, parameters: Any = None, *, marks: dict[str, float] | None = None, at_us: int = START_US, **changes: Any
) -> Published:
    """Contracts of the class `house`, which is of this model, and their marks."""
    named = replace(m.MarginClass("house", model, 3, json.dumps(parameters or {})), **changes)
    terms = {
        PERP: perpetual(margin_class="house"),
        ETH: perpetual(margin_class="house", index="ETH-USDT"),
        "BTC-USDT-F": future(margin_class="house", expires_at_us=EXPIRIES[0] + 1),
        **OPTIONS,
    }
    reference = Reference(
        {name: instrument(name, of) for name, of in terms.items()}, margin_classes={named.name: named}
    )
    newest = {name: mark(f"{price:.8f}", START_US, name) for name, price in (MARKS | (marks or {})).items() if price}
    return Published(Marks(newest), reference, at_us)


def held(contracts: float, cost: float = 0, unpaid: float = 0) -> Held:
    """A position."""
    return Held(round(contracts * E8), round(cost * E8), round(unpaid * E8))


SIZES: Final = st.integers(-300, 300).filter(bool).map(lambda hundredths: hundredths / 100)


@st.composite
def accounts(draw: st.DrawFn, names: tuple[str, ...]) -> Account:
    """Some of the contracts, and cash of either sign."""
    chosen = draw(st.lists(st.sampled_from(names), max_size=5, unique=True))
    positions = {
        name: held(draw(SIZES) * (1 if name in OPTIONS else 100), draw(SIZES) * 1000, draw(SIZES)) for name in chosen
    }
    return Account({"USDT": draw(st.integers(-10_000, 200_000)) * E8, "BTC": draw(st.integers(0, 3)) * E8}, positions)
