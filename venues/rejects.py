"""Refusals of the simulated exchange: Binance's error codes with their HTTP statuses."""

from typing import Final

from truetape.errors import TruetapeError

_STATUS: Final = {
    -1000: 500,
    -1001: 500,
    -1002: 401,
    -1003: 429,
    -1006: 500,
    -1007: 504,
    -1008: 503,
    -1015: 429,
    -1016: 503,
    -2014: 401,
    -2015: 401,
    -2021: 409,
}
"""Codes whose HTTP status is not 400."""


class Reject(TruetapeError):
    """A request that is refused, or whose outcome is said to be unknown.

    `code` and `message` become the JSON body {"code", "msg"}; `data` is added when a code has more to say;
    `retry_after_s` becomes the header Retry-After.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 0,
        retry_after_s: int | None = None,
        data: object = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)
        self.retry_after_s = retry_after_s
        self.data = data

    def body(self) -> dict[str, object]:
        """The JSON body of the answer."""
        body: dict[str, object] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def missing(name: str) -> Reject:
    """A mandatory parameter was not sent."""
    return Reject(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> Reject:
    """A parameter holds characters outside its legal range."""
    return Reject(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def filter_failure(name: str) -> Reject:
    """An order broke one of the symbol's filters."""
    return Reject(-1013, f"Filter failure: {name}")


def not_required(name: str) -> Reject:
    """A parameter was sent to an order type that does not take it."""
    return Reject(-1106, f"Parameter '{name}' sent when not required.")


def insufficient_balance() -> Reject:
    """The account's free balance does not cover the order."""
    return Reject(-2010, "Account has insufficient balance for requested action.")


def unknown_cancel() -> Reject:
    """The order to cancel is not open."""
    return Reject(-2011, "Unknown order sent.")


def no_such_order() -> Reject:
    """The order to query does not exist."""
    return Reject(-2013, "Order does not exist.")


def bad_symbol() -> Reject:
    """The symbol is not listed here."""
    return Reject(-1121, "Invalid symbol.")
