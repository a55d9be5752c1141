"""Check an inclusion proof without Truetape and without Kafka: the standard library and `pip install cryptography`.

    python check_proof.py PROOF.json --key HEX

The key must come from elsewhere than the proof: from the operator's log, a contract, a colleague. docs/audit.md
describes the format. Exit status 0 when the record is in the signed tape, 1 when not.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def maybe(value: str | None) -> bytes:
    return b"\x00" if value is None else b"\x01" + text(base64.b64decode(value, validate=True))


def leaf(record: dict[str, Any]) -> bytes:
    """The record's bytes, each with its length before it, hashed as a leaf."""
    place = struct.pack(">IQ", record["partition"], record["offset"])
    headers = [text(name.encode()) + maybe(value) for name, value in record["headers"]]
    head = text(record["topic"].encode()) + place + maybe(record["key"]) + maybe(record["value"])
    return sha256(b"\x00" + head + struct.pack(">I", len(headers)) + b"".join(headers))


def climb(here: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """From leaf `index` of `size` up to the root: what has no sibling is promoted."""
    last = size - 1
    while last > 0:
        if index % 2 or index < last:
            sibling = path.pop(0)
            here = sha256(b"\x01" + sibling + here) if index % 2 else sha256(b"\x01" + here + sibling)
        index, last = index // 2, last // 2
    return here if not path else b""


def check(proof: dict[str, Any], key: str) -> str:
    """What the proof shows; raises ValueError, KeyError, IndexError or InvalidSignature when it shows nothing."""
    note, record = proof["checkpoint"]["note"], proof["record"]
    signature = bytes.fromhex(proof["checkpoint"]["signature"])
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, note.encode())
    part = f"{record['topic']}/{record['partition']}"
    heads = {fields[0]: fields[1:] for line in note.splitlines()[3:] if (fields := line.split())}
    size, root = int(heads[part][0]), heads[part][1]
    if not 0 <= record["offset"] < size:
        raise ValueError("the checkpoint does not cover this offset")
    if climb(leaf(record), record["offset"], size, [bytes.fromhex(one) for one in proof["path"]]).hex() != root:
        raise ValueError("the record is not in the signed tree")
    return f"{part}@{record['offset']} is in the tape of {note.splitlines()[0]}, signed by {key}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("proof")
    parser.add_argument("--key", required=True)
    given = parser.parse_args()
    try:
        with open(given.proof) as file:
            print(check(json.load(file), given.key))
    except (ValueError, KeyError, IndexError, InvalidSignature) as error:
        sys.exit(f"NOT PROVEN: {type(error).__name__}: {error}")
