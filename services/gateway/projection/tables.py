"""The schema `view`: its migrations, applied in order under a lock when the projection starts."""

import re
from functools import cache
from typing import Any, Final

import psycopg
import structlog

from truetape.errors import SetupError

Connection = psycopg.Connection[Any]
SCHEMA: Final = "view"
"""Where everybody reads. A rebuild fills another schema beside it, and gives that this name in the end."""
MIGRATION_LOCK: Final = 7_405_001
_log = structlog.get_logger()

_FIRST: Final = """
CREATE TABLE view.tape_positions (
    topic text NOT NULL, partition integer NOT NULL, next_offset bigint NOT NULL CHECK (next_offset >= 0),
    epoch bigint NOT NULL, sequence bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE view.tape_positions IS 'How far the rows of this schema reach on each partition of the tape';

CREATE TABLE view.events (
    topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL, type text NOT NULL,
    account_id text, order_id text, at_us bigint NOT NULL, epoch bigint NOT NULL, sequence bigint NOT NULL,
    cause_source text, cause_partition integer, cause_offset bigint, cause_id text, event_id text, body json NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX events_of_order ON view.events (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX events_of_account ON view.events (account_id, topic, "offset") WHERE account_id IS NOT NULL;
CREATE TABLE view.order_events (
    order_id text NOT NULL, topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL,
    PRIMARY KEY (order_id, topic, partition, "offset")
);
COMMENT ON TABLE view.order_events IS 'Events about several orders, such as one cancel of all';

CREATE TABLE view.orders (
    order_id text PRIMARY KEY, account_id text, partition integer, client_order_id text, instrument_id text, side text,
    order_type text, time_in_force text, post_only boolean, quantity_e8 bigint, price_e8 bigint,
    status text NOT NULL, accepted boolean, reason text, numbers json, decision_offset bigint, decision_event_id text,
    decided_at_us bigint, limit_price_e8 bigint, reserved_asset text, reserved_e8 bigint,
    filled_e8 bigint NOT NULL, quote_filled_e8 numeric NOT NULL, ended_reason text, updated_at_us bigint NOT NULL
) WITH (fillfactor = 60);
COMMENT ON COLUMN view.orders.decision_offset IS 'Null while only executions of the order were read: not shown yet';
CREATE INDEX orders_of_account ON view.orders (account_id, decision_offset);

CREATE TABLE view.fills (
    execution_id text PRIMARY KEY, order_id text NOT NULL, account_id text NOT NULL, partition integer NOT NULL,
    "offset" bigint NOT NULL, instrument_id text NOT NULL, side text NOT NULL, venue text NOT NULL,
    venue_order_id text NOT NULL, quantity_e8 bigint NOT NULL, price_e8 bigint NOT NULL,
    quote_amount_e8 bigint NOT NULL,
    fee_asset text NOT NULL, fee_e8 bigint NOT NULL, liquidity text NOT NULL, transacted_at_us bigint NOT NULL
);
CREATE INDEX fills_of_account ON view.fills (account_id, "offset");
CREATE INDEX fills_of_order ON view.fills (order_id);

CREATE TABLE view.entries (
    entry_id text PRIMARY KEY, account_id text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL,
    kind text NOT NULL, rule text NOT NULL, order_id text, execution_id text, external_reference text, corrects text,
    realised_e8 bigint NOT NULL, filled_e8 bigint NOT NULL, transacted_at_us bigint NOT NULL,
    booked_at_us bigint NOT NULL
);
CREATE INDEX entries_of_account ON view.entries (account_id, "offset");
CREATE TABLE view.lines (
    entry_id text NOT NULL REFERENCES view.entries DEFERRABLE INITIALLY DEFERRED, line integer NOT NULL,
    account text NOT NULL, asset text NOT NULL, amount_e8 bigint NOT NULL, purpose text NOT NULL,
    PRIMARY KEY (entry_id, line)
);

CREATE TABLE view.balances (
    account text NOT NULL, asset text NOT NULL, partition integer NOT NULL, amount_e8 numeric NOT NULL,
    PRIMARY KEY (account, asset, partition)
) WITH (fillfactor = 60);
COMMENT ON TABLE view.balances IS 'The ledger: clients, mirrors and house, each cut by partition';
CREATE TABLE view.credit (
    account_id text NOT NULL, asset text NOT NULL, balance_e8 numeric NOT NULL, reserved_e8 numeric NOT NULL,
    PRIMARY KEY (account_id, asset)
) WITH (fillfactor = 60);
COMMENT ON TABLE view.credit IS 'What risk counts with: balance cleared so far, and what open orders may use';
CREATE TABLE view.positions (
    account_id text NOT NULL, instrument_id text NOT NULL, quantity_e8 bigint NOT NULL, cost_e8 bigint NOT NULL,
    realised_e8 bigint NOT NULL, updated_at_us bigint NOT NULL,
    PRIMARY KEY (account_id, instrument_id)
) WITH (fillfactor = 60);
CREATE TABLE view.transfers (
    transfer_id text PRIMARY KEY, account_id text NOT NULL, partition integer NOT NULL, asset text NOT NULL,
    amount_e8 bigint NOT NULL, location text NOT NULL, external_reference text NOT NULL, accepted boolean NOT NULL,
    reason text, numbers json, decision_offset bigint NOT NULL, decision_event_id text NOT NULL,
    decided_at_us bigint NOT NULL
);

CREATE TABLE view.instruments (instrument_id text PRIMARY KEY, tradable boolean NOT NULL, body json NOT NULL);
CREATE TABLE view.accounts (
    account_id text PRIMARY KEY, name text, limits json, fees json, trading_state text
);
CREATE TABLE view.marks (
    instrument_id text PRIMARY KEY, price_e8 bigint NOT NULL, bid_e8 bigint NOT NULL, ask_e8 bigint NOT NULL,
    venue text NOT NULL, book_sequence bigint NOT NULL, observed_at_us bigint NOT NULL, age_us bigint NOT NULL,
    marked_at_us bigint NOT NULL, epoch bigint NOT NULL, sequence bigint NOT NULL
);
CREATE TABLE view.reconciliations (
    "offset" bigint PRIMARY KEY, venue text NOT NULL, completed_at_us bigint NOT NULL, fills_matched bigint NOT NULL,
    orders_compared bigint NOT NULL, balances_compared bigint NOT NULL, pending bigint NOT NULL,
    opened integer NOT NULL, closed integer NOT NULL
);
CREATE TABLE view.breaks (
    break_id text PRIMARY KEY, break_class text NOT NULL, venue text NOT NULL, key text NOT NULL,
    account_id text NOT NULL, ours_e8 bigint NOT NULL, theirs_e8 bigint NOT NULL, first_seen_at_us bigint NOT NULL,
    owner text NOT NULL, evidence text NOT NULL, evidence_sha256 text NOT NULL, closed_at_us bigint, closed_reason text
);

CREATE FUNCTION view.entry_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount_e8) FROM view.lines WHERE entry_id = NEW.entry_id AND asset = NEW.asset) <> 0 THEN
        RAISE EXCEPTION 'lines of entry % do not sum to zero in %', NEW.entry_id, NEW.asset
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lines_sum_to_zero AFTER INSERT ON view.lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION view.entry_must_balance();

CREATE FUNCTION view.journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: a correction is a new entry that names what it corrects', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON view.entries
    FOR EACH STATEMENT EXECUTE FUNCTION view.journal_is_append_only();
CREATE TRIGGER lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON view.lines
    FOR EACH STATEMENT EXECUTE FUNCTION view.journal_is_append_only();
"""

