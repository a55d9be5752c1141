"""A planted bug: what is replaced by what, for as long as it is switched on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

from tests.simulation.contracts import ContractSystem
from tests.simulation.simulate import WORLDS
from tests.simulation.system import System


@dataclass(frozen=True)
class Bug:
    """One plausible mistake."""

    what: str
    patches: tuple[tuple[Any, str, Any], ...]
    """(target, attribute, value) of what is replaced."""
    of_contracts: bool = False
    """Only runs with contracts can see it."""

    world: str = "mixed"
    """In which world its seeds are (simulate.py)."""

    @property
    def system(self) -> type[System] | None:
        """The same as its type; None where the seed says it."""
        return ContractSystem if self.of_contracts else WORLDS[self.world]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """With the bug."""
        patches = [mock.patch.object(target, name, value) for target, name, value in self.patches]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def rule(service: Any, kind: type, wrong: Callable[..., Any]) -> tuple[tuple[Any, str, Any], ...]:
    """A bug in the rule by which a service answers a kind of input; `wrong` gets the right rule first."""
    return rules(service, {kind: wrong})


def rules(service: Any, wrong: Mapping[type, Callable[..., Any]]) -> tuple[tuple[Any, str, Any], ...]:
    """A bug in several rules."""
    changed = {kind: partial(one, service._RULES[kind]) for kind, one in wrong.items()}
    return ((service, "_RULES", {**service._RULES, **changed}),)


def change(service: Any, kind: type, wrong: Callable[..., Any]) -> tuple[tuple[Any, str, Any], ...]:
    """A bug in what a service's state becomes by a kind of event."""
    changes = service._CHANGES
    right = changes[kind]
    return ((service, "_CHANGES", {**changes, kind: lambda state, event: wrong(right, state, event)}),)


def nothing(*_: Any) -> None:
    """No answer."""
