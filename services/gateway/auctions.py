"""Routes of auctions: anybody who may trade sees them and bids; the house starts and stops them."""

from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from services.gateway import bids as r
from services.gateway import rendering
from services.gateway.administration import command_id_of
from services.gateway.default_requests import ListQuery
from services.gateway.ledger import carried_out
from services.gateway.newest import listed, newest
from services.gateway.parsing import decimal, positive
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import SENDING
from truetape import api_margin as a
from truetape import messages as m
from truetape.money import from_e8

routes = Routes("auctions")
E10: Final = 10**10
_ACTING: Final = ("auction_refused", *SENDING)
AUCTIONS: Final = newest("auctions", "auction_id", "AuctionChanged")


@routes.add("GET", "/v1/auctions", "trade", query=ListQuery, answers={200: a.Auctions},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_auctions(call: Call) -> Response:
    """Auctions of all accounts, the one that changed last first; `form=csv` gives a table instead."""
    return await _auctions(call)


@routes.add("GET", "/v1/admin/auctions", "admin", query=ListQuery, answers={200: a.Auctions},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_all_auctions(call: Call) -> Response:
    """Auctions of all accounts, for the house; `form=csv` gives a table instead."""
    return await _auctions(call)


async def _auctions(call: Call) -> Response:
    return await listed(call, AUCTIONS, "", a.Auction, _shown, a.Auctions)


@routes.add("POST", "/v1/auctions/{auction_id}/bids", "trade", body=r.BidRequest, answers={200: a.Auction},
            problems=_ACTING)  # fmt: skip
async def bid(call: Call) -> Response:
    """Take a part of what is auctioned, at the price of the moment. TAKEN: it is the account's; REFUSED says why."""
    asked = call.body(r.BidRequest)
    most = asked.price_max
    command = m.BidAuction(
        command_id_of(call), asked.account_id, call.path("auction_id"), call.account_id,
        positive("wanted", asked.wanted), call.key.key_id, None if most is UNSET else decimal("price_max", most),
    )  # fmt: skip
    return await _answered(call, command)


@routes.add("POST", "/v1/admin/auctions", "admin", body=r.AuctionRequest, answers={200: a.Auction}, problems=_ACTING)
async def start_auction(call: Call) -> Response:
    """Sell all that an account holds in contracts of one settlement asset, to whoever bids for it or a part."""
    asked = call.body(r.AuctionRequest)
    command = m.StartAuction(
        command_id_of(call), asked.account_id, asked.asset, asked.forced, decimal("insurance", asked.insurance),
        asked.reason, call.key.key_id,
    )  # fmt: skip
    return await _answered(call, command)


@routes.add("POST", "/v1/admin/auctions/{auction_id}/end", "admin", body=r.EndAuctionRequest,
            answers={200: a.Auction}, problems=_ACTING)  # fmt: skip
async def end_auction(call: Call) -> Response:
    """Stop an auction; what is not sold stays where it is."""
    asked = call.body(r.EndAuctionRequest)
    command = m.EndAuction(
        command_id_of(call), asked.account_id, call.path("auction_id"), asked.reason, call.key.key_id
    )
    return await _answered(call, command)


async def _answered(call: Call, command: m.StartAuction | m.BidAuction | m.EndAuction) -> Response:
    answer = await carried_out(call, command, "auction_refused")
    event: Any = answer.event
    shown = _shown(msgspec.to_builtins(event), event.meta.decided_at_us)
    return reply(shown, 200, position((answer.part, answer.offset)))


def _shown(body: dict[str, Any], at_us: int) -> a.Auction:
    made = body["bid"] or {"bidder_id": "", "paid_e8": 0, "received_e8": 0, "legs": ()}
    contracts = {leg["instrument_id"]: from_e8(leg["quantity_e8"]) for leg in made["legs"] if leg["instrument_id"]}
    return a.Auction(
        body["auction_id"], body["account_id"], body["asset"], body["state"], body["change"], body["kind"],
        body["forced"], rendering.moment(body["begun_at_us"]), from_e8(body["reserved_e8"]),
        from_e8(body["left_e18"] // E10), from_e8(body["insurance_e8"]), made["bidder_id"], from_e8(made["paid_e8"]),
        from_e8(made["received_e8"]), contracts, body["detail"], rendering.moment(at_us),
        body.get("begun_by", ""), from_e8(body.get("insurance_wanted_e8", 0)),
    )  # fmt: skip
