"""An order's history: complete, whichever topic the views have read further."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.gateway.history import history_of
from services.gateway.queries import EVENTS_AT_PLACES, EVENTS_OF_ORDER
from truetape.log import Part

COMMANDS, DECISIONS, ELSEWHERE = "orders.commands", "orders.decisions", "clearing.commands"


def row(topic: str, offset: int, cause: tuple[str, int] | None) -> dict[str, Any]:
    source, place = cause or (None, None)
    return {
        "topic": topic, "partition": 3, "offset": offset, "at_us": offset, "cause_source": source,
        "cause_partition": 3, "cause_offset": place,
    }  # fmt: skip


class Views:
    """They have the decisions, and get to a command when they are asked to reach it; one topic they never follow."""

    def __init__(self) -> None:
        self.reached = {Part(COMMANDS, 3): 5, Part(DECISIONS, 3): 8}

    async def rows(self, query: Any, *given: Any) -> list[dict[str, Any]]:
        if query is EVENTS_OF_ORDER:
            return [row(DECISIONS, 7, (COMMANDS, 6)), row(DECISIONS, 6, (ELSEWHERE, 9))]
        assert query is EVENTS_AT_PLACES
        return [
            row(topic, offset, None)
            for topic, partition, offset in zip(*given[:3], strict=True)
            if offset < self.reached.get(Part(topic, partition), 0)
        ]

    async def positions(self) -> dict[Part, int]:
        return dict(self.reached)

    async def reach(self, wanted: Mapping[Part, int]) -> None:
        assert wanted == {Part(COMMANDS, 3): 6}, "nobody waits for what the views do not follow"
        self.reached |= {part: offset + 1 for part, offset in wanted.items()}


def test_a_cause_that_the_views_have_not_read_yet_is_waited_for() -> None:
    found = asyncio.run(history_of(Views(), "ann", "o"))  # type: ignore[arg-type]
    places = [(one["topic"], one["offset"]) for one in found]
    assert places == [(COMMANDS, 6), (DECISIONS, 6), (DECISIONS, 7)]
