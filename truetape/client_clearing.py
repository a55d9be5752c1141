"""The clearing house in the Python client: margin, calls, liquidations, auctions, defaults and the clearing fund."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from truetape.api_default import Default, DefaultHistory, Drill, FundMoved, FundShares, FundSize, MemberFund, Round
from truetape.api_margin import Auction, Deleveraging, DeleveragingHistory, Liquidation, MarginCall, OwnPart
from truetape.api_reports import ClosedOut, Interest, Margin, Statement, StatementSides
from truetape.connection import Connection, given

LISTED: int = 500
"""Rows that one request of a list asks for."""


class ClearingClient(Connection):
    """What an account and the house see and do about margin and default. Lists are newest first, page by page."""

    def margin(self) -> Margin:
        """The account's margin now: equity, needs, the worst scenario and each position's part."""
        return self._ask("GET", "/v1/margin", Margin)

    def margin_of(self, account_id: str) -> Margin:
        """Any account's margin now (scope admin)."""
        return self._ask("GET", f"/v1/admin/margin/{account_id}", Margin)

    def statement_of(self, account_id: str, day: str) -> Statement:
        """Any account's day in UTC (scope admin)."""
        return self._ask("GET", f"/v1/admin/statements/{account_id}/{day}", Statement)

    def calls(self) -> list[MarginCall]:
        """Margin calls."""
        return list(self._pages("/v1/calls", "calls", MarginCall, {}, LISTED))

    def all_calls(self) -> Iterator[MarginCall]:
        """Margin calls of all accounts (scope admin)."""
        return self._pages("/v1/admin/calls", "calls", MarginCall, {}, LISTED)

    def act_on_call(self, call_id: str, action: str, reason: str = "") -> MarginCall:
        """`acknowledge` or `dispute` a margin call; a dispute needs a reason."""
        body = {"call_id": call_id, "action": action, "reason": reason}
        return self._ask("POST", "/v1/calls/act", MarginCall, json=body)

    def judge_call(self, account_id: str, call_id: str, action: str, reason: str) -> MarginCall:
        """`reject_dispute`, `uphold_dispute` or `declare_default` (scope admin)."""
        body = {"account_id": account_id, "call_id": call_id, "action": action, "reason": reason}
        return self._ask("POST", "/v1/admin/calls/act", MarginCall, json=body)

    def liquidations(self) -> list[Liquidation]:
        """Liquidations."""
        return list(self._pages("/v1/liquidations", "liquidations", Liquidation, {}, LISTED))

    def all_liquidations(self) -> Iterator[Liquidation]:
        """Liquidations of all accounts (scope admin)."""
        return self._pages("/v1/admin/liquidations", "liquidations", Liquidation, {}, LISTED)

    def sides(self) -> list[StatementSides]:
        """Long and short side of each contract that is open under terms of the account's own."""
        return self._list("/v1/sides", "sides", StatementSides)

    def close_out(self, instrument_id: str, quantity: str) -> ClosedOut:
        """Close long contracts of a hedging account against its short ones."""
        body = {"instrument_id": instrument_id, "quantity": quantity}
        return self._command("/v1/contracts/close-outs", ClosedOut, body)

    # -- auctions --------------------------------------------------------------------------------------------

    def auctions(self) -> list[Auction]:
        """Auctions of all accounts, the one that changed last first."""
        return list(self._pages("/v1/auctions", "auctions", Auction, {}, LISTED))

    def all_auctions(self) -> Iterator[Auction]:
        """The same for the house (scope admin)."""
        return self._pages("/v1/admin/auctions", "auctions", Auction, {}, LISTED)

    def bid(self, auction: Auction, wanted: str, price_max: str | None = None) -> Auction:
        """Take a part (1: all that is there) at the price of the moment; TAKEN, or REFUSED and why.

        `price_max`: the most that all of it may cost. A bid whose answer is lost is never made twice.
        """
        body = {"account_id": auction.account_id, "wanted": wanted} | given(price_max=price_max)
        return self._command(f"/v1/auctions/{auction.auction_id}/bids", Auction, body)

    def start_auction(self, account_id: str, asset: str, reason: str, **more: Any) -> Auction:
        """Sell what an account holds in contracts of an asset (scope admin); `more`: forced, insurance."""
        return self._command("/v1/admin/auctions", Auction, {"account_id": account_id, "asset": asset} | more
                             | {"reason": reason})  # fmt: skip

    def end_auction(self, auction: Auction, reason: str) -> Auction:
        """Stop an auction (scope admin)."""
        body = {"account_id": auction.account_id, "reason": reason}
        return self._command(f"/v1/admin/auctions/{auction.auction_id}/end", Auction, body)

    def own_deleveragings(self) -> list[Deleveraging]:
        """The account's positions that nobody bought, closed against holders of the other side."""
        return list(self._pages("/v1/deleveragings", "deleveragings", Deleveraging, {}, LISTED))

    def deleveraging_parts(self) -> list[OwnPart]:
        """What the account itself was asked to close against positions of others, the newest first."""
        return self._list("/v1/deleveragings/parts", "parts", OwnPart)

    def deleveragings(self) -> Iterator[Deleveraging]:
        """Positions that nobody buys, closed against holders of the other side (scope admin)."""
        return self._pages("/v1/admin/deleveragings", "deleveragings", Deleveraging, {}, LISTED)

    def deleveraging(self, deleveraging_id: str) -> DeleveragingHistory:
        """One of them with each holder's part (scope admin)."""
        return self._ask("GET", f"/v1/admin/deleveragings/{deleveraging_id}", DeleveragingHistory)

    # -- default ---------------------------------------------------------------------------------------------

    def declare_default(self, account_id: str, asset: str, reason: str) -> Default:
        """Declare the default of an account that cannot pay (scope admin)."""
        body = {"account_id": account_id, "asset": asset, "reason": reason}
        return self._command("/v1/admin/defaults", Default, body)

    def waive_orders(self, account_id: str, default_id: str, order_ids: Sequence[str], reason: str) -> Default:
        """Let a default go on though no end of these orders is known (scope admin)."""
        body = {"account_id": account_id, "order_ids": list(order_ids), "reason": reason}
        return self._command(f"/v1/admin/defaults/{default_id}/waivers", Default, body)

    def defaults(self) -> Iterator[Default]:
        """Defaults of all accounts (scope admin)."""
        return self._pages("/v1/admin/defaults", "defaults", Default, {}, LISTED)

    def default(self, default_id: str) -> DefaultHistory:
        """One default with every record of it (scope admin)."""
        return self._ask("GET", f"/v1/admin/defaults/{default_id}", DefaultHistory)

    def rounds(self, open: bool = True) -> list[Round]:
        """Rounds that wait for partitions, or all newest ones (scope admin)."""
        params = {"open": str(open).lower()}
        found = self._ask("GET", "/v1/admin/rounds", dict[str, Any], params=params)
        return msgspec.convert(found["rounds"], list[Round])

    # -- the clearing fund -----------------------------------------------------------------------------------

    def own_fund(self, limit: int = 100, cursor: str | None = None) -> MemberFund:
        """The account's share of the clearing fund, and a page of what it has paid, borne and got back."""
        return self._ask("GET", "/v1/fund", MemberFund, params={"limit": str(limit)} | given(cursor=cursor))

    def fund(self) -> FundShares:
        """The whole clearing fund (scope admin)."""
        return self._ask("GET", "/v1/admin/fund", FundShares)

    def pay_fund(self, amount: str, location: str, reason: str, **more: str) -> FundMoved:
        """Pay in (scope admin); `more` as FundPaymentRequest has it: asset, account_id, purpose."""
        body = {"asset": "USDT", "amount": amount, "location": location, "reason": reason} | more
        return self._command("/v1/admin/fund/payments", FundMoved, body)

    def withdraw_fund(self, amount: str, location: str, reason: str, **more: str) -> FundMoved:
        """Ask for a share or the house's capital (scope admin): a round pays all of it, or nothing and says why
        (`rounds`); `more` as FundWithdrawalRequest has it."""
        body = {"asset": "USDT", "amount": amount, "location": location, "reason": reason} | more
        return self._command("/v1/admin/fund/withdrawals", FundMoved, body)

    def fund_size(self, **wanted: str) -> FundSize:
        """How large the clearing fund must be (scope admin); `wanted`: asset, shock, floor."""
        return self._ask("GET", "/v1/admin/fund/size", FundSize, params=wanted)

    def drill_default(self, **wanted: str) -> Drill:
        """A drill on the books as they are (scope admin); `wanted`: asset, shock, floor, member, capital ..."""
        return self._ask("GET", "/v1/admin/drills/default", Drill, params=wanted)

    def interest(self) -> list[Interest]:
        """Open interest and concentration of every instrument (scope admin)."""
        return self._list("/v1/admin/interest", "instruments", Interest)
