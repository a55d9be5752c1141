"""Clients that trade and move money through the gateway: they ask again with the same id when no answer comes, and
remember every answer, to compare it with the tape and with each other."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from tests.simulation.clients import Clients
from tests.simulation.gateway_transfers import BANK, DESK, Transfers, otherwise, request_of
from tests.simulation.gateways import Answer, GatewayProcess
from tests.simulation.node import Node
from tests.simulation.reference import ACCOUNTS, ReferenceData
from tests.simulation.swarm import MS, SECOND
from truetape import messages as m
from truetape.codec import decode
from truetape.happenings import Part
from truetape.money import ONE_E8, from_e8
from truetape.simbroker import SimBroker
from truetape.topics import ORDERS_COMMANDS

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence

SECRET: Final = "secret"
PATIENCE_US: Final = (500 * MS, 4 * SECOND)
"""How long a client waits for an answer before it asks again."""
PAUSE_US: Final = (100 * MS, SECOND)
"""Before it asks again what was not possible, or is not decided yet."""
ORDERS: Final = "/v1/orders"
ORDER: Final = "/v1/orders/{order_id}"
NO_META: Final = m.Meta(0, 0, m.Cause("", 0, 0, ""), 0, "", "")
MOVES: Final = 0.2
"""Transfers that are asked for, for each thing that clients do."""
Kind = Literal["submit", "cancel", "cancel all", "read", "transfer"]


def api_key(name: str) -> m.ApiKey:
    """The key with which a client of an account asks, or the desk."""
    secret_sha256 = hashlib.sha256(SECRET.encode()).hexdigest()
    desk = name == DESK
    return m.ApiKey(
        key_id=name, secret_sha256=secret_sha256, account_id="" if desk else name,
        scopes=("admin",) if desk else ("read", "trade"), requests_per_second=1_000, revoked=False,
    )  # fmt: skip


def authorization(key: str) -> dict[str, str]:
    """The header that names a key."""
    return {"authorization": f"Bearer {key}.{SECRET}"}


@dataclass(eq=False)
class Ask:
    """One thing that a client wants, and asks for until it is told."""

    kind: Kind
    account: str
    method: str
    path: str
    body: bytes = b""
    params: dict[str, str] = field(default_factory=dict)
    order: m.OrderTerms | None = None
    transfer: m.TransferTerms | None = None
    attempts: int = 0
    done: bool = False
    decided: bool = False
    """Of a cancel or read: whether its order had been acknowledged before."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Line:
    """The clients' way to the gateways: probabilities from 0 to 1."""

    lost_requests: float = 0.0
    lost_answers: float = 0.0
    latency_us: tuple[int, int] = (200, 5_000)


