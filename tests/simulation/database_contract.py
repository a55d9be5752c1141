"""What the gateway's view database must answer: the same questions to PostgreSQL and to the simulated one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from services.gateway import queries as q
from services.gateway.projection.store import Store
from services.gateway.queries import Page, Query
from tests.simulation.store_contract import (
    COMMANDS,
    DECISIONS,
    LIFE,
    ORDER,
    PARTS,
    Told,
    accepted,
    meta,
    tell,
)
from truetape import ids
from truetape import messages as m
from truetape.messages import OrderTerms
from truetape.money import ONE_E8
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS

OTHER = OrderTerms(ids.order_id("acme", "d"), "acme", "d", "BTC-USDT", "SELL", "LIMIT", "GTC", False, ONE_E8, ONE_E8)
REFUSED = OrderTerms(ids.order_id("acme", "e"), "acme", "e", "BTC-USDT", "BUY", "LIMIT", "IOC", True, ONE_E8, ONE_E8)
TRANSFER = ids.transfer_id("acme", "r")


class Rig(Protocol):
    """A view database that is written and read."""

    @property
    def store(self) -> Store:
        """The projection's side of it."""

    def rows(self, query: Query, *arguments: Any) -> list[dict[str, Any]]:
        """As the gateway asks."""

    def page(self, page: Page) -> list[dict[str, Any]]:
        """As the gateway asks."""

    def order_ids(self) -> list[str]:
        """All of them."""


REFUSAL = m.OrderRejected(
    meta=meta(6), order=REFUSED, reason="INSUFFICIENT_FUNDS", numbers={"needed_e8": 5}, reference_offset=1
)  # fmt: skip
MORE: list[list[Told]] = [
    [(COMMANDS, 0, m.SubmitOrder(OTHER, "k", 77)), (DECISIONS, 5, accepted(5, OTHER))],
    [(DECISIONS, 6, REFUSAL)],
    [(DECISIONS, 7, m.CancelRequested(meta(7), "c1", "acme", (ORDER, OTHER.order_id)))],
    [(DECISIONS, 8, m.AccountHalted(meta(8), "acme", "p1")), (DECISIONS, 9, m.AccountHalted(meta(9), "bob", "p2"))],
    [(DECISIONS, 10, m.AccountReopened(meta(10), "bob"))],
]


