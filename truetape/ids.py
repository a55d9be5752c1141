"""Deterministic ids. Nothing here asks a clock or a random source but the functions that say so."""

import hashlib
import itertools
from collections.abc import Callable
from typing import Final

from truetape import chance
from truetape.messages import Cause

MIRRORS: Final = ("venue:", "bank:", "custody:")
"""Prefixes of ledger accounts that mirror the firm's own accounts outside; a transfer touches no others."""
NOT_A_MIRROR: Final = f"it must be an account of the firm outside: {', '.join(MIRRORS)} and its name"
_MURMUR_SEED: Final = 0x9747B28C
_MURMUR_M: Final = 0x5BD1E995
_U32: Final = 0xFFFFFFFF


def order_id(account_id: str, client_order_id: str) -> str:
    """32 hex digits, the same for the same account and client order id: a retry cannot make a second order."""
    return _digest("order", account_id, client_order_id)


def transfer_id(account_id: str, external_reference: str) -> str:
    """32 hex digits, the same for the same account and external reference."""
    return _digest("transfer", account_id, external_reference)


def movement_id(account_id: str, purpose: str, reference: str) -> str:
    """32 hex digits, the same for the same payment of the house under the outside world's reference."""
    return _digest("movement", account_id, purpose, reference)


def call_id(account_id: str, asset: str, called_at_us: int) -> str:
    """32 hex digits, the same for the same margin call."""
    return _digest("call", account_id, asset, str(called_at_us))


def liquidation_id(account_id: str, asset: str, run_id: str) -> str:
    """32 hex digits, the same for the same liquidation: what the margin run was that found the account short."""
    return _digest("liquidation", account_id, asset, run_id)


def trade_id(reference: str, account_id: str, other_id: str) -> str:
    """32 hex digits, the same for both sides of a bilateral trade: its identifier and the pair, in order."""
    return _digest("trade", reference, account_id, other_id)


def leg_id(origin_id: str, part: str) -> str:
    """32 hex digits, the same for the same part of the same trade, leg or split."""
    return _digest("leg", origin_id, part)


def auction_id(account_id: str, command_id: str) -> str:
    """32 hex digits, the same for the same command to auction an account."""
    return _digest("auction", account_id, command_id)


def parcel_id(subject_id: str, part: str) -> str:
    """32 hex digits, the same for the same part of the same auction or deleveraging."""
    return _digest("parcel", subject_id, part)


def instruction_id(participant_id: str, asset: str, value_date: str, run: int = 1) -> str:
    """32 hex digits, the same for the same participant, asset, value date and run of that date."""
    return _digest("instruction", participant_id, asset, value_date, *([str(run)] if run > 1 else []))


def break_id(venue: str, break_class: str, key: str) -> str:
    """32 hex digits, the same for the same difference."""
    return _digest("break", venue, break_class, key)


def venue_client_order_id(partition: int, order_id: str, leg: int) -> str:
    """Client order id at a venue: carries the partition, so that each router knows its own; at most 36 characters."""
    return f"TT{partition:03d}-{order_id[:24]}-{leg:02d}"


def partition_of_venue_order(venue_client_order_id: str) -> int | None:
    """The partition that a venue client order id carries; None when it is not one of ours."""
    head = venue_client_order_id.split("-", 1)[0]
    return int(head[2:]) if len(head) == 5 and head.startswith("TT") and head[2:].isdecimal() else None


def event_id(topic: str, cause: Cause) -> str:
    """Names an event by the topic that holds it and the one input that it answers."""
    place = cause.id if cause.offset < 0 else cause.offset
    return f"{topic}<{cause.source}/{cause.partition}/{place}"


def random_id() -> str:
    """32 hex digits from the operating system: for ids that a client did not choose. Never in a core."""
    return chance.token_hex(16)


def numbered() -> Callable[[], str]:
    """A source of unique ids of 32 hex digits: a random prefix and a count. The random source costs the interpreter
    lock, which on a hot path costs a millisecond."""
    prefix, numbers = chance.token_hex(8), itertools.count()
    return lambda: f"{prefix}{next(numbers):016x}"


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: Kafka's murmur2, as the Java client and librdkafka's murmur2_random compute it."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, with Kafka's seed (https://github.com/aappleby/smhasher, MurmurHash2)."""
    h = (_MURMUR_SEED ^ len(data)) & _U32
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _MURMUR_M & _U32
        k = (k ^ (k >> 24)) * _MURMUR_M & _U32
        h = (h * _MURMUR_M & _U32) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _MURMUR_M & _U32
    h = (h ^ (h >> 13)) * _MURMUR_M & _U32
    return h ^ (h >> 15)


def _digest(*parts: str) -> str:
    """Length-prefixed, so that no two different lists of parts give the same bytes."""
    data = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hashlib.blake2b(data, digest_size=16).hexdigest()
