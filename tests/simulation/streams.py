"""Clients that follow their account's event stream over connections that break, fall silent and fill up; they come back
with the id of the last event that they had whole, and remember all that they were told."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from services.gateway import rendering
from services.gateway.parsing import parse_positions
from services.gateway.projection.rows import INDEXED
from services.gateway.tail import STREAMED
from tests.simulation.gateway_clients import authorization
from tests.simulation.gateways import GatewayProcess
from tests.simulation.node import Node
from tests.simulation.reference import ACCOUNTS
from tests.simulation.swarm import MS, SECOND
from tests.simulation.tape import Tape
from truetape.causes import event_row
from truetape.happenings import Part
from truetape.simbroker import SimBroker
from truetape.topics import key_of

PATH: Final = "/v1/events"
FULL: Final = 3
"""Pieces that the network holds on the way to a reader who takes none; the gateway then waits."""
LATENCY_US: Final = (200, 20 * MS)
SLOW_US: Final = (SECOND, 4 * SECOND)
"""Between two pieces that a slow reader takes."""
PAUSE_US: Final = (50 * MS, SECOND)
"""Before a reader comes back."""
SILENCE_US: Final = 12 * SECOND
"""A connection on which nothing came for so long, not even a sign of life, is given up."""
BEGINS_US: Final = (0, 12 * SECOND)
READER_FAULTS: Final = {"break": 0.12, "fall silent": 0.04, "slow down": 0.05}
"""Greatest rate of each, per reader and virtual second."""
Place = tuple[Part, int]


class Told(NamedTuple):
    """An event as a reader had it."""

    part: Part
    offset: int
    data: dict[str, Any]


class Connection:
    """One request for the stream, and the answer that does not end: what has left the gateway and was not taken yet.

    The gateway's side lives on the event loop of its process, the reader's on virtual time.
    """

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self.status = 0
        self.silent = False
        """Nothing comes through any more, and neither side knows."""
        self._over = False
        self._open = True
        self._pieces: deque[bytes | None] = deque()
        """None is the end."""
        self._room, self._gone = asyncio.Event(), asyncio.Event()

    # -- the gateway's side ----------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """What the client sends after its request: nothing, until it goes."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """A piece of the answer; waits while too many are on their way."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self._put(message.get("body", b""))
        self._over = not message.get("more_body", False)
        while self._open and len(self._pieces) > FULL:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """The answer is over, or the server has closed the connection on a reader who took too little."""
        self._reader.counts["slow reader disconnected"] += self._open and not self._over
        self._put(None)

    def died(self) -> None:
        """The process is gone: of what it had sent the beginning still arrives, perhaps with half an event."""
        if not self._open:
            return
        self._reader.counts["stream died with its gateway"] += 1
        chance = self._reader.chance
        kept = list(self._pieces)[: chance.randint(0, len(self._pieces))]
        if kept and kept[-1]:
            kept[-1] = kept[-1][: chance.randint(0, len(kept[-1]))]
        self._pieces = deque(kept)
        if chance.random() < 0.7:  # Else its machine is gone as well, and says nothing.
            self._put(None)

    def _put(self, piece: bytes | None) -> None:
        if self._open:
            self._pieces.append(piece)
            if len(self._pieces) == 1:
                self._reader.take_later(self)

    # -- the reader's side -----------------------------------------------------------------------------------

    def take(self) -> None:
        """The next piece arrives."""
        if not self._open or self.silent or not self._pieces:
            return
        piece = self._pieces.popleft()
        self._room.set()
        if self._pieces:
            self._reader.take_later(self)
        self._reader.hear(self, piece)

    def close(self) -> None:
        """The reader has gone."""
        self._open = False
        self._pieces.clear()
        self._room.set()
        self._gone.set()


