"""Vectors are recognised by what they say, wherever they stand; what nobody understands fails by its name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.families import FAMILIES
from tests.vectors.frame import SHARED, STRANGE, Outcome, outcomes

pytestmark = pytest.mark.skipif(
    not SHARED.exists(), reason=f"{SHARED} is absent: its documents are what is changed here"
)
STANDARD, AUCTION, V1 = "standard_margin", "liquidation_auction", "portfolio_margin_v1"
V2_FILE = "test_60_settlement_near_expiry"


def shared(path: str) -> Any:
    return json.loads((SHARED / path).with_suffix(".json").read_text())


def ran(directory: Path, said: Any, name: str = "other") -> list[Outcome]:
    (directory / f"{name}.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return list(outcomes(directory))


def failures(found: list[Outcome]) -> list[str]:
    return [f"{each.family} {each.case}: {failure}" for each in found for failure in each.failures]


def test_names_and_places_of_files_do_not_matter(tmp_path: Path) -> None:
    inner = tmp_path / "of" / "another day"
    inner.mkdir(parents=True)
    for number, path in enumerate((f"{STANDARD}.json", f"{V1}.json", f"{AUCTION}.json", "derivatives_compact.json")):
        shutil.copy(SHARED / path, inner / f"{number}.json")
        shutil.copy(SHARED / path, tmp_path / f"again {number}.json")
    (tmp_path / "list.json").write_text(json.dumps([shared(f"portfolio_margin_v2/{V2_FILE}")] * 2))
    found = list(outcomes(tmp_path))
    assert not failures(found)
    assert {each.family for each in found} == set(FAMILIES)
    names = [(each.family, each.case) for each in found]
    assert len(names) == len(set(names)), "each case has a name of its own"
    alone = list(outcomes(SHARED))
    for family in set(FAMILIES) - {"portfolio_margin_v2"}:
        assert sum(each.family == family for each in found) == 2 * sum(each.family == family for each in alone)
    assert sum(each.family == "portfolio_margin_v2" for each in found) == 2


def test_a_compact_family_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    found = ran(tmp_path, shared("derivatives_compact")["dydx_margin"], "dydx_margin")
    assert len(found) == 3
    assert not failures(found)


def test_the_shared_directory_holds_nothing_strange() -> None:
    assert not [each for each in outcomes(SHARED, None) if each.family == STRANGE]


STRANGERS: dict[str, tuple[Any, str]] = {
    "a family that nobody knows": ({"dydx_funding_epochs": {"cases": [{"out": 1}]}}, "other/dydx_funding_epochs/cases"),
    "no JSON": ("{", "JSONDecodeError"),
    "a key twice": ('{"dydx_margin": {"cases": []}, "dydx_margin": {"cases": []}}', "stands twice"),
    "a number": (7, "no family"),
    "nothing": ({}, "no family"),
    "another list of a family": ({"dydx_margin": {"cases": [], "tests": [{"IM": 1}]}}, "'tests'"),
    "a case that says nothing": ({"dydx_margin": {"cases": [{}]}}, "KeyError"),
    "no scenario": ({"T": {"Scenario": None, "Result": {}}}, "no family"),
    "no result": ({"T": {"Scenario": {"OptionUnderlying": []}}}, "KeyError"),
}


@pytest.mark.parametrize(("said", "reason"), STRANGERS.values(), ids=STRANGERS)
def test_what_nobody_understands_fails_by_name(tmp_path: Path, said: Any, reason: str) -> None:
    found = failures(ran(tmp_path, said))
    assert len(found) == 1
    assert reason in found[0]


def changed(path: str, change: Callable[[Any], object]) -> Any:
    said = shared(path)
    change(said)
    return said


CHANGES: dict[str, tuple[str, Callable[[Any], object], str]] = {
    "standard: another input": (STANDARD, lambda all: all["Test5"]["Scenario"].update(Perps_SOL=1), "o.Perps_SOL"),
    "standard: another result": (STANDARD, lambda all: all["Test5"]["Result"].update(realVM=1), "Result.realVM"),
    "standard: no result": (STANDARD, lambda all: all["Test5"]["Result"].pop("realMM"), "'realMM' is missing"),
    "standard: no price": (STANDARD, lambda all: all["Test5"]["Scenario"].pop("BTCSpotPrice"), "'BTCSpotPrice'"),
    "standard: null price": (STANDARD, lambda all: all["Test5"]["Scenario"].update(USDCValue=None), "'USDCValue'"),
    "v1: another input": (V1, lambda all: all["Test5"]["Scenario"].update(Borrowed=1), "Scenario.Borrowed"),
    "v1: no confidence": (V1, lambda all: all["Test5"]["Scenario"].pop("SpotConfidence"), "'SpotConfidence'"),
    "v1: no result": (V1, lambda all: all["Test5"]["Result"].pop("InitialMarginCalc"), "'InitialMarginCalc'"),
    "v1: too few strikes": (V1, lambda all: all["Test5"]["Scenario"]["OptionStrikes"].pop(), "ValueError"),
    "auction: another action": (AUCTION, lambda all: all["Test4"]["Actions"][1].update(Fee=1), "Actions.1.Fee"),
    "auction: no price": (
        AUCTION, lambda all: all["Test4"]["Actions"][1]["Results"].pop("ExpectedBidPrice"), "'ExpectedBidPrice'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "change", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_case_with_something_unknown_or_missing_fails_alone(
    tmp_path: Path, path: str, change: Callable[[Any], object], reason: str
) -> None:
    found = failures(ran(tmp_path, changed(path, change), path))
    assert len(found) == 1
    assert reason in found[0]


V2_CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "another parameter": (lambda said: said["Parameters"]["Margin"].update(FLOOR=1), "Parameters.Margin.FLOOR"),
    "no parameter": (lambda said: said["Parameters"]["Margin"].pop("MM_LOSS_FACTOR"), "'MM_LOSS_FACTOR'"),
    "another group": (lambda said: said["Parameters"].update(Extra={}), "Parameters.Extra"),
    "another position": (lambda said: said["Scenario"].update(NumFutures=1), "Scenario.NumFutures"),
    "a shock without a scenario": (
        lambda said: said["Result"]["reg_losses"].append(["0.2", 1, "5"]), "scenarios that the parameters do not have",
    ),
    "an unknown shock": (
        lambda said: said["Parameters"]["Scenarios"][0].update(VolShockDirection="Sideways"), "called 'Sideways'",
    ),
    "no initial margin": (lambda said: said["Result"].pop("IM"), "'IM' is missing"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), V2_CHANGES.values(), ids=V2_CHANGES)
def test_a_portfolio_case_with_something_unknown_or_missing_fails(
    tmp_path: Path, change: Callable[[Any], object], reason: str
) -> None:
    found = failures(ran(tmp_path, changed(f"portfolio_margin_v2/{V2_FILE}", change)))
    assert len(found) == 1
    assert reason in found[0]


def test_the_order_of_scenarios_and_of_their_rows_does_not_matter(tmp_path: Path) -> None:
    said = shared("portfolio_margin_v2/test_35_tails_general_tail_test")
    said["Parameters"]["Scenarios"].reverse()
    said["Result"]["reg_losses"].reverse()
    said["Result"]["tail_losses"].reverse()
    assert not failures(ran(tmp_path, said))


def test_profit_without_a_perpetual_counts(tmp_path: Path) -> None:
    said = shared(f"portfolio_margin_v2/{V2_FILE}")
    said["Scenario"]["UnrealisedPerpPNL"] = 10.0
    for key in ("IM", "MM", "PortfolioMTM"):
        said["Result"][key] += 10.0
    assert not failures(ran(tmp_path, said))
