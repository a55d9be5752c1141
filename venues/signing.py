"""Who sent a request: API keys, HMAC-SHA256 signatures and the receive window."""

import hmac
import re
from typing import Final, Literal

import msgspec
from msgspec import Struct

from truetape.errors import SetupError
from venues.parameters import Parameters
from venues.rejects import Reject, illegal, missing

Permission = Literal["TRADE", "USER_DATA"]
DEFAULT_WINDOW_US: Final = 5_000_000
MAXIMUM_WINDOW_US: Final = 60_000_000
AHEAD_US: Final = 1_000_000
# Milliseconds of this size are beyond the year 5000: such a timestamp is in microseconds.
_MICROSECONDS_FROM: Final = 100_000_000_000_000
_WINDOW: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}", re.ASCII)


class ApiKey(Struct, frozen=True, forbid_unknown_fields=True):
    """One key. Its secret never appears in a repr, a log line or an answer."""

    api_key: str
    secret: str
    account: str
    permissions: tuple[Permission, ...] = ("TRADE", "USER_DATA")
    fee_asset: str | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ApiKey(account={self.account!r}, permissions={self.permissions})"


def read_keys(text: str) -> dict[str, ApiKey]:
    """Parse TRUETAPE_VENUE_KEYS. Raises SetupError, which never quotes the text, when it is not understood."""
    if not text.strip():
        return {}
    try:
        keys = msgspec.json.decode(text.encode(), type=list[ApiKey])
    except msgspec.DecodeError as error:
        raise SetupError(
            f"TRUETAPE_VENUE_KEYS is not a JSON list of {{api_key, secret, account, permissions}}: {error}"
        ) from None
    for key in keys:
        if not _KEY.fullmatch(key.api_key) or len(key.secret) < 16 or not key.account:
            raise SetupError(
                f"TRUETAPE_VENUE_KEYS: the key of account {key.account!r} needs an api_key of letters and"
                " digits, a secret of at least 16 characters and an account name"
            )
    if len({key.api_key for key in keys}) != len(keys):
        raise SetupError("TRUETAPE_VENUE_KEYS names an api_key twice; each may appear once")
    return {key.api_key: key for key in keys}


def without_signature(text: str) -> tuple[str, str]:
    """Split a query or body as it was sent into (what was signed, the signature or "")."""
    if "signature=" not in text:
        return text, ""
    kept, signature = [], ""
    for pair in text.split("&"):
        if pair.startswith("signature="):
            signature = pair[10:]
        else:
            kept.append(pair)
    return "&".join(kept), signature


def find_key(keys: dict[str, ApiKey], name: str | None, permission: Permission | None) -> ApiKey:
    """The key of the header X-MBX-APIKEY. Raises -2014 or -2015."""
    if not name or not _KEY.fullmatch(name):
        raise Reject(-2014, "API-key format invalid.")
    key = keys.get(name)
    if key is None or (permission is not None and permission not in key.permissions):
        raise Reject(-2015, "Invalid API-key, IP, or permissions for action.")
    return key


def check_signature(key: ApiKey, signed: str, signature: str) -> None:
    """Raise -1022 unless the signature is the HMAC-SHA256 of what was signed."""
    if not signature:
        raise missing("signature")
    expected = hmac.digest(key.secret.encode(), signed.encode("utf-8", "surrogateescape"), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "surrogateescape")):
        raise Reject(-1022, "Signature for this request is not valid.")


class Window(Struct, frozen=True):
    """When a request was made and how long it stays valid, in microseconds."""

    timestamp_us: int
    window_us: int

    def check(self, now_us: int) -> None:
        """Raise -1021 when the request is too old, or comes from the future."""
        if self.timestamp_us >= now_us + AHEAD_US:
            raise Reject(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_us - self.timestamp_us > self.window_us:
            raise Reject(-1021, "Timestamp for this request is outside of the recvWindow.")


def read_window(parameters: Parameters) -> Window:
    """The receive window of a signed request: timestamp in ms or us, recvWindow in ms with up to 3 decimals."""
    parameters.required("timestamp")
    timestamp = parameters.integer("timestamp")
    assert timestamp is not None
    timestamp_us = timestamp if timestamp >= _MICROSECONDS_FROM else timestamp * 1_000
    text = parameters.text("recvWindow")
    if text is None:
        return Window(timestamp_us, DEFAULT_WINDOW_US)
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise illegal("recvWindow", "^[0-9]{1,9}(\\.[0-9]{1,3})?$")
    window_us = int(match[1]) * 1_000 + int((match[2] or "").ljust(3, "0"))
    if window_us > MAXIMUM_WINDOW_US:
        raise Reject(-1102, "'recvWindow' contains unexpected value. Cannot be greater than '60000'.")
    return Window(timestamp_us, window_us)