class DatabaseContract:
    """Subclasses say which database."""

    @pytest.fixture
    def empty(self) -> Iterator[Rig]:
        raise NotImplementedError

    @pytest.fixture
    def rig(self, empty: Rig) -> Rig:
        tell(empty.store, *LIFE, *MORE)
        return empty

    def test_positions(self, rig: Rig) -> None:
        found = {(row["topic"], row["partition"]): row["next_offset"] for row in rig.rows(q.POSITIONS)}
        assert found[ORDERS_DECISIONS.name, 3] == 11
        assert len(found) == len(PARTS)

    def test_an_order_is_shown_to_its_account_alone(self, rig: Rig) -> None:
        (row,) = rig.rows(q.ORDER, ORDER, "acme")
        assert plain(row, "client_order_id", "status", "filled_e8", "quote_filled_e8", "ended_reason", "accepted") == {
            "client_order_id": "c", "status": "CANCELLED", "filled_e8": 2 * ONE_E8,
            "quote_filled_e8": 120_000 * ONE_E8, "ended_reason": "asked", "accepted": True,
        }  # fmt: skip
        assert plain(row, "reserved_asset", "reserved_e8", "limit_price_e8", "reason", "numbers") == {
            "reserved_asset": "USDT", "reserved_e8": 180_000 * ONE_E8, "limit_price_e8": 60_000 * ONE_E8,
            "reason": None, "numbers": None,
        }  # fmt: skip
        assert set(row) == set(ORDER_COLUMNS)
        assert rig.rows(q.ORDER, ORDER, "bob") == []
        assert rig.rows(q.ORDER_EXISTS, ORDER, "acme") == [{"found": 1}]
        assert rig.rows(q.ORDER_EXISTS, ORDER, "bob") == rig.rows(q.ORDER_EXISTS, "0" * 32, "acme") == []

    def test_a_decision_comes_with_terms_reason_and_numbers(self, rig: Rig) -> None:
        (row,) = rig.rows(q.DECISION, REFUSED.order_id)
        assert {name: row.pop(name) for name in OrderTerms.__struct_fields__} == msgspec.structs.asdict(REFUSED)
        assert row == {
            "accepted": False, "reason": "INSUFFICIENT_FUNDS", "numbers": {"needed_e8": 5}, "decision_offset": 6,
            "decision_event_id": "e6", "decided_at_us": 6_000,
        }  # fmt: skip
        assert rig.rows(q.DECISION, "0" * 32) == []
        assert sorted(rig.order_ids()) == sorted([ORDER, OTHER.order_id, REFUSED.order_id])

    def test_pages_are_newest_first_and_filtered(self, rig: Rig) -> None:
        first = Page("orders", (("account_id", "acme"),), 2)
        assert [row["place"] for row in rig.page(first)] == [6, 5]
        assert [row["order_id"] for row in rig.page(Page("orders", (("account_id", "acme"),), 9, before=5))] == [ORDER]
        ended = Page("orders", (("account_id", "acme"),), 9, statuses=("CANCELLED", "REJECTED"))
        assert [row["place"] for row in rig.page(ended)] == [6, 1]
        assert [row["place"] for row in rig.page(first.only(side="BUY", instrument_id="BTC-USDT"))] == [6, 1]
        assert rig.page(first.only(side="BUY", instrument_id="ETH-USDT")) == []
        assert rig.page(Page("orders", (("account_id", "bob"),), 2)) == []

    def test_fills_and_entries(self, rig: Rig) -> None:
        fills = rig.page(Page("fills", (("account_id", "acme"),), 9))
        assert [row["execution_id"] for row in fills] == ["f4", "f3"]
        assert plain(fills[0], "quantity_e8", "fee_e8", "liquidity", "place") == {
            "quantity_e8": ONE_E8, "fee_e8": 60 * ONE_E8, "liquidity": "TAKER", "place": 4,
        }  # fmt: skip
        entries = rig.page(Page("entries", (("account_id", "acme"),), 2))
        assert [row["entry_id"] for row in entries] == ["e3", "e2"]
        assert plain(entries[0], "kind", "corrects", "external_reference", "booked_at_us") == {
            "kind": "TRADE", "corrects": None, "external_reference": None, "booked_at_us": 3_000,
        }  # fmt: skip
        partition = entries[0]["partition"]
        lines = rig.rows(q.LINES, partition, [2, 1, 2])
        assert [(row["entry_id"], row["line"]) for row in lines] == [(e, n) for e in ("e1", "e2") for n in range(4)]
        assert plain(lines[0], "account", "asset", "amount_e8", "purpose") == {
            "account": "client:acme", "asset": "BTC", "amount_e8": ONE_E8, "purpose": "principal",
        }  # fmt: skip
        assert rig.rows(q.LINES, partition, []) == []
        assert rig.rows(q.LINES, partition + 1, [2, 1]) == []

    def test_what_an_account_holds(self, rig: Rig) -> None:
        (held,) = rig.rows(q.HOLDINGS, "acme")
        assert plain(held, "instrument_id", "quantity_e8", "cost_e8", "realised_e8", "updated_at_us") == {
            "instrument_id": "BTC-USDT", "quantity_e8": 3 * ONE_E8, "cost_e8": 180_000 * ONE_E8, "realised_e8": -3,
            "updated_at_us": 3_000,
        }  # fmt: skip
        credit = {row["asset"]: (int(row["balance_e8"]), int(row["reserved_e8"])) for row in rig.rows(q.CREDIT, "acme")}
        assert credit == {"BTC": (ONE_E8, 0), "USDT": (0, 240_000 * ONE_E8 + 5)}
        assert rig.rows(q.HOLDINGS, "bob") == rig.rows(q.CREDIT, "bob") == []

    def test_a_transfer_that_was_approved(self, rig: Rig) -> None:
        assert rig.rows(q.APPROVED_TRANSFER, TRANSFER) == [
            {
                "transfer_id": TRANSFER, "account_id": "acme", "asset": "USDT", "amount_e8": -5,
                "location": "bank:settlement", "external_reference": "r", "decided_at_us": 4_000,
                "decision_event_id": "e4", "decision_offset": 4,
            }
        ]  # fmt: skip
        assert rig.rows(q.APPROVED_TRANSFER, "0" * 32) == []

    def test_breaks_open_ones_or_all(self, rig: Rig) -> None:
        assert [row["break_id"] for row in rig.rows(q.BREAKS, True)] == ["b1"]
        assert [(row["break_id"], row["closed_reason"]) for row in rig.rows(q.BREAKS, False)] == [
            ("b0", "matched"), ("b1", None)
        ]  # fmt: skip

    def test_what_risk_has_restricted_and_still_does(self, rig: Rig) -> None:
        assert rig.rows(q.RESTRICTIONS) == [{"account_id": "acme", "name": "halted_by", "because": "p1"}]

    def test_events_of_an_order_also_those_of_several(self, rig: Rig) -> None:
        rows = rig.rows(q.EVENTS_OF_ORDER, ORDER, "acme", ORDER, "acme")
        assert len({place(row) for row in rows}) == len(rows) == 12
        assert (ORDERS_DECISIONS.name, 3, 7) in map(place, rows)
        assert rig.rows(q.EVENTS_OF_ORDER, ORDER, "bob", ORDER, "bob") == []
        (one,) = [row for row in rows if place(row) == (ORDERS_EXECUTIONS.name, 3, 3)]
        assert plain(one, "type", "epoch", "sequence", "cause_source", "cause_offset", "event_id", "at_us") == {
            "type": "OrderFilled", "epoch": 1, "sequence": 3, "cause_source": "x", "cause_offset": 3,
            "event_id": "e3", "at_us": 3_000,
        }  # fmt: skip
        assert one["body"]["cumulative_quantity_e8"] == ONE_E8
        assert "meta" not in one["body"]

    def test_events_at_places(self, rig: Rig) -> None:
        wanted = [(ORDERS_DECISIONS.name, 3, 1), (CLEARING_ENTRIES.name, 3, 2), (ORDERS_COMMANDS.name, 3, 1)]
        columns = [list(column) for column in zip(*wanted, strict=True)]
        assert sorted(map(place, rig.rows(q.EVENTS_AT_PLACES, *columns, "acme"))) == sorted(wanted[:2])
        assert rig.rows(q.EVENTS_AT_PLACES, *columns, "bob") == []

    def test_the_backlog_of_a_stream(self, rig: Rig) -> None:
        rows = rig.rows(q.BACKLOG, "acme", 1, 5, 2, ORDERS_EXECUTIONS.name, 3)
        assert [row["offset"] for row in rows] == [2, 3]
        (reached,) = {row["reached"] for row in rows}
        assert reached > 3
        (none,) = rig.rows(q.BACKLOG, "acme", 5, 9, 2, ORDERS_EXECUTIONS.name, 3)
        assert (none["reached"], none["offset"]) == (reached, None)
        assert rig.rows(q.BACKLOG, "acme", 1, 5, 2, ORDERS_EXECUTIONS.name, 4) == []

    def test_a_submission(self, rig: Rig) -> None:
        (found,) = rig.rows(q.SUBMISSION, OTHER.order_id, "acme")
        assert found["at_us"] == 77
        assert found["body"]["order"]["client_order_id"] == "d"
        assert rig.rows(q.SUBMISSION, OTHER.order_id, "bob") == rig.rows(q.SUBMISSION, ORDER, "acme") == []

    def test_every_question_is_part_of_this_contract(self, rig: Rig) -> None:
        text = Path(__file__).read_text()
        names = [name for name, value in vars(q).items() if isinstance(value, Query) and name != "DECIDED_ORDERS"]
        assert [name for name in names if f"q.{name}" not in text] == []


ORDER_COLUMNS = (
    "order_id", "account_id", "partition", "client_order_id", "instrument_id", "side", "order_type", "time_in_force",
    "post_only", "quantity_e8", "price_e8", "position_effect", "status", "accepted", "reason", "numbers",
    "decision_offset",
    "decision_event_id", "decided_at_us", "limit_price_e8", "reserved_asset", "reserved_e8", "filled_e8",
    "quote_filled_e8", "ended_reason", "updated_at_us",
)  # fmt: skip


def plain(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Some columns; sums come as Decimal or text."""
    return {name: int(row[name]) if name == "quote_filled_e8" else row[name] for name in names}


def place(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["topic"], row["partition"], row["offset"]
