"""Trades that stay between their two sides, and the house that compresses them: participants accept, decline or say
nothing, and a process dies in between."""

from typing import TYPE_CHECKING, Any, Final

from services.clearing.otc.multilateral import HOME
from tests.simulation.reference import ACCOUNTS, PARTITIONS
from tests.simulation.swarm import SECOND
from truetape import ids
from truetape import messages as m
from truetape.topics import CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.distress import DistressSystem

OFTEN: Final = 0.5
"""Trades and runs, per virtual second."""
KEPT: Final = 0.75
"""Share of them that are trades."""
WITHIN_US: Final = (4 * SECOND, 15 * SECOND)
"""How long participants have."""
SHORTEST_US: Final = SECOND
"""Clearing's own bound in this world: a minute would be all of it."""


class Compressions:
    """The desk that starts runs, and everybody who answers."""

    def __init__(self, system: "DistressSystem") -> None:
        self._system, self._chance = system, system.chance
        self._read = self._count = 0

    def act(self) -> None:
        """A trade of two that nobody clears, or a run over all such trades of a contract."""
        if self._chance.random() < KEPT:
            self._system.operator.keep()
        else:
            self._start()

    def _start(self) -> None:
        among = tuple(self._chance.sample(list(ACCOUNTS), 3)) if self._chance.random() < 0.2 else ()
        name, within_us = self._chance.choice(list(self._system.contracts)), self._chance.randint(*WITHIN_US)
        self._ask(m.StartCompression(self._name("compress"), HOME, name, among, within_us, "simulated"))

    def look(self) -> None:
        """Answer what was proposed since the last look."""
        found = self._system.tape(CLEARING_ENTRIES, self._home()).found
        new, self._read = found[self._read :], len(found)
        for _, event in new:
            if isinstance(event, m.CompressionChanged) and event.state == "PROPOSED" and not event.accepted:
                self._proposed(event)

    def _proposed(self, run: m.CompressionChanged) -> None:
        """Most accept all; now and then one of them declines, or is silent."""
        spoilt = self._chance.random() < 0.4
        other = self._chance.choice(run.participants) if spoilt else ""
        for who in run.participants:
            says = self._chance.choice((False, None)) if who == other else True
            if says is not None:
                self._answer(run, who, says)

    def _answer(self, run: m.CompressionChanged, who: str, accepted: bool) -> None:
        command = m.AnswerCompression(self._name("answer"), HOME, run.run_id, who, accepted, "simulated", who)
        self._system.later(self._chance.randint(0, 3 * SECOND), lambda: self._ask(command))

    def _ask(self, command: Any) -> None:
        self._system.operator.tell(self._home(), HOME, command)

    def _home(self) -> int:
        return ids.partition_of(HOME, PARTITIONS)

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"
