"""`truetape checkpoints`: what the notary signed."""

import json
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape.evidence.checkpoint import parse
from truetape.evidence.published import known_key, published
from truetape.log import KafkaLog, check_topics
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import AUDIT_CHECKPOINTS

ASK_SECONDS = 5.0


def command(
    last: Annotated[int, typer.Option(min=1, help="How many of the newest")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, with the signed texts")] = False,
) -> None:
    """Show signed checkpoints, the newest last, and the notary's public key where it is known here."""
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "checkpoints")
    check_topics(settings.kafka, [AUDIT_CHECKPOINTS], ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log:
        found = list(published(log, settings.restore_timeout_seconds))
    if as_json:
        names = ("number", "digest", "note", "signature", "public_key")
        print(json.dumps([{name: getattr(event, name) for name in names} for _, event in found[-last:]]))
        return
    table = Table("number", "time (us)", "partitions", "records", "digest", box=None, pad_edge=False)
    for _, event in found[-last:]:
        one = parse(event.note)
        covered = sum(head.size for head in one.heads.values())
        table.add_row(str(one.number), str(one.at_us), str(len(one.heads)), str(covered), event.digest)
    Console().print(table)
    key = settings.notary_public_key or known_key(settings.notary_folder)
    print(f"{len(found)} checkpoints; public key {key or 'not known here: set TRUETAPE_NOTARY_PUBLIC_KEY'}")
