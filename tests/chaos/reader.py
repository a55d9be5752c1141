"""An independent reader of the tape: `python tests/chaos/reader.py BOOTSTRAP [--received FILE]` prints its verdict.

It imports nothing of this project: Kafka's client, Avro, and the released schemas with their ids are all it knows. So
it cannot share a mistake with the services. It applies the rule that every reader applies, and checks what the
protocol promises:

- no gap: epochs and sequences of each partition are an unbroken chain;
- no input was answered twice, and those of a topic in order;
- every command has its answer; a transfer that was approved before needs no second one;
- no order was routed that risk had not accepted, and every accepted order has ended, with no more filled than ordered;
- a break that is open is told again only when its numbers changed, and none is closed that is not open;
- every venue order that the venues received was on the tape in an accepted record, and reached the venue once;
- no order was routed twice;
- every fill was written once and booked once, and every entry sums to zero in each asset.

`--received FILE`: JSON list of {"client_order_id"} as the venues' admin port tells it. Exit status 1 on any finding.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition
from fastavro import parse_schema, schemaless_reader

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
OWNED = (
    "reference.events", "orders.decisions", "orders.executions", "clearing.entries", "market.marks",
    "reconciliation.breaks", "audit.checkpoints",
)  # fmt: skip
COMMANDS = "orders.commands"
BREAKS = "reconciliation.breaks"
LEG_ENDS = ("OrderCancelled", "OrderExpired", "OrderRejectedByVenue")
READ_SECONDS = 300.0


class Raw(NamedTuple):
    """A record as it stands on the tape: type name and fields."""

    topic: str
    partition: int
    offset: int
    kind: str
    body: dict[str, Any]

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass
class Verdict:
    """What was read, and what is wrong with it."""

    accepted: dict[str, list[Raw]] = field(default_factory=lambda: defaultdict(list))
    """Accepted records by topic."""
    commands: list[Raw] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    void: int = 0
    strange: int = 0
    owners: Counter[str] = field(default_factory=Counter)
    """Accepted takeovers by topic."""
    void_intents: set[str] = field(default_factory=set)
    """Venue client order ids that stand in void records alone."""

    def summary(self) -> dict[str, Any]:
        """For the last line of stdout."""
        return {
            "records": sum(map(len, self.accepted.values())),
            "commands": len(self.commands),
            "void": self.void,
            "strange": self.strange,
            "owners": dict(self.owners),
            "findings": self.findings,
        }


# -- reading -------------------------------------------------------------------------------------------------------


def schemas() -> dict[int, tuple[str, Any]]:
    """Record name and parsed schema by id, from schemas.lock and history/."""
    found = {}
    for one in json.loads((SCHEMAS / "schemas.lock").read_text())["schemas"]:
        text = (SCHEMAS / "history" / f"{one['record']}.v{one['version']}.avsc").read_text()
        found[one["id"]] = one["record"].rpartition(".")[2], parse_schema(_plain(json.loads(text)), {})
    return found


def _plain(node: Any) -> Any:
    """Without logical types: times stay integers."""
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items() if name != "logicalType"}
    return [_plain(one) for one in node] if isinstance(node, list) else node


def records(bootstrap: str, topics: tuple[str, ...]) -> Iterator[tuple[str, int, int, bytes]]:
    """All records of these topics up to their ends as of now, in the order of each partition."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "independent-reader", "enable.auto.commit": False,
        "log_level": 2, "isolation.level": "read_uncommitted",
    })  # fmt: skip
    known = consumer.list_topics(timeout=20).topics
    parts = [TopicPartition(name, number) for name in topics for number in known[name].partitions]
    spans = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=20) for p in parts}
    open_ends = {place: high for place, (low, high) in spans.items() if low < high}
    consumer.assign([TopicPartition(*place, spans[place][0]) for place in open_ends])
    deadline = time.monotonic() + READ_SECONDS
    while open_ends:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not read to their ends after {READ_SECONDS:g} s: {open_ends}")
        for message in consumer.consume(2_000, 0.2):
            place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
            if message.error() is not None or place not in open_ends:
                continue
            if offset < open_ends[place]:
                yield *place, offset, message.value() or b""
            if offset >= open_ends[place] - 1:
                del open_ends[place]
    consumer.close()


