"""`truetape verify-inclusion`: prove that a record is in the tape of a signed checkpoint."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from truetape.asof import place_of
from truetape.errors import EvidenceError, ProofInvalid, SetupError
from truetape.evidence import published as p
from truetape.evidence.checkpoint import Checkpoint
from truetape.evidence.proof import InclusionProof, check_inclusion, include
from truetape.happenings import Log, Part, Record
from truetape.log import KafkaLog, check_topics
from truetape.restore import readable
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL, CLEARING_ENTRIES, SEALED

ASK_SECONDS = 5.0


def command(
    what: Annotated[
        str, typer.Argument(help="topic/partition@offset, an event id, or an entry id; with --check, nothing")
    ] = "",
    checkpoint: Annotated[int | None, typer.Option(help="Number [the first that covers the record]")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the proof to this file")] = None,
    check: Annotated[Path | None, typer.Option(help="Check this proof file instead; needs no Kafka")] = None,
) -> None:
    """Prove that a record is in the tape of a signed checkpoint, by a file that anybody can check."""
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "verify-inclusion")
    proof = _read(check) if check is not None else _prove(settings, what, checkpoint)
    key = trusted_key(settings, proof.checkpoint.public_key)
    _tell(proof, check_inclusion(proof, key))
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
        print(f"proof: {out}; anybody checks it with `python examples/check_proof.py {out} --key {key}`")


def _prove(settings: Settings, what: str, number: int | None) -> InclusionProof:
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    seconds = settings.restore_timeout_seconds
    with closing(KafkaLog(settings.kafka)) as log:
        record = _find(log, what, seconds)
        part = Part(record.topic, record.partition)
        found = p.of_part((event for _, event in p.published(log, seconds)), part)
        one = p.covering(found, record.offset) if number is None else p.at_number(found, number, part)
        if one.head.size <= record.offset:
            raise EvidenceError(f"checkpoint {one.number} covers {one.head.size} records of {part}: choose a later one")
        with closing(p.tree_of(log, settings.notary_folder, part, one.head, seconds)) as nodes:
            return include(record, nodes, one.signed, one.head.size)


def _find(log: Log, what: str, seconds: float) -> Record:
    """The record at a place, or with an id. Raises SetupError or EvidenceError."""
    if (place := place_of(what)) is not None:
        part, offset = place
        if not any(topic.name == part.topic and part.partition < topic.partitions for topic in SEALED):
            raise SetupError(f"{part} is not covered by checkpoints; `truetape topics list` shows the topics")
        low, high = log.ends([part])[part]
        if not low <= offset < high:
            raise EvidenceError(f"{part} has offsets {low} to {high - 1}: there is no record at {offset}")
        return next(iter(log.read({part: (offset, offset + 1)}, seconds)))
    if not what:
        raise SetupError("name a record: topic/partition@offset, an event id, or an entry id")
    return _find_by_id(log, what, seconds)


def _find_by_id(log: Log, wanted: str, seconds: float) -> Record:
    """Event ids begin with their topic; any other is looked for among the entries."""
    [topic] = [one for one in SEALED if wanted.startswith(f"{one.name}<")] or [CLEARING_ENTRIES]
    parts = [Part(topic.name, partition) for partition in range(topic.partitions)]
    for part, (low, high) in log.ends(parts).items():
        for record in p.records(log, part, low, high, seconds):
            message = readable(record)
            meta = getattr(message, "meta", None)
            if wanted in (getattr(message, "entry_id", None), getattr(meta, "event_id", None)):
                return record
    raise EvidenceError(f"{topic.name} has no record with id {wanted}")


def _read(path: Path) -> InclusionProof:
    try:
        return msgspec.json.decode(path.read_bytes(), type=InclusionProof)
    except (OSError, msgspec.MsgspecError) as error:
        raise ProofInvalid(f"{path} is no inclusion proof: {error}") from error


def _tell(proof: InclusionProof, checkpoint: Checkpoint) -> None:
    record = proof.record
    head = checkpoint.heads[Part(record.topic, record.partition)]
    print(
        f"{record.topic}/{record.partition}@{record.offset} is among the first {head.size} records, as checkpoint "
        f"{checkpoint.number} was signed; {len(proof.path)} hashes prove it"
    )


def trusted_key(settings: Settings, claimed: str) -> str:
    """The key that is trusted here; where none is known, the one claimed, and a warning."""
    key = settings.notary_public_key or p.known_key(settings.notary_folder)
    if not key:
        typer.echo("no public key is known here (TRUETAPE_NOTARY_PUBLIC_KEY): believing the proof's own", err=True)
    return key or claimed