class Reader:
    """One client of an account, who wants to hear of everything."""

    def __init__(
        self, broker: SimBroker, seed: int, account: str, gateways: Sequence[Node], counts: Counter[str]
    ) -> None:
        self.account, self.chance = account, Random(f"{seed}:reader:{account}")
        self.parts = tuple(Part(topic.name, ACCOUNTS[account]) for topic in STREAMED)
        self.told: list[Told] = []
        self.begins: dict[Part, int] | None = None
        """Offset of the last event before the first that it must hear of, by partition; None until it was told."""
        self.lies: list[str] = []
        self.counts = counts
        self._broker, self._gateways = broker, gateways
        self._last_id = ""
        self._at = dict.fromkeys(self.parts, -1)
        self._connection: Connection | None = None
        self._heard_us = 0
        self._text = b""
        self._slow_until_us = 0

    # -- connections -----------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Ask any gateway for the stream, from where it was."""
        self._text, self._heard_us = b"", self._broker.now_us
        connection = self._connection = Connection(self)
        self._later((SILENCE_US, SILENCE_US), partial(self._watch, connection))
        self._later(LATENCY_US, partial(self._arrive, connection, self.chance.choice(self._gateways)))

    def _arrive(self, connection: Connection, node: Node) -> None:
        process = node.process
        if not isinstance(process, GatewayProcess):
            self._come_back(connection)
        elif connection is self._connection and not node.paused:
            headers = {"last-event-id": self._last_id} if self._last_id else {}
            self.counts["stream resumed"] += bool(self._last_id)
            process.follow(PATH, authorization(self.account) | headers, connection)

    def _watch(self, connection: Connection) -> None:
        """Give a connection up that has been silent for too long."""
        if connection is self._connection:
            left_us = self._heard_us + SILENCE_US - self._broker.now_us
            if left_us > 0:
                self._later((left_us, left_us), partial(self._watch, connection))
            else:
                self.counts["silent stream given up"] += 1
                self._come_back(connection)

    def _come_back(self, connection: Connection) -> None:
        """The connection is no more: another one, soon."""
        if connection is self._connection:
            connection.close()
            self._connection = None
            self._later(PAUSE_US, self.connect)

    def _later(self, range_us: tuple[int, int], action: Any) -> None:
        self._broker.at(self._broker.now_us + self.chance.randint(*range_us), action)

    # -- what happens to it ----------------------------------------------------------------------------------

    def suffer(self, kind: str) -> None:
        """A fault by its name: the connection breaks, and both sides hear of it; nothing comes through any more, and
        nobody is told; or the reader takes its time for a while."""
        self.counts[f"stream: {kind}"] += 1
        match kind, self._connection:
            case "break", Connection() as connection:
                self._come_back(connection)
            case "fall silent", Connection() as connection:
                connection.silent = True
            case "slow down", _:
                self._slow_until_us = self._broker.now_us + self.chance.randint(5 * SECOND, 25 * SECOND)

    def heal(self) -> None:
        """It has time again."""
        self._slow_until_us = 0

    # -- what it hears ---------------------------------------------------------------------------------------

    def take_later(self, connection: Connection) -> None:
        """There is something to take."""
        slow = self._broker.now_us < self._slow_until_us
        self._later(SLOW_US if slow else LATENCY_US, connection.take)

    def hear(self, connection: Connection, piece: bytes | None) -> None:
        """A piece of the answer, or its end."""
        if connection is not self._connection:
            return
        self._heard_us = self._broker.now_us
        if piece is None:
            self.counts["stream ended"] += 1
            self._come_back(connection)
        elif connection.status != 200:
            self.counts[f"stream {connection.status} {msgspec.json.decode(piece)['code']}"] += 1
        else:
            *frames, self._text = (self._text + piece).split(b"\n\n")
            for frame in frames:
                self._frame(dict(line.split(": ", 1) for line in frame.decode().splitlines()))

    def _frame(self, fields: Mapping[str, str]) -> None:
        match fields.get("event"):
            case None:
                self.counts["sign of life"] += "retry" not in fields
            case "Problem":
                self.counts[f"stream told {msgspec.json.decode(fields['data'])['code']}"] += 1
            case "Ready":
                self._ready(fields["id"], msgspec.json.decode(fields["data"])["position"])
            case _:
                self._event(fields["id"], msgspec.json.decode(fields["data"]))

    def _ready(self, id: str, position: str) -> None:
        """The stream begins now."""
        if self.begins is not None:
            self.lies.append(f"{self.account}: the stream began anew at {position}, {self._last_id} was asked for")
        told = {} if position == "start" else parse_positions(position)
        self.begins = self._at | told
        self._at, self._last_id = dict(self.begins), id

    def _event(self, id: str, data: dict[str, Any]) -> None:
        part, offset = Part(data["topic"], data["partition"]), data["offset"]
        if part not in self._at or offset <= self._at[part]:
            self.lies.append(f"{self.account}: {part}@{offset} was told when {self._at} had been")
            return
        self._at[part], self._last_id = offset, id
        self.told.append(Told(part, offset, data))

    # -- what must hold --------------------------------------------------------------------------------------

    def lacks(self, tapes: Mapping[Part, Tape]) -> str:
        """What it must still hear; empty when it has heard all."""
        if self.begins is None:
            return f"{self.account} has heard nothing"
        for part in self.parts:
            for offset, message in reversed(tapes[part].found):
                if type(message) in INDEXED and key_of(message) == self.account:
                    if offset > self._at[part]:
                        return f"{self.account} has not heard of {part}@{offset}"
                    break
        return ""

    def untrue(self, tapes: Mapping[Part, Tape]) -> Iterator[str]:
        """What it was told that the tape does not say, or otherwise; events of its account that it was not told."""
        yield from self.lies
        if self.begins is not None:
            for part in self.parts:
                yield from self._compared(part, tapes[part], self.begins[part])
            yield from self._out_of_order()

    def _compared(self, part: Part, tape: Tape, begins: int) -> Iterator[str]:
        wanted = {
            offset: message for offset, message in tape.found
            if begins < offset <= self._at[part] and type(message) in INDEXED and key_of(message) == self.account
        }  # fmt: skip
        heard = {told.offset: told.data for told in self.told if told.part == part}
        yield from (f"{self.account} was told of {part}@{o}, none of its events" for o in heard if o not in wanted)
        for offset, message in wanted.items():
            if offset not in heard:
                yield f"{self.account} was never told of {part}@{offset}"
            elif heard[offset] != shown(part, offset, message):
                yield f"{self.account} was told {heard[offset]}, {part}@{offset} is {message}"

    def _out_of_order(self) -> Iterator[str]:
        """Effects that were told before their causes."""
        places: dict[Place, int] = {(told.part, told.offset): n for n, told in enumerate(self.told)}
        for n, told in enumerate(self.told):
            cause = told.data["cause"]
            if cause is not None and cause["offset"] is not None:
                place = Part(cause["source"], cause["partition"]), cause["offset"]
                if places.get(place, -1) > n:
                    yield f"{self.account}: {told.part}@{told.offset} was told before its cause {place}"


def shown(part: Part, offset: int, message: Any) -> Any:
    """An event as a stream must show it."""
    row = event_row(*part, offset, message)
    row = row | {"body": msgspec.to_builtins(row["body"])}  # As PostgreSQL gives it back.
    return msgspec.json.decode(msgspec.json.encode(rendering.event(row)))
