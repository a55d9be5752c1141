"""One order told from the tape: what the views say of it, its records with causes first, and what it cost."""

import io
import json
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.gateway.projection import rows
from tests.unit.audit_stage import Stage
from tests.unit.desk import ANN, BOB
from truetape import api, ids, orderhistory, shown
from truetape import messages as m
from truetape.cli import build
from truetape.codec import decode, encode
from truetape.commands import order as command
from truetape.errors import OrderUnknown
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.orderhistory import TOPICS, find
from truetape.simbroker import SimBroker


@pytest.fixture(scope="module")
def stage() -> Stage:
    made = Stage()
    made.trade()
    return made


def told(stage: Stage, name: str, account: str = "") -> orderhistory.OrderHistory:
    return find(stage.broker.log("reader"), 5.0, name, account)


def viewed(stage: Stage, account: str) -> rows.Batch:
    """What the projection makes of the account's partition."""
    batch = rows.Batch()
    for topic in TOPICS:
        for record in stage.broker.records(Part(topic.name, stage.partition(account))):
            batch.add(record, decode(record.value or b""))
    return batch


@pytest.mark.parametrize("account", [ANN, BOB])
def test_it_says_what_the_views_say(stage: Stage, account: str) -> None:
    views = viewed(stage, account)
    mine = {name: row for name, row in views.orders.items() if row.decision["account_id"] == account}
    assert {row.status for row in mine.values()} >= {"FILLED"}
    for name, row in mine.items():
        blank = {"reason": None, "numbers": None, "limit_price_e8": None}
        folded = {
            "status": row.status, "filled_e8": row.filled_e8, "quote_filled_e8": row.quote_filled_e8,
            "ended_reason": row.ended_reason, "updated_at_us": row.updated_at_us,
        }  # fmt: skip
        found = told(stage, name)
        assert found.order == shown.order(blank | row.decision | folded)
        assert found.fills == [shown.fill(fill) for fill in views.fills if fill["order_id"] == name]


def test_orders_in_every_end_are_told(stage: Stage) -> None:
    views = viewed(stage, ANN)
    states = {told(stage, name).order.status for name, row in views.orders.items()}
    assert {"FILLED", "CANCELLED", "REJECTED"} <= states


def test_every_record_of_it_is_there_once_and_after_its_cause(stage: Stage) -> None:
    views = viewed(stage, ANN)
    for name in views.orders:
        events = told(stage, name).events
        places = [(event.topic, event.partition, event.offset) for event in events]
        assert len(set(places)) == len(places)
        for at, event in enumerate(events):
            cause = event.cause
            place = cause and (cause.source, cause.partition, cause.offset)
            assert place not in places[at:], "a cause comes first"
        known = {(row["topic"], row["partition"], row["offset"]) for row in views.events if row["order_id"] == name}
        assert known <= set(places)
        assert events[0].type == "SubmitOrder"


def test_what_it_cost_is_what_its_entries_booked(stage: Stage) -> None:
    views = viewed(stage, ANN)
    name = next(name for name, row in views.orders.items() if row.status == "FILLED")
    found = told(stage, name)
    entries = {entry["entry_id"] for entry in views.entries if entry["order_id"] == name}
    lines = [one for one in views.lines if one["entry_id"] in entries and one["account"] == f"client:{ANN}"]
    assert len(entries) == len(found.fills) == 2
    assert sum(to_e8(cost.amount) for cost in found.costs) == sum(line["amount_e8"] for line in lines)
    assert {(cost.asset, cost.purpose) for cost in found.costs} == {(one["asset"], one["purpose"]) for one in lines}


def test_an_order_is_found_by_its_clients_id_too(stage: Stage) -> None:
    found = told(stage, "client:o-1", ANN)
    assert found.order.order_id == ids.order_id(ANN, "o-1")
    assert told(stage, found.order.order_id, ANN) == found


@pytest.mark.parametrize("account", ["", ANN, BOB])
def test_an_order_that_is_not_there_is_named_and_a_strangers_cancel_of_it_makes_none(account: str) -> None:
    stage = Stage()
    stage.command(BOB, m.CancelOrder("c-9", BOB, "f" * 32, "key", 0))
    stage.settle()
    with pytest.raises(OrderUnknown, match=r"no order 'ffff.*GET /v1/orders"):
        told(stage, "f" * 32, account)


def test_an_order_that_nobody_has_decided_is_pending(stage: Stage) -> None:
    part = Part("orders.commands", stage.partition(ANN))
    asked = next(one for one in stage.messages(part) if isinstance(one, m.SubmitOrder))
    broker = SimBroker(1)
    broker.produce(part, ANN.encode(), encode(asked))
    found = find(broker.log("reader"), 5.0, asked.order.order_id)
    assert (found.order.status, found.order.filled, found.fills, found.costs) == ("PENDING", "0", [], [])
    assert found.events[0].type == "SubmitOrder"


@pytest.fixture
def from_stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def reading(form: str, name: str) -> Any:
        yield stage.broker.log("reader"), 5.0

    monkeypatch.setattr(command, "reading", reading)


@pytest.mark.usefixtures("from_stage")
def test_the_command_tells_it_as_a_table_and_as_json(stage: Stage) -> None:
    name = ids.order_id(ANN, "o-1")
    table = CliRunner().invoke(build(), ["order", name], env={"COLUMNS": "250"})
    assert table.exit_code == 0, table.output
    assert "FILLED: filled 1 at 60001 on average" in table.output
    for word in ("SubmitOrder", "the client", "OrderAccepted", "OrderRouted", "EntryBooked", "booked on the account"):
        assert word in table.output, word
    given = json.loads(CliRunner().invoke(build(), ["order", "client:o-1", "--account", ANN, "--json"]).output)
    assert given["order"]["order_id"] == name and given["order"]["status"] == "FILLED"
    assert [event["type"] for event in given["events"]][:2] == ["SubmitOrder", "OrderAccepted"]
    assert set(given) == {"order", "fills", "costs", "events"}


@pytest.mark.usefixtures("from_stage")
def test_a_client_order_id_without_its_account_is_refused_with_what_to_add() -> None:
    done = CliRunner().invoke(build(), ["order", "client:o-1"])
    assert done.exit_code == 2 and "--account" in done.output


def test_a_refused_order_says_what_risk_saw(stage: Stage) -> None:
    refused = next(
        found
        for name in viewed(stage, ANN).orders
        if (found := told(stage, name)).order.status == "REJECTED" and found.order.numbers
    )
    console = Console(width=250, record=True, file=io.StringIO())
    command.show(refused, console)
    assert f"REJECTED: filled 0; {refused.order.reason} (risk saw" in console.export_text()
    assert isinstance(refused.order, api.Order)