_FACTS: Final = """
CREATE INDEX events_of_contract ON view.events (coalesce(body->'fact'->>'instrument_id', body->>'instrument_id'))
    WHERE type IN ('ContractFactTaken', 'FixingMissing');
"""

_MARGIN: Final = """
CREATE INDEX events_of_margin ON view.events (account_id)
    WHERE type IN ('MarginCallChanged', 'LiquidationChanged', 'LiquidationEnded');
"""

_TRADES: Final = """
CREATE TABLE view.trades (
    trade_id text PRIMARY KEY, kind text NOT NULL, state text NOT NULL, updated_at_us bigint NOT NULL
) WITH (fillfactor = 60);
CREATE TABLE view.trade_parties (
    account_id text NOT NULL, trade_id text NOT NULL, PRIMARY KEY (account_id, trade_id)
);
CREATE TABLE view.legs (
    leg_id text PRIMARY KEY, account_id text, trade_id text, kind text, from_id text, instrument_id text, side text,
    quantity_e8 bigint, price_e8 bigint, cost_e8 bigint, state text NOT NULL, reason text, updated_at_us bigint NOT NULL
) WITH (fillfactor = 60);
COMMENT ON TABLE view.legs IS 'Legs of trades with the clearing house: asked for, open and ended';
CREATE INDEX legs_of_account ON view.legs (account_id, updated_at_us);
CREATE TABLE view.instructions (
    instruction_id text PRIMARY KEY, account_id text NOT NULL, value_date text NOT NULL, asset text NOT NULL,
    amount_e8 bigint NOT NULL, received_e8 bigint NOT NULL, paid_e8 bigint NOT NULL, parts json NOT NULL,
    payments integer NOT NULL
);
CREATE INDEX instructions_of_account ON view.instructions (account_id, value_date);
CREATE INDEX events_of_trade ON view.events (coalesce(body->>'trade_id', body->>'move_id'))
    WHERE type IN ('TradeChanged', 'MoveChanged', 'LegChanged', 'LegAnswered', 'LegConfirmed');
"""

