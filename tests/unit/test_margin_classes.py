"""Margin classes and collateral as reference data: what is taken, and what is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.gateway.core import State, decide
from tests.unit.contract_desk import E8, START_US, future, instrument, option
from tests.unit.contract_desk import terms as perpetual
from truetape import messages as m
from truetape.errors import MarginInputInvalid, MarginModelUnknown
from truetape.margin.classes import model_of
from truetape.margin.deribit import DeribitMargin
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.tiers import LeverageTiers
from truetape.marks import Marks
from truetape.reference import Reference, fold
from truetape.service import Input, Tables

ARRAYS = {
    "name": "today",
    "currency": "USDT",
    "commodities": [
        {
            "name": "BTC",
            "contracts": [
                {"instrument_id": "BTC-USDT-PERP", "kind": "FUTURE", "tier": 1, "delta": 1.0, "losses": [0.0] * 16}
            ],
        }
    ],
}
TIERS = {"tiers": {"BTC": {"brackets": [{"up_to": 1e6, "initial_rate": 0.05, "maintenance_rate": 0.03},
                                        {"initial_rate": 0.1, "maintenance_rate": 0.06}]}}}  # fmt: skip


def classed(model: str, parameters: Any = None, **changes: Any) -> m.MarginClass:
    """The first version of a class that is called `house`."""
    return replace(m.MarginClass("house", model, 1, json.dumps(parameters or {})), **changes)


class Clerk:
    """The gateway's core alone."""

    def __init__(self) -> None:
        self.state, self._commands = State(), 0

    def ask(self, kind: Any, content: Any) -> str:
        """Ask for something; why it was refused, or nothing."""
        self._commands += 1
        command = kind(f"c-{self._commands}", "op", content)
        tables = Tables(Reference(), Marks())
        given = Input(command, m.Cause("c", 0, self._commands, ""), START_US, "reference.events", 1, 1, tables)
        event = decide(self.state, given)
        assert event is not None
        if isinstance(event, m.ReferenceRejected):
            return event.reason
        fold(self.state.reference, event)  # type: ignore[arg-type]
        return ""

    def set_class(self, *args: Any, **changes: Any) -> str:
        """Ask for a class."""
        return self.ask(m.SetMarginClass, classed(*args, **changes))

    def list(self, name: str, terms: m.ContractTerms, tradable: bool = True) -> str:
        """Ask for a contract."""
        return self.ask(m.SetInstrument, instrument(name, terms, tradable))


@pytest.mark.parametrize(
    ("model", "parameters", "says"),
    [
        ("standard", {}, ""),
        ("standard", {"perpetual_initial": 0.1}, ""),
        ("standard", {"perpetual_inital": 0.1}, "has no $.perpetual_inital"),
        ("standard", {"perpetual_initial": "much"}, "do not fit StandardParameters"),
        ("portfolio_v1", {"doubt": {"threshold": 0.5, "factor": 1.0}}, ""),
        ("portfolio_v2", {"vol": {"up": 0.6, "down": 0.3, "floor_up": 0.5}}, ""),
        ("portfolio_v2", {"vol": {"up": 0.6, "down": 0.3, "flor_up": 0.5}}, "has no $.vol.flor_up"),
        ("deribit", {"inverse": True}, ""),
        ("tiers", TIERS, ""),
        ("tiers", {"tiers": {"BTC": {"brackets": []}}}, "rise from above 0 to infinity"),
        (
            "tiers",
            {"tiers": {"BTC": {"brackets": [{"initial_rate": 0.1, "maintenance_rate": 0.2}]}}},
            "at most initial",
        ),
        ("opyn", {"naked": True, "upper_bounds": {"604800": 0.2}}, ""),
        ("risk_arrays", ARRAYS, ""),
        ("risk_arrays", {"name": "x"}, "cannot be read"),
        ("simm_fx", {"parameters": {"calculation_currency": "EUR"}}, ""),
        ("schedule", {"products": {"EUR": "FX"}}, ""),
        ("per_underlying", {}, "made by itself"),
        ("guess", {}, "no margin model is called 'guess'"),
    ],
)
def test_a_class_names_a_model_and_what_of_it_is_not_as_published(model: str, parameters: Any, says: str) -> None:
    reason = Clerk().set_class(model, parameters)
    assert (says in reason) and bool(says) == bool(reason), reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "flat"}, "not flat"),
        ({"name": "No Spaces"}, "1 to 40"),
        ({"version": 2}, "version 0 is in force, so this must be version 1"),
        ({"rate_e8": 11 * E8}, "beyond 1 000 %"),
        ({"peg": "x" * 41}, "at most 40"),
        ({"parameters": "{"}, "no JSON"),
        ({"parameters": " " * 600_000 + "{}"}, "beyond 524288 bytes"),
    ],
)
def test_a_class_that_cannot_be_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    assert says in Clerk().ask(m.SetMarginClass, replace(classed("standard"), **changes))


PERP, CALL = "BTC-USDT-PERP", "BTC-USDT-20231115-60000-C"
INVERSE = perpetual(style="INVERSE", settlement_asset="BTC", margin_class="house")