class GatewayClients(Clients):
    """Ask for orders, cancels and transfers through any of the gateways; what they begin with comes on the bus."""

    def __init__(
        self, broker: SimBroker, chance: Random, gateways: Sequence[Node], reference: ReferenceData, line: Line
    ) -> None:
        super().__init__(broker, chance)
        self.line, self.counts = line, Counter[str]()
        self.waiting: dict[Ask, None] = {}
        """What has not been told for good."""
        self.answers: dict[str, tuple[int, bytes]] = {}
        """By order id: status and bytes of the decision that was told first."""
        self.acknowledged: dict[str, tuple[bool, str]] = {}
        """By order id: whether it was accepted, and the id of the event that says so."""
        self.cancelled: dict[str, str] = {}
        """Command id of every cancel that was acknowledged, and its account."""
        self.lies: list[str] = []
        """Answers that contradict each other, or that nobody may give."""
        self.moves = Transfers(self.counts)
        self._funding = False
        self._gateways = gateways
        self._holders: dict[str, str] = {}
        """Account by order id, of what was acknowledged."""
        self._places: dict[str, str] = {}
        """By order id: where its decision stands, as its answer told."""
        for name in (*ACCOUNTS, DESK):
            reference.append(m.ApiKeyCreated(NO_META, "k", "x", api_key(name)))

    def fund(self) -> None:
        """Before there is a gateway."""
        self._funding = True
        super().fund()
        self._funding = False

    def act(self, price_e8: int) -> None:
        """Besides: somebody looks at an order of his that he was told about, today or long ago."""
        if self.acknowledged and self._chance.random() < 0.3:
            order_id = self._chance.choice(list(self.acknowledged))
            self._read(self._holders[order_id], order_id)
        if self._chance.random() < MOVES:
            self._move()
        super().act(price_e8)

    def _move(self) -> None:
        """Money comes or goes; or a transfer is asked for again, as it was or with other terms."""
        known, kind = [one for one in self.transfers if one.location == BANK], self._chance.random()
        if kind < 0.6 or not known:
            amount = self._chance.choice([self._chance.randint(1, 20_000), -self._chance.randint(1, 20_000), -300_000])
            self.transfer(self._chance.choice(list(ACCOUNTS)), "USDT", amount * ONE_E8)
        else:
            again = self._chance.choice(known[-6:])
            self._transfer(otherwise(again, self._chance) if kind > 0.85 else again)

    # -- what they ask for -----------------------------------------------------------------------------------

    def _submit(self, order: m.OrderTerms) -> None:
        price = {} if order.price_e8 is None else {"price": from_e8(order.price_e8)}
        asked = {
            "instrument_id": order.instrument_id, "side": order.side, "order_type": order.order_type,
            "quantity": from_e8(order.quantity_e8), "time_in_force": order.time_in_force, **price,
        }  # fmt: skip
        headers = {}
        if self._chance.random() < 0.5:
            asked["client_order_id"] = order.client_order_id
        else:
            headers["idempotency-key"] = order.client_order_id
        body = msgspec.json.encode(asked)
        self._want(Ask("submit", order.account_id, "POST", ORDERS, body, {}, order, headers=headers))

    def _cancel(self, account: str, order_id: str) -> None:
        decided = order_id in self.acknowledged
        self._want(Ask("cancel", account, "DELETE", ORDER, b"", {"order_id": order_id}, decided=decided))

    def _transfer(self, terms: m.TransferTerms) -> None:
        if self._funding:
            super()._transfer(terms)
        else:
            key, path, body = request_of(terms, self._chance)
            ask = Ask("transfer", terms.account_id, "POST", path, body, transfer=terms, headers=authorization(key))
            self._want(ask)

    def _ask(self, account: str, message: Any) -> None:
        if isinstance(message, m.CancelAllOrders):
            self._want(Ask("cancel all", account, "DELETE", ORDERS))
        else:
            super()._ask(account, message)

    def _read(self, account: str, order_id: str) -> None:
        headers = {"truetape-position": self._places[order_id]}
        self._want(Ask("read", account, "GET", ORDER, b"", {"order_id": order_id}, decided=True, headers=headers))

    # -- to the gateway and back -----------------------------------------------------------------------------

    def _want(self, ask: Ask) -> None:
        self.waiting[ask] = None
        self._send(ask)

    def _send(self, ask: Ask) -> None:
        """One attempt, at any gateway."""
        if ask.done:
            return
        ask.attempts += 1
        self.counts["retried"] += ask.attempts > 1
        node = self._chance.choice(self._gateways)
        if self._chance.random() >= self.line.lost_requests:
            self._later(self.line.latency_us, partial(self._arrive, ask, node))
        self._later(PATIENCE_US, partial(self._lose_patience, ask, ask.attempts))

    def _arrive(self, ask: Ask, node: Node) -> None:
        process = node.process
        if not isinstance(process, GatewayProcess) or node.paused:
            return  # Nobody listens.
        headers = authorization(ask.account) | ask.headers
        if ask.body:
            headers["content-type"] = "application/json"
        process.ask(ask.method, ask.path, headers, ask.body, partial(self._leave, ask), **ask.params)

    def _leave(self, ask: Ask, answer: Answer) -> None:
        if self._chance.random() < self.line.lost_answers:
            self.counts["answer lost"] += 1
        else:
            self._later(self.line.latency_us, partial(self._heard, ask, answer))

    def _lose_patience(self, ask: Ask, attempt: int) -> None:
        if not ask.done and ask.attempts == attempt:
            self.counts["no answer in time"] += 1
            self._send(ask)

    def _later(self, range_us: tuple[int, int], action: Callable[[], Any]) -> None:
        self._broker.at(self._broker.now_us + self._chance.randint(*range_us), action)

    # -- what they are told ----------------------------------------------------------------------------------

    def _heard(self, ask: Ask, answer: Answer) -> None:
        """An answer; one to an earlier attempt counts as well as any."""
        told: dict[str, Any] = msgspec.json.decode(answer.body)
        code = told.get("code", "")
        self.counts[f"{ask.kind} {answer.status} {code}".strip()] += 1
        if answer.status in (429, 503, 504) or answer.status == 202:
            if answer.status == 202 and ask.order is not None and told["order_id"] != ask.order.order_id:
                self.lies.append(f"202 names order {told['order_id']}, not {ask.order.order_id}")
            if answer.status == 202 and ask.transfer is not None and told["transfer_id"] != ask.transfer.transfer_id:
                self.lies.append(f"202 names transfer {told['transfer_id']}, not {ask.transfer}")
            if answer.status == 202 and ask.kind.startswith("cancel"):
                self._finish(ask)
            elif not ask.done:
                self._later(PAUSE_US, partial(self._again, ask, ask.attempts))
            return
        match ask.kind:
            case "submit":
                self._decided(ask, answer, told)
            case "read":
                self._shown(ask, answer, told)
            case "transfer":
                self.moves.heard(ask, answer, told)
            case _:
                self._cancel_answered(ask, answer, told)
        self._finish(ask)

    def _again(self, ask: Ask, attempt: int) -> None:
        if ask.attempts == attempt:
            self._send(ask)

    def _finish(self, ask: Ask) -> None:
        ask.done = True
        self.waiting.pop(ask, None)

    def _decided(self, ask: Ask, answer: Answer, told: dict[str, Any]) -> None:
        assert ask.order is not None
        order_id = ask.order.order_id
        if answer.status not in (201, 422) or told.get("order_id") != order_id:
            self.lies.append(f"order {order_id}: {answer.status} {answer.body!r}")
            return
        first = self.answers.setdefault(order_id, (answer.status, answer.body))
        if first != (answer.status, answer.body):
            self.lies.append(f"order {order_id} was told {first}, then {(answer.status, answer.body)}")
        self.counts["told again"] += answer.headers.get("idempotency-hit") == "true"
        self.acknowledged[order_id] = (answer.status == 201, told["decision_id"])
        self._holders[order_id], self._places[order_id] = ask.account, answer.headers["truetape-position"]
        if self._chance.random() < 0.3:
            self._read(ask.account, order_id)

    def _shown(self, ask: Ask, answer: Answer, told: dict[str, Any]) -> None:
        """A read after an answer sees it."""
        if answer.status != 200 or told["status"] == "PENDING":
            self.lies.append(f"{ask.params} had been acknowledged, but a read says {answer.status} {answer.body!r}")

    def _cancel_answered(self, ask: Ask, answer: Answer, told: dict[str, Any]) -> None:
        if answer.status == 200:
            self.cancelled[told["command_id"]] = ask.account
        elif answer.status not in (404, 409) or (answer.status == 404 and ask.decided):
            self.lies.append(f"cancel of {ask.params}: {answer.status} {answer.body!r}")

    # -- what must hold --------------------------------------------------------------------------------------

    def arrived(self) -> list[m.OrderTerms]:
        """Orders whose command stands on the bus."""
        found: dict[str, m.OrderTerms] = {}
        for partition in range(ORDERS_COMMANDS.partitions):
            for record in self._broker.records(Part(ORDERS_COMMANDS.name, partition)):
                command = decode(record.value or b"")
                if isinstance(command, m.SubmitOrder):
                    found[command.order.order_id] = command.order
        return list(found.values())

    def untrue(self, found: "Evidence") -> Iterator[str]:
        """What a client was told that the tape does not say."""
        yield from self.lies
        yield from self.moves.untrue(found)
        for order_id, (accepted, decision_id) in self.acknowledged.items():
            event = found.accepted.get(order_id)
            if accepted and (event is None or event.meta.event_id != decision_id):
                yield f"order {order_id} was acknowledged by {decision_id}, the tape says {event}"
            elif not accepted and (event is not None or found.decided[order_id] != 1):
                yield f"order {order_id} was refused by {decision_id}, the tape says {event}"
