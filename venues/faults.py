"""Planted faults: rules that break requests and user data events on purpose. Off until a rule is added.

A rule strikes with a probability, drawn from a seeded generator, or the next `count` times, or both. Its `path`
is a prefix and its `method` a name; left out, they match everything.
"""

import random
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "delay",
    "drop_request",
    "drop_reply",
    "error",
    "error_after",
    "rate_limit",
    "duplicate_event",
    "reorder_event",
    "late_event",
    "drop_event",
    "depth_gap",
]
"""Requests: `delay` waits before the matching engine, `drop_request` closes the connection unexecuted,
`drop_reply` closes it after executing, `error` answers `code` unexecuted, `error_after` after executing,
`rate_limit` answers 429. User events: sent twice, after the next execution report (or `delay_ms`, if none
comes), `delay_ms` later, never. `depth_gap` swallows one depth update."""


class Rule(Struct, forbid_unknown_fields=True):
    """One planted fault. `executions` limits event faults to execution types, for example ["TRADE"]."""

    kind: Kind
    probability: float = 1.0
    count: int | None = None
    delay_ms: int = 100
    code: int = -1007
    path: str = ""
    method: str = ""
    executions: tuple[str, ...] = ()
    rule_id: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        """Refuse what could never be meant."""
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError("probability must be from 0 to 1")
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1; leave it out for no end")
        if not 0 <= self.delay_ms <= 600_000:
            raise ValueError("delay_ms must be from 0 to 600000")
        if not -1_999 <= self.code <= -1_000:
            raise ValueError("code must be from -1999 to -1000, such as -1007")


class Faults:
    """The active rules. `strike` says whether a fault happens now, and counts it."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)
        self._next_id = 1

    def add(self, rule: Rule) -> int:
        """Activate a rule; returns its id."""
        rule.rule_id, rule.hits = self._next_id, 0
        self._next_id += 1
        self.rules.append(rule)
        return rule.rule_id

    def clear(self) -> None:
        """No more faults."""
        self.rules.clear()

    def strike_request(self, kind: Kind, method: str, path: str) -> Rule | None:
        """The first rule of this kind that strikes a request."""
        for rule in self.rules:
            if (
                rule.kind == kind
                and path.startswith(rule.path)
                and (not rule.method or rule.method == method)
                and self._strikes(rule)
            ):
                return rule
        return None

    def strike_event(self, kind: Kind, execution: str) -> Rule | None:
        """The first rule of this kind that strikes a user data event."""
        for rule in self.rules:
            if rule.kind == kind and (not rule.executions or execution in rule.executions) and self._strikes(rule):
                return rule
        return None

    def _strikes(self, rule: Rule) -> bool:
        if rule.count is not None and rule.hits >= rule.count:
            return False
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        rule.hits += 1
        return True