def decoded(bootstrap: str, topics: tuple[str, ...], strange: list[str]) -> Iterator[Raw]:
    """Records that can be decoded; the places of the others go to `strange`."""
    known = schemas()
    for topic, partition, offset, value in records(bootstrap, topics):
        number = int.from_bytes(value[1:5], "big") if value[:1] == b"\0" and len(value) > 5 else -1
        if number not in known:
            strange.append(f"{topic}/{partition}@{offset}")
            continue
        kind, schema = known[number]
        try:
            body: Any = schemaless_reader(BytesIO(value[5:]), schema, None)
        except Exception:
            strange.append(f"{topic}/{partition}@{offset}")
            continue
        yield Raw(topic, partition, offset, kind, body)


# -- the rule ------------------------------------------------------------------------------------------------------


def read(bootstrap: str) -> Verdict:
    """Read the whole tape by the reader's rule."""
    verdict, strange = Verdict(), []  # type: ignore[var-annotated]
    places: dict[tuple[str, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for raw in decoded(bootstrap, (*OWNED, COMMANDS), strange):
        if raw.topic == COMMANDS:
            verdict.commands.append(raw)
        elif "meta" in raw.body:
            _judge(verdict, places, raw)
    verdict.strange = len(strange)
    return verdict


def _judge(verdict: Verdict, places: dict[tuple[str, int], tuple[int, int]], raw: Raw) -> None:
    epoch, sequence = raw.body["meta"]["epoch"], raw.body["meta"]["sequence"]
    newest, last = places[raw.topic, raw.partition]
    if raw.kind == "Began":
        if epoch > newest:
            places[raw.topic, raw.partition] = (epoch, 0)
            verdict.owners[raw.topic] += 1
        else:
            verdict.void += 1
        return
    if (epoch, sequence) == (newest, last + 1):
        places[raw.topic, raw.partition] = (epoch, sequence)
        verdict.accepted[raw.topic].append(raw)
    elif epoch < newest or (epoch == newest and sequence <= last):
        verdict.void += 1
        verdict.void_intents |= _intended(raw)
    else:
        verdict.findings.append(f"gap at {raw.place}: {(newest, last)}, then {(epoch, sequence)}")


def _intended(raw: Raw) -> set[str]:
    legs = raw.body["legs"] if raw.kind == "OrderRouted" else ()
    return {leg["venue_client_order_id"] for leg in legs}


# -- the promises --------------------------------------------------------------------------------------------------


def check(verdict: Verdict, received: list[str] | None) -> list[str]:
    """All findings. `received` are the venue client order ids of the orders that the venues got."""
    found = list(verdict.findings)
    for topic, raws in verdict.accepted.items():
        found += _answered_once(topic, raws)
    found += _all_answered(verdict)
    found += _approved_and_ended(verdict)
    found += _booked_once(verdict)
    found += _breaks_told_once(verdict)
    if received is not None:
        found += _backed(verdict, received)
    verdict.findings = found
    return found


def _answered_once(topic: str, raws: list[Raw]) -> Iterator[str]:
    highest: dict[tuple[int, str, int], int] = {}
    named: set[tuple[int, str, str]] = set()
    for raw in raws:
        cause = raw.body["meta"]["cause"]
        if cause["offset"] >= 0:
            source = (raw.partition, cause["source"], cause["partition"])
            if cause["offset"] <= highest.get(source, -1):
                yield f"{raw.place} answers {cause['source']}/{cause['partition']}@{cause['offset']} again, or too late"
            highest[source] = max(cause["offset"], highest.get(source, -1))
        elif cause["source"].startswith("venue:") and topic == "orders.executions":
            if (name := (raw.partition, cause["source"], cause["id"])) in named:
                yield f"{raw.place} answers {cause['id']} of {cause['source']} again"
            named.add(name)


def _all_answered(verdict: Verdict) -> Iterator[str]:
    answered = {
        (cause["partition"], cause["offset"])
        for raw in verdict.accepted["orders.decisions"]
        if (cause := raw.body["meta"]["cause"])["source"] == COMMANDS
    }
    approved = {raw.body["transfer"]["transfer_id"] for raw in verdict.accepted["orders.decisions"]
                if raw.kind == "TransferApproved"}  # fmt: skip
    for command in verdict.commands:
        repeated = command.kind == "RequestTransfer" and command.body["transfer"]["transfer_id"] in approved
        if not repeated and (command.partition, command.offset) not in answered:
            yield f"{command.kind} at {command.place} has no answer"


def _approved_and_ended(verdict: Verdict) -> Iterator[str]:
    """For a tape at rest: each accepted order was not routed, or each of its legs was filled or ended by the venue."""
    accepted = {raw.body["order"]["order_id"] for raw in verdict.accepted["orders.decisions"]
                if raw.kind == "OrderAccepted"}  # fmt: skip
    legs: dict[str, dict[int, int]] = {}
    ended: set[tuple[str, int]] = set()
    over: set[str] = set()
    filled: Counter[tuple[str, int]] = Counter()
    for raw in verdict.accepted["orders.executions"]:
        body = raw.body
        if raw.kind == "OrderRouted":
            if body["order"]["order_id"] not in accepted:
                yield f"{raw.place} routes {body['order']['order_id']}, which risk has not accepted"
            legs[body["order"]["order_id"]] = {leg["leg"]: leg["quantity_e8"] for leg in body["legs"]}
        elif _is_fill(raw):
            filled[body["order_id"], body["leg"]] += body["quantity_e8"]
        elif raw.kind in LEG_ENDS:
            ended.add((body["order_id"], body["leg"]))
        elif raw.kind == "OrderNotRouted":
            over.add(body["order_id"])
    yield from (f"order {one} was accepted and neither routed nor refused" for one in accepted - legs.keys() - over)
    for order_id, quantities in legs.items():
        for leg, quantity_e8 in quantities.items():
            done = filled[order_id, leg]
            if done > quantity_e8 or (done < quantity_e8 and (order_id, leg) not in ended):
                yield f"leg {leg} of order {order_id} filled {done} of {quantity_e8}, and has not ended so"


def _breaks_told_once(verdict: Verdict) -> Iterator[str]:
    known: dict[str, tuple[int, int]] = {}
    for raw in verdict.accepted[BREAKS]:
        if raw.kind != "ReconciliationCompleted":
            continue
        for one in raw.body["opened"]:
            numbers = one["ours_e8"], one["theirs_e8"]
            if known.get(one["break_id"]) == numbers:
                yield f"{raw.place} opens break {one['break_id']} again"
            known[one["break_id"]] = numbers
        for one in raw.body["closed"]:
            if known.pop(one["break_id"], None) is None:
                yield f"{raw.place} closes break {one['break_id']}, which is not open"


def _booked_once(verdict: Verdict) -> Iterator[str]:
    fills = Counter(raw.body["execution_id"] for raw in verdict.accepted["orders.executions"] if _is_fill(raw))
    entries = [raw for raw in verdict.accepted["clearing.entries"] if raw.kind == "EntryBooked"]
    booked = Counter(raw.body["execution_id"] for raw in entries if raw.body["execution_id"])
    yield from (f"fill {one} is on the tape {times} times" for one, times in fills.items() if times > 1)
    yield from (f"fill {one} is booked {times} times" for one, times in booked.items() if times > 1)
    yield from (f"fill {one} is not booked" for one in fills.keys() - booked.keys())
    yield from (f"an entry books {one}, which no fill is" for one in booked.keys() - fills.keys())
    for raw in entries:
        sums: Counter[str] = Counter()
        for line in raw.body["lines"]:
            sums[line["asset"]] += line["amount_e8"]
        yield from (f"{raw.place} does not sum to zero: {total} {asset}" for asset, total in sums.items() if total)


def _is_fill(raw: Raw) -> bool:
    return raw.kind == "OrderFilled"


def _backed(verdict: Verdict, received: list[str]) -> Iterator[str]:
    intents: set[str] = set()
    routed: Counter[str] = Counter()
    for raw in verdict.accepted["orders.executions"]:
        intents |= _intended(raw)
        routed.update([raw.body["order"]["order_id"]] if raw.kind == "OrderRouted" else [])
    yield from (f"order {one} was routed {times} times" for one, times in routed.items() if times > 1)
    for name, times in Counter(received).items():
        if not name.startswith("TT"):
            continue
        if name not in intents:
            where = "a void record alone" if name in verdict.void_intents else "no record"
            yield f"the venue received {name}, which stands in {where}"
        if times > 1:
            yield f"the venue received {name} {times} times"


def main() -> int:
    """Read, judge, print; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("bootstrap")
    parser.add_argument("--received", type=Path)
    given = parser.parse_args()
    received = [one["client_order_id"] for one in json.loads(given.received.read_text())] if given.received else None
    verdict = read(given.bootstrap)
    found = check(verdict, received)
    print(json.dumps(verdict.summary()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