_AUCTIONS: Final = """
CREATE INDEX events_of_auction ON view.events ((body->>'auction_id'), "offset") WHERE type = 'AuctionChanged';
"""

_DEFAULTS: Final = """
ALTER TABLE view.positions ADD COLUMN settled_e8 bigint;
COMMENT ON COLUMN view.positions.settled_e8 IS 'Of a contract: realised profit that is paid in cash; null of spot';
UPDATE view.positions p SET settled_e8 = newest.settled_e8 FROM (
    SELECT DISTINCT ON (account_id, body->'position'->>'instrument_id') account_id,
        body->'position'->>'instrument_id' AS instrument_id, (body->'contract'->>'settled_e8')::bigint AS settled_e8
    FROM view.events
    WHERE type = 'EntryBooked' AND json_typeof(body->'contract') = 'object' AND json_typeof(body->'position') = 'object'
    ORDER BY account_id, body->'position'->>'instrument_id', "offset" DESC
) newest WHERE (p.account_id, p.instrument_id) = (newest.account_id, newest.instrument_id);
CREATE TABLE view.sides (
    account_id text NOT NULL, instrument_id text NOT NULL, "offset" bigint NOT NULL, at_us bigint NOT NULL,
    positions text, costs text, long_e8 bigint NOT NULL, short_e8 bigint NOT NULL,
    PRIMARY KEY (account_id, instrument_id, "offset")
);
COMMENT ON TABLE view.sides IS 'Long and short side after each change, of accounts with terms of their own';
CREATE INDEX events_of_default ON view.events ((body->>'default_id'), "offset") WHERE type = 'DefaultChanged';
CREATE INDEX events_of_round ON view.events (coalesce(body->'round'->>'round_id', body->>'round_id'))
    WHERE type IN ('RoundOpened', 'RoundGathered', 'RoundDecided', 'RoundConfirmed');
CREATE INDEX rounds_opened ON view.events (at_us) WHERE type = 'RoundOpened';
"""

_BILATERAL: Final = """
CREATE TABLE view.bilateral (
    trade_id text PRIMARY KEY, home_id text NOT NULL, buyer_id text NOT NULL, seller_id text NOT NULL,
    instrument_id text NOT NULL, quantity_e8 bigint NOT NULL, price_e8 bigint NOT NULL, cost_e8 bigint NOT NULL,
    reference text NOT NULL, origin text NOT NULL, state text NOT NULL, ended_by text NOT NULL,
    updated_at_us bigint NOT NULL
) WITH (fillfactor = 60);
COMMENT ON TABLE view.bilateral IS 'Trades of two that the clearing house does not stand between: open and ended';
CREATE INDEX events_of_compression ON view.events (at_us) WHERE type = 'CompressionChanged';
"""

_EFFECTS: Final = """
ALTER TABLE view.orders ADD COLUMN position_effect text;
COMMENT ON COLUMN view.orders.position_effect IS 'OPEN or CLOSE; empty where the order did not say';
"""

_PORTINGS: Final = """
CREATE INDEX events_of_porting ON view.events (account_id, "offset") WHERE type = 'PortingChanged';
"""

_DELEVERAGINGS: Final = """
CREATE INDEX events_of_deleveraging ON view.events ((body->>'deleveraging_id'), "offset")
    WHERE type = 'DeleveragingChanged';
"""

_RUNS: Final = """
ALTER TABLE view.instructions ADD COLUMN run integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN view.instructions.run IS 'Which run of its value date: 2 and more for what came late';
"""

