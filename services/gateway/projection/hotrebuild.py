"""Redis's hot keys dropped and filled again. The projection waits meanwhile; reads and trading go on."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import psycopg
import redis

from services.gateway.projection.hot import VIEW_KEY, amounts, balances_key, fill
from services.gateway.projection.store import PostgresStore
from services.gateway.projection.tables import Connection
from truetape.audit.difference import Difference, between
from truetape.errors import SetupError
from truetape.log import Part
from truetape.rebuild import Rebuilt, Told
from truetape.rebuild.result import DIFFERS, EQUAL, NONE, SHOWN
from truetape.settings import Settings

MEET_SECONDS: Final = 5.0
"""How long the keys may take to reach where the rows stand, once the projection waits."""
LOOK_SECONDS: Final = 0.02
READ_AT_ONCE: Final = 1_000
BALANCES: Final = balances_key("")
Keys = dict[str, dict[str, str]]
"""Account -> asset -> "balance_e8 reserved_e8"."""


def rebuild_hot_keys(settings: Settings, check: bool, told: Told) -> Rebuilt:
    """Compare every hot key with PostgreSQL at the same positions, then drop them all and fill them again.

    Raises SetupError when PostgreSQL or Redis does not answer.
    """
    began, url = time.monotonic(), settings.redis.get_secret_value()
    if not url:
        raise SetupError("there is no Redis to rebuild: set TRUETAPE_REDIS; `truetape settings` explains it")
    client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=30, socket_connect_timeout=5)
    try:
        with client, _standing_still(settings.postgres.get_secret_value()) as store:
            rows, positions = store.everything()
            right: Keys = {}
            for row in rows:
                right.setdefault(row.account_id, {})[row.asset] = amounts(row)
            known = _meet(client, positions)
            told("reading hot keys", 0, len(right))
            held = _held(client)
            found = list(_differences(right, held)) if known else []
            if not check:
                fill(client, rows, positions, [VIEW_KEY, *map(balances_key, held)])
                told("filling hot keys", len(right), len(right))
                after = list(_differences(right, _held(client)))
                assert not after, f"Redis does not hold what was written: {after[0]}"
    except redis.RedisError as error:
        raise SetupError(f"Redis does not answer: {error}; see TRUETAPE_REDIS") from error
    digest = hashlib.sha256(msgspec.json.encode(right, order="deterministic")).hexdigest()
    verdict = DIFFERS if found else EQUAL if known else NONE
    return Rebuilt(
        "redis", verdict, not check, 0, len(held) if known else 0, digest, round(time.monotonic() - began, 3),
        found[:SHOWN], len(found),
    )  # fmt: skip


@contextmanager
def _standing_still(dsn: str) -> Iterator[PostgresStore]:
    """The views while no projection can move them: its next transaction waits for the end of ours."""
    try:
        with _session(dsn) as holder, _session(dsn) as reader, holder.transaction():
            holder.execute("LOCK TABLE view.tape_positions IN EXCLUSIVE MODE")
            store = PostgresStore(dsn)
            store.connection = reader
            yield store
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise SetupError("the database has no views yet: rebuild postgres first") from error
    except psycopg.OperationalError as error:
        raise SetupError(f"PostgreSQL does not answer: {str(error).strip()}; see TRUETAPE_POSTGRES") from error


def _session(dsn: str) -> Connection:
    return psycopg.connect(dsn, autocommit=True, connect_timeout=5)


def _meet(client: Any, positions: Mapping[Part, int]) -> bool:
    """Wait for what the projection still tells of its last transaction; whether the keys claim to be complete."""
    deadline = time.monotonic() + MEET_SECONDS
    wanted = {str(part): str(end) for part, end in positions.items() if end}
    while True:
        held = client.hgetall(VIEW_KEY)
        if not held or wanted.items() <= held.items() or time.monotonic() > deadline:
            return bool(held)
        time.sleep(LOOK_SECONDS)


def _held(client: Any) -> Keys:
    """All hot keys as they are."""
    names = sorted(client.scan_iter(match=f"{BALANCES}*", count=READ_AT_ONCE))
    found: Keys = {}
    for at in range(0, len(names), READ_AT_ONCE):
        some = names[at : at + READ_AT_ONCE]
        with client.pipeline(transaction=False) as pipe:
            for name in some:
                pipe.hgetall(name)
            found.update((name.removeprefix(BALANCES), value) for name, value in zip(some, pipe.execute(), strict=True))
    return found


def _differences(right: Keys, held: Keys) -> Iterator[Difference]:
    yield from between("view", "redis balances", dict(right), dict(held), elsewhere=False)
