"""Who is asking: API keys, their scopes, and requests that are too old."""

import hashlib
import hmac
from typing import Final, Literal

from services.gateway.problems import Problem
from truetape import clock
from truetape.messages import ApiKey
from truetape.reference import Reference

Scope = Literal["public", "read", "trade", "admin"]
"""What a route asks for; `public` needs no key."""
WINDOW_MS: Final = 5_000
"""A request with the header Truetape-Timestamp is refused when it is further from now than this."""
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="truetape"'}
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


def authenticate(authorization: str, reference: Reference) -> ApiKey:
    """The key of the header "Bearer key_id.secret". Raises Problem with status 401.

    Unknown keys and wrong secrets are told alike, and take alike.
    """
    scheme, _, credentials = authorization.partition(" ")
    key_id, dot, secret = credentials.strip().partition(".")
    key = reference.api_keys.get(key_id) if scheme.lower() == "bearer" and dot else None
    found = hashlib.sha256(secret.encode()).hexdigest()
    if not hmac.compare_digest(found, key.secret_sha256 if key else _NOBODY) or key is None:
        raise Problem("unauthenticated", "send the header Authorization: Bearer <key id>.<secret>", _CHALLENGE)
    if key.revoked:
        raise Problem("key_revoked", f"key {key_id} was revoked", _CHALLENGE)
    if key.expires_at_us is not None and clock.now_us() >= key.expires_at_us:
        raise Problem("key_expired", f"key {key_id} has expired", _CHALLENGE)
    return key


def authorize(key: ApiKey, scope: Scope) -> None:
    """Raises Problem with status 403 unless the key may do this."""
    if scope not in key.scopes:
        raise Problem("scope_missing", f"this needs scope {scope}; the key has {', '.join(key.scopes)}", scope=scope)
    if scope != "admin" and not key.account_id:
        raise Problem("account_missing", "this key acts for no account; use one that was created for an account")


def check_timestamp(header: str) -> None:
    """Refuse a replayed request. Raises Problem with status 400 or 401."""
    if not (header.isascii() and header.isdecimal() and len(header) <= 15):
        raise Problem("invalid_header", "Truetape-Timestamp must be milliseconds since 1970")
    now_ms = clock.now_us() // 1_000
    if abs(now_ms - int(header)) > WINDOW_MS:
        detail = f"Truetape-Timestamp is {now_ms - int(header)} ms old; the window is {WINDOW_MS} ms either way"
        raise Problem("timestamp_outside_window", detail, _CHALLENGE, now_ms=now_ms)


def still_valid(key_id: str, reference: Reference) -> bool:
    """Whether a key that was accepted before still holds."""
    key = reference.api_keys.get(key_id)
    expired = key is not None and key.expires_at_us is not None and clock.now_us() >= key.expires_at_us
    return key is not None and not key.revoked and not expired