_FUNDING: Final = """
ALTER TABLE view.positions ADD COLUMN funding_index_e18 text;
COMMENT ON COLUMN view.positions.funding_index_e18 IS 'Of a contract: up to which funding index it has paid';
UPDATE view.positions p SET funding_index_e18 = newest.index_e18 FROM (
    SELECT DISTINCT ON (account_id, body->'position'->>'instrument_id') account_id,
        body->'position'->>'instrument_id' AS instrument_id, body->'contract'->>'funding_index_e18' AS index_e18
    FROM view.events
    WHERE type = 'EntryBooked' AND json_typeof(body->'contract') = 'object' AND json_typeof(body->'position') = 'object'
    ORDER BY account_id, body->'position'->>'instrument_id', "offset" DESC
) newest WHERE (p.account_id, p.instrument_id) = (newest.account_id, newest.instrument_id);
"""

_RESTRICTIONS: Final = """
CREATE TABLE view.restrictions (
    account_id text NOT NULL, name text NOT NULL, because text NOT NULL, PRIMARY KEY (account_id, name)
) WITH (fillfactor = 60);
COMMENT ON TABLE view.restrictions IS 'What risk has restricted: halted_by, porting_id, liquidation_id; empty: ended';
"""

_PLACES: Final = """
ALTER TABLE view.lines ADD COLUMN partition integer, ADD COLUMN "offset" bigint;
ALTER TABLE view.lines DISABLE TRIGGER lines_append_only;
UPDATE view.lines l SET partition = e.partition, "offset" = e."offset" FROM view.entries e
    WHERE e.entry_id = l.entry_id;
ALTER TABLE view.lines ENABLE TRIGGER lines_append_only;
ALTER TABLE view.lines DROP CONSTRAINT lines_pkey, DROP CONSTRAINT lines_entry_id_fkey;
ALTER TABLE view.entries DROP CONSTRAINT entries_pkey;
ALTER TABLE view.entries ADD PRIMARY KEY (partition, "offset");
ALTER TABLE view.lines ADD PRIMARY KEY (partition, "offset", line),
    ADD FOREIGN KEY (partition, "offset") REFERENCES view.entries DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX entries_by_id ON view.entries (entry_id);
COMMENT ON COLUMN view.entries.entry_id IS 'Once per account: two accounts may have the same';
CREATE OR REPLACE FUNCTION view.entry_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount_e8) FROM view.lines
        WHERE partition = NEW.partition AND "offset" = NEW."offset" AND asset = NEW.asset) <> 0 THEN
        RAISE EXCEPTION 'lines of entry % do not sum to zero in %', NEW.entry_id, NEW.asset
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""

MIGRATIONS: Final[tuple[str, ...]] = (
    _FIRST, _FACTS, _MARGIN, _TRADES, _AUCTIONS, _DEFAULTS, _BILATERAL, _EFFECTS, _PORTINGS, _DELEVERAGINGS,
    _RUNS, _FUNDING, _RESTRICTIONS, _PLACES,
)  # fmt: skip
"""Applied once each, in this order; a released one is never edited."""
REPLAYED: Final = MIGRATIONS.index(_RESTRICTIONS) + 1
"""The version that holds what no row of an older one tells: the rows of an older one are forgotten, and the tape is
replayed."""


@cache
def in_schema(statement: bytes, schema: str) -> bytes:
    """A statement that names tables of `view`, for another schema of the same tables."""
    return statement if schema == SCHEMA else re.sub(rb"\bview\.", schema.encode() + b".", statement)


def migrate(connection: Connection, schema: str = SCHEMA) -> int:
    """Bring the schema up to date, under a lock; returns how many migrations were applied.

    Raises SetupError when the database is newer than this program.
    """
    table = f"{schema}.migrations".encode()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        version = _version(connection, schema)
        if version > len(MIGRATIONS):
            raise SetupError(
                f"schema {schema} is at version {version}, this program knows {len(MIGRATIONS)}: upgrade it"
            )
        if 0 < version < REPLAYED:
            _log.warning("replayed", schema=schema, version=version, detail="an older view lacks what the tape says")
            drop(connection, schema)
            version = _version(connection, schema)
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            connection.execute(in_schema(statements.encode(), schema))
            connection.execute(b"INSERT INTO %b VALUES (%%s, now())" % table, (number,))
            _log.info("migrated", schema=schema, version=number)
    return len(MIGRATIONS) - version


def _version(connection: Connection, schema: str) -> int:
    """How many migrations a schema has, which is made where there is none."""
    table = f"{schema}.migrations".encode()
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
    connection.execute(
        b"CREATE TABLE IF NOT EXISTS %b (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)" % table
    )
    row: Any = connection.execute(b"SELECT coalesce(max(version), 0) FROM %b" % table).fetchone()
    return int(row[0])


def drop(connection: Connection, schema: str = SCHEMA) -> None:
    """Forget every view of a schema; the next start replays the tape."""
    connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
