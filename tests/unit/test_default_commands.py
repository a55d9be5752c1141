"""`truetape rounds`, `default` and `fund`: what they show of real books."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from services.clearing.books import accounts
from services.clearing.defaults.waterfalls import HOME
from tests.unit.rounds_stage import Stage, members
from truetape.cli import build
from truetape.commands import default, fund, parked, rounds
from truetape.operator import clearing
from truetape.topics import PARTITIONS


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Ann in default with a loss of 150; the commands read the stage's books in place of Kafka's."""
    made = Stage()
    members(made, [("ann", 100), ("bob", 300)], 20)
    made.lose_money("ann", 150)
    made.lose = set(range(PARTITIONS))
    made.declare("ann")
    made.run(5)

    def states(account: str = "") -> list[tuple[int, str, dict[str, Any]]]:
        return [
            (at.number, name, books)
            for at in made.partitions
            for name, books in accounts(at.state).items()
            if account in ("", name)
        ]

    for module in (parked, default, fund, rounds):
        monkeypatch.setattr(module, "states", states)
    return made


def said(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(build(), list(arguments), env={"COLUMNS": "240"})
    return found.exit_code, found.stdout


def test_a_round_is_listed_while_it_waits(stage: Stage) -> None:
    stage.lose = set(range(PARTITIONS)) - {stage.of(HOME).number}
    stage.run(30)
    code, text = said("rounds", "--json")
    [row, *later] = json.loads(text)
    assert (code, row["home_id"], row["kind"], row["phase"]) == (1, HOME, "INSURANCE", "GATHERING")
    assert all(one["phase"] == "OPEN" for one in later), "one after another"
    assert len(row["waiting"]) == PARTITIONS - 1 and "GATHERING" in said("rounds")[1]
    stage.lose = set()
    stage.run(400)
    assert said("rounds") == (0, "no round is open\n")


def test_a_default_is_shown_with_its_steps(stage: Stage) -> None:
    assert "DECLARED" in said("default", "list")[1]
    stage.lose = set()
    stage.run(400)
    found = json.loads(said("default", "show", "ann", "--json")[1])
    assert [(one["layer"], one["amount_e8"]) for one in found["steps"]] == [
        ("DEFAULTER_FUND", 100 * 10**8), ("HOUSE_CAPITAL", 20 * 10**8), ("OTHERS_FUND", 30 * 10**8),
    ]  # fmt: skip
    assert "OTHERS_FUND" in said("default", "show", "ann")[1]
    assert json.loads(said("default", "list", "--json")[1])[0]["state"] == "COVERED"


def test_a_first_and_a_further_default_are_told_apart(stage: Stage) -> None:
    found = stage.events(type(stage.default("ann")))[0]
    first = default.declaration(found, [])
    assert first == f"default {found.default_id} of ann is declared; `truetape default show ann` says how it stands"
    further = default.declaration(found, [{"default_id": "d-0", "state": "COVERED"}])
    assert further.startswith(f"further default {found.default_id} of ann is declared: its default d-0 is COVERED; ")


def test_shares_are_listed(stage: Stage) -> None:
    rows = json.loads(said("fund", "list", "--json")[1])
    assert {(row["account"], row["amount"]) for row in rows} == {
        ("fund:ann", "100"), ("fund:bob", "300"), ("house:capital", "20"),
    }  # fmt: skip
    assert "fund:bob" in said("fund", "list")[1]


def test_answers_to_the_house_are_known_by_their_command(stage: Stage) -> None:
    declared = stage.events(type(stage.default("ann")))[0]
    assert clearing(declared) == declared.command_id != ""
    paid = stage.fund("bob", 5)
    assert clearing(paid) == paid.contract.ids["command_id"]


def test_a_default_is_declared_only_when_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(bootstrap: str) -> None:
        raise LookupError(bootstrap)

    monkeypatch.setattr(default, "operator", reached)
    asked = ["default", "declare", "ann", "--reason", "it cannot pay"]
    found = CliRunner().invoke(build(), asked, input="n\n")
    assert found.exit_code == 1 and "cannot be undone" in found.output
    assert not isinstance(found.exception, LookupError), "nothing was sent"
    assert isinstance(CliRunner().invoke(build(), [*asked, "--yes"]).exception, LookupError)