@pytest.mark.parametrize(
    ("model", "parameters", "name", "terms", "says"),
    [
        ("standard", {}, PERP, perpetual(margin_class="house"), ""),
        ("standard", {}, PERP, perpetual(margin_class="hause"), "'hause' is not set"),
        ("standard", {}, PERP, perpetual(margin_class="flat"), ""),
        ("standard", {}, "BTC-USDT-1", future(margin_class="house"), "covers OPTION, PERPETUAL, not FUTURE"),
        ("portfolio_v2", {}, CALL, option("CALL", 60_000, margin_class="house"), ""),
        ("tiers", TIERS, CALL, option("CALL", 60_000, margin_class="house"), "not OPTION"),
        ("opyn", {}, PERP, perpetual(margin_class="house"), "covers OPTION"),
        ("deribit", {}, "BTC-USD-PERP", INVERSE, "needs margin class flat"),
        ("deribit", {"inverse": True}, "BTC-USD-PERP", INVERSE, ""),
        ("deribit", {"inverse": True}, PERP, perpetual(margin_class="house"), "and that no other contract"),
        ("risk_arrays", ARRAYS, PERP, perpetual(margin_class="house"), ""),
        ("risk_arrays", ARRAYS, "BTC-USDT-NEW", perpetual(margin_class="house"), "no risk array of BTC-USDT-NEW"),
        ("simm_fx", {}, PERP, perpetual(margin_class="house"), "set tradable to false"),
    ],
)
def test_a_contract_names_a_class_that_can_margin_it(
    model: str, parameters: Any, name: str, terms: m.ContractTerms, says: str
) -> None:
    clerk = Clerk()
    assert clerk.set_class(model, parameters) == ""
    reason = clerk.list(name, terms)
    assert (says in reason) and bool(says) == bool(reason), reason


def test_contracts_of_a_class_on_one_underlying_share_index_and_perpetual() -> None:
    clerk = Clerk()
    clerk.set_class("standard")
    assert clerk.list(PERP, perpetual(margin_class="house")) == ""
    assert clerk.list(PERP, perpetual(margin_class="house", initial_rate_e8=E8 // 5)) == "", "it may change"
    assert "has the perpetual BTC-USDT-PERP" in clerk.list("BTC-USDT-MINI", perpetual(margin_class="house"))
    other = option("CALL", 60_000, margin_class="house", index="BTC-EUR")
    assert "on index BTC-USDT" in clerk.list(CALL, other)
    assert clerk.list("ETH-USDT-PERP", perpetual(margin_class="house", index="ETH-USDT")) == ""


def test_a_class_in_use_changes_only_to_what_fits_its_contracts() -> None:
    clerk = Clerk()
    clerk.set_class("standard")
    clerk.list(PERP, perpetual(margin_class="house"))
    assert f"{PERP}: margin class house (opyn) covers OPTION" in clerk.set_class("opyn", version=2)
    assert clerk.set_class("portfolio_v2", version=2) == ""
    assert "version 2 is in force" in clerk.set_class("standard", version=2)
    assert clerk.state.reference.margin_classes["house"].model == "portfolio_v2"


COLLATERAL = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, 1_000, 5_000_000)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"cancels_risk": True, "limit_e8": 10**15}, ""),
        ({"counts_for": "BTC"}, "two different assets"),
        ({"asset": "btc"}, "two different assets"),
        ({"version": 0}, "must be version 1"),
        ({"index": ""}, "index must have"),
        ({"haircut_e8": E8 + 1}, "from 0 to 1"),
        ({"share_max_e8": -1}, "from 0 to 1"),
        ({"limit_e8": -1}, "limit must not be negative"),
        ({"lot_e8": 0}, "lot"),
        ({"mark_max_age_us": 0}, "mark_max_age"),
    ],
)
def test_collateral_has_terms(changes: dict[str, Any], says: str) -> None:
    reason = Clerk().ask(m.SetCollateral, replace(COLLATERAL, **changes))
    assert (says in reason) and bool(says) == bool(reason), reason


def test_models_are_made_once_for_each_underlying_and_version() -> None:
    made = model_of("portfolio_v2", "{}", "ETH")
    assert isinstance(made, PortfolioV2)
    assert made.underlying == "ETH"
    assert model_of("portfolio_v2", "{}", "ETH") is made
    deribit = model_of("deribit", '{"schedules": {"X": {"initial": 0.1, "maintenance": 0.05, "slope": 0}}}', "X")
    assert isinstance(deribit, DeribitMargin)
    assert deribit.schedules["X"].initial == 0.1
    tiers = model_of("tiers", json.dumps(TIERS), "BTC")
    assert isinstance(tiers, LeverageTiers)
    assert tiers.tiers["BTC"].brackets[-1].up_to == float("inf")
    with pytest.raises(MarginModelUnknown):
        model_of("guess", "{}", "BTC")
    with pytest.raises(MarginInputInvalid):
        model_of("standard", "[]", "BTC")


def test_the_example_contract_needs_no_class() -> None:
    content = json.loads((Path(__file__).parents[2] / "examples" / "btc-perp.json").read_text())
    assert content["contract"]["margin_class"] == "flat"
