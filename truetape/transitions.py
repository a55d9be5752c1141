"""One table of legal transitions per process: used by the code, the tests and docs/clearing-house.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from truetape.errors import TruetapeError


class NotLegal(TruetapeError):
    """What was asked is not possible: not in this state, not for this actor, or not with these terms."""


@dataclass(frozen=True)
class Action:
    """What somebody may do."""

    actors: tuple[str, ...]
    """Who: a party, or `ledger` (an entry was booked), `clock` (a time on the tape has passed), `house`."""
    moves: Mapping[str, str]
    """State after, by state before."""
    doc: str


@dataclass(frozen=True)
class Transitions:
    """The states of a process and all that leads from one to another."""

    begins: str
    actions: Mapping[str, Action]

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, the first one first."""
        named = [state for action in self.actions.values() for move in action.moves.items() for state in move]
        return tuple(dict.fromkeys([self.begins, *named]))

    @property
    def terminal(self) -> frozenset[str]:
        """States that nothing leaves."""
        left = {state for action in self.actions.values() for state in action.moves}
        return frozenset(self.states) - left

    def after(self, state: str, action: str, actor: str) -> str:
        """The state after an action. Raises NotLegal, which says what is possible."""
        known = self.actions.get(action)
        if known is None:
            raise NotLegal(f"{action!r} is no action; there are {', '.join(self.actions)}")
        if actor not in known.actors:
            raise NotLegal(f"{action} is for {' or '.join(known.actors)}, and {actor} asked")
        if state not in known.moves:
            raise NotLegal(f"{action} is possible in {' or '.join(known.moves)}, and it is {state}")
        return known.moves[state]

    def markdown(self) -> str:
        """The table for docs/clearing-house.md."""
        states = [state for state in self.states if state not in self.terminal]
        head = "| action | by | " + " | ".join(states) + " |\n|---|---|" + "---|" * len(states) + "\n"
        return head + "".join(
            f"| **{name}**: {action.doc} | {', '.join(action.actors)} | "
            + " | ".join(action.moves.get(state, "") for state in states)
            + " |\n"
            for name, action in self.actions.items()
        )


CLOCK: Final = "clock"
LEDGER: Final = "ledger"
HOUSE: Final = "house"
