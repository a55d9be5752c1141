"""The whole system with its gateways and its projections: clients that trade and move money by requests and follow
their event streams, views that follow the tape.

`python -m tests.simulation.simulate --world served --seed N` repeats a run and says what happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Final
from unittest import mock

from services.gateway import streaming
from services.gateway.projection.projector import PARTS
from tests.simulation.cluster import LEAST_US, SETTINGS, Broken
from tests.simulation.gateway_clients import GatewayClients
from tests.simulation.gateway_clients import Line as ClientLine
from tests.simulation.gateways import gateway, projection
from tests.simulation.node import Node, Process
from tests.simulation.reference import ACCOUNTS
from tests.simulation.simpostgres import PostgresFaults, SimPostgres
from tests.simulation.simredis import RedisFaults, SimRedis
from tests.simulation.simview import SimView, folded
from tests.simulation.streams import BEGINS_US, READER_FAULTS, Reader
from tests.simulation.swarm import SECOND
from tests.simulation.system import CLOSE_US, System
from truetape.audit import OpenView
from truetape.happenings import Part
from truetape.settings import Settings

SERVER_FAULTS: Final = {
    "crash_postgres": 0.05, "restore_postgres": 0.03, "drop_views": 0.01, "cut_postgres": 0.05, "fill_disk": 0.03,
    "flush_redis": 0.05, "crash_redis": 0.04, "fail_over_redis": 0.05,
}  # fmt: skip
"""Greatest rate of each, per virtual second."""
STREAMS: Final = "streams tell each event once and in order"
READERS: Final = (2, 3, 4)
UNFORGETTING_US: Final = LEAST_US - 12 * SECOND
"""From here on the views forget nothing in a run that loses records: what they alone had read could not be missed."""
VIEWS_US: Final = 20 * SECOND
"""Between two comparisons of the views with the tape's fold."""


