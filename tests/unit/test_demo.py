"""The demo's members: they hold their contracts against each other, and their drill reaches layer after layer."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.unit.test_contract_operator import Turning
from tests.unit.test_contract_stage import ContractStage
from truetape import demo
from truetape.cli import build
from truetape.commands import demo as command
from truetape.contracts import Contract, value
from truetape.default import drill
from truetape.default.drill import Books, Held, Setting
from truetape.money import ONE_E8, portion, to_e8
from truetape.reference import Reference

PRICE_E8 = to_e8("60000")
TERMS = demo.perpetual().contract


def held(contracts: str) -> dict[str, Held]:
    assert TERMS is not None
    quantity_e8 = to_e8(contracts)
    worth_e8 = value(Contract(TERMS.style, TERMS.multiplier_e8), quantity_e8, PRICE_E8, "down")
    return {demo.PERPETUAL: Held(quantity_e8, worth_e8, 0)}


def test_their_contracts_sum_to_zero_and_nobody_is_called() -> None:
    assert TERMS is not None
    assert sum(to_e8(contracts) for contracts, _ in demo.MEMBERS.values()) == 0
    for contracts, cash in demo.MEMBERS.values():
        notional_e8 = abs(held(contracts)[demo.PERPETUAL].cost_e8)
        assert to_e8(cash) * 100 > 124 * portion(notional_e8, TERMS.initial_rate_e8, "up")


def test_three_defaults_reach_five_layers_and_two_stay_within_the_fund() -> None:
    books = Books(
        {name: {"USDT": to_e8(cash)} for name, (_, cash) in demo.MEMBERS.items()},
        {name: held(contracts) for name, (contracts, _) in demo.MEMBERS.items()},
    )
    known, marks = Reference(instruments={demo.PERPETUAL: demo.perpetual()}), {demo.PERPETUAL: PRICE_E8}
    three = drill.run(books, known, marks, Setting("USDT", capital_e8=60 * ONE_E8, defaulters=demo.DEFAULTERS))
    layers = {step.layer for one in three.defaults for step in one.outcome.steps}
    assert layers == {"DEFAULTER_MARGIN", "DEFAULTER_FUND", "HOUSE_CAPITAL", "OTHERS_FUND", "ASSESSMENTS"}
    assert not any(one.outcome.uncovered_e8 for one in three.defaults) and all(one.loss_e8 for one in three.defaults)
    two = drill.run(books, known, marks, Setting("USDT", capital_e8=60 * ONE_E8))
    assert tuple(one.member_id for one in two.defaults) == demo.DEFAULTERS[:2], "what `truetape drill default` shows"
    assert "ASSESSMENTS" not in {step.layer for one in two.defaults for step in one.outcome.steps}


def test_they_take_their_seats_once_and_the_demo_shows_their_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = ContractStage()
    stage.perpetual()
    hand, told = Turning(stage), io.StringIO()

    @contextmanager
    def operator(_: str) -> Iterator[Turning]:
        yield hand

    monkeypatch.setattr(demo, "operator", operator)
    monkeypatch.setattr(command, "KafkaLog", lambda _: stage.broker.log("reader"))
    monkeypatch.setattr(command, "_console", Console(file=told, width=250))
    for _ in range(2):
        demo.seat_members("", PRICE_E8)
    entries = [entry for entry in hand.booked(demo.MEMBERS, legs()).values() if entry.contract is not None]
    assert len(entries) == len(demo.MEMBERS) and sum(one.contract.quantity_e8 for one in entries if one.contract) == 0
    command.show_drill("")
    shown = told.getvalue()
    assert all(name in shown for name in demo.DEFAULTERS) and "others_fund" in shown
    assert "truetape drill default --member demo-north" in shown


def legs() -> list[str]:
    return [f"{name}/{'SELL' if contracts.startswith('-') else 'BUY'}" for name, (contracts, _) in demo.MEMBERS.items()]


@pytest.mark.parametrize(("said", "option", "base"), [(None, [], None), ("23000", [], 23_000),
                                                      ("23000", ["--port-base", "24000"], 24_000)])  # fmt: skip
def test_it_starts_where_the_traders_commands_look(
    said: str | None, option: list[str], base: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int | None] = []

    def up(_: object, port_base: int | None) -> None:
        started.append(port_base)
        raise KeyError("enough")

    monkeypatch.setattr(command, "up_native", up)
    monkeypatch.delenv("TRUETAPE_PORT_BASE", raising=False)
    if said is not None:
        monkeypatch.setenv("TRUETAPE_PORT_BASE", said)
    CliRunner().invoke(build(), ["demo", *option])
    assert started == [base]
