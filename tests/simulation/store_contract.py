"""What every `Store` of the projection must do: the same cases run against PostgreSQL and the simulated one."""

from collections.abc import Iterator
from typing import Any, Protocol

import psycopg
import pytest
from msgspec.structs import replace

from services.gateway.projection.rows import Batch
from services.gateway.projection.store import Credit, Move, Reached, Store
from services.gateway.views import digest_of
from truetape import ids
from truetape import messages as m
from truetape.errors import TapeError
from truetape.happenings import Part, Record
from truetape.messages import OrderTerms
from truetape.money import ONE_E8
from truetape.tape import START, Place
from truetape.topics import (
    CLEARING_ENTRIES,
    MARKET_MARKS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    RECONCILIATION_BREAKS,
    REFERENCE_EVENTS,
)

DECISIONS, EXECUTIONS = Part(ORDERS_DECISIONS.name, 3), Part(ORDERS_EXECUTIONS.name, 3)
ENTRIES, BREAKS = Part(CLEARING_ENTRIES.name, 3), Part(RECONCILIATION_BREAKS.name, 0)
MARKS, REFERENCE = Part(MARKET_MARKS.name, 0), Part(REFERENCE_EVENTS.name, 0)
COMMANDS = Part(ORDERS_COMMANDS.name, 3)
PARTS = (COMMANDS, DECISIONS, EXECUTIONS, ENTRIES, BREAKS, MARKS, REFERENCE)
TERMS = OrderTerms(
    ids.order_id("acme", "c"), "acme", "c", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 3 * ONE_E8, 60_000 * ONE_E8
)
ORDER = TERMS.order_id
Told = tuple[Part, int, Any]
"""Partition, offset, message."""


class Server(Protocol):
    """A view database, as this contract handles it."""

    def store(self) -> Store:
        """A new client of it."""

    def cut(self) -> None:
        """Break every connection."""

    def view(self) -> tuple[dict[str, Any], dict[int, Any], dict[Part, int]]:
        """view_rows, ledger_rows and view_positions, as committed."""

    def digest(self) -> str:
        """As services.gateway.views.view_digest."""


def meta(sequence: int) -> m.Meta:
    return m.Meta(1, sequence, m.Cause("x", 3, sequence, ""), 1_000 * sequence, f"e{sequence}", ORDER)


def accepted(sequence: int, terms: OrderTerms = TERMS) -> m.OrderAccepted:
    return m.OrderAccepted(
        meta=meta(sequence), order=terms, limit_price_e8=60_000 * ONE_E8, reserved_asset="USDT",
        reserved_e8=180_000 * ONE_E8, fee_rate_e8=0, reference_offset=1, send_before_us=1,
    )  # fmt: skip


def filled(sequence: int, cumulative_e8: int, status: Any = "PARTIALLY_FILLED") -> m.OrderFilled:
    return m.OrderFilled(
        meta(sequence), ORDER, "acme", 0, "alpha", "BTC-USDT", "BTC", "USDT", "BUY", f"f{sequence}", "1",
        ONE_E8, 60_000 * ONE_E8, 60_000 * ONE_E8, cumulative_e8, 3 * ONE_E8 - cumulative_e8, "USDT", 60 * ONE_E8,
        "TAKER", status, 1, "stream",
    )  # fmt: skip


def booked(sequence: int, amount_e8: int = ONE_E8, short_e8: int = 0) -> m.EntryBooked:
    lines = (
        m.Line("client:acme", "BTC", amount_e8, "principal"),
        m.Line("venue:alpha", "BTC", short_e8 - amount_e8, "principal"),
        m.Line("client:acme", "USDT", -60_000 * amount_e8, "principal"),
        m.Line("venue:alpha", "USDT", 60_000 * amount_e8, "principal"),
    )
    position = m.Position("BTC-USDT", sequence * ONE_E8, sequence * 60_000 * ONE_E8, -sequence)
    return m.EntryBooked(
        meta=meta(sequence), entry_id=f"e{sequence}", account_id="acme", kind="TRADE", rule="spot", lines=lines,
        realised_e8=0, filled_e8=amount_e8, transacted_at_us=1, order_id=ORDER, position=position,
    )  # fmt: skip


def credited(sequence: int, amount_e8: int, released_e8: int = 0) -> m.CreditUpdated:
    return m.CreditUpdated(
        meta=meta(sequence), account_id="acme", entry_id=f"e{sequence}", changes=(m.AssetChange("BTC", amount_e8),),
        released_asset="USDT", released_e8=released_e8, filled_e8=ONE_E8, order_id=ORDER,
    )  # fmt: skip


def transfer(sequence: int, amount_e8: int) -> m.TransferApproved:
    terms = m.TransferTerms(ids.transfer_id("acme", "r"), "acme", "USDT", amount_e8, "bank:settlement", "r")
    return m.TransferApproved(meta(sequence), terms)


