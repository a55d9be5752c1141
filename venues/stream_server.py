"""The websocket server of market streams and listen keys: raw under /ws, combined under /stream."""

import re
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from venues.sessions import Session
from venues.streams import stream_names
from venues.users import Subscription
from venues.venue import Venue

encode = msgspec.json.Encoder().encode
STREAMS_MAX: Final = 1_024
MESSAGES_PER_SECOND: Final = 5
METHODS: Final = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_\-]{1,36}", re.ASCII)


class StreamError(Exception):
    """A control message that is refused, with the stream server's own small codes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = {"code": code, "msg": message}


class StreamServer:
    """Serves market streams."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sessions: dict[Session, None] = {}
        self.names = stream_names(venue.exchange)

    async def serve(self, request: web.BaseRequest, path: str, query: str) -> web.WebSocketResponse:
        """One connection until it closes. Streams named by its address that do not exist are ignored."""
        connection = Connection(self, request)
        self.sessions[connection.session] = None
        self.venue.hub.combined[connection.session] = path.rstrip("/").endswith("/stream")
        for name in _named(path, query)[:STREAMS_MAX]:
            connection.open_stream(name)
        connection.session.closing.append(lambda: self._forget(connection.session))
        await connection.session.run(connection.receive, MESSAGES_PER_SECOND)
        return connection.session.socket

    def _forget(self, session: Session) -> None:
        self.venue.hub.forget(session)
        self.sessions.pop(session, None)


class Connection:
    """One stream connection and its control messages."""

    def __init__(self, server: StreamServer, request: web.BaseRequest) -> None:
        self.server = server
        self.venue = server.venue
        self.session = Session(request, server.venue.open_socket(request))
        self.listen_keys: dict[str, Any] = {}

    def open_stream(self, name: str) -> bool:
        """Subscribe to a market stream or a listen key; False when there is no such thing."""
        if name in self.server.names:
            self.venue.hub.subscribe(self.session, name)
            return True
        account_id = self.venue.users.listen_key_account(name, self.venue.now_us() // 1_000)
        if account_id is None:
            return False
        if name not in self.listen_keys:
            subscription = Subscription(account_id, self.session, lambda raw: self._wrap(name, raw))
            end = self.venue.users.subscribe(subscription)
            self.listen_keys[name] = end
            self.session.closing.append(end)
        return True

    def receive(self, text: str) -> None:
        """Answer one control message."""
        request_id: Any = None
        try:
            message = _decode(text)
            request_id = _request_id(message)
            answer = {"result": self._control(message), "id": request_id}
        except StreamError as error:
            answer = {"error": error.body, "id": request_id}
        self.session.send(encode(answer))

    def _wrap(self, name: str, raw: bytes) -> bytes:
        if self.venue.hub.combined.get(self.session):
            return b'{"stream":' + encode(name) + b',"data":' + raw + b"}"
        return raw

    def _control(self, message: dict[str, Any]) -> Any:
        method, parameters = message["method"], message.get("params", [])
        if not isinstance(parameters, list):
            raise StreamError(2, "Invalid request: params must be a list")
        if method == "SUBSCRIBE":
            return self._subscribe(_stream_list(parameters))
        if method == "UNSUBSCRIBE":
            return self._unsubscribe(_stream_list(parameters))
        if method == "LIST_SUBSCRIPTIONS":
            return self.venue.hub.subscriptions(self.session) + list(self.listen_keys)
        if method == "SET_PROPERTY":
            return self._set_property(parameters)
        if method == "GET_PROPERTY":
            _check_property(parameters, 1)
            return self.venue.hub.combined[self.session]
        name = str(method)[:40]
        raise StreamError(2, f"Invalid request: unknown variant {name}, expected one of {METHODS}")

    def _subscribe(self, names: list[str]) -> None:
        held = len(self.venue.hub.subscriptions(self.session))
        if held + len(names) > STREAMS_MAX:
            raise StreamError(2, f"Invalid request: more than {STREAMS_MAX} streams on one connection")
        for name in names:
            if not self.open_stream(name):
                raise StreamError(2, f"Invalid request: unknown stream {name[:40]}")

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            self.venue.hub.unsubscribe(self.session, name)
            end = self.listen_keys.pop(name, None)
            if end is not None:
                end()

    def _set_property(self, parameters: list[Any]) -> None:
        _check_property(parameters, 2)
        if not isinstance(parameters[1], bool):
            raise StreamError(1, "Invalid value type: expected Boolean")
        self.venue.hub.combined[self.session] = parameters[1]


def _named(path: str, query: str) -> list[str]:
    """The streams in an address: /ws/a/b, or /stream?streams=a/b."""
    if path.rstrip("/").endswith("/stream"):
        for pair in query.split("&"):
            if pair.startswith("streams="):
                return [name for name in unquote(pair[8:]).split("/") if name]
        return []
    _, _, names = path.partition("/ws")
    return [name for name in unquote(names).split("/") if name]


def _decode(text: str) -> dict[str, Any]:
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise StreamError(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise StreamError(2, "Invalid request: missing field `method` at line 1 column 1")
    return message


def _request_id(message: dict[str, Any]) -> Any:
    request_id = message.get("id")
    if request_id is None or (isinstance(request_id, int) and abs(request_id) < 2**63):
        return request_id
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        return request_id
    raise StreamError(2, "Invalid request: request ID must be an unsigned integer")


def _stream_list(parameters: list[Any]) -> list[str]:
    if not all(isinstance(name, str) for name in parameters):
        raise StreamError(2, "Invalid request: stream names must be strings")
    return parameters


def _check_property(parameters: list[Any], length: int) -> None:
    if len(parameters) > length:
        raise StreamError(2, "Invalid request: too many parameters")
    if len(parameters) < length or not isinstance(parameters[0], str):
        raise StreamError(2, "Invalid request: property name must be a string")
    if parameters[0] != "combined":
        raise StreamError(0, "Unknown property")
