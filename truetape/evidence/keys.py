"""The notary's Ed25519 key: made once, kept in a file that only its owner reads; and signatures made and checked."""

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from truetape.errors import EvidenceError, SetupError
from truetape.evidence.checkpoint import Checkpoint, SignedCheckpoint, parse

KEY_FILE: Final = "key.pem"
PUBLIC_FILE: Final = "key.pub"


def create(folder: Path) -> str:
    """Make a key in the folder unless it has one; returns the public key in hex."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    public = public_of(load(folder))
    (folder / PUBLIC_FILE).write_text(public + "\n")
    return public


def load(folder: Path) -> Ed25519PrivateKey:
    """The folder's key. Raises SetupError when there is none, or when others may read it."""
    path = folder / KEY_FILE
    try:
        if path.stat().st_mode & 0o077:
            raise SetupError(f"{path} can be read by others: `chmod 600 {path}`, and think of the key as known")
        found = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise SetupError(f"there is no {path}: the first start of the notary makes it") from error
    except (ValueError, TypeError) as error:
        raise SetupError(f"{path} is no private key in PEM: restore it from its backup") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise SetupError(f"{path} is not an Ed25519 key: restore it from its backup")
    return found


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half, in hex."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, checkpoint: Checkpoint) -> SignedCheckpoint:
    """The checkpoint's text, signed."""
    note = checkpoint.text()
    return SignedCheckpoint(note, key.sign(note.encode()).hex(), public_of(key))


def opened(signed: SignedCheckpoint, public_key: str) -> Checkpoint:
    """What a signed checkpoint says. Raises EvidenceError when this key did not sign it."""
    checkpoint = parse(signed.note)
    if signed.public_key != public_key:
        raise EvidenceError(
            f"checkpoint {checkpoint.number} claims key {signed.public_key[:16]}…, not {public_key[:16]}…"
        )
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            bytes.fromhex(signed.signature), signed.note.encode()
        )
    except (InvalidSignature, ValueError) as error:
        raise EvidenceError(f"checkpoint {checkpoint.number} is not signed by key {public_key[:16]}…") from error
    return checkpoint
