"""The kill switch as it stood at any place of the reference data."""

import bisect
from typing import Any

from truetape.messages import TradingState, TradingStateSet
from truetape.reference import EVERYBODY


class KillSwitch:
    """Every move of the switch: few, so all are kept."""

    def __init__(self) -> None:
        self._moves: dict[str, list[tuple[int, TradingState]]] = {}

    def take(self, offset: int, event: Any) -> None:
        """One accepted record of the reference data."""
        if isinstance(event, TradingStateSet):
            self._moves.setdefault(event.account_id, []).append((offset, event.state))

    def at(self, account_id: str, offset: int) -> TradingState:
        """The stricter of the account's and everybody's state, when `offset` was the last record known."""
        states = {self._one(account_id, offset), self._one(EVERYBODY, offset)}
        return "HALTED" if "HALTED" in states else "REDUCING" if "REDUCING" in states else "ACTIVE"

    def _one(self, account_id: str, offset: int) -> TradingState:
        moves = self._moves.get(account_id, [])
        before = bisect.bisect_right(moves, offset, key=lambda move: move[0])
        return moves[before - 1][1] if before else "ACTIVE"
