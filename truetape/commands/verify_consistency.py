"""`truetape verify-consistency`: prove that between two checkpoints records were only added."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from truetape.commands.verify_inclusion import ASK_SECONDS, trusted_key
from truetape.errors import SetupError
from truetape.evidence import published as p
from truetape.evidence.proof import check_consistency, extend
from truetape.happenings import Part
from truetape.log import KafkaLog, check_topics
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL, SEALED


def command(
    partition: Annotated[str, typer.Argument(help="topic/partition")],
    first: Annotated[int, typer.Argument(help="Number of the older checkpoint")],
    second: Annotated[int, typer.Argument(help="Number of the newer one")],
    out: Annotated[Path | None, typer.Option(help="Write the proof to this file")] = None,
) -> None:
    """Prove that the tape of one checkpoint is the beginning of a later one's, on one partition."""
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "verify-consistency")
    part = _part(partition)
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    seconds = settings.restore_timeout_seconds
    with closing(KafkaLog(settings.kafka)) as log:
        found = p.of_part((event for _, event in p.published(log, seconds)), part)
        old, new = p.at_number(found, min(first, second), part), p.at_number(found, max(first, second), part)
        with closing(p.tree_of(log, settings.notary_folder, part, new.head, seconds)) as nodes:
            proof = extend(part, nodes, old.signed, new.signed, (old.head.size, new.head.size))
    check_consistency(proof, trusted_key(settings, new.signed.public_key))
    for asked, used in ((min(first, second), old.number), (max(first, second), new.number)):
        if asked != used:
            print(f"{part}: the newest checkpoint up to {asked} that has something new of it is {used}")
    print(
        f"{part}: the {new.head.size} records of checkpoint {new.number} begin with the {old.head.size} of checkpoint "
        f"{old.number}; {len(proof.path)} hashes prove it"
    )
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
        print(f"proof: {out}")


def _part(text: str) -> Part:
    for topic in SEALED:
        for partition in range(topic.partitions):
            if text == f"{topic.name}/{partition}":
                return Part(topic.name, partition)
    raise SetupError(f"{text!r} is no partition that checkpoints cover; for example {SEALED[0].name}/0")