def compared(sequence: int, opened: int, closed: int) -> m.ReconciliationCompleted:
    found = tuple(
        m.Break(f"b{number}", "MISSING_AT_VENUE", "alpha", "k", "acme", 1, 0, 1, "ops", "{}", "00")
        for number in range(opened)
    )
    gone = tuple(m.BreakClosed(f"b{number}", "matched") for number in range(closed))
    return m.ReconciliationCompleted(meta(sequence), "alpha", 1, 2, 3, 4, found, gone)


ACKNOWLEDGED = m.OrderAcknowledged(meta(2), ORDER, "acme", 0, "alpha", "1", 1)
LIFE: list[list[Told]] = [
    [(DECISIONS, 1, accepted(1)), (EXECUTIONS, 1, m.OrderRouted(meta(1), TERMS, (), ()))],
    [(EXECUTIONS, 2, ACKNOWLEDGED), (EXECUTIONS, 3, filled(3, ONE_E8))],
    [(ENTRIES, 1, booked(1)), (DECISIONS, 2, credited(2, ONE_E8, 60_000 * ONE_E8))],
    [(EXECUTIONS, 4, filled(4, 2 * ONE_E8)), (ENTRIES, 2, booked(2)), (ENTRIES, 3, booked(3, -3 * ONE_E8))],
    [(EXECUTIONS, 5, m.OrderCancelled(meta(5), ORDER, "acme", 0, "alpha", 2 * ONE_E8, "asked"))],
    [(DECISIONS, 3, m.ReservationReleased(meta(3), "acme", ORDER, "CANCELLED", "USDT", 60_000 * ONE_E8, 0, ONE_E8))],
    [(DECISIONS, 4, transfer(4, -5)), (REFERENCE, 1, m.AccountOpened(meta(1), "k", "x", "acme", "Acme"))],
    [(REFERENCE, 2, m.TradingStateSet(meta(2), "k", "x", "acme", "HALTED", "why")), (BREAKS, 1, compared(1, 2, 0))],
    [(BREAKS, 2, compared(2, 0, 1)), (MARKS, 1, m.MarkPublished(meta(1), "BTC-USDT", 7, 6, 8, "alpha", 1, 1, 1))],
]  # fmt: skip
"""Batches that touch every table, and most of them twice."""

DIGEST = "ca23f3454e139ef8267ddfdba1bd74338f90764a4ead90bca02f9f9f0953df17"
"""Of the views after all of LIFE, whoever holds them."""