class Served(System):
    """One run of the services, two gateways, two projections (one of them stands by), PostgreSQL and Redis."""

    gateways, projections = 2, 2

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, verbose)
        draw = Random(seed ^ 0x5E2ED)
        calm = self.plan.kind == "calm"
        self.postgres = SimPostgres(self._now_us, Random(seed ^ 0xDB), _postgres_faults(draw, calm))
        self.redis = SimRedis(self.broker.wall_us, Random(seed ^ 0x4ED15), _redis_faults(draw, calm))
        self._doors = [Node(self, "gateway", f"gateway{n}", self._gateway) for n in range(self.gateways)]
        self.nodes += self._doors
        self.nodes += [Node(self, "projection", f"projection{n}", self._projection) for n in range(self.projections)]
        line = ClientLine() if calm else ClientLine(draw.random() * 0.2, draw.random() * 0.2)
        self.clients = self.traders = GatewayClients(self.broker, self.chance, self._doors, self.reference, line)
        for kind, rate in SERVER_FAULTS.items():
            if not calm and draw.random() < 0.5:
                self.poisson(rate * draw.uniform(0.2, 1), partial(self._server, kind))
        self.later(VIEWS_US, self._compare)
        self.readers = self._readers(draw, calm)

    def _now_us(self) -> int:
        return self.broker.now_us

    def _gateway(self, node: Node) -> Process:
        return gateway(node, self.seed, self.postgres, self.redis, SETTINGS)

    def _projection(self, node: Node) -> Process:
        return projection(node, self.seed, self.postgres, self.redis)

    def _readers(self, draw: Random, calm: bool) -> list[Reader]:
        """Some accounts' clients follow their streams, and things happen to them."""
        followed = draw.sample(list(ACCOUNTS), draw.choice(READERS))
        readers = [Reader(self.broker, self.seed, name, self._doors, self.traders.counts) for name in followed]
        for reader in readers:
            self.later(draw.randint(*BEGINS_US), reader.connect)
            for kind, rate in READER_FAULTS.items():
                if not calm and draw.random() < 0.5:
                    self.poisson(rate * draw.uniform(0.2, 1), partial(reader.suffer, kind))
        return readers

    def run(self) -> None:
        with mock.patch.multiple(streaming, QUEUE_MAX=6, BACKLOG_PAGE=5):  # Bounds that a minute's events meet.
            super().run()
        self.seen.update(self.traders.counts)
        self.seen.update(self.postgres.seen)
        self.seen.update(self.redis.seen)

    # -- faults of the servers -------------------------------------------------------------------------------

    def _server(self, kind: str) -> None:
        if self.plan.kind == "truncation" and self.broker.now_us > UNFORGETTING_US:
            return
        self.say(kind)
        self.seen[kind] += 1
        getattr(self, f"_{kind}")()

    def _crash_postgres(self) -> None:
        self.postgres.crash(int(10 ** self.chance.uniform(4, 6.7)), self.chance.choice((0, 0, 1, 3)))

    def _restore_postgres(self) -> None:
        self.postgres.restore_backup(self.chance.random())

    def _drop_views(self) -> None:
        self.postgres.drop_views()

    def _cut_postgres(self) -> None:
        self.postgres.cut()

    def _fill_disk(self) -> None:
        self.postgres.disk_full = True
        self.later(self.chance.randint(SECOND, 5 * SECOND), self._empty_disk)

    def _empty_disk(self) -> None:
        self.postgres.disk_full = False

    def _flush_redis(self) -> None:
        self.redis.flush()

    def _crash_redis(self) -> None:
        self.redis.outage(int(10 ** self.chance.uniform(4, 6.7)))

    def _fail_over_redis(self) -> None:
        self.redis.failover(self.chance.randint(1, 20))

    # -- what must hold --------------------------------------------------------------------------------------

    def quiet(self) -> None:
        super().quiet()
        self.postgres.faults, self.postgres.disk_full = PostgresFaults(), False
        self.redis.faults = RedisFaults()
        self.traders.line = ClientLine()
        for reader in self.readers:
            reader.heal()
        self.later(CLOSE_US, self._close_again)

    def _close_again(self) -> None:
        """As long as somebody waits for an answer: what he asked for may come through after the market has closed."""
        self.market.close()
        if self.traders.waiting:
            self.later(CLOSE_US, self._close_again)

    def still_missing(self) -> str:
        """Besides what the services owe: an answer for every client, and views at the tape's end."""
        if missing := super().still_missing():
            return missing
        if self.traders.waiting:
            return f"clients still wait: {[(a.kind, a.attempts) for a in self.traders.waiting][:3]}"
        if deaf := [lack for reader in self.readers if (lack := reader.lacks(self.tapes))]:
            return f"streams lag: {deaf}"
        reached = self.postgres.tables.positions
        behind = [part for part in PARTS if part not in reached or reached[part].next_offset < self._end(part)]
        return f"the views are behind on {behind[:3]}" if behind else ""

    def _end(self, part: Part) -> int:
        return self.broker.partition(part).end

    def _compare(self) -> None:
        """Now and then, in the midst of trouble: the views are the fold of the tape up to their positions."""
        if self.troubled and not self.truncated:
            self.check_views()
            self.later(VIEWS_US, self._compare)

    def check_views(self) -> None:
        """Raises Broken."""
        tables = self.postgres.tables
        if tables.positions and folded(self.broker, tables.positions) != self.postgres.digest():
            raise Broken("(18) views are the fold of the tape", f"at {tables.positions}")

    def check_streams(self) -> None:
        """Raises Broken."""
        for wrong in (wrong for reader in self.readers for wrong in reader.untrue(self.tapes)):
            raise Broken(STREAMS, wrong)

    def audit(self) -> None:
        self.check_views()
        self.check_streams()
        super().audit()

    def views(self) -> dict[str, OpenView]:
        return {"postgres": self._open_view}

    @contextmanager
    def _open_view(self, _: Settings) -> Iterator[SimView]:
        yield SimView(self.postgres.tables)


def _postgres_faults(draw: Random, calm: bool) -> PostgresFaults:
    if calm:
        return PostgresFaults()
    lost_calls, unknown_commits, serialization = (draw.choice((0.0, draw.uniform(0.0, 0.1))) for _ in range(3))
    return PostgresFaults(lost_calls, unknown_commits, serialization)


def _redis_faults(draw: Random, calm: bool) -> RedisFaults:
    return RedisFaults() if calm else RedisFaults(draw.choice((0.0, 0.05)), draw.choice((0.0, 0.05)))
