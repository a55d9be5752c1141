"""Adapters of the liquidation auction: whole auctions step by step, and the printed cases of the compact file."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.vectors.compact import Numbers, compact
from tests.vectors.derive import COIN, E18, V1_UNUSED, Document, checked, v1_inputs
from tests.vectors.frame import Case, Check, documents, family
from tests.vectors.reading import fully_read
from truetape.margin.auction import (
    Auction,
    AuctionParameters,
    Standing,
    begin,
    bid,
    discount,
    largest_part,
    remaining,
)
from truetape.margin.market import Market
from truetape.margin.portfolio import Portfolio
from truetape.margin.portfolio_v1 import PortfolioV1


@family("liquidation_auction", "18-decimal integers that hold binary floats: compared to 1e-9 relative")
def liquidation_auction(directory: Path) -> Iterator[Case]:
    for name, document in documents(directory, "liquidation_auction"):
        yield Case(name, partial(_auctioned, document))


AUCTION_UNUSED: Final = V1_UNUSED | frozenset(("ActionCount", "PreFMax", "PostFMax", "fLiquidatedOfOriginal"))
"""The largest part is no limit where an auction was forced; the part of the original is 0 in insolvent ones."""


def standing_of(portfolio: Portfolio, market: Market) -> Standing:
    """What portfolio margin v1 says of the account."""
    result = PortfolioV1(COIN, COIN).margin(portfolio, market)
    return Standing(result.equity, result.maintenance_excess)


def _auctioned(document: Document) -> Iterator[Check]:
    """Replay: each action gives the account and market before it; the bids before change what is reserved and left."""
    ours, start, is_forced = AuctionParameters(), int(document["StartTime"]), bool(document["IsForce"])
    auction = begin(standing_of(*v1_inputs(document["InitialPortfolio"], start)), ours, is_forced=is_forced)
    yield Check("LiquidationFee", float(document.needed("LiquidationFee")), auction.fee, absolute=1e-12)
    for place, action in enumerate(document["Actions"]):
        elapsed = int(action["Time"]) - start
        portfolio, market = v1_inputs(action["PortfolioAndFeeds"], int(action["Time"]))
        before = standing_of(portfolio, market)
        wanted = float(action["Liquidator"]["PercentWant"]) / E18
        is_solvent = auction.kind == "solvent"
        made = bid(auction, before, elapsed, wanted if is_solvent else min(wanted / auction.left, 1.0), ours)
        left = remaining(portfolio, made, auction.reserved)
        after = standing_of(left, market)
        share = discount(elapsed, ours)
        found = {
            "PreMtM": before.value,
            "PreMM": before.maintenance,
            "PreBM": before.buffer_margin(ours),
            "PreFMax": largest_part(before, share, auction.reserved, ours) if is_solvent else 0.0,
            "ExpectedBidPrice": made.paid,
            "FinalPercentageReceived": made.part if is_solvent else made.of_original,
            "PostMtM": after.value,
            "PostMM": after.maintenance,
            "PostBM": after.buffer_margin(ours),
            "PostFMax": largest_part(after, share, made.auction.reserved, ours) if is_solvent else 0.0,
            "Lowerbound": auction.lowest,
            "SMPayout": -made.received,
        }
        if is_forced:  # the largest part is no limit there
            found = {key: number for key, number in found.items() if not key.endswith("FMax")}
        for check in checked(action["Results"], found, "ExpectedBidPrice", "FinalPercentageReceived"):
            yield check._replace(name=f"action {place} {check.name}")
        auction = made.auction
    fully_read(document, AUCTION_UNUSED)


@compact("derive_auction", "rounded at six decimals, inputs too: compared to 1e-5")
def derive_auction(case: Numbers, _: Numbers) -> Iterator[Check]:
    """Value and buffer margin are given; without a time the auction has just begun."""
    ours = AuctionParameters()
    value, buffered = float(case["MtM"]), float(case["BM"])
    standing = Standing(value, (buffered + ours.buffer * value) / (1 + ours.buffer))
    seconds = float(case.get("t", 0))
    auction = Auction("solvent", 0.0, 0.0)
    found = {
        "d": discount(seconds, ours),
        "f": largest_part(standing, discount(seconds, ours), 0.0, ours),
        "bid": bid(auction, standing, seconds, 1.0, ours).paid,
        "bid_15pct": bid(auction, standing, seconds, 0.15, ours).paid,
    }
    if "MM" in case:
        found["BM"] = Standing(value, float(case["MM"])).buffer_margin(ours)
    if "fee" in case:
        fee = float(case["fee"])
        found["fee"] = begin(Standing(value + fee, standing.maintenance + fee), ours).fee
    for key, number in found.items():
        if key in case:
            yield Check(key, float(case[key]), number, absolute=1e-5)
