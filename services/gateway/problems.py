"""Errors as clients see them: RFC 9457 problem documents with a stable type and code. Nothing internal leaks."""

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec
from starlette.responses import Response

from truetape.errors import TruetapeError
from truetape.messages import RejectReason

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:truetape:problem:"

CODES: Final[dict[str, tuple[int, str]]] = {
    "malformed_json": (400, "The body is not JSON"),
    "duplicate_key": (400, "A JSON key comes twice"),
    "invalid_header": (400, "A header cannot be understood"),
    "unauthenticated": (401, "No valid API key"),
    "key_expired": (401, "The API key has expired"),
    "key_revoked": (401, "The API key was revoked"),
    "timestamp_outside_window": (401, "The request is too old, or from the future"),
    "scope_missing": (403, "The API key lacks the scope"),
    "account_missing": (403, "The API key acts for no account"),
    "not_found": (404, "There is no such resource"),
    "order_not_found": (404, "The account has no such order"),
    "method_not_allowed": (405, "The resource has no such method"),
    "body_too_slow": (408, "The body did not come in time"),
    "asset_unknown": (422, "No instrument or collateral names the asset"),
    "order_closed": (409, "The order has ended"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body must be application/json"),
    "invalid_field": (422, "A field has a value that it cannot have"),
    "missing_field": (422, "A field is missing"),
    "unknown_field": (422, "A field is not known"),
    "client_order_id_reused": (422, "The client order id belongs to an order with other terms"),
    "external_reference_reused": (422, "The external reference belongs to a transfer with other terms"),
    "idempotency_key_reused": (422, "The idempotency key belongs to another command"),
    "time_in_future": (422, "The time has not come yet"),
    "past_too_far": (422, "Too many records came later"),
    "report_too_large": (422, "The report is too large for one answer"),
    "release_refused": (422, "The parked input was not resolved"),
    "margin_unknown": (422, "Margin cannot be computed"),
    "fact_refused": (422, "The ledger does not take the fact"),
    "entry_not_found": (404, "The account has no such entry"),
    "close_out_refused": (422, "The sides were not closed against each other"),
    "correction_refused": (422, "The entry was not taken back"),
    "call_refused": (422, "The margin call cannot be acted on so"),
    "auction_refused": (422, "The auction does not take the command"),
    "default_refused": (422, "The default cannot be declared so"),
    "default_not_found": (404, "There is no such default"),
    "deleveraging_not_found": (404, "There is no such deleveraging"),
    "porting_refused": (422, "The porting cannot be chosen, answered or ended so"),
    "fund_refused": (422, "The clearing fund does not take or give it so"),
    "drill_refused": (422, "There is nothing to drill"),
    "trade_refused": (422, "The trade cannot be told or ended so"),
    "move_refused": (422, "The leg cannot be moved, answered or compressed so"),
    "compression_refused": (422, "The compression cannot be started or answered so"),
    "trade_not_found": (404, "The account is in no such trade"),
    "netting_refused": (422, "The day cannot be netted so"),
    "reference_rejected": (422, "The reference command was refused"),
    "rate_limited": (429, "Too many requests"),
    "command_set_aside": (500, "The command could not be decided and was set aside"),
    "internal_error": (500, "Something is broken here"),
    "overloaded": (503, "Too many requests are waiting"),
    "starting": (503, "The gateway is not ready yet"),
    "broker_unavailable": (503, "Kafka does not answer; nothing was sent"),
    "view_unavailable": (503, "The views cannot be read now"),
    "view_behind": (503, "The views have not yet reached what was answered"),
    "outcome_unknown": (504, "It is not known whether the command was taken"),
} | {reason.lower(): (422, reason.replace("_", " ").capitalize()) for reason in get_args(RejectReason)}
"""Status and title of every code. The upper half is the gateway's own, the rest are risk's reasons."""

RETRY_SECONDS: Final = {"rate_limited": 1, "overloaded": 1, "starting": 2, "broker_unavailable": 2} | {
    "view_unavailable": 2, "view_behind": 1,
}  # fmt: skip
"""Retry-After of those that pass by themselves."""


class Problem(TruetapeError):
    """A request that cannot be answered as asked; becomes a problem document."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        assert code in CODES, code
        self.code, self.detail, self.members = code, detail, members
        self.headers = dict(headers or {})
        if code in RETRY_SECONDS:
            self.headers.setdefault("Retry-After", str(RETRY_SECONDS[code]))

    @property
    def status(self) -> int:
        """HTTP status."""
        return CODES[self.code][0]

    def response(self, request_id: str = "") -> Response:
        """The problem document; without request id where the same bytes must come again."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": CODES[self.code][1],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }
        if request_id:
            document["request_id"] = request_id
        return Response(msgspec.json.encode(document), self.status, self.headers, MEDIA_TYPE)


def field_problem(field: str, detail: str, code: str = "invalid_field") -> Problem:
    """A problem with one field, named."""
    return Problem(code, detail, field=field)
