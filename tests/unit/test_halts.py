"""Who is halted and why: by the operator, by a default, while it is ported, by what is parked or sold."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from services.gateway import rendering
from services.gateway.projection.rows import ROWS, Batch
from services.risk.core import SERVICE as RISK
from tests.unit.audit_stage import Stage
from tests.unit.desk import ANN, BOB, some_meta
from truetape import messages as m
from truetape.cli import build
from truetape.codec import encode
from truetape.commands import accounts
from truetape.halts import RESTRICTIONS, halts
from truetape.happenings import Part
from truetape.operator import Operator
from truetape.reference import Reference
from truetape.topics import REFERENCE_COMMANDS

KNOWN = Reference(
    accounts={"ann": "Ann", "bob": "Bob", "cat": "Cat"}, members={"bob": "ann"}, defaulted={"ann": "d-1"},
    trading_states={"cat": "REDUCING"}, trading_reasons={"cat": "too much risk"},
)  # fmt: skip


def told(account: str, known: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.state, one.because) for one in halts(KNOWN, account, known)]


@pytest.mark.parametrize(
    ("account", "known", "expected"),
    [
        ("ann", {}, []),  # Reference data has heard of the default, and risk has not yet: it takes her orders.
        ("ann", {"halted_by": "default:d-1"}, [("DEFAULT", "HALTED", "d-1")]),
        ("bob", {}, []),
        ("bob", {"porting_id": "d-1", "halted_by": ""}, [("PORTING", "REDUCING", "d-1")]),
        ("cat", {}, [("OPERATOR", "REDUCING", "too much risk")]),
        ("dan", {}, []),
        ("dan", {"halted_by": "e-7", "liquidation_id": "l-1"},
         [("PARKED", "HALTED", "e-7"), ("LIQUIDATION", "HALTED", "l-1")]),
    ],
)  # fmt: skip
def test_each_reason_is_there_once_with_what_ends_it(
    account: str, known: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert told(account, known) == expected
    assert all(one.next for one in halts(KNOWN, account, known))


def test_everybodys_kill_switch_is_everybodys_reason() -> None:
    known = Reference(trading_states={"*": "HALTED"}, trading_reasons={"*": "fire"})
    [one] = halts(known, "ann", {})
    assert (one.kind, one.because) == ("OPERATOR", "fire") and "accounts state '*' ACTIVE" in one.next


def test_the_api_shows_them_with_each_account() -> None:
    restricted = {"ann": {"halted_by": "default:d-1", "liquidation_id": "l-1"}, "bob": {"porting_id": "d-1"}}
    shown = {one.account_id: one.halts for one in rendering.accounts(KNOWN, restricted).accounts}
    assert {name: [one.kind for one in found] for name, found in shown.items()} == {
        "ann": ["DEFAULT", "LIQUIDATION"], "bob": ["PORTING"], "cat": ["OPERATOR"],
    }  # fmt: skip


CREDITED = m.CreditUpdated(
    meta=some_meta(), account_id="ann", entry_id="n-1", changes=(), released_asset="USDT", released_e8=0, filled_e8=0,
    reopens_account=True,
)  # fmt: skip
DECIDED: list[tuple[Any, tuple[str, str], str]] = [
    (m.AccountHalted(some_meta(), "ann", "e-7"), ("ann", "halted_by"), "e-7"),
    (m.AccountReopened(some_meta(), "ann"), ("ann", "halted_by"), ""),
    (m.AccountHalted(some_meta(), "ann", "e-8"), ("ann", "halted_by"), "e-8"),
    (CREDITED, ("ann", "halted_by"), ""),
    (m.CancelRequested(some_meta(), "c", "ann", (), "l-1"), ("ann", "liquidation_id"), "l-1"),
    (m.RestrictionEnded(some_meta(), "ann", "l-1"), ("ann", "liquidation_id"), ""),
    (m.CancelRequested(some_meta(), "c", "bob", (), porting_id="d-1"), ("bob", "porting_id"), "d-1"),
    (m.RestrictionEnded(some_meta(), "bob", "", "d-1"), ("bob", "porting_id"), ""),
]


def test_the_views_keep_what_risk_has_restricted_as_risk_does() -> None:
    """Each event as risk folds it, and as the projection does; a client's own cancel restricts nothing."""
    batch, state = Batch(), RISK.initial()
    for event, key, because in DECIDED:
        ROWS[type(event)](batch, event)
        state = RISK.evolve(state, event)
        assert batch.restrictions[key] == because == getattr(state.accounts[key[0]], key[1])
    ROWS[m.CancelRequested](batch, m.CancelRequested(some_meta(), "c", "cat", ()))
    assert {account for account, _ in batch.restrictions} == {"ann", "bob"}
    assert {name for _, name in batch.restrictions} == set(RESTRICTIONS)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Bob's kill switch is moved, and something of Ann is parked; the commands read the stage's tape."""
    made = Stage()
    state = m.SetTradingState("c-9", "desk", BOB, "HALTED", "lost his phone")
    made.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(state))
    made.settle()
    hand = Operator(made.broker.log("operator"))

    def states(account: str = "", name: str = "") -> list[tuple[int, str, dict[str, Any]]]:
        assert name == RISK.name
        return [(0, ANN, {"halted_by": "e-1"}), (0, BOB, {"halted_by": ""})]

    class Given:
        def __enter__(self) -> Operator:
            return hand

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(accounts, "states", states)
    monkeypatch.setattr(accounts, "operator", lambda _: Given())
    return made


@pytest.mark.usefixtures("stage")
def test_the_list_says_who_is_halted_and_why() -> None:
    rows = {
        row["account_id"]: row for row in json.loads(CliRunner().invoke(build(), ["accounts", "list", "--json"]).output)
    }
    assert rows[ANN]["halts"][0]["kind"] == "PARKED" and rows[ANN]["state"] == "ACTIVE"
    assert (rows[BOB]["state"], rows[BOB]["halts"][0]["because"]) == ("HALTED", "lost his phone")
    table = CliRunner().invoke(build(), ["accounts", "list"], env={"COLUMNS": "250"}).output
    assert "PARKED e-1" in table and "OPERATOR lost his phone" in table
    only = CliRunner().invoke(build(), ["accounts", "list", "--halted", "--json"]).output
    assert {row["account_id"] for row in json.loads(only)} == {ANN, BOB}
