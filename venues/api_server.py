"""The websocket api: requests as on REST, answered on the same connection, and user data subscriptions."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from venues.accounts import Account
from venues.dispatch import Answer, Prepared, ReplyDropped, execute, execute_with_faults, prepare
from venues.market_endpoints import nothing
from venues.parameters import Parameters
from venues.rejects import Reject
from venues.routes import METHODS, ROUTES, Route
from venues.sessions import Session
from venues.users import Subscription
from venues.venue import Venue

encode = msgspec.json.Encoder().encode
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_\-]{1,36}", re.ASCII)
_SUBSCRIBE: Final = Route(nothing, 2, "USER_DATA", frozenset({"timestamp", "recvWindow"}))
SUBSCRIPTIONS_MAX: Final = 100


class ApiServer:
    """Serves /ws-api/v3."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sessions: dict[Session, None] = {}

    async def serve(self, request: web.BaseRequest) -> web.WebSocketResponse:
        """One connection until it closes."""
        connection = ApiConnection(self.venue, request)
        self.sessions[connection.session] = None
        connection.session.closing.append(lambda: self.sessions.pop(connection.session, None))
        await connection.session.run(connection.receive, None)
        return connection.session.socket


class ApiConnection:
    """One websocket api connection with its subscriptions."""

    def __init__(self, venue: Venue, request: web.BaseRequest) -> None:
        self.venue = venue
        self.session = Session(request, venue.open_socket(request))
        self.address = request.remote or ""
        self.subscriptions: dict[int, Callable[[], None]] = {}
        self._next_subscription = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.session.closing.append(self._end_subscriptions)

    def receive(self, text: str) -> None:
        """Answer one request; with planted faults in a task of its own, since it may have to wait."""
        request_id: Any = None
        try:
            message = _decode(text)
            request_id = _request_id(message)
            self._serve(request_id, message)
        except Reject as reject:
            self._refuse(request_id, reject)

    def _serve(self, request_id: Any, message: dict[str, Any]) -> None:
        method = message.get("method")
        values = _values(message.get("params"))
        quiet = values.get("returnRateLimits") == "false"
        own = {
            "userDataStream.subscribe.signature": self._subscribe,
            "userDataStream.unsubscribe": self._unsubscribe,
            "session.subscriptions": self._list_subscriptions,
        }
        if method in own:
            self._count(2)
            self._send(request_id, Answer(own[method](values), None), quiet)
            return
        if not isinstance(method, str) or method not in METHODS:
            self._count(1)
            raise Reject(-1020, "This operation is not supported.")
        if method == "order.place":
            self.venue.note_received(values.get("newClientOrderId", ""), self.venue.now_us())
        http_method, path = METHODS[method]
        route = ROUTES[http_method, path]
        self._count(route.weight)
        prepared = self._prepare(http_method, path, route, values)
        if self.venue.faults.rules:
            task = asyncio.create_task(self._serve_with_faults(request_id, prepared, quiet))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._send(request_id, execute(self.venue, prepared), quiet)

    async def _serve_with_faults(self, request_id: Any, prepared: Prepared, quiet: bool) -> None:
        try:
            self._send(request_id, await execute_with_faults(self.venue, prepared), quiet)
        except Reject as reject:
            self._refuse(request_id, reject)
        except ReplyDropped:
            self.session.abort()

    def _prepare(self, method: str, path: str, route: Route, values: dict[str, str]) -> Prepared:
        """Authenticate: the signature covers all parameters but itself, sorted by name."""
        signature = values.pop("signature", "")
        signed = "&".join(f"{name}={values[name]}" for name in sorted(values))
        key_name = values.pop("apiKey", None)
        values.pop("returnRateLimits", None)
        return prepare(self.venue, method, path, route, Parameters(values), key_name, signed, signature)

    def _subscribe(self, values: dict[str, str]) -> Any:
        prepared = self._prepare("GET", "/ws-api/v3", _SUBSCRIBE, values)
        assert prepared.account is not None
        if len(self.subscriptions) >= SUBSCRIPTIONS_MAX:
            raise Reject(-1191, f"Too many subscriptions; a connection has at most {SUBSCRIPTIONS_MAX}.")
        return {"subscriptionId": self._open_subscription(prepared.account)}

    def _open_subscription(self, account: Account) -> int:
        number = self._next_subscription
        self._next_subscription += 1
        head = b'{"subscriptionId":%d,"event":' % number
        subscription = Subscription(account.account_id, self.session, lambda raw: head + raw + b"}")
        self.subscriptions[number] = self.venue.users.subscribe(subscription)
        return number

    def _unsubscribe(self, values: dict[str, str]) -> Any:
        number = Parameters(values).integer("subscriptionId")
        numbers = list(self.subscriptions) if number is None else [number]
        for one in numbers:
            end = self.subscriptions.pop(one, None)
            if end is None:
                raise Reject(-1130, "Data sent for parameter 'subscriptionId' is not valid.")
            end()
        return {}

    def _list_subscriptions(self, _values: dict[str, str]) -> Any:
        return [{"subscriptionId": number} for number in self.subscriptions]

    def _end_subscriptions(self) -> None:
        for end in self.subscriptions.values():
            end()
        self.subscriptions.clear()

    def _count(self, weight: int) -> None:
        self.used = self.venue.limiter.request(self.address, weight, self.venue.now_us() // 1_000)

    def _send(self, request_id: Any, answer: Answer, quiet: bool) -> None:
        message = {"id": request_id, "status": 200, "result": answer.result}
        if not quiet:
            message["rateLimits"] = self._rate_limits(answer.order_counts)
        self.session.send(encode(message))

    def _refuse(self, request_id: Any, reject: Reject) -> None:
        error = reject.body()
        if reject.retry_after_s is not None:
            retry_ms = self.venue.now_us() // 1_000 + reject.retry_after_s * 1_000
            error["data"] = {"serverTime": self.venue.now_us() // 1_000, "retryAfter": retry_ms}
        message = {"id": request_id, "status": reject.status, "error": error}
        self.session.send(encode(message))

    def _rate_limits(self, order_counts: tuple[int, int] | None) -> list[dict[str, Any]]:
        weight, *orders = self.venue.limiter.limits.listing()
        limits = [{**weight, "count": self.used}]
        if order_counts is not None:
            pairs = zip(orders, order_counts, strict=True)
            limits = [*({**limit, "count": count} for limit, count in pairs), *limits]
        return limits


def _decode(text: str) -> dict[str, Any]:
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Reject(-1135, "Invalid JSON Request") from None
    if not isinstance(message, dict):
        raise Reject(-1135, "Invalid JSON Request")
    return message


def _request_id(message: dict[str, Any]) -> Any:
    request_id = message.get("id")
    if request_id is None or (isinstance(request_id, int) and abs(request_id) < 2**63):
        return request_id
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        return request_id
    raise Reject(-1130, "Data sent for parameter 'id' is not valid.")


def _values(parameters: Any) -> dict[str, str]:
    """Parameters as the text that REST would carry; strings, whole numbers, booleans and lists of strings."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Reject(-1135, "JSON sent for parameter 'params' is not valid")
    return {name: _text(name, value) for name, value in parameters.items() if value is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return str(encode(value), "utf-8")
    raise Reject(-1135, f"JSON sent for parameter '{name[:40]}' is not valid")
