"""Tells the ledger what was fixed: one command for each of its partitions, once the fact's record is in place.

A fact counts as sent when the delivery reports of all its commands are right; until then the state holds it. A wrong
report makes the loop step down, and whoever owns the partition of marks next sends it again. Each partition of the
ledger takes a fact once, by its id.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from services.pricing.core import FactDelivered
from truetape.codec import encode
from truetape.happenings import Part
from truetape.messages import ContractFact, TakeContractFact
from truetape.service import Sent
from truetape.topics import CLEARING_COMMANDS

MARKS_PARTITION: Final = 0
Append = Callable[[Part, bytes, bytes, Sequence[tuple[str, bytes]], Any], None]
"""How a record is written, as `Log.append`."""
Offer = Callable[[int, str, str, Any], None]


class FactSender:
    """Sends facts and hears of their delivery. Used by the loop's thread alone."""

    def __init__(self, append: Append, offer: Offer) -> None:
        self._append, self._offer = append, offer
        self._waiting: dict[str, set[int]] = {}

    def send(self, fact: ContractFact) -> None:
        """To every partition, also to those that have it already."""
        self._waiting[fact.fact_id] = set(range(CLEARING_COMMANDS.partitions))
        for partition in range(CLEARING_COMMANDS.partitions):
            self._write(fact, partition)

    def forget(self) -> None:
        """Somebody else sends."""
        self._waiting.clear()

    def _write(self, fact: ContractFact, partition: int) -> None:
        headers = [("event_type", TakeContractFact.__name__.encode())]

        def heard(_: int) -> None:
            self._heard(fact, partition)

        value = encode(TakeContractFact(fact))
        self._append(Part(CLEARING_COMMANDS.name, partition), b"", value, headers, Sent(heard))

    def _heard(self, fact: ContractFact, partition: int) -> None:
        """A command is in place; the last one says that the fact is sent."""
        if (waiting := self._waiting.get(fact.fact_id)) is None:
            return
        waiting.discard(partition)
        if not waiting:
            del self._waiting[fact.fact_id]
            delivered = FactDelivered(fact.instrument_id, fact.fact_id)
            self._offer(MARKS_PARTITION, CLEARING_COMMANDS.name, fact.fact_id, delivered)
