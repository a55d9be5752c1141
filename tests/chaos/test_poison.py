"""Records that come again, bytes that are no records, orders that make no sense: catalogue 20 and 21."""

import random
from collections.abc import Sequence
from contextlib import closing

import pytest

from tests.chaos import stranger
from tests.chaos.catalogue import Trial
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, wait_until
from truetape import ids, topics
from truetape.codec import decode, encode
from truetape.errors import SchemaError
from truetape.happenings import Record
from truetape.log import KafkaLog, Part
from truetape.messages import InputParked, Meta, ParkedRecord

pytestmark = pytest.mark.timeout(1800)
COMMANDS = (topics.ORDERS_COMMANDS, topics.REFERENCE_COMMANDS, topics.CLEARING_COMMANDS)
ANSWERS = (topics.ORDERS_DECISIONS, topics.REFERENCE_EVENTS, topics.CLEARING_ENTRIES)
OWNERS = ("risk", "clearing", "projection")
ANSWERED_SECONDS = 180.0
"""Each look reads the whole tape."""
REPLAYED_LAST = 2_000
"""Records of each partition that come again."""
Place = tuple[str, int, int]


@pytest.mark.only_make_chaos
def test_the_end_of_every_topic_comes_again(stage: Stage, trial: Trial) -> None:
    """As from a mirroring tool that was set up twice: owned topics twice over, void; commands answered as before."""
    with scenario(stage, trial) as run:
        chance, replayed = random.Random(run.seed), 0
        for _ in range(2):
            with run.fault("everything again"):
                replayed += write_again(stage, (*topics.OWNED, *COMMANDS), chance)
        run.notes["replayed"] = replayed
        with run.fault(f"kill -9 {', '.join(OWNERS)}: they restore over it"):
            kill_and_start(stage, OWNERS)


def write_again(stage: Stage, names: Sequence[topics.Topic], chance: random.Random) -> int:
    """The last records of each partition, in their order; partitions in any order."""
    values = []
    for part in chance.sample(parts := stranger.parts(names), len(parts)):
        records = stranger.tail(stage.kafka, part, REPLAYED_LAST)
        values += [(part, one.key, one.value) for one in records]
    assert stranger.write(stage.kafka, values) == {"": len(values)}
    return len(values)


def kill_and_start(stage: Stage, services: Sequence[str]) -> None:
    for service in services:
        stage.stack.kill(service)
    for service in services:
        stage.stack.start(service)


# -- poison --------------------------------------------------------------------------------------------------------


def test_poison_on_every_topic(stage: Stage, trial: Trial) -> None:
    """What no reader can read is set aside where it was a command, and passed over where only the owner may write."""
    with scenario(stage, trial) as run:
        key = run.load.name.encode()
        everywhere = [(part, key, value) for part in stranger.parts(topics.ALL) for value in stranger.broken().values()]
        everywhere += [(Part(topic.name, 0), key, b"\0" * stranger.HUGE_BYTES) for topic in topics.ALL]
        senseless = [one for account in stage.keys for one in impossible(account, run.load.name)]
        too_huge = [(part, key, b"\0" * stranger.TOO_HUGE_BYTES) for part in stranger.parts(COMMANDS)]
        run.notes["poison"] = len(everywhere) + len(senseless)
        with run.fault(f"{len(everywhere)} records that nobody can read, {len(senseless)} orders without sense"):
            assert stranger.write(stage.kafka, everywhere + senseless) == {"": len(everywhere) + len(senseless)}
            assert stranger.write(stage.kafka, too_huge) == {"MSG_SIZE_TOO_LARGE": len(too_huge)}
        asked = [one for one in whole(stage, COMMANDS) if one.key == key or one.value in values(senseless)]
        assert len(asked) == len(senseless) + len(stranger.broken()) * len(stranger.parts(COMMANDS)) + len(COMMANDS)
        wait_until(lambda: not unanswered(stage, asked, key), "every command is refused or set aside", ANSWERED_SECONDS)
        run.notes["copies_on_parked"] = copies(stage, key)
        with run.fault(f"kill -9 {', '.join(OWNERS)}: they restore over it"):
            kill_and_start(stage, OWNERS)


def impossible(account: str, name: str) -> list[tuple[Part, bytes, bytes]]:
    """Senseless orders, each on the partition of its account."""
    return [
        (Part(topics.ORDERS_COMMANDS.name, ids.partition_of(one.order.account_id, topics.PARTITIONS)),
         one.order.account_id.encode(), encode(one))
        for one in stranger.impossible(account, name).values()
    ]  # fmt: skip


def values(written: list[tuple[Part, bytes, bytes]]) -> set[bytes]:
    return {value for _, _, value in written}


def unanswered(stage: Stage, asked: list[Record], key: bytes) -> list[str]:
    """What is not refused, or else set aside with a reason and its bytes, as all under this key must be."""
    parked, refused = answers(stage)
    found = []
    for record in asked:
        place = record.topic, record.partition, record.offset
        if (kept := parked.get(place)) is not None:
            value = record.value if len(record.value or b"") < stranger.HUGE_BYTES else None
            assert kept.reason and kept.input == value, f"{place} is not set aside with its bytes"
        elif record.key == key or not refused.get(place, "").endswith("Rejected"):
            found.append(f"{place}: {refused.get(place, 'nothing')}")
    return found


def answers(stage: Stage) -> tuple[dict[Place, InputParked], dict[Place, str]]:
    """By the command's place: what was set aside, and the type of any other answer."""
    parked, others = {}, {}
    for record in whole(stage, ANSWERS):
        message = known_message(record)
        meta = getattr(message, "meta", None)
        if not isinstance(meta, Meta):
            continue
        place = meta.cause.source, meta.cause.partition, meta.cause.offset
        if isinstance(message, InputParked):
            parked[place] = message
        else:
            others[place] = type(message).__name__
    return parked, others


def copies(stage: Stage, key: bytes) -> int:
    """Of what was set aside; a service that stepped down meanwhile leaves the copy out, never the event."""
    found = (known_message(record) for record in whole(stage, (topics.PARKED,)))
    return sum(isinstance(one, ParkedRecord) and one.key == key for one in found)


def whole(stage: Stage, names: tuple[topics.Topic, ...]) -> list[Record]:
    with closing(KafkaLog(stage.kafka)) as log:
        return list(log.read(log.ends(stranger.parts(names)), 60))


def known_message(record: Record) -> object:
    try:
        return decode(record.value or b"")
    except SchemaError:
        return None