class StoreContract:
    """Subclasses say which server."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, server: Server) -> Iterator[Store]:
        store = server.store()
        assert store.open(PARTS)
        yield store
        store.close()

    def test_rows_and_positions_are_there_together(self, server: Server, store: Store) -> None:
        tell(store, *LIFE)
        accounts, ledger, positions = server.view()
        assert accounts["acme"]["orders"] == {ORDER: {"status": "CANCELLED", "filled_e8": 2 * ONE_E8}}
        assert accounts["acme"]["credit"]["USDT"] == {"balance_e8": 0, "reserved_e8": 60_000 * ONE_E8 + 5}
        assert accounts["acme"]["positions"]["BTC-USDT"]["quantity_e8"] == 3 * ONE_E8
        assert ledger[3]["venue:alpha"] == {"BTC": ONE_E8, "USDT": -60_000 * ONE_E8}
        ends = {DECISIONS: 5, EXECUTIONS: 6, ENTRIES: 4, BREAKS: 3, MARKS: 2, REFERENCE: 3}
        assert positions == {COMMANDS: 0} | ends
        assert store.reached()[ENTRIES] == Reached(4, Place(1, 3))

    def test_the_digest_is_the_same_function(self, server: Server, store: Store) -> None:
        tell(store, *LIFE)
        accounts, ledger, _ = server.view()
        assert server.digest() == digest_of(accounts, ledger)
        assert server.digest() == DIGEST

    def test_batches_may_be_cut_anywhere(self, server: Server, store: Store) -> None:
        whole = [told for batch in LIFE for told in batch]
        tell(store, whole[:1], whole[1:8], whole[8:])
        first = server.view()
        again = server.store()
        store.close()
        assert again.open(PARTS)
        assert server.view() == first
        again.close()

    def test_credit_that_changed_comes_back_as_it_is_now(self, store: Store) -> None:
        assert tell(store, LIFE[0]) == [Credit("acme", "USDT", 0, 180_000 * ONE_E8)]
        assert tell(store, LIFE[2]) == [
            Credit("acme", "BTC", ONE_E8, 0), Credit("acme", "USDT", 0, 120_000 * ONE_E8)
        ]  # fmt: skip
        credit, positions = store.everything()
        assert sorted(row.asset for row in credit) == ["BTC", "USDT"]
        assert positions[DECISIONS] == 3

    def test_known_orders_are_those_of_the_records(self, store: Store) -> None:
        assert store.known_orders([filled(3, ONE_E8)]) == {}
        tell(store, LIFE[0], LIFE[1])
        row = store.known_orders([filled(4, 2 * ONE_E8)])[ORDER]
        assert (row.status, row.filled_e8, row.quote_filled_e8) == ("PARTIALLY_FILLED", ONE_E8, 60_000 * ONE_E8)
        assert store.known_orders([transfer(9, 1)]) == {}

    def test_an_order_shows_once_its_decision_is_known(self, server: Server, store: Store) -> None:
        tell(store, LIFE[0][1:], LIFE[1])
        assert server.view()[0] == {}
        tell(store, LIFE[0][:1])
        assert server.view()[0]["acme"]["orders"][ORDER]["status"] == "PARTIALLY_FILLED"

    @pytest.mark.parametrize("batch", [LIFE[0], LIFE[1], LIFE[2], LIFE[7]])
    def test_a_record_that_was_written_before_is_refused_whole(
        self, server: Server, store: Store, batch: list[Told]
    ) -> None:
        tell(store, *LIFE)
        before = server.view()
        with pytest.raises(psycopg.errors.UniqueViolation):
            tell(store, batch)
        assert server.view() == before

    def test_entries_of_one_id_are_two_where_they_stand_at_two_places(self, server: Server, store: Store) -> None:
        """A contract's end books one for the mirrors of every partition, and an operator may name two trades alike."""
        tell(store, LIFE[0])
        alike = replace(booked(2), entry_id="e1", account_id="bob", position=None)
        tell(store, [(ENTRIES, 1, booked(1)), (ENTRIES, 2, alike)])
        tell(store, [(ENTRIES, 3, replace(alike, meta=meta(3), account_id="cleo"))])
        assert server.view()[1][3]["client:acme"]["BTC"] == 3 * ONE_E8

    def test_an_entry_that_does_not_balance_is_refused_whole(self, server: Server, store: Store) -> None:
        tell(store, LIFE[0])
        before = server.view()
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="lines of entry e9 do not sum to zero"):
            tell(store, [(DECISIONS, 2, credited(2, 1)), (ENTRIES, 1, booked(9, short_e8=1))])
        assert server.view() == before
        tell(store, LIFE[2])

    def test_a_position_moves_only_from_where_it_stands(self, server: Server, store: Store) -> None:
        tell(store, LIFE[0])
        before = server.view()
        batch = batch_of(store, [(DECISIONS, 7, credited(7, 1))])
        with pytest.raises(TapeError, match="another projector"):
            store.write(batch, [Move(DECISIONS, 1, 8, Place(1, 7))])
        with pytest.raises(TapeError, match="another projector"):
            store.write(batch, [Move(DECISIONS, 2, 8, Place(1, 7)), Move(ENTRIES, 1, 8, Place(1, 7))])
        assert server.view() == before

    def test_one_projector_at_a_time(self, server: Server, store: Store) -> None:
        second = server.store()
        assert not second.open(PARTS)
        assert not second.open(PARTS)
        store.close()
        assert second.open(PARTS)
        second.close()

    def test_a_broken_connection_says_so_and_frees_the_lock(self, server: Server, store: Store) -> None:
        tell(store, LIFE[0])
        before = server.view()
        server.cut()
        with pytest.raises(psycopg.OperationalError):
            tell(store, LIFE[1])
        with pytest.raises(psycopg.OperationalError):
            store.reached()
        assert server.view() == before
        second = server.store()
        assert second.open(PARTS)
        tell(second, LIFE[1])
        second.close()

    def test_positions_begin_at_zero_and_stay_when_it_is_opened_again(self, server: Server, store: Store) -> None:
        assert store.reached() == dict.fromkeys(PARTS, Reached(0, START))
        tell(store, LIFE[0])
        store.close()
        assert store.open(PARTS)
        assert store.reached()[DECISIONS] == Reached(2, Place(1, 1))


def batch_of(store: Store, records: list[Told]) -> Batch:
    batch = Batch(known=store.known_orders(message for _, _, message in records))
    for part, offset, message in records:
        batch.add(Record(*part, offset, b"acme", None, None), message)
    return batch


def place_after(message: Any) -> Place:
    """Where a reader stands behind it; commands have no places."""
    return Place(1, message.meta.sequence) if hasattr(message, "meta") else START


def tell(store: Store, *batches: list[Told]) -> list[Credit]:
    """Write batches from wherever the positions stand; returns what the last one changed."""
    changed: list[Credit] = []
    for records in batches:
        ends = {part: (offset + 1, place_after(message)) for part, offset, message in records}
        stands = store.reached()
        moves = [Move(part, stands[part].next_offset, *end) for part, end in ends.items()]
        changed = store.write(batch_of(store, records), moves)
    return sorted(changed, key=lambda row: (row.account_id, row.asset))
