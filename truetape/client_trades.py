"""Trades of two accounts, give-ups, allocations and legs: the Python client's part of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from truetape.api_bilateral import BilateralMargin
from truetape.api_trades import (
    Agreement,
    BilateralTrade,
    Compressed,
    Compression,
    CompressionStanding,
    Leg,
    LegAnswer,
    Move,
    PaymentInstructions,
    Trade,
    TradeHistory,
)
from truetape.connection import Connection, given

Clearing = Literal["HOUSE", "BILATERAL"]


class TradesClient(Connection):
    """What an account does with trades of two and legs, and what it sees of them."""

    def tell_trade(
        self, reference: str, counterparty_id: str, side: str, instrument_id: str, quantity: str, price: str,
        traded_on: str, clearing: Clearing = "HOUSE",
    ) -> BilateralTrade:  # fmt: skip
        """Tell the account's side of a trade with another account; telling it again corrects it.

        `clearing`: HOUSE when the house stands between the two, BILATERAL when they keep each other's risk.
        """
        body = {
            "reference": reference, "counterparty_id": counterparty_id, "side": side, "instrument_id": instrument_id,
            "quantity": quantity, "price": price, "traded_on": traded_on, "clearing": clearing,
        }  # fmt: skip
        return self._ask("POST", "/v1/trades", BilateralTrade, json=body)

    def end_trade(self, reference: str, counterparty_id: str, action: str, reason: str) -> BilateralTrade:
        """WITHDRAW what the account told first, REJECT what the other side told, or TERMINATE a bilateral trade."""
        body = {"reference": reference, "counterparty_id": counterparty_id, "action": action, "reason": reason}
        return self._ask("POST", "/v1/trades/end", BilateralTrade, json=body)

    def give_up(self, leg_id: str, to_account_id: str, reference: str) -> Move:
        """Give an open leg up to another account, which has to accept it."""
        body = {"leg_id": leg_id, "to_account_id": to_account_id, "reference": reference}
        return self._ask("POST", "/v1/trades/give-up", Move, json=body)

    def allocate(self, leg_id: str, shares: Mapping[str, str], reference: str) -> Move:
        """Allocate an open leg: quantity by account; together the whole leg."""
        cut = [{"account_id": account_id, "quantity": quantity} for account_id, quantity in shares.items()]
        return self._ask(
            "POST", "/v1/trades/allocate", Move, json={"leg_id": leg_id, "shares": cut, "reference": reference}
        )

    def end_move(self, move_id: str, reason: str) -> Move:
        """Take a give-up or allocation back before it is decided."""
        return self._ask("POST", "/v1/trades/moves/end", Move, json={"move_id": move_id, "reason": reason})

    def answer_leg(self, leg_id: str, accepted: bool, reason: str = "") -> LegAnswer:
        """Accept a leg that the account is offered, or decline it."""
        body = {"leg_id": leg_id, "accepted": accepted, "reason": reason}
        return self._ask("POST", "/v1/legs/answer", LegAnswer, json=body)

    def agree_moves(self, from_account_id: str, agreed: bool = True) -> Agreement:
        """Take whatever one account gives up or allocates, without being asked; or no more."""
        body = {"from_account_id": from_account_id, "agreed": agreed}
        return self._ask("POST", "/v1/legs/agreements", Agreement, json=body)

    def trades(self, state: str | None = None) -> list[Trade]:
        """Trades of two, give-ups and allocations of the account, newest change first; `state` may be several."""
        found = self._ask("GET", "/v1/trades", dict[str, Any], params=given(state=state))
        return msgspec.convert(found["trades"], list[Trade])

    def trade(self, trade_id: str) -> TradeHistory:
        """One of them with its legs and every record about it."""
        return self._ask("GET", f"/v1/trades/{trade_id}", TradeHistory)

    def legs(self, state: str | None = None) -> list[Leg]:
        """Legs of the account, newest change first: OFFERED, OPEN ..."""
        found = self._ask("GET", "/v1/legs", dict[str, Any], params=given(state=state))
        return msgspec.convert(found["legs"], list[Leg])

    def compress(self, account_id: str, instrument_id: str) -> Compressed:
        """Make one leg of an account's open legs in a contract (scope admin)."""
        body = {"account_id": account_id, "instrument_id": instrument_id}
        return self._ask("POST", "/v1/admin/compressions", Compressed, json=body)

    def compressions(self) -> list[Compression]:
        """Runs of multilateral compression in which the account has trades, newest change first."""
        return self._list("/v1/compressions", "compressions", Compression)

    def answer_compression(self, run_id: str, accepted: bool, reason: str = "") -> CompressionStanding:
        """Accept a proposed compression, or decline it: then all of it falls."""
        body = {"run_id": run_id, "accepted": accepted, "reason": reason}
        return self._command("/v1/compressions/answer", CompressionStanding, body)

    def start_compression(
        self, instrument_id: str, participants: Sequence[str] = (), answer_within_seconds: int = 86_400
    ) -> CompressionStanding:
        """Propose to the parties of a contract's bilateral trades what could replace them (scope admin).

        `participants`: only trades between these accounts; empty for all.
        """
        body = {
            "instrument_id": instrument_id, "participants": list(participants),
            "answer_within_seconds": answer_within_seconds,
        }  # fmt: skip
        return self._command("/v1/admin/compression-runs", CompressionStanding, body)

    def bilateral_margin(self, currency: str | None = None) -> BilateralMargin:
        """What the account and each of its parties would secure their bilateral trades with."""
        return self._ask("GET", "/v1/bilateral-margin", BilateralMargin, params=given(currency=currency))

    def all_bilateral_margin(self, account_id: str = "", currency: str | None = None) -> BilateralMargin:
        """The same of all pairs, or of one account and its parties (scope admin)."""
        path = f"/v1/admin/bilateral-margin{'/' + account_id if account_id else ''}"
        return self._ask("GET", path, BilateralMargin, params=given(currency=currency))

    def net_payments(self, account_id: str, value_date: str) -> PaymentInstructions:
        """Net what an account and the house owe each other of a day that is over (scope admin)."""
        body = {"account_id": account_id, "value_date": value_date}
        return self._ask("POST", "/v1/admin/nettings", PaymentInstructions, json=body)
